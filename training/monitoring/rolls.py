"""Whether loans roll from one stage of delinquency to the next as the months before foretold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from features.buckets import Buckets
from training.monitoring.alarms import Kind, Test, moved
from training.monitoring.months import Month, following
from training.monitoring.policy import Written
from training.statistics.inputs import TooFew
from training.statistics.migration import Migration, forecast, migration

DAYS, MONTHS = "feature.days_past_due_now", "feature.months_overdue_now"
GONE = "not scored"
"""The stage of loans without a decision in the next month: paid off, sold, cured, or not asked about."""
DAYS_IN_MONTH = 30


@dataclass(frozen=True)
class Rolled:
    """The moves from one month to the next.

    Attributes
    ----------
    stages : best first; the last is that of loans that were not scored again
    before : loans in each stage in the first month
    actual : loans in each in the next
    expected, low, high : what the moves of earlier months foretold, with the bounds of what would be counted; None
        where there are none to foretell from
    shares : from row to column, of this month's moves; None for a stage without loans
    """

    month: str
    stages: tuple[str, ...]
    before: tuple[int, ...]
    actual: tuple[int, ...]
    shares: tuple[tuple[float | None, ...], ...]
    expected: tuple[float, ...] | None = None
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))


def rolls(months: Sequence[Month], rules: Written) -> list[tuple[Rolled, list[Test]]]:
    """Return the moves into each month from the one before it, with the month's tests of them.

    Months of two eras are not joined, and a forecast is made from moves of the same era. Nothing is returned where the
    card does not read how far a loan is past due, or where no loan is scored in two months that follow each other.
    """
    told: list[tuple[Rolled, list[Test]]] = []
    seen: list[tuple[int, Migration]] = []
    for before, after in pairwise(months):
        if before.era != after.era or following(before.month) != after.month:
            continue
        moves = _moves(before, after, rules)
        if moves is None:
            continue
        earlier = [one for era, one in seen if era == after.era][-rules.rolls.months_before :]
        told.append(_rolled(after.name, moves, earlier, rules))
        seen.append((after.era, moves))
    return told


def _moves(before: Month, after: Month, rules: Written) -> Migration | None:
    first, then = _stages(before, rules), _stages(after, rules)
    if first is None or then is None:
        return None
    both = first.join(then, on="loan", how="left", suffix="_then", maintain_order="left")
    # A loan that was scored again and whose stage is not known has not gone: it tells of no move.
    scored_again = pl.col("loan").is_in(after.cases.get_column("loan").drop_nulls().implode())
    both = both.filter(pl.col("stage_then").is_not_null() | ~scored_again)
    if both.get_column("stage_then").null_count() == both.height:
        return None
    names = (*Buckets(rules.rolls.last_days).names, GONE)
    return migration(
        both.get_column("stage").to_numpy(), both.get_column("stage_then").fill_null(GONE).to_numpy(), names
    )


def _stages(month: Month, rules: Written) -> pl.DataFrame | None:
    """Return the stage of each loan of which it is known; None where the card does not read it."""
    told = {DAYS: pl.col(DAYS), MONTHS: pl.col(MONTHS) * DAYS_IN_MONTH}
    there = [days for name, days in told.items() if name in month.cases.columns]
    if not there:
        return None
    # Versions that served in one month may read it in days or in months.
    known = month.cases.select("loan", days=pl.coalesce(there)).drop_nulls()
    if known.is_empty():
        return None
    stages = Buckets(rules.rolls.last_days).of(known.get_column("days")).cast(pl.String)
    return pl.DataFrame({"loan": known.get_column("loan"), "stage": stages})


def _rolled(month: str, moves: Migration, earlier: Sequence[Migration], rules: Written) -> tuple[Rolled, list[Test]]:
    counts, start = moves.cases, moves.cases.sum(axis=1)
    shares = tuple(
        tuple(n / held if held else None for n in row)
        for row, held in zip(counts.tolist(), start.tolist(), strict=True)
    )
    told = Rolled(month, moves.categories, tuple(start.tolist()), tuple(counts.sum(axis=0).tolist()), shares)
    if not earlier:
        return told, []
    pooled = np.sum([one.cases for one in earlier], axis=0)
    tests = [
        _test(month, name, pooled[row], counts[row], rules)
        for row, name in enumerate(moves.categories)
        if min(pooled[row].sum(), counts[row].sum()) >= rules.rolls.least_cases
    ]
    try:
        amounts = pooled.astype(np.float64)
        reached = forecast(Migration(moves.categories, pooled, amounts, amounts.sum(axis=1)), start, 1, realised=True)
    except TooFew:
        return told, tests
    expected, low, high = (tuple(bound.tolist()) for bound in (reached.expected, reached.low, reached.high))
    return replace(told, expected=expected, low=low, high=high), tests


def _test(month: str, stage: str, before: np.ndarray, after: np.ndarray, rules: Written) -> Test:
    found, beyond, p_value = moved(before, after, ordered=True)
    return Test(Kind.ROLLS, f"{stage} → {month}", beyond, rules.rolls.moved_by, p_value, f"{found.value:.2f}")
