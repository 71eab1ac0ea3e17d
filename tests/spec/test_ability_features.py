"""Can they pay: what each kind of evidence says of small borrowers, drawn by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest
from spec_tables import CENTS, noon, on, table

from features.ability.borrowing import (
    days_since_new_credit_enquiry,
    guarantee_count,
    new_credit_enquiry_count,
    security_cover,
)
from features.ability.debits import (
    days_since_insufficient_funds,
    insufficient_funds_count,
    insufficient_funds_latest,
    insufficient_funds_share,
)
from features.ability.hardship import hardship_count, hardship_now
from features.ability.instalments import (
    arrears_to_instalment,
    arrears_to_outstanding,
    instalment_payment_to_due,
    paid_ahead,
    part_paid_depth,
)
from features.ability.means import (
    days_since_income_evidence,
    debt_service_to_income,
    income_change,
    instalment_to_income,
    residual_income,
    residual_income_to_instalment,
    unemployed_now,
)
from features.catalog import Catalog
from features.declaration import declared_in
from features.history import History
from features.schemas import SCORED
from features.tables import Tables

TODAY = "2026-06-30"
MONEY = {
    "amount", "principal", "interest", "costs", "value", "monthly_income", "monthly_expenses", "other_instalments"
}  # fmt: skip
OWED = """
    number | due_on     | principal
    1      | 2026-03-31 | 100
    2      | 2026-04-30 | 100
    3      | 2026-05-31 | 100
    4      | 2026-06-30 | 100
    5      | 2026-07-31 | 50
    6      | 2026-08-31 | 50
