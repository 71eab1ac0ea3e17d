"""When each instalment was paid, by whose money, and how many days the loan stood overdue on any day.

Payments meet instalments in one pass over loans sorted by due date. The order within a loan is the lawful one unless
the lender has agreed another; all amounts are whole minor units and all dates are days, so the result is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features.compilation import compiled, only_read
from features.ordering import sorted_by
from features.queries import FEW, all_answered, answered
from features.windows import marks, months_before

Days = npt.NDArray[np.int32]
Amounts = npt.NDArray[np.int64]

COMPONENTS = ("costs", "interest", "principal")
OWN_MONEY = "borrower"
NO_MONEY = "write_off"
NEVER = np.iinfo(np.int32).max
MONTHS_BACK = 12
BUCKET_DAYS = 30
"""Length of a bucket of delinquency: M1 is 1 to 30 days past due, M2 31 to 60, and so on without an end."""


@dataclass(frozen=True)
class Allocation:
    """The order in which a payment that is not enough meets what is due.

    `order` names the components, first to last. With `across_instalments` all costs that are due come first, then all
    interest, then principal; without, the oldest instalment is met whole before the next. What is left when nothing is
    due any more is held for the instalments to come, the next one first.
    """

    order: tuple[str, ...] = COMPONENTS
    across_instalments: bool = True

    def __post_init__(self) -> None:
        if sorted(self.order) != sorted(COMPONENTS):
            raise ValueError(f"an allocation names each of {', '.join(COMPONENTS)} once")


LAWFUL = Allocation()
"""Civil Code of the PRC, art. 561: costs of enforcing the claim, then interest, then principal, unless agreed."""


@dataclass(frozen=True)
class Delinquency:
    """What the pass found.

    `instalments`: one row per case, schedule and instalment, oldest first within a case and schedule. `month_ends`: one
    row per case and month back, 0 being the observation date, from the first due date on.
    """

    instalments: pl.DataFrame
    month_ends: pl.DataFrame


def delinquency(instalments: pl.DataFrame, payments: pl.DataFrame | None, allocation: Allocation) -> Delinquency:
    """Return the delinquency ledger of cases.

    Parameters
    ----------
    instalments : table `instalments` with `case`, `observed_on` and `in_force_at`, the instant from which the row's
        schedule counted, in the zone of the lender's days
    payments : table `payments` with `case`; None: not sent, then nothing can be known to be paid or late

    Returns
    -------
    instalments: `case`, `observed_on`, `schedule`, `number`, `due_on`, `amount`, `principal`, and

    paid : received for it by the observation date; `own_paid` of that the borrower's own money
    unpaid : amount less paid
    settled_on : day on which it was paid whole, by whomever; missing when it is not
    due : it had fallen due by the observation date
    overdue : it fell due before the observation date and is not settled
    days_late : from the due date to the day it was settled, below 0 when early, or to the observation date; missing
        when it is not due and not settled
    late : days_late is above 0
    own : it was settled by the borrower's own money alone
    ago : how many instalments fell due after this one by the observation date; missing when it is not due
    current, original : its schedule is the latest one; the first one
    within_1m, within_3m, ... : it fell due in the window

    month_ends, from the first due date of a schedule that counted on the day on: `case`, `months_ago`,
    `days_past_due` by the schedule in force on that day, `days_past_due_original` by the first schedule, `roll` by how
    many buckets the loan moved since the month before, missing on the first day, and the marks of the windows
    """
    # A schedule may ask for nothing any more: it is in force all the same.
    latest = pl.col("schedule").max().over("case")
    rows = instalments.lazy().with_columns(current=pl.col("schedule") == latest)
    order = ["case", "schedule", "due_on", "number"]
    rows = rows.sort(order) if instalments.height < FEW else sorted_by(answered(rows), order).lazy()
    asks = pl.sum_horizontal(COMPONENTS) > 0
    groups = rows.group_by("case", "schedule", maintain_order=True).agg(
        asks.sum().alias("len"),
        pl.col("observed_on").first(),
        in_force_on=pl.col("in_force_at").min().dt.date(),
        first=pl.col("due_on").filter(asks).min(),
    )
    due, told, received = all_answered(
        [rows.filter(asks), groups.with_columns(_days_of_month_ends()), _received(payments, instalments.schema["case"])]
    )
    ends = np.column_stack([told.get_column(name).to_numpy() for name in MONTH_ENDS])
    settled, paid, own, days_past_due = _met(due, told, received, ends, allocation)
    known = payments is not None
    ledger = _instalment_rows(due, settled, paid, own, known=known)
    return Delinquency(*all_answered([ledger, _month_end_rows(told, ends, days_past_due, known=known)]))


def _instalment_rows(due: pl.DataFrame, settled: Days, paid: Amounts, own: Amounts, *, known: bool) -> pl.LazyFrame:
    settled_on = pl.Series(np.where(settled == NEVER, 0, settled), dtype=pl.Int32).cast(pl.Date)
    rows = due.lazy().with_columns(
        amount=pl.sum_horizontal(COMPONENTS),
        paid=pl.Series(paid) if known else pl.lit(None, pl.Int64),
        own_paid=pl.Series(own) if known else pl.lit(None, pl.Int64),
        settled_on=pl.when(pl.Series(settled != NEVER)).then(settled_on),
        due=pl.col("due_on") <= pl.col("observed_on"),
    )
    past = pl.col("due") & (pl.col("due_on") < pl.col("observed_on"))
    until = pl.coalesce("settled_on", pl.when("due").then(pl.col("observed_on")))
    days_late = (until - pl.col("due_on")).dt.total_days()
    rows = rows.with_columns(
        unpaid=pl.col("amount") - pl.col("paid"),
        overdue=(past & pl.col("settled_on").is_null()) if known else pl.lit(None, pl.Boolean),
        days_late=days_late if known else pl.lit(None, pl.Int64),
        own=(pl.col("settled_on").is_not_null() & (pl.col("own_paid") == pl.col("amount")))
        if known
        else pl.lit(None, pl.Boolean),
        ago=pl.when("due").then(pl.col("due").cum_sum(reverse=True).over("case", "schedule").cast(pl.Int64) - 1),
        original=pl.col("schedule") == 0,
    )
    return rows.with_columns((pl.col("days_late") > 0).alias("late"), *marks("due_on")).drop(
        "loan_id", "interest", "costs", "recorded_at", "in_force_at", strict=False
    )


MONTH_ENDS = tuple(f"month_end_{back}" for back in range(MONTHS_BACK + 1))


@lru_cache(maxsize=1)
def _days_of_month_ends() -> tuple[pl.Expr, ...]:
    """Return the observation date and the same day of each earlier month, each a number of days."""
    observed = pl.col("observed_on")
    days = [observed, *(months_before(observed, back) for back in range(1, MONTHS_BACK + 1))]
    return tuple(day.to_physical().alias(name) for name, day in zip(MONTH_ENDS, days, strict=True))


def _month_end_rows(groups: pl.DataFrame, ends: Days, days_past_due: Days, *, known: bool) -> pl.LazyFrame:
    back = ends.shape[1]
    each = pl.Series(np.repeat(np.arange(len(groups), dtype=np.uint32), back))
    rows = (
        groups.lazy()
        .select(pl.col("case", "schedule", "observed_on", "in_force_on", "first").gather(each))
        .with_columns(
            months_ago=pl.Series(np.tile(np.arange(back - 1, -1, -1, dtype=np.int64), len(groups))),
            day=pl.Series(ends[:, ::-1].reshape(-1), dtype=pl.Int32).cast(pl.Date),
            days_past_due=pl.Series(days_past_due[:, ::-1].reshape(-1).astype(np.int64)),
        )
    )
    counts = (pl.col("in_force_on") <= pl.col("day")) | (pl.col("schedule") == 0)
    falls_due = (counts & (pl.col("first") <= pl.col("day"))).fill_null(value=False)
    cases = groups.get_column("case").to_numpy()
    if bool((cases[1:] == cases[:-1]).any()):
        in_force = _of_the_latest_schedule(rows, counts, falls_due)
    else:  # nearly every book: no loan was restructured, and there is nothing to choose from
        of_first = pl.when(pl.col("schedule") == 0).then("days_past_due")
        in_force = rows.filter(falls_due).with_columns(days_past_due_original=of_first)
    bucket = (pl.col("days_past_due") + (BUCKET_DAYS - 1)) // BUCKET_DAYS
    same = pl.col("case") == pl.col("case").shift(1)
    in_force = in_force.drop("schedule", "in_force_on", "first").with_columns(
        *marks("day"), roll=pl.when(same).then(bucket - bucket.shift(1))
    )
    if known:
        return in_force
    return in_force.with_columns(pl.lit(None, pl.Int64).alias(name) for name in _DAYS)


def _of_the_latest_schedule(rows: pl.LazyFrame, counts: pl.Expr, falls_due: pl.Expr) -> pl.LazyFrame:
    """Return, for each case and day, the row of the schedule in force, with what the first schedule says beside it."""
    begun = rows.filter(falls_due.any().over("case", "months_ago"))
    of_first = begun.filter(pl.col("schedule") == 0).select(
        "case", "months_ago", days_past_due_original="days_past_due"
    )
    return (
        begun.filter(counts)
        .sort("case", "months_ago", "schedule")
        .unique(["case", "months_ago"], keep="last", maintain_order=True)
        .sort("case", "months_ago", descending=[False, True])
        .join(of_first, on=["case", "months_ago"], how="left", maintain_order="left")
    )


_DAYS = ("days_past_due", "days_past_due_original", "roll")


def _received(payments: pl.DataFrame | None, case: pl.DataType) -> pl.LazyFrame:
    """Return the money received by case and day, on each day the borrower's own first."""
    if payments is None:
        return pl.LazyFrame(schema={"case": case, "day": pl.Int32, "amount": pl.Int64, "own": pl.Int8})
    payer = pl.col("payer").cast(pl.String).fill_null(OWN_MONEY)
    return (
        payments.lazy()
        .filter(payer != NO_MONEY, pl.col("amount") > 0)
        .with_columns(day=pl.col("paid_on").to_physical(), own=(payer == OWN_MONEY).cast(pl.Int8))
        # Payments of one day that are alike in all that follows may stand in any order.
        .sort("case", "day", "own", "amount", descending=[False, False, True, False])
        .select("case", "day", "amount", "own")
    )


