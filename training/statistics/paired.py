"""How sure it is that one score orders the same loans better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from models.risk_model import Floats
from training.statistics.metrics import Bools

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """A difference of two AUCs on the same loans, with its confidence interval."""

    auc: float
    low: float
    high: float

    def words(self, other: str) -> str:
        """Return the difference in a sentence: which is better, and whether that is sure."""
        told = f"{self.auc:+.4f} AUC against {other} ({CONFIDENCE:.0%} interval {self.low:+.4f} to {self.high:+.4f})"
        if self.low > 0:
            return f"better: {told}"
        return f"worse: {told}" if self.high < 0 else f"not told apart: {told}"


def auc_difference(parts: Sequence[tuple[Bools, Floats, Floats]]) -> Difference:
    """Return the mean difference of AUC, first score less second, over parts that were judged on their own.

    Parameters
    ----------
    parts : outcomes and both scores of each part (a fold); scores of different parts are not compared with each other

    Each part's variance is DeLong's for two correlated curves; parts are taken as independent.

    References: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44:837; Sun and Xu (2014), IEEE Signal Processing
    Letters 21:1389 for the ranks.
    """
    differences, variances = zip(*(_delong(*part) for part in parts), strict=True)
    mean, spread = float(np.mean(differences)), float(np.sqrt(np.sum(variances)) / len(parts))
    reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * spread
    return Difference(mean, mean - reach, mean + reach)


def _delong(bad: Bools, first: Floats, second: Floats) -> tuple[float, float]:
    """Return the difference of two AUCs on the same loans and its variance."""
    of_bad, of_good = zip(*(_components(bad, score) for score in (first, second)), strict=True)
    over_bad, over_good = np.subtract(*of_bad), np.subtract(*of_good)
    variance = np.var(over_bad, ddof=1) / len(over_bad) + np.var(over_good, ddof=1) / len(over_good)
    return float(over_bad.mean()), float(variance)


def _components(bad: Bools, score: Floats) -> tuple[Floats, Floats]:
    """Return, for each bad loan, the share of good ones below it, and for each good one the share of bad ones above."""
    bads, goods = score[bad], score[~bad]
    ranks = rankdata(np.concatenate([bads, goods]))
    below = (ranks[: len(bads)] - rankdata(bads)) / len(goods)
    above = 1 - (ranks[len(bads) :] - rankdata(goods)) / len(bads)
    return np.asarray(below), np.asarray(above)
