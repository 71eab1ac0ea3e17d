"""The distance between good and bad loans is told with its bias, and its interval covers the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from simulations import PROPERTY, SIMULATIONS, binormal, random_for, require_share

from training.statistics.inputs import TooFew
from training.statistics.ks import ks
from training.statistics.metrics import discrimination

loans = st.lists(st.tuples(st.booleans(), st.integers(-20, 20)), min_size=4, max_size=80).filter(
    lambda drawn: len({bad for bad, _ in drawn}) == 2
)


@PROPERTY
@given(loans)
def test_the_value_is_the_distance_of_the_metrics_and_the_interval_lies_in_its_range(drawn):
    bad, score = (np.array(column) for column in zip(*drawn, strict=True))
    told = ks(bad, score, repeats=5)
    assert told.value == pytest.approx(discrimination(bad, score.astype(float)).ks, abs=1e-12)
    assert 0 <= told.low <= told.high <= 1
    assert told.bias >= 0


@PROPERTY
@given(loans, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_and_the_scale_of_the_score_change_nothing(drawn, shuffler):
    mixed = list(drawn)
    shuffler.shuffle(mixed)
    first, second = (tuple(np.array(column) for column in zip(*rows, strict=True)) for rows in (drawn, mixed))
    assert ks(*first, repeats=5) == ks(second[0], np.exp(second[1] / 10), repeats=5)


def test_one_outcome_alone_has_no_distance():
    with pytest.raises(TooFew):
        ks([True, True], [1.0, 2.0])


@pytest.mark.parametrize(("bads", "goods", "auc"), [(50, 500, 0.65), (200, 1_000, 0.75)])
def test_less_its_bias_the_distance_is_near_the_truth_and_the_interval_covers_it(bads, goods, auc):
    truth = 2 * norm.cdf(norm.ppf(auc) / np.sqrt(2)) - 1
    name = f"KS {truth:.3f}, {bads} bad of {bads + goods}: covered"
    random = random_for(name)
    told = [ks(*binormal(random, bads, goods, auc), repeats=40) for _ in range(SIMULATIONS)]
    require_share(name, (one.interval.holds(truth) for one in told), 0.94, 0.965)
    raw, corrected = (np.mean([one.value - by * one.bias - truth for one in told]) for by in (0, 1))
    assert 0 < corrected < raw / 2
