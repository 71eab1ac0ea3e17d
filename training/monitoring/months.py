"""Decisions by the month that they were observed in, one of each loan, and never a month across a declared break."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from training.monitoring.policy import MonitoringPolicy


@dataclass(frozen=True)
class Month:
    """The cases of a month that may be judged together.

    A loan that was scored several times in it is one case, by its latest decision: a hundred scores of one loan tell no
    more about the book than one does.

    Attributes
    ----------
    name : 2026-03; what follows a break inside the month is 2026-03-15
    month : 2026-03
    era : how many declared breaks lie behind it
    """

    name: str
    month: str
    era: int
    cases: pl.DataFrame

    def __len__(self) -> int:
        return self.cases.height


def months(decisions: pl.DataFrame, policy: MonitoringPolicy) -> list[Month]:
    """Return the months of decisions, earliest first."""
    if decisions.is_empty():
        return []
    told = decisions.with_columns(
        month=pl.col("observed_on").dt.strftime("%Y-%m"), era=_era(policy), case=pl.coalesce("loan", "subject")
    )
    latest = told.sort("observed_on", "scored_at", "score_id").unique(
        ["month", "era", "case"], keep="last", maintain_order=True
    )
    parts = latest.partition_by("month", "era", maintain_order=True)
    found = [
        Month(_name(part, policy), part.item(0, "month"), part.item(0, "era"), part.drop("month", "era", "case"))
        for part in parts
    ]
    return sorted(found, key=lambda one: (one.month, one.era))


def _era(policy: MonitoringPolicy) -> pl.Expr:
    told = pl.lit(0, pl.Int64)
    for one in policy.breaks:
        told = told + (pl.col("observed_on") >= one.on).cast(pl.Int64)
    return told


def _name(part: pl.DataFrame, policy: MonitoringPolicy) -> str:
    month: str = part.item(0, "month")
    begun = [one.on for one in policy.breaks if one.on.strftime("%Y-%m") == month and one.on.day > 1]
    inside = [day for day in begun if policy.era(day) == part.item(0, "era")]
    return inside[-1].isoformat() if inside else month


def following(month: str) -> str:
    """Return the month after.

    >>> following("2026-12")
    '2027-01'
    """
    day = date.fromisoformat(f"{month}-01")
    year, number = day.year + day.month // 12, day.month % 12 + 1
    return f"{year}-{number:02d}"