"""


def drawn(**pictures: str) -> Tables:
    """Tables of one instalment loan, amount 1,200 over 12 months, drawn by their own columns in whole units.

    A picture of a head only is a table that was sent and is empty. What is left out: identifiers are numbered, the day
    of recording is the day it happened, interest and costs are 0, the schedule is the first.
    """
    loan = {
        "loan_id": "L1", "borrower_id": "L1", "product": "instalment", "currency": "CNY", "amount": "1200",
        "term_months": "12", "recorded_at": "2020-01-01",
    }  # fmt: skip
    frames = {"loans": [loan], **{name: table(picture) for name, picture in pictures.items()}}
    return Tables.checked({name: _frame(name, rows) for name, rows in frames.items()}, where="drawn tables")


def _frame(name: str, rows: list[dict[str, str]]) -> pl.DataFrame:
    schema = SCORED[name].create_empty().schema
    return pl.DataFrame([_row(name, row, number, schema) for number, row in enumerate(rows)], schema=schema)


def _row(name: str, row: Mapping[str, str], number: int, schema: Mapping[str, pl.DataType]) -> dict[str, Any]:
    happened = row.get(str(SCORED[name].happened), "2020-01-01")
    usual = {"loan_id": "L1", "borrower_id": "L1", "schedule": "0", "interest": "0", "costs": "0", "channel": "call",
             "amount": "1", "recorded_at": happened}  # fmt: skip
    identities = {column: str(number) for column in schema if column.endswith("_id")}
    cells = {column: cell for column, cell in {**identities, **usual, **row}.items() if column in schema and cell}
    return {column: _cell(column, cell, schema[column]) for column, cell in cells.items()}


def _cell(column: str, cell: str, dtype: pl.DataType) -> Any:
    if dtype == pl.Date:
        return date.fromisoformat(cell)
    if isinstance(dtype, pl.Datetime):
        return noon(cell)
    if dtype.is_integer():
        return int(cell) * (CENTS if column in MONEY else 1)
    return cell


def value(tables: Tables, formula: Callable[..., Any], *months: int, day: str = TODAY) -> float | None:
    """The feature of the one loan; None for missing."""
    name = formula.__name__ + (f"_{months[0]}m" if months else "")
    declared = Catalog(declared_in(sys.modules[formula.__module__])).chosen([name])
    found: float | None = declared.values(History.as_of(on(day, "L1"), tables)).frame().item(0, name)
    return found


# What was paid of the instalments


def test_the_share_paid_counts_own_money_only_and_the_instalment_due_today():
    tables = drawn(
        instalments=OWED,
        payments="""
            paid_on    | amount | payer
            2026-03-31 | 100    | borrower
            2026-05-10 | 100    | guarantor
            2026-05-31 | 80     |
            2026-06-29 | 500    | write_off
        """,
    )
    assert value(tables, instalment_payment_to_due, 1) == 0
    assert value(tables, instalment_payment_to_due, 3) == 80 / 300
    assert value(tables, instalment_payment_to_due, 6) == 180 / 400
    assert value(tables, part_paid_depth, 12) == 80 / 100


def test_a_payment_known_tomorrow_changes_nothing_today():
    paid = "paid_on | amount | recorded_at\n 2026-06-30 | 400 | 2026-07-01"
    assert value(drawn(instalments=OWED, payments=paid), instalment_payment_to_due, 6) == 0


def test_arrears_do_not_yet_hold_the_instalment_due_today():
    tables = drawn(instalments=OWED, payments="paid_on | amount\n 2026-04-02 | 250")
    assert value(tables, arrears_to_instalment, day="2026-06-30") == 50 / 100
    assert value(tables, arrears_to_instalment, day="2026-07-01") == 150 / 100
    assert value(tables, arrears_to_outstanding, day="2026-06-30") == 50 / 250
    assert value(tables, arrears_to_outstanding, day="2026-07-01") == 150 / 250


def test_interest_to_come_is_not_outstanding_and_interest_in_arrears_is():
    tables = drawn(
        instalments="""
            number | due_on     | principal | interest
            1      | 2026-05-31 | 90        | 10
            2      | 2026-07-31 | 90        | 10
        """,
        payments="paid_on | amount",
    )
    assert value(tables, arrears_to_outstanding) == 100 / 190


def test_arrears_are_measured_by_the_whole_instalment_and_read_as_24_at_most():
    last_is_small = """
        number | due_on     | principal
        1      | 2026-04-30 | 900
        2      | 2026-05-31 | 20
    """
    assert value(drawn(instalments=last_is_small, payments="paid_on | amount"), arrears_to_instalment) == 24


def test_money_paid_ahead_is_measured_by_the_next_instalment():
    tables = drawn(instalments=OWED, payments="paid_on | amount\n 2026-06-15 | 475")
    assert value(tables, paid_ahead) == 75 / 50
    assert value(tables, paid_ahead, day="2026-08-31") is None


def test_money_paid_ahead_by_others_is_not_counted():
    tables = drawn(instalments=OWED, payments="paid_on | amount | payer\n 2026-06-15 | 475 | third_party")
    assert value(tables, paid_ahead) == 0


def test_before_the_first_instalment_falls_due_no_share_and_no_arrears_are_known():
    tables = drawn(instalments=OWED, payments="paid_on | amount")
    assert value(tables, instalment_payment_to_due, 12, day="2026-03-30") is None
    assert value(tables, arrears_to_instalment, day="2026-03-30") is None
    assert value(tables, arrears_to_outstanding, day="2026-03-30") == 0
    assert value(tables, paid_ahead, day="2026-03-30") == 0


def test_instalments_paid_whole_or_not_at_all_have_no_depth():
    tables = drawn(instalments=OWED, payments="paid_on | amount\n 2026-04-02 | 200")
    assert value(tables, part_paid_depth, 12) is None


@pytest.mark.parametrize(
    ("formula", "months"),
    [
        (instalment_payment_to_due, (6,)),
        (part_paid_depth, (12,)),
        (arrears_to_instalment, ()),
        (arrears_to_outstanding, ()),
        (paid_ahead, ()),
    ],
)
def test_without_a_payments_table_nothing_is_known_to_be_paid_or_in_arrears(
    formula: Callable[..., Any], months: tuple[int, ...]
):
    assert value(drawn(instalments=OWED), formula, *months) is None


# What was stated of the means


def test_a_payslip_renews_the_income_and_leaves_what_else_was_stated():
    tables = drawn(
        instalments=OWED,
        borrowers="""
            stated_on  | monthly_income | monthly_expenses | other_instalments | employment
            2025-12-31 | 400            | 150              | 50                | employed
            2026-05-31 | 500            |                  |                   |
        """,
    )
    assert value(tables, instalment_to_income) == 50 / 500
    assert value(tables, debt_service_to_income) == 100 / 500
    assert value(tables, residual_income) == 250 * CENTS
    assert value(tables, residual_income_to_instalment) == 300 / 50
    assert value(tables, income_change) == 500 / 400
    assert value(tables, days_since_income_evidence) == 30
    assert value(tables, unemployed_now) == 0


def test_without_a_schedule_the_instalment_is_the_amount_over_the_term():
    tables = drawn(borrowers="stated_on | monthly_income\n 2026-05-31 | 400")
    assert value(tables, instalment_to_income) == 100 / 400


def test_an_income_of_nothing_is_the_largest_burden_not_an_unknown_one():
    tables = drawn(
        borrowers="""
            stated_on  | monthly_income | other_instalments | employment
            2026-04-30 | 400            | 0                 | employed
            2026-05-31 | 0              | 0                 | unemployed
        """
    )
    assert value(tables, instalment_to_income) == 3
    assert value(tables, debt_service_to_income) == 3
    assert value(tables, income_change) == 0
    assert value(tables, unemployed_now) == 1


def test_when_expenses_pass_the_income_the_rest_is_below_0_and_covers_nothing():
    tables = drawn(
        borrowers="""
            stated_on  | monthly_income | monthly_expenses | other_instalments
            2026-05-31 | 300            | 290              | 30
        """
    )
    assert value(tables, residual_income) == -120 * CENTS
    assert value(tables, residual_income_to_instalment) == 0


def test_what_was_never_stated_stays_unknown():
    income_only = drawn(borrowers="stated_on | monthly_income\n 2026-05-31 | 400")
    work_only = drawn(borrowers="stated_on | employment\n 2026-05-31 | retired")
    for unknown in (debt_service_to_income, residual_income, residual_income_to_instalment, income_change):
        assert value(income_only, unknown) is None
    for unknown in (instalment_to_income, days_since_income_evidence):
        assert value(work_only, unknown) is None
    assert value(income_only, unemployed_now) is None


# Debits, enquiries, security and hardship


def test_a_revoked_mandate_and_a_technical_failure_tell_nothing_of_funds():
    tables = drawn(
        debits="""
            tried_on   | result
            2026-02-28 | insufficient_funds
            2026-04-30 | insufficient_funds
            2026-05-31 | paid
            2026-06-15 | technical
            2026-06-30 | mandate_revoked
        """
    )
    assert value(tables, insufficient_funds_share, 1) is None
    assert value(tables, insufficient_funds_share, 3) == 1 / 2
    assert value(tables, insufficient_funds_share, 12) == 2 / 3
    assert value(tables, insufficient_funds_count, 12) == 2
    assert value(tables, insufficient_funds_latest) == 0
    assert value(tables, days_since_insufficient_funds) == 61


@pytest.mark.parametrize(("second", "lacked"), [("paid", 0), ("insufficient_funds", 1), ("technical", 1)])
def test_a_second_attempt_on_the_same_day_that_found_the_money_is_what_counts(second: str, lacked: int):
    for results in (("insufficient_funds", second), (second, "insufficient_funds")):
        picture = "tried_on | result" + "".join(f"\n 2026-06-30 | {result}" for result in results)
        assert value(drawn(debits=picture), insufficient_funds_latest) == lacked


def test_no_attempt_is_counted_as_none_and_has_no_share():
    tables = drawn(debits="tried_on | result")
    assert value(tables, insufficient_funds_count, 3) == 0
    assert value(tables, insufficient_funds_share, 3) is None
    assert value(tables, insufficient_funds_latest) is None
    assert value(tables, days_since_insufficient_funds) is None


def test_only_enquiries_for_new_credit_are_counted():
    tables = drawn(
        enquiries="""
            enquired_on | purpose
            2026-05-31  | new_credit
            2026-06-01  | new_credit
            2026-06-30  | review
        """
    )
    assert value(tables, new_credit_enquiry_count, 1) == 1
    assert value(tables, new_credit_enquiry_count, 3) == 2
    assert value(tables, days_since_new_credit_enquiry) == 29


def test_security_counts_with_its_latest_value_and_a_lapsed_guarantee_not_at_all():
    tables = drawn(
        instalments=OWED,
        payments="paid_on | amount\n 2026-06-01 | 300",
        security="""
            security_id | valued_on  | kind      | value
            car         | 2025-06-30 | vehicle   | 400
            car         | 2026-06-01 | vehicle   | 120
            aunt        | 2026-01-31 | guarantee | 30
            uncle       | 2026-01-31 | guarantee | 500
            uncle       | 2026-05-31 | guarantee | 0
        """,
    )
    assert value(tables, security_cover) == 150 / 200
    assert value(tables, guarantee_count) == 1


def test_a_loan_without_security_has_a_cover_of_0():
    tables = drawn(instalments=OWED, payments="paid_on | amount", security="security_id | valued_on | kind | value")
    assert value(tables, security_cover) == 0
    assert value(tables, guarantee_count) == 0


@pytest.mark.parametrize(
    ("happened", "now", "count"),
    [
        ({}, 0, 0),
        ({"2025-06-30": "hardship"}, 1, 0),
        ({"2025-07-01": "hardship"}, 1, 1),
        ({"2026-02-01": "hardship", "2026-04-01": "hardship_ended"}, 0, 1),
        ({"2026-02-01": "hardship", "2026-04-01": "hardship_ended", "2026-05-01": "hardship"}, 1, 2),
    ],
)
def test_hardship_lasts_until_it_has_ended(happened: dict[str, str], now: int, count: int):
    tables = drawn(events="happened_on | kind" + "".join(f"\n {day} | {kind}" for day, kind in happened.items()))
    assert value(tables, hardship_now) == now
    assert value(tables, hardship_count, 12) == count


@pytest.mark.parametrize(
    ("formula", "months"),
    [
        (insufficient_funds_count, (3,)),
        (new_credit_enquiry_count, (3,)),
        (security_cover, ()),
        (guarantee_count, ()),
        (hardship_now, ()),
        (hardship_count, (12,)),
    ],
)
def test_a_table_that_was_not_sent_is_unknown_not_none(formula: Callable[..., Any], months: tuple[int, ...]):
    assert value(drawn(), formula, *months) is None
