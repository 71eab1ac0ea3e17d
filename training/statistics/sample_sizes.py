"""How many cases a check needs before its answer means anything."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.stats import chi2, ncx2, norm

from training.statistics.auc import exponential_variance
from training.statistics.inputs import TooFew, whole, within
from training.statistics.intervals import CONFIDENCE, reach

MOST = 10**9
"""A check that needs more cases than this cannot be made."""


def psi_power(psi: float, reference: int, current: int, bins: int, *, false_alarm: float) -> float:
    """Return the probability that a drift of this PSI is found, at a stated probability of a false alarm.

    With drift, PSI / (1/reference + 1/current) is about non-central chi-squared with bins - 1 degrees of freedom; its
    non-centrality is the true PSI over the same.

    References: Yurdakul and Naranjo (2020), Journal of Risk Model Validation 14(4), for the distribution without
    drift; that with a drift is the usual one of a quadratic form.
    """
    spread = 1 / whole(reference, 1, "reference") + 1 / whole(current, 1, "current")
    freedom = whole(bins, 2, "bins") - 1
    bound = chi2.isf(within(false_alarm, 0, 1, "false_alarm"), freedom)
    return float(ncx2.sf(bound, freedom, psi / spread))


def least_cases_for_psi(psi: float, reference: int, bins: int, *, false_alarm: float, power: float = CONFIDENCE) -> int:
    """Return the fewest current cases with which a drift of this PSI is found as often as asked.

    `TooFew` when the reference is so small that no number of current cases is enough.
    """
    within(power, 0, 1, "power")
    return _least(
        lambda current: psi_power(psi, reference, current, bins, false_alarm=false_alarm) >= power,
        f"a reference large enough to find a PSI of {psi:g} with a probability of {power:.0%}",
    )


def least_cases_for_auc(value: float, bad_share: float, half_width: float, *, confidence: float = CONFIDENCE) -> int:
    """Return the fewest cases with which the interval of an AUC of this value reaches so far to each side.

    References: Hanley and McNeil (1982), Radiology 143:29, for the variance before any scores are seen.
    """
    within(value, 0, 1, "value")
    within(bad_share, 0, 1, "bad_share")
    within(half_width, 0, 1, "half_width")
    standard = reach(confidence)

    def narrow(cases: int) -> bool:
        bad = cases * bad_share
        if min(bad, cases - bad) < 1:
            return False
        return standard * math.sqrt(exponential_variance(value, bad, cases - bad)) <= half_width

    return _least(narrow, "a wider interval")


def least_cases_for_auc_difference(
    difference: float,
    value: float,
    bad_share: float,
    *,
    correlation: float,
    false_alarm: float = 1 - CONFIDENCE,
    power: float = 0.8,
) -> int:
    """Return the fewest cases with which a difference of two scores' AUCs is found as often as asked.

    Parameters
    ----------
    value : AUC of the weaker score
    correlation : of the two AUCs, each taken of the same cases; 0 when one does not know is the careful answer

    References: Hanley and McNeil (1983), Radiology 148:839.
    """
    for name, given in (("difference", difference), ("value", value), ("bad_share", bad_share), ("power", power)):
        within(given, 0, 1, name)
    within(value + difference, 0, 1, "value + difference")
    within(correlation, -1, 1, "correlation")
    needed = norm.isf(within(false_alarm, 0, 1, "false_alarm") / 2) + norm.ppf(power)

    def found(cases: int) -> bool:
        bad = cases * bad_share
        if min(bad, cases - bad) < 1:
            return False
        first, second = (math.sqrt(exponential_variance(one, bad, cases - bad)) for one in (value, value + difference))
        variance = first**2 + second**2 - 2 * correlation * first * second
        return bool(difference >= needed * math.sqrt(variance))

    return _least(found, "a larger difference")


def _least(enough: Callable[[int], bool], expected: str) -> int:
    """Return the least whole number that is enough, where every greater one is enough as well."""
    if not enough(MOST):
        raise TooFew(
            f"a check that {MOST:,} cases are too few for",
            where="sample size",
            expected=expected,
            do="ask for less, or give more of what is fixed",
        )
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
