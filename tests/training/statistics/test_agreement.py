"""Explanations that name the same reasons overlap wholly, and one that carries the score beats one drawn by lot."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from simulations import PROPERTY

from features.errors import DataRefused, UsageError
from training.statistics.agreement import deletion_area, deletions, reason_overlap

shape = st.shared(st.tuples(st.integers(1, 6), st.integers(1, 7)), key="shape")
attribution = shape.flatmap(lambda size: arrays(np.float64, size, elements=st.integers(-3, 3).map(float)))


def named(row: np.ndarray, most: int) -> list[int]:
    """Return the features that a case's explanation names, the largest contribution first."""
    return [place for place in sorted(range(len(row)), key=lambda place: -row[place]) if row[place] > 0][:most]


@PROPERTY
@given(attribution, attribution, st.integers(1, 8))
def test_the_overlap_is_the_one_found_case_by_case(first, second, most):
    told = reason_overlap(first, second, most)
    for case, (one, other) in enumerate(zip(first, second, strict=True)):
        lists = named(one, most), named(other, most)
        longer = max(map(len, lists))
        by_hand = len(set(lists[0]) & set(lists[1])) / longer if longer else 1.0
        assert told.of_case[case] == pytest.approx(by_hand)
    same = [named(one, 1) == named(other, 1) for one, other in zip(first, second, strict=True)]
    assert told.same_first == pytest.approx(np.mean(same))
    assert told.mean == pytest.approx(told.of_case.mean())


@PROPERTY
@given(attribution, st.integers(1, 8))
def test_an_explanation_agrees_with_itself_and_with_itself_made_larger(first, most):
    for second in (first, 3 * first):
        told = reason_overlap(first, second, most)
        assert (told.mean, told.same_first) == (1, 1)


def test_by_size_a_reason_that_lowers_risk_counts_too():
    first, second = [[-3.0, 1.0, 0.0]], [[-3.0, 0.0, 1.0]]
    assert reason_overlap(first, second, 1, raising=False).mean == 1
    assert reason_overlap(first, second, 1).mean == 0
    assert reason_overlap([[-1.0]], [[-2.0]], 1).mean == 1  # neither names a reason


def test_attributions_of_other_cases_or_with_gaps_are_refused():
    with pytest.raises(UsageError, match="shapes"):
        reason_overlap(np.ones((2, 3)), np.ones((3, 3)), 1)
    with pytest.raises(DataRefused, match="1 numbers of 2 missing"):
        reason_overlap([[1.0, np.nan]], [[1.0, 2.0]], 1)
    with pytest.raises(UsageError, match="most of 0"):
        reason_overlap([[1.0]], [[1.0]], 0)


@PROPERTY
@given(attribution)
def test_deletions_begin_with_the_cases_and_end_with_the_reference_and_change_one_feature_at_a_time(told):
    values = np.arange(told.size, dtype=float).reshape(told.shape) + 1
    steps = list(deletions(values, told, -np.arange(told.shape[1]) - 1.0))
    assert len(steps) == told.shape[1] + 1
    assert np.array_equal(steps[0], values)
    assert np.all(steps[-1] == -np.arange(told.shape[1]) - 1)
    for before, after in pairwise(steps):
        assert np.all((before != after).sum(axis=1) == 1)
    first = np.argmax(steps[0] != steps[1], axis=1)
    assert np.array_equal(first, told.argmax(axis=1)), "what raises the score most is replaced first"


def test_an_attribution_that_carries_the_score_has_less_area_than_one_drawn_by_lot():
    random = np.random.default_rng(7)
    values, weight = random.normal(size=(300, 8)), np.array([3.0, 2, 1, 0.5, 0, 0, 0, 0])

    def area(attribution: np.ndarray) -> float:
        return deletion_area([step @ weight for step in deletions(values, attribution, np.zeros(8))])

    true, by_lot = area(values * weight), area(random.normal(size=values.shape))
    assert true < area(values * weight + random.normal(size=values.shape)) < by_lot
    assert true == min(true, area(-values * weight))


def test_the_area_is_that_under_the_mean_score():
    assert deletion_area([[4.0, 2.0], [1.0, 1.0], [0.0, 0.0]]) == pytest.approx((3 / 2 + 1 + 0) / 2)
    with pytest.raises(DataRefused):
        deletion_area([[1.0], [np.inf]])
