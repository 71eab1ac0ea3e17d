"""Bad tables are refused with every fault at once: by table, row and column, and never with a value."""

from __future__ import annotations

import polars as pl
import pytest
from spec_tables import book

from features.errors import TablesRefused
from features.schemas import SCORED
from features.tables import Tables

GOOD = dict(
    book(
        "loan | on | balance | state\n L1 | 2026-04-30 | 100 | p\n L1 | 2026-05-31 | 90 | 1",
        "loan | on | amount\n L1 | 2026-05-02 | 3",
    ).items()
)
CANARY = "CANARY-7731"


def refused(**changed: pl.DataFrame) -> set[tuple[str, int | None, str | None]]:
    with pytest.raises(TablesRefused) as caught:
        Tables.checked({**GOOD, **changed}, where="here")
    assert CANARY not in str(caught.value)
    return {(fault.table, fault.row, fault.column) for fault in caught.value.faults}


def test_good_tables_are_taken_as_they_are():
    assert Tables.checked(GOOD, where="here").loans.height == 1


def test_a_null_a_wrong_currency_and_a_negative_limit_are_all_reported_with_their_rows():
    loans = GOOD["loans"]
    bad = pl.concat(
        [
            loans,
            loans.with_columns(loan_id=pl.lit("L2"), currency=pl.lit(CANARY)),
            loans.with_columns(loan_id=pl.lit("L3"), credit_limit=pl.lit(-7731, pl.Int64)),
            loans.with_columns(loan_id=pl.lit("L4"), borrower_id=pl.lit(None, pl.String)),
        ]
    )
    assert refused(loans=bad) == {
        ("loans", 1, "currency"),
        ("loans", 2, "credit_limit"),
        ("loans", 3, "borrower_id"),
    }


def test_the_same_statement_sent_twice_is_a_fault_of_both_rows():
    twice = pl.concat([GOOD["statements"], GOOD["statements"].head(1)])
    assert refused(statements=twice) == {("statements", 0, None), ("statements", 2, None)}


def test_an_overdue_statement_without_months_overdue_contradicts_itself():
    contradiction = GOOD["statements"].with_columns(months_overdue=pl.lit(0, pl.Int16))
    assert refused(statements=contradiction) == {("statements", 1, None)}


def test_a_payment_to_a_loan_that_was_not_sent_is_a_fault():
    stray = GOOD["payments"].with_columns(loan_id=pl.lit(CANARY))
    assert refused(payments=stray) == {("payments", 0, "loan_id")}


def test_an_unknown_table_a_missing_column_and_a_strange_column_are_faults():
    assert ("salaries", None, None) in refused(salaries=GOOD["payments"])
    assert ("payments", None, "amount") in refused(payments=GOOD["payments"].drop("amount"))
    assert ("payments", None, "sex") in refused(payments=GOOD["payments"].with_columns(sex=pl.lit(CANARY)))


def test_money_as_a_fraction_is_refused_not_rounded():
    fractions = GOOD["payments"].with_columns(pl.col("amount").cast(pl.Float64))
    assert refused(payments=fractions) == {("payments", None, "amount")}


def test_tables_without_loans_are_refused():
    with pytest.raises(TablesRefused, match="'loans'"):
        Tables.checked({"payments": GOOD["payments"]}, where="here")


def test_every_column_of_every_table_says_what_it_means():
    for schema in SCORED.values():
        assert all(column.description for column in schema.columns().values())
