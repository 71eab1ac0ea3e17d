"""What a measure can be taken of: outcomes of both kinds, scores that are numbers, weights that are not negative."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.errors import DataRefused, UsageError
from models.risk_model import Floats
from training.statistics.metrics import Bools

MISSING = "(missing)"
"""The name of the level of those whose level nobody knows."""


class TooFew(DataRefused):
    """There are too few cases of a kind for a measure to say anything: a finding, not a fault in the data."""


def outcomes(bad: npt.ArrayLike, *, where: str) -> Bools:
    """Return outcomes as booleans; 0 and 1 will do, anything else will not."""
    found = np.asarray(bad)
    if found.ndim != 1:
        raise _shape(found, where, "outcomes")
    if found.dtype != np.bool_ and (found.dtype.kind not in "iuf" or not np.isin(found, (0, 1)).all()):
        raise DataRefused(
            "outcomes that are neither good nor bad",
            where=where,
            expected="true or false, or 1 for bad and 0 for good, in each case",
            do="leave out the cases whose outcome is not known",
        )
    return found.astype(np.bool_)


def both_outcomes(bad: npt.ArrayLike, *, where: str, least: int = 1) -> Bools:
    """Return outcomes of which at least so many are bad and as many good."""
    told = outcomes(bad, where=where)
    found = int(told.sum())
    if min(found, len(told) - found) < least:
        raise TooFew(
            f"{found} bad and {len(told) - found} good cases",
            where=where,
            expected=f"at least {least} of each",
            do="judge more cases together, or report this as not judged",
        )
    return told


def scores(score: npt.ArrayLike, size: int, *, where: str) -> Floats:
    """Return one finite number for each case."""
    return _numbers(score, size, where, "scores", "a finite number in each case")


def probabilities(probability: npt.ArrayLike, size: int, *, where: str, inside: bool = False) -> Floats:
    """Return one probability for each case; `inside` refuses 0 and 1, which have no log-odds."""
    found = _numbers(probability, size, where, "probabilities", "a number from 0 to 1 in each case")
    wrong = (found <= 0) | (found >= 1) if inside else (found < 0) | (found > 1)
    if wrong.any():
        raise DataRefused(
            f"{int(wrong.sum())} of {size} probabilities out of range, the first in row {int(wrong.argmax())}",
            where=where,
            expected="more than 0 and less than 1" if inside else "0 to 1",
            do="give probabilities of the bad outcome, not scores or points",
        )
    return found


def weights(weight: npt.ArrayLike | None, size: int, *, where: str) -> Floats:
    """Return one weight for each case, for instance its money; each weighs 1 when none are given."""
    if weight is None:
        return np.ones(size)
    found = _numbers(weight, size, where, "weights", "a finite number in each case")
    if (found < 0).any():
        raise DataRefused(
            f"{int((found < 0).sum())} of {size} weights are negative, the first in row {int((found < 0).argmax())}",
            where=where,
            expected="weights of 0 or more",
            do="give amounts at risk, without credits",
        )
    return found


def within(value: float, low: float, high: float, name: str) -> float:
    """Return a setting that must lie between two bounds and on neither."""
    if not low < value < high:
        raise UsageError(
            f"{name} of {value}", where=name, expected=f"more than {low:g} and less than {high:g}", do="name another"
        )
    return float(value)


def whole(value: int, least: int, name: str) -> int:
    """Return a whole number that is not less than it may be."""
    if value < least or value != int(value):
        raise UsageError(f"{name} of {value}", where=name, expected=f"a whole number from {least}", do="name another")
    return int(value)


def levels(
    column: npt.ArrayLike, size: int | None = None, *, where: str
) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Return the names that a column holds, in order, and the place of each case's name among them.

    What is missing (None or NaN) is a level of its own, `MISSING`.

    >>> levels(np.array(["b", None, "a"], dtype=object), where="here")
    (('(missing)', 'a', 'b'), array([2, 0, 1]))
    """
    found = np.asarray(column)
    if found.ndim != 1 or (size is not None and len(found) != size):
        raise _shape(found, where, "levels", size)
    if found.dtype == object:
        found = np.array([MISSING if one is None or one != one else str(one) for one in found], dtype=np.str_)  # noqa: PLR0124
    elif found.dtype.kind == "f":
        found = np.where(np.isnan(found), MISSING, found.astype(np.str_))
    names, places = np.unique(found.astype(np.str_), return_inverse=True)
    return tuple(map(str, names)), places


def _numbers(given: npt.ArrayLike, size: int, where: str, what: str, expected: str) -> Floats:
    found = np.asarray(given)
    if found.ndim != 1 or len(found) != size:
        raise _shape(found, where, what, size)
    if found.dtype.kind not in "biuf":
        raise DataRefused(f"{what} that are not numbers", where=where, expected=expected, do="give numbers")
    told = found.astype(np.float64)
    wrong = ~np.isfinite(told)
    if wrong.any():
        raise DataRefused(
            f"{int(wrong.sum())} of {size} {what} are missing or infinite, the first in row {int(wrong.argmax())}",
            where=where,
            expected=expected,
            do="leave out the cases without one, and say how many they are",
        )
    return told


def _shape(found: npt.NDArray[np.generic], where: str, what: str, size: int | None = None) -> UsageError:
    return UsageError(
        f"{what} of shape {found.shape}",
        where=where,
        expected="one column" if size is None else f"one column of {size} rows, as many as there are cases",
        do="give arrays that tell of the same cases",
    )
