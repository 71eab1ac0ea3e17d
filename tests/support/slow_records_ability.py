"""Features of ability from records other than statements, worked out a second time from their docstrings."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from slow_features import Value, ratio, summed
from slow_history import Instalment, Row, Told, months_before, within

Values = dict[str, Value]


# What several features speak of


def days(earlier: date | None, told: Told) -> Value:
    """Return the days from a day to the observation date; missing where there is no such day."""
    return None if earlier is None else (told.observed_on - earlier).days


def latest_day(rows: list[Row], column: str) -> date | None:
    return max((row[column] for row in rows), default=None)


def due_within(told: Told, months: int) -> list[Instalment]:
    """Return the instalments of the schedule in force that fell due in a window."""
    return [row for row in told.instalments or [] if within(row.due_on, told.observed_on, months)]


def happened_within(rows: list[Row], column: str, told: Told, months: int) -> list[Row]:
    return [row for row in rows if within(row[column], told.observed_on, months)]


def count(rows: list[Row] | None, column: str, told: Told, months: int, **wanted: Any) -> Value:
    """Return how many rows of the window have the wanted words; missing when the table was not sent."""
    if rows is None:
        return None
    found = happened_within(rows, column, told, months)
    return sum(all(row[name] in words for name, words in wanted.items()) for row in found)


def knows_payments(told: Told) -> bool:
    return told.of("payments") is not None


def scheduled(told: Told) -> int | None:
    """Return the amount of the first instalment to come, else of the last one; missing without a schedule."""
    rows = told.instalments or []
    to_come = [row for row in rows if row.due_on > told.observed_on]
    return to_come[0].amount if to_come else rows[-1].amount if rows else None


def asked_a_month(told: Told) -> int | None:
    """Return the instalment; without a schedule the loan's amount over its term, rounded down."""
    if told.instalments:
        return scheduled(told)
    amount, term = told.loan["amount"], told.loan["term_months"]
    return None if amount is None or term is None else amount // term


def arrears(told: Told) -> int:
    return sum(row.unpaid or 0 for row in told.instalments or [] if row.due_on < told.observed_on)


def principal_left(row: Instalment) -> int:
    assert row.unpaid is not None
    return min(row.unpaid, row.principal)


def owed_by_the_schedule(told: Told) -> int | None:
    """Return what is unpaid of what fell due, and of what is to come the principal; missing without payments."""
    if not told.instalments or not knows_payments(told):
        return None
    return sum(
        row.unpaid if row.due_on <= told.observed_on else principal_left(row)  # type: ignore[misc]
        for row in told.instalments
    )


def outstanding(told: Told) -> int | None:
    """Return what is owed by the schedule, else by the latest statement, else the amount lent."""
    if told.instalments:
        return owed_by_the_schedule(told)
    statements = told.of("statements")
    return max(statements[-1]["balance"], 0) if statements else told.loan["amount"]


# The features


def ability(told: Told) -> Values:
    """Return the features of ability that do not come from statements."""
    return {
        **_instalments(told),
        **_means(told),
        **_flows(told),
        **_debits(told),
        **_borrowing(told),
        **_hardship(told),
    }


def _instalments(told: Told) -> Values:
    names = ("part_paid_depth_12m", "arrears_to_instalment", "arrears_to_outstanding", "paid_ahead")
    shares = [f"instalment_payment_to_due_{months}m" for months in (1, 3, 6, 12)]
    if not knows_payments(told):
        return dict.fromkeys((*shares, *names))
    found: Values = {}
    for months in (1, 3, 6, 12):
        rows = due_within(told, months)
        own = summed([row.own_paid for row in rows])
        found[f"instalment_payment_to_due_{months}m"] = ratio(own, summed([row.amount for row in rows]))
    part = [row for row in due_within(told, 12) if 0 < (row.own_paid or 0) < row.amount]
    found["part_paid_depth_12m"] = ratio(summed([row.own_paid for row in part]), summed([row.amount for row in part]))
    due = [row for row in told.instalments or [] if row.due_on <= told.observed_on]
    found["arrears_to_instalment"] = ratio(arrears(told), due[-1].amount if due else None, 24)
    later = [principal_left(row) for row in told.instalments or [] if row.due_on >= told.observed_on]
    found["arrears_to_outstanding"] = ratio(arrears(told), arrears(told) + sum(later))
    to_come = [row for row in told.instalments or [] if row.due_on > told.observed_on]
    ahead = summed([row.own_paid for row in to_come])
    found["paid_ahead"] = ratio(ahead, to_come[0].amount if to_come else None, 12)
    return found


