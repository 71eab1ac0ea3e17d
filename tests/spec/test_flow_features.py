"""What the movements on a bank account say, by small accounts that a reviewer can count through by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl
import pytest
from spec_tables import CENTS, noon, on, table

from features.ability import flows as ability
from features.ability.flows import (
    days_below_zero_count,
    income_steadiness,
    instalment_to_flow_income,
    largest_out_to_balance,
    low_balance_days_share,
    lowest_balance_to_income,
    lowest_balance_to_instalment,
    money_out_to_in,
    regular_income_months_share,
    sanction_interest_count,
    thin_balance_days_share,
)
from features.account_flows import months_ago
from features.catalog import Catalog
from features.circumstances import flows as circumstances
from features.circumstances.flows import account_months
from features.declaration import declared_in
from features.history import History
from features.schemas import PRODUCTS, SCORED
from features.tables import Tables
from features.willingness import flows as willingness
from features.willingness.flows import bill_months_share, household_to_income
from features.windows import WINDOWS, first_day, mark, marks

CATALOG = Catalog(tuple(feature for module in (ability, willingness, circumstances) for feature in declared_in(module)))
TERM = 12
OBSERVED_ON = "2024-06-30"


def accounts(
    drawn: str, *loans: str, observed_on: str = OBSERVED_ON, instalment: int | None = 100, turned: bool = False
) -> History:
    """Return what is known of accounts drawn as `loan | on | amount | balance | kind`, in whole currency units.

    An empty balance is not known. `turned` numbers the movements of the drawing from the last to the first.
    """
    rows = table(drawn)
    rows = rows[::-1] if turned else rows
    named = sorted({row["loan"] for row in rows} | set(loans))
    flows = [
        {
            "transaction_id": f"flow-{number:03}",
            "borrower_id": row["loan"],
            "booked_on": date.fromisoformat(row["on"]),
            "amount": int(row["amount"]) * CENTS,
            "balance": int(row["balance"]) * CENTS if row["balance"] else None,
            "kind": row["kind"],
            "recorded_at": noon(row["on"]),
        }
        for number, row in enumerate(rows)
    ]
    lent = [
        {
            "loan_id": name,
            "borrower_id": name,
            "product": PRODUCTS[1],
            "currency": "CNY",
            "amount": None if instalment is None else instalment * TERM * CENTS,
            "term_months": TERM,
            "recorded_at": noon("2000-01-01"),
        }
        for name in named
    ]
    tables = {
        name: pl.DataFrame(found, schema=SCORED[name].create_empty().schema)
        for name, found in (("loans", lent), ("transactions", flows))
    }
    return History.as_of(on(observed_on, *named), Tables.checked(tables, where="drawn accounts"))


def values(history: History, formula: Callable[..., Any], *months: int) -> dict[str, float | None]:
    name = formula.__name__ + (f"_{months[0]}m" if months else "")
    matrix = CATALOG.chosen([name]).values(history)
    return dict(zip(history.loan_ids, matrix.frame().get_column(name).to_list(), strict=True))


def test_a_day_lies_as_many_months_ago_as_the_windows_say():
    observed = pl.DataFrame({"observed_on": pl.date_range(date(2023, 1, 1), date(2024, 12, 31), eager=True)})
    longest = 27
    edges = observed.with_columns(first_day(pl.col("observed_on"), m).alias(f"first_{m}") for m in range(1, longest))
    booked = pl.DataFrame({"booked_on": pl.date_range(date(2022, 11, 28), date(2024, 12, 31), eager=True)})
    days = edges.join(booked, how="cross").filter(pl.col("booked_on") <= pl.col("observed_on"))
    before = pl.sum_horizontal((pl.col("booked_on") < pl.col(f"first_{m}")).cast(pl.Int64) for m in range(1, longest))
    told = days.select(
        *marks("booked_on"), by_windows=1 + before, by_calendar=months_ago(pl.col("booked_on"), pl.col("observed_on"))
    )
    assert told.height > 250_000
    assert told.filter(pl.col("by_calendar") != pl.col("by_windows")).is_empty()
    for months in WINDOWS:
        assert told.filter(pl.col(mark(months)) != (pl.col("by_calendar") <= months)).is_empty()


def test_the_lowest_balance_is_measured_in_instalments_and_may_be_below_zero():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+-------
        L1   | 2024-03-31 |    -10 |    -400 | card
        L1   | 2024-04-01 |    200 |     -50 | cash
        L1   | 2024-05-31 |    400 |     350 | salary
        L1   | 2024-06-01 |    -80 |     270 | card
        L1   | 2024-06-30 |   -100 |         | card
    """)
    assert values(history, lowest_balance_to_instalment, 1) == {"L1": 2.7}
    assert values(history, lowest_balance_to_instalment, 3) == {"L1": -0.5}
    assert values(history, lowest_balance_to_instalment, 12) == {"L1": -4.0}