def _met(
    due: pl.DataFrame, groups: pl.DataFrame, received: pl.DataFrame, ends: Days, allocation: Allocation
) -> tuple[Days, Amounts, Amounts, Days]:
    """Return for each instalment the day it was settled, what was paid and what of it by the borrower; and the DPD."""
    cases, paying = groups.get_column("case").to_numpy(), received.get_column("case").to_numpy()
    starts = np.concatenate([[0], np.cumsum(groups.get_column("len").to_numpy())]).astype(np.int64)
    parts = np.ascontiguousarray(
        np.column_stack([due.get_column(name).to_numpy() for name in allocation.order]).reshape(
            len(due), len(COMPONENTS)
        ),
        np.int64,
    )
    settled = np.full(len(due), NEVER, dtype=np.int32)
    paid, own = np.zeros(len(due), dtype=np.int64), np.zeros(len(due), dtype=np.int64)
    days_past_due = np.zeros_like(ends)
    compiled(meet)(
        starts,
        only_read(np.ascontiguousarray(due.get_column("due_on").cast(pl.Int32).to_numpy(), np.int32)),
        parts,
        np.searchsorted(paying, cases, side="left").astype(np.int64),
        np.searchsorted(paying, cases, side="right").astype(np.int64),
        only_read(np.ascontiguousarray(received.get_column("day").to_numpy(), np.int32)),
        only_read(np.ascontiguousarray(received.get_column("amount").to_numpy(), np.int64)),
        only_read(np.ascontiguousarray(received.get_column("own").to_numpy(), np.int8)),
        allocation.across_instalments,
        ends,
        settled,
        paid,
        own,
        days_past_due,
    )
    return settled, paid, own, days_past_due


