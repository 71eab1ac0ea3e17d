"""Which promises to pay were kept: judged by the money that came, never by a note that somebody wrote later."""

from __future__ import annotations

import polars as pl

from features.history import CASE
from features.windows import marks

GRACE_DAYS = 3
"""Days after the promised day on which the money may still arrive: a transfer takes them. A convention of the trade."""
ENOUGH_PER_CENT = 95
"""Share of the promised amount that keeps the promise: fees and rounding take the rest. A convention of the trade."""


def judged(promises: pl.LazyFrame, payments: pl.LazyFrame) -> pl.LazyFrame:
    """Return the promises whose days of grace had passed by the observation date, each `kept` or not.

    Kept: the borrower's own payments from the day of the promise to the end of the days of grace came to the amount.
    A payment answers every promise that it falls under: promises that overlap are two words for one thing.

    Parameters
    ----------
    promises, payments : the tables with `case` and `observed_on`

    Returns
    -------
    The promises' columns, `kept`, and the marks of the windows by `due_on`, oldest first
    """
    last_day = pl.col("due_on").dt.offset_by(f"{GRACE_DAYS}d")
    due = promises.filter(last_day <= pl.col("observed_on")).sort(CASE, "due_on", "promised_on", "promise_id")
    numbered = due.with_row_index("promise").with_columns(until=last_day)
    own = payments.filter(pl.col("payer").cast(pl.String).fill_null("borrower") == "borrower")
    paid = (
        numbered.join(own.select(CASE, "paid_on", paid="amount"), on=CASE, how="inner")
        .filter(pl.col("paid_on").is_between(pl.col("promised_on"), pl.col("until")))
        .group_by("promise")
        .agg(pl.col("paid").sum())
    )
    enough = 100 * pl.col("paid").fill_null(0) >= ENOUGH_PER_CENT * pl.col("amount")
    return (
        numbered.join(paid, on="promise", how="left", maintain_order="left")
        .with_columns(kept=enough)
        .with_columns(marks("due_on"))
        .drop("promise", "until", "paid")
    )
