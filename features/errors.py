"""How the project refuses: what was found, where, what was expected and what to do, and never a borrower's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

FAULTS_SHOWN = 20
ROWS_SHOWN = 3
"""Rows with the same fault that are told one by one; of more, the first are named and all are counted."""


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


class ValidationRefused(ModelRefused):
    """A model was judged, and may not serve."""

    exit_code = 14


class MonitoringAlarm(RepayrankError):
    """A month raised an alarm: the page was made, and says of what."""

    exit_code = 15


@dataclass(frozen=True, order=True)
class Fault:
    """One fault in one table; `row` counts from 0, or is None when the whole column or table is at fault.

    `yours` is the column of the lender's own file that the table's column is read from. `more` counts further rows with
    the same fault that are not listed one by one.
    """

    table: str
    row: int | None
    column: str | None
    expected: str
    yours: str = ""
    more: int = 0

    def __str__(self) -> str:
        return self.told("" if self.row is None else f", row {self.row}")

    def told(self, rows: str) -> str:
        """Return the fault as a sentence, with the rows given in words."""
        column = "" if self.column is None else f", column '{self.column}'"
        yours = f" (yours: '{self.yours}')" if self.yours and self.yours != self.column else ""
        return f"table '{self.table}'{rows}{column}{yours}: expected {self.expected}"


class TablesRefused(DataRefused):
    """All faults of a set of tables, reported together; one that many rows of a column have is said once.

    Parameters
    ----------
    total : how many there are, where not all are listed
    heights : how many rows each table has, where that is known
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        *,
        where: str,
        total: int | None = None,
        heights: Mapping[str, int] | None = None,
    ) -> None:
        self.faults = tuple(faults)
        self.total = sum(1 + fault.more for fault in self.faults) if total is None else total
        sentences = list(_sentences(self.faults, heights or {}))
        shown = "; ".join(told for told, _ in sentences[:FAULTS_SHOWN])
        left = self.total - sum(count for _, count in sentences[:FAULTS_SHOWN])
        super().__init__(
            f"{self.total} fault{'s' if self.total != 1 else ''}: {shown}{f' (and {left} more)' if left else ''}",
            where=where,
            expected="tables that keep to their declaration",
            do="correct the rows named (rows count from 0) and send the tables again",
        )


def _sentences(faults: Sequence[Fault], heights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield each fault's sentence and how many faults it stands for."""
    alike: dict[Fault, list[Fault]] = {}
    for fault in faults:
        alike.setdefault(replace(fault, row=None, more=0), []).append(fault)
    for kind, members in alike.items():
        count = sum(1 + fault.more for fault in members)
        if count <= ROWS_SHOWN or any(fault.row is None for fault in members):
            yield from ((str(fault), 1 + fault.more) for fault in members)
            continue
        whole = "all " if heights.get(kind.table) == count else ""
        first = ", ".join(str(fault.row) for fault in members[:ROWS_SHOWN])
        yield kind.told(f", {whole}{count:,} rows ({first}, ...)"), count
