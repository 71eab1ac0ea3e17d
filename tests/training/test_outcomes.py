"""What became of a loan, drawn as small tables: bad, good, neither, or not to be said yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from made_books import drawn

from features.delinquency import Allocation
from features.errors import DataRefused
from features.history import History
from features.portfolios import Portfolio
from models.cards import Card, card_named
from training.outcomes import outcomes, with_ended_windows

DAY = date(2024, 3, 31)
SCHEDULE = """
    loan_id | schedule | number | due_on     | principal | interest | costs | recorded_at
    --------+----------+--------+------------+-----------+----------+-------+------------
    L1      | 0        | 1      | 2024-02-29 | 100       | 0        | 0     | 2024-01-01
    L1      | 0        | 2      | 2024-03-31 | 100       | 0        | 0     | 2024-01-01
    L1      | 0        | 3      | 2024-04-30 | 100       | 0        | 0     | 2024-01-01
    L1      | 0        | 4      | 2024-05-31 | 100       | 0        | 0     | 2024-01-01
"""
LATE_NOTE = "L9 | 2030-01-01"


def told(card: Card, payments: str, events: str = "", schedule: str = SCHEDULE) -> bool | None:
    """The outcome of L1 on 31 March: payments `on | amount | payer`, events `kind | on`, the book's records run on."""
    rows = [line.split("|") for line in payments.strip().splitlines() if line.strip()]
    paid = "\n".join(
        f"P{place} | L1 | {on.strip()} | {amount.strip()} | {payer.strip()} | {on.strip()}"
        for place, (on, amount, payer) in enumerate(rows)
    )
    happened = "\n".join(
        f"E{place} | L1 | {kind.strip()} | {on.strip()} | {on.strip()}"
        for place, (kind, on) in enumerate(line.split("|") for line in events.strip().splitlines() if line.strip())
    )
    book = drawn(
        instalments=schedule,
        payments=f"payment_id | loan_id | paid_on | amount | payer | recorded_at\n{paid}\n"
        "LAST | L1 | 2026-01-01 | 1 | write_off | 2026-01-01",
        **({"events": f"event_id | loan_id | kind | happened_on | recorded_at\n{happened}"} if happened else {}),
    )
    portfolio = Portfolio("drawn", book, DAY, "UTC", None, None, "drawn")
    history = History.as_of(pl.DataFrame({"loan_id": ["L1"], "observed_on": [DAY]}), book)
    return outcomes(portfolio, card, history).bad[0]


COLLECTION = replace(card_named("collection"), window_days=30)
BEHAVIOUR = replace(card_named("behaviour"), window_days=180, bad_days_past_due=90)


@pytest.mark.parametrize(
    ("payments", "bad"),
    [
        ("", True),
        ("2024-04-10 | 100 | borrower", True),  # one of two instalments: something, not all
        ("2024-04-10 | 200 | borrower", False),
        ("2024-05-01 | 200 | borrower", True),  # after the window
        ("2024-04-30 | 200 | borrower", False),  # on its last day; the instalment due that day is not overdue yet
        ("2024-04-10 | 200 | guarantor", None),  # cleared, and not by the borrower
        ("2024-04-10 | 200 | offset", None),
        ("2024-04-10 | 200 | write_off", True),  # no money came
    ],
)
def test_arrears_are_cleared_by_the_borrowers_own_money_within_the_window_or_not(payments, bad):
    assert told(COLLECTION, payments) is bad


@pytest.mark.parametrize(
    ("payments", "bad"),
    [
        ("", True),
        ("2024-04-02 | 400 | borrower", None),  # 32 days past due on 1 April: neither good nor bad
        ("2024-03-30 | 100 | borrower\n2024-04-29 | 300 | borrower", False),  # 29 days late at most
        ("2024-03-30 | 100 | borrower\n2024-06-28 | 300 | borrower", None),  # 89 days
        ("2024-03-30 | 100 | borrower\n2024-07-01 | 300 | borrower", True),  # 91 days
    ],
)
def test_days_past_due_within_the_window_decide(payments, bad):
    assert told(BEHAVIOUR, payments) is bad


