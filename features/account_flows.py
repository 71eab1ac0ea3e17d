"""What features of bank-account movements share: months, money in and money out, days and months with a mark."""

from __future__ import annotations

import polars as pl

from features.views import Flows
from features.windows import WINDOWS, first_day

MONTHS_A_YEAR = 12


def months_ago(day: pl.Expr, observed_on: pl.Expr) -> pl.Expr:
    """Return which month before the observation date a day lies in; 1 is the month that ends with it.

    The least k of a window of the last k months that holds the day (`features.windows`), worked out from the calendar:
    a month ends on the same day of the month, but on a month's last day when the observation date is one.
    """
    years = observed_on.dt.year().cast(pl.Int64) - day.dt.year()
    months = observed_on.dt.month().cast(pl.Int64) - day.dt.month()
    ends_month = observed_on.dt.offset_by("1d").dt.day() == 1
    later_in_month = (day.dt.day() > observed_on.dt.day()) & ends_month.not_()
    return 1 + MONTHS_A_YEAR * years + months - later_in_month.cast(pl.Int64)


def months_seen(flows: Flows, months: int) -> pl.Expr:
    """Return how many months of a window movements could be seen in: no more than reach back to the oldest one sent."""
    return months_ago(flows.booked_on.min(), pl.col("observed_on").first()).clip(upper_bound=months)


def booked_within(flows: Flows, months: int) -> pl.Expr:
    """Return the mark of movements of the last so many months, also of windows that have no ready mark."""
    if months in WINDOWS:
        return flows.within(months)
    return flows.booked_on >= first_day(pl.col("observed_on"), months)


def is_money_in(flows: Flows) -> pl.Expr:
    """Return the mark of money that came in, the bank's interest left out."""
    return flows.incoming & (pl.col("kind") != "interest")  # as it stands: a cast to text costs more than the sum


def money_in(flows: Flows, months: int) -> pl.Expr:
    """Return the money that came in within a window, the bank's interest left out; 0 when none did."""
    return flows.amount.filter(booked_within(flows, months) & is_money_in(flows)).sum()


def money_out(flows: Flows, months: int) -> pl.Expr:
    """Return the money that went out within a window, above 0; 0 when none did. Paying a loan is no spending."""
    return -flows.amount.filter(flows.within(months) & is_spending(flows)).sum()


def is_spending(flows: Flows) -> pl.Expr:
    """Return the mark of money that went out for anything but a loan: paying what is owed must not count against it."""
    return flows.outgoing & (pl.col("kind") != "loan_payment")


def days_with(flows: Flows, mark: pl.Expr, months: int) -> pl.Expr:
    """Return on how many different days of a window a movement has a mark."""
    return flows.booked_on.filter(flows.within(months) & mark).n_unique().cast(pl.Int64)


def months_with(flows: Flows, mark: pl.Expr, months: int) -> pl.Expr:
    """Return in how many different months of a window a movement has a mark; missing when the window has no movement.

    The months are those counted back from the observation date.
    """
    marked = months_ago(flows.booked_on, pl.col("observed_on")).filter(flows.within(months) & mark)
    return pl.when(flows.within(months).any()).then(marked.n_unique().cast(pl.Int64))
