"""Whatever cannot be measured is refused in words that tell what, where and why, and that show no borrower's value."""

from __future__ import annotations

import numpy as np
import pytest
from simulations import binormal

from features.errors import DataRefused, UsageError
from training.statistics.auc import auc
from training.statistics.backtest import back_test
from training.statistics.bands import band_table
from training.statistics.brier import brier_parts
from training.statistics.calibration_error import calibration_error
from training.statistics.calibration_tests import hosmer_lemeshow, spiegelhalter
from training.statistics.inputs import MISSING, TooFew, levels
from training.statistics.intervals import jeffreys, reach, wilson
from training.statistics.ks import ks
from training.statistics.paired import paired_test
from training.statistics.periods import gini_by_period
from training.statistics.recalibration import recalibration
from training.statistics.sample_sizes import (
    least_cases_for_auc,
    least_cases_for_auc_difference,
    least_cases_for_psi,
    psi_power,
)
from training.statistics.segments import NotJudged, by_segment
from training.statistics.worked import worked

SCORED = {
    "auc": auc,
    "ks": ks,
    "paired test": lambda bad, score: paired_test(bad, score, score),
    "worked": lambda bad, score: worked(bad, score, [0.1], repeats=2),
    "periods": lambda bad, score: gini_by_period(bad, score, np.arange(len(bad)) % 3),
    "bands": lambda bad, score: band_table(bad, score, np.zeros(len(bad))),
    "back-test": lambda bad, score: back_test(bad, score, np.zeros(len(bad)), amber=0.05, red=0.01),
    "Hosmer-Lemeshow": lambda bad, score: hosmer_lemeshow(bad, score, np.zeros(len(bad))),
    "Spiegelhalter": spiegelhalter,
    "slope": recalibration,
    "Brier": lambda bad, score: brier_parts(bad, score, np.zeros(len(bad))),
    "calibration error": lambda bad, score: calibration_error(bad, score, np.zeros(len(bad))),
}
NEEDS_BOTH = ("auc", "ks", "paired test", "worked", "periods", "slope")
SECRET = 0.123456


@pytest.mark.parametrize("measure", SCORED)
def test_a_score_that_is_missing_or_infinite_is_refused_by_its_row(measure):
    for wrong in (np.nan, np.inf):
        with pytest.raises(DataRefused, match=r"1 of 4 .* the first in row 2") as refused:
            SCORED[measure]([True, False, True, False], [SECRET, 0.2, wrong, 0.4])
        assert str(SECRET) not in str(refused.value)
        assert all(getattr(refused.value, part) for part in ("found", "where", "expected", "do"))


@pytest.mark.parametrize("measure", SCORED)
def test_an_outcome_that_is_neither_is_refused(measure):
    for wrong in ([0, 1, 2, 1], [0.0, 1.0, np.nan, 1.0], ["yes", "no", "no", "yes"]):
        with pytest.raises(DataRefused, match="neither good nor bad"):
            SCORED[measure](wrong, [0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("measure", SCORED)
def test_columns_of_different_length_are_refused(measure):
    for score in ([0.1, 0.2, 0.3], [[0.1, 0.2, 0.3, 0.4]]):
        with pytest.raises(UsageError, match="of shape"):
            SCORED[measure]([True, False, True, False], score)


@pytest.mark.parametrize("measure", NEEDS_BOTH)
def test_outcomes_of_one_kind_are_too_few(measure):
    for only in (True, False):
        with pytest.raises(TooFew):
            SCORED[measure]([only] * 6, np.linspace(0.1, 0.9, 6))


@pytest.mark.parametrize("measure", [name for name in SCORED if name not in {"bands", "back-test"}])
def test_no_cases_are_too_few(measure):
    with pytest.raises(TooFew):
        SCORED[measure](np.array([], dtype=bool), np.array([]))


def test_a_segment_that_cannot_be_judged_is_told_with_the_reason_and_a_fault_in_the_data_is_still_refused():
    bad = np.array([True, True, False, False, True, True, False])
    score = np.array([3.0, 1.0, 2.0, 0.0, 5.0, 6.0, 1.0])
    segment = np.array(["A", "A", "A", "A", "B", "B", None], dtype=object)
    told = by_segment(segment, lambda part: auc(bad[part], score[part]))
    assert told["A"].value == 0.75
    assert told["B"] == NotJudged(2, "2 bad and 0 good cases; expected at least 2 of each")
    assert told[MISSING].cases == 1
    score[0] = np.nan
    with pytest.raises(DataRefused, match="row 0"):
        by_segment(segment, lambda part: auc(bad[part], score[part]))


def test_levels_of_numbers_and_of_text_keep_what_is_missing_apart():
    assert levels([1.5, np.nan, 1.5], where="here")[0] == (MISSING, "1.5")
    assert levels(["b", "a"], where="here")[1].tolist() == [1, 0]
    with pytest.raises(UsageError, match="one column of 3 rows"):
        levels(["a"], 3, where="here")


def test_a_confidence_that_is_none_is_refused():
    for wrong in (0, 1, 95):
        with pytest.raises(UsageError, match="confidence of"):
            reach(wrong)


def test_of_no_cases_nothing_is_known_and_wilson_agrees_with_jeffreys_where_there_are_many():
    low, high = jeffreys(np.array([0]), np.array([0]))
    assert (low[0], high[0]) == (0, 1)
    low, high = jeffreys(np.array([300]), np.array([10_000]))
    assert wilson(300, 10_000) == pytest.approx((low[0], high[0]), rel=5e-3)


def test_the_least_number_of_cases_is_the_least():
    cases = least_cases_for_psi(0.1, 5_000, 10, false_alarm=0.01, power=0.9)
    powers = [psi_power(0.1, 5_000, one, 10, false_alarm=0.01) for one in (cases - 1, cases)]
    assert powers[0] < 0.9 <= powers[1]
    assert least_cases_for_auc(0.75, 0.05, 0.02) > least_cases_for_auc(0.75, 0.2, 0.02)
    assert least_cases_for_auc(0.75, 0.05, 0.02) > least_cases_for_auc(0.75, 0.05, 0.03)
    alone, paired = (least_cases_for_auc_difference(0.02, 0.75, 0.1, correlation=one) for one in (0, 0.8))
    assert paired < alone


def test_what_no_number_of_cases_can_find_is_told():
    with pytest.raises(TooFew, match="1,000,000,000 cases are too few"):
        least_cases_for_psi(0.05, 50, 10, false_alarm=0.01)
    for wrong in ({"value": 1.2}, {"bad_share": 0}, {"half_width": 0}):
        with pytest.raises(UsageError):
            least_cases_for_auc(**{"value": 0.7, "bad_share": 0.1, "half_width": 0.02, **wrong})


def test_an_auc_of_as_many_cases_as_are_said_to_be_enough_has_an_interval_as_narrow_as_asked():
    random = np.random.default_rng(8)
    cases = least_cases_for_auc(0.75, 0.1, 0.03)
    bad = np.arange(cases) < cases // 10

    def half_width(score: np.ndarray) -> float:
        low, high = auc(bad, score).interval()
        return (high - low) / 2

    exponential = [half_width(random.exponential(size=cases) * np.where(bad, 3, 1)) for _ in range(40)]
    assert np.mean(exponential) == pytest.approx(0.03, rel=0.05)
    normal = [half_width(binormal(random, cases // 10, cases - cases // 10, 0.75)[1]) for _ in range(40)]
    assert np.mean(normal) < 0.03
