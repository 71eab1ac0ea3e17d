"""Whether a score orders loans as well in every month, or loses its hold as time passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import DataRefused
from training.statistics.auc import Auc, auc
from training.statistics.inputs import MISSING, TooFew, both_outcomes, levels, scores
from training.statistics.segments import NotJudged, by_segment

LEAST_PERIODS = 3
"""A line through two points leaves nothing over to tell the spread by."""


@dataclass(frozen=True)
class Stability:
    """The Gini coefficient by period: its mean, the slope of a line through it and the spread about that line.

    `slope` is per period; periods that were not judged keep their place in the count. `residual_sd` divides by the
    number of periods.
    """

    periods: dict[str, Auc | NotJudged]
    mean: float
    slope: float
    residual_sd: float

    @property
    def falling(self) -> float:
        """The slope where it falls, 0 where it does not."""
        return min(0.0, self.slope)

    def objective(self, *, falling_weight: float, spread_weight: float) -> float:
        """Return mean + falling_weight min(0, slope) - spread_weight residual_sd.

        With weights of 88 and 0.5 and weekly periods this is the metric of the competition below; how much a fall is
        worth depends on the length of a period and is the lender's to say.

        References: Home Credit (2024), Credit Risk Model Stability, competition on Kaggle, evaluation page.
        """
        return self.mean + falling_weight * self.falling - spread_weight * self.residual_sd


def gini_by_period(bad: npt.ArrayLike, score: npt.ArrayLike, period: npt.ArrayLike) -> Stability:
    """Return the stability of a score that rises with risk.

    Parameters
    ----------
    period : the period of each case, named so that names in order are periods in order: 2026-03, or a whole number

    Periods with fewer than two bad or two good cases are told as not judged and enter no figure.
    """
    told = both_outcomes(bad, where="stability")
    found = scores(score, len(told), where="stability")
    named = _named(period, len(told))
    periods = by_segment(named, lambda part: auc(told[part], found[part]))
    judged = [(place, one.gini) for place, one in enumerate(periods.values()) if isinstance(one, Auc)]
    if len(judged) < LEAST_PERIODS:
        raise TooFew(
            f"{len(judged)} periods of {len(periods)} with enough bad and good cases",
            where="stability",
            expected=f"at least {LEAST_PERIODS}",
            do="take longer periods, or more of them",
        )
    places, ginis = (np.array(column, dtype=np.float64) for column in zip(*judged, strict=True))
    slope, level = np.polyfit(places, ginis, 1)
    return Stability(
        periods=periods,
        mean=float(ginis.mean()),
        slope=float(slope),
        residual_sd=float(np.std(ginis - level - slope * places)),
    )


def _named(period: npt.ArrayLike, size: int) -> npt.NDArray[np.str_]:
    """Return the periods as names that sort as they follow each other: whole numbers get leading zeros."""
    found = np.asarray(period)
    if found.dtype.kind in "iu" and found.size:
        width = len(str(int(found.max())))
        found = np.array([f"{one:0{width}d}" for one in found.tolist()], dtype=np.str_)
    names, places = levels(found, size, where="stability, period")
    if MISSING in names or any(name.startswith("-") for name in names):
        raise DataRefused(
            "periods that are missing or negative",
            where="stability, period",
            expected="a name or a whole number that sorts in time, in each case",
            do="name each case's period, such as 2026-03",
        )
    return np.array(names, dtype=np.str_)[places]
