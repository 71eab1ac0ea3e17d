"""How much is at risk on each loan: what is still owed on its observation date."""

from __future__ import annotations

import polars as pl

from features.history import CASE, History
from features.queries import answered
from features.views import outstanding


def at_risk(history: History) -> pl.DataFrame:
    """Return each case's product, currency and amount owed in minor units.

    Owed is, for a loan with a schedule, the principal that is not repaid and what is due of interest and costs; for a
    revolving account the latest statement's balance less what has been paid since that statement closed; otherwise the
    amount lent or applied for. At least 0.

    Returns
    -------
    Columns `product`, `currency`, `owed_minor`, `borrower_id`, in the cases' order
    """
    loans = history.known.loans.lazy().select(CASE, "product", "currency", "borrower_id")
    money = (
        history.cases.lazy()
        .join(loans, on=CASE, how="left", maintain_order="left")
        .join(outstanding(history), on=CASE, how="left", maintain_order="left")
    )
    since = _paid_since_the_latest_statement(history)
    if since is not None:
        money = money.join(since, on=CASE, how="left", maintain_order="left").with_columns(
            outstanding=pl.coalesce("stated", "outstanding")
        )
    owed = pl.col("outstanding").fill_null(0).clip(lower_bound=0)
    return answered(money.select("product", "currency", owed_minor=owed, borrower_id="borrower_id"))


def _paid_since_the_latest_statement(history: History) -> pl.LazyFrame | None:
    """Return what revolving accounts owe; None without statements. A loan with a schedule goes by its schedule."""
    if history.statements is None:
        return None
    last = pl.col("statement_on", "owed").last()
    latest = history.statements.lazy().group_by(CASE, maintain_order=True).agg(last)
    if history.instalments is not None:
        latest = latest.join(history.instalments.lazy().select(CASE).unique(), on=CASE, how="anti")
    if history.known.payments is None:
        return latest.select(CASE, stated="owed")
    paid = (
        latest.join(history.known.payments.lazy().select(CASE, "paid_on", "amount", "payer"), on=CASE, how="inner")
        .filter(
            pl.col("paid_on") > pl.col("statement_on"), pl.col("payer").cast(pl.String).fill_null("") != "write_off"
        )
        .group_by(CASE, maintain_order=True)
        .agg(since=pl.col("amount").sum())
    )
    joined = latest.join(paid, on=CASE, how="left", maintain_order="left")
    return joined.select(CASE, stated=pl.col("owed") - pl.col("since").fill_null(0))
