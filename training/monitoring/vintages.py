"""What became of each month's loans: whether as many went bad as was foretold, and whether the risky ones did.

A vintage is judged when its performance windows have ended and nearly all of its outcomes are known. Before that the
outcomes that are known are mostly those of the bad, and a figure of them would be wrong; they are counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from features.words import Text
from training.monitoring.alarms import Kind, Test
from training.monitoring.months import Month
from training.monitoring.outcomes import BAD, INDETERMINATE
from training.monitoring.policy import Written
from training.monitoring.population import Quality
from training.statistics.auc import Auc, auc
from training.statistics.inputs import TooFew
from training.statistics.intervals import jeffreys
from training.statistics.ks import ks
from training.statistics.recalibration import Recalibration, recalibration


class State(StrEnum):
    """How far a vintage is known."""

    RUNNING = "running"
    INCOMPLETE = "incomplete"
    MATURE = "mature"

    @property
    def text(self) -> Text:
        """Return it in words."""
        return {
            State.RUNNING: Text(en="performance window not ended", zh="表现期未结束"),
            State.INCOMPLETE: Text(en="too few outcomes known", zh="已知结果不足"),
            State.MATURE: Text(en="mature", zh="已成熟"),
        }[self]


@dataclass(frozen=True)
class Vintage:
    """A month's loans, with what is known of their outcomes.

    Attributes
    ----------
    known : how many outcomes are known, indeterminate ones among them
    matured_on : the day from which it may be judged; None before
    bad_share, low, high : the share that went bad of those judged, with Jeffreys' bounds; None where not judged
    expected : the mean of the probabilities
    """

    name: str
    loans: int
    known: int
    bad: int
    indeterminate: int
    state: State
    matured_on: date | None = None
    expected: float | None = None
    bad_share: float | None = None
    bad_low: float | None = None
    bad_high: float | None = None
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None
    ks: float | None = None
    ks_low: float | None = None
    ks_high: float | None = None
    in_the_large: float | None = None
    slope: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        day = None if self.matured_on is None else self.matured_on.isoformat()
        return {**told, "state": self.state.value, "matured_on": day}


def vintages(
    months: Sequence[Month],
    outcomes: pl.DataFrame,
    rules: Written,
    *,
    window_days: int,
    as_of: date,
    quality: Mapping[int, Quality],
) -> list[tuple[Vintage, list[Test]]]:
    """Return each month's vintage, and the tests that it is judged by in the month in which it matured.

    Parameters
    ----------
    outcomes : of `outcomes.first_known`; those known after `as_of` are not known yet
    quality : how good the scores of the reference were, by its era; without it, as across a declared break, the
        probabilities are still held against being right, and the order of the loans against nothing
    """
    known = outcomes.filter(pl.col("known_on") <= as_of)
    return [_vintage(month, known, rules, window_days, as_of, quality.get(month.era)) for month in months]


def _vintage(
    month: Month, known: pl.DataFrame, rules: Written, window_days: int, as_of: date, quality: Quality | None
) -> tuple[Vintage, list[Test]]:
    cases = month.cases.join(known, on="score_id", how="inner", maintain_order="left")
    ended = month.cases.get_column("observed_on").max()
    assert isinstance(ended, date), "a month has cases"
    ended += timedelta(days=window_days)
    days = cases.get_column("known_on").sort()
    needed = int(np.ceil(rules.vintages.known_share * len(month)))
    state = State.RUNNING if ended > as_of else State.INCOMPLETE if len(days) < needed else State.MATURE
    outcome = cases.get_column("outcome")
    counted = Vintage(
        month.name, len(month), len(days), int((outcome == BAD).sum()), int((outcome == INDETERMINATE).sum()), state
    )
    if state is not State.MATURE:
        return counted, []
    decided = cases.filter(pl.col("outcome") != INDETERMINATE)
    if decided.is_empty():
        return counted, []
    bad = (decided.get_column("outcome") == BAD).to_numpy()
    log_odds, probability = (decided.get_column(name).to_numpy() for name in ("log_odds", "probability"))
    low, high = jeffreys(np.array([bad.sum()]), np.array([len(bad)]))
    enough = min(int(bad.sum()), int((~bad).sum())) >= rules.calibration.least_of_each
    order, level = (_order(bad, log_odds), _level(bad, probability)) if enough else (None, None)
    apart = ks(bad, log_odds) if enough else None
    bounds = (None, None) if order is None else order.interval()
    told = Vintage(
        **{
            **vars(counted),
            "matured_on": max(ended, days[needed - 1]),
            "expected": float(probability.mean()),
            "bad_share": float(bad.mean()),
            "bad_low": float(low[0]),
            "bad_high": float(high[0]),
            "auc": None if order is None else order.value,
            "auc_low": bounds[0],
            "auc_high": bounds[1],
            "ks": None if apart is None else apart.value,
            "ks_low": None if apart is None else apart.low,
            "ks_high": None if apart is None else apart.high,
            "in_the_large": None if level is None else level.in_the_large.value,
            "slope": None if level is None else level.slope.value,
        }
    )
    return told, list(_tests(month.name, order, level, quality, rules))


def _order(bad: np.ndarray, log_odds: np.ndarray) -> Auc | None:
    try:
        return auc(bad, log_odds)
    except TooFew:
        return None


def _level(bad: np.ndarray, probability: np.ndarray) -> Recalibration | None:
    try:
        return recalibration(bad, probability)
    except TooFew:
        return None


def _tests(
    name: str, order: Auc | None, level: Recalibration | None, quality: Quality | None, rules: Written
) -> Iterator[Test]:
    """Yield a vintage's tests. The reference's figures were estimated too, and their error is in each."""
    if level is not None:
        away = level.in_the_large.value
        error = np.hypot(level.in_the_large.standard_error, 0.0 if quality is None else quality.in_the_large.error)
        yield Test(
            Kind.LEVEL, name, abs(away), rules.calibration.in_the_large, _two_sided(away / error), f"{away:+.2f}"
        )
        off = level.slope.value - (1.0 if quality is None else quality.slope.value)
        error = np.hypot(level.slope.standard_error, 0.0 if quality is None else quality.slope.error)
        yield Test(Kind.SLOPE, name, abs(off), rules.calibration.slope, _two_sided(off / error), f"{off:+.2f}")
    if order is not None and quality is not None:
        fell = quality.auc.value - order.value
        error = np.hypot(np.sqrt(order.variance), quality.auc.error)
        p_value = float(norm.sf(fell / error)) if error > 0 else 1.0
        yield Test(Kind.ORDER, name, fell, rules.performance.auc_fell_by, p_value, f"{fell:.3f}")


def _two_sided(z: float) -> float:
    return float(2 * norm.sf(abs(z)))
