"""Between which bounds a share lies, at a stated confidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import beta, binomtest, norm

from models.risk_model import Floats
from training.statistics.inputs import within

CONFIDENCE = 0.95
"""Probability with which an interval covers the true value, where none is asked for."""


class Interval(NamedTuple):
    """The bounds of a value."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether a value lies between the bounds."""
        return self.low <= value <= self.high


def reach(confidence: float) -> float:
    """Return how many standard errors an interval reaches to each side; 1.96 for 95 %."""
    return float(norm.ppf((1 + within(confidence, 0, 1, "confidence")) / 2))


def wilson(found: int, cases: int, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's score interval of a share: the set of shares that a test would not reject."""
    told = binomtest(found, cases).proportion_ci(confidence, method="wilson")
    return Interval(float(told.low), float(told.high))


def jeffreys(found: Floats, cases: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Return the bounds of Jeffreys' interval of shares, several at once.

    Quantiles of Beta(found + 1/2, cases - found + 1/2); the lower bound is 0 when none was found and the upper one 1
    when all were. Of no cases nothing is known: 0 to 1.

    References: Brown, Cai and DasGupta (2001), Statistical Science 16:101, section 4.1.2.
    """
    tail = (1 - within(confidence, 0, 1, "confidence")) / 2
    found, cases = np.asarray(found, dtype=np.float64), np.asarray(cases, dtype=np.float64)
    low = beta.ppf(tail, found + 0.5, cases - found + 0.5)
    high = beta.ppf(1 - tail, found + 0.5, cases - found + 0.5)
    return np.where(found == 0, 0.0, low), np.where(found == cases, 1.0, high)
