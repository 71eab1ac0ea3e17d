"""Whether the probabilities and what happened differ by more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, ncx2, norm

from training.statistics.bands import by_band
from training.statistics.inputs import TooFew, outcomes, probabilities

FITTED = 2
"""Degrees of freedom lost when the probabilities were fitted to the same cases."""


@dataclass(frozen=True)
class HosmerLemeshow:
    """The test over bands; `least_expected` is the fewest cases of a kind expected in a band.

    With fewer than about five the p-value is not to be relied on. With very many cases the test finds differences
    that matter to nobody: `allowing` was let pass.
    """

    statistic: float
    freedom: int
    p_value: float
    least_expected: float
    allowing: float


@dataclass(frozen=True)
class Spiegelhalter:
    """The test over single cases; a positive `z` says that the probabilities are less right than they claim."""

    z: float
    p_value: float


def hosmer_lemeshow(
    bad: npt.ArrayLike,
    probability: npt.ArrayLike,
    band: npt.ArrayLike,
    *,
    fitted_on_these: bool = False,
    allowing: float = 0.0,
) -> HosmerLemeshow:
    """Return the test that the bad cases of all bands are as many as expected.

    The sum over bands of (bad - expected)^2 / (cases p (1 - p)), p the mean probability of the band. A band in which
    nothing is uncertain (p is 0 or 1) says nothing when it is right and refutes the probabilities when it is wrong.

    Parameters
    ----------
    band : the band of each case, for instance from `equal_bands(probability, 10)`
    fitted_on_these : whether the probabilities were fitted to these very cases; two degrees of freedom are lost
    allowing : standardised non-centrality that is not held against the probabilities, 0 for none

    References: Hosmer and Lemeshow (1980), Communications in Statistics A9:1043; Nattino, Pennell and Lemeshow (2020),
    Biometrics 76:549, for `allowing`: the square root of the non-centrality over the number of cases.
    """
    told, _, sums = by_band(bad, probability, band, where="Hosmer-Lemeshow test")
    good = sums.cases - sums.expected
    spread = sums.expected * good / sums.cases
    uncertain = spread > 0
    refuted = bool(np.any((sums.bad != sums.expected) & ~uncertain))
    statistic = float(np.sum((sums.bad - sums.expected)[uncertain] ** 2 / spread[uncertain]))
    freedom = int(uncertain.sum()) - (FITTED if fitted_on_these else 0)
    if freedom < 1 and not refuted:
        raise TooFew(
            f"{int(uncertain.sum())} bands in which anything is uncertain",
            where="Hosmer-Lemeshow test",
            expected=f"at least {1 + (FITTED if fitted_on_these else 0)}",
            do="judge by more bands, or by the slope of the calibration",
        )
    beyond = len(told) * allowing**2
    p_value = (
        float(ncx2.sf(statistic, freedom, beyond) if beyond else chi2.sf(statistic, freedom)) if not refuted else 0.0
    )
    return HosmerLemeshow(
        statistic=float("inf") if refuted else statistic,
        freedom=freedom,
        p_value=p_value,
        least_expected=float(np.minimum(sums.expected, good).min()),
        allowing=allowing,
    )


def spiegelhalter(bad: npt.ArrayLike, probability: npt.ArrayLike) -> Spiegelhalter:
    """Return the test that the Brier score is what it must be if the probabilities are right, two-sided.

    It needs no bands. It is blind to a case whose probability is one half, so of such cases alone it says nothing.

    References: Spiegelhalter (1986), Statistics in Medicine 5:421.
    """
    told = outcomes(bad, where="Spiegelhalter's test")
    p = probabilities(probability, len(told), where="Spiegelhalter's test")
    spread = float(np.sqrt(np.sum((1 - 2 * p) ** 2 * p * (1 - p))))
    if spread == 0:
        raise TooFew(
            f"{len(p)} cases with probabilities of 0, 1/2 or 1",
            where="Spiegelhalter's test",
            expected="a case with another probability",
            do="report this as not judged",
        )
    z = float(np.sum((told - p) * (1 - 2 * p))) / spread
    return Spiegelhalter(z, float(2 * norm.sf(abs(z))))
