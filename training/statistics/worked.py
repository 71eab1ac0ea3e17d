"""How much of what goes bad the first loans of a work list hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.errors import UsageError
from models.risk_model import Floats
from training.statistics.deciles import Money
from training.statistics.inputs import TooFew, both_outcomes, scores, weights, whole, within
from training.statistics.intervals import CONFIDENCE
from training.statistics.metrics import Bools

REPEATS = 400


@dataclass(frozen=True)
class Worked:
    """What is found when the first of the loans are worked, riskiest first, for several shares of the loans.

    `captured` is the share of all that went bad, in loans or in money; `lift` is how many times more that is than the
    same number of loans drawn by lot would hold. `low` and `high` bound `captured`.
    """

    shares: Floats
    captured: Floats
    lift: Floats
    low: Floats
    high: Floats


def worked(
    bad: npt.ArrayLike,
    score: npt.ArrayLike,
    shares: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    confidence: float = CONFIDENCE,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Worked:
    """Return what the first loans by a score hold of what went bad, with intervals from a bootstrap.

    Loans with the same score are worked in an order drawn by lot, so what they hold is shared evenly among them: the
    answer does not depend on the order of the rows.

    Parameters
    ----------
    score : rises with risk
    shares : shares of the loans, more than 0 and up to 1
    weight : for instance the amount at risk in minor units; a loan weighs 1 when none are given

    References: percentile intervals, Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13.
    """
    told = both_outcomes(bad, where="worked")
    lost = np.where(told, weights(weight, len(told), where="worked"), 0.0)
    if not lost.sum() > 0:
        raise TooFew(
            "bad cases that all weigh nothing",
            where="worked",
            expected="an amount with a bad case",
            do="give the amounts at risk, or judge by the number of loans",
        )
    asked = np.asarray(shares, dtype=np.float64)
    if asked.ndim != 1 or not ((asked > 0) & (asked <= 1)).all():
        raise UsageError("shares out of range", where="shares", expected="more than 0 and up to 1", do="name others")
    distinct, places = np.unique(-scores(score, len(told), where="worked"), return_inverse=True)
    ends = _ends(places, np.ones(len(told)), len(distinct))
    captured = _held(ends, _ends(places, lost, len(distinct)), asked)
    chance = np.random.default_rng(seed)
    drawn = np.array([_drawn(chance, places, lost, len(distinct), asked) for _ in range(whole(repeats, 1, "repeats"))])
    tail = (1 - within(confidence, 0, 1, "confidence")) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
    return Worked(asked, captured, captured / asked, low, high)


def captured_money(bad: Bools, ranking: Floats, exposure_minor: Money, shares: Floats) -> Floats:
    """Return the share of the money that went bad which the first loans of a work list hold.

    Money that went bad is the exposure of the loans with the bad outcome. Between two loans it grows linearly. A list
    has an order: of loans that rank alike, the earlier row is worked first.

    Parameters
    ----------
    ranking : the higher, the earlier
    shares : shares of the loans, 0 to 1, counted from the first

    >>> captured_money(np.array([True, True]), np.array([2.0, 1.0]), np.array([300, 100]), np.array([0.5]))
    array([0.75])
    """
    order = np.argsort(-ranking, kind="stable")
    lost = np.concatenate([[0], np.cumsum(np.where(bad, exposure_minor, 0)[order])])
    return _held(np.arange(len(lost)), lost, shares)


def _drawn(
    chance: np.random.Generator, places: npt.NDArray[np.intp], lost: Floats, size: int, shares: Floats
) -> Floats:
    """Return what the first loans of one bootstrap sample hold."""
    times = chance.multinomial(len(lost), np.full(len(lost), 1 / len(lost)))
    held = _ends(places, lost * times, size)
    # A sample without anything bad says nothing of where it is.
    return _held(_ends(places, times, size), held, shares) if held[-1] > 0 else np.full(shares.shape, np.nan)


def _ends(places: npt.NDArray[np.intp], amount: npt.NDArray[Any], size: int) -> Floats:
    """Return how much is held up to the end of each distinct score, highest first, from nothing."""
    return np.concatenate([[0.0], np.cumsum(np.bincount(places, weights=amount, minlength=size))])


def _held(loans: npt.NDArray[Any], lost: npt.NDArray[Any], shares: Floats) -> Floats:
    """Return the share of all that is lost which the first shares of the loans hold."""
    return np.asarray(np.interp(shares, loans / loans[-1], lost / lost[-1]))