def meet(  # noqa: PLR0912 - one pass, written out: numba compiles it
    starts: Any,
    due: Any,
    left: Any,
    first_payment: Any,
    last_payment: Any,
    day: Any,
    amount: Any,
    is_own: Any,
    across: bool,
    ends: Any,
    settled: Any,
    paid: Any,
    own: Any,
    days_past_due: Any,
) -> None:
    """Let payments meet instalments, group by group; fills the last four arrays and uses up `left`."""
    for group in range(len(starts) - 1):
        begin, end = starts[group], starts[group + 1]
        at = np.full(3, begin)
        for payment in range(first_payment[group], last_payment[group]):
            money = amount[payment]
            if across:
                for part in range(3):
                    while money > 0 and at[part] < end and due[at[part]] <= day[payment]:
                        row = at[part]
                        taken = min(money, left[row, part])
                        left[row, part] -= taken
                        money -= taken
                        paid[row] += taken
                        own[row] += taken * is_own[payment]
                        if left[row, part] == 0:
                            at[part] += 1
                        if left[row, 0] + left[row, 1] + left[row, 2] == 0 and settled[row] == NEVER:
                            settled[row] = day[payment]
            row = min(at[0], at[1], at[2])
            while money > 0 and row < end:
                for part in range(3):
                    taken = min(money, left[row, part])
                    left[row, part] -= taken
                    money -= taken
                    paid[row] += taken
                    own[row] += taken * is_own[payment]
                if left[row, 0] + left[row, 1] + left[row, 2] > 0:
                    break
                if settled[row] == NEVER:
                    settled[row] = day[payment]
                row += 1
            for part in range(3):
                at[part] = max(at[part], row)
        for back in range(ends.shape[1]):
            on = ends[group, back]
            for row in range(begin, end):
                if settled[row] > on:
                    days_past_due[group, back] = max(0, on - due[row])
                    break


