"""Which stage of delinquency a number of days is, and how loans roll between stages: drawn by hand and generated."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_tables import table

from features.buckets import Buckets, RollRates, roll_rates

USUAL = Buckets()
QUICK = settings(max_examples=100, deadline=None)

days = st.one_of(st.none(), st.sampled_from([0, 1, 30, 31, 60, 61, 90, 91]), st.integers(0, 2_000))
rising = st.sets(st.integers(1, 400), max_size=8).map(lambda later: Buckets((0, *sorted(later))))
moves = st.lists(st.tuples(days, days, st.integers(0, 10**17)), max_size=40)


def column(values: list[int | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64)


def rolled(drawn: list[tuple[int | None, int | None, int]], buckets: Buckets, *, by_balance: bool = False) -> RollRates:
    before, after, owed = (column([row[place] for row in drawn]) for place in range(3))  # type: ignore[misc]
    return roll_rates(before, after, buckets, owed if by_balance else None)


# Buckets


@pytest.mark.parametrize(
    ("days_past_due", "name"),
    [(0, "M0"), (1, "M1"), (30, "M1"), (31, "M2"), (60, "M2"), (61, "M3"), (90, "M3"), (91, "M3+"), (5_000, "M3+")],
)
def test_a_bucket_ends_with_its_last_day(days_past_due: int, name: str):
    assert USUAL.of(np.array([days_past_due])).to_list() == [name]


def test_a_lender_may_close_more_buckets_or_fewer():
    assert Buckets((0, 30, 60, 90, 120)).names == ("M0", "M1", "M2", "M3", "M4", "M4+")
    assert Buckets((0, 30, 60)).names == ("M0", "M1", "M2", "M2+")
    assert Buckets((0, 30, 60)).of(np.array([61])).to_list() == ["M2+"]


def test_buckets_compare_in_their_order_and_not_by_their_letters():
    found = Buckets(tuple(range(0, 330, 30))).of(np.array([0, 45, 300, 301]))
    assert found.to_list() == ["M0", "M2", "M10", "M10+"]
    assert (found > "M2").to_list() == [False, False, True, True]


def test_where_days_past_due_are_missing_the_bucket_is_missing():
    assert USUAL.of(column([None, 0])).to_list() == [None, "M0"]
    assert USUAL.of(np.array([np.nan, 31.0])).to_list() == [None, "M2"]


@pytest.mark.parametrize("bounds", [(), (30, 60), (1, 30), (0, 30, 30), (0, 60, 30), (-1, 0), (0, 30.5), (False, 30)])
def test_bounds_that_do_not_rise_from_0_in_whole_days_are_refused(bounds: tuple[int, ...]):
    with pytest.raises(ValueError, match="begin with 0 and rise strictly"):
        Buckets(bounds)


@pytest.mark.parametrize("wrong", [-1.0, 0.5, math.inf])
def test_days_that_are_no_whole_days_past_due_are_refused(wrong: float):
    with pytest.raises(ValueError, match="whole days from 0 on"):
        USUAL.of(np.array([wrong]))


@QUICK
@given(rising, st.lists(days, min_size=1))
def test_every_number_of_days_is_in_the_first_bucket_that_holds_it(buckets: Buckets, drawn: list[int | None]):
    for found, number in zip(buckets.of(column(drawn)).to_list(), drawn, strict=True):
        place = None if number is None else sum(number > bound for bound in buckets.bounds)
        assert found == (None if place is None else buckets.names[place])


# Roll rates

MONTH = table("""
    before | after | owed
    -------+-------+-----
    0      | 0     | 100
    0      | 0     | 100
    0      | 0     | 100
    0      | 20    | 300
    15     | 45    | 600
    20     | 0     | 100
    25     | 25    | 200
    30     | 61    | 100
    45     | 10    | 50
    50     | 0     | 150
    120    | 151   | 700
    120    | 0     | 300
