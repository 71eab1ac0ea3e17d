"""Which promises to pay were kept: judged by the borrower's own money, and not before the days of grace are over."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from made_books import drawn
from slow_history import written
from spec_tables import table

from features.history import History
from features.tables import Tables
from features.views import Promises

PROMISE = """
    promised_on | due_on     | amount
    ------------+------------+-------
    2024-02-10  | 2024-02-20 | 100
"""


def told(tables: Tables, day: str) -> pl.DataFrame:
    rows = Promises.rows(History.as_of(date.fromisoformat(day), tables))
    assert rows is not None
    return rows


def kept(tables: Tables, day: str = "2024-02-29") -> list[bool]:
    return told(tables, day).get_column("kept").to_list()


def shown(tables: Tables, day: str, expected: str) -> None:
    wanted = table(expected)
    assert written(told(tables, day).select(list(wanted[0])).rows(named=True)) == wanted


@pytest.mark.parametrize(
    ("paid_on", "is_kept"),
    [
        ("2024-02-09", False),  # the day before it was promised
        ("2024-02-10", True),
        ("2024-02-20", True),
        ("2024-02-23", True),  # the last day of grace
        ("2024-02-24", False),
    ],
)
def test_the_money_counts_from_the_day_of_the_promise_to_the_last_day_of_grace(paid_on: str, is_kept: bool):
    assert kept(drawn(promises=PROMISE, payments=f"paid_on | amount\n {paid_on} | 100")) == [is_kept]


@pytest.mark.parametrize(("amount", "is_kept"), [(94, False), (95, True), (100, True), (1_000, True)])
def test_95_in_100_of_the_amount_keep_a_promise(amount: int, is_kept: bool):
    assert kept(drawn(promises=PROMISE, payments=f"paid_on | amount\n 2024-02-20 | {amount}")) == [is_kept]


def test_several_payments_keep_a_promise_together():
    payments = "paid_on | amount\n 2024-02-10 | 30\n 2024-02-21 | 30\n 2024-02-21 | 40"
    assert kept(drawn(promises=PROMISE, payments=payments)) == [True]


@pytest.mark.parametrize("payer", ["guarantor", "third_party", "insurer", "offset", "write_off"])
def test_what_others_paid_and_what_was_written_off_keep_no_promise(payer: str):
    assert kept(drawn(promises=PROMISE, payments=f"paid_on | amount | payer\n 2024-02-20 | 100 | {payer}")) == [False]


def test_a_promise_is_judged_on_the_last_day_of_grace_and_not_before():
    book = drawn(promises=PROMISE, payments="paid_on | amount\n 2024-02-15 | 100")
    assert kept(book, "2024-02-22") == []
    assert kept(book, "2024-02-23") == [True]


def test_a_promise_that_nothing_answered_is_broken():
    assert kept(drawn(promises=PROMISE, payments="paid_on | amount")) == [False]


def test_two_promises_of_the_same_money_are_both_kept_by_it():
    book = drawn(
        promises="""
            promise_id | promised_on | due_on     | amount
            A          | 2024-02-10  | 2024-02-20 | 100
            B          | 2024-02-15  | 2024-02-18 | 100
        """,
        payments="paid_on | amount\n 2024-02-16 | 100",
    )
    shown(book, "2024-02-29", "promise_id | due_on | kept\n B | 2024-02-18 | yes\n A | 2024-02-20 | yes")


def test_a_payment_to_another_loan_keeps_no_promise():
    book = drawn(
        promises="loan_id | promised_on | due_on | amount\n L1 | 2024-02-10 | 2024-02-20 | 100",
        payments="loan_id | paid_on | amount\n L2 | 2024-02-20 | 100",
    )
    assert kept(book) == [False]


def test_a_payment_booked_late_keeps_the_promise_from_its_booking_on():
    book = drawn(promises=PROMISE, payments="paid_on | amount | recorded_at\n 2024-02-20 | 100 | 2024-02-28")
    assert kept(book, "2024-02-27") == [False]
    assert kept(book, "2024-02-28") == [True]


def test_a_payment_that_is_reversed_breaks_the_promise_it_had_kept():
    book = drawn(
        promises=PROMISE,
        payments="""
            payment_id | paid_on    | amount | recorded_at
            P1         | 2024-02-20 | 100    | 2024-02-20
            P1         | 2024-02-20 | 0      | 2024-02-26
        """,
    )
    assert kept(book, "2024-02-25") == [True]
    assert kept(book, "2024-02-26") == [False]


def test_a_promise_entered_after_the_observation_date_does_not_exist():
    book = drawn(
        promises="promised_on | due_on | amount | recorded_at\n 2024-02-10 | 2024-02-12 | 100 | 2024-03-01",
        payments="paid_on | amount",
    )
    assert kept(book, "2024-02-29") == []
    assert kept(book, "2024-03-01") == [False]


def test_windows_go_by_the_day_the_money_was_promised_for():
    book = drawn(
        promises="promised_on | due_on | amount\n 2024-01-05 | 2024-01-31 | 1\n 2024-01-05 | 2024-02-01 | 1",
        payments="paid_on | amount",
    )
    expected = "due_on | within_1m | within_3m\n 2024-01-31 | no | yes\n 2024-02-01 | yes | yes"
    shown(book, "2024-02-29", expected)


def test_without_promises_or_without_payments_nothing_can_be_said():
    for book in (drawn(promises=PROMISE), drawn(payments="paid_on | amount\n 2024-02-20 | 100")):
        assert Promises.rows(History.as_of(date(2024, 2, 29), book)) is None
