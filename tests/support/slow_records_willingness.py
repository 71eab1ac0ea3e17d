"""Features of willingness from records other than statements, worked out a second time from their docstrings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction

from slow_features import Value, ratio
from slow_history import DAY, Instalment, Row, Spell, Told, within
from slow_records_ability import (
    Values,
    came_in,
    count,
    days,
    due_within,
    happened_within,
    knows_payments,
    latest_day,
    months_with,
)


def willingness(told: Told) -> Values:
    """Return the features of willingness that do not come from statements."""
    return {
        **_instalments(told),
        **_spells(told),
        **_promises(told),
        **_contacts(told),
        **_debits(told),
        **_flows(told),
    }


# When instalments were paid


def tells(row: Instalment) -> bool:
    """Return whether an instalment is late, or was settled with the borrower's own money alone."""
    return bool(row.own) or (row.days_late is not None and row.days_late > 0)


def _instalments(told: Told) -> Values:
    year, half, quarter = ([row for row in due_within(told, months) if tells(row)] for months in (12, 6, 3))
    of = {12: year, 6: half, 3: quarter}
    found: Values = {}
    for months, rows in of.items():
        found[f"days_late_mean_{months}m"] = ratio(sum(map(_late, rows)), len(rows))
        found[f"late_instalment_share_{months}m"] = _share(rows, lambda row: row.days_late > 0)
    for months in (6, 12):
        found[f"days_late_most_{months}m"] = max(map(_late, of[months]), default=None)
    found["long_late_share_12m"] = _share(year, lambda row: row.days_late >= 10)
    found["paid_on_the_day_share_12m"] = _share(year, lambda row: row.days_late == 0)
    found["paid_early_share_12m"] = _share(year, lambda row: row.days_late < 0)
    found["instalments_on_time_streak_12m"] = _streak([row.days_late <= 0 for row in year])
    spread = [row.days_late for row in year]
    found["days_late_spread_12m"] = max(spread) - min(spread) if len(spread) > 1 else None
    before = [row for row in year if row not in quarter]
    found["days_late_change"] = (
        Fraction(sum(map(_late, quarter)), len(quarter)) - Fraction(sum(map(_late, before)), len(before))
        if quarter and before
        else None
    )
    rows = told.instalments or []
    so_far = [row for row in rows if row.due_on <= told.observed_on]
    telling = [row for row in so_far if tells(row)]
    found["days_late_latest"] = _late(telling[-1]) if telling else None
    first = so_far[0] if so_far and tells(so_far[0]) else None
    found["first_instalment_days_late"] = None if first is None else _late(first)
    three = [row for row in so_far if row in rows[:3] and tells(row)]
    found["first_three_late_count"] = sum(row.days_late > 0 for row in three) if three else None
    return found


def _late(row: Instalment) -> int:
    return max(row.days_late or 0, 0)


def _share(rows: list[Instalment], mark: Callable[[Instalment], bool]) -> Value:
    return ratio(sum(map(mark, rows)), len(rows))


def _streak(marks: list[bool]) -> Value:
    """Return how many of the last rows in a row have a mark; missing when there are none."""
    if not marks:
        return None
    return next((place for place, marked in enumerate(reversed(marks)) if not marked), len(marks))


# How the borrower came out of arrears


def _spells(told: Told) -> Values:
    names = ("overdue_spell_count_12m", "self_cure_share_12m", "days_to_cure_mean_12m", "days_since_overdue")
    due = [row for row in told.instalments or [] if row.due_on <= told.observed_on]
    if not due or not knows_payments(told):
        return dict.fromkeys(names)
    spells = told.spells or []
    ended = [spell for spell in spells if spell.ended_on is not None and within(spell.ended_on, told.observed_on, 12)]
    lasting = [spell for spell in spells if spell.ended_on is None]
    cured = [spell for spell in ended if spell.cured]
    unasked = [spell for spell in cured if not _contacted(spell, told)]
    share = None if told.of("contacts") is None else ratio(len(unasked), len(ended) + len(lasting))
    took = [(spell.ended_on - spell.began_on).days for spell in cured]  # type: ignore[operator]
    last_end = max((spell.ended_on for spell in spells if spell.ended_on), default=None)
    return {
        "overdue_spell_count_12m": sum(within(spell.began_on, told.observed_on, 12) for spell in spells),
        "self_cure_share_12m": share,
        "days_to_cure_mean_12m": ratio(sum(took), len(took)),
        "days_since_overdue": 0 if lasting else days(last_end, told),
    }


