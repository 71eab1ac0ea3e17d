"""Nothing recorded later, no order of rows and no other borrower changes a feature: tried on generated histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
import slow_records
from crowded_books import crowded_book
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_books import NAMES, books, cohorts, observation_days, shuffled
from slow_history import plain, told

from features.catalog import FeatureMatrix, catalog
from features.declaration import Group, Risk
from features.history import History
from features.probes import OBSERVED_ON, probe_tables
from features.schemas import CONTACT_RESULTS, MOST_MONEY, SCORED
from features.tables import Tables

SIMILAR = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COSTLY = settings(SIMILAR, max_examples=12)
"""For what computes all features many times."""
DAY = timedelta(days=1)
EARLIER = (OBSERVED_ON, date(2023, 12, 31), date(2023, 11, 15))
"""Days on which the probe borrowers are looked at: month ends, and one that is none."""
OPTIONAL = tuple(name for name in NAMES if name != "loans")

ASKED = frozenset(
    {
        "instalment_to_income",
        "debt_service_to_income",
        "residual_income",
        "residual_income_to_instalment",
        "lowest_balance_to_instalment_1m",
        "lowest_balance_to_instalment_3m",
        "lowest_balance_to_instalment_12m",
        "low_balance_days_share_12m",
        "instalment_to_flow_income_6m",
    }
)
"""Features of the instalment that is asked for: without a schedule it is the loan's amount over its term."""
SECOND_BEST = {"instalments": ASKED | {"security_cover"}, "statements": {"security_cover"}}
"""Features that look elsewhere when a table was not sent, and so may have another value and not a missing one."""


def at(day: date, tables: Tables) -> FeatureMatrix:
    return catalog().values(History.as_of(day, tables))


def computed(day: date, tables: Tables) -> dict[str, bytes]:
    """Each loan's feature values as bytes: equal means equal to the bit."""
    matrix = at(day, tables)
    return {loan: row.tobytes() for loan, row in zip(matrix.cases.get_column("loan_id"), matrix.values, strict=True)}


def without(book: Tables, name: str) -> Tables:
    return Tables(**{table: frame for table, frame in book.items() if table != name})


def end_of(day: date) -> datetime:
    """Return the first instant that is too late to be known."""
    return datetime.combine(day + DAY, time(0), UTC)


def assert_every_value_is_what_its_definition_says(matrix: FeatureMatrix, book: Tables) -> None:
    rows = plain(book)
    for values, (_, loan, day) in zip(matrix.values, matrix.cases.iter_rows(), strict=True):
        slow = slow_records.features(told(rows, loan, day))
        assert set(slow) == set(catalog().names)
        for feature, value in zip(catalog(), values, strict=True):
            expected = slow[feature.name]
            if expected is None:
                assert np.isnan(value), (feature.name, loan, day, value)
            else:
                assert value == pytest.approx(float(expected), rel=1e-12, abs=1e-12), (feature.name, loan, day)


# No other borrower, no order of rows, nothing later


@COSTLY
@given(books(most_loans=4), observation_days)
def test_each_loan_alone_has_the_same_features_as_in_the_book(book: Tables, day: date):
    together = computed(day, book)
    for loan in together:
        alone = book.of_loans(pl.Series([loan]))
        assert computed(day, alone) == {loan: together[loan]}


@SIMILAR
@given(books(), observation_days, st.integers(0, 2**32 - 1))
def test_shuffling_every_table_changes_no_feature(book: Tables, day: date, seed: int):
    assert computed(day, shuffled(book, seed)) == computed(day, book)


@SIMILAR
@given(books(), books(), observation_days, st.integers(0, 400))
def test_rows_recorded_after_the_day_change_no_feature(book: Tables, more: Tables, day: date, late: int):
    """Another book of the same loans is recorded later: new facts, corrections of known ones, new terms, schedules."""
    later = end_of(day) + timedelta(days=late)
    others = dict(more.items())
    poisoned = Tables(**{name: _poisoned(name, frame, others.get(name), later) for name, frame in book.items()})
    assert computed(day, poisoned) == computed(day, book)


def _poisoned(name: str, frame: pl.DataFrame, more: pl.DataFrame | None, later: datetime) -> pl.DataFrame:
    known = frame.filter(pl.col("recorded_at") < later)
    if more is None:
        return known
    poison = more.with_columns(recorded_at=pl.lit(later, frame.schema["recorded_at"]))
    return pl.concat([known, poison.unique(SCORED[name].identity(), keep="last", maintain_order=True)])


# What each definition says


@SIMILAR
@given(books(), st.data())
def test_every_feature_is_what_its_definition_says_worked_out_by_hand(book: Tables, data: st.DataObject):
    matrix = catalog().values(History.as_of(data.draw(cohorts(book)), book))
    assert_every_value_is_what_its_definition_says(matrix, book)