@pytest.mark.parametrize(
    ("events", "bad"),
    [
        ("written_off | 2024-05-10", True),
        ("sold | 2024-05-10", None),
        ("death | 2024-05-10", None),
        ("dispute | 2024-05-10", False),
        ("sold | 2024-03-10", False),  # before the observation date: no card's loan, but no new event
    ],
)
def test_events_in_the_window_decide_what_days_do_not(events, bad):
    assert told(BEHAVIOUR, "2024-03-30 | 100 | borrower\n2024-04-20 | 300 | borrower", events) is bad


def test_a_window_that_has_not_ended_is_refused_with_the_last_day_that_could_be_observed():
    book = drawn(
        instalments=SCHEDULE,
        payments="payment_id | loan_id | paid_on | amount | payer | recorded_at\n"
        "P1 | L1 | 2024-04-20 | 1 | borrower | 2024-04-20",
    )
    portfolio = Portfolio("drawn", book, DAY, "UTC", None, None, "drawn")
    with pytest.raises(DataRefused, match=r"after the book's last record of 2024-04-20.*up to 2024-03-21"):
        outcomes(portfolio, COLLECTION, History.as_of(DAY, book))


def test_dates_whose_window_has_not_ended_for_a_card_are_left_out_and_told():
    days = [date(2024, 3, 31), date(2024, 5, 31)]
    book = drawn(
        instalments=SCHEDULE,
        payments="payment_id | loan_id | paid_on | amount | payer | recorded_at\n"
        "P1 | L1 | 2024-07-15 | 1 | borrower | 2024-07-15",
    )
    portfolio = Portfolio("drawn", book, None, "UTC", None, None, "drawn", observed_dates=tuple(days))
    history = portfolio.history()
    short, long = replace(COLLECTION, window_days=30), replace(COLLECTION, window_days=90)
    assert with_ended_windows(portfolio, short, history).left_out == ""
    told = with_ended_windows(portfolio, long, history)
    assert told.members.cases.get_column("observed_on").to_list() == days[:1]
    assert told.left_out == (
        "1 case of the collection card, observed on 2024-05-31, left out: the performance window of 90 days had not "
        "ended by the book's last record, of 2024-07-15"
    )
    never = replace(COLLECTION, window_days=300)
    assert len(with_ended_windows(portfolio, never, history).members.cases) == 2
    with pytest.raises(DataRefused, match="after the book's last record"):
        outcomes(portfolio, never, history)


def test_a_loan_is_scored_on_the_latest_of_several_dates_or_on_the_day_asked_for():
    book = drawn(instalments=SCHEDULE)
    days = (date(2024, 5, 31), date(2024, 3, 31))
    portfolio = Portfolio("drawn", book, None, "UTC", None, None, "drawn", observed_dates=days)
    assert portfolio.to_score().cases.get_column("observed_on").to_list() == [days[0]]
    assert portfolio.to_score(date(2024, 4, 30)).cases.get_column("observed_on").to_list() == [date(2024, 4, 30)]
    assert len(portfolio.history().cases) == 2


@pytest.mark.parametrize(
    ("payments", "bad"),
    [
        ("2024-04-20 | 200 | borrower", True),  # the instalment of 15 April is left
        ("2024-04-20 | 300 | borrower", False),
        ("2024-04-14 | 200 | borrower", False),  # nothing was overdue on the 14th; what fell due later plays no part
        ("2024-04-14 | 100 | borrower\n2024-04-20 | 100 | borrower", True),
    ],
)
def test_instalments_that_fell_due_meanwhile_must_be_met_too(payments, bad):
    assert told(COLLECTION, payments, schedule=SCHEDULE.replace("2024-04-30", "2024-04-15")) is bad


@pytest.mark.parametrize(("across", "days"), [(True, 60), (False, 29)])
def test_what_a_payment_settles_decides_since_when_a_loan_is_overdue(across, days):
    schedule = SCHEDULE.replace("| 100       | 0 ", "| 80        | 20")
    book = drawn(
        instalments=schedule,
        payments="payment_id | loan_id | paid_on | amount | payer | recorded_at\n"
        "P1 | L1 | 2024-04-01 | 100 | borrower | 2024-04-01",
    )
    history = History.as_of(date(2024, 4, 29), book, allocation=Allocation(across_instalments=across))
    oldest = history.instalments.filter("overdue").get_column("due_on").min()
    assert (date(2024, 4, 29) - oldest).days == days
