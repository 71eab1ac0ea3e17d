"""The stability of a score over time is told by its periods, and a period that cannot be judged is told as such."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress
from simulations import binormal
from sklearn.metrics import roc_auc_score

from features.errors import DataRefused
from training.statistics.inputs import TooFew
from training.statistics.periods import gini_by_period
from training.statistics.segments import NotJudged


def months(aucs: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    books = [binormal(random, 60, 240, value) for value in aucs]
    bad, score = (np.concatenate(column) for column in zip(*books, strict=True))
    return bad, score, np.repeat(np.arange(len(aucs)), 300)


def test_mean_slope_and_spread_are_those_of_the_line_through_the_periods():
    bad, score, month = months([0.8, 0.75, 0.72, 0.7, 0.66, 0.6])
    told = gini_by_period(bad, score, month)
    ginis = [2 * roc_auc_score(bad[month == one], score[month == one]) - 1 for one in range(6)]
    line = linregress(range(6), ginis)
    assert told.mean == pytest.approx(np.mean(ginis), abs=1e-12)
    assert told.slope == pytest.approx(line.slope, abs=1e-12)
    assert told.residual_sd == pytest.approx(np.std(ginis - line.intercept - line.slope * np.arange(6)), abs=1e-12)
    assert told.falling == told.slope < 0
    assert told.objective(falling_weight=88, spread_weight=0.5) == pytest.approx(
        told.mean + 88 * told.slope - 0.5 * told.residual_sd
    )


def test_a_score_that_gets_better_is_not_rewarded_for_it():
    told = gini_by_period(*months([0.6, 0.7, 0.8]))
    assert told.slope > 0
    assert told.falling == 0
    assert told.objective(falling_weight=88, spread_weight=0) == told.mean


def test_periods_follow_each_other_as_numbers_do_and_rows_may_come_in_any_order():
    bad, score, month = months([0.85, 0.8, 0.75, 0.7, 0.7, 0.65, 0.65, 0.65, 0.6, 0.6, 0.6, 0.55])
    order = np.random.default_rng(1).permutation(len(bad))
    told, mixed = gini_by_period(bad, score, month), gini_by_period(bad[order], score[order], month[order])
    assert list(told.periods) == [f"{one:02d}" for one in range(12)]
    assert told.slope == pytest.approx(mixed.slope)
    named = gini_by_period(bad, score, np.array([f"2026-{one + 1:02d}" for one in month]))
    assert named.slope == told.slope


def test_a_period_without_bad_cases_keeps_its_place_and_enters_no_figure():
    bad, score, month = months([0.8, 0.75, 0.7, 0.65])
    bad[month == 1] = False
    told = gini_by_period(bad, score, month)
    assert isinstance(told.periods["1"], NotJudged)
    assert "0 bad and 300 good" in told.periods["1"].why
    ginis = [told.periods[name].gini for name in ("0", "2", "3")]
    assert told.slope == pytest.approx(linregress([0, 2, 3], ginis).slope)


def test_what_has_no_place_in_time_is_refused_and_two_periods_are_too_few():
    bad, score, month = months([0.8, 0.7, 0.6])
    with pytest.raises(DataRefused, match="periods that are missing"):
        gini_by_period(bad, score, np.where(month == 0, np.nan, month))
    with pytest.raises(TooFew, match="2 periods of 2"):
        gini_by_period(bad, score, month > 0)
