"""The five categories follow the days past due at their very edges, by product and by date, from the policy alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from made_books import drawn

from features.errors import ConfigurationRefused
from features.portfolios import Portfolio
from features.tables import Tables
from training.early_warning.book_state import LEFT, UNKNOWN, WRITTEN_OFF, book_state
from training.early_warning.categories import Category, CategoryPolicy, in_force, read_category_policy
from training.early_warning.policy_file import shipped

DAY = date(2025, 6, 30)


@pytest.fixture(scope="module")
def policy() -> CategoryPolicy:
    return read_category_policy(None)


def category(policy: CategoryPolicy, product: str, days: int) -> str:
    (told,) = policy.of(np.array([product]), np.array([days]), DAY)
    return Category(int(told)).key


# Order 2023 No. 1: any overdue at least special mention, more than 90, 270 and 360 days.
@pytest.mark.parametrize(
    ("days", "named"),
    [
        (0, "normal"),
        (1, "special_mention"),
        (90, "special_mention"),
        (91, "substandard"),
        (270, "substandard"),
        (271, "doubtful"),
        (360, "doubtful"),
        (361, "loss"),
        (3_000, "loss"),
    ],
)
def test_an_instalment_loan_is_in_the_category_of_its_days(policy, days, named):
    assert category(policy, "instalment", days) == named


# Credit card measures, article 92: 1 to 90, 91 to 120, 121 to 180, more than 180 days.
@pytest.mark.parametrize(
    ("days", "named"),
    [
        (0, "normal"),
        (1, "special_mention"),
        (90, "special_mention"),
        (91, "substandard"),
        (120, "substandard"),
        (121, "doubtful"),
        (180, "doubtful"),
        (181, "loss"),
    ],
)
def test_a_card_is_in_the_category_of_its_days(policy, days, named):
    assert category(policy, "revolving", days) == named


def test_a_rule_counts_from_its_date_and_the_latest_one_wins(policy):
    (old,) = (rule for rule in policy.rules if rule.product == "revolving")
    new = type(old)(
        **{
            **{name: getattr(old, name) for name in old.__struct_fields__},
            "valid_from": date(2030, 1, 1),
            "loss_from_days": 361,
        }
    )
    both = replace(policy, rules=(*policy.rules, new))
    assert both.rule("revolving", date(2029, 12, 31)) is old
    assert both.rule("revolving", date(2030, 1, 1)) is new
    assert both.rule("revolving", date(2000, 1, 1)) is old
    assert not in_force(old, [date(2000, 1, 1), DAY])
    assert in_force(old, [DAY])


def book_of(tables: Tables) -> Portfolio:
    return Portfolio("drawn", tables, DAY, "UTC", None, None, "drawn by hand")


@pytest.mark.parametrize(
    ("late", "named"), [(0, "normal"), (1, "special_mention"), (90, "special_mention"), (91, "substandard")]
)
def test_the_days_of_a_loan_are_those_of_its_oldest_unpaid_instalment(policy, late, named):
    due = DAY - timedelta(days=late)
    tables = drawn(
        instalments=f"""
        schedule | number | due_on     | principal
        ---------+--------+------------+----------
        0        | 1      | 2024-01-31 | 100
        0        | 2      | {due} | 100
        0        | 3      | 2026-01-31 | 100
        """,
        payments="""
        paid_on    | amount
        -----------+-------
        2024-01-31 | 100
        """,
    )
    (row,) = book_state(book_of(tables), policy, DAY).rows.to_dicts()
    assert (row["days_past_due"], row["state"], row["owed_minor"]) == (late, named, 200)


def test_loans_that_left_are_no_category_and_hold_no_money(policy):
    tables = drawn(
        instalments="""
        loan_id | schedule | number | due_on     | principal
        --------+----------+--------+------------+----------
        paid    | 0        | 1      | 2024-01-31 | 100
        lost    | 0        | 1      | 2024-01-31 | 100
        sold    | 0        | 1      | 2024-01-31 | 100
        runs    | 0        | 1      | 2024-01-31 | 100
        """,
        payments="""
        loan_id | paid_on    | amount
        --------+------------+-------
        paid    | 2024-03-31 | 100
        """,
        events="""
        loan_id | kind        | happened_on
        --------+-------------+------------
        lost    | written_off | 2025-01-31
        sold    | sold        | 2025-01-31
        """,
    )
    rows = {row["loan_id"]: row for row in book_state(book_of(tables), policy, DAY).rows.to_dicts()}
    assert {loan: row["state"] for loan, row in rows.items()} == {
        "paid": LEFT,
        "lost": WRITTEN_OFF,
        "sold": LEFT,
        "runs": "loss",
    }
    assert {loan: row["owed_minor"] for loan, row in rows.items()} == {"paid": 0, "lost": 0, "sold": 0, "runs": 100}


def test_without_payments_nobody_knows_and_the_loan_is_counted_as_unknown(policy):
    tables = drawn(
        instalments="""
        schedule | number | due_on     | principal
        ---------+--------+------------+----------
        0        | 1      | 2024-01-31 | 100
        """
    )
    state = book_state(book_of(tables), policy, DAY)
    assert state.rows.get_column("state").to_list() == [UNKNOWN]
    assert state.unknown == 1


@pytest.mark.parametrize(("days_ago", "named"), [(0, "special_mention"), (364, "special_mention"), (365, "normal")])
def test_a_restructured_loan_is_at_least_special_mention_while_it_is_observed(policy, days_ago, named):
    event = DAY - timedelta(days=days_ago)
    tables = drawn(
        instalments="""
        schedule | number | due_on     | principal
        ---------+--------+------------+----------
        0        | 1      | 2026-01-31 | 100
        """,
        payments="""
        paid_on    | amount
        -----------+-------
        2024-03-31 | 10
        """,
        events=f"""
        kind         | happened_on
        -------------+------------
        restructured | {event}
        """,
    )
    assert book_state(book_of(tables), policy, DAY).rows.get_column("state").to_list() == [named]


def test_what_was_recorded_after_the_day_does_not_count(policy):
    tables = drawn(
        instalments="""
        schedule | number | due_on     | principal
        ---------+--------+------------+----------
        0        | 1      | 2025-01-31 | 100
        """,
        payments="""
        paid_on    | amount
        -----------+-------
        2025-03-31 | 1
        """,
    )
    before = book_state(book_of(tables), policy, DAY).rows
    late = tables.payments.with_columns(
        payment_id=pl.lit("late"),
        amount=pl.lit(99, pl.Int64),
        recorded_at=pl.lit(datetime(2025, 7, 1, 12, tzinfo=UTC)).dt.cast_time_unit("us"),
    )
    later = Tables(**{**dict(tables.items()), "payments": pl.concat([tables.payments, late])})
    assert book_state(book_of(later), policy, DAY).rows.equals(before)


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        (
            "substandard_from_days = 91\ndoubtful_from_days = 271",
            "substandard_from_days = 271\ndoubtful_from_days = 91",
            "begin with 1 or more and rise",
        ),
        ("special_mention_from_days = 1\n", "special_mention_from_days = 0\n", "begin with 1 or more and rise"),
        ('status = "reported"', 'status = "sure"', "status 'sure' is none of"),
        ('product = "revolving"', 'product = "card"', "product 'card' is none of"),
        ('at_least = "special_mention"', 'at_least = "bad"', "'bad' is no category"),
        ("days = 30", "days = 0", "days must be at least 1"),
        ("quiet_days = 7", "quiet_days = -1", "quiet_days must be at least 0"),
    ],
)
def test_a_policy_with_a_fault_is_refused_by_the_fault(tmp_path, written, instead, fault):
    text = shipped("categories.toml").decode()
    assert written in text
    path = tmp_path / "categories.toml"
    path.write_text(text.replace(written, instead))
    with pytest.raises(ConfigurationRefused, match=fault):
        read_category_policy(path)
