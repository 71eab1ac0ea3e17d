"""The supervisor's back-test fails a right grade as seldom as it says and a wrong one as often as its power says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from simulations import PROPERTY, SIMULATIONS, random_for, require_share

from features.errors import UsageError
from training.statistics.backtest import Light, back_test, back_test_power, jeffreys_p_value


@PROPERTY
@given(st.integers(0, 30), st.integers(30, 60), st.floats(0.01, 0.99))
def test_the_p_value_is_the_posterior_probability_that_the_share_is_at_most_the_probability(bad, cases, probability):
    def density(angle: float) -> float:  # of the share sin^2(angle): Jeffreys' prior is flat in it
        return np.sin(angle) ** (2 * bad) * np.cos(angle) ** (2 * (cases - bad))

    edge, mode = np.arcsin(np.sqrt(probability)), np.arcsin(np.sqrt(bad / cases))
    below, above = (
        quad(density, low, high, points=[mode], limit=200)[0] for low, high in ((0, edge), (edge, np.pi / 2))
    )
    assert jeffreys_p_value(bad, cases, probability) == pytest.approx(below / (below + above), abs=1e-6)


def test_lights_follow_the_p_values_and_a_grade_without_cases_is_not_there():
    bad = np.repeat([False, True, False, True, False, True], [980, 20, 965, 35, 950, 50])
    told = back_test(bad, np.full(3_000, 0.025), np.repeat(["A", "B", "C"], 1_000), amber=0.05, red=0.001)
    assert [(one.band.name, one.band.bad, one.light) for one in told] == [
        ("A", 20, Light.GREEN),
        ("B", 35, Light.AMBER),
        ("C", 50, Light.RED),
    ]
    assert np.all(np.diff([one.p_value for one in told]) < 0)


def test_levels_in_the_wrong_order_are_refused():
    with pytest.raises(UsageError, match=r"red of 0\.2"):
        back_test([True], [0.1], ["A"], amber=0.1, red=0.2)


@PROPERTY
@given(st.integers(20, 400), st.floats(0.005, 0.3), st.floats(1, 3))
def test_a_grade_that_is_worse_fails_more_often(cases, probability, times):
    size = back_test_power(cases, probability, probability, level=0.05)
    assert back_test_power(cases, probability, min(0.99, probability * times), level=0.05) >= size - 1e-12


@pytest.mark.parametrize(("cases", "probability"), [(2_000, 0.03), (5_000, 0.01), (1_000, 0.2), (20_000, 0.005)])
def test_the_size_in_large_grades_is_near_the_level(cases, probability):
    assert 0.04 <= back_test_power(cases, probability, probability, level=0.05) <= 0.06


def test_in_a_small_grade_the_size_is_not_the_level_and_is_told():
    assert back_test_power(20, 0.008, 0.008, level=0.05) > 0.14  # one bad case is enough to fail


@pytest.mark.parametrize(("truth", "words"), [(0.03, "right"), (0.045, "half again as bad")])
def test_the_exact_size_and_power_are_what_simulation_finds(truth, words):
    name = f"Jeffreys back-test of 1,500 cases at 3 %, {words}: failed"
    random = random_for(name)
    exact = back_test_power(1_500, 0.03, truth, level=0.05)

    def failed() -> bool:
        (grade,) = back_test(random.random(1_500) < truth, np.full(1_500, 0.03), np.zeros(1_500), amber=0.05, red=0.01)
        return grade.light is not Light.GREEN

    require_share(name, (failed() for _ in range(SIMULATIONS)), exact, exact)