@pytest.mark.parametrize("day", EARLIER)
def test_every_feature_of_the_probe_borrowers_is_what_its_definition_says(day: date):
    assert_every_value_is_what_its_definition_says(at(day, probe_tables()), probe_tables())


@pytest.mark.parametrize("day", EARLIER)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_feature_is_what_its_definition_says_where_much_falls_on_its_edges(day: date, seed: int):
    book = crowded_book(day, seed)
    assert_every_value_is_what_its_definition_says(at(day, book), book)


def test_every_feature_takes_several_values_on_the_probe_borrowers():
    """Else neither the test above nor the fingerprint of a release would see it change."""
    values = np.concatenate([at(day, probe_tables()).values for day in EARLIER])
    for feature, column in zip(catalog(), values.T, strict=True):
        assert len(np.unique(column[~np.isnan(column)])) > 1, feature.name


@SIMILAR
@given(books(), observation_days)
def test_every_known_value_is_finite_and_within_its_units_bounds(book: Tables, day: date):
    matrix = at(day, book)
    for feature, column in zip(matrix.features, matrix.values.T, strict=True):
        known = column[~np.isnan(column)]
        low, high = feature.unit.bounds
        assert np.isfinite(known).all(), feature.name
        assert ((known >= low) & (known <= high)).all(), feature.name


@SIMILAR
@given(books(), st.data())
def test_a_cohort_of_several_days_holds_what_each_day_alone_holds(book: Tables, data: st.DataObject):
    cases = data.draw(cohorts(book, most=3))
    together = catalog().values(History.as_of(cases, book)).values
    alone = [catalog().values(History.as_of(cases[place], book)).values for place in range(len(cases))]
    assert together.tobytes() == np.concatenate(alone).tobytes()


# What was not sent


@pytest.mark.parametrize("left_out", OPTIONAL)
def test_a_table_that_was_not_sent_makes_features_missing_and_changes_no_other(left_out: str):
    whole, part = (at(OBSERVED_ON, book).values for book in (probe_tables(), without(probe_tables(), left_out)))
    assert np.isnan(part).sum() > np.isnan(whole).sum()
    elsewhere = SECOND_BEST.get(left_out, frozenset())
    for feature, before, after in zip(catalog(), whole.T, part.T, strict=True):
        if feature.name not in elsewhere:
            kept = ~np.isnan(after)
            assert (after[kept] == before[kept]).all(), feature.name


@pytest.mark.parametrize("left_out", OPTIONAL)
def test_without_a_table_every_feature_is_still_what_its_definition_says(left_out: str):
    book = without(probe_tables(), left_out)
    assert_every_value_is_what_its_definition_says(at(OBSERVED_ON, book), book)


def test_without_contacts_nobody_is_said_to_have_put_arrears_right_unasked():
    place = catalog().names.index("self_cure_share_12m")
    assert np.isnan(at(OBSERVED_ON, without(probe_tables(), "contacts")).values[:, place]).all()


@pytest.mark.parametrize("emptied", OPTIONAL)
def test_an_empty_table_says_that_there_was_none_and_none_says_nothing(emptied: str):
    """What is known without the table stays as it is when the lender sends it empty; more may then be known."""
    frame = dict(probe_tables().items())[emptied].clear()
    absent = without(probe_tables(), emptied)
    empty = Tables(**{**dict(absent.items()), emptied: frame})
    before, after = at(OBSERVED_ON, absent).values, at(OBSERVED_ON, empty).values
    kept = ~np.isnan(before)
    assert (after[kept] == before[kept]).all()
    assert_every_value_is_what_its_definition_says(at(OBSERVED_ON, empty), empty)


# Which way one more event may move a feature

DEBIT_EXEMPT = {"mandate_withdrawn_latest": "an attempt that lacked funds shows that the mandate stands again"}

events_back = st.one_of(st.integers(0, 3), st.integers(0, 100), st.integers(0, 400))
"""Days from an event to the observation date."""
sums = st.one_of(st.sampled_from([1, 100, 10**4, 10**5, 10**9]), st.integers(1, 10**6))


@st.composite
def own_money_books(draw: st.DrawFn) -> tuple[Tables, date]:
    """Draw a book in which all money is the borrower's own, and a day; every other one is that of the probes."""
    probes = draw(st.booleans())
    book = probe_tables() if probes else draw(books())
    if book.payments is not None:
        own = pl.lit(None, book.payments.schema["payer"])
        payments = book.payments.with_columns(pl.col("amount").clip(upper_bound=10**9), payer=own)
        book = Tables(**{**dict(book.items()), "payments": payments})
    return book, draw(st.sampled_from(EARLIER) if probes else observation_days)


