"""Made-up instalment loans with every kind of record, drawn by a fixed rule, on which two releases are compared.

The rule is written out here and uses whole numbers only, so that it gives the same loans on every machine for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from features.schemas import (
    CONTACT_CHANNELS,
    CONTACT_RESULTS,
    DEBIT_RESULTS,
    EMPLOYMENT,
    ENQUIRY_PURPOSES,
    EVENT_KINDS,
    FLOW_KINDS,
    NO_CURRENCY,
    PAYERS,
    SECURITY_KINDS,
)

LOANS = 24
REVISED = (5, 11, 17, 23)
"""Loans with a second schedule."""
CHARGED = 3
"""Number of the instalment with which costs fall due."""
LAST_DUE = date(2024, 2, 29)
"""The observation date of the probes; on it some instalments fall due."""
SHARES = (0, 0, 3, 5, 8, 10, 10, 10, 10, 10, 10, 25)
"""Tenths of an instalment that a payment covers."""
DELAYS = (-9, -3, 0, 0, 0, 0, 1, 2, 4, 11, 33, 48, 75, 130)
"""Days from the due date to a payment."""
LATE_RECORDS = (0, 0, 0, 0, 0, 1, 40)
"""Days from what happened to its recording."""

Row = tuple[Any, ...]


class Dice:
    """A linear congruential generator (Knuth, The Art of Computer Programming, vol. 2, 3.3.4), whole numbers only."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, bound: int) -> int:
        """Return the next number from 0 up to a bound."""
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 33) % bound

    def of(self, choices: Sequence[Any]) -> Any:
        """Return one of several."""
        return choices[self.below(len(choices))]

    def day(self, back: int) -> date:
        """Return a day of so many days up to the observation date."""
        return LAST_DUE - timedelta(days=self.below(back))


def probe_rows() -> dict[str, list[Row]]:
    """Return the rows of every table, in the tables' own order of columns; `facts` and `statements` have none."""
    rows: dict[str, list[Row]] = {}
    for number in range(LOANS):
        for table, found in _loan(number).items():
            rows.setdefault(table, []).extend(found)
    return rows


