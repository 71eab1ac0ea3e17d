"""Where money will be a period later by the cards' scores: within a category, riskier loans move down more often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import expit

from models.risk_model import Floats
from training.early_warning.book_state import STATES
from training.early_warning.migrating import NplForecast, of_draws, places
from training.statistics.metrics import Bools

Places = npt.NDArray[np.intp]
DRAWS = 200
"""Each draw fits anew, so there are fewer than where shares alone are drawn."""

MOST_STEPS, PRECISION, LONGEST_STEP = 50, 1e-6, 5.0
HELD_BACK = 1e-3
"""Loans' worth of information that a slope has before any is seen."""
LEAST_MOVES = 10
"""A category of which fewer loans moved down, or fewer did not, is forecast by its shares alone."""


@dataclass(frozen=True)
class ScoreMoves:
    """How loans of each category moved, by their score. For each state of STATES by its place:

    line : intercept and slope of the log-odds of moving down on the score; None where there are too few
    down, else_ : where loans went that moved down, and where those went that did not
    share : the share that moved down
    """

    line: Mapping[int, tuple[float, float] | None]
    down: Floats
    else_: Floats
    share: Floats

    def of(self, before: Places, score: Floats) -> Floats:
        """Return each loan's probability of each state a period later; NaN scores go by the category's shares."""
        told = np.zeros((len(before), len(STATES)))
        for state in np.unique(before):
            chosen = before == state
            line = self.line.get(int(state))
            moved = np.full(int(chosen.sum()), self.share[state])
            if line is not None:
                known = np.isfinite(score[chosen])
                moved[known] = expit(line[0] + line[1] * score[chosen][known])
            told[chosen] = moved[:, None] * self.down[state] + (1 - moved)[:, None] * self.else_[state]
        return told


def score_moves(
    before: Places, after: Places, score: Floats, weight: Floats | None = None, near: ScoreMoves | None = None
) -> ScoreMoves:
    """Return how loans moved by score.

    Parameters
    ----------
    before, after : places of the loans' states
    score : each loan's calibrated log-odds at the first date; NaN where no card scored it
    weight : how much each loan counts: its money, or how often a bootstrap draws it
    near : a fit that this one will be near to, where there is one
    """
    size, times = len(STATES), np.ones(len(before)) if weight is None else weight
    # To leave by being settled is no move down; to be written off is.
    worse = np.asarray((after > before) & (after != size - 1))
    lines: dict[int, tuple[float, float] | None] = {}
    down, else_, share = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size)
    for state in range(size):
        of_it = before == state
        down[state], else_[state] = (
            _spread(after[of_it & moved], times[of_it & moved], state) for moved in (worse, ~worse)
        )
        held = times[of_it].sum()
        share[state] = times[of_it & worse].sum() / held if held > 0 else 0.0
        known = of_it & np.isfinite(score) & (times > 0)
        enough = min((known & worse).sum(), (known & ~worse).sum()) >= LEAST_MOVES
        begin = None if near is None else near.line.get(state)
        lines[state] = _line(score[known], worse[known], times[known], begin) if enough else None
    return ScoreMoves(lines, down, else_, share)


def by_scores(
    fitted_on: pl.DataFrame, score: Floats, now: pl.DataFrame, score_now: Floats, *, draws: int = DRAWS, seed: int = 0
) -> tuple[NplForecast, ScoreMoves]:
    """Return where the money now in the book will be, each loan by its own score, and how loans moved by theirs.

    The forecast is of money, so each loan counts by its money where it is fitted: the money that moved is then what was
    fitted, also where large loans move more often than small ones. How loans moved is of loans, each counting once.

    Bounds come from fitting on loans drawn anew, a loan with all of its months together, and from drawing where each
    loan goes; the money of a loan goes as a whole.

    Parameters
    ----------
    fitted_on : `loan_id`, `before`, `after`, `owed_minor` of the earlier period's loans
    now : `state` and `owed_minor` of the loans in the book
    """
    money, state = now.get_column("owed_minor").cast(pl.Float64).to_numpy(), places(now.get_column("state"))
    before, after = (places(fitted_on.get_column(name)) for name in ("before", "after"))
    owed = fitted_on.get_column("owed_minor").cast(pl.Float64).to_numpy()
    weight = owed / owed.mean() if owed.any() else np.ones(len(owed))
    of_money = score_moves(before, after, score, weight)
    chance = np.random.default_rng(seed)
    loans, whose = np.unique(fitted_on.get_column("loan_id").to_numpy().astype(str), return_inverse=True)
    drawn = np.empty((draws, len(STATES)))
    for one in range(draws):
        times = np.bincount(chance.integers(len(loans), size=len(loans)), minlength=len(loans))[whose]
        told = score_moves(before, after, score, times * weight, of_money).of(state, score_now)
        reached = (chance.random(len(money))[:, None] > np.cumsum(told, axis=1)[:, :-1]).sum(axis=1)
        drawn[one] = np.bincount(reached, weights=money, minlength=len(STATES))
    return of_draws(money @ of_money.of(state, score_now), drawn), score_moves(before, after, score)


def _spread(after: Places, times: Floats, state: int) -> Floats:
    """Return the shares of the states that loans came to; of no loans, all in the state itself."""
    if not times.sum() > 0:
        return np.asarray(np.eye(len(STATES))[state], dtype=np.float64)
    return np.asarray(np.bincount(after, weights=times, minlength=len(STATES)) / times.sum())


def _line(score: Floats, worse: Bools, times: Floats, begin: tuple[float, float] | None) -> tuple[float, float]:
    """Return intercept and slope of a weighted logistic regression, by Newton's steps from where they may be.

    A little weight on a slope of 0 keeps a score that separates all loans from an infinite one.
    """
    columns = np.column_stack([np.ones(len(score)), score])
    share = float(np.average(worse, weights=times))
    found = np.array([np.log(share / (1 - share)), 0.0] if begin is None else begin)
    for _ in range(MOST_STEPS):
        chance = expit(columns @ found)
        pull = columns.T @ (times * (worse - chance)) - np.array([0.0, found[1] * HELD_BACK])
        information = columns.T @ (columns * (times * chance * (1 - chance))[:, None]) + np.diag([HELD_BACK, HELD_BACK])
        step = np.linalg.solve(information, pull)
        found = found + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        if np.abs(step).max() < PRECISION:
            break
    return float(found[0]), float(found[1])
