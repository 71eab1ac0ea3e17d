"""The trade's figures are what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from training.statistics.metrics import accuracy, discrimination

loans = st.lists(st.tuples(st.booleans(), st.integers(-20, 20)), min_size=4, max_size=200).filter(
    lambda drawn: len({bad for bad, _ in drawn}) == 2
)


@given(loans)
def test_ks_is_the_largest_distance_between_the_two_distributions(drawn):
    bad, score = (np.array(column) for column in zip(*drawn, strict=True))
    told = discrimination(bad.astype(bool), score.astype(float))
    one_sided = ks_2samp(score[bad], score[~bad], alternative="less").statistic
    assert told.ks == pytest.approx(one_sided, abs=1e-12)
    assert 0 <= told.ks_at_share <= 1


@given(loans)
def test_auc_is_the_share_of_pairs_in_the_right_order(drawn):
    bad, score = (np.array(column) for column in zip(*drawn, strict=True))
    pairs = np.sign(score[bad][:, None] - score[~bad][None, :])
    told = discrimination(bad.astype(bool), score.astype(float))
    assert told.auc == pytest.approx((pairs.mean() + 1) / 2)
    assert told.gini == pytest.approx(2 * told.auc - 1)


def test_certainty_that_is_right_costs_nothing_and_a_coin_costs_a_quarter():
    bad = np.array([True, False, True, False])
    assert accuracy(bad, bad.astype(float)).brier == 0
    assert accuracy(bad, np.full(4, 0.5)).brier == 0.25
    assert accuracy(bad, np.full(4, 0.5)).log_loss == pytest.approx(np.log(2))
