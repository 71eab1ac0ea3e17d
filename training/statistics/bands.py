"""In each band of the score, how many were expected to go bad and how many did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.risk_model import Floats
from training.statistics.inputs import TooFew, levels, outcomes, probabilities, scores
from training.statistics.intervals import CONFIDENCE, jeffreys
from training.statistics.metrics import Bools


@dataclass(frozen=True)
class Band:
    """The cases of a band: `expected` is the sum of their probabilities, `bad` how many went bad.

    `predicted` and `observed` are the same per case; `low` and `high` are Jeffreys' bounds of `observed`.
    """

    name: str
    cases: int
    bad: int
    expected: float
    predicted: float
    observed: float
    low: float
    high: float

    @property
    def covered(self) -> bool:
        """Whether chance alone explains the distance of what was predicted from what was observed."""
        return self.low <= self.predicted <= self.high


@dataclass(frozen=True)
class Sums:
    """What calibration needs of each band that holds a case: its place, its cases, how many are bad, and its sums."""

    places: npt.NDArray[np.intp]
    cases: Floats
    bad: Floats
    expected: Floats
    variance: Floats


def band_table(
    bad: npt.ArrayLike, probability: npt.ArrayLike, band: npt.ArrayLike, *, confidence: float = CONFIDENCE
) -> list[Band]:
    """Return what was expected and what was observed in each band that holds a case, in the order of the bands.

    Parameters
    ----------
    band : the band of each case, for instance from `equal_bands`, or the grade it was given

    References: Brown, Cai and DasGupta (2001), Statistical Science 16:101, for Jeffreys' interval.
    """
    told = outcomes(bad, where="bands")
    names, places = _places(band, len(told), "bands")
    sums = sums_of(told, probabilities(probability, len(told), where="bands"), places)
    low, high = jeffreys(sums.bad, sums.cases, confidence)
    return [
        Band(
            name=str(name),
            cases=int(sums.cases[row]),
            bad=int(sums.bad[row]),
            expected=float(sums.expected[row]),
            predicted=float(sums.expected[row] / sums.cases[row]),
            observed=float(sums.bad[row] / sums.cases[row]),
            low=float(low[row]),
            high=float(high[row]),
        )
        for row, name in enumerate(names)
    ]


def sums_of(bad: Bools, probability: Floats, places: npt.NDArray[np.intp]) -> Sums:
    """Return the sums of each band that holds a case; `variance` is that of the number of bad cases if calibrated."""
    return Sums(
        places=places,
        cases=_summed(places, np.ones(len(places))),
        bad=_summed(places, bad.astype(np.float64)),
        expected=_summed(places, probability),
        variance=_summed(places, probability * (1 - probability)),
    )


def _summed(places: npt.NDArray[np.intp], values: Floats) -> Floats:
    return np.bincount(places, weights=values).astype(np.float64)


def by_band(
    bad: npt.ArrayLike, probability: npt.ArrayLike, band: npt.ArrayLike, *, where: str
) -> tuple[Bools, Floats, Sums]:
    """Return outcomes and probabilities, checked, with the sums of each band."""
    told = outcomes(bad, where=where)
    found = probabilities(probability, len(told), where=where)
    _, places = _places(band, len(told), where)
    if not len(told):
        raise TooFew("no cases", where=where, expected="a case", do="report this as not judged")
    return told, found, sums_of(told, found, places)


def _places(band: npt.ArrayLike, size: int, where: str) -> tuple[Sequence[object], npt.NDArray[np.intp]]:
    """Return the bands in order, numbers as numbers, and the place of each case's band among them."""
    found = np.asarray(band)
    if found.dtype.kind not in "biuf":
        return levels(found, size, where=f"{where}, band")
    names, places = np.unique(scores(found, size, where=f"{where}, band"), return_inverse=True)
    return [f"{name:g}" for name in names], places
