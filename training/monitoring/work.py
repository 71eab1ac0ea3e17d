"""What reaches the people who work the list: how much changes from day to day, and how often they decide otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from training.monitoring.policy import Written
from training.statistics.deciles import tenths
from training.statistics.intervals import wilson

LEAST_COMMON = 3
"""Loans of which an order can be compared."""


@dataclass(frozen=True)
class Churn:
    """What changed between two days' lists.

    Attributes
    ----------
    first : how many loans are worked first on the earlier day
    changed : the share of them that is not among the first of the later day
    both : loans that are on both lists
    correlation : Spearman's, of the places of those; None where they are too few or all alike
    """

    before: date
    after: date
    first: int
    changed: float
    both: int
    correlation: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {**vars(self), "before": self.before.isoformat(), "after": self.after.isoformat()}


def churn(decisions: pl.DataFrame, rules: Written) -> list[Churn]:
    """Return what changed between each two observation dates that follow each other, of the latest ones.

    A day's list holds each loan once, by its latest decision, in the order of expected loss; ties by pseudonym.
    """
    known = decisions.filter("readable")
    latest = known.sort("scored_at", "score_id").unique(["loan", "observed_on"], keep="last", maintain_order=True)
    days = latest.get_column("observed_on").unique().sort().to_list()[-(rules.work_list.most_days + 1) :]
    lists = {
        day: latest.filter(pl.col("observed_on") == day)
        .sort(["expected_loss_minor", "loan"], descending=[True, False])
        .select("loan")
        .with_row_index("place")
        for day in days
    }
    return [_churn(one, other, lists[one], lists[other], rules) for one, other in pairwise(days)]


def _churn(before: date, after: date, earlier: pl.DataFrame, later: pl.DataFrame, rules: Written) -> Churn:
    share = rules.work_list.first_share
    first, then = (max(1, round(share * one.height)) for one in (earlier, later))
    top = later.head(then).get_column("loan")
    kept = int(earlier.head(first).get_column("loan").is_in(top.implode()).sum())
    both = earlier.join(later, on="loan", suffix="_then")
    correlation = None
    if both.height >= LEAST_COMMON:
        correlation = float(spearmanr(both.get_column("place"), both.get_column("place_then")).statistic)
    return Churn(before, after, first, 1 - kept / first, both.height, correlation)


@dataclass(frozen=True)
class Overrides:
    """How often people decided otherwise than the policy suggested; `of` is the month, or the treatment suggested."""

    of: str
    decisions: int
    overridden: int
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))


def overrides(decisions: pl.DataFrame, outcomes: pl.DataFrame) -> dict[str, list[Overrides]]:
    """Return the overrides by month and by suggested treatment; nothing where nobody says whether there were any.

    Parameters
    ----------
    outcomes : of `outcomes.first_known`: `overridden`, or the `treatment` that was given
    """
    other = pl.col("treatment_given") != pl.col("treatment")
    told = (
        decisions.select("score_id", "treatment", month=pl.col("observed_on").dt.strftime("%Y-%m"))
        .join(outcomes.select("score_id", "overridden", treatment_given="treatment"), on="score_id")
        .with_columns(told=pl.coalesce("overridden", other))
        .drop_nulls("told")
    )
    if told.is_empty():
        return {}
    return {name: _by(told, name) for name in ("month", "treatment")}


def _by(told: pl.DataFrame, name: str) -> list[Overrides]:
    counted = told.group_by(name).agg(n=pl.len(), k=pl.col("told").sum()).drop_nulls(name).sort(name)
    rows = []
    for of, cases, found in counted.iter_rows():
        bounds = wilson(int(found), int(cases))
        rows.append(Overrides(str(of), int(cases), int(found), bounds.low, bounds.high))
    return rows


@dataclass(frozen=True)
class Tenth:
    """A tenth of the loans, the most money expected first; amounts in minor units."""

    number: int
    loans: int
    expected_minor: int
    collected_minor: int

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))


def money(cases: pl.DataFrame, outcomes: pl.DataFrame) -> list[Tenth]:
    """Return the money expected back against the money that came, by tenths; nothing where either is not known.

    Parameters
    ----------
    cases : decisions of mature vintages, one for each loan and month
    outcomes : `recovered_minor`, or where that is not said `paid_minor`
    """
    collected = outcomes.select("score_id", collected=pl.coalesce("recovered_minor", "paid_minor"))
    told = cases.join(collected, on="score_id").drop_nulls(["expected_recovery_minor", "collected"])
    if told.is_empty():
        return []
    expected = told.get_column("expected_recovery_minor").to_numpy()
    came = told.get_column("collected").to_numpy()
    return [
        Tenth(number, len(members), round(float(np.sum(expected[members]))), int(np.sum(came[members])))
        for number, members in enumerate(tenths(expected), start=1)
    ]
