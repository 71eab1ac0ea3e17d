"""What became of each loan after its observation date: bad, good, or neither, and how much was paid.

Outcomes that the lender sends come first. Without them they are worked out from the delinquency ledger, and only where
the performance window has ended: a loan that has not been cleared yet is not a loan that was never cleared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from features.delinquency import spells
from features.errors import DataRefused
from features.history import CASE, History
from features.portfolios import Portfolio
from models.cards import Card

SETTLED_BY_OTHERS = ("sold", "death", "bankruptcy")
"""Events in the window after which what happened is no behaviour of the borrower: neither good nor bad."""


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of cases, in their order.

    Attributes
    ----------
    bad : true, false, or null for indeterminate
    recovered_minor : money received within the window, in minor units; null where nobody knows
    """

    bad: pl.Series
    recovered_minor: pl.Series

    @property
    def counts(self) -> dict[str, int]:
        """How many are bad, good and indeterminate."""
        return {
            "bad": int(self.bad.sum()),
            "good": int(self.bad.not_().sum()),
            "indeterminate": int(self.bad.null_count()),
        }


def outcomes(portfolio: Portfolio, card: Card, members: History) -> Outcomes:
    """Return what became of the cases of a card's population within its performance window.

    Raises
    ------
    DataRefused : a window has not ended, an outcome is missing, or there is nothing to work outcomes out from
    """
    if portfolio.outcomes is not None:
        return _sent(portfolio, portfolio.outcomes, card, members)
    if portfolio.tables.instalments is None or portfolio.tables.payments is None:
        raise DataRefused(
            "no outcomes",
            where=f"portfolio '{portfolio.name}'",
            expected="table 'outcomes', or tables 'instalments' and 'payments' to work them out from",
            do="add the table",
        )
    return _worked_out(portfolio, card, members)


def _sent(portfolio: Portfolio, sent: pl.DataFrame, card: Card, members: History) -> Outcomes:
    window = pl.duration(days=card.window_days)
    judged = (
        members.cases.select(CASE, "loan_id", "observed_on")
        .join(sent, on="loan_id", how="inner")
        .filter(pl.col("happened_on") > pl.col("observed_on"), pl.col("happened_on") <= pl.col("observed_on") + window)
        .group_by(CASE)
        .agg(
            # One bad outcome is enough; then one that is neither; good only when all are.
            bad=pl.when(pl.col("bad").any()).then(True).when(pl.col("bad").is_null().any()).then(None).otherwise(False),
            recovered=pl.when(pl.col("recovered").is_not_null().any()).then(pl.col("recovered").sum()),
            known=pl.lit(value=True),
        )
    )
    told = members.cases.join(judged, on=CASE, how="left", maintain_order="left")
    unknown = told.get_column("known").null_count()
    if unknown:
        beyond = _beyond(told.filter(pl.col("known").is_null()), sent, card)
        raise DataRefused(
            f"{unknown} of {told.height} loans have no outcome within the performance window{beyond}",
            where=f"portfolio '{portfolio.name}', card '{card.name}', performance window of {card.window_days} days",
            expected="the outcome of every loan of the population, within the performance window",
            do="wait until the window has ended, send the missing outcomes, or observe an earlier date",
        )
    return Outcomes(told.get_column("bad"), told.get_column("recovered"))


def _beyond(without: pl.DataFrame, sent: pl.DataFrame, card: Card) -> str:
    """Return, in words, how many of the cases without an outcome have one that lies after the window has ended."""
    later = without.join(sent, on="loan_id", how="inner").select(
        CASE, days=(pl.col("happened_on") - pl.col("observed_on")).dt.total_days()
    )
    later = later.filter(pl.col("days") > card.window_days)
    if not later.height:
        return ""
    longest = max(later.get_column("days").to_list())
    return (
        f"; {later.get_column(CASE).n_unique()} of these have one after it has ended, up to {longest} days after the "
        f"observation date where the card's window is {card.window_days}: say [cards.{card.name}] window_days, "
        "or outcome.after_days, so that they agree"
    )


def _worked_out(portfolio: Portfolio, card: Card, members: History) -> Outcomes:
    window = timedelta(days=card.window_days)
    _require_ended(portfolio, card, members, window)
    end = (pl.col("observed_on") + window).cast(pl.Date)
    after = members.cases.select("loan_id", observed_on=end)
    later = History.as_of(after, portfolio.tables, zone=portfolio.zone, allocation=portfolio.allocation)
    schedule = _schedule_of(members, later)
    bad = (
        _not_cleared(schedule, members)
        if card.bad_days_past_due is None
        else _reaches(schedule, members, card.bad_days_past_due, card.good_below)
    )
    return Outcomes(_with_events(bad, later, members), _received(later, members))


@dataclass(frozen=True)
class Ended:
    """The cases whose performance window has ended, and in words those that are left out until it has; "" for none."""

    members: History
    left_out: str


def with_ended_windows(portfolio: Portfolio, card: Card, members: History) -> Ended:
    """Return the cases of which the book can know what became of them.

    Where outcomes are worked out and the book stands on several dates, one card's window may have ended by the book's
    last record and another's not. Cases without an end are left out by their date, whatever is known of them so far;
    when there are no others, all are returned and `outcomes` refuses them.
    """
    observed = members.cases.get_column("observed_on")
    if portfolio.outcomes is not None or not len(observed):
        return Ended(members, "")
    last = max(_recordings(portfolio))
    waiting = observed.dt.offset_by(f"{card.window_days}d") > last
    if waiting.all() or not waiting.any():
        return Ended(members, "")
    days = observed.filter(waiting).unique().sort()
    when = f"on {days[0]}" if len(days) == 1 else f"on {len(days):,} dates from {days[0]} to {days[-1]}"
    cases = int(waiting.sum())
    told = (
        f"{cases:,} case{'s' if cases > 1 else ''} of the {card.name} card, observed {when}, left out: the performance "
        f"window of {card.window_days} days had not ended by the book's last record, of {last}"
    )
    return Ended(members.of(waiting.not_()), told)


