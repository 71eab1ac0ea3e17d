"""The tables a lender sends: what each column means, and when its facts happened and were recorded.

Money is a whole number of minor units (cents), so sums are exact and do not depend on their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import dataframely as dy
import polars as pl

from features.errors import Fault, TablesRefused

PRODUCTS = ("revolving", "instalment")
STATEMENT_STATES = ("unused", "paid_in_full", "part_paid", "overdue")


MOST_MONEY = 10**14
"""Largest amount in minor units, a trillion dollars: sums over half a year of daily statements stay exact."""


class Table(dy.Schema):
    """What all tables of the contract have in common."""

    happened: ClassVar[str | None] = None


class LoanTable(Table):
    """One row per loan or card account: the thing that is scored."""

    loan_id = dy.String(primary_key=True, min_length=1, description="the lender's own identifier of the loan")
    borrower_id = dy.String(nullable=False, min_length=1, description="the person who owes it; may have several loans")
    product = dy.Enum(PRODUCTS, nullable=False, description="revolving: a card or credit line; instalment: a schedule")
    currency = dy.String(nullable=False, regex="^[A-Z]{3}$", description="ISO 4217 code of every amount of the loan")
    credit_limit = dy.Int64(
        nullable=True,
        min=0,
        max=MOST_MONEY,
        description="limit of a revolving account, minor units, as on the days observed: it has no time of its own",
    )
    opened_on = dy.Date(nullable=True, description="day the contract began")
    recorded_at = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", description="instant the lender's system learned of the loan"
    )


class StatementTable(Table):
    """One row per statement of a revolving account."""

    happened = "statement_on"

    loan_id = dy.String(primary_key=True, min_length=1, description="the account")
    statement_on = dy.Date(primary_key=True, description="closing day of the statement")
    balance = dy.Int64(
        nullable=False,
        min=-MOST_MONEY,
        max=MOST_MONEY,
        description="amount owed at closing, minor units; negative: the lender owes",
    )
    state = dy.Enum(
        STATEMENT_STATES,
        nullable=False,
        description="unused: no use in the month; paid_in_full; part_paid: at least the minimum was paid; overdue",
    )
    months_overdue = dy.Int16(nullable=False, min=0, max=99, description="whole months overdue; 0 unless overdue")
    recorded_at = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", description="instant the statement was recorded"
    )

    @dy.rule()
    def state_overdue_exactly_when_months_overdue_is_above_0(cls) -> pl.Expr:  # noqa: N805 - dataframely's own form
        """A statement is overdue exactly when it has months overdue."""
        return (pl.col("state") == "overdue") == (pl.col("months_overdue") > 0)


class PaymentTable(Table):
    """One row per payment received."""

    happened = "paid_on"

    payment_id = dy.String(primary_key=True, min_length=1, description="the lender's own identifier of the payment")
    loan_id = dy.String(nullable=False, min_length=1, description="the loan it was paid to")
    paid_on = dy.Date(nullable=False, description="value date")
    amount = dy.Int64(nullable=False, min=0, max=MOST_MONEY, description="amount received, minor units")
    recorded_at = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", description="instant the payment was booked"
    )


class OutcomeTable(Table):
    """One row per loan and performance window that has ended: what became of it. Never an input of a feature."""

    happened = "happened_on"

    loan_id = dy.String(primary_key=True, min_length=1, description="the loan")
    happened_on = dy.Date(primary_key=True, description="last day of the performance window")
    bad = dy.Bool(nullable=False, description="true: the bad outcome of the card's definition was reached")
    recorded_at = dy.Datetime(
        nullable=False, time_unit="us", time_zone="UTC", description="instant the outcome was known"
    )


class ProtectedTable(Table):
    """One row per borrower: attributes for the fairness report alone. No feature and no model reads them."""

    borrower_id = dy.String(primary_key=True, min_length=1, description="the borrower")
    sex = dy.String(nullable=True, description="as the lender records it")
    age_years = dy.Int16(nullable=True, min=0, max=130, description="completed years at the observation date")
    education = dy.String(nullable=True, description="as the lender records it")
    marital_status = dy.String(nullable=True, description="as the lender records it")


SCORED: Mapping[str, type[Table]] = {"loans": LoanTable, "statements": StatementTable, "payments": PaymentTable}
"""Tables that a feature may read. Only `loans` is required."""


@dataclass(frozen=True)
class Tables:
    """A lender's tables, checked; a table that was not sent is None."""

    loans: pl.DataFrame
    statements: pl.DataFrame | None = None
    payments: pl.DataFrame | None = None

    @classmethod
    def checked(cls, frames: Mapping[str, pl.DataFrame], *, where: str) -> Tables:
        """Return the tables when every one keeps to its declaration.

        Raises
        ------
        TablesRefused : with every fault by table, row and column; never with a value
        """
        faults: list[Fault] = [
            Fault(name, None, None, f"one of the tables {', '.join(SCORED)}") for name in frames if name not in SCORED
        ]
        if "loans" not in frames:
            faults.append(Fault("loans", None, None, "the table to be there; it is the one that is required"))
        clean: dict[str, pl.DataFrame] = {}
        for name, schema in SCORED.items():
            if name in frames:
                found = faults_of(frames[name], schema, name)
                faults.extend(found)
                if not found:
                    clean[name] = frames[name].select(schema.column_names())
        if "loans" in clean:
            known = clean["loans"].get_column("loan_id")
            for name, frame in clean.items():
                stray = frame.get_column("loan_id").is_in(known.implode()).not_().arg_true()
                faults.extend(Fault(name, row, "loan_id", "a loan_id of table 'loans'") for row in stray.to_list())
        if faults:
            raise TablesRefused(faults, where=where)
        return cls(**clean)

    def items(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the name and frame of each table that is there."""
        for name in SCORED:
            frame = getattr(self, name)
            if frame is not None:
                yield name, frame

    def of_loans(self, loan_ids: pl.Series) -> Tables:
        """Return the tables of some loans only."""
        wanted = loan_ids.implode()
        return Tables(**{name: frame.filter(pl.col("loan_id").is_in(wanted)) for name, frame in self.items()})


def faults_of(frame: pl.DataFrame, schema: type[Table], name: str) -> list[Fault]:
    """Return every fault of one table against its declaration, in row order."""
    declared = schema.columns()
    faults = [Fault(name, None, column, "this column to be there") for column in declared if column not in frame]
    faults += [
        Fault(name, None, column, f"one of the columns {', '.join(declared)}")
        for column in frame.columns
        if column not in declared
    ]
    faults += [
        Fault(name, None, column, f"values of type {type_words(kind.dtype)}")
        for column, kind in declared.items()
        if column in frame and frame.schema[column] != kind.dtype
    ]
    if faults:
        return faults
    return [] if schema.is_valid(frame) else _row_faults(frame, schema, name)


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
    kind = schema.columns()[column]
    limits = {
        "nullability": "a value, not null",
        "min": f"at least {getattr(kind, 'min', None)}",
        "max": f"at most {getattr(kind, 'max', None)}",
        "min_length": "a text that is not empty",
        "regex": "three capital letters, as in ISO 4217",
    }
    return limits.get(check, f"{column} to satisfy '{check}'")


def type_words(dtype: pl.DataType) -> str:
    """Return a declared type in plain words, as an error says it."""
    words = {pl.Int64: "whole number", pl.Int16: "whole number", pl.String: "text", pl.Boolean: "true or false"}
    if isinstance(dtype, pl.Enum):
        return "text, one of " + ", ".join(dtype.categories.to_list())
    if isinstance(dtype, pl.Datetime):
        return "instant with time zone (UTC)"
    if isinstance(dtype, pl.Date):
        return "date"
    return words.get(type(dtype), str(dtype))
