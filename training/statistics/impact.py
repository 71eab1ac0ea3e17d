"""Whether a group is favoured less often than another, as a ratio, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import chi2

from training.statistics.inputs import outcomes, within
from training.statistics.intervals import CONFIDENCE, Interval
from training.statistics.segments import NotJudged
from training.statistics.shares import Counted, counted, reference_of

_LEAST_RATIO, _MOST_RATIO = 1e-9, 1e9
"""Ratios between which a bound is looked for."""
_NEAR = 1e-12


@dataclass(frozen=True)
class Impact:
    """A group's share of favoured cases over the reference group's: the adverse impact ratio, with its bounds."""

    group: Counted
    reference: Counted
    ratio: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        """The bounds between which the true ratio lies."""
        return Interval(self.low, self.high)


def adverse_impact(
    favoured: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    reference: str,
    least: int,
    confidence: float = CONFIDENCE,
) -> dict[str, Impact | NotJudged]:
    """Return the adverse impact ratio of every group but the reference.

    Parameters
    ----------
    favoured : whether the case got what is wanted: was approved, was left alone, was offered relief
    reference : the name of the group that others are compared with
    least : the fewest cases a group is judged by; smaller groups are told as not judged

    When nobody of the reference group was favoured there is no ratio, and no group is judged.
    """
    told = outcomes(favoured, where="adverse impact")
    found = counted(told, group, where="adverse impact")
    base, why = reference_of(found, reference, least)
    if base is not None and base.found == 0:
        base, why = None, "nobody of the reference group was favoured: there is no ratio"
    judged: dict[str, Impact | NotJudged] = {}
    for name, one in found.items():
        if name == reference:
            continue
        if base is None:
            judged[name] = NotJudged(one.cases, why)
        elif one.cases < least:
            judged[name] = NotJudged(one.cases, f"{one.cases} cases of the {least} that are needed")
        else:
            judged[name] = Impact(one, base, one.share / base.share, *ratio_interval(one, base, confidence))
    return judged


def ratio_interval(first: Counted, second: Counted, confidence: float = CONFIDENCE) -> Interval:
    """Return the bounds of the ratio of two independent shares: those that a score test would not reject.

    It covers better than the interval from the logarithm's standard error (Katz) where a count is small, and exists
    where a count is none or all. The second share is not 0.

    References: Koopman (1984), Biometrics 40:513; Katz and others (1978), Biometrics 34:469, for the other.
    """
    bound = float(chi2.ppf(within(confidence, 0, 1, "confidence"), 1))
    ratio = first.share / second.share

    def beyond(logarithm: float) -> float:
        return _statistic(float(np.exp(logarithm)), first, second) - bound

    middle = float(np.log(max(ratio, _LEAST_RATIO)))
    low = 0.0 if first.found == 0 else float(np.exp(brentq(beyond, np.log(_LEAST_RATIO), middle)))
    return Interval(low, float(np.exp(brentq(beyond, middle, np.log(_MOST_RATIO)))))


def _statistic(ratio: float, first: Counted, second: Counted) -> float:
    """Return how badly the counts fit a ratio, as chi-squared, at the shares most likely under it."""
    found, cases = first.found + second.found, first.cases + second.cases
    middle = ratio * (first.cases + second.found) + first.found + second.cases
    likely = (middle - np.sqrt(max(0.0, middle**2 - 4 * ratio * cases * found))) / (2 * ratio * cases)
    total = 0.0
    for one, share in ((first, likely * ratio), (second, likely)):
        kept = min(max(share, _NEAR), 1 - _NEAR)
        total += (one.found - one.cases * kept) ** 2 / (one.cases * kept * (1 - kept))
    return float(total)
