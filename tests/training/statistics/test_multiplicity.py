"""Adjusted p-values are what their procedures define, however many tests there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from simulations import PROPERTY, SIMULATIONS, random_for, require_share

from features.errors import DataRefused
from training.statistics.multiplicity import false_discoveries, holm

p_values = st.lists(st.one_of(st.floats(0, 1), st.just(0.03)), max_size=25)


def rejected_by_holm(found: list[float], level: float) -> set[int]:
    """Return which tests Holm's procedure rejects, step by step: the smallest first, until one is too large."""
    rejected: set[int] = set()
    for step, place in enumerate(sorted(range(len(found)), key=found.__getitem__)):
        if found[place] * (len(found) - step) > level:
            break
        rejected.add(place)
    return rejected


@PROPERTY
@given(p_values, st.floats(0.001, 0.5))
def test_what_holm_rejects_step_by_step_is_what_is_below_the_level_after_adjusting(found, level):
    assert set(np.flatnonzero(holm(found) <= level)) == rejected_by_holm(found, level)


@PROPERTY
@given(p_values)
def test_adjusting_keeps_the_order_and_holm_is_the_stricter(found):
    told, milder = holm(found), false_discoveries(found)
    assert np.all(told >= np.array(found))
    assert np.all(told >= milder - 1e-12)
    order = np.argsort(found)
    assert np.all(np.diff(told[order]) >= 0)


def test_a_p_value_that_is_missing_is_refused():
    for wrong in ([0.1, float("nan")], [1.2], [[0.1]]):
        with pytest.raises(DataRefused, match="missing or out of range"):
            holm(wrong)


def test_any_false_alarm_among_correlated_tests_is_as_rare_as_the_level():
    name = "Holm over 20 correlated tests: any false alarm at 5 %"
    random = random_for(name)

    def alarmed() -> bool:
        z = np.sqrt(0.5) * random.normal() + np.sqrt(0.5) * random.normal(size=20)
        return bool((holm(norm.sf(z)) < 0.05).any())

    require_share(name, (alarmed() for _ in range(SIMULATIONS)), 0, 0.05)
