"""Features of circumstances from records other than statements, worked out a second time from their docstrings."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from slow_features import Value, ratio
from slow_history import Row, Told, is_money, is_own
from slow_records_ability import (
    Values,
    arrears,
    count,
    days,
    happened_within,
    is_open,
    knows_payments,
    latest_day,
    month_of,
    owed_by_the_schedule,
    principal_left,
    scheduled,
)


def circumstances(told: Told) -> Values:
    """Return the features of circumstances that do not come from statements."""
    return {**_delinquency(told), **_loan(told), **_contacts(told), **_events(told), **_money(told)}


# How far behind its schedule the loan is


def _delinquency(told: Told) -> Values:
    seen = {row.months_ago: row.days_past_due for row in told.month_ends or [] if row.days_past_due is not None}
    original = {row.months_ago: row.days_past_due_original for row in told.month_ends or []}
    found: Values = {
        "days_past_due_now": seen.get(0),
        "days_past_due_original_now": original.get(0),
        "days_past_due_change_1m": seen[0] - seen[1] if 0 in seen and 1 in seen else None,
        "days_in_current_spell": _current_spell(told),
    }
    for months in (3, 6, 12):
        window = [seen[ago] for ago in range(months) if ago in seen]
        found[f"days_past_due_worst_{months}m"] = max(window, default=None)
        rolls = [bucket(seen[ago]) - bucket(seen[ago + 1]) for ago in range(months) if {ago, ago + 1} <= set(seen)]
        found[f"bucket_roll_forward_count_{months}m"] = sum(roll > 0 for roll in rolls) if rolls else None
        found[f"bucket_roll_back_count_{months}m"] = sum(roll < 0 for roll in rolls) if rolls else None
        for least in (30, 60, 90) if months != 3 else ():
            found[f"months_{least}_days_past_due_count_{months}m"] = (
                sum(past_due >= least for past_due in window) if window else None
            )
    for least in (30, 60, 90):
        behind = [ago for ago in range(12) if seen.get(ago, 0) >= least]
        found[f"months_since_{least}_days_past_due"] = min(behind, default=None)
    return found


def bucket(days_past_due: int) -> int:
    """Return the number of the bucket: 0 for 0 days, 1 for 1 to 30, 2 for 31 to 60, and so on."""
    number = 0
    while days_past_due > 30 * number:
        number += 1
    return number


def _current_spell(told: Told) -> Value:
    rows = [row for row in told.instalments or [] if row.due_on <= told.observed_on]
    if not rows or not knows_payments(told):
        return None
    if all(row.settled_on is not None for row in rows if row.due_on < told.observed_on):
        return 0
    begins: list[date] = []
    for place, row in enumerate(rows):
        answered = row.settled_on is not None and row.settled_on <= row.due_on
        was_late = not answered and (row.settled_on is not None or row.due_on < told.observed_on)
        if was_late and all(sooner.settled_on and sooner.settled_on <= row.due_on for sooner in rows[:place]):
            begins.append(row.due_on)
    return days(max(begins), told)


# The loan and what is owed


def _loan(told: Told) -> Values:
    loan, rows, known = told.loan, told.instalments or [], knows_payments(told)
    due = [row for row in rows if row.due_on <= told.observed_on]
    left = sum(map(principal_left, rows)) if known and rows else None
    return {
        "loan_amount": loan["amount"],
        "term_months": loan["term_months"],
        "months_on_book": _whole_months(loan["opened_on"], told.observed_on),
        "instalments_due_count": len(due) if rows else None,
        "remaining_instalment_share": ratio(len(rows) - len(due), len(rows)),
        "outstanding_share": ratio(left, sum(row.principal for row in rows)),
        "outstanding_amount": owed_by_the_schedule(told),
        "arrears_amount": arrears(told) if known and rows else None,
        "scheduled_instalment": scheduled(told),
    }


def _whole_months(first: date | None, last: date) -> Value:
    """Count the days on which a month is over: the same day of a later month, or that month's last."""
    if first is None or first > last:
        return None
    months = 0
    while _over(first, months + 1) <= last:
        months += 1
    return months


def _over(first: date, months: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


# What the lender and others did


def _contacts(told: Told) -> Values:
    sent = told.of("contacts")
    made = [row for row in sent or [] if row["direction"] == "outbound"]
    found: Values = {
        f"outbound_contact_count_{months}m": count(sent, "contacted_on", told, months, direction=("outbound",))
        for months in (1, 3, 6)
    }
    for channel in ("letter", "visit"):
        found[f"outbound_{channel}_count_6m"] = count(
            sent, "contacted_on", told, 6, direction=("outbound",), channel=(channel,)
        )
    found["days_since_outbound_contact"] = days(latest_day(made, "contacted_on"), told)
    return found


def _events(told: Told) -> Values:
    events = told.of("events")
    changes = ("restructured", "extended")
    changed = [row for row in events or [] if row["kind"] in changes]
    return {
        "restructured_or_extended_12m": _any(count(events, "happened_on", told, 12, kind=changes)),
        "days_since_restructured_or_extended": days(latest_day(changed, "happened_on"), told),
        "dispute_now": is_open(events, "dispute"),
        "accelerated_now": None if events is None else _accelerated(events, changed),
        "legal_action_12m": _any(count(events, "happened_on", told, 12, kind=("legal_action",))),
    }


def _any(number: Value) -> Value:
    return None if number is None else int(number > 0)


def _accelerated(events: list[Row], changed: list[Row]) -> int:
    called = latest_day([row for row in events if row["kind"] == "accelerated"], "happened_on")
    return int(called is not None and not any(row["happened_on"] > called for row in changed))


def _money(told: Told) -> Values:
    found: Values = {}
    for months in (6, 12):
        received = [row for row in told.of("payments") or [] if is_money(row)]
        window = happened_within(received, "paid_on", told, months)
        others = sum(row["amount"] for row in window if not is_own(row))
        found[f"others_paid_share_{months}m"] = ratio(others, sum(row["amount"] for row in window))
    # A schedule that asks for nothing is none, as in all features of the schedule.
    found["schedule_revision_count"] = told.instalments[0].schedule if told.instalments else None
    movements = [row["booked_on"] for row in told.of("transactions") or []]
    found["account_months"] = month_of(min(movements), told) if movements else None
    return found
