"""What was due, what was paid and how late: the revolving account's ledger, drawn by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from spec_tables import CENTS, book, on, table

from features.history import History

STATEMENTS = """
    loan | on         | balance | state
    -----+------------+---------+------
    L1   | 2023-11-30 | 100     | p
    L1   | 2023-12-31 | 180     | p
    L1   | 2024-01-31 | 200     | 1
    L1   | 2024-02-29 | -20     | f
"""


def ledger(payments: str = "", day: str = "2024-02-29") -> list[dict[str, object]]:
    rows = History.as_of(on(day, "L1"), book(STATEMENTS, payments)).statements
    assert rows is not None
    return rows.to_dicts()


def test_a_payment_answers_the_statement_before_the_one_it_arrives_for():
    rows = ledger("""
        loan | on         | amount
        L1   | 2023-12-01 | 30
        L1   | 2023-12-31 | 10
        L1   | 2024-01-01 | 25
        L1   | 2024-02-20 | 300
    """)
    expected = table("""
        due | paid | shortfall | spent
        180 | 0    | x         | x
        100 | 40   | 60        | 120
        180 | 25   | 155       | 45
        200 | 300  | 0         | 80
    """)
    for row, drawn in list(zip(rows, expected, strict=True))[1:]:
        assert {name: row[name] for name in drawn} == {name: int(cell) * CENTS for name, cell in drawn.items()}


def test_on_the_first_statement_nothing_is_known_to_have_been_due():
    first = ledger("loan | on | amount\n L1 | 2023-11-05 | 7")[0]
    assert first["due"] is None
    assert first["paid"] == 7 * CENTS


def test_what_was_paid_long_before_the_first_statement_is_not_counted():
    first = ledger("loan | on | amount\n L1 | 2023-10-31 | 7")[0]
    assert first["paid"] == 0


def test_what_is_paid_after_the_last_statement_belongs_to_none_yet():
    rows = ledger("loan | on | amount\n L1 | 2024-03-05 | 7", day="2024-03-10")
    assert [row["paid"] for row in rows] == [0, 0, 0, 0]


def test_without_a_payments_table_what_was_paid_is_unknown_not_zero():
    rows = ledger()
    assert {row["paid"] for row in rows} == {None}
    assert {row["shortfall"] for row in rows} == {None}


def test_a_balance_in_the_customers_favour_is_nothing_owed():
    assert ledger()[-1]["owed"] == 0


def test_a_window_of_three_months_ending_on_29_february_begins_on_1_december():
    inside = [row["statement_on"].isoformat() for row in ledger() if row["within_3m"]]  # type: ignore[attr-defined]
    assert inside == ["2023-12-31", "2024-01-31", "2024-02-29"]


@pytest.mark.parametrize(
    ("observed", "months", "first"),
    [
        ("2023-03-28", 1, "2023-03-01"),  # billing day 28: February's statement is a month old
        ("2023-05-30", 1, "2023-05-01"),
        ("2023-05-31", 1, "2023-05-01"),
        ("2023-02-28", 1, "2023-02-01"),
        ("2024-02-28", 3, "2023-11-29"),
        ("2024-02-29", 6, "2023-09-01"),
        ("2023-10-15", 3, "2023-07-16"),
    ],
)
def test_a_window_begins_the_day_after_the_same_day_so_many_months_before(observed: str, months: int, first: str):
    day_before = str(date.fromisoformat(first) - timedelta(days=1))
    tables = book(f"loan|on|balance|state\n L1|{day_before}|1|p\n L1|{first}|2|p")
    rows = History.as_of(on(observed, "L1"), tables).statements
    assert rows is not None
    assert rows.get_column(f"within_{months}m").to_list() == [False, True]