def test_a_day_with_less_than_an_instalment_counts_once_among_the_days_whose_balance_is_known():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+-------
        L1   | 2024-05-02 |    -50 |      99 | card
        L1   | 2024-05-02 |     -9 |      90 | card
        L1   | 2024-05-02 |    900 |     990 | salary
        L1   | 2024-05-09 |   -890 |     100 | card
        L1   | 2024-05-11 |     10 |         | cash
        L2   | 2024-05-11 |     10 |         | cash
    """)
    assert values(history, low_balance_days_share, 12) == {"L1": 0.5, "L2": None}


@pytest.mark.parametrize("instalment", [None, 0])
def test_without_an_instalment_nothing_is_measured_in_instalments(instalment: int | None):
    drawn = """
        loan | on         | amount | balance | kind
        L1   | 2024-06-02 |    500 |     -20 | salary
    """
    history = accounts(drawn, instalment=instalment)
    assert values(history, lowest_balance_to_instalment, 12) == {"L1": None}
    assert values(history, low_balance_days_share, 12) == {"L1": None}
    assert values(history, instalment_to_flow_income, 6) == {"L1": None if instalment is None else 0.0}


def test_a_months_money_in_goes_by_the_months_seen_and_leaves_interest_out():
    # L1 is seen for three months: 600 a month. L2 is seen for longer than either window.
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+---------
        L1   | 2024-04-30 |   1800 |     149 | transfer
        L1   | 2024-06-10 |    999 |     150 | interest
        L1   | 2024-06-11 |    -90 |     300 | card
        L2   | 2020-01-31 |      1 |       1 | cash
        L2   | 2024-06-10 |   1800 |     149 | salary
        L2   | 2024-06-12 |    -60 |      37 | card
    """)
    assert values(history, thin_balance_days_share, 12) == {"L1": 1 / 3, "L2": 0.5}
    assert values(history, lowest_balance_to_income, 6) == {"L1": 149 / 600, "L2": 37 / 300}
    assert values(history, instalment_to_flow_income, 6) == {"L1": 100 / 600, "L2": 100 / 300}
    assert values(history, money_out_to_in, 12) == {"L1": 90 / 1800, "L2": 60 / 1800}


def test_where_nothing_but_interest_came_in_nothing_is_measured_by_money_in():
    history = accounts("""
        loan | on         | amount | balance | kind
        L1   | 2024-05-02 |     20 |      99 | interest
        L1   | 2024-06-02 |    -20 |      79 | household
    """)
    for formula, months in (
        (thin_balance_days_share, 12),
        (lowest_balance_to_income, 6),
        (instalment_to_flow_income, 6),
        (money_out_to_in, 12),
        (income_steadiness, 6),
        (household_to_income, 3),
    ):
        assert values(history, formula, months) == {"L1": None}


def test_money_out_is_read_as_three_times_the_money_in_at_most():
    history = accounts("""
        loan | on         | amount | balance | kind
        L1   | 2024-06-02 |    100 |     900 | cash
        L1   | 2024-06-02 |   -301 |     599 | cash
    """)
    assert values(history, money_out_to_in, 12) == {"L1": 3.0}


def test_money_in_is_steady_when_the_leanest_month_is_near_the_best():
    # L2 had a month without, L3 is seen for two months only, L4 for one, L5's money came before the window.
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+-------
        L1   | 2023-12-31 |      5 |         | cash
        L1   | 2024-01-01 |     80 |         | salary
        L1   | 2024-02-29 |    100 |         | salary
        L1   | 2024-03-31 |     60 |         | salary
        L1   | 2024-03-01 |     60 |         | salary
        L1   | 2024-04-01 |    100 |         | salary
        L1   | 2024-05-31 |    100 |         | salary
        L1   | 2024-06-01 |    100 |         | salary
        L2   | 2024-04-30 |    100 |         | salary
        L2   | 2024-06-30 |    100 |         | salary
        L3   | 2024-05-15 |     30 |         | cash
        L3   | 2024-06-15 |     90 |         | cash
        L4   | 2024-06-15 |     90 |         | cash
        L5   | 2023-12-31 |     90 |         | cash
    """)
    assert values(history, income_steadiness, 6) == {"L1": 80 / 120, "L2": 0.0, "L3": 30 / 90, "L4": None, "L5": None}


def test_the_largest_payment_out_is_compared_with_the_mean_balance():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+-------
        L1   | 2024-02-01 |   -300 |         | cash
        L1   | 2024-02-02 |   -100 |     700 | cash
        L1   | 2024-02-03 |   -200 |     500 | card
        L2   | 2024-02-03 |    200 |     500 | salary
        L3   | 2024-02-03 |   -600 |     100 | card
        L4   | 2024-02-03 |   -600 |       0 | card
        L5   | 2024-02-03 |   -600 |         | card
    """)
    told = {"L1": 0.5, "L2": 0.0, "L3": 5.0, "L4": None, "L5": None}
    assert values(history, largest_out_to_balance, 6) == told


