"""Where each loan of a book stands on a day: its category, what is owed on it, or how it left the book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from features.history import CASE, History
from features.portfolios import Portfolio
from features.words import Text
from models.cards import LEFT_THE_BOOK, RECENT_MONTHS
from models.exposure import at_risk
from training.early_warning.categories import Category, CategoryPolicy

WRITTEN_OFF, LEFT = "written_off", "left"
STATES = (*(one.key for one in Category), WRITTEN_OFF, LEFT)
"""The five categories, best first, then loans that were written off, then those that are in the book no more."""
STATE_NAMES: Mapping[str, Text] = {
    **{one.key: one.text for one in Category},
    WRITTEN_OFF: Text(en="written off", zh="已核销"),
    LEFT: Text(en="left: settled, closed, sold or ended", zh="已退出：结清、销户、转让或终止"),
}
UNKNOWN = "unknown"
"""The state of a loan in the book of which nobody knows whether it is overdue: it is counted and left out."""


@dataclass(frozen=True)
class BookState:
    """The loans of a book on a day.

    `rows` has one row per loan that was known by then: `loan_id`, `product`, `currency`, `days_past_due`, `state` (one
    of STATES, or UNKNOWN) and `owed_minor`, which is 0 for loans that are in the book no more.
    """

    day: date
    rows: pl.DataFrame

    @cached_property
    def unknown(self) -> int:
        """How many loans are in the book without anybody knowing whether they are overdue."""
        return int((self.rows.get_column("state") == UNKNOWN).sum())


def book_state(book: Portfolio, policy: CategoryPolicy, day: date) -> BookState:
    """Return the state of every loan known by the end of a day.

    Days past due are those of the schedule in force; of a revolving account, its latest statement's months overdue at
    the policy's days a month. A loan that nothing has fallen due of is not overdue. An account without a statement for
    three months is taken to have left, as it is by the cards.
    """
    history = History.as_of(day, book.tables, zone=book.zone, allocation=book.allocation)
    money = at_risk(history)
    told = history.cases.select(CASE, "loan_id").hstack(money.select("product", "currency", "owed_minor"))
    overdue, over = _overdue(history, policy), _over(history)
    rows = (
        told.join(overdue, on=CASE, how="left", maintain_order="left")
        .join(over, on=CASE, how="left", maintain_order="left")
        .join(_restructured(history, policy, day), on=CASE, how="left", maintain_order="left")
    )
    days = rows.get_column("days_past_due").fill_null(0).to_numpy().astype(np.int64)
    category = policy.of(rows.get_column("product").cast(pl.String).to_numpy().astype(str), days, day)
    revised = rows.get_column("revised").fill_null(value=False).to_numpy()
    category = np.where(revised, np.maximum(category, policy.restructured.floor), category)
    names = np.array([one.key for one in Category], dtype=object)[category]
    state = (
        pl.when(pl.col("over").is_not_null())
        .then("over")
        .when(pl.col("in_book").fill_null(value=True).not_())
        .then(pl.lit(LEFT))
        .when(pl.col("days_past_due").is_null())
        .then(pl.lit(UNKNOWN))
        .otherwise(pl.Series("category", names.tolist(), dtype=pl.String))
    )
    rows = rows.with_columns(state=state)
    gone = pl.col("state").is_in([WRITTEN_OFF, LEFT])
    return BookState(
        day,
        rows.select(
            "loan_id",
            pl.col("product").cast(pl.String),
            "currency",
            "days_past_due",
            "state",
            owed_minor=pl.when(gone).then(0).otherwise("owed_minor").cast(pl.Int64),
        ),
    )


def _overdue(history: History, policy: CategoryPolicy) -> pl.DataFrame:
    """Return `case`, `days_past_due` and `in_book`; null where it is not known."""
    told = history.cases.select(CASE)
    scheduled = pl.DataFrame(schema={CASE: told.schema[CASE], "days": pl.Int64, "open": pl.Boolean})
    if history.instalments is not None and history.known.payments is not None:
        late = pl.col("overdue")
        scheduled = history.instalments.group_by(CASE).agg(
            days=(pl.col("observed_on") - pl.col("due_on")).dt.total_days().filter(late).max().fill_null(0),
            open=pl.col("settled_on").is_null().any(),
        )
    told = told.join(scheduled, on=CASE, how="left", maintain_order="left")
    stated = pl.DataFrame(schema={CASE: told.schema[CASE], "months": pl.Int64, "recent": pl.Boolean})
    if history.statements is not None:
        stated = history.statements.group_by(CASE, maintain_order=True).agg(
            months=pl.col("months_overdue").last().cast(pl.Int64), recent=pl.col(f"within_{RECENT_MONTHS}m").any()
        )
    told = told.join(stated, on=CASE, how="left", maintain_order="left")
    return told.select(
        CASE,
        days_past_due=pl.coalesce("days", pl.col("months") * policy.months.days),
        in_book=pl.coalesce("open", "recent"),
    )


def _over(history: History) -> pl.DataFrame:
    """Return `case` and `over`, how a loan left the book, for the loans that an event says so of."""
    empty = pl.DataFrame(schema={CASE: history.cases.schema[CASE], "over": pl.String})
    if history.known.events is None:
        return empty
    kind = pl.col("kind").cast(pl.String)
    ended = history.known.events.filter(kind.is_in(LEFT_THE_BOOK)).group_by(CASE).agg(lost=(kind == WRITTEN_OFF).any())
    return ended.select(CASE, over=pl.when("lost").then(pl.lit(WRITTEN_OFF)).otherwise(pl.lit(LEFT)))


def _restructured(history: History, policy: CategoryPolicy, day: date) -> pl.DataFrame:
    """Return `case` and `revised` for the loans whose schedule was revised so lately that they are still observed."""
    if history.known.events is None:
        return pl.DataFrame(schema={CASE: history.cases.schema[CASE], "revised": pl.Boolean})
    since = day - timedelta(days=policy.restructured.days)
    kind = pl.col("kind").cast(pl.String)
    late = history.known.events.filter(kind.is_in(policy.restructured.events), pl.col("happened_on") > since)
    return late.select(CASE).unique().with_columns(revised=pl.lit(value=True))


def joined(before: BookState, after: BookState) -> pl.DataFrame:
    """Return the loans that were in the book at the first date with their states at both; unknown ones are left out.

    Columns `loan_id`, `product`, `owed_minor` (at the first date), `before`, `after`.
    """
    gone = [WRITTEN_OFF, LEFT, UNKNOWN]
    first = before.rows.filter(pl.col("state").is_in(gone).not_())
    last = after.rows.select("loan_id", after="state")
    rows = first.join(last, on="loan_id", how="inner", maintain_order="left").filter(pl.col("after") != UNKNOWN)
    return rows.select("loan_id", "product", "currency", "owed_minor", "after", before="state")


def money_by_state(rows: pl.DataFrame, state: str, owed: str) -> npt.NDArray[np.float64]:
    """Return the amount owed in each of STATES."""
    sums = dict(rows.group_by(state).agg(pl.col(owed).sum()).iter_rows())
    return np.array([float(sums.get(name, 0)) for name in STATES])
