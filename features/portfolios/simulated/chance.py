"""Dice: whether something happens, how many days it takes, which of several it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Dice = np.random.Generator


def of_log_odds(log_odds: Floats) -> Floats:
    """Return the chances that log-odds stand for."""
    chances: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return chances


def happens(dice: Dice, chances: Floats | float, size: int) -> Bools:
    """Return whether it happens, for each of `size`; one chance for all or one for each."""
    found: Bools = dice.random(size) < chances
    return found


def between(dice: Dice, bounds: tuple[int, int], size: int) -> Ints:
    """Return whole numbers between two, both included."""
    return dice.integers(bounds[0], bounds[1], size=size, endpoint=True, dtype=np.int64)


def between_shares(dice: Dice, bounds: tuple[float, float], size: int) -> Floats:
    """Return numbers between two."""
    return dice.uniform(bounds[0], bounds[1], size)


def one_of(dice: Dice, shares: Sequence[float], size: int) -> Ints:
    """Return which of several it is, by their shares; what is missing to 1 falls to one past the last."""
    found: Ints = np.searchsorted(np.cumsum(shares), dice.random(size), side="right").astype(np.int64)
    return found


def grown(base: float, slope: float, trait: Floats) -> Floats:
    """Return chances or amounts whose logarithm changes with a trait."""
    found: Floats = base * np.exp(slope * trait)
    return found


def whole(amounts: Floats, step: int = 1) -> Ints:
    """Return amounts as whole minor units, or as whole multiples of a step."""
    found: Ints = (np.rint(amounts / step) * step).astype(np.int64)
    return found


def running_number(groups: Ints) -> Ints:
    """Return the number of each row within its group, from 1; the rows of a group stand together."""
    index = np.arange(len(groups))
    begins = np.ones(len(groups), dtype=np.bool_)
    begins[1:] = groups[1:] != groups[:-1]
    found: Ints = index - np.maximum.accumulate(np.where(begins, index, 0)) + 1
    return found