""")
DRAWN: list[tuple[int | None, int | None, int]] = [
    (int(row["before"]), int(row["after"]), int(row["owed"])) for row in MONTH
]
NAN = math.nan


def test_a_row_of_shares_says_where_the_loans_of_a_bucket_went():
    rates = rolled(DRAWN, USUAL)
    assert rates.measure == "loans"
    np.testing.assert_array_equal(
        rates.shares,
        [
            #  M0   M1    M2    M3    M3+
            [0.75, 0.25, 0.00, 0.00, 0.00],  # M0
            [0.25, 0.25, 0.25, 0.25, 0.00],  # M1
            [0.50, 0.50, 0.00, 0.00, 0.00],  # M2
            [NAN, NAN, NAN, NAN, NAN],  # M3: no loan was in it
            [0.50, 0.00, 0.00, 0.00, 0.50],  # M3+
        ],
    )


def test_with_balances_the_shares_are_of_money_and_the_loans_are_still_counted():
    rates = rolled(DRAWN, USUAL, by_balance=True)
    assert rates.measure == "balance"
    np.testing.assert_array_equal(rates.shares[0], [0.5, 0.5, 0, 0, 0])
    np.testing.assert_array_equal(rates.shares[4], [0.3, 0, 0, 0, 0.7])
    assert rates.counts == rolled(DRAWN, USUAL).counts


@pytest.mark.parametrize(
    ("bucket", "forward", "back", "cured"),
    [
        ("M0", 0.25, 0.0, NAN),  # nothing to cure
        ("M1", 0.5, 0.25, 0.25),
        ("M2", 0.0, 1.0, 0.5),
        ("M3", NAN, NAN, NAN),
        ("M3+", 0.0, 0.5, 0.5),
        (None, 3 / 12, 4 / 12, 3 / 8),
    ],
)
def test_loans_roll_forward_roll_back_or_are_cured(bucket: str | None, forward: float, back: float, cured: float):
    rates = rolled(DRAWN, USUAL)
    told = [rates.forward_rate(bucket), rates.back_rate(bucket), rates.cure_rate(bucket)]
    np.testing.assert_array_equal(told, [forward, back, cured])


def test_a_loan_whose_days_are_missing_on_either_day_is_left_out_and_counted():
    rates = rolled([(None, 0, 1), (31, None, 1), (None, None, 1), (31, 61, 1)], USUAL)
    assert rates.left_out == 3
    assert rates.forward_rate() == 1


def test_no_loans_at_all_give_no_rates():
    rates = rolled([], USUAL, by_balance=True)
    assert np.isnan(rates.shares).all()
    assert math.isnan(rates.cure_rate())


def test_a_bucket_that_the_lender_does_not_have_is_refused():
    with pytest.raises(ValueError, match="M4"):
        rolled(DRAWN, USUAL).forward_rate("M4")


def test_loans_before_and_after_are_the_same_loans():
    with pytest.raises(ValueError, match="the same loans in the same order"):
        roll_rates(np.array([0, 1]), np.array([0]), USUAL)


@pytest.mark.parametrize("owed", [[-1], [None], [0.5]])
def test_a_balance_is_whole_minor_units_from_0_on(owed: list[int | float | None]):
    with pytest.raises(ValueError, match="whole minor units"):
        roll_rates(np.array([0]), np.array([0]), USUAL, pl.Series(owed, strict=False))


@QUICK
@given(moves, rising, st.booleans())
def test_a_row_that_holds_anything_sums_to_1(
    drawn: list[tuple[int | None, int | None, int]], buckets: Buckets, by_balance: bool
):
    shares = rolled(drawn, buckets, by_balance=by_balance).shares
    for row in shares:
        assert np.isnan(row).all() or math.isclose(row.sum(), 1, abs_tol=1e-12)


@QUICK
@given(moves, rising)
def test_no_loan_and_no_money_is_lost_or_counted_twice(
    drawn: list[tuple[int | None, int | None, int]], buckets: Buckets
):
    rates = rolled(drawn, buckets, by_balance=True)
    known = [row for row in drawn if row[0] is not None and row[1] is not None]
    assert rates.left_out == len(drawn) - len(known)
    assert sum(map(sum, rates.counts)) == len(known)
    assert rates.balances is not None
    assert sum(map(sum, rates.balances)) == sum(owed for _, _, owed in known)
    for name, row in zip(buckets.names, rates.counts, strict=True):
        assert sum(row) == buckets.of(column([before for before, _, _ in known])).to_list().count(name)


@QUICK
@given(moves, st.randoms())
def test_the_order_of_the_loans_changes_no_rate(drawn: list[tuple[int | None, int | None, int]], chance):  # type: ignore[no-untyped-def]
    shuffled = chance.sample(drawn, len(drawn))
    assert rolled(shuffled, USUAL, by_balance=True) == rolled(drawn, USUAL, by_balance=True)


@QUICK
@given(moves, rising)
def test_what_rolled_forward_rolled_back_or_stayed_is_all_there_was(
    drawn: list[tuple[int | None, int | None, int]], buckets: Buckets
):
    rates = rolled(drawn, buckets)
    for place, name in enumerate(buckets.names):
        parts = [rates.forward_rate(name), rates.back_rate(name), rates.shares[place, place]]
        assert np.isnan(parts).all() or math.isclose(sum(parts), 1, abs_tol=1e-12)
        if place:
            assert math.isnan(rates.cure_rate(name)) or rates.cure_rate(name) <= rates.back_rate(name)
