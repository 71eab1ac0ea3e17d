"""A book in which much falls on few days and few amounts, so that every edge of a definition is met many times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from made_books import frame
from slow_history import months_before

from features.schemas import (
    CONTACT_CHANNELS,
    CONTACT_DIRECTIONS,
    CONTACT_RESULTS,
    DEBIT_RESULTS,
    EMPLOYMENT,
    ENQUIRY_PURPOSES,
    EVENT_KINDS,
    FLOW_KINDS,
    PAYERS,
    SECURITY_KINDS,
)
from features.tables import Tables

NEAR = (0, 0, 0, 1, -1, 2, 3, 4, 5, 9, 10, 11, 29, 30, 31, 32, 60, 61, 90, 91)
"""Days from a due date to what happens because of it."""
SUMS = (0, 0, 1, 50, 94, 95, 96, 100, 100, 100, 200, 300, 9000)
STATES = ("unused", "paid_in_full", "part_paid", "overdue")


def crowded_book(observed_on: date, seed: int, loans: int = 80) -> Tables:
    """Return a book of some loans, each with rows in every table, on days that matter on the observation date."""
    dice = Random(seed)
    edges = [observed_on, observed_on - timedelta(days=1)]
    edges += [
        months_before(observed_on, back) + timedelta(days=by) for back in (1, 2, 3, 6, 12, 13) for by in (-1, 0, 1)
    ]
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for place in range(loans):
        for name, found in _loan(dice, f"L{place:02}", f"B{place:02}", edges).items():
            rows.setdefault(name, []).extend(found)
    return Tables.checked({name: frame(name, found) for name, found in rows.items()}, where="crowded")


def _loan(dice: Random, loan: str, borrower: str, edges: list[date]) -> dict[str, list[tuple[Any, ...]]]:
    of = dice.choice
    days = sorted(of(edges) for _ in range(4))
    due = days + [max(edges) + timedelta(days=31 * k) for k in range(dice.randrange(5))]
    schedules = [
        (loan, schedule, number, day, of((0, 1, 100, 100, 200, 9000)), of((0, 0, 100)), of((0, 0, 0, 100)))
        for schedule in range(of((1, 1, 2)) if dice.randrange(6) else 0)
        for number, day in enumerate(due, 1)
    ]

    last = max(edges)
    crowd = [min(of(days) + timedelta(days=of(NEAR)), last + timedelta(days=2)) for _ in range(5)]
    crowd += [of(days), of(days) + timedelta(days=9), last - timedelta(days=of((3, 4)))]

    def maybe(choices: Any) -> Any:
        return of((None, of(choices), of(choices)))

    def several(most: int, row: Callable[[str, date], tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        drawn = [(f"{loan}-{place}", of(crowd)) for place in range(dice.randrange(most + 1))]
        return [(*row(own, on), _noon(on)) for own, on in drawn]

    def promise(own: str, on: date) -> tuple[Any, ...]:
        return own, loan, on, max(on, of(crowd)), of((100, 100, 200))

    def statement(_: str, on: date) -> tuple[Any, ...]:
        state = of(STATES)
        return loan, on, of((0, -50, *SUMS)), state, of((1, 2, 3)) if state == "overdue" else 0

    return {
        "loans": [
            (
                loan,
                borrower,
                "revolving",
                "CNY",
                maybe(SUMS),
                None,
                maybe(edges),
                maybe(SUMS),
                maybe((1, 3)),
                _noon(date(2020, 1, 1)),
            )
        ],
        "instalments": [(*row, _noon(date(2021, 1, 1))) for row in schedules],
        "payments": several(8, lambda own, on: (own, loan, on, of(SUMS), of((None,) * 9 + PAYERS))),
        "statements": several(6 if dice.randrange(2) else 0, statement),
        "contacts": several(
            7, lambda own, on: (own, loan, on, of(CONTACT_CHANNELS), of(CONTACT_DIRECTIONS), of(CONTACT_RESULTS))
        ),
        "promises": several(5, promise),
        "debits": several(5, lambda own, on: (own, loan, on, of(SUMS), of(DEBIT_RESULTS))),
        "events": several(6, lambda own, on: (own, loan, of(EVENT_KINDS[:8]), on)),
        "security": several(4, lambda own, on: (own[:-1] + of("01"), on, loan, of(SECURITY_KINDS[-2:]), of(SUMS))),
        "borrowers": several(4, lambda _, on: (borrower, on, maybe(SUMS), maybe(SUMS), maybe(SUMS), maybe(EMPLOYMENT))),
        "transactions": several(
            12, lambda own, on: (own, borrower, on, of((1, -1)) * of(SUMS), maybe((*SUMS, -50)), of(FLOW_KINDS))
        ),
        "enquiries": several(4, lambda own, on: (own, borrower, on, of(ENQUIRY_PURPOSES))),
    }


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
