"""What reads each column of the loans' file, or which list of the portfolio file it stands in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from features.declared import declared_facts, kinds_of
from features.portfolios.portfolio_file import ColumnSource, PortfolioFile, TableSource
from features.schemas import BESIDE, SCORED
from features.tables import FACTS

OF_FACTS = "facts."
"""Before the name of a column that features read from a file of its own, not from the loans'."""


class Role(IntEnum):
    """What a column is to the book; where it is several things, the first counts."""

    OUTCOME = 0
    FEATURE = 1
    TABLE = 2
    PROTECTED = 3
    FORBIDDEN = 4
    UNUSED = 5
    CHOICE = 6
    UNCLASSIFIED = 7


@dataclass(frozen=True)
class Reading:
    """That something reads a column of the loans' file: the role it has so, and what reads it, as `loans.amount`."""

    column: str
    role: Role
    by: str


@dataclass(frozen=True)
class Roles:
    """The readings and lists of a portfolio file."""

    readings: tuple[Reading, ...]
    lists: Mapping[Role, tuple[str, ...]]

    def of(self, column: str) -> Role:
        """Return a column's role."""
        found = [reading.role for reading in self.readings if reading.column == column]
        found += [role for role, names in self.lists.items() if column in names]
        return min(found, default=Role.UNCLASSIFIED)

    def read_by(self, column: str) -> tuple[str, ...]:
        """Return what reads a column: names of features, and columns of tables as in `loans.amount`."""
        return tuple(dict.fromkeys(reading.by for reading in self.readings if reading.column == column))

    def source_of(self, target: str) -> str | None:
        """Return the column that a table's column is read from, as `loans.amount` is."""
        return next((reading.column for reading in self.readings if reading.by == target), None)


def roles_of(file: PortfolioFile, columns: list[str], of_loans: Collection[str] = ()) -> Roles:
    """Return the role of every column of the loans' file.

    Parameters
    ----------
    columns : those that the file has, with the computed ones
    of_loans : those that features read from it although there is a file of facts
    """
    readings = list(_readings(file, columns, of_loans))
    # A computed column may be worked out from one before it: the last is followed first.
    for name, computed in reversed(list(file.computed.items())):
        behind = computed.columns
        read = [reading for reading in readings if reading.column == name]
        readings += [Reading(column, reading.role, reading.by) for column in behind for reading in read]
    lists = {Role.PROTECTED: file.protected, Role.FORBIDDEN: file.forbidden, Role.UNUSED: file.unused}
    return Roles(tuple(readings), lists)


def _readings(file: PortfolioFile, columns: list[str], of_loans: Collection[str]) -> Iterator[Reading]:
    if file.outcome is not None:
        yield Reading(file.outcome.column, Role.OUTCOME, "outcome")
        if file.outcome.recovered is not None:
            yield from _of_source(file.outcome.recovered, Role.OUTCOME, "outcome.recovered")
    for name, told in file.features.items():
        for column in kinds_of({name: told}):
            behind = OF_FACTS if FACTS in file.tables and column not in of_loans else ""
            yield Reading(behind + column, Role.FEATURE, f"feature '{name}'")
    own = file.tables["loans"].file
    for name, table in file.tables.items():
        if table.file == own:
            yield from _of_table(file, name, table, columns)


def _of_table(file: PortfolioFile, name: str, table: TableSource, columns: list[str]) -> Iterator[Reading]:
    schemas: dict[str, Any] = {**SCORED, **BESIDE}
    schema = declared_facts(kinds_of(file.features)) if name == FACTS else schemas[name]
    role = {FACTS: Role.FEATURE, "protected": Role.PROTECTED, "outcomes": Role.OUTCOME}.get(name, Role.TABLE)
    for target in schema.column_names():
        key = target.endswith("_id") or target == "recorded_at"
        source = table.columns.get(target, target if target in columns else None)
        if source is not None:
            yield from _of_source(source, Role.TABLE if key else role, f"{name}.{target}")
    for condition in table.where:
        yield Reading(condition.column, Role.CHOICE, "where")


def _of_source(source: str | ColumnSource, role: Role, by: str) -> Iterator[Reading]:
    if isinstance(source, str):
        yield Reading(source, role, by)
        return
    if source.column is not None:
        yield Reading(source.column, role, by)
    for column in source.negative_where:
        yield Reading(column, role, by)
