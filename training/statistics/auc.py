"""How sure it is that a score puts a bad loan above a good one as often as it seems to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata, t

from models.risk_model import Floats
from training.statistics.inputs import both_outcomes, scores, within
from training.statistics.intervals import CONFIDENCE, Interval, reach
from training.statistics.metrics import Bools

LEAST_OF_EACH = 2
"""A variance among bad loans, or among good ones, takes two."""
_NEAR = 1e-12
"""How near to 0 and 1 a bound is looked for, where 0 and 1 themselves solve the equation too."""


@dataclass(frozen=True)
class Auc:
    """The share of pairs of a bad and a good loan that a score has in the right order, a tie counting half.

    `variance` is DeLong's, `freedom` its degrees of freedom after Satterthwaite (infinite where nothing varies).
    """

    value: float
    variance: float
    freedom: float
    bad: int
    good: int

    @property
    def gini(self) -> float:
        """2 AUC - 1."""
        return 2 * self.value - 1

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the interval of the AUC, found on the scale of its log-odds with Student's quantile.

        Of the plain interval, this one and Newcombe's, this one covers best in simulation where the AUC is that of
        credit scores, 0.5 to 0.9; the plain one covers too seldom with few bad loans. Where the variance is 0, as it
        is of a score that separates perfectly, the log-odds tell nothing and Newcombe's interval is returned.

        References: Pepe (2003), The Statistical Evaluation of Medical Tests, p. 107, for the log-odds; Brunner and
        Munzel (2000), Biometrical Journal 42:17, for the degrees of freedom; Newcombe (2006), Statistics in Medicine
        25:559, method 5.
        """
        if self.variance == 0 or self.value in {0.0, 1.0}:
            return _newcombe(self.value, self.bad, self.good, confidence)
        slope = self.value * (1 - self.value)
        quantile = float(t.ppf((1 + within(confidence, 0, 1, "confidence")) / 2, self.freedom))
        away = quantile * np.sqrt(self.variance) / slope
        return Interval(*(float(expit(logit(self.value) + side * away)) for side in (-1, 1)))

    def gini_interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return the interval of the Gini coefficient."""
        low, high = self.interval(confidence)
        return Interval(2 * low - 1, 2 * high - 1)


def auc(bad: npt.ArrayLike, score: npt.ArrayLike) -> Auc:
    """Return the AUC of a score that rises with risk, with its variance, in the time that sorting takes.

    References: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44:837; Sun and Xu (2014), IEEE Signal Processing
    Letters 21:1389, for the ranks.
    """
    told = both_outcomes(bad, where="AUC", least=LEAST_OF_EACH)
    below, above = placements(told, scores(score, len(told), where="AUC"))
    of_bad, of_good = (float(np.var(one, ddof=1)) / len(one) for one in (below, above))
    rest = of_bad**2 / (len(below) - 1) + of_good**2 / (len(above) - 1)
    return Auc(
        value=float(below.mean()),
        variance=of_bad + of_good,
        freedom=(of_bad + of_good) ** 2 / rest if rest > 0 else float("inf"),
        bad=len(below),
        good=len(above),
    )


def placements(bad: Bools, score: Floats) -> tuple[Floats, Floats]:
    """Return, for each bad loan, the share of good ones below it, and for each good one the share of bad ones above."""
    bads, goods = score[bad], score[~bad]
    ranks = rankdata(np.concatenate([bads, goods]))
    below = (ranks[: len(bads)] - rankdata(bads)) / len(goods)
    above = 1 - (ranks[len(bads) :] - rankdata(goods)) / len(bads)
    return np.asarray(below), np.asarray(above)


def exponential_variance(value: float, bad: float, good: float) -> float:
    """Return the variance of an AUC if scores were exponentially distributed: what is expected before any are seen.

    References: Hanley and McNeil (1982), Radiology 143:29, equation 1.
    """
    both_above, both_below = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (bad - 1) * (both_above - value**2) + (good - 1) * (both_below - value**2)
    return spread / (bad * good)


def _newcombe(value: float, bad: int, good: int, confidence: float) -> Interval:
    """Return the values that lie within so many of their own standard errors, bad and good changed for their mean."""
    mean, standard = (bad + good) / 2, reach(confidence)

    def beyond(other: float) -> float:
        variance = exponential_variance(other, mean, mean) * mean**2 / (bad * good)
        return (value - other) ** 2 - standard**2 * variance

    inside = min(max(value, _NEAR), 1 - _NEAR)
    low = 0.0 if value == 0 else float(brentq(beyond, 0, inside))
    high = 1.0 if value == 1 else float(brentq(beyond, inside, 1))
    return Interval(low, high)