def _means(told: Told) -> Values:
    rows = told.of("borrowers") or []
    instalment = asked_a_month(told)

    def stated(column: str) -> Any:
        given = [row[column] for row in rows if row[column] is not None]
        return given[-1] if given else None

    income, expenses, others = (stated(name) for name in ("monthly_income", "monthly_expenses", "other_instalments"))
    incomes = [row for row in rows if row["monthly_income"] is not None]
    left = None if None in (income, expenses, others) else income - expenses - others
    unknown = left is None or instalment is None
    cover = None if unknown else ratio(left, instalment, 10)
    employment = stated("employment")
    return {
        "instalment_to_income": _burden(instalment, income),
        "debt_service_to_income": _burden(None if None in (instalment, others) else instalment + others, income),
        "residual_income": None if unknown else left - instalment,  # type: ignore[operator]
        "residual_income_to_instalment": None if cover is None else max(cover, 0),
        "days_since_income_evidence": days(latest_day(incomes, "stated_on"), told),
        "income_change": ratio(incomes[-1]["monthly_income"], incomes[-2]["monthly_income"], 5)
        if len(incomes) > 1
        else None,
        "unemployed_now": None if employment is None else int(employment == "unemployed"),
    }


def _burden(service: int | None, income: int | None) -> Value:
    if service is None or income is None or (service == 0 and income == 0):
        return None
    return 3 if income == 0 else min(Fraction(service, income), Fraction(3))


# Movements on the bank account


def month_of(day: date, told: Told) -> int:
    """Return in which month, counted back from the observation date, a day lies; the first is 1."""
    months = 1
    while not months_before(told.observed_on, months) < day:
        months += 1
    return months


def months_seen(rows: list[Row], told: Told, months: int) -> int:
    """Return how many months of the window movements could be seen in, by the oldest movement known."""
    return min(months, month_of(min(row["booked_on"] for row in rows), told))


def came_in(rows: list[Row]) -> int:
    return sum(row["amount"] for row in rows if row["amount"] > 0 and row["kind"] != "interest")


def months_with(rows: list[Row], told: Told, months: int, kinds: tuple[str, ...], sign: int) -> Value:
    """Return in what share of the months seen a movement of some kinds and a sign was booked."""
    found = happened_within(rows, "booked_on", told, months)
    if not found:
        return None
    marked = {month_of(row["booked_on"], told) for row in found if row["kind"] in kinds and sign * row["amount"] > 0}
    return Fraction(len(marked), months_seen(rows, told, months))


