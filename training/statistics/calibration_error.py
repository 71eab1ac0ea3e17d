"""How far, on average, the predicted share of bad cases lies from the observed one, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import norm

from models.risk_model import Floats
from training.statistics.bands import by_band
from training.statistics.intervals import CONFIDENCE, Interval, reach


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error of bands, `value`, and the bounds of the true one.

    `by_chance` is what it would be, on average, if the probabilities were right: an error is never less than 0, so
    chance alone makes one. Only a lower bound above 0 says that they are not right.
    """

    value: float
    by_chance: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        """The bounds between which the true error lies."""
        return Interval(self.low, self.high)


def calibration_error(
    bad: npt.ArrayLike, probability: npt.ArrayLike, band: npt.ArrayLike, *, confidence: float = CONFIDENCE
) -> CalibrationError:
    """Return the mean distance of the predicted from the observed share of bad cases, each band weighing its cases.

    A band's distance is taken as normal, so its size is folded normal. How large an error chance makes of a true one
    depends on how the true one lies over the bands: most when it is all in one band, least when all share it. The
    interval takes for each bound the worse of the two, and therefore covers at least as often as it says.

    References: Naeini, Cooper and Hauskrecht (2015), AAAI, p. 2901, for the error; Leone, Nelson and Nottingham (1961),
    Technometrics 3:543, for the folded normal distribution.
    """
    _, p, sums = by_band(bad, probability, band, where="calibration error")
    weight = sums.cases / len(p)
    away = np.abs(sums.bad - sums.expected) / sums.cases
    found = float(np.sum(weight * away))
    share = (sums.bad + 0.5) / (sums.cases + 1)  # Jeffreys' mean: a band without a bad case is not certain either
    error = np.sqrt(share * (1 - share) / sums.cases)
    in_one, in_all = np.diag(1 / weight), np.hypot(away, error)[None, :]
    in_all = in_all / np.sum(weight * in_all)
    standard = reach(confidence)

    def beyond(true: float, shapes: Floats) -> Floats:
        """Return by how many standard errors the error found is more than expected, for each shape of the true one."""
        mean, variance = _folded(true * shapes, error)
        return np.asarray((found - mean @ weight) / np.sqrt(variance @ weight**2))

    low, high = 0.0, found
    if beyond(0.0, in_one).min() > standard:
        low = float(brentq(lambda true: beyond(true, in_one).min() - standard, 0, found))
    if beyond(found, in_all)[0] > -standard:
        furthest = found + standard * float(np.sqrt(np.sum(weight**2 * error**2)))
        high = float(brentq(lambda true: beyond(true, in_all)[0] + standard, found, furthest))
    return CalibrationError(
        value=found,
        by_chance=float(np.sum(weight * np.sqrt(2 * sums.variance / np.pi) / sums.cases)),
        low=low,
        high=min(1.0, high),
    )


def _folded(mean: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Return the mean and the variance of the size of a normal variable; mean 0 or more."""
    away = mean / error
    size = error * np.sqrt(2 / np.pi) * np.exp(-(away**2) / 2) + mean * (1 - 2 * norm.cdf(-away))
    return size, mean**2 + error**2 - size**2
