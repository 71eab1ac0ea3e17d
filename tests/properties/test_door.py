"""`History.as_of` is the only door: what it lets through is what its definition says, and nothing else changes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from made_books import NAMES, books, cohorts, observation_days, shuffled, zones
from slow_history import TABLES, Row, end_of, plain, told

from features import views
from features.errors import TablesRefused
from features.history import CASE, History
from features.schemas import SCORED
from features.tables import Tables
from features.views import View

SIMILAR = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VIEWS = [
    found
    for found in vars(views).values()
    if isinstance(found, type) and issubclass(found, View) and found.rows.__func__ is not View.rows.__func__
]
Everything = dict[str, Any]


def frames_of(history: History) -> Iterator[tuple[str, pl.DataFrame | None]]:
    """Yield all that can be seen of a history: the known tables, the ledgers, and the rows of every view."""
    yield from history.known.items()
    ledger = history.delinquency
    yield "ledger", None if ledger is None else ledger.instalments
    yield "month ends", None if ledger is None else ledger.month_ends
    yield "spells", history.spells
    yield "statement ledger", history.statements
    for view in VIEWS:
        if view is not views.Complete:
            yield view.__name__, view.rows(history)


def everything(history: History) -> list[Everything]:
    """Return, for each case in order, its rows in every frame, with the types of their columns."""
    seen: list[Everything] = [{} for _ in range(history.cases.height)]
    places = {case: place for place, case in enumerate(history.cases.get_column(CASE))}
    for name, frame in frames_of(history):
        types = None if frame is None else {column: kind for column, kind in frame.schema.items() if column != CASE}
        for case in seen:
            case[name] = types, []
        if frame is None:
            continue
        at = frame.columns.index(CASE)
        for row in frame.rows():
            seen[places[row[at]]][name][1].append(row[:at] + row[at + 1 :])
    return seen


def by_loan(history: History) -> dict[str, Everything]:
    return dict(zip(history.loan_ids, everything(history), strict=True))


@SIMILAR
@given(books(), st.data(), zones)
def test_what_is_known_is_worked_out_again_row_by_row(book: Tables, data: st.DataObject, zone: str):
    cohort = data.draw(cohorts(book, zone=zone))
    history, rows = History.as_of(cohort, book, zone=zone), plain(book)
    for case, (loan, day) in enumerate(cohort.iter_rows()):
        slow = told(rows, loan, day, zone=zone)
        for name, frame in history.known.items():
            found = frame.filter(pl.col(CASE) == case).select(SCORED[name].column_names()).rows(named=True)
            assert found == slow.rows[name], name
        assert set(slow.rows) == {name for name, _ in history.known.items()}


@SIMILAR
@given(books(), observation_days)
def test_one_loan_alone_has_the_same_rows_as_in_the_book(book: Tables, day: date):
    for loan, seen in by_loan(History.as_of(day, book)).items():
        assert by_loan(History.as_of(day, book.of_loans(pl.Series([loan])))) == {loan: seen}


@SIMILAR
@given(books(), observation_days, st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(book: Tables, day: date, seed: int):
    assert by_loan(History.as_of(day, shuffled(book, seed))) == by_loan(History.as_of(day, book))


@SIMILAR
@given(books(), books(), observation_days, st.integers(0, 400), st.booleans())
def test_what_is_recorded_later_and_what_is_still_to_happen_changes_nothing(
    book: Tables, later: Tables, day: date, lag: int, first_instant: bool
):
    instant = end_of(day) + (timedelta(0) if first_instant else timedelta(days=lag, seconds=1))
    poisoned = dict(book.items())
    for name, frame in later.items():
        about, happened, identity = TABLES[name]
        if name not in poisoned:
            continue
        mine = frame.filter(pl.col(about).is_in(book.loans.get_column(about).implode()))
        recorded_later = mine.with_columns(recorded_at=pl.max_horizontal("recorded_at", pl.lit(instant)))
        future = mine.clear() if happened is None else mine.filter(pl.col(happened) > day)
        if identity[0] != about:
            future = future.with_columns(pl.col(identity[0]) + "-future")
        key = SCORED[name].primary_key()
        poisoned[name] = pl.concat([poisoned[name], recorded_later, future]).unique(
            key, keep="first", maintain_order=True
        )
    assert by_loan(History.as_of(day, Tables.checked(poisoned, where="poisoned"))) == by_loan(History.as_of(day, book))


@SIMILAR
@given(books(), st.data())
def test_a_cohort_of_many_days_holds_what_each_day_alone_holds(book: Tables, data: st.DataObject):
    cohort = data.draw(cohorts(book, most=4))
    together = everything(History.as_of(cohort, book))
    for place, (loan, day) in enumerate(cohort.iter_rows()):
        alone = cohort[place : place + 1] if place else day
        seen = by_loan(History.as_of(alone, book))
        assert seen[loan] == together[place]


@SIMILAR
@given(books(), st.data())
def test_some_cases_of_a_history_are_what_they_were(book: Tables, data: st.DataObject):
    cohort = data.draw(cohorts(book))
    chosen = data.draw(st.lists(st.booleans(), min_size=cohort.height, max_size=cohort.height))
    history = History.as_of(cohort, book)
    kept = [seen for seen, keep in zip(everything(history), chosen, strict=True) if keep]
    assert everything(history.of(pl.Series(chosen, dtype=pl.Boolean))) == kept


CHANGED: dict[str, tuple[str, Any]] = {
    "loans": ("term_months", 999),
    "instalments": ("costs", 987_654_321),
    "statements": ("balance", 987_654_321),
    "payments": ("amount", 987_654_321),
    "borrowers": ("monthly_income", 987_654_321),
    "contacts": ("result", "refused"),
    "promises": ("amount", 987_654_321),
    "debits": ("amount", 987_654_321),
    "transactions": ("amount", 987_654_321),
    "enquiries": ("purpose", "other"),
    "events": ("kind", "sold"),
    "security": ("value", 987_654_321),
}


@SIMILAR
@given(books(), st.sampled_from(NAMES), st.integers(0, 10), st.integers(0, 300), st.data())
def test_a_correction_counts_from_its_recording_on_and_not_before(
    book: Tables, name: str, place: int, lag: int, data: st.DataObject
):
    sent = dict(book.items())
    assume(name in sent and sent[name].height)
    _, happened, identity = TABLES[name]
    row = sent[name].rows(named=True)[place % sent[name].height]
    same = pl.all_horizontal(pl.col(column) == row[column] for column in identity)
    recordings = sent[name].filter(same).get_column("recorded_at")
    column, value = CHANGED[name]
    recorded_at = max(recordings) + timedelta(days=1 + lag)
    corrected = {**row, column: value, "recorded_at": recorded_at}
    told_later = pl.DataFrame([corrected], schema=sent[name].schema, orient="row")
    after = Tables.checked({**sent, name: pl.concat([sent[name], told_later])}, where="corrected")

    day = data.draw(observation_days)
    known = getattr(History.as_of(day, after).known, name).filter(same)
    if recorded_at >= end_of(day):
        assert by_loan(History.as_of(day, after)) == by_loan(History.as_of(day, book))
    elif happened is not None and row[happened] > day:
        assert known.height == 0
    else:
        assert (known.get_column(column) == value).all()
        assert known.get_column(CASE).is_unique().all()


@SIMILAR
@given(books(), st.sampled_from(NAMES), st.integers(0, 50), st.data())
def test_an_empty_cell_where_one_is_needed_is_named_by_table_row_and_column(
    book: Tables, name: str, place: int, data: st.DataObject
):
    sent = dict(book.items())
    assume(name in sent and sent[name].height)
    row = place % sent[name].height
    needed = [column for column, kind in SCORED[name].columns().items() if not kind.nullable]
    column = data.draw(st.sampled_from(needed))
    holed = sent[name].with_row_index("row").with_columns(pl.when(pl.col("row") != row).then(column).alias(column))
    with pytest.raises(TablesRefused) as caught:
        Tables.checked({**sent, name: holed.drop("row")}, where="here")
    assert (name, row, column) in {(fault.table, fault.row, fault.column) for fault in caught.value.faults}


@SIMILAR
@given(books(), st.data())
def test_the_tables_of_some_loans_are_their_rows_and_their_borrowers_and_no_others(book: Tables, data: st.DataObject):
    ids = book.loans.get_column("loan_id").unique().sort().to_list()
    chosen = data.draw(st.lists(st.sampled_from(ids), unique=True))
    part, whole = plain(book.of_loans(pl.Series(chosen, dtype=pl.String))), plain(book)
    owners = {row["borrower_id"] for row in whole["loans"] if row["loan_id"] in chosen}
    wanted = {"loan_id": set(chosen), "borrower_id": owners}
    assert part == {
        name: [row for row in rows if row[TABLES[name][0]] in wanted[TABLES[name][0]]] for name, rows in whole.items()
    }


def rows_are_in_order(rows: list[Row], column: str) -> bool:
    return [row[column] for row in rows] == sorted(row[column] for row in rows)


@SIMILAR
@given(books(), st.data())
def test_known_rows_stand_in_order_of_time(book: Tables, data: st.DataObject):
    cohort = data.draw(cohorts(book))
    history = History.as_of(cohort, book)
    for name, frame in history.known.items():
        happened = TABLES[name][1]
        for _, rows in frame.group_by(CASE, maintain_order=True):
            assert happened is None or rows_are_in_order(rows.rows(named=True), happened)
