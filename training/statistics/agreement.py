"""Whether two explanations of the same scores give the same reasons, and whether the reasons carry the score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import DataRefused, UsageError
from models.risk_model import Floats
from training.statistics.inputs import TooFew, whole


@dataclass(frozen=True)
class Overlap:
    """How far two explanations name the same reasons.

    `of_case` is, for each case, the share of the named reasons that both name: over the longer list, 1 when neither
    names any. `first_of_case` says of each case whether its first reason is the same, and `same_first` is the share of
    cases of which it is.
    """

    of_case: Floats
    first_of_case: npt.NDArray[np.bool_]
    mean: float
    same_first: float


def reason_overlap(first: npt.ArrayLike, second: npt.ArrayLike, most: int, *, raising: bool = True) -> Overlap:
    """Return how far the reasons of two attributions of the same cases and features agree.

    Parameters
    ----------
    first, second : one row for each case, one column for each feature; positive raises risk
    most : how many reasons are named; the largest contributions, the earlier column where two are equal
    raising : whether only contributions that raise risk are reasons; otherwise their size counts, and 0 is none
    """
    pair = [_matrix(one, name) for one, name in ((first, "first"), (second, "second"))]
    if pair[0].shape != pair[1].shape or not pair[0].size:
        raise UsageError(
            f"attributions of shapes {pair[0].shape} and {pair[1].shape}",
            where="reasons",
            expected="the same cases and features, at least one of each",
            do="attribute the same rows with the same features",
        )
    (named, leading), (others, second_leading) = (_named(one if raising else np.abs(one), most) for one in pair)
    longer = np.maximum(named.sum(axis=1), others.sum(axis=1))
    of_case = np.where(longer > 0, (named & others).sum(axis=1) / np.maximum(longer, 1), 1.0)
    same = np.asarray(leading == second_leading)
    return Overlap(of_case, same, float(of_case.mean()), float(same.mean()))


def deletions(values: npt.ArrayLike, attribution: npt.ArrayLike, reference: npt.ArrayLike) -> Iterator[Floats]:
    """Yield the cases with none, one, two ... and all of their features replaced by those of a reference.

    What raises the score most is replaced first. The features as they are come first, the reference last: as many
    matrices as features and one more. Score each, and give the scores to `deletion_area`.

    Parameters
    ----------
    reference : a value for each feature
    """
    found = np.array(values, dtype=np.float64)  # may hold missing values, which scores may be made of
    told = _matrix(attribution, "attribution")
    instead = np.asarray(reference, dtype=np.float64)
    if found.shape != told.shape or instead.shape != told.shape[1:]:
        raise UsageError(
            f"values of shape {found.shape}, attribution of {told.shape}, reference of {instead.shape}",
            where="deletion test",
            expected="the same cases and features",
            do="attribute these rows, and give a reference value for each of their features",
        )
    order = np.argsort(-told, axis=1, kind="stable")
    rows = np.arange(len(found))
    yield found.copy()
    for step in range(found.shape[1]):
        found[rows, order[:, step]] = instead[order[:, step]]
        yield found.copy()


def deletion_area(scores: npt.ArrayLike) -> float:
    """Return the area under the mean score as more and more of the features are replaced; less is more faithful.

    Compare it with that of a random order of the same features on the same cases: an attribution that is worth its
    name has less.

    Parameters
    ----------
    scores : one row for each matrix of `deletions`, one column for each case

    References: Petsiuk, Das and Saenko (2018), RISE, British Machine Vision Conference, section 4.3.
    """
    found = _matrix(scores, "scores")
    if len(found) < 2 or not found.shape[1]:  # noqa: PLR2004 - a curve has two ends
        raise TooFew("no curve", where="deletion test", expected="two steps and a case", do="score all deletions")
    mean = found.mean(axis=1)
    return float(np.trapezoid(mean, dx=1 / (len(mean) - 1)))


def _named(size: Floats, most: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Return which features are named as reasons, and the first of them, -1 where there is none."""
    order = np.argsort(-size, axis=1, kind="stable")
    named = np.zeros(size.shape, dtype=np.bool_)
    np.put_along_axis(named, order[:, : whole(most, 1, "most")], values=True, axis=1)
    named &= size > 0
    return named, np.where(named.any(axis=1), order[:, 0], -1)


def _matrix(given: npt.ArrayLike, name: str) -> Floats:
    found = np.asarray(given, dtype=np.float64)
    if found.ndim != 2:  # noqa: PLR2004 - cases by features
        raise UsageError(f"{name} of shape {found.shape}", where=name, expected="rows and columns", do="give both")
    if not np.isfinite(found).all():
        raise DataRefused(
            f"{int((~np.isfinite(found)).sum())} numbers of {found.size} missing or infinite",
            where=name,
            expected="a finite number for each case and feature",
            do="find out why the explanation has none",
        )
    return found