def _contacted(spell: Spell, told: Told) -> bool:
    """Return whether the lender contacted the borrower from the day after a spell began to the day it ended."""
    return any(
        row["direction"] == "outbound" and spell.began_on + DAY <= row["contacted_on"] <= spell.ended_on
        for row in told.of("contacts") or []
    )


# Promises


def _promises(told: Told) -> Values:
    rows = told.promises or []
    found: Values = {}
    for months in (3, 6, 12):
        window = happened_within(rows, "due_on", told, months)
        found[f"broken_promise_share_{months}m"] = ratio(sum(not row["kept"] for row in window), len(window))
    year = happened_within(rows, "due_on", told, 12)
    kept = sum(row["kept"] for row in year)
    found["promise_kept_rate_shrunk_12m"] = Fraction(kept + 1, len(year) + 2) if year else None
    found["broken_promise_streak"] = _streak([not row["kept"] for row in rows])
    found["days_since_broken_promise"] = days(latest_day([row for row in rows if not row["kept"]], "due_on"), told)
    ahead = sum((row["due_on"] - row["promised_on"] for row in year), timedelta()).days
    found["promised_days_mean_12m"] = ratio(ahead, len(year))
    return found


# Contacts


def is_attempt(contact: Row) -> bool:
    return contact["direction"] == "outbound" and contact["result"] != "delivered"


def is_unanswered(contact: Row) -> bool:
    return contact["result"] in ("no_answer", "unreachable")


def _contacts(told: Told) -> Values:
    sent = told.of("contacts")
    rows = sent or []
    found: Values = {}
    for months in (1, 3, 6):
        tried = [row for row in happened_within(rows, "contacted_on", told, months) if is_attempt(row)]
        found[f"reached_share_{months}m"] = ratio(sum(row["result"] == "borrower_reached" for row in tried), len(tried))
        if months != 1:
            found[f"unanswered_share_{months}m"] = ratio(sum(map(is_unanswered, tried)), len(tried))
            found[f"inbound_count_{months}m"] = count(sent, "contacted_on", told, months, direction=("inbound",))
    heard = [
        row
        for row in happened_within(rows, "contacted_on", told, 6)
        if is_attempt(row) or row["direction"] == "inbound"
    ]
    found["unanswered_streak_6m"] = _streak([is_attempt(row) and is_unanswered(row) for row in heard])
    both_ways = [row for row in rows if row["direction"] == "inbound" or row["result"] == "borrower_reached"]
    found["days_since_two_way_contact"] = days(latest_day(both_ways, "contacted_on"), told)
    for name, months, result in (("unreachable_count", 3, "unreachable"), ("refused_count", 6, "refused")):
        found[f"{name}_{months}m"] = count(
            sent, "contacted_on", told, months, direction=("outbound",), result=(result,)
        )
    return found


# Direct debits, and movements on the bank account


def _debits(told: Told) -> Values:
    sent, withdrawn = told.of("debits"), ("mandate_revoked", "account_closed")
    return {
        **{
            f"mandate_withdrawn_count_{months}m": count(sent, "tried_on", told, months, result=withdrawn)
            for months in (6, 12)
        },
        "mandate_withdrawn_latest": int(sent[-1]["result"] in withdrawn) if sent else None,
    }


def _flows(told: Told) -> Values:
    rows = told.of("transactions") or []
    quarter = happened_within(rows, "booked_on", told, 3)
    household = max(-sum(row["amount"] for row in quarter if row["kind"] == "household"), 0)
    return {
        "household_to_income_3m": ratio(household, came_in(quarter), 1),
        "bill_months_share_6m": months_with(rows, told, 6, ("household", "insurance", "transfer"), -1),
    }
