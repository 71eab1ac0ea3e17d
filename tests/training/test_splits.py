"""No borrower on both sides of a split, nothing of the future, and an embargo between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_cohorts import BEGIN, cohort_of

from features.errors import UsageError
from training.splits import splits

many = st.integers(40, 90).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 400), min_size=size, max_size=size),
        st.lists(st.integers(0, 25), min_size=size, max_size=size),
        st.lists(st.booleans(), min_size=size, max_size=size),
    )
)


@settings(max_examples=80, deadline=None)
@given(many, st.integers(0, 60))
def test_by_time_nobody_is_on_both_sides_and_the_embargo_holds(drawn, embargo):
    cohort = cohort_of(*drawn)
    try:
        among = splits(cohort, by="time", embargo_days=embargo, folds=3)
    except UsageError:
        return
    days, borrowers = cohort.observed_on, cohort.borrowers
    begins = min(days[split.judge_on].min() for split in among)
    for split in among:
        assert not set(borrowers[split.fit_on]) & set(borrowers[split.judge_on])
        gap = (days[split.judge_on].min() - days[split.fit_on].max()).astype(int)
        assert gap >= max(embargo, 1)
    judged = np.concatenate([split.judge_on for split in among])
    assert sorted(judged) == np.flatnonzero(days >= begins).tolist()


@settings(max_examples=40, deadline=None)
@given(many)
def test_by_time_who_is_left_out_of_the_fit_does_not_depend_on_the_outcome(drawn):
    days, borrowers, bad = drawn
    for outcomes in (bad, [not told for told in bad]):
        try:
            among = splits(cohort_of(days, borrowers, outcomes), by="time", embargo_days=0, folds=3)
        except UsageError:
            return
        told = [(split.fit_on.tolist(), split.judge_on.tolist()) for split in among]
        if outcomes is bad:
            first = told
    assert told == first


def test_by_time_borrowers_who_come_again_stay_in_the_fit_of_the_others():
    # Whoever comes again was bad the first time: a fit without them would have seen good loans alone.
    cohort = cohort_of([0] * 40 + [200] * 40, [*range(40)] * 2, [True, False] * 40)
    early = [split.fit_on.tolist() for split in splits(cohort, by="time", embargo_days=0, folds=4)]
    assert [len(fit_on) for fit_on in early] == [30] * 4
    assert sorted(place for fit_on in early for place in fit_on) == sorted([*range(40)] * 3)


@settings(max_examples=40, deadline=None)
@given(many)
def test_by_borrower_every_case_is_judged_once_and_nobody_is_on_both_sides(drawn):
    days, borrowers, bad = drawn
    cohort = cohort_of(days, [*range(20), *borrowers[20:]], [*([True] * 10), *([False] * 10), *bad[20:]])
    told = splits(cohort, by="borrower", folds=3)
    for split in told:
        assert not set(cohort.borrowers[split.fit_on]) & set(cohort.borrowers[split.judge_on])
    assert sorted(np.concatenate([split.judge_on for split in told])) == list(range(len(cohort)))


def test_more_folds_than_borrowers_are_refused():
    cohort = cohort_of([0] * 40, [*range(2)] * 20, [True, False] * 20)
    with pytest.raises(UsageError, match="3 folds for 2 borrowers"):
        splits(cohort, by="borrower", folds=3)


def test_stratified_folds_of_repeated_borrowers_are_refused_with_the_reason():
    cohort = cohort_of([0] * 40, [*range(39), 0], [True, False] * 20)
    with pytest.raises(UsageError, match="a borrower has several cases"):
        splits(cohort, by="folds")
    assert splits(cohort)[0].words.endswith("by borrower")


def test_the_cases_decide_when_nobody_says():
    alone = cohort_of([0] * 40, list(range(40)), [True, False] * 20)
    assert [split.words for split in splits(alone, folds=2)] == ["fold 1 of 2", "fold 2 of 2"]
    long = cohort_of([*range(0, 400, 10)], list(range(40)), [True, False] * 20)
    (split,) = splits(long)
    assert "judged from" in split.words


def test_a_split_by_time_that_leaves_one_side_empty_is_refused():
    cohort = cohort_of([0] * 40, list(range(40)), [True, False] * 20)
    with pytest.raises(UsageError, match="fits on 0 and judges on 40"):
        splits(cohort, by="time", test_from=BEGIN)


def test_helping_loans_of_borrowers_who_are_judged_do_not_help():
    helpers = cohort_of([0] * 4, [0, 1, 2, 99], [True, False, True, False])
    cohort = replace(cohort_of([0] * 4, [0, 1, 2, 3], [True, False, True, False]), helpers=helpers)
    part = cohort.rows(np.array([0, 1]))
    assert part.helpers is not None
    assert part.helpers.borrowers.tolist() == ["B0", "B1", "B99"]


def test_a_part_of_the_cases_has_no_helper_of_a_later_day():
    helpers = cohort_of([0, 50, 51, 90], [90, 91, 92, 93], [True, False, True, False])
    cohort = replace(cohort_of([0, 50, 90, 99], [0, 1, 2, 3], [True, False, True, False]), helpers=helpers)
    part = cohort.rows(np.array([0, 1]))
    assert part.helpers is not None
    assert part.helpers.borrowers.tolist() == ["B90", "B91"]
