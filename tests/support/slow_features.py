"""Every feature worked out a second time, slowly, in exact fractions, from its docstring and not its expression."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

DAY = timedelta(days=1)
Value = Fraction | int | None
Payment = tuple[date, int, str | None]


@dataclass
class Statement:
    on: date
    balance: int
    state: str
    overdue: int
    ago: int
    paid: int | None
    received: int | None
    due: int | None
    spent: int | None

    @property
    def owed(self) -> int:
        return max(self.balance, 0)

    @property
    def late(self) -> bool:
        return self.state == "overdue"

    @property
    def judged(self) -> bool:
        return self.due is not None and self.paid is not None

    @property
    def shortfall(self) -> int | None:
        return max(self.due - self.received, 0) if self.judged else None  # type: ignore[operator]


def first_day(last: date, months: int) -> date:
    year, month = divmod(last.year * 12 + last.month - 1 - months, 12)
    longest = monthrange(year, month + 1)[1]
    is_month_end = last.day == monthrange(last.year, last.month)[1]
    return date(year, month + 1, longest if is_month_end else min(last.day, longest)) + DAY


def ratio(part: Any, whole: Any, most: Any = None) -> Value:
    if part is None or whole is None or whole <= 0:
        return None
    share = Fraction(part) / whole
    return share if most is None else min(share, Fraction(most))


def known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def summed(values: list[Any]) -> Any:
    return sum(values) if values else None


def ledger(statements: list[tuple[date, int, str, int]], payments: list[Payment] | None) -> list[Statement]:
    rows: list[Statement] = []
    ordered = sorted(statements)
    for place, (on, balance, state, overdue) in enumerate(ordered):
        before = ordered[place - 1] if place else None
        opens = before[0] + DAY if before else first_day(on, 1)
        paid = received = None
        if payments is not None:
            cycle = [(amount, payer) for day, amount, payer in payments if opens <= day <= on]
            paid = sum(amount for amount, payer in cycle if payer in (None, "borrower"))
            received = sum(amount for amount, payer in cycle if payer != "write_off")
        due = None if before is None else max(before[1], 0)
        spent = None if received is None or before is None else balance - before[1] + received
        rows.append(Statement(on, balance, state, overdue, len(ordered) - 1 - place, paid, received, due, spent))
    return rows


def features(  # noqa: PLR0915 - one statement per feature, as in the catalog
    limit: int | None,
    observed_on: date,
    statements: list[tuple[date, int, str, int]],
    payments: list[Payment] | None,
) -> dict[str, Value]:
    """Return the statement features of an account: of (day, balance, state, months) and (day, amount, payer)."""
    rows = ledger(statements, payments)
    last: dict[int, list[Statement]] = {
        months: [row for row in rows if first_day(observed_on, months) <= row.on <= observed_on] for months in (1, 3, 6)
    }
    earlier = [row for row in last[6] if row not in last[3]]
    now = rows[-1] if rows else None
    before = rows[-2] if len(rows) > 1 else None
    two_before = rows[-3] if len(rows) > 2 else None
    has_limit = limit is not None and limit > 0
    told: dict[str, Value] = {"credit_limit": limit}

    # ability
    for months, window in last.items():
        dues = [row for row in window if row.due is not None]
        paid = [row.paid for row in dues] if payments is not None else []
        told[f"payment_to_due_{months}m"] = ratio(summed(paid), summed([row.due for row in dues]), 1.5)
        balances = [row.balance for row in window]
        mean = ratio(sum(balances), limit * len(balances)) if balances and has_limit else None  # type: ignore[operator]
        told[f"utilisation_mean_{months}m"] = mean
        told[f"spending_sum_{months}m"] = summed(known(row.spent for row in window))
    told["payment_to_due_month_before"] = ratio(before.paid, before.due, 1.5) if before else None
    late = [row for row in last[6] if row.judged and row.late]
    told["payment_to_due_while_overdue_6m"] = ratio(
        summed([row.paid for row in late]), summed([row.due for row in late]), 1.5
    )
    part = [row for row in last[6] if row.judged and 0 < row.paid < row.due]  # type: ignore[operator]
    told["part_payment_depth_6m"] = ratio(summed([row.paid for row in part]), summed([row.due for row in part]))
    paid = known(row.paid for row in last[6])
    told["payment_to_balance_6m"] = ratio(summed(paid), now.owed * len(paid), 1.5) if now and paid else None
    told["payment_third_largest_6m"] = sorted(paid)[-3] if len(paid) >= 3 else None
    told["payment_smallest_6m"] = min(paid) if paid else None
    paid_earlier, paid_lately = known(row.paid for row in earlier), known(row.paid for row in last[3])
    told["payment_earlier"] = summed(paid_earlier)
    told["payment_growth"] = ratio(summed(paid_lately), summed(paid_earlier), 20)
    balances = [row.balance for row in last[6]]
    told["utilisation_slope_6m"] = slope(balances) / limit if len(balances) > 1 and has_limit else None  # type: ignore[operator]
    lately = [row.balance for row in last[3]]
    told["utilisation_swing_3m"] = ratio(max(lately) - min(lately), limit) if lately else None
    for months in (1, 6):
        window_balances = [row.balance for row in last[months]]
        least = limit - max(window_balances) if window_balances and limit is not None else None
        told[f"limit_left_least_{months}m"] = least
    told["shortfall_sum_1m"] = summed(known(row.shortfall for row in last[1]))
    told["shortfall_to_limit"] = ratio(now.shortfall, limit) if now else None
    told["overdue_balance_share_6m"] = ratio(
        sum(row.owed for row in last[6] if row.late), summed([row.owed for row in last[6]])
    )
    told["balance_growth"] = ratio(now.owed, two_before.owed, 20) if now and two_before else None

    # willingness
    window = last[6]
    serious = [row for row in window if row.overdue >= 2]
    weight = {row.ago: max(6 - row.ago, 0) for row in window}
    told["serious_lateness_weighted_6m"] = sum(weight[row.ago] for row in serious) if window else None
    told["statements_since_serious_lateness_6m"] = min((row.ago for row in serious), default=None)
    told["months_overdue_weighted_6m"] = sum(weight[row.ago] * row.overdue for row in window) if window else None
    told["late_earlier_count"] = sum(row.late for row in earlier) if earlier else None
    streak = 0
    for row in reversed(window):
        if row.late:
            break
        streak += 1
    told["on_time_streak_6m"] = streak if window else None
    told["months_overdue_before"] = before.overdue if before else None
    told["months_overdue_change"] = now.overdue - before.overdue if now and before else None
    told["marked_full_before"] = int(before.state == "paid_in_full") if before else None
    for months in (3, 6):
        window = last[months]
        overdue = [row.overdue for row in window]
        told[f"months_overdue_sum_{months}m"] = summed(overdue)
        falls = sum(later < sooner for sooner, later in pairwise(overdue))
        told[f"roll_back_count_{months}m"] = falls if len(overdue) > 1 else None
        judged = [row for row in window if row.judged]
        told[f"unpaid_money_share_{months}m"] = ratio(
            sum(row.due for row in judged if not row.paid),  # type: ignore[misc]
            summed([row.due for row in judged]),
        )
        for name, state in (("marked_full", "paid_in_full"), ("unused", "unused")):
            told[f"{name}_count_{months}m"] = sum(row.state == state for row in window) if window else None
    judged = [row for row in last[6] if row.judged]
    asked = [row for row in judged if row.due]
    told["unpaid_count_6m"] = sum(not row.paid for row in asked) if judged else None
    told["full_payment_share_6m"] = ratio(sum(row.paid >= row.due for row in asked), len(asked))  # type: ignore[operator]
    told["overpaid_count_6m"] = sum(row.paid > row.due for row in asked) if judged else None  # type: ignore[operator]
    small = sum(0 < 10 * row.paid <= row.due for row in judged)  # type: ignore[operator]
    told["small_payment_count_6m"] = small if judged else None
    told["payment_concentration_6m"] = ratio(max(paid), sum(paid)) if paid else None
    told["payment_swing_to_limit_6m"] = ratio(max(paid) - min(paid), limit) if paid else None

    # circumstances
    told["months_overdue_now"] = now.overdue if now else None
    told["months_overdue_worst_6m"] = max((row.overdue for row in last[6]), default=None)
    told["marked_full_now"] = int(now.state == "paid_in_full") if now else None
    told["unused_now"] = int(now.state == "unused") if now else None
    told["unused_before"] = int(before.state == "unused") if before else None
    told["balance_now"] = now.balance if now else None
    told["balance_largest_3m"] = max(lately, default=None)
    told["balance_mean_6m"] = Fraction(sum(balances), len(balances)) if balances else None
    told["balance_change_6m"] = balances[-1] - balances[0] if len(balances) > 1 else None
    spent = known(row.spent for row in last[6])
    told["spending_largest_6m"] = max(spent, default=None)
    told["spending_to_limit_6m"] = ratio(summed(spent), limit)
    turnover = ratio(summed(known(row.spent for row in last[3])), now.owed) if now else None
    told["spending_to_balance_3m"] = None if turnover is None else max(min(turnover, 5), -5)
    charged = [max(amount, 0) for amount in spent]
    told["spending_concentration_6m"] = ratio(max(charged), sum(charged)) if charged else None
    told["spending_steadiness_6m"] = ratio(min(charged), max(charged)) if charged else None
    return told


def slope(values: list[int]) -> Fraction:
    """Least squares, by its textbook definition."""
    middle, mean = Fraction(len(values) - 1, 2), Fraction(sum(values), len(values))
    across = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return across / sum((place - middle) ** 2 for place in range(len(values)))
