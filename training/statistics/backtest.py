"""Whether a grade's probability was too low for what happened in it: the supervisor's test, grade by grade."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binom

from models.risk_model import Floats
from training.statistics.bands import Band, band_table
from training.statistics.inputs import whole, within
from training.statistics.intervals import CONFIDENCE


class Light(StrEnum):
    """What a p-value means against two levels: nothing found, look at it, too low."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Grade:
    """A grade, the p-value of `too low`, and its light; `band` holds the counts."""

    band: Band
    p_value: float
    light: Light


def jeffreys_p_value(bad: npt.ArrayLike, cases: npt.ArrayLike, probability: npt.ArrayLike) -> Floats:
    """Return the p-value that a probability is not too low, for several grades at once.

    The posterior probability, from Jeffreys' prior, that the true share of bad cases is at most the probability:
    Beta(bad + 1/2, cases - bad + 1/2) at it. Small means too low; near 1 means too high.

    References: European Central Bank (2019), Instructions for reporting the validation results of internal models,
    section 2.5.3.1.
    """
    found, total = np.asarray(bad, dtype=np.float64), np.asarray(cases, dtype=np.float64)
    return np.asarray(beta.cdf(probability, found + 0.5, total - found + 0.5))


def back_test(
    bad: npt.ArrayLike,
    probability: npt.ArrayLike,
    grade: npt.ArrayLike,
    *,
    amber: float,
    red: float,
    confidence: float = CONFIDENCE,
) -> list[Grade]:
    """Return each grade's test of its mean probability, in the order of the grades.

    Parameters
    ----------
    amber, red : p-values below which a grade's light is amber, and red; red is the smaller. They are policy, and one
        of several grades is red by chance more often than a single one: adjust the p-values with `holm` where that
        matters.
    """
    within(amber, 0, 1, "amber")
    within(red, 0, amber, "red")
    table = band_table(bad, probability, grade, confidence=confidence)
    columns = [[getattr(band, name) for band in table] for name in ("bad", "cases", "predicted")]
    return [
        Grade(band, float(p), Light.RED if p < red else Light.AMBER if p < amber else Light.GREEN)
        for band, p in zip(table, jeffreys_p_value(*columns), strict=True)
    ]


def back_test_power(cases: int, probability: float, truth: float, *, level: float) -> float:
    """Return how often a grade of this size fails at this level if its true share of bad cases is `truth`, exactly.

    With `truth` equal to `probability` this is the size of the test. Counts are whole numbers, so in a small grade it
    is not the level itself.
    """
    counts = np.arange(whole(cases, 1, "cases") + 1)
    fails = jeffreys_p_value(counts, np.full(len(counts), cases), within(probability, 0, 1, "probability")) < level
    return float(binom.pmf(counts[fails], cases, within(truth, 0, 1, "truth")).sum())
