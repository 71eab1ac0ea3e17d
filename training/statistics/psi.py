"""How far the cases of today lie from those of the reference, and whether more than chance would have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from features.errors import UsageError
from models.risk_model import Floats
from training.statistics.bins import Counts, LevelBins, NumberBins
from training.statistics.inputs import TooFew, within
from training.statistics.intervals import CONFIDENCE

EMPTY = 0.5
"""Cases put into a bin that only one of the samples has, because the index of an empty bin is infinite."""


@dataclass(frozen=True)
class Psi:
    """A population stability index; of one characteristic it is called CSI.

    `bins` counts those that hold a case of either sample, `filled` those of them that one sample lacks. Without drift
    the index is about `by_chance` on average: (bins - 1) (1/reference + 1/current). `least_expected` is the fewest
    cases that any bin of either sample would hold without drift; with less than about five, take the p-value of
    `simulated_p_value` instead.
    """

    value: float
    reference: int
    current: int
    bins: int
    filled: int
    least_expected: float
    by_chance: float
    p_value: float

    def critical(self, false_alarm: float = 1 - CONFIDENCE) -> float:
        """Return the index that is exceeded without drift as often as this."""
        return critical(self.reference, self.current, self.bins, false_alarm=false_alarm)


def psi(reference: npt.ArrayLike, current: npt.ArrayLike) -> Psi:
    """Return the index of two samples' counts in the same bins.

    The sum over bins of (q - p) ln(q / p), p and q the shares of the reference and of the current sample. Bins that
    hold no case of either are left out; one that only one sample has is given half a case. With one bin nothing can
    drift: the index is 0 and its p-value 1.

    Without drift the index over (1/reference + 1/current) is about chi-squared with bins - 1 degrees of freedom.

    References: Yurdakul and Naranjo (2020), Statistical properties of the population stability index, Journal of Risk
    Model Validation 14(4).
    """
    before, after = _counts(reference, "reference"), _counts(current, "current")
    if before.shape != after.shape:
        raise UsageError(
            f"{len(before)} and {len(after)} bins",
            where="PSI",
            expected="counts of the same bins",
            do="count both samples with the bins of the reference",
        )
    used = (before + after) > 0
    totals = before.sum(), after.sum()
    spread = 1 / totals[0] + 1 / totals[1]
    freedom = int(used.sum()) - 1
    value = float(_index(before[used], after[used]))
    together = (before + after)[used] / sum(totals)
    return Psi(
        value=value,
        reference=int(totals[0]),
        current=int(totals[1]),
        bins=freedom + 1,
        filled=int(np.sum((before[used] == 0) | (after[used] == 0))),
        least_expected=float(together.min() * min(totals)),
        by_chance=float(freedom * spread),
        p_value=float(chi2.sf(value / spread, freedom)) if freedom else 1.0,
    )


def csi(
    bins: Mapping[str, NumberBins | LevelBins], reference: Mapping[str, Counts], current: Mapping[str, npt.ArrayLike]
) -> dict[str, Psi]:
    """Return the index of each characteristic: reference counts were kept with the bins, current values are counted."""
    return {name: psi(reference[name], found.counts(current[name])) for name, found in bins.items()}


def critical(reference: int, current: int, bins: int, *, false_alarm: float) -> float:
    """Return the index that is exceeded without drift as often as this."""
    if bins < 2:  # noqa: PLR2004 - in one bin nothing can drift
        return 0.0
    return float((1 / reference + 1 / current) * chi2.isf(within(false_alarm, 0, 1, "false_alarm"), bins - 1))


def simulated_p_value(
    reference: npt.ArrayLike, current: npt.ArrayLike, *, repeats: int = 10_000, seed: int = 0
) -> float:
    """Return how often two samples of the same population, as large as these, have an index as large as theirs.

    The population is both samples together. For bins with so few cases that the chi-squared distribution does not
    serve; no smaller than 1 / (repeats + 1), so an alarm at one in a thousand takes some thousands of repeats.

    References: Davison and Hinkley (1997), Bootstrap Methods and their Application, section 4.2.
    """
    before, after = _counts(reference, "reference"), _counts(current, "current")
    used = (before + after) > 0
    before, after = before[used], after[used]
    together = (before + after) / (before.sum() + after.sum())
    chance = np.random.default_rng(seed)
    drawn = [chance.multinomial(int(one.sum()), together, size=repeats).astype(np.float64) for one in (before, after)]
    as_large = int(np.sum(_index(*drawn) >= _index(before, after) * (1 - 1e-12)))
    return (1 + as_large) / (1 + repeats)


def _index(before: Floats, after: Floats) -> Floats:
    """Return the index along the last axis; a bin that neither sample has adds nothing."""
    empty = (before > 0) != (after > 0)
    p = np.where(empty & (before == 0), EMPTY, before) / before.sum(axis=-1, keepdims=True)
    q = np.where(empty & (after == 0), EMPTY, after) / after.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((before > 0) | (after > 0), (q - p) * np.log(q / p), 0.0).sum(axis=-1))


def _counts(given: npt.ArrayLike, name: str) -> Floats:
    found = np.asarray(given, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all() or (found < 0).any():
        raise UsageError(
            "counts that are missing, negative or not a column", where=name, expected="cases in each bin", do="count"
        )
    if not found.sum() > 0:
        raise TooFew("no cases", where=name, expected="a case in some bin", do="report this as not judged")
    return found
