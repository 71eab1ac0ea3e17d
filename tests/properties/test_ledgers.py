"""The ledgers are what their definitions say, to the unit and to the day: worked out again on generated books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_books import NAMES, allocations, books, cohorts, observation_days, zones
from slow_history import Row, Told, is_money, is_own, plain, told

from features.delinquency import Allocation
from features.history import CASE, History
from features.promises import judged
from features.tables import Tables
from features.views import Promises

SIMILAR = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Both = tuple[History, list[Told]]


@st.composite
def both(draw: st.DrawFn, *only: str) -> Both:
    """Draw a history of several loans, each on its own day, and what was known of each, slowly."""
    book, zone, allocation = draw(books(only=("loans", "payments", *only))), draw(zones), draw(allocations)
    cohort, rows = draw(cohorts(book, zone=zone)), plain(book)
    slow = [told(rows, loan, day, zone=zone, allocation=allocation) for loan, day in cohort.iter_rows()]
    return History.as_of(cohort, book, zone=zone, allocation=allocation), slow


schedules = both("instalments")


def rows_of(frame: pl.DataFrame, case: int) -> list[Row]:
    """Return a case's rows, in the frame's order."""
    return frame.filter(pl.col(CASE) == case).drop(CASE).rows(named=True)


def columns(rows: Iterable[Any]) -> list[Row]:
    return [row.columns() for row in rows]


@SIMILAR
@given(schedules)
def test_every_column_of_the_delinquency_ledger_is_worked_out_again(found: Both):
    history, slow = found
    for case, loan in enumerate(slow):
        if loan.ledger is None:
            assert history.delinquency is None
            continue
        assert history.delinquency is not None
        assert history.instalments is not None
        assert rows_of(history.delinquency.instalments, case) == columns(loan.ledger)
        assert rows_of(history.instalments, case) == columns(loan.instalments or [])


@SIMILAR
@given(schedules)
def test_days_past_due_on_every_month_end_are_worked_out_again(found: Both):
    history, slow = found
    for case, loan in enumerate(slow):
        if loan.month_ends is not None:
            assert history.delinquency is not None
            assert rows_of(history.delinquency.month_ends, case) == columns(loan.month_ends)


@SIMILAR
@given(schedules)
def test_spells_are_found_again_by_walking_from_day_to_day(found: Both):
    history, slow = found
    for case, loan in enumerate(slow):
        if loan.spells is None:
            assert history.spells is None
            continue
        assert history.spells is not None
        assert rows_of(history.spells, case) == columns(loan.spells)


@SIMILAR
@given(both("promises"))
def test_promises_are_judged_again_by_hand(found: Both):
    history, slow = found
    known = history.known
    for case, loan in enumerate(slow):
        if loan.promises is None:
            assert known.promises is None or known.payments is None
            continue
        assert known.promises is not None
        assert known.payments is not None
        rows = rows_of(judged(known.promises.lazy(), known.payments.lazy()).collect(), case)
        assert [{name: row[name] for name in row if name != "observed_on"} for row in rows] == loan.promises


@SIMILAR
@given(both("statements"))
def test_every_column_of_the_statement_ledger_is_worked_out_again(found: Both):
    history, slow = found
    for case, loan in enumerate(slow):
        if loan.statements is None:
            assert history.statements is None
            continue
        assert history.statements is not None
        assert rows_of(history.statements, case) == columns(loan.statements)


def schedules_of(history: History) -> Iterator[tuple[int, list[Row]]]:
    """Yield each case with the ledger's rows of each of its schedules."""
    if history.delinquency is None or history.known.payments is None:
        return
    for (case, _), rows in history.delinquency.instalments.group_by(CASE, "schedule", maintain_order=True):
        yield int(str(case)), rows.rows(named=True)


@SIMILAR
@given(schedules)
def test_no_money_is_made_and_none_is_lost(found: Both):
    history, slow = found
    for case, rows in schedules_of(history):
        payments = slow[case].of("payments") or []
        received = sum(payment["amount"] for payment in payments if is_money(payment))
        own = sum(payment["amount"] for payment in payments if is_own(payment))
        assert sum(row["paid"] for row in rows) == min(received, sum(row["amount"] for row in rows))
        assert sum(row["own_paid"] for row in rows) <= own
        for row in rows:
            assert 0 <= row["own_paid"] <= row["paid"] <= row["amount"]
            assert (row["settled_on"] is not None) == (row["unpaid"] == 0)


@SIMILAR
@given(schedules)
def test_an_instalment_is_settled_no_sooner_than_one_that_fell_due_before_it(found: Both):
    history, _ = found
    for _, rows in schedules_of(history):
        if not history.allocation.across_instalments:
            first_first = rows
        elif history.allocation.order[-1] == "principal":
            # Across instalments costs are paid first: what has no principal can be settled before an older one.
            first_first = [row for row in rows if row["principal"]]
        else:
            continue
        settled = [row["settled_on"] or date.max for row in first_first]
        assert all(sooner <= later for sooner, later in pairwise(settled))


@SIMILAR
@given(books(only=("loans", "payments", "instalments")), observation_days, allocations)
def test_paying_more_leaves_no_loan_longer_overdue(book: Tables, day: date, allocation: Allocation):
    if book.instalments is None or book.payments is None or "payments" in book.restated:
        return
    again = book.payments.with_columns(payment_id=pl.col("payment_id") + "-again", amount=pl.lit(50, pl.Int64))
    more = Tables(loans=book.loans, instalments=book.instalments, payments=pl.concat([book.payments, again]))
    before, after = (History.as_of(day, tables, allocation=allocation).delinquency for tables in (book, more))
    assert before is not None
    assert after is not None
    worse = after.month_ends.get_column("days_past_due") > before.month_ends.get_column("days_past_due")
    assert not worse.any()


def test_the_generated_books_hold_every_table_and_everything_that_goes_wrong():
    seen: set[str] = set()

    @settings(max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(books(), observation_days)
    def look(book: Tables, day: date) -> None:
        seen.update(f"table {name}" for name, frame in book.items() if frame.height)
        seen.update(f"restated {name}" for name in book.restated)
        seen.update("a table left out" for name in NAMES if name not in dict(book.items()))
        seen.update("a table without a row" for _, frame in book.items() if not frame.height)
        history = History.as_of(day, book)
        for _, rows in schedules_of(history):
            for row in rows:
                seen.add(f"schedule {row['schedule']}")
                seen.add("part paid" if 0 < row["paid"] < row["amount"] else "paid whole" if row["paid"] else "unpaid")
                seen.add("paid early" if row["days_late"] is not None and row["days_late"] < 0 else "")
                seen.add("paid by others" if row["paid"] > row["own_paid"] else "own money")
        for spell in [] if history.spells is None else history.spells.rows(named=True):
            seen.add("cured" if spell["cured"] else "ended" if spell["ended_on"] else "lasting")
            seen.add("spell of several" if spell["count"] > 1 else "")
        promises = Promises.rows(history)
        seen.update("kept" if kept else "broken" for kept in ([] if promises is None else promises.get_column("kept")))

    look()
    wanted = {f"{kind} {name}" for name in NAMES for kind in ("table", "restated")}
    wanted |= {"a table left out", "a table without a row"}
    wanted |= {"schedule 0", "schedule 1", "schedule 2", "part paid", "paid whole", "unpaid", "paid early"}
    wanted |= {"paid by others", "own money", "cured", "ended", "lasting", "spell of several", "kept", "broken"}
    assert sorted(wanted - seen) == []