def _loan(number: int) -> dict[str, list[Row]]:
    dice, loan, borrower = Dice(number + 1), f"Q{number:02}", f"R{number:02}"
    term = dice.of((6, 12, 24, 36))
    amount = 10_000 * (1 + dice.below(400))
    begun = 1 + dice.below(term + 2)
    first = _months_before(LAST_DUE, begun - 1)
    opened = _months_before(first, 1)
    schedule = [(k + 1, _months_before(LAST_DUE, begun - 1 - k), amount // term, amount // 200) for k in range(term)]
    rows: dict[str, list[Row]] = {
        "loans": [
            (
                loan, borrower, "instalment", NO_CURRENCY, None, opened - timedelta(days=9), opened,
                amount if number % 5 else None, term, _noon(opened),
            )
        ],
        "instalments": [
            (loan, 0, k, due, part, interest, 500 * (k == CHARGED), _noon(opened))
            for k, due, part, interest in schedule
        ],
    }  # fmt: skip
    rows["payments"] = _payments(dice, loan, schedule) if number % 8 else []
    if number in REVISED:
        rows["instalments"] += _revised(loan, schedule)
    draws: tuple[tuple[str, Callable[[int], Row]], ...] = (
        ("borrowers", lambda k: _means(dice, borrower, k, amount // term)),
        ("contacts", lambda k: _contact(dice, loan, k)),
        ("promises", lambda k: _promise(dice, loan, k, amount // term)),
        ("debits", lambda k: _debit(dice, loan, k, amount // term)),
        ("transactions", lambda k: _flow(dice, borrower, k)),
        ("enquiries", lambda k: _enquiry(dice, borrower, k)),
        ("events", lambda k: _event(dice, loan, k)),
        ("security", lambda k: _security(dice, loan, k, amount)),
    )
    for table, draw in draws:
        most = {"transactions": 60, "contacts": 16, "borrowers": 3, "security": 3, "events": 3}.get(table, 8)
        rows[table] = [draw(k) for k in range(dice.below(most + 1) if number % 7 else 0)]
    rows["borrowers"] = list({row[:2]: row for row in rows["borrowers"]}.values())
    rows["security"] = list({row[:2]: row for row in rows["security"]}.values())
    return rows


def _payments(dice: Dice, loan: str, schedule: list[tuple[int, date, int, int]]) -> list[Row]:
    habit = dice.below(len(DELAYS))
    rows: list[Row] = []
    for k, due, part, interest in schedule:
        share, delay = dice.of(SHARES), dice.of(DELAYS[: habit + 1])
        paid_on = due + timedelta(days=delay)
        if share and paid_on <= LAST_DUE:
            payer = None if dice.below(8) else dice.of(PAYERS)
            rows.append((f"{loan}-{k}", loan, paid_on, (part + interest) * share // 10, payer, _later(dice, paid_on)))
    return rows


def _revised(loan: str, schedule: list[tuple[int, date, int, int]]) -> list[Row]:
    revised_on = _months_before(LAST_DUE, 4)
    return [
        (loan, 1, k, due if due < revised_on else _months_before(due, -3), part, interest, 0, _noon(revised_on))
        for k, due, part, interest in schedule
    ]


def _means(dice: Dice, borrower: str, k: int, instalment: int) -> Row:
    stated = dice.day(700)
    income = instalment * (1 + dice.below(12))
    other = None if k == 1 else instalment * dice.below(4) // 2
    return (borrower, stated, income, income * dice.below(10) // 10, other, dice.of(EMPLOYMENT), _later(dice, stated))


def _contact(dice: Dice, loan: str, k: int) -> Row:
    day, direction = dice.day(400), "inbound" if dice.below(5) == 0 else "outbound"
    return (f"{loan}-{k}", loan, day, dice.of(CONTACT_CHANNELS), direction, dice.of(CONTACT_RESULTS), _later(dice, day))


def _promise(dice: Dice, loan: str, k: int, instalment: int) -> Row:
    day = dice.day(400)
    return (f"{loan}-{k}", loan, day, day + timedelta(days=dice.below(20)), 1 + instalment * dice.below(3) // 2,
            _later(dice, day))  # fmt: skip


def _debit(dice: Dice, loan: str, k: int, instalment: int) -> Row:
    day = dice.day(400)
    return (f"{loan}-{k}", loan, day, instalment, dice.of(DEBIT_RESULTS), _later(dice, day))


def _flow(dice: Dice, borrower: str, k: int) -> Row:
    day = dice.day(400)
    amount = (1 + dice.below(9_000)) * (100 if dice.below(3) == 0 else -40)
    balance = None if dice.below(9) == 0 else dice.below(2_000_000) - 200_000
    return (f"{borrower}-{k}", borrower, day, amount, balance, dice.of(FLOW_KINDS), _later(dice, day))


def _enquiry(dice: Dice, borrower: str, k: int) -> Row:
    day = dice.day(365)
    return (f"{borrower}-{k}", borrower, day, dice.of(ENQUIRY_PURPOSES), _later(dice, day))


def _event(dice: Dice, loan: str, k: int) -> Row:
    day = dice.day(500)
    return (f"{loan}-{k}", loan, dice.of(EVENT_KINDS), day, _later(dice, day))


def _security(dice: Dice, loan: str, k: int, amount: int) -> Row:
    day = dice.day(900)
    return (f"{loan}-{k // 2}", day, loan, dice.of(SECURITY_KINDS), amount * dice.below(15) // 10, _later(dice, day))


def _months_before(day: date, months: int) -> date:
    """Return the month end so many months before a month end; a negative number goes forward."""
    place = day.year * 12 + day.month - months  # the month after, counted from 0
    return date(place // 12, place % 12 + 1, 1) - timedelta(days=1)


def _later(dice: Dice, day: date) -> datetime:
    return _noon(day + timedelta(days=dice.of(LATE_RECORDS)))


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
