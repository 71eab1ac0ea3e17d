"""The tables a lender sends, checked against their declarations; every fault is told by table, row and column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import dataframely as dy
import polars as pl

from features import few_rows
from features.errors import Fault, TablesRefused
from features.ordering import rises
from features.schemas import SCORED, Table, limits_of, type_words

FACTS = "facts"
"""The table of a lender's own columns; which they are, its portfolio file declares."""
BORROWER = "borrower_id"


class NoFacts(Table):
    """The lender's own facts about each loan, one row per loan; the portfolio file declares the columns."""

    loan_id = dy.String(primary_key=True, min_length=1, description="the loan")
    recorded_at = dy.Datetime(
        primary_key=True, time_unit="us", time_zone="UTC", description="instant the facts were recorded"
    )


def facts_table(columns: Mapping[str, dy.Column]) -> type[Table]:
    """Return the declaration of table `facts` with a lender's own columns."""
    return type("FactTable", (NoFacts,), {"__annotations__": {}, "__doc__": NoFacts.__doc__, **columns})


@dataclass(frozen=True)
class Tables:
    """A lender's tables, checked; a table that was not sent is None."""

    loans: pl.DataFrame
    instalments: pl.DataFrame | None = None
    statements: pl.DataFrame | None = None
    payments: pl.DataFrame | None = None
    borrowers: pl.DataFrame | None = None
    contacts: pl.DataFrame | None = None
    promises: pl.DataFrame | None = None
    debits: pl.DataFrame | None = None
    transactions: pl.DataFrame | None = None
    enquiries: pl.DataFrame | None = None
    events: pl.DataFrame | None = None
    security: pl.DataFrame | None = None
    facts: pl.DataFrame | None = None

    @classmethod
    def checked(cls, frames: Mapping[str, pl.DataFrame], *, where: str, facts: type[Table] | None = None) -> Tables:
        """Return the tables when every one keeps to its declaration; a column that may be empty may be left out.

        Parameters
        ----------
        facts : the declaration of the lender's own columns, when there are any

        Raises
        ------
        TablesRefused : with every fault by table, row and column; never with a value
        """
        declared = declarations(facts)
        faults: list[Fault] = [
            Fault(name, None, None, f"one of the tables {', '.join(declared)}")
            for name in frames
            if name not in declared
        ]
        if "loans" not in frames:
            faults.append(Fault("loans", None, None, "the table to be there; it is the one that is required"))
        clean: dict[str, pl.DataFrame] = {}
        for name, schema in declared.items():
            if name in frames:
                frame = with_empty_columns(frames[name], schema)
                found = faults_of(frame, schema, name)
                faults.extend(found)
                if not found:
                    clean[name] = in_declared_order(frame, schema)
        if "loans" in clean:
            faults.extend(_strays(clean, declared))
        if faults:
            raise TablesRefused(faults, where=where)
        return cls(**clean)

    def items(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the name and frame of each table that is there."""
        for field in fields(self):
            frame = getattr(self, field.name)
            if frame is not None:
                yield field.name, frame

    @property
    def height(self) -> int:
        """How many rows there are in all tables."""
        return sum(frame.height for _, frame in self.items())

    def of_loans(self, loan_ids: pl.Series) -> Tables:
        """Return the tables of some loans and of their borrowers only."""
        loans = self.loans.filter(pl.col("loan_id").is_in(loan_ids.implode()))
        owners = {"loan_id": loan_ids.implode(), BORROWER: loans.get_column(BORROWER).unique().implode()}
        kept = {
            name: frame.filter(pl.col(declaration(name).about).is_in(owners[declaration(name).about]))
            for name, frame in self.items()
        }
        return Tables(**kept)

    @cached_property
    def restated(self) -> frozenset[str]:
        """The tables in which some fact was recorded more than once."""
        return frozenset(
            name for name, frame in self.items() if frame.height > 1 and _repeats(frame, declaration(name).identity())
        )


@lru_cache(maxsize=32)
def order_of_time(name: str) -> tuple[str, ...]:
    """Return the columns that put one case's rows of a table in order of time, and in one order only."""
    declared = declaration(name)
    happened = [] if declared.happened is None else [declared.happened]
    return tuple(dict.fromkeys(column for column in [*happened, *declared.identity()] if column != declared.about))


def declaration(name: str) -> type[Table]:
    """Return a table's declaration; that of `facts` without the lender's own columns."""
    return NoFacts if name == FACTS else SCORED[name]


def declarations(facts: type[Table] | None = None) -> dict[str, type[Table]]:
    """Return every table that a feature may read, in order."""
    return dict(SCORED) if facts is None else {**SCORED, FACTS: facts}


def with_empty_columns(frame: pl.DataFrame, schema: type[Table]) -> pl.DataFrame:
    """Return a table with the columns that may be empty and were left out."""
    there = set(frame.columns)
    absent = {name: kind.dtype for name, kind in columns_of(schema).items() if kind.nullable and name not in there}
    return frame.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in absent.items()) if absent else frame


