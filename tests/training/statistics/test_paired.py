"""The interval of a difference of two AUCs covers the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.statistics.paired import auc_difference


def drawn(random: np.random.Generator, size: int = 400, first: float = 1.0, second: float = 1.0):
    bad = random.random(size) < 0.3
    shared = random.normal(size=size)
    scores = [strength * bad + shared + random.normal(size=size) for strength in (first, second)]
    return bad, scores[0].round(1), scores[1].round(1)  # ties as well


def test_the_difference_is_that_of_the_aucs_and_turns_its_sign_with_its_sides():
    bad, first, second = drawn(np.random.default_rng(0))
    told = auc_difference([(bad, first, second)])
    assert told.auc == pytest.approx(roc_auc_score(bad, first) - roc_auc_score(bad, second))
    turned = auc_difference([(bad, second, first)])
    assert (turned.low, turned.high) == pytest.approx((-told.high, -told.low))


def test_the_interval_covers_no_difference_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = [told.low <= 0 <= told.high for told in (auc_difference([drawn(random)]) for _ in range(600))]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_a_real_difference_is_found_and_folds_narrow_the_interval():
    random = np.random.default_rng(2)
    folds = [drawn(random, first=2.0, second=0.5) for _ in range(5)]
    whole, one = auc_difference(folds), auc_difference(folds[:1])
    assert whole.low > 0
    assert whole.high - whole.low < one.high - one.low
    assert whole.words("chance").startswith("better: +")
