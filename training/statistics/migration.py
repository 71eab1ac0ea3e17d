"""Where the loans of each category are a month later, and how many will be in each if that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import DataRefused, UsageError
from models.risk_model import Floats
from training.statistics.inputs import TooFew, levels, weights, whole, within
from training.statistics.intervals import CONFIDENCE, jeffreys
from training.statistics.segments import NotJudged

DRAWS = 2_000


@dataclass(frozen=True)
class Migration:
    """Moves between categories over one period, from rows to columns; categories in order, best first.

    `cases` counts loans. `amount` is their weight, for instance money, and equals `cases` where none was given;
    `effective` is how many loans of equal weight a category's loans tell as much as.
    """

    categories: tuple[str, ...]
    cases: npt.NDArray[np.int64]
    amount: Floats
    effective: Floats

    def shares(self) -> Floats:
        """Return the share of each category's amount that goes to each; `TooFew` when a category holds nothing."""
        held = self.amount.sum(axis=1)
        if not (held > 0).all():
            raise _nothing([self.categories[place] for place in np.flatnonzero(held == 0)])
        return np.asarray(self.amount / held[:, None])


@dataclass(frozen=True)
class Roll:
    """The share of a category that is in a worse one a period later."""

    cases: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What each category will hold: the expected amount and the bounds of it."""

    categories: tuple[str, ...]
    expected: Floats
    low: Floats
    high: Floats


def migration(
    before: npt.ArrayLike, after: npt.ArrayLike, categories: Sequence[str], weight: npt.ArrayLike | None = None
) -> Migration:
    """Return the moves of the same loans between two dates.

    Parameters
    ----------
    before, after : the category of each loan at the first date and at the second
    categories : all categories, best first; loans that left the book (paid off, sold, written off) need their own,
        or their moves are lost and what is left looks worse than it is
    weight : for instance the balance at the first date
    """
    known = {name: place for place, name in enumerate(categories)}
    if len(known) != len(categories):
        raise UsageError("a category named twice", where="categories", expected="each once", do="name each once")
    sides = []
    for name, column in (("before", before), ("after", after)):
        names, places = levels(column, where=f"migration, {name}")
        foreign = [one for one in names if one not in known]
        if foreign:
            raise DataRefused(
                f"{len(foreign)} categories that were not named, or loans without one",
                where=f"migration, {name}",
                expected="one of the categories for each loan",
                do="name all categories, also those of loans that left",
            )
        sides.append(np.array([known[one] for one in names], dtype=np.intp)[places])
    if len(sides[0]) != len(sides[1]):
        raise UsageError("columns of different length", where="migration", expected="the same loans", do="join them")
    size, given = len(known), weights(weight, len(sides[0]), where="migration")
    cells = sides[0] * size + sides[1]
    amount, squares = (
        np.bincount(cells, weights=one, minlength=size * size).astype(np.float64).reshape(size, size)
        for one in (given, given**2)
    )
    held, squared = amount.sum(axis=1), squares.sum(axis=1)
    return Migration(
        categories=tuple(categories),
        cases=np.bincount(cells, minlength=size * size).reshape(size, size).astype(np.int64),
        amount=amount,
        effective=np.divide(held**2, squared, out=np.zeros(size), where=squared > 0),
    )


def roll_rates(moves: Migration, *, confidence: float = CONFIDENCE) -> dict[str, Roll | NotJudged]:
    """Return, for each category but the worst, the share that is in a worse one a period later.

    Bounds are Jeffreys', of as many loans as the effective number.

    References: Kish (1965), Survey Sampling, section 11.7, for the effective number of cases.
    """
    found: dict[str, Roll | NotJudged] = {}
    for row, name in enumerate(moves.categories[:-1]):
        held, cases = moves.amount[row].sum(), int(moves.cases[row].sum())
        if not held > 0:
            found[name] = NotJudged(cases, "no loans with an amount in this category")
            continue
        share = float(moves.amount[row, row + 1 :].sum() / held)
        low, high = jeffreys(np.array(share * moves.effective[row]), moves.effective[row], confidence)
        found[name] = Roll(cases, share, float(low), float(high))
    return found


def forecast(
    moves: Migration,
    start: npt.ArrayLike,
    periods: int,
    *,
    realised: bool = False,
    confidence: float = CONFIDENCE,
    draws: int = DRAWS,
    seed: int = 0,
) -> Forecast:
    """Return what each category will hold after so many periods, if loans go on moving as they did.

    A loan's next category is taken to depend on its category alone (a Markov chain), the same in every period. The
    bounds tell of the shares being estimated from so many loans, by drawing them from their Dirichlet distribution; a
    move that no loan made is taken as impossible.

    Parameters
    ----------
    start : what each category holds now
    realised : bounds of what will be counted, not of its expectation: `start` is then numbers of loans, whose moves
        are drawn as well

    References: Jarrow, Lando and Turnbull (1997), Review of Financial Studies 10:481, for the chain; Rubin (1981),
    Annals of Statistics 9:130, for the draws.
    """
    begin = weights(start, len(moves.categories), where="forecast, start")
    steps = whole(periods, 1, "periods")
    shares = _reached(moves, begin, steps)
    expected = begin @ np.linalg.matrix_power(shares, steps)
    chance = np.random.default_rng(seed)
    size = (whole(draws, 2, "draws"), *shares.shape)
    gamma = chance.standard_gamma(np.broadcast_to(shares * np.maximum(moves.effective, 1)[:, None], size))
    drawn = gamma / gamma.sum(axis=2, keepdims=True)
    held = np.broadcast_to(begin, size[:2])
    loans = np.broadcast_to(np.rint(begin).astype(np.int64), size[:2])
    for _ in range(steps):
        if realised:
            loans = chance.multinomial(loans, drawn).sum(axis=1)
        else:
            held = np.einsum("di,dij->dj", held, drawn)
    tail = (1 - within(confidence, 0, 1, "confidence")) / 2
    low, high = np.quantile(loans if realised else held, [tail, 1 - tail], axis=0)
    return Forecast(moves.categories, expected, low, high)


def held_later(
    moves: Migration, start: npt.ArrayLike, loans: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 0
) -> tuple[Floats, Floats]:
    """Return what each category will hold a period later: the expected amounts, and draws of what will be counted.

    Rows of the second array are draws. Each holds shares drawn as in `forecast`, and moves of the category's loans
    drawn by them; so a ratio of what categories hold has the bounds that its draws have.

    Parameters
    ----------
    start : the amount in each category now
    loans : on how many loans of equal size it lies; parts of a loan are rounded up

    References: as `forecast`; Kish (1965), Survey Sampling, section 11.7, for loans of unequal size.
    """
    begin = weights(start, len(moves.categories), where="held later, start")
    many = np.ceil(weights(loans, len(moves.categories), where="held later, loans")).astype(np.int64)
    many = np.where(begin > 0, np.maximum(many, 1), 0)
    shares = _reached(moves, begin, 1)
    chance = np.random.default_rng(seed)
    size = (whole(draws, 2, "draws"), *shares.shape)
    gamma = chance.standard_gamma(np.broadcast_to(shares * np.maximum(moves.effective, 1)[:, None], size))
    drawn = gamma / gamma.sum(axis=2, keepdims=True)
    counted = chance.multinomial(np.broadcast_to(many, size[:2]), drawn)
    each = np.divide(begin, many, out=np.zeros_like(begin), where=many > 0)
    return begin @ shares, np.einsum("dij,i->dj", counted, each)


def _reached(moves: Migration, begin: Floats, steps: int) -> Floats:
    """Return the shares of all categories; one that is never reached and holds nothing stays where it is."""
    held = moves.amount.sum(axis=1)
    empty = held == 0
    shares = np.where(empty[:, None], np.eye(len(held)), moves.amount / np.where(empty, 1, held)[:, None])
    reached, ever = begin > 0, np.zeros(len(held), dtype=np.bool_)
    for _ in range(steps):
        ever |= reached
        reached = np.asarray((shares[reached] > 0).any(axis=0))
    if (ever & empty).any():
        raise _nothing([moves.categories[place] for place in np.flatnonzero(ever & empty)])
    return np.asarray(shares)


def _nothing(names: list[str]) -> TooFew:
    return TooFew(
        f"no loans at the first date in {', '.join(names)}",
        where="migration",
        expected="loans in each category that moves are asked of",
        do="take more dates together, or join the category to a neighbour",
    )
