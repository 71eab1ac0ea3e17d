"""How money moves between the five categories, where it will be a period later, and what that does to the NPL ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from models.risk_model import Floats
from training.early_warning.book_state import STATES, money_by_state
from training.early_warning.categories import NON_PERFORMING, Category
from training.statistics.intervals import CONFIDENCE, Interval
from training.statistics.migration import Migration, Roll, held_later, migration, roll_rates
from training.statistics.segments import NotJudged

IN_BOOK = len(Category)
"""The first so many states are categories: what they hold is the denominator of the NPL ratio."""
NPL = np.array([one in NON_PERFORMING for one in Category] + [False] * (len(STATES) - IN_BOOK))
DRAWS = 2_000


@dataclass(frozen=True)
class NplForecast:
    """What each state will hold of the money now in the book, and the NPL ratio that follows.

    `low` and `high` are bounds of what will be counted, not of its expectation alone. `ratio` is 0 where nothing is
    expected to be left in the book.
    """

    expected: Floats
    low: Floats
    high: Floats
    ratio: float
    ratio_bounds: Interval


def moves(rows: pl.DataFrame) -> Migration:
    """Return the moves of loans, weighted by what was owed on the first date.

    Loans that left before the first date are in no row.
    """
    return migration(
        rows.get_column("before").to_numpy(),
        rows.get_column("after").to_numpy(),
        STATES,
        rows.get_column("owed_minor").cast(pl.Float64).to_numpy(),
    )


def rolled_down(told: Migration) -> dict[str, Roll | NotJudged]:
    """Return the share of each category that moved to a worse one or was written off; a loan that left did neither."""
    cases, amount = told.cases.copy(), told.amount.copy()
    for moved in (cases, amount):
        np.fill_diagonal(moved, moved.diagonal() + moved[:, -1])
        moved[:, -1] = 0
    return roll_rates(replace(told, cases=cases, amount=amount))


def npl_ratio(held: Floats) -> float:
    """Return the share of the money in the five categories that is in the last three; of draws, one for each."""
    book = held[..., :IN_BOOK].sum(axis=-1)
    return np.divide(held[..., NPL].sum(axis=-1), book, out=np.zeros_like(book), where=book > 0)[()]  # type: ignore[no-any-return]


def by_markov(told: Migration, now: pl.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> NplForecast:
    """Return where the money now in the book will be a period later, if loans move as they did.

    Bounds hold what was estimated from few loans and what few loans will do: each category's money is taken to lie on
    as many equal loans as tell as much as its loans do (Kish's effective number).

    Parameters
    ----------
    now : `state` and `owed_minor` of the loans in the book

    Raises
    ------
    TooFew : a category holds money now and held none at the first date
    """
    start = money_by_state(now, "state", "owed_minor")
    squares = money_by_state(
        now.with_columns(owed_minor=pl.col("owed_minor").cast(pl.Float64) ** 2), "state", "owed_minor"
    )
    loans = np.divide(start**2, squares, out=np.zeros_like(start), where=squares > 0)
    expected, drawn = held_later(told, start, loans, draws=draws, seed=seed)
    return of_draws(expected, drawn)


def of_draws(expected: Floats, drawn: Floats, confidence: float = CONFIDENCE) -> NplForecast:
    """Return the forecast of expected money by state and draws of it."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    ratios = np.quantile(npl_ratio(drawn), [tail, 1 - tail])
    return NplForecast(expected, low, high, float(npl_ratio(expected)), Interval(float(ratios[0]), float(ratios[1])))


@dataclass(frozen=True)
class Missed:
    """How far a forecast was from what happened.

    `misplaced` is the share of the money that it put into another state than it was in: half the sum of the distances
    over the sum. `loss` is each loan's surprise, the logarithm of the probability that the state it came to was given.
    """

    ratio_error: float
    inside: bool
    misplaced: float
    loss: Floats


def missed(told: NplForecast, actual: Floats, probability: Floats) -> Missed:
    """Return how far a forecast was from the money that came to be in each state.

    Parameters
    ----------
    probability : what each loan's own forecast gave the state that it came to
    """
    ratio = float(npl_ratio(actual))
    return Missed(
        told.ratio - ratio,
        told.ratio_bounds.holds(ratio),
        float(np.abs(told.expected - actual).sum() / 2 / max(actual.sum(), 1)),
        -np.log(np.maximum(probability, LEAST_PROBABILITY)),
    )


LEAST_PROBABILITY = 1e-4
"""What a move that no forecast thought possible counts as, when surprises are compared: infinite ones cannot be."""


def row_shares(told: Migration) -> Floats:
    """Return the share of each state's loans that goes to each, by number; a state without loans stays where it is."""
    held = told.cases.sum(axis=1).astype(np.float64)
    size = len(told.categories)
    return np.where((held == 0)[:, None], np.eye(size), told.cases / np.where(held == 0, 1, held)[:, None])


def places(states: pl.Series) -> npt.NDArray[np.intp]:
    """Return the place of each state in STATES."""
    order = {name: place for place, name in enumerate(STATES)}
    return np.array([order[name] for name in states], dtype=np.intp)
