"""Slope, intercept, error and parts of the Brier score are what they are defined to be, as surely as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from simulations import PROPERTY, SIMULATIONS, calibrated, random_for, require_share, require_uniform
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from features.errors import DataRefused
from training.statistics.bins import equal_bands
from training.statistics.brier import brier_parts
from training.statistics.calibration_error import calibration_error
from training.statistics.inputs import TooFew
from training.statistics.recalibration import recalibration

cases = st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=60)


@PROPERTY
@given(cases)
def test_the_parts_of_the_brier_score_sum_to_it(drawn):
    bad, probability, band = (np.array(column) for column in zip(*drawn, strict=True))
    told = brier_parts(bad, probability, band)
    parts = told.reliability - told.resolution + told.uncertainty + told.within_variance - told.within_covariance
    assert parts == pytest.approx(told.brier, abs=1e-12)
    assert told.brier == pytest.approx(np.mean((probability - bad) ** 2), abs=1e-12)
    assert min(told.reliability, told.resolution, told.uncertainty, told.within_variance) >= 0


def test_where_a_band_is_one_probability_nothing_is_hidden_in_it():
    bad, probability = np.array([1, 0, 0, 1, 1]), np.array([0.2, 0.2, 0.2, 0.8, 0.8])
    told = brier_parts(bad, probability, probability)
    assert told.within_variance == pytest.approx(0, abs=1e-15)
    assert told.within_covariance == pytest.approx(0, abs=1e-15)
    assert told.reliability == pytest.approx((3 * (1 / 3 - 0.2) ** 2 + 2 * 0.2**2) / 5)
    assert told.brier == pytest.approx(brier_score_loss(bad, probability))


def test_slope_and_intercept_are_those_of_a_logistic_regression():
    bad, probability = calibrated(np.random.default_rng(4), 3_000)
    bold = expit(1.7 * logit(probability) + 0.4)
    told = recalibration(bad, bold)
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(logit(bold)[:, None], bad)
    assert told.slope.value == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    assert told.intercept.value == pytest.approx(fitted.intercept_[0], abs=1e-5)
    moved = expit(logit(bold) + told.in_the_large.value)
    assert moved.sum() == pytest.approx(bad.sum())
    again = recalibration(bad, expit(told.intercept.value + told.slope.value * logit(bold)))
    assert (again.slope.value, again.intercept.value) == pytest.approx((1, 0), abs=1e-9)
    assert again.p_value == pytest.approx(1)
    assert told.p_value < 1e-6


@PROPERTY
@given(st.floats(-2, 2), st.floats(0.3, 3), st.integers(0, 2**32 - 1))
def test_a_calibration_that_is_bent_on_purpose_is_found_bent_by_as_much(level, slope, seed):
    bad, probability = calibrated(np.random.default_rng(seed), 400)
    straight, bent = recalibration(bad, probability), recalibration(bad, expit(level + slope * logit(probability)))
    assert bent.slope.value == pytest.approx(straight.slope.value / slope, rel=1e-6, abs=1e-8)
    assert bent.intercept.value == pytest.approx(straight.intercept.value - level * bent.slope.value, abs=1e-6)


def test_what_no_slope_can_be_fitted_to_is_told_apart():
    with pytest.raises(TooFew, match="all the same"):
        recalibration([True, False], [0.3, 0.3])
    with pytest.raises(TooFew, match="without error"):
        recalibration([False, False, True, True], [0.1, 0.2, 0.8, 0.9])
    with pytest.raises(TooFew, match="at least 1 of each"):
        recalibration([True, True], [0.3, 0.4])
    with pytest.raises(DataRefused, match="more than 0 and less than 1"):
        recalibration([True, False], [0.3, 1.0])


def test_right_probabilities_have_slope_1_and_intercept_0_as_surely_as_they_say():
    random = random_for("recalibration")
    told = [recalibration(*calibrated(random, 800)) for _ in range(SIMULATIONS)]
    require_uniform("slope 1 and intercept 0", (one.p_value for one in told))
    require_share("calibration slope: covered", (one.slope.interval().holds(1) for one in told), 0.94, 0.96)
    require_share("calibration intercept: covered", (one.intercept.interval().holds(0) for one in told), 0.94, 0.96)
    require_share(
        "calibration in the large: covered", (one.in_the_large.interval().holds(0) for one in told), 0.94, 0.96
    )


@PROPERTY
@given(cases)
def test_the_calibration_error_is_the_mean_distance_and_lies_within_its_bounds(drawn):
    bad, probability, band = (np.array(column) for column in zip(*drawn, strict=True))
    told = calibration_error(bad, probability, band)
    by_hand = sum(abs(bad[band == one].sum() - probability[band == one].sum()) for one in set(band.tolist())) / len(bad)
    assert told.value == pytest.approx(by_hand, abs=1e-12)
    assert 0 <= told.low <= told.value <= told.high <= 1


BENDS = {
    "right": lambda log_odds: log_odds,
    "too bold": lambda log_odds: 0.8 * log_odds - 0.2,
    "too low": lambda log_odds: log_odds + 0.2,
    "wrong in the riskiest tenth": lambda log_odds: log_odds + 0.4 * (log_odds > -0.2),
}


@pytest.mark.parametrize("bend", BENDS)
def test_the_interval_of_the_calibration_error_covers_the_true_one_at_least_as_often_as_it_says(bend):
    name = f"calibration error of probabilities that are {bend}: covered"
    random = random_for(name)

    def covered() -> bool:
        _, probability = calibrated(random, 3_000)
        truth = expit(BENDS[bend](logit(probability)))
        bad, band = random.random(3_000) < truth, equal_bands(probability, 10)
        away = np.abs(np.bincount(band, weights=truth - probability)).sum() / 3_000
        return calibration_error(bad, probability, band).interval.holds(float(away))

    require_share(name, (covered() for _ in range(SIMULATIONS)), 0.95, 1)


def test_right_probabilities_have_the_error_that_chance_makes_and_their_lower_bound_is_0():
    random = random_for("error by chance")
    books = [calibrated(random, 3_000) for _ in range(SIMULATIONS)]
    told = [calibration_error(bad, p, equal_bands(p, 10)) for bad, p in books]
    assert np.mean([one.value for one in told]) == pytest.approx(np.mean([one.by_chance for one in told]), rel=0.06)
    require_share("calibration error of right probabilities: lower bound 0", (one.low == 0 for one in told), 0.95, 1)
