"""What the first loans hold does not depend on the order of the rows, and its interval covers the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from simulations import PROPERTY, SIMULATIONS, random_for, require_share

from features.errors import DataRefused, UsageError
from training.statistics.inputs import TooFew
from training.statistics.worked import captured_money, worked

book = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(1, 9)), min_size=3, max_size=12).filter(
    lambda loans: len({bad for bad, _, _ in loans}) == 2
)


@PROPERTY
@given(book, st.integers(0, 2**32 - 1))
def test_loans_with_the_same_score_share_what_they_hold_as_all_their_orders_would_on_average(loans, seed):
    bad, score, money = (np.array(column) for column in zip(*loans, strict=True))
    told = worked(bad, score, [0.25, 0.5, 1.0], money, repeats=1).captured
    chance = np.random.default_rng(seed)
    lots = [score + chance.random(len(score)) / 2 for _ in range(300)]
    mean = np.mean([captured_money(bad, lot, money, np.array([0.25, 0.5, 1.0])) for lot in lots], axis=0)
    assert told == pytest.approx(mean, abs=0.12)
    assert told[-1] == pytest.approx(1)


@PROPERTY
@given(book, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(loans, shuffler):
    mixed = list(loans)
    shuffler.shuffle(mixed)
    first, second = (tuple(np.array(column) for column in zip(*rows, strict=True)) for rows in (loans, mixed))
    shares = [0.1, 0.3, 0.9]
    told = [worked(bad, score, shares, money, repeats=1).captured for bad, score, money in (first, second)]
    assert told[0] == pytest.approx(told[1], abs=1e-12)


def test_without_ties_it_is_what_the_work_list_captures_and_lift_is_that_over_the_share():
    random = np.random.default_rng(3)
    bad, score, money = random.random(500) < 0.2, random.normal(size=500), random.integers(1, 10**6, 500)
    shares = np.array([0.05, 0.1, 0.5])
    told = worked(bad, score, shares, money, repeats=20)
    assert told.captured == pytest.approx(captured_money(bad, score, money, shares), abs=1e-12)
    assert told.lift == pytest.approx(told.captured / shares)
    assert np.all(told.low <= told.captured)
    assert np.all(told.captured <= told.high)


def test_a_constant_score_captures_what_chance_does():
    told = worked([True, False, False, True], np.zeros(4), [0.25, 0.5], repeats=1)
    assert told.captured == pytest.approx([0.25, 0.5])
    assert told.lift == pytest.approx([1, 1])


def test_what_cannot_be_is_refused():
    bad, score = [True, False, True], [1.0, 2.0, 3.0]
    with pytest.raises(DataRefused, match="1 of 3 weights are negative"):
        worked(bad, score, [0.1], [1.0, -2.0, 1.0])
    with pytest.raises(TooFew, match="weigh nothing"):
        worked(bad, score, [0.1], [0.0, 5.0, 0.0])
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(UsageError, match="shares out of range"):
            worked(bad, score, [share])


def test_the_interval_covers_the_share_of_money_that_the_first_tenth_truly_holds():
    name = "money captured by the first tenth: covered"
    random, shift = random_for(name), 1.2
    # The score is normal, shifted by going bad; the amount of a loan goes with its score.
    edge = brentq(lambda at: 0.2 * norm.sf(at - shift) + 0.8 * norm.sf(at) - 0.1, -5, 5)
    truth = norm.sf(edge - shift - 0.3)  # a loan weighs exp(0.3 (score - shift)) when bad: tilted normal

    def covered() -> bool:
        bad = random.random(1_000) < 0.2
        score = random.normal(size=1_000) + shift * bad
        told = worked(bad, score, [0.1], np.exp(0.3 * score), repeats=200)
        return bool(told.low[0] <= truth <= told.high[0])

    require_share(name, (covered() for _ in range(SIMULATIONS)), 0.93, 0.96)
