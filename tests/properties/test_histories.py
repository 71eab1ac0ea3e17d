"""Nothing recorded later, no order of rows and no other borrower changes a feature: tried on generated histories."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import slow_features
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import Catalog, catalog
from features.history import History
from features.schemas import PRODUCTS, SCORED
from features.tables import Tables

DAY = date(2024, 2, 29)
EARLIEST = date(2022, 12, 15)
SIMILAR = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

days = st.one_of(
    st.sampled_from([date(2024, 2, 29), date(2023, 2, 28), date(2023, 12, 31), date(2023, 8, 31), date(2023, 11, 30)]),
    st.dates(EARLIEST, DAY),
)
amounts = st.one_of(st.integers(0, 3), st.integers(0, 10**7), st.integers(0, 10**12))
balances = st.one_of(st.integers(-500, 500), st.integers(-(10**6), 10**8), st.integers(0, 10**12))


@st.composite
def books(draw: st.DrawFn, most_loans: int = 6) -> Tables:
    """Books of a few accounts: month ends, 29 February, duplicates of amounts, credit balances, late records, none."""
    loans, statements, payments = [], [], []
    for number in range(draw(st.integers(1, most_loans))):
        loan = f"L{number}"
        limit = draw(st.one_of(st.none(), st.just(0), st.integers(1, 10**9)))
        loans.append((loan, f"B{number // 2}", PRODUCTS[0], "CNY", limit, None, datetime(2020, 1, 1, tzinfo=UTC)))
        for day in draw(st.lists(days, max_size=14, unique=True)):
            months = draw(st.sampled_from([0, 0, 0, 1, 2, 3, 8]))
            state = "overdue" if months else draw(st.sampled_from(["unused", "paid_in_full", "part_paid"]))
            statements.append((loan, day, draw(balances), state, months, _recorded(draw, day)))
        for place, day in enumerate(draw(st.lists(days, max_size=14))):
            payments.append((f"{loan}-{place}", loan, day, draw(amounts), _recorded(draw, day)))
    frames = {"loans": loans, "statements": statements, "payments": payments}
    return Tables.checked(
        {
            name: pl.DataFrame(rows, schema=SCORED[name].create_empty().schema, orient="row")
            for name, rows in frames.items()
        },
        where="generated",
    )


def _recorded(draw: st.DrawFn, day: date) -> datetime:
    late = draw(st.sampled_from([0, 0, 0, 1, 40]))
    return datetime(day.year, day.month, day.day, draw(st.integers(0, 23)), tzinfo=UTC) + timedelta(days=late)


def computed(tables: Tables, features: Catalog | None = None) -> dict[str, bytes]:
    """Each loan's feature values as bytes: equal means equal to the bit."""
    matrix = (features or catalog()).values(History.as_of(DAY, tables))
    return {loan: row.tobytes() for loan, row in zip(matrix.cases.get_column("loan_id"), matrix.values, strict=True)}


@SIMILAR
@given(books())
def test_each_borrower_alone_has_the_same_features_as_in_the_book(book: Tables):
    together = computed(book)
    for loan in together:
        alone = book.of_loans(pl.Series([loan]))
        assert computed(alone) == {loan: together[loan]}


@SIMILAR
@given(books(), st.integers(0, 2**32 - 1))
def test_shuffling_every_table_changes_no_feature(book: Tables, seed: int):
    shuffled = Tables(**{name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in book.items()})
    assert computed(shuffled) == computed(book)


@SIMILAR
@given(books(), st.data())
def test_rows_recorded_after_the_day_change_no_feature(book: Tables, data: st.DataObject):
    statements, payments = book.statements, book.payments
    assert statements is not None
    assert payments is not None
    loans = book.loans.get_column("loan_id").to_list()
    later = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=data.draw(st.integers(0, 400)))
    known = set(statements.select("loan_id", "statement_on").iter_rows())
    poison = [
        (loan, day, data.draw(balances), "overdue", 8, later)
        for loan in loans
        for day in data.draw(st.lists(days, max_size=3, unique=True))
        if (loan, day) not in known
    ]
    paid = [(f"poison-{loan}", loan, data.draw(days), data.draw(amounts), later) for loan in loans]
    poisoned = Tables(
        loans=book.loans,
        statements=pl.concat([statements, pl.DataFrame(poison, schema=statements.schema, orient="row")]),
        payments=pl.concat([payments, pl.DataFrame(paid, schema=payments.schema, orient="row")]),
    )
    assert computed(poisoned) == computed(book)


@SIMILAR
@given(books(), days, st.booleans())
def test_every_feature_is_what_its_definition_says_worked_out_by_hand(book: Tables, day: date, with_payments: bool):
    if not with_payments:
        book = Tables(loans=book.loans, statements=book.statements)
    history = History.as_of(day, book)
    matrix = catalog().values(history)
    known = history.known
    assert known.statements is not None
    for case, loan in enumerate(history.loan_ids):
        mine = pl.col("loan_id") == loan
        slow = slow_features.features(
            book.loans.filter(mine).item(0, "credit_limit"),
            day,
            known.statements.filter(mine).select("statement_on", "balance", "state", "months_overdue").rows(),
            None if known.payments is None else known.payments.filter(mine).select("paid_on", "amount").rows(),
        )
        assert set(slow) == set(catalog().names)
        for feature, value in zip(catalog(), matrix.values[case], strict=True):
            expected = slow[feature.name]
            if expected is None:
                assert np.isnan(value), (feature.name, value)
            else:
                assert value == pytest.approx(float(expected), rel=1e-12, abs=1e-12), feature.name


@SIMILAR
@given(books())
def test_every_known_value_is_finite_and_within_its_units_bounds(book: Tables):
    matrix = catalog().values(History.as_of(DAY, book))
    for feature, column in zip(matrix.features, matrix.values.T, strict=True):
        known = column[~np.isnan(column)]
        low, high = feature.unit.bounds
        assert np.isfinite(known).all(), feature.name
        assert ((known >= low) & (known <= high)).all(), feature.name


@SIMILAR
@given(books())
def test_a_cohort_of_two_days_holds_what_each_day_alone_holds(book: Tables):
    loans = book.loans.get_column("loan_id").to_list()
    two = [(loan, day) for day in (DAY, date(2023, 8, 31)) for loan in loans]
    cases = pl.DataFrame(two, schema=["loan_id", "observed_on"], orient="row")
    both = catalog().values(History.as_of(cases, book)).values
    alone = [catalog().values(History.as_of(day, book)).values for day in (DAY, date(2023, 8, 31))]
    assert both.tobytes() == np.concatenate(alone).tobytes()


@pytest.mark.parametrize("left_out", ["statements", "payments"])
def test_a_table_that_was_not_sent_makes_features_missing_and_changes_no_other(left_out: str):
    from features.probes import OBSERVED_ON, probe_tables

    whole = catalog().values(History.as_of(OBSERVED_ON, probe_tables())).values
    frames = {name: frame for name, frame in probe_tables().items() if name != left_out}
    part = catalog().values(History.as_of(OBSERVED_ON, Tables(**frames))).values
    assert np.isnan(part).sum() > np.isnan(whole).sum()
    kept = ~np.isnan(part)
    assert (part[kept] == whole[kept]).all()


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