def _flows(told: Told) -> Values:
    rows, instalment = told.of("transactions") or [], asked_a_month(told)
    window = {months: happened_within(rows, "booked_on", told, months) for months in (1, 3, 6, 12)}
    balances = {m: [row["balance"] for row in found if row["balance"] is not None] for m, found in window.items()}
    out = {
        months: [-row["amount"] for row in found if row["amount"] < 0 and row["kind"] != "loan_payment"]
        for months, found in window.items()
    }
    a_month = {
        months: Fraction(came_in(window[months]), months_seen(rows, told, months)) if rows else None
        for months in window
    }
    half = balances[6]
    brought = [
        came_in([row for row in window[6] if month_of(row["booked_on"], told) == month]) for month in range(1, 7)
    ]
    seen = brought[: months_seen(rows, told, 6)] if rows else []
    mean_balance = Fraction(sum(half), len(half)) if half else None
    return {
        **{
            f"lowest_balance_to_instalment_{months}m": ratio(min(balances[months], default=None), instalment)
            for months in (1, 3, 12)
        },
        "low_balance_days_share_12m": _days_share_below(window[12], instalment),
        "thin_balance_days_share_12m": _days_share_below(window[12], a_month[12] / 4 if a_month[12] else None),
        "lowest_balance_to_income_6m": ratio(min(half, default=None), a_month[6]),
        "instalment_to_flow_income_6m": ratio(instalment, a_month[6]),
        "money_out_to_in_12m": ratio(sum(out[12]), came_in(window[12]), 3),
        "income_steadiness_6m": ratio(min(seen), max(seen)) if len(seen) > 1 else None,
        "largest_out_to_balance_6m": ratio(max(out[6], default=0), mean_balance, 5),
        "regular_income_months_share_6m": months_with(rows, told, 6, ("salary", "pension"), 1),
        "days_below_zero_count_12m": len(_days_below(window[12], 0)) if balances[12] else None,
        "sanction_interest_count_12m": sum(
            row["kind"] == "sanction_interest" and row["amount"] < 0 for row in window[12]
        )
        if window[12]
        else None,
    }


def _days_below(rows: list[Row], line: int | Fraction) -> set[date]:
    return {row["booked_on"] for row in rows if row["balance"] is not None and row["balance"] < line}


def _days_share_below(rows: list[Row], line: int | Fraction | None) -> Value:
    told_days = {row["booked_on"] for row in rows if row["balance"] is not None}
    return ratio(len(_days_below(rows, line)), len(told_days)) if line is not None and line > 0 else None


# Direct debits, borrowing elsewhere, hardship


def _debits(told: Told) -> Values:
    sent = told.of("debits")
    rows = sent or []
    telling = [row for row in rows if row["result"] in ("paid", "insufficient_funds")]
    lacked = [row for row in rows if row["result"] == "insufficient_funds"]
    found: Values = {}
    for months in (1, 3, 6, 12):
        tells = happened_within(telling, "tried_on", told, months)
        found[f"insufficient_funds_share_{months}m"] = ratio(sum(row in lacked for row in tells), len(tells))
    for months in (3, 12):
        found[f"insufficient_funds_count_{months}m"] = count(
            sent, "tried_on", told, months, result=("insufficient_funds",)
        )
    last = [row for row in telling if row["tried_on"] == latest_day(telling, "tried_on")]
    found["insufficient_funds_latest"] = int(all(row["result"] != "paid" for row in last)) if last else None
    found["days_since_insufficient_funds"] = days(latest_day(lacked, "tried_on"), told)
    return found


def _borrowing(told: Told) -> Values:
    enquiries, security = told.of("enquiries"), told.of("security")
    new = [row for row in enquiries or [] if row["purpose"] == "new_credit"]
    found: Values = {
        f"new_credit_enquiry_count_{months}m": count(enquiries, "enquired_on", told, months, purpose=("new_credit",))
        for months in (1, 3, 6, 12)
    }
    found["days_since_new_credit_enquiry"] = days(latest_day(new, "enquired_on"), told)
    latest = {row["security_id"]: row for row in security or []}.values()
    guarantees = sum(row["kind"] == "guarantee" and row["value"] > 0 for row in latest)
    value = None if security is None else sum(row["value"] for row in latest)
    found["security_cover"] = ratio(value, outstanding(told), 2)
    found["guarantee_count"] = None if security is None else guarantees
    return found


def is_open(events: list[Row] | None, kind: str) -> Value:
    """Return whether the latest event of a kind has not been ended on its day or later."""
    if events is None:
        return None
    began = latest_day([row for row in events if row["kind"] == kind], "happened_on")
    ends = [row["happened_on"] for row in events if row["kind"] == f"{kind}_ended"]
    return int(began is not None and not any(end >= began for end in ends))


def _hardship(told: Told) -> Values:
    events = told.of("events")
    return {
        "hardship_now": is_open(events, "hardship"),
        "hardship_count_12m": count(events, "happened_on", told, 12, kind=("hardship",)),
    }