def spells(instalments: pl.DataFrame) -> pl.DataFrame:
    """Return the spells of delinquency: each time from the day a loan fell overdue until nothing was overdue.

    Parameters
    ----------
    instalments : rows of one schedule per case, as `delinquency` returns them

    Returns
    -------
    `case`, `observed_on`, and

    began_on : due date of the first instalment that was late
    ended_on : day on which the last late one was settled; missing while the spell lasts
    days : most days past due in the spell
    count : instalments that were late in it
    cured : it ended, and by the borrower's own money alone: paid by others or set off is no cure
    """
    due = answered(
        instalments.lazy()
        .filter(pl.col("due"))
        .select(
            "case",
            "observed_on",
            "due_on",
            pl.col("settled_on").to_physical().fill_null(NEVER),
            pl.col("late").fill_null(value=False),
            pl.col("days_late").fill_null(0),
            pl.col("own").fill_null(value=True),
        )
    )
    begins, most = np.empty(len(due), np.int64), np.empty(len(due), np.int64)
    ends, count = np.empty(len(due), np.int32), np.empty(len(due), np.int64)
    own = np.empty(len(due), np.bool_)
    found = compiled(follow)(
        due.get_column("case").to_numpy(),
        due.get_column("due_on").cast(pl.Int32).to_numpy(),
        *(due.get_column(name).to_numpy() for name in ("settled_on", "late", "days_late", "own")),
        begins,
        ends,
        most,
        count,
        own,
    )
    lasts = pl.Series(ends[:found] == NEVER)
    ended_on = pl.Series(np.where(ends[:found] == NEVER, 0, ends[:found]), dtype=pl.Int32).cast(pl.Date)
    return answered(
        due.lazy()
        .select(pl.col("case", "observed_on").gather(begins[:found]), began_on=pl.col("due_on").gather(begins[:found]))
        .with_columns(
            ended_on=pl.when(~lasts).then(ended_on),
            days=pl.Series(most[:found]),
            count=pl.Series(count[:found]),
            cured=pl.Series(own[:found]) & ~lasts,
        )
    )


def follow(
    case: Any,
    due: Any,
    settled: Any,
    late: Any,
    days_late: Any,
    is_own: Any,
    begins: Any,
    ends: Any,
    most: Any,
    count: Any,
    own: Any,
) -> int:
    """Follow each case's instalments through its spells; fills the last five arrays and returns how many there are."""
    spell, inside = -1, False
    latest = due[0] if len(due) else 0
    for row in range(len(due)):
        fresh = row == 0 or case[row] != case[row - 1]
        # The latest settlement so far: under the lawful order an instalment of interest alone may be settled before an
        # older one's principal.
        if late[row]:
            if fresh or not inside or latest <= due[row]:
                spell += 1
                begins[spell], ends[spell], most[spell] = row, settled[row], days_late[row]
                count[spell], own[spell] = 0, True
                inside = True
            ends[spell] = max(ends[spell], settled[row])
            most[spell] = max(most[spell], days_late[row])
            count[spell] += 1
            own[spell] &= is_own[row]
        elif fresh:
            inside = False
        latest = settled[row] if fresh else max(latest, settled[row])
    return spell + 1
