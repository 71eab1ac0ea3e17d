"""What the Brier score is made of: how wrong probabilities are, how much they tell apart, what nobody can know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.statistics.bands import by_band


@dataclass(frozen=True)
class BrierParts:
    """The parts of a Brier score over bands.

    brier = reliability - resolution + uncertainty + within_variance - within_covariance, exactly. `reliability` is the
    squared distance of predicted from observed shares (0 is best), `resolution` how far the bands' observed shares lie
    apart (more is better), `uncertainty` the variance of the outcome. The last two are what bands hide: the spread of
    the probabilities inside them and, twice, its covariance with the outcome.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float


def brier_parts(bad: npt.ArrayLike, probability: npt.ArrayLike, band: npt.ArrayLike) -> BrierParts:
    """Return the parts of the Brier score over these bands.

    References: Murphy (1973), Journal of Applied Meteorology 12:595; Stephenson, Coelho and Jolliffe (2008), Weather
    and Forecasting 23:752, for the two parts within bands.
    """
    told, p, sums = by_band(bad, probability, band, where="Brier score")
    weight = sums.cases / len(told)
    predicted, observed = sums.expected / sums.cases, sums.bad / sums.cases
    away = p - predicted[sums.places]
    share = float(told.mean())
    return BrierParts(
        brier=float(np.mean((p - told) ** 2)),
        reliability=float(np.sum(weight * (predicted - observed) ** 2)),
        resolution=float(np.sum(weight * (observed - share) ** 2)),
        uncertainty=share * (1 - share),
        within_variance=float(np.mean(away**2)),
        within_covariance=2 * float(np.mean(away * (told - observed[sums.places]))),
    )
