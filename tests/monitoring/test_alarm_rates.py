"""How often a quiet month raises an alarm, and how often a drift does: simulated from real borrowers.

REPAYRANK_MONITOR_MONTHS sets how many months; a release asks for thousands. docs/monitoring.md has what was measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date

import numpy as np
import polars as pl
import pytest
from simulations import random_for, require_share
from watched_books import Pool, Watched, decided, quiet, with_reference

from models.fitted_card import FittedCard
from training.monitoring.monitor import monitor
from training.monitoring.outcomes import LINE
from training.monitoring.policy import MonitoringPolicy
from training.monitoring.population import Column, Population
from training.statistics.psi import psi

MONTHS = int(os.environ.get("REPAYRANK_MONITOR_MONTHS", "50"))
MONTHS_IN_BOOK = 10
LOANS = 1_000
FEW_LOANS = 500
PSI = 0.2
LEAST_BINS = 8
NOTHING_KNOWN = pl.DataFrame(schema=LINE)


@pytest.mark.slow
def test_of_a_hundred_quiet_months_no_more_than_one_raises_any_alarm(pool: Pool, policy: MonitoringPolicy):
    """Features, missing values, states, scores, rolls, calibration and order of one month together."""
    random = random_for("quiet months")

    def alarmed() -> Iterator[bool]:
        for _ in range(0, MONTHS, MONTHS_IN_BOOK):
            book = quiet(pool, random, months=MONTHS_IN_BOOK, loans=LOANS)
            told = monitor(with_reference(pool, random), book.decisions, book.lines, policy).told["judged"]
            whole = [one for one in told.values() if one["tests"] > len(pool.card.catalog)]
            assert len(whole) == MONTHS_IN_BOOK
            yield from (bool(one["alarms"]) for one in whole)

    require_share("quiet months with an alarm", alarmed(), 0.0, policy.rules.alarms.false_alarm)


def tilted(pool: Pool, name: str, column: Column, to: float) -> np.ndarray:
    """Return weights of the pool's borrowers by which the feature has another distribution, of this index exactly."""
    values = pool.values[:, pool.card.catalog.names.index(name)]
    rank = np.where(np.isnan(values), 0.0, np.argsort(np.argsort(values)) / len(values) - 0.5)
    before = column.bins.counts(values)
    place = np.where(np.isnan(values), len(column.bins.edges) + 1, np.searchsorted(column.bins.edges, values))

    def index(strength: float) -> float:
        after = np.bincount(place, weights=np.exp(strength * rank), minlength=len(before))
        return psi(before, after).value

    low, high = 0.0, 12.0
    assert index(high) > to, name
    for _ in range(50):
        low, high = ((low + high) / 2, high) if index((low + high) / 2) < to else (low, (low + high) / 2)
    weights = np.exp(high * rank)
    return weights / weights.sum()


@pytest.mark.slow
def test_a_feature_that_moved_by_a_psi_of_0_2_is_named_in_95_of_100_months_of_500_loans(
    pool: Pool, policy: MonitoringPolicy
):
    random = random_for("moved months")
    whole = Population.from_dict(with_reference(pool, random).reference["population"])
    movable = [
        name
        for name, column in whole.features.items()
        if column.is_ordered and np.count_nonzero(column.counts) >= LEAST_BINS
    ]
    assert len(movable) > 20

    def named() -> Iterator[bool]:
        for _ in range(MONTHS):
            card, name = with_reference(pool, random), str(random.choice(movable))
            column = Population.from_dict(card.reference["population"]).features[name]
            chosen = random.choice(len(pool.values), size=FEW_LOANS, p=tilted(pool, name, column, PSI))
            decisions = decided(pool, chosen, date.fromisoformat(card.reference["observed_on"][-1]))
            told = monitor(card, decisions, NOTHING_KNOWN, policy).told["alarms"]
            yield (name, "moved") in {(one["of"], one["kind"]) for one in told}

    require_share("months with a PSI of 0.2 whose feature is named", named(), 0.95, 1.0)


@pytest.mark.slow
def test_scores_whose_calibration_is_a_third_too_low_are_named_when_they_mature(pool: Pool, policy: MonitoringPolicy):
    random = random_for("moved calibration")

    def named() -> Iterator[bool]:
        for _ in range(0, MONTHS, 5):
            book = quiet(pool, random, months=1, loans=LOANS)
            odds = pl.col("probability") / (1 - pl.col("probability")) * 2 / 3
            moved = book.decisions.with_columns(probability=odds / (1 + odds))
            told = monitor(with_reference(pool, random), moved, book.lines, policy).told["alarms"]
            yield ("2026-01", "level") in {(one["of"], one["kind"]) for one in told}

    require_share("vintages with odds a third too low that are named", named(), 0.95, 1.0)


def test_the_tests_of_a_month_are_more_than_its_features(card: FittedCard, watched: Watched, policy: MonitoringPolicy):
    """A page of a hundred tests, each of which alarms once in a hundred, would alarm in most months."""
    told = monitor(card, watched.decisions, watched.lines, policy).told
    tests = {name: one["tests"] for name, one in told["judged"].items()}
    assert min(tests[month["month"]] for month in told["months"]) > 2 * len(card.catalog)
    assert 1 - (1 - policy.rules.alarms.false_alarm) ** max(tests.values()) > 0.5
