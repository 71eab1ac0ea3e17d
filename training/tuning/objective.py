"""What tuning makes large: how well a card orders loans it has not seen, in every period and not only on average.

With several observation dates it is the mean Gini of the periods, marked down where it falls from one to the next and
where it leaps up and down about its trend: a card has to hold until the next one is fitted. With one date it is the
mean Gini of the folds, marked down for its spread.

    several dates   mean + 88 x min(0, slope per week) - 0.5 x standard deviation about the line
    one date        mean - 0.5 x standard deviation over the folds

References: the metric of "Home Credit - Credit Risk Model Stability" (Kaggle, 2024), page Evaluation. Its 88 weeks are
about the length of its data: a slope costs what it would take away over that time. Here time is counted in weeks
whatever the length of a period, so the weight means the same for months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from models.risk_model import Floats
from training.cohort import LEAST_OF_EACH, Cohort
from training.splits import Split
from training.statistics.metrics import Bools

FALL_WEIGHT, SPREAD_WEIGHT = 88.0, 0.5
LEAST_PERIODS = 3
"""Through fewer than three periods a line always passes exactly, and says nothing."""
DAYS_OF_A_WEEK = 7


@dataclass(frozen=True)
class Told:
    """What became of one card on the loans it had not seen.

    `value` is the objective; `gini` the mean over periods, or folds of one date; `slope` the change of the Gini in a
    week, 0 of one date; `spread` the standard deviation about the trend; `parts` the Gini of each period, or fold.
    """

    value: float
    gini: float
    slope: float
    spread: float
    parts: tuple[float, ...]


@dataclass(frozen=True)
class Objective:
    """The objective on a cohort and the splits it is judged on.

    `periods` are the period of each case, and `weeks` the middle of each; None where there are too few for a trend.
    """

    bad: Bools
    among: tuple[Split, ...]
    periods: npt.NDArray[np.intp] | None
    weeks: Floats | None

    @classmethod
    def of(cls, cohort: Cohort, among: Sequence[Split]) -> Objective:
        """Return the objective that the judged cases' observation dates allow."""
        judged = np.unique(np.concatenate([split.judge_on for split in among]))
        begins = _begins(cohort.observed_on[judged], cohort.bad[judged])
        if len(begins) < LEAST_PERIODS:
            return cls(cohort.bad, tuple(among), None, None)
        periods = np.searchsorted(begins, cohort.observed_on, side="right") - 1
        days = (cohort.observed_on - begins[0]).astype(np.int64)
        middles = [float(days[judged][periods[judged] == period].mean()) for period in range(len(begins))]
        return cls(cohort.bad, tuple(among), periods, np.array(middles) / DAYS_OF_A_WEEK)

    @property
    def words(self) -> str:
        """What is made large, in words."""
        if self.periods is None or self.weeks is None:
            return f"mean Gini of the splits - {SPREAD_WEIGHT:g} x its standard deviation"
        return (
            f"mean Gini of {len(self.weeks)} periods + {FALL_WEIGHT:g} x min(0, slope per week) - {SPREAD_WEIGHT:g} x "
            "standard deviation about the line"
        )

    def so_far(self, scores: Sequence[Floats]) -> float:
        """Return the mean Gini of the first splits: what trials that have got so far are compared by."""
        return float(
            np.mean([self._gini(split.judge_on, told) for split, told in zip(self.among, scores, strict=False)])
        )

    def told(self, scores: Sequence[Floats]) -> Told:
        """Return the objective of scores on all splits, each of the split's own judged cases, in their order."""
        if self.periods is None or self.weeks is None:
            folds = [self._gini(split.judge_on, told) for split, told in zip(self.among, scores, strict=True)]
            mean, spread = float(np.mean(folds)), float(np.std(folds))
            return Told(mean - SPREAD_WEIGHT * spread, mean, 0.0, spread, tuple(folds))
        return steadiness(self._by_period(scores), self.weeks)

    def _by_period(self, scores: Sequence[Floats]) -> Floats:
        """Return the Gini of each period: the mean over splits, each as heavy as its pairs of a good and a bad loan.

        Scores of different splits are those of different cards and are not compared with each other.
        """
        assert self.periods is not None and self.weeks is not None, "see `told`"
        sums, weights = np.zeros(len(self.weeks)), np.zeros(len(self.weeks))
        for split, told in zip(self.among, scores, strict=True):
            for period in np.unique(self.periods[split.judge_on]):
                chosen = self.periods[split.judge_on] == period
                cases = split.judge_on[chosen]
                pairs = int(self.bad[cases].sum()) * int((~self.bad[cases]).sum())
                if pairs:
                    sums[period] += pairs * self._gini(cases, told[chosen])
                    weights[period] += pairs
        return sums / weights

    def _gini(self, cases: npt.NDArray[np.intp], told: Floats) -> float:
        return 2 * float(roc_auc_score(self.bad[cases], told)) - 1


def steadiness(ginis: Floats, weeks: Floats) -> Told:
    """Return the objective of the Ginis of several periods.

    >>> round(steadiness(np.array([0.5, 0.4, 0.3]), np.array([0.0, 1.0, 2.0])).value, 6)
    -8.4
    >>> round(steadiness(np.array([0.3, 0.4, 0.5]), np.array([0.0, 1.0, 2.0])).value, 6)
    0.4
    """
    slope, level = (float(found) for found in np.polyfit(weeks, ginis, 1))
    mean, spread = float(ginis.mean()), float(np.std(ginis - (level + slope * weeks)))
    value = mean + FALL_WEIGHT * min(0.0, slope) - SPREAD_WEIGHT * spread
    return Told(value, mean, slope, spread, tuple(float(gini) for gini in ginis))


def _begins(days: npt.NDArray[np.datetime64], bad: Bools) -> npt.NDArray[np.datetime64]:
    """Return the first day of each period: observation dates put together until a period has enough of each outcome."""
    begins: list[np.datetime64] = []
    bads = goods = LEAST_OF_EACH
    for day in np.unique(days):
        if min(bads, goods) >= LEAST_OF_EACH:
            begins.append(day)
            bads = goods = 0
        bads += int(bad[days == day].sum())
        goods += int((~bad[days == day]).sum())
    if min(bads, goods) < LEAST_OF_EACH and len(begins) > 1:
        begins.pop()
    return np.array(begins, dtype="datetime64[D]")
