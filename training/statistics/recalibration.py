"""Whether the log-odds are too bold or too timid, too high or too low, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import chi2

from models.risk_model import Floats
from training.statistics.inputs import TooFew, both_outcomes, probabilities
from training.statistics.intervals import CONFIDENCE, Interval, reach
from training.statistics.metrics import Bools

MOST_STEPS = 100
PRECISION = 1e-12
FLATTEST = 1e-3
"""Spread of the log-odds below which they are one number."""


@dataclass(frozen=True)
class Coefficient:
    """A fitted number with its standard error."""

    value: float
    standard_error: float

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """Return Wald's interval."""
        away = reach(confidence) * self.standard_error
        return Interval(self.value - away, self.value + away)


@dataclass(frozen=True)
class Recalibration:
    """The logistic regression of outcomes on the log-odds that were predicted.

    `slope` is 1 when they are as bold as they should be, less when too bold. `intercept` belongs to that slope;
    `in_the_large` is the intercept with the slope held at 1: more than 0 when more went bad than expected.
    `p_value` is that of the likelihood ratio of both against a slope of 1 and an intercept of 0.
    """

    slope: Coefficient
    intercept: Coefficient
    in_the_large: Coefficient
    p_value: float


def recalibration(bad: npt.ArrayLike, probability: npt.ArrayLike) -> Recalibration:
    """Return slope and intercept of the calibration, by maximum likelihood.

    References: Cox (1958), Biometrika 45:562; Steyerberg (2019), Clinical Prediction Models, section 15.3.
    """
    told = both_outcomes(bad, where="calibration slope")
    predicted = logit(probabilities(probability, len(told), where="calibration slope", inside=True))
    if np.ptp(predicted) < FLATTEST:
        raise TooFew(
            "probabilities that are all the same",
            where="calibration slope",
            expected="probabilities that differ",
            do="judge the level alone: compare their mean with the share that went bad",
        )
    both, errors = _fit(told, np.column_stack([np.ones(len(told)), predicted]), np.zeros(len(told)))
    level, error = _fit(told, np.ones((len(told), 1)), predicted)
    gain = _likelihood(told, both[0] + both[1] * predicted) - _likelihood(told, predicted)
    return Recalibration(
        slope=Coefficient(float(both[1]), float(errors[1])),
        intercept=Coefficient(float(both[0]), float(errors[0])),
        in_the_large=Coefficient(float(level[0]), float(error[0])),
        p_value=float(chi2.sf(max(0.0, 2 * gain), 2)),
    )


def _fit(bad: Bools, columns: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients of a logistic regression and their standard errors, by Newton's steps, halved at need."""
    found = np.zeros(columns.shape[1])
    reached = _likelihood(bad, offset)
    for _ in range(MOST_STEPS):
        chance = expit(offset + columns @ found)
        information = columns.T @ (columns * (chance * (1 - chance))[:, None])
        if not np.linalg.cond(information) < 1 / PRECISION:
            break
        step = np.linalg.solve(information, columns.T @ (bad - chance))
        while _likelihood(bad, offset + columns @ (found + step)) < reached - PRECISION * abs(reached):
            step = step / 2
        found = found + step
        reached = _likelihood(bad, offset + columns @ found)
        if np.abs(step).max() < PRECISION * (1 + np.abs(found).max()):
            return found, np.sqrt(np.diag(np.linalg.inv(information)))
    raise TooFew(
        "log-odds that tell the bad cases from the good ones without error",
        where="calibration slope",
        expected="cases that overlap: the slope is infinite otherwise",
        do="judge more cases together, or report this as not judged",
    )


def _likelihood(bad: Bools, log_odds: Floats) -> float:
    """Return the logarithm of the likelihood."""
    return -float(np.sum(np.logaddexp(0, np.where(bad, -log_odds, log_odds))))
