"""Statement by statement: what was due, what was paid, what was spent, and how late the customer was.

All amounts are whole minor units. A payment belongs to the first statement that closes on or after the day it was
paid, and it answers the statement before that one.
"""

from __future__ import annotations

import polars as pl

from features.queries import answered
from features.windows import first_day, marks

OWN_MONEY, NO_MONEY = "borrower", "write_off"


def statement_ledger(statements: pl.DataFrame, loans: pl.DataFrame, payments: pl.DataFrame | None) -> pl.DataFrame:
    """Return one row per case and statement, oldest first.

    Parameters
    ----------
    statements : table `statements` with `case` and `observed_on`
    loans : table `loans` with `case`
    payments : table `payments` with `case`, or None when it was not sent: what was paid is then unknown

    Returns
    -------
    Columns `case`, `statement_on`, `balance`, `months_overdue`, `credit_limit`, and

    owed : the balance when the customer owes, else 0
    due : `owed` of the statement before; missing on the first
    received : received since the statement before; missing when payments are unknown
    paid : what of it was the borrower's own money
    shortfall : what was due and not received, at least 0
    spent : new spending, fees and interest: the change of the balance that payments do not explain
    asked : something was due
    ago : how many statements came after this one; 0 is the latest
    late, unused, paid_in_full : the state of the statement
    within_1m, within_3m, ... : closed less than so many months before the observation date, that day included
    """
    limits = loans.lazy().select("case", "credit_limit")
    # Answered here, for what follows reads it twice.
    ledger = answered(statements.lazy().join(limits, on="case", how="left").sort("case", "statement_on")).lazy()
    before = pl.col("balance").shift(1).over("case")
    ledger = (
        ledger.with_columns(paid=pl.lit(None, pl.Int64), received=pl.lit(None, pl.Int64))
        if payments is None
        else _with_what_was_paid(ledger, payments.lazy())
    )
    ledger = ledger.with_columns(
        owed=pl.col("balance").clip(lower_bound=0),
        due=before.clip(lower_bound=0),
        spent=pl.col("balance") - before + pl.col("received"),
        ago=pl.int_range(pl.len(), dtype=pl.Int64).reverse().over("case"),
        late=pl.col("state") == "overdue",
        unused=pl.col("state") == "unused",
        paid_in_full=pl.col("state") == "paid_in_full",
    )
    return answered(
        ledger.with_columns(
            *marks("statement_on"),
            asked=pl.col("due") > 0,
            shortfall=(pl.col("due") - pl.col("received")).clip(lower_bound=0),
        ).drop("loan_id", "state", "recorded_at", "observed_on")
    )


def _with_what_was_paid(ledger: pl.LazyFrame, payments: pl.LazyFrame) -> pl.LazyFrame:
    """Add the sums `paid` and `received` of each statement's cycle; 0: nothing came.

    The first statement's cycle is taken to be one month long: what was paid earlier answered statements not sent.
    """
    cycles = ledger.select(
        "case",
        "statement_on",
        opens=(pl.col("statement_on").shift(1).over("case").dt.offset_by("1d")).fill_null(
            first_day(pl.col("statement_on"), 1)
        ),
    )
    sums = (
        payments.with_columns(pl.col("payer").cast(pl.String).fill_null(OWN_MONEY))
        .filter(pl.col("payer") != NO_MONEY)
        .select("case", "paid_on", "amount", own=pl.col("payer") == OWN_MONEY)
        .sort("case", "paid_on")
        .join_asof(
            cycles,
            left_on="paid_on",
            right_on="statement_on",
            by="case",
            strategy="forward",
            check_sortedness=False,  # sorted two lines above; Polars cannot see it through `by`
        )
        .filter(pl.col("paid_on") >= pl.col("opens"))
        .group_by("case", "statement_on")
        .agg(paid=pl.col("amount").filter("own").sum(), received=pl.col("amount").sum())
    )
    return ledger.join(sums, on=["case", "statement_on"], how="left", maintain_order="left").with_columns(
        pl.col("paid", "received").fill_null(0)
    )