def in_declared_order(frame: pl.DataFrame, schema: type[Table]) -> pl.DataFrame:
    """Return a table with its columns in the order of their declaration."""
    names = schema.column_names()
    return frame if frame.columns == names else frame.select(names)


@lru_cache(maxsize=128)
def columns_of(schema: type[Table]) -> Mapping[str, dy.Column]:
    """Return a table's columns as they are declared; kept, because dataframely puts them together at each call."""
    return schema.columns()


@lru_cache(maxsize=128)
def types_of(schema: type[Table]) -> Mapping[str, pl.DataType]:
    """Return the types of a table's columns; kept, because a type with categories is costly to make."""
    return {name: column.dtype for name, column in columns_of(schema).items()}


def _strays(clean: Mapping[str, pl.DataFrame], declared: Mapping[str, type[Table]]) -> Iterator[Fault]:
    for name, frame in clean.items():
        column = declared[name].about
        known, whose = clean["loans"].get_column(column), frame.get_column(column)
        if few_rows.are_few(clean["loans"]) and few_rows.are_few(frame) and {*whose.to_list()} <= {*known.to_list()}:
            continue
        stray = whose.is_in(known.implode()).not_().arg_true()
        yield from (Fault(name, row, column, f"a {column} of table 'loans'") for row in stray.to_list())


def faults_of(frame: pl.DataFrame, schema: type[Table], name: str) -> list[Fault]:
    """Return every fault of one table against its declaration, in row order."""
    declared, types = types_of(schema), frame.schema
    faults = [Fault(name, None, column, "this column to be there") for column in declared if column not in types]
    faults += [
        Fault(name, None, column, f"one of the columns {', '.join(declared)}")
        for column in types
        if column not in declared
    ]
    faults += [
        Fault(name, None, column, f"values of type {type_words(dtype)}")
        for column, dtype in declared.items()
        if column in types and types[column] != dtype
    ]
    if faults:
        return faults
    return [] if _keeps_rules(frame, schema) else _row_faults(frame, schema, name)


def _keeps_rules(frame: pl.DataFrame, schema: type[Table]) -> bool:
    if few_rows.are_few(frame):
        return few_rows.keep_rules(frame, schema)
    return bool(frame.select(_kept(schema, rises(frame, schema.primary_key()))).item())


@lru_cache(maxsize=128)
def _kept(schema: type[Table], keys_are_unique: bool) -> pl.Expr:
    return schema.kept(keys_are_unique=keys_are_unique)


def _repeats(frame: pl.DataFrame, columns: list[str]) -> bool:
    if few_rows.are_few(frame):
        return few_rows.repeat(frame, columns)
    return not rises(frame, columns) and bool(frame.select(pl.struct(columns).is_duplicated().any()).item())


def _row_faults(frame: pl.DataFrame, schema: type[Table], name: str) -> list[Fault]:
    """Name row and rule. dataframely's own details lose the row number, so each rule is looked up again here."""
    details, declared_names = _details(frame, schema), schema.column_names()
    faults: list[Fault] = []
    for rule in (column for column in details.columns if column not in (*declared_names, ROW)):
        column, _, check = rule.partition("|")
        rows = details.filter(pl.col(rule).cast(pl.String) == "invalid").get_column(ROW).sort().to_list()
        expected = _expected(schema, column, check)
        faults.extend(Fault(name, row, column if check else None, expected) for row in rows)
    return sorted(faults, key=lambda fault: (fault.row or 0, fault.column or ""))


ROW = "row__"


def _details(frame: pl.DataFrame, schema: type[Table]) -> pl.DataFrame:
    numbered: Any = type(schema.__name__, (schema,), {"__annotations__": {}, ROW: dy.UInt32(nullable=True)})
    _, failures = numbered.filter(frame.with_row_index(ROW))
    details: pl.DataFrame = failures.details()
    return details


def _expected(schema: type[Table], column: str, check: str) -> str:
    if column == "primary_key":
        return f"one row only for each {' and '.join(schema.primary_key())}"
    if not check:
        return column.replace("_", " ")  # a rule over several columns: its name is its sentence
    return limits_of(schema.columns()[column]).get(check, f"{column} to satisfy '{check}'")