def one_more(book: Tables, table: str, row_of: Callable[[str], tuple[object, ...]]) -> Tables:
    """Return a book with one more event of each loan."""
    frames = dict(book.items())
    loans = book.loans.get_column("loan_id").unique().sort()
    more = pl.DataFrame([row_of(loan) for loan in loans], schema=frames[table].schema, orient="row")
    return Tables(**{**frames, table: pl.concat([frames[table], more])})


def moved(day: date, before: Tables, after: Tables) -> dict[str, set[int]]:
    """Return of each feature which ways one more event moved it, of any loan: 1 to more risk, -1 to less.

    From or to a missing value is no way.
    """
    directed = catalog().chosen(feature.name for feature in catalog() if feature.risk is not Risk.FREE)
    earlier, later = (directed.values(History.as_of(day, book)).values for book in (before, after))
    ways = np.sign(later - earlier) * [int(feature.risk) for feature in directed]
    return {
        name: {int(way) for way in column if way in (1, -1)}
        for name, column in zip(directed.names, ways.T, strict=True)
    }


@COSTLY
@given(own_money_books(), events_back, sums)
def test_one_more_payment_of_the_borrowers_own_never_raises_risk(drawn: tuple[Tables, date], back: int, amount: int):
    book, day = drawn
    on = day - timedelta(days=back)
    if book.payments is not None:
        paid = one_more(book, "payments", lambda loan: (f"more-{loan}", loan, on, amount, None, noon(on)))
        assert_no_way(1, moved(day, book, paid))


@COSTLY
@given(own_money_books(), events_back, st.sampled_from([0, 1, 30]))
def test_one_more_broken_promise_never_lowers_risk(drawn: tuple[Tables, date], back: int, ahead: int):
    book, day = drawn
    due_on = day - timedelta(days=back)
    given_on = due_on - timedelta(days=ahead)
    if book.promises is not None:
        promised = one_more(
            book, "promises", lambda loan: (f"more-{loan}", loan, given_on, due_on, MOST_MONEY, noon(given_on))
        )
        assert_no_way(-1, moved(day, book, promised))


@COSTLY
@given(own_money_books(), events_back)
def test_one_more_debit_that_lacked_funds_never_lowers_risk(drawn: tuple[Tables, date], back: int):
    book, day = drawn
    on = day - timedelta(days=back)
    if book.debits is not None:
        tried = one_more(book, "debits", lambda loan: (f"more-{loan}", loan, on, 100, "insufficient_funds", noon(on)))
        assert_no_way(-1, moved(day, book, tried), DEBIT_EXEMPT)


@COSTLY
@given(own_money_books(), events_back, st.sampled_from(CONTACT_RESULTS))
def test_one_more_contact_made_by_the_borrower_never_raises_risk(drawn: tuple[Tables, date], back: int, result: str):
    book, day = drawn
    on = day - timedelta(days=back)
    if book.contacts is not None:
        called = one_more(
            book, "contacts", lambda loan: (f"more-{loan}", loan, on, "call", "inbound", result, noon(on))
        )
        assert_no_way(1, moved(day, book, called))


@pytest.mark.parametrize("back", [0, 100])
def test_evidence_of_hardship_moves_ability_alone(back: int):
    on = OBSERVED_ON - timedelta(days=back)
    hit = one_more(probe_tables(), "events", lambda loan: (f"more-{loan}", loan, "hardship", on, noon(on)))
    before, after = at(OBSERVED_ON, probe_tables()).values, at(OBSERVED_ON, hit).values
    changed = [
        feature
        for feature, was, became in zip(catalog(), before.T, after.T, strict=True)
        if was.tobytes() != became.tobytes()
    ]
    assert {feature.group for feature in changed} == {Group.ABILITY}


def assert_no_way(way: int, ways: dict[str, set[int]], exempt: Iterable[str] = ()) -> None:
    assert not {name for name, found in ways.items() if way in found} - set(exempt)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


# A real book


def test_the_whole_book_agrees_to_the_bit_with_one_customer_at_a_time_on_real_data():
    from features.portfolios import open_portfolio

    book = open_portfolio("taiwan")
    assert book.observed_on is not None
    history = History.as_of(book.observed_on, book.tables, zone=book.zone)
    together = catalog().values(history).values
    for position in range(0, len(together), 300):
        loan = history.loan_ids[position]
        alone = History.as_of(book.observed_on, book.tables.of_loans(pl.Series([loan])), zone=book.zone)
        assert catalog().values(alone).values.tobytes() == together[position : position + 1].tobytes()
