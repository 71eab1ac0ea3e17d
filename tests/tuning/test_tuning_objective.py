"""The objective is the mean Gini of the periods, less what is lost with time: small enough to be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cohorts import cohort_of

from training.splits import Split
from training.statistics.periods import gini_by_period
from training.tuning.objective import FALL_WEIGHT, SPREAD_WEIGHT, Objective, steadiness

WEEK = 7


def book(weeks: int, of_each: int = 25):
    days = [week * WEEK for week in range(weeks) for _ in range(2 * of_each)]
    return cohort_of(days, [*range(len(days))], [True, False] * (len(days) // 2))


def whole(cohort) -> list[Split]:
    return [Split(np.arange(0), np.arange(len(cohort)), "all")]


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 8), st.integers(0, 2**16))
def test_of_weekly_periods_and_one_card_it_is_the_published_metric(weeks, seed):
    cohort = book(weeks)
    chance = np.random.default_rng(seed)
    score = chance.normal(size=len(cohort)) + cohort.bad * chance.uniform(0, 2)
    week = (cohort.observed_on - cohort.observed_on[0]).astype(int) // WEEK
    published = gini_by_period(cohort.bad, score, week).objective(
        falling_weight=FALL_WEIGHT, spread_weight=SPREAD_WEIGHT
    )
    assert Objective.of(cohort, whole(cohort)).told([score]).value == pytest.approx(published)


def test_months_are_marked_down_for_the_same_fall_in_time_as_weeks_are():
    by_week = steadiness(np.array([0.50, 0.49, 0.48, 0.47, 0.46]), np.arange(5.0))
    by_month = steadiness(np.array([0.50, 0.46]), np.array([0.0, 4.0]))
    assert by_week.slope == pytest.approx(by_month.slope)
    assert by_week.value == pytest.approx(0.48 - 0.01 * FALL_WEIGHT)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 0.8), min_size=3, max_size=12), st.floats(0, 0.1))
def test_a_card_that_falls_is_never_worth_more_than_one_as_good_that_does_not(ginis, fall):
    weeks = np.arange(float(len(ginis)))
    level = np.full(len(ginis), float(np.mean(ginis)))
    falling = level - fall * (weeks - weeks.mean())
    assert steadiness(falling, weeks).value <= steadiness(level, weeks).value + 1e-9
    assert steadiness(np.array(ginis), weeks).value <= steadiness(level, weeks).value + 1e-9


def test_dates_are_put_together_until_a_period_has_enough_of_each_outcome():
    objective = Objective.of(book(weeks=7, of_each=10), whole(book(weeks=7, of_each=10)))
    assert objective.periods is not None
    assert np.bincount(objective.periods).tolist() == [40, 40, 60]
    assert Objective.of(book(2), whole(book(2))).weeks is None


def test_scores_of_different_splits_are_never_compared_with_each_other():
    cohort = book(4)
    halves = [Split(np.arange(0), np.arange(place, len(cohort), 4), "") for place in (0, 1)]
    halves = [
        replace(halves[0], judge_on=np.flatnonzero(np.arange(len(cohort)) // 2 % 2 == 0)),
        replace(halves[1], judge_on=np.flatnonzero(np.arange(len(cohort)) // 2 % 2 == 1)),
    ]
    score = np.random.default_rng(1).normal(size=len(cohort)) + cohort.bad
    objective = Objective.of(cohort, halves)
    told = objective.told([score[split.judge_on] for split in halves])
    moved = objective.told([score[halves[0].judge_on], 100 + 3 * score[halves[1].judge_on]])
    assert moved == told


def test_of_one_date_it_is_the_mean_of_the_folds_less_half_their_spread():
    cohort = book(1, of_each=40)
    folds = [Split(np.arange(0), np.arange(0, 40), "a"), Split(np.arange(0), np.arange(40, 80), "b")]
    perfect, none = cohort.bad[:40].astype(float), np.zeros(40)
    told = Objective.of(cohort, folds).told([perfect, none])
    assert told.parts == (1.0, 0.0)
    assert told.value == 0.5 - SPREAD_WEIGHT * 0.5
    assert Objective.of(cohort, folds).so_far([perfect]) == 1.0
