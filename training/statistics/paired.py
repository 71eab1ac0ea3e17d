"""How sure it is that one score orders the same loans better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from models.risk_model import Floats
from training.statistics.auc import LEAST_OF_EACH, placements
from training.statistics.inputs import TooFew, both_outcomes, scores
from training.statistics.intervals import CONFIDENCE, reach
from training.statistics.metrics import Bools


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


@dataclass(frozen=True)
class PairedTest:
    """A test that two scores order the same loans equally well; `difference` is the first AUC less the second."""

    difference: float
    standard_error: float
    z: float
    p_value: float


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
    away = reach(CONFIDENCE) * spread
    return Difference(mean, mean - away, mean + away)


def paired_test(bad: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> PairedTest:
    """Return DeLong's test of two scores on the same loans, two-sided.

    Two scores that order all loans alike differ by 0 with certainty: p is 1. Where they differ and nothing varies, as
    when one is perfect and the other perfectly wrong, there is nothing to judge the difference by: `TooFew`.
    """
    told = both_outcomes(bad, where="paired test of two AUCs", least=LEAST_OF_EACH)
    pair = [scores(one, len(told), where="paired test of two AUCs") for one in (first, second)]
    difference, variance = _delong(told, *pair)
    if variance == 0:
        if difference != 0:
            raise TooFew(
                "two scores whose difference varies with no loan",
                where="paired test of two AUCs",
                expected="loans that one of the scores has in a wrong order and others that it has in the right one",
                do="judge more loans together",
            )
        return PairedTest(0.0, 0.0, 0.0, 1.0)
    error = float(np.sqrt(variance))
    z = difference / error
    return PairedTest(difference, error, z, float(2 * norm.sf(abs(z))))


def _delong(bad: Bools, first: Floats, second: Floats) -> tuple[float, float]:
    """Return the difference of two AUCs on the same loans and its variance."""
    of_bad, of_good = zip(*(placements(bad, score) for score in (first, second)), strict=True)
    over_bad, over_good = np.subtract(*of_bad), np.subtract(*of_good)
    variance = np.var(over_bad, ddof=1) / len(over_bad) + np.var(over_good, ddof=1) / len(over_good)
    return float(over_bad.mean()), float(variance)
