"""Which loans a card is fitted on and which it is judged on: never the same borrower, never the future.

Cases of several dates are split by time, with an embargo of one performance window between the last case fitted on and
the first one judged: before that, the outcomes fitted on were not known yet. Where a borrower has cases on both sides,
borrowers are dealt into parts, and each part's later cases are judged by a card fitted on the others' earlier ones.
Where a borrower has several cases, folds keep them together. Stratified folds are for books that have neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from features.errors import UsageError
from training.cohort import Cohort

Positions = npt.NDArray[np.intp]
KINDS = ("time", "borrower", "folds")
TEST_SHARE = 0.3
"""Share of the latest cases that a split by time judges, when no date is named."""


@dataclass(frozen=True)
class Split:
    """Positions to fit on and to judge on, with what was left out between them."""

    fit_on: Positions
    judge_on: Positions
    words: str


def splits(
    cohort: Cohort,
    *,
    by: str | None = None,
    folds: int = 5,
    seed: int = 0,
    test_from: date | None = None,
    embargo_days: int | None = None,
) -> list[Split]:
    """Return the splits that judge a card on a cohort.

    Parameters
    ----------
    by : "time", "borrower", "folds", or None to let the cases decide: by time when they span more than a performance
        window, by borrower when one has several cases, else stratified folds
    test_from : the first observation date judged, by time; by default the latest 30 % of the cases
    embargo_days : days before it without a case to fit on; by default the card's performance window

    Raises
    ------
    UsageError : stratified folds although a borrower has several cases, or a split that leaves one side empty
    """
    chosen = by or strictest(cohort)
    if chosen == "time":
        return _by_time(cohort, test_from, embargo_days, folds, seed)
    if chosen == "borrower":
        return _by_borrower(cohort, folds, seed)
    if repeats(cohort.borrowers):
        raise UsageError(
            "stratified folds of a book in which a borrower has several cases",
            where="--split folds",
            expected="a borrower on one side only: otherwise the card is judged on borrowers it has seen",
            do="use --split borrower, or --split time",
        )
    stratified = StratifiedKFold(folds, shuffle=True, random_state=seed).split(cohort.matrix.values, cohort.bad)
    return [
        Split(fit_on, judge_on, f"fold {number} of {folds}")
        for number, (fit_on, judge_on) in enumerate(stratified, start=1)
    ]


def kept_from_the_fit(whole: Cohort, hold_out: float, seed: int) -> tuple[Cohort, Cohort | None]:
    """Return the cases that a card is fitted on, and those kept to judge it, or None where all are fitted on.

    Parameters
    ----------
    hold_out : share of the cases that is kept, stratified by outcome; a borrower's cases stay together
    """
    if not hold_out:
        return whole, None
    if repeats(whole.borrowers):
        # One of as many folds as come nearest to the share.
        fold = _by_borrower(whole, max(2, round(1 / hold_out)), seed)[0]
        return whole.rows(fold.fit_on), whole.rows(fold.judge_on)
    fit_on, judge_on = train_test_split(
        np.arange(len(whole)), test_size=hold_out, stratify=whole.bad, random_state=seed
    )
    return whole.rows(np.sort(fit_on)), whole.rows(np.sort(judge_on))


def repeats(borrowers: Sequence[str] | npt.NDArray[np.str_]) -> bool:
    """Return whether a borrower has several cases."""
    return len(set(borrowers)) < len(borrowers)


def strictest(cohort: Cohort) -> str:
    """Return the strictest kind of split that the cases allow: "time", "borrower" or "folds"."""
    days = cohort.observed_on
    if int((days.max() - days.min()).astype(int)) > cohort.card.window_days:
        return "time"
    return "borrower" if repeats(cohort.borrowers) else "folds"


def _by_time(cohort: Cohort, test_from: date | None, embargo_days: int | None, folds: int, seed: int) -> list[Split]:
    """Return one split, or one per part of the borrowers where some have cases before and after the day.

    To leave out of the fit all who are judged later would be to choose by the outcome: who is overdue again is who did
    not recover, and those left would be the good ones. Borrowers are dealt at random instead.
    """
    days = cohort.observed_on
    begins = (
        np.datetime64(test_from, "D") if test_from is not None else np.sort(days)[int(len(days) * (1 - TEST_SHARE))]
    )
    embargo = cohort.card.window_days if embargo_days is None else embargo_days
    last = begins - np.timedelta64(embargo, "D")
    judged = days >= begins
    # A case observed on the last day has an outcome that was known when the test began.
    fitted = (days <= last) if embargo else (days < begins)
    between = len(days) - int(fitted.sum()) - int(judged.sum())
    words = (
        f"fitted up to {_day(last if embargo else begins - np.timedelta64(1, 'D'))}, judged from {_day(begins)}; "
        f"{between:,} cases lie in the embargo"
    )
    if len(np.intersect1d(cohort.borrowers[fitted], cohort.borrowers[judged])):
        parts = _dealt(cohort.borrowers, folds, seed)
        found = [
            Split(
                np.flatnonzero(fitted & (parts != part)),
                np.flatnonzero(judged & (parts == part)),
                f"part {part + 1} of {folds} of the borrowers by a card of the others, {words}",
            )
            for part in range(folds)
        ]
    else:
        found = [Split(np.flatnonzero(fitted), np.flatnonzero(judged), words)]
    for split in found:
        if not len(split.fit_on) or not len(split.judge_on):
            raise UsageError(
                f"a split by time that fits on {len(split.fit_on)} and judges on {len(split.judge_on)} cases",
                where=f"--split time, test from {begins}, embargo of {embargo} days",
                expected=f"cases on both sides; the book's run from {days.min()} to {days.max()}",
                do="name another --test-from, ask for fewer folds, or use --split borrower",
            )
    return found


def _dealt(borrowers: npt.NDArray[np.str_], parts: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the part of each case's borrower: borrowers dealt at random, whatever became of their loans."""
    _, borrower = np.unique(borrowers, return_inverse=True)
    dealt: npt.NDArray[np.int64] = np.random.default_rng(seed).permutation(int(borrower.max()) + 1) % parts
    return dealt[borrower]


def _day(day: np.datetime64) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day.astype("datetime64[D]").astype(int)))


def _by_borrower(cohort: Cohort, folds: int, seed: int) -> list[Split]:
    found = len(np.unique(cohort.borrowers))
    if found < folds:
        raise UsageError(
            f"{folds} folds for {found} borrowers",
            where="--split borrower",
            expected="a borrower for every fold",
            do="ask for fewer folds, or send more of the book",
        )
    grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(
        cohort.matrix.values, cohort.bad, groups=cohort.borrowers
    )
    return [
        Split(fit_on, judge_on, f"fold {number} of {folds}, by borrower")
        for number, (fit_on, judge_on) in enumerate(grouped, start=1)
    ]
