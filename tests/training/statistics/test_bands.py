"""Bands hold what they are said to hold, and tests of calibration fail right probabilities as seldom as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, chi2
from simulations import PROPERTY, SIMULATIONS, calibrated, random_for, require_share, require_uniform

from features.errors import DataRefused
from training.statistics.bands import band_table
from training.statistics.bins import equal_bands
from training.statistics.calibration_tests import hosmer_lemeshow, spiegelhalter
from training.statistics.inputs import TooFew

scores = st.lists(st.integers(0, 30), min_size=1, max_size=100)


@PROPERTY
@given(scores, st.integers(1, 12))
def test_bands_rise_with_the_score_and_split_no_tie(drawn, count):
    score = np.array(drawn, dtype=float)
    band = equal_bands(score, count)
    assert set(band) == set(range(band.max() + 1)), "a band without a case"
    assert band.max() < count
    order = np.argsort(score, kind="stable")
    assert np.all(np.diff(band[order]) >= 0)
    assert all(len(set(band[score == value])) == 1 for value in set(drawn))


def test_without_ties_bands_are_of_equal_size():
    assert np.bincount(equal_bands(np.random.default_rng(0).normal(size=1_000), 10)).tolist() == [100] * 10


def test_a_table_counts_each_case_once_in_the_order_of_its_bands():
    bad = np.array([True, False, True, True, False])
    told = band_table(bad, [0.1, 0.3, 0.5, 0.7, 0.9], np.array([10, 10, 2, 2, 2]))
    assert [(one.name, one.cases, one.bad) for one in told] == [("2", 3, 2), ("10", 2, 1)]
    assert told[0].expected == pytest.approx(2.1)
    assert told[0].predicted == pytest.approx(0.7)
    assert told[0].observed == pytest.approx(2 / 3)
    assert (told[0].low, told[0].high) == pytest.approx(beta.ppf([0.025, 0.975], 2.5, 1.5))
    assert told[0].covered


def test_a_band_without_a_bad_case_may_hold_none_and_one_of_bad_cases_only_all():
    none, only = band_table([False, False, True], [0.1, 0.1, 0.9], ["A", "A", "B"])
    assert none.low == 0 < none.high < 1
    assert 0 < only.low < only.high == 1


def test_hosmer_and_lemeshow_s_statistic_is_the_sum_of_its_bands():
    bad, probability = np.array([1, 0, 0, 1, 1, 0]), np.array([0.2, 0.2, 0.2, 0.5, 0.5, 0.5])
    told = hosmer_lemeshow(bad, probability, probability)
    by_hand = (1 - 0.6) ** 2 / (3 * 0.2 * 0.8) + (2 - 1.5) ** 2 / (3 * 0.5 * 0.5)
    assert told.statistic == pytest.approx(by_hand, abs=1e-12)
    assert told.freedom == 2
    assert told.p_value == pytest.approx(chi2.sf(by_hand, 2), abs=1e-12)
    assert told.least_expected == pytest.approx(0.6)


def test_what_was_certain_and_did_not_happen_refutes_the_probabilities_and_what_did_says_nothing():
    probability = np.array([0.0, 0.0, 0.4, 0.6])
    right = hosmer_lemeshow([False, False, True, False], probability, ["A", "A", "B", "B"])
    wrong = hosmer_lemeshow([True, False, True, False], probability, ["A", "A", "B", "B"])
    assert (right.freedom, right.p_value > 0.5) == (1, True)
    assert (wrong.statistic, wrong.p_value) == (float("inf"), 0.0)
    with pytest.raises(TooFew, match="0 bands in which anything is uncertain"):
        hosmer_lemeshow([False, True], [0.0, 1.0], ["A", "B"])


def test_bands_say_nothing_of_probabilities_that_were_fitted_to_as_many():
    with pytest.raises(TooFew, match="expected at least 3"):
        hosmer_lemeshow([True, False], [0.4, 0.6], ["A", "B"], fitted_on_these=True)


def test_spiegelhalter_s_test_is_blind_to_one_half():
    with pytest.raises(TooFew, match="probabilities of 0, 1/2 or 1"):
        spiegelhalter([True, False], [0.5, 0.5])
    alone, beside = spiegelhalter([True], [0.2]), spiegelhalter([True, False], [0.2, 0.5])
    assert alone.z == pytest.approx(0.8 * 0.6 / np.sqrt(0.36 * 0.16))
    assert beside == alone


@pytest.mark.parametrize("probability", [[0.1, 1.2], [-0.1, 0.5], [0.1, float("nan")]])
def test_a_number_that_is_no_probability_is_refused(probability):
    for measure in (lambda bad, p: band_table(bad, p, [0, 0]), spiegelhalter):
        with pytest.raises(DataRefused, match="the first in row"):
            measure([True, False], probability)


def test_right_probabilities_fail_the_tests_as_seldom_as_chance_has_it():
    random = random_for("calibration tests")
    books = [calibrated(random, 2_000) for _ in range(SIMULATIONS)]
    bands = [(bad, p, equal_bands(p, 10)) for bad, p in books]
    require_uniform("Hosmer-Lemeshow", (hosmer_lemeshow(*book).p_value for book in bands))
    require_uniform("Spiegelhalter", (spiegelhalter(*book).p_value for book in books))


def test_an_error_that_was_let_pass_fails_as_seldom_as_it_should_in_any_number_of_cases():
    name = "Hosmer-Lemeshow with an error at the edge of what is let pass: found"
    random, share, error = random_for(name), np.tile([0.1, 0.3], 10_000), 0.02
    spread = np.mean(error**2 / (share * (1 - share)))

    def found() -> bool:
        bad = random.random(20_000) < share + error
        return hosmer_lemeshow(bad, share, share, allowing=float(np.sqrt(spread))).p_value < 0.05

    require_share(name, (found() for _ in range(SIMULATIONS)), 0.03, 0.07)
    assert hosmer_lemeshow(random.random(20_000) < share + error, share, share).p_value < 1e-6


@pytest.mark.parametrize(("cases", "share"), [(30, 0.05), (200, 0.02), (100, 0.4)])
def test_jeffreys_interval_covers_on_average_over_shares_what_it_says(cases, share):
    name = f"Jeffreys' interval of about {share:.0%} of {cases}: covered"
    random = random_for(name)

    def covered() -> bool:
        # The coverage of one share jumps with it, counts being whole numbers: shares about this one are drawn.
        true = share * random.uniform(0.6, 1.4)
        (band,) = band_table(random.random(cases) < true, np.full(cases, 0.5), np.zeros(cases))
        return band.low <= true <= band.high

    require_share(name, (covered() for _ in range(SIMULATIONS)), 0.94, 0.97)
