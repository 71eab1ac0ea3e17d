"""Which loans tuning learns from, which it compares sizes on, and which it never sees.

First some loans are set apart, to judge the outcome of the tuning in the end: the latest ones where there are several
dates, else those of some of the borrowers. The rest are split in the same way once more, and all trials are judged on
these inner splits. A borrower is never on both sides of any of them, nor is an outcome that was not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from features.errors import UsageError
from training.cohort import LEAST_OF_EACH, Cohort
from training.splits import Split, repeats, splits, strictest

SET_APART = 3
"""One borrower in so many is set apart; a third, as for the figures that the documentation tells of a card."""
LATEST = (0.4, 0.6, 0.8)
"""Where the blocks begin that are judged by cards of earlier cases: shares of the cases, in order of time."""
INNER_FOLDS, INNER_PARTS = 5, 3
"""Folds of one date, and parts of the borrowers who have cases before and after a block begins."""


@dataclass(frozen=True)
class Nested:
    """A cohort cut for tuning.

    Attributes
    ----------
    tuned_on : the cases that tuning sees
    set_apart : those that it never sees
    among : the splits of `tuned_on` that every trial is judged on
    words : in words, how both were cut
    """

    tuned_on: Cohort
    set_apart: Cohort
    among: tuple[Split, ...]
    words: str


def nested(
    cohort: Cohort,
    *,
    by: str | None = None,
    folds: int = INNER_FOLDS,
    seed: int = 0,
    test_from: date | None = None,
    embargo_days: int | None = None,
) -> Nested:
    """Return the cases to tune on with their inner splits, and those set apart.

    Parameters
    ----------
    by, test_from, embargo_days : as `training.splits.splits` takes them; both for the loans set apart and inside
    folds : inner folds where cases are not split by time

    Raises
    ------
    UsageError : there are too few cases for it
    """
    chosen = by or strictest(cohort)
    outer = splits(cohort, by=chosen, folds=SET_APART, seed=seed, test_from=test_from, embargo_days=embargo_days)[0]
    _require(cohort, outer, "the loans set apart")
    tuned_on = cohort.rows(outer.fit_on)
    inside = f"{chosen}"
    among: list[Split] = []
    if chosen == "time":
        among = _blocks(tuned_on, seed, embargo_days)
        if not among and by is not None:
            raise UsageError(
                "no block of the cases has enough earlier ones to fit on",
                where="--split time",
                expected=f"{LEAST_OF_EACH} bad and good cases before an embargo, in the cases that are not set apart",
                do="use --split borrower, or shorten --embargo-days if your outcomes are known earlier",
            )
        inside = "time" if among else "borrower" if repeats(tuned_on.borrowers) else "folds"
    if not among:
        # Other folds than the ones that set loans apart, which are drawn with the seed itself.
        among = splits(tuned_on, by=inside, folds=folds, seed=seed + 1)
    for split in among:
        _require(tuned_on, split, "an inner split")
    words = f"set apart by {chosen} ({outer.words}); inside, {len(among)} splits by {inside}"
    return Nested(tuned_on, cohort.rows(outer.judge_on), tuple(among), words)


def _blocks(cohort: Cohort, seed: int, embargo_days: int | None) -> list[Split]:
    """Return splits by time one after the other: each block is judged by cards of cases that ended before it began."""
    days = cohort.observed_on
    begins = np.unique([np.sort(days)[int(len(days) * share)] for share in LATEST])
    found: list[Split] = []
    for begin, end in zip(begins, [*begins[1:], days.max() + np.timedelta64(1, "D")], strict=True):
        until = np.flatnonzero(days < end)
        try:
            block = splits(
                cohort.rows(until),
                by="time",
                folds=INNER_PARTS,
                seed=seed,
                test_from=date(1970, 1, 1) + timedelta(days=int(begin.astype("datetime64[D]").astype(int))),
                embargo_days=embargo_days,
            )
        except UsageError:
            continue
        inside = [replace(split, fit_on=until[split.fit_on], judge_on=until[split.judge_on]) for split in block]
        if all(_enough(cohort, split) for split in inside):
            found += inside
    return found


def _enough(cohort: Cohort, split: Split) -> bool:
    """Return whether a split has enough to fit on, and a loan of each outcome to judge."""
    return min(_outcomes(cohort, split.fit_on)) >= LEAST_OF_EACH and min(_outcomes(cohort, split.judge_on)) > 0


def _outcomes(cohort: Cohort, cases: Sequence[int] | np.ndarray) -> tuple[int, int]:
    return int(cohort.bad[cases].sum()), int((~cohort.bad[cases]).sum())


def _require(cohort: Cohort, split: Split, what: str) -> None:
    if not _enough(cohort, split):
        bad, good = _outcomes(cohort, split.fit_on)
        raise UsageError(
            f"{bad} bad and {good} good cases to fit on for {what}",
            where=f"the {cohort.card.name} card's cases, {split.words}",
            expected=f"at least {LEAST_OF_EACH} of each, and one of each to judge",
            do="tune on more of the book, ask for fewer --folds, or train with the default sizes",
        )
