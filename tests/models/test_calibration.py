"""Calibrated probabilities follow what happened, and never turn the order of two loans around."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from models.calibration import IDENTITY, Calibration, best_calibration, isotonic, sigmoid

RAW = np.random.default_rng(5).normal(-1, 1.5, 6_000)


def outcomes(log_odds, seed=1):
    return np.random.default_rng(seed).random(len(log_odds)) < expit(log_odds)


@pytest.mark.parametrize("fit", [sigmoid, isotonic])
def test_a_known_distortion_is_undone(fit):
    bad = outcomes(0.5 + 0.6 * RAW)
    told = fit(RAW, bad).probability(RAW)
    assert np.abs(told - expit(0.5 + 0.6 * RAW)).mean() < 0.03


def test_scores_that_are_right_already_are_left_nearly_alone():
    bad = outcomes(RAW)
    told = best_calibration(RAW, bad, seed=0).probability(RAW)
    assert np.abs(told - expit(RAW)).mean() < 0.02


def test_a_shape_that_no_line_mends_is_calibrated_by_steps():
    curved = np.where(RAW > 0, RAW * 0.1 + 2, RAW * 2 - 2)
    assert best_calibration(RAW, outcomes(curved), seed=0).kind == "isotonic"


def test_too_few_outcomes_are_left_uncalibrated():
    bad = np.zeros(200, dtype=bool)
    bad[:10] = True
    assert best_calibration(RAW[:200], bad, seed=0) is IDENTITY


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=40), st.integers(0, 100))
def test_a_higher_score_never_has_a_lower_probability(raw, seed):
    fitted = isotonic(RAW[:1000], outcomes(RAW[:1000], seed))
    rising = np.sort(np.array(raw))
    assert (np.diff(fitted.log_odds(rising)) >= -1e-12).all()
    assert (np.diff(fitted.probability(rising)) >= -1e-15).all()


@given(st.integers(0, 50))
def test_a_calibration_survives_being_written_down(seed):
    fitted = isotonic(RAW[:500], outcomes(RAW[:500], seed))
    assert Calibration.from_dict(fitted.as_dict()) == fitted


def test_the_logarithm_of_a_tiny_probability_is_exact():
    assert IDENTITY.log_probability(np.array([-800.0]))[0] == -800.0


def test_knots_that_fall_are_refused():
    with pytest.raises(ValueError, match="rise strictly"):
        Calibration("broken", (0.0, 1.0), (1.0, 0.0))


@given(st.integers(0, 100))
def test_beyond_the_outer_steps_a_unit_of_raw_log_odds_counts_as_one(seed):
    fitted = isotonic(RAW[:1500], outcomes(RAW[:1500], seed))
    low, high = fitted.raw[0], fitted.raw[-1]
    far = fitted.log_odds(np.array([low - 7, low, high, high + 7]))
    np.testing.assert_allclose(np.diff(far)[[0, 2]], 7, rtol=1e-9)


@given(st.integers(0, 20), st.floats(-6, 6))
def test_the_slope_of_the_log_probability_is_that_of_its_central_difference(seed, raw):
    fitted, step = isotonic(RAW[:1000], outcomes(RAW[:1000], seed)), 1e-6
    if min(abs(np.array(fitted.raw) - raw)) < 2 * step:
        return
    low, high = fitted.log_probability(np.array([raw - step, raw + step]))
    told = fitted.log_probability_slope(np.array([raw]))[0]
    assert abs(told - (high - low) / (2 * step)) <= 1e-4 * max(1, told)
