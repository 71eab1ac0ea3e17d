"""Into which group a value falls, with bounds that are set once, on a reference, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.risk_model import Floats
from training.statistics.inputs import MISSING, TooFew, levels, scores, whole

UNSEEN = "(unseen)"
"""The name of the bin of levels that the reference does not have."""
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NumberBins:
    """Bins of a number: each ends at its edge, the edge included; the last bin of all is of those without a value."""

    edges: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The bins in words."""
        bounds = ("-inf", *(f"{edge:g}" for edge in self.edges), "inf")
        return (*(f"({low}, {high}]" for low, high in pairwise(bounds)), MISSING)

    def counts(self, values: npt.ArrayLike) -> Counts:
        """Return how many values fall into each bin."""
        found = np.asarray(values, dtype=np.float64)
        places = np.where(np.isnan(found), len(self.edges) + 1, np.searchsorted(self.edges, found, side="left"))
        return np.bincount(places, minlength=len(self.edges) + 2).astype(np.int64)


@dataclass(frozen=True)
class LevelBins:
    """Bins of a category: one for each level of the reference, one for any other, one for those without a level."""

    levels: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The bins in words."""
        return (*self.levels, UNSEEN, MISSING)

    def counts(self, values: npt.ArrayLike) -> Counts:
        """Return how many values fall into each bin."""
        names, places = levels(values, where="bins")
        place_of = {name: place for place, name in enumerate(self.names)}
        unseen = place_of[UNSEEN]
        told = np.array([place_of.get(name, unseen) for name in names], dtype=np.intp)
        return np.bincount(told[places], minlength=len(self.names)).astype(np.int64)


def number_bins(reference: npt.ArrayLike, count: int) -> NumberBins:
    """Return bins that hold about equally many of the reference; fewer where many values are alike.

    A bin is never split between two equal values. Missing values are in a bin of their own and move no edge.
    """
    found = np.asarray(reference, dtype=np.float64)
    known = found[~np.isnan(found)]
    if not len(known):
        raise TooFew(
            "a reference in which every value is missing",
            where="bins",
            expected="a known value",
            do="give a reference that has the feature, or leave the feature out",
        )
    return NumberBins(tuple(map(float, _edges(known, whole(count, 2, "count")))))


def level_bins(reference: npt.ArrayLike) -> LevelBins:
    """Return a bin for each level that the reference holds."""
    names, _ = levels(reference, where="bins")
    return LevelBins(tuple(name for name in names if name != MISSING))


def equal_bands(score: npt.ArrayLike, count: int) -> npt.NDArray[np.intp]:
    """Return the band of each case, 0 for the lowest scores; bands hold about equally many cases and split no tie.

    >>> equal_bands(np.array([0.1, 0.1, 0.1, 0.4, 0.5, 0.6]), 3)
    array([0, 0, 0, 1, 2, 2])
    """
    found = np.asarray(score)
    told = scores(found, found.size, where="bands")
    return np.searchsorted(_edges(told, whole(count, 1, "count")), told, side="left")


def _edges(values: Floats, count: int) -> Floats:
    """Return the upper ends of all bins but the last: values of the sample, each once, below its greatest."""
    if count == 1:
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.arange(1, count) / count, method="inverted_cdf"))
    return np.asarray(edges[edges < values.max()])
