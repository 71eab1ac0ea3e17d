"""What tuning learns from never tells it of what it is judged on: not by a borrower, and not by the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_cohorts import cohort_of

from features.errors import UsageError
from training.cohort import LEAST_OF_EACH, Cohort
from training.tuning.splits import INNER_PARTS, nested

WINDOW = 30


@st.composite
def books(draw: st.DrawFn, last_day: int) -> Cohort:
    """Draw a cohort of several dates in which borrowers may come again, with helpers of the same borrowers and days."""
    seed, borrowers = draw(st.integers(0, 2**16)), draw(st.sampled_from([70, 300, 5_000]))
    chance = np.random.default_rng(seed)
    size = draw(st.integers(300, 600))

    def drawn(cases: int) -> Cohort:
        days = (chance.integers(0, last_day // 10 + 1, cases) * 10).tolist()
        return cohort_of(days, chance.integers(0, borrowers, cases).tolist(), (chance.random(cases) < 0.4).tolist())

    return replace(drawn(size), helpers=drawn(200))


def days_between(first: Cohort, second: Cohort) -> int:
    return int((second.observed_on.min() - first.observed_on.max()).astype(int))


def nobody_on_both_sides(first: Cohort, second: Cohort) -> bool:
    return not {*first.borrowers, *first.helpers.borrowers} & {*second.borrowers}


@settings(max_examples=40, deadline=None)
@given(books(600), st.sampled_from([None, 0, 60]), st.integers(0, 3))
def test_over_time_no_borrower_and_no_day_is_on_both_sides_of_any_split(whole, embargo, seed):
    try:
        cut = nested(whole, by="time", embargo_days=embargo, seed=seed)
    except UsageError:
        assume(False)
    gap = max(WINDOW if embargo is None else embargo, 1)
    pairs = [(cut.tuned_on, cut.set_apart)]
    pairs += [(cut.tuned_on.rows(split.fit_on), cut.tuned_on.rows(split.judge_on)) for split in cut.among]
    for fitted, judged in pairs:
        assert nobody_on_both_sides(fitted, judged)
        assert days_between(fitted, judged) >= gap
        assert fitted.helpers.observed_on.max() <= fitted.observed_on.max()


@settings(max_examples=30, deadline=None)
@given(books(20), st.integers(0, 3))
def test_within_one_window_no_borrower_is_on_both_sides_and_every_case_is_judged_once(whole, seed):
    cut = nested(whole, seed=seed)
    assert nobody_on_both_sides(cut.tuned_on, cut.set_apart)
    for split in cut.among:
        assert nobody_on_both_sides(cut.tuned_on.rows(split.fit_on), cut.tuned_on.rows(split.judge_on))
    judged = np.concatenate([split.judge_on for split in cut.among])
    assert sorted(judged) == list(range(len(cut.tuned_on)))


@settings(max_examples=30, deadline=None)
@given(books(600), st.integers(0, 3))
def test_blocks_of_time_are_judged_at_most_once_and_every_fit_has_enough_of_both_outcomes(whole, seed):
    try:
        cut = nested(whole, by="time", seed=seed)
    except UsageError:
        assume(False)
    judged = np.concatenate([split.judge_on for split in cut.among])
    assert len(np.unique(judged)) == len(judged)
    for split in cut.among:
        bad = cut.tuned_on.bad[split.fit_on]
        assert min(bad.sum(), (~bad).sum()) >= LEAST_OF_EACH


def test_borrowers_who_come_again_are_dealt_into_parts_of_every_block():
    days = [day for day in range(0, 400, 20) for _ in range(60)]
    borrowers = [*range(60)] * 20
    bad = (np.random.default_rng(0).random(len(days)) < 0.5).tolist()
    cut = nested(replace(cohort_of(days, borrowers, bad), helpers=None))
    assert len(cut.among) == 3 * INNER_PARTS
    assert "inside, 9 splits by time" in cut.words


@pytest.mark.parametrize(("come_again", "inside"), [(1, "folds"), (2, "borrower")])
def test_a_book_whose_earlier_outcomes_are_not_known_in_time_is_tuned_otherwise_unless_time_is_asked_for(
    come_again, inside
):
    # 40 days of cases: the last third can be set apart after 20 days of embargo, and then no block has earlier cases.
    days = [day for day in range(0, 41, 2) for _ in range(20)]
    bad = (np.random.default_rng(0).random(len(days)) < 0.5).tolist()
    whole = replace(cohort_of(days, [case // come_again for case in range(len(days))], bad), helpers=None)
    assert nested(whole, embargo_days=0).words.endswith("by time")
    told = nested(whole, embargo_days=20).words
    assert told.startswith("set apart by time")
    assert told.endswith(f"by {inside}")
    with pytest.raises(UsageError, match="no block of the cases has enough earlier ones"):
        nested(whole, by="time", embargo_days=20)


def test_too_few_cases_are_refused_with_what_to_do():
    whole = replace(cohort_of([0] * 44, [*range(44)], [True, False] * 22), helpers=None)
    with pytest.raises(UsageError, match=f"expected at least {LEAST_OF_EACH} of each"):
        nested(whole)
