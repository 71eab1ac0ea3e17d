"""How the project refuses: what was found, where, what was expected and what to do, and never a borrower's value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

FAULTS_SHOWN = 20


class RepayrankError(Exception):
    """An error with a cause that the reader can mend.

    Parameters
    ----------
    found : what is wrong, with ids and column names only
    where : the file, table, row or option it was found in
    expected : what would have been right
    do : the next step
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, found: str, *, where: str, expected: str, do: str) -> None:
        super().__init__(f"{where}: {found}; expected {expected}; {do}")
        self.found, self.where, self.expected, self.do = found, where, expected, do


class UsageError(RepayrankError):
    """The command or the call was not understood."""

    exit_code = 2


class DataRefused(RepayrankError):
    """The borrowers' data break the tables' contract."""

    exit_code = 10


class ConfigurationRefused(RepayrankError):
    """A policy, a setting or a path is not usable."""

    exit_code = 11


class ModelRefused(RepayrankError):
    """A model is missing, damaged, unsigned or made for other features."""

    exit_code = 12


@dataclass(frozen=True, order=True)
class Fault:
    """One fault in one table; `row` counts from 0, or is None when the whole column or table is at fault."""

    table: str
    row: int | None
    column: str | None
    expected: str

    def __str__(self) -> str:
        place = [f"table '{self.table}'"]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column '{self.column}'")
        return f"{', '.join(place)}: expected {self.expected}"


class TablesRefused(DataRefused):
    """All faults of a set of tables, reported together."""

    def __init__(self, faults: Sequence[Fault], *, where: str, total: int | None = None) -> None:
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total
        shown = "; ".join(str(fault) for fault in self.faults[:FAULTS_SHOWN])
        more = f" (and {self.total - FAULTS_SHOWN} more)" if self.total > FAULTS_SHOWN else ""
        super().__init__(
            f"{self.total} fault{'s' if self.total != 1 else ''}: {shown}{more}",
            where=where,
            expected="tables that keep to their declaration",
            do="correct the rows named (rows count from 0) and send the tables again",
        )