def test_a_month_has_a_regular_income_when_a_salary_or_pension_came_in():
    # A salary that was taken back is none, and a month ends on the observation date's day of the month.
    history = accounts(
        """
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+---------
        L1   | 2024-02-14 |      1 |         | cash
        L1   | 2024-04-14 |    100 |         | salary
        L1   | 2024-04-15 |    100 |         | pension
        L1   | 2024-04-16 |    100 |         | salary
        L1   | 2024-05-15 |   -100 |         | salary
        L1   | 2024-06-14 |    100 |         | transfer
        L2   | 2023-06-14 |    100 |         | salary
        """,
        observed_on="2024-06-14",
    )
    assert values(history, regular_income_months_share, 6) == {"L1": 2 / 5, "L2": None}


def test_a_day_below_zero_counts_once_and_only_where_a_balance_is_known():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+-------
        L1   | 2023-06-30 |    -90 |     -80 | card
        L1   | 2023-07-01 |    -90 |     -80 | card
        L1   | 2024-05-01 |    -90 |     -80 | card
        L1   | 2024-05-01 |    -90 |    -170 | card
        L1   | 2024-05-02 |    170 |       0 | salary
        L2   | 2024-05-02 |    170 |       0 | salary
        L3   | 2024-05-02 |    170 |         | salary
    """)
    assert values(history, days_below_zero_count, 12) == {"L1": 2.0, "L2": 0.0, "L3": None}


def test_penalty_interest_that_was_given_back_is_no_second_charge():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+------------------
        L1   | 2024-05-01 |     -3 |     -80 | sanction_interest
        L1   | 2024-05-02 |      3 |     -77 | sanction_interest
        L2   | 2024-05-02 |     -3 |      77 | interest
        L3   | 2023-05-02 |     -3 |     -77 | sanction_interest
    """)
    assert values(history, sanction_interest_count, 12) == {"L1": 1.0, "L2": 0.0, "L3": None}


def test_household_bills_that_came_back_are_taken_off():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+----------
        L1   | 2024-04-01 |    400 |         | salary
        L1   | 2024-04-02 |   -150 |         | household
        L1   | 2024-04-03 |    100 |         | household
        L2   | 2024-04-01 |    400 |         | salary
        L3   | 2024-04-03 |    100 |         | household
        L4   | 2024-04-01 |    100 |         | cash
        L4   | 2024-04-03 |   -110 |         | household
    """)
    assert values(history, household_to_income, 3) == {"L1": 50 / 500, "L2": 0.0, "L3": 0.0, "L4": 1.0}


def test_a_month_with_bills_is_one_in_which_money_went_out_for_them():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+----------
        L1   | 2024-03-31 |    -20 |         | household
        L1   | 2024-04-30 |    -20 |         | transfer
        L1   | 2024-04-30 |    -20 |         | insurance
        L1   | 2024-05-31 |    900 |         | insurance
        L1   | 2024-06-30 |    -20 |         | cash
        L2   | 2023-12-31 |    -20 |         | household
    """)
    assert values(history, bill_months_share, 6) == {"L1": 2 / 4, "L2": None}


def test_an_account_is_as_old_as_its_oldest_movement():
    history = accounts("""
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+-----
        L1   | 2024-06-01 |     10 |         | cash
        L2   | 2024-05-31 |     10 |         | cash
        L3   | 2014-06-30 |     10 |         | cash
        L3   | 2024-06-30 |     10 |         | cash
    """)
    assert values(history, account_months) == {"L1": 1.0, "L2": 2.0, "L3": 121.0}


def test_where_no_movement_is_known_every_feature_is_missing():
    history = accounts(
        """
        loan | on         | amount | balance | kind
        L1   | 2024-06-01 |     10 |       5 | cash
        L2   | 2024-07-01 |     10 |       5 | cash
        """,
        "L3",
    )
    frame = CATALOG.values(history).frame()
    for loan in ("L2", "L3"):
        told = frame.filter(loan_id=loan).select(CATALOG.names)
        assert set(told.row(0)) == {None}


def test_the_order_of_a_days_movements_changes_nothing():
    drawn = """
        loan | on         | amount | balance | kind
        -----+------------+--------+---------+------------------
        L1   | 2024-03-03 |    900 |     910 | salary
        L1   | 2024-03-03 |   -700 |     210 | household
        L1   | 2024-03-03 |   -400 |    -190 | transfer
        L1   | 2024-06-05 |     -7 |    -197 | sanction_interest
        L1   | 2024-06-05 |    300 |     103 | cash
        L1   | 2024-06-05 |    -90 |      13 | household
    """
    as_drawn, turned = accounts(drawn), accounts(drawn, turned=True)
    assert CATALOG.values(as_drawn).frame().equals(CATALOG.values(turned).frame())
