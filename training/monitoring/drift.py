"""Whether a month's borrowers are those of the reference: their features, what is missing of them, and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2_contingency, fisher_exact

from models.risk_model import Floats
from training.monitoring.alarms import Kind, Test, moved
from training.monitoring.policy import Written
from training.monitoring.population import Column, Population, magnitude_of
from training.statistics.bins import Counts, LevelBins
from training.statistics.psi import psi

SCORE = "(score)"
FEW_EXPECTED = 5.0


@dataclass(frozen=True)
class Drift:
    """How a feature, or the score, stands in one month.

    `beyond` is the index beyond what chance makes of so few on average; `missing` the share without a value, now and in
    the reference.
    """

    of: str
    cases: int
    psi: float
    beyond: float
    critical: float
    missing: float
    missing_before: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))


def drifts(
    values: Mapping[str, Floats], log_odds: Floats | None, reference: Population, rules: Written
) -> tuple[list[Drift], list[Test]]:
    """Return how every feature and the score stand against the reference, and the month's tests of them.

    Parameters
    ----------
    values : of each feature, NaN where it is missing; features that the reference does not have are passed over
    log_odds : the raw scores; None where they are not those of the reference's version
    """
    told: list[Drift] = []
    tests: list[Test] = []
    columns = [(name, found, reference.features[name]) for name, found in values.items() if name in reference.features]
    if log_odds is not None and reference.score is not None:
        columns.insert(0, (SCORE, log_odds, reference.score))
    for name, found, before in columns:
        if len(found) < rules.population.least_cases:
            continue
        drift, asked = _judge(name, found, before, rules)
        told.append(drift)
        tests += asked
    return told, tests


def _judge(name: str, found: Floats, before: Column, rules: Written) -> tuple[Drift, list[Test]]:
    """Return how a column stands, and its tests. Which of them raise alarms says what happened."""
    counts = before.bins.counts(found)
    index, beyond, p_value = moved(before.counts, counts, ordered=before.is_ordered)
    drift = Drift(
        of=name,
        cases=len(found),
        psi=index.value,
        beyond=beyond,
        critical=index.critical(rules.alarms.false_alarm),
        missing=float(counts[-1]) / len(found),
        missing_before=before.missing / before.cases,
    )
    bound = rules.population.moved_by
    if name == SCORE:
        return drift, [Test(Kind.SCORES, "", beyond, bound, p_value, f"{drift.psi:.2f}")]
    away = drift.missing - drift.missing_before
    factor = _factor(found, before, rules) if beyond >= bound else None
    if factor is None:
        only_missing = abs(away) >= rules.missing.moved_by and _known_moved_by(before, counts) < bound
        said_by = Kind.MISSING if only_missing else None
        tests = [Test(Kind.MOVED, name, beyond, bound, p_value, f"{drift.psi:.2f}", said_by)]
    else:  # the same test: what is said of it is another
        tests = [Test(Kind.UNIT, name, beyond, bound, p_value, f"{factor:.3g}")]
    p_missing = _missing_p_value(before, counts)
    tests.append(Test(Kind.MISSING, name, abs(away), rules.missing.moved_by, p_missing, f"{away:+.0%}"))
    if isinstance(before.bins, LevelBins):
        unseen, known = int(counts[len(before.bins.levels)]), int(counts[:-1].sum())
        share = unseen / known if known else 0.0
        p_unseen = _unseen_p_value(before, unseen, known)
        tests.append(Test(Kind.UNSEEN, name, share, rules.unseen.share, p_unseen, f"{share:.1%}"))
    return drift, tests


def _known_moved_by(before: Column, counts: Counts) -> float:
    """Return how far the values that are there have moved; 0 where none is there."""
    if not counts[:-1].any():
        return 0.0
    found = psi(before.counts[:-1], counts[:-1])
    return max(0.0, found.value - found.by_chance)


def _missing_p_value(before: Column, counts: Counts) -> float:
    table = [[before.missing, before.cases - before.missing], [int(counts[-1]), int(counts[:-1].sum())]]
    return _two_by_two(table)


def _two_by_two(table: list[list[int]]) -> float:
    """Return the p-value that two shares are one: exact where cases are few."""
    found = np.array(table, dtype=np.float64)
    if not found.sum(axis=0).all() or not found.sum(axis=1).all():
        return 1.0
    expected = found.sum(axis=1, keepdims=True) * found.sum(axis=0) / found.sum()
    if expected.min() < FEW_EXPECTED:
        return float(fisher_exact(table).pvalue)
    return float(chi2_contingency(table, correction=False).pvalue)


def _unseen_p_value(before: Column, unseen: int, known: int) -> float:
    """Return how often chance alone brings so many cases in states that the reference does not have.

    About as often as a case of the reference was alone in its state: Good and Turing's estimate.

    References: Good (1953), Biometrika 40:237.
    """
    if not unseen:
        return 1.0
    there = before.cases - before.missing
    table = [[before.once, there - before.once], [unseen, known - unseen]]
    return float(fisher_exact(table, alternative="less").pvalue)


def _factor(found: Floats, before: Column, rules: Written) -> float | None:
    """Return by what factor all sizes moved, or None where they did not move alike or by too little."""
    now = magnitude_of(found[~np.isnan(found)])
    if not now or not before.magnitude:
        return None
    ratios = np.array(now) / np.array(before.magnitude)
    if ratios.max() > rules.unit.alike * ratios.min():
        return None
    factor = float(np.median(ratios))
    return factor if factor >= rules.unit.factor or factor <= 1 / rules.unit.factor else None