def _require_ended(portfolio: Portfolio, card: Card, members: History, window: timedelta) -> None:
    last = max(_recordings(portfolio))
    latest = members.cases.get_column("observed_on").max()
    if isinstance(latest, date) and latest + window > last:
        raise DataRefused(
            f"performance windows that end on {latest + window}, after the book's last record of {last}",
            where=f"portfolio '{portfolio.name}', card '{card.name}', window of {card.window_days} days",
            expected=f"an observation date up to {last - window}",
            do="observe an earlier date, or wait until the window has ended",
        )


def _recordings(portfolio: Portfolio) -> Iterator[date]:
    zone = ZoneInfo(portfolio.zone)
    for name in ("payments", "instalments", "events"):
        frame = getattr(portfolio.tables, name)
        newest = None if frame is None else frame.get_column("recorded_at").max()
        if isinstance(newest, datetime):
            yield newest.astimezone(zone).date()
    yield date.min


def _schedule_of(members: History, later: History) -> pl.DataFrame:
    """Return the ledger at the window's end by the schedule that was in force on the observation date.

    A loan that is re-aged inside the window is judged by what was agreed before.
    """
    assert later.delinquency is not None, "instalments were sent"
    rows = later.delinquency.instalments
    if members.instalments is None:
        return rows.filter("original").with_columns(seen_on=pl.lit(None, pl.Date))
    # The same loans in the same order: a case's place tells it in both histories.
    place = pl.DataFrame({CASE: members.cases.get_column(CASE), "place": later.cases.get_column(CASE)})
    in_force = (
        members.instalments.group_by(CASE, maintain_order=True)
        .agg(pl.col("schedule").first(), seen_on=pl.col("observed_on").first())
        .join(place, on=CASE)
        .select(pl.col("place").alias(CASE), "schedule", "seen_on")
    )
    return rows.join(in_force, on=[CASE, "schedule"], how="inner", maintain_order="left")


def _reaches(schedule: pl.DataFrame, members: History, bad_days: int, good_below: int) -> pl.Series:
    """Return whether each case stood so many days past due on some day of the window."""
    last_unpaid = pl.coalesce(pl.col("settled_on").dt.offset_by("-1d"), pl.col("observed_on"))
    inside = schedule.filter(pl.col("due"), last_unpaid > pl.col("seen_on"))
    most = inside.group_by(CASE).agg(days=(last_unpaid - pl.col("due_on")).dt.total_days().max())
    days = _in_order(most, members, "days").fill_null(0)
    told = days >= bad_days
    return told.set((days < bad_days) & (days >= good_below), None)


def _not_cleared(schedule: pl.DataFrame, members: History) -> pl.Series:
    """Return whether each case's arrears were not cleared; missing where others than the borrower cleared them."""
    current = spells(schedule.drop("seen_on")).join(schedule.select(CASE, "seen_on").unique(), on=CASE)
    open_then = current.filter(
        pl.col("began_on") < pl.col("seen_on"),
        pl.col("ended_on").is_null() | (pl.col("ended_on") > pl.col("seen_on")),
    )
    told = open_then.group_by(CASE).agg(
        bad=pl.when(pl.col("ended_on").is_null().any()).then(True).when(pl.col("cured").all()).then(False)
    )
    return _in_order(told, members, "bad")


def _with_events(bad: pl.Series, later: History, members: History) -> pl.Series:
    """Settle what events decide: a write-off is bad; a sale, a death or a bankruptcy leaves a good outcome open."""
    if later.known.events is None:
        return bad
    seen = pl.DataFrame({CASE: later.cases.get_column(CASE), "seen_on": members.cases.get_column("observed_on")})
    new = later.known.events.join(seen, on=CASE).filter(pl.col("happened_on") > pl.col("seen_on"))

    def met(*kinds: str) -> pl.Series:
        cases = new.filter(pl.col("kind").cast(pl.String).is_in(kinds)).get_column(CASE)
        return later.cases.get_column(CASE).is_in(cases.implode())

    bad = bad.set(met("written_off"), value=True)
    return bad.set(met(*SETTLED_BY_OTHERS) & bad.fill_null(value=False).not_(), None)


def _received(later: History, members: History) -> pl.Series:
    assert later.known.payments is not None, "payments were sent"
    seen = pl.DataFrame({CASE: later.cases.get_column(CASE), "seen_on": members.cases.get_column("observed_on")})
    sums = (
        later.known.payments.join(seen, on=CASE)
        .filter(pl.col("paid_on") > pl.col("seen_on"))
        .filter(pl.col("payer").cast(pl.String).fill_null("borrower") != "write_off")
        .group_by(CASE)
        .agg(recovered=pl.col("amount").sum())
    )
    return _in_order(sums, members, "recovered").fill_null(0)


def _in_order(told: pl.DataFrame, members: History, column: str) -> pl.Series:
    cases = pl.DataFrame({CASE: pl.arange(len(members.cases), dtype=pl.UInt32, eager=True)})
    return cases.join(told, on=CASE, how="left", maintain_order="left").get_column(column)


def marks(bad: pl.Series) -> npt.NDArray[np.bool_]:
    """Return outcomes without any that are neither as a NumPy array."""
    assert not bad.null_count(), "indeterminate outcomes are left out before"
    return bad.cast(pl.Boolean).to_numpy()
