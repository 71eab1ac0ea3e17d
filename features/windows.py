"""How far back a feature looks: windows of whole months that end with the observation date."""

from __future__ import annotations

from functools import lru_cache

import polars as pl

WINDOWS = (1, 3, 6, 12)
"""Look-back windows in months for which rows carry a ready mark, so that features share it."""


def mark(months: int) -> str:
    """Return the name of the column that marks the rows of a window."""
    return f"within_{months}m"


@lru_cache(maxsize=32)
def marks(day: str) -> tuple[pl.Expr, ...]:
    """Return a mark for each window: whether a day lies in it, the observation date included, days to come not."""
    until = pl.col(day) <= pl.col("observed_on")
    return tuple(
        (until & (pl.col(day) >= first_day(pl.col("observed_on"), months))).alias(mark(months)) for months in WINDOWS
    )


def first_day(last_day: pl.Expr, months: int) -> pl.Expr:
    """Return the first day of a window of whole months that ends with a day: the day after it, so many months back."""
    return months_before(last_day, months).dt.offset_by("1d")


def months_before(day: pl.Expr, months: int) -> pl.Expr:
    """Return the day so many months earlier.

    A month's last day goes back to a month's last day, so that a window that ends on 29 February begins on the first
    of a month and holds no month end too many.
    """
    back = day.dt.offset_by(f"-{months}mo")
    return pl.when(day == day.dt.month_end()).then(back.dt.month_end()).otherwise(back)
