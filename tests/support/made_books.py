"""Books of a few borrowers made for tests: generated with everything that goes wrong in practice, or drawn by hand."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from typing import Any

import polars as pl
from hypothesis import strategies as st
from spec_tables import noon, table

from features.delinquency import COMPONENTS, Allocation
from features.schemas import (
    CONTACT_CHANNELS,
    CONTACT_DIRECTIONS,
    CONTACT_RESULTS,
    DEBIT_RESULTS,
    EMPLOYMENT,
    ENQUIRY_PURPOSES,
    EVENT_KINDS,
    FLOW_KINDS,
    MOST_MONEY,
    PAYERS,
    SCORED,
    SECURITY_KINDS,
)
from features.tables import Tables

Row = tuple[Any, ...]
RowOf = Callable[[str, date, "Tape"], Row]
"""Makes a row of an id and a day."""

NAMES = tuple(SCORED)
TYPES = {name: schema.create_empty().schema for name, schema in SCORED.items()}
EARLIEST, LATEST = date(2022, 10, 31), date(2024, 5, 15)
LEAP_DAY = date(2024, 2, 29)
ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)
"""Recorded before anything else was."""
NASTY_DAYS = (
    LEAP_DAY,
    date(2024, 2, 28),
    date(2024, 3, 1),
    date(2024, 1, 31),
    date(2023, 12, 31),
    date(2023, 11, 30),
    date(2023, 8, 31),
    date(2023, 5, 30),
    date(2023, 2, 28),
    date(2023, 1, 29),
)
SUMS = (100, 100, 95, 94, 96, 0, 1, 105, 200, 333, 10**6, MOST_MONEY)
BALANCES = (100, 0, -1, -100, 95, 250_000, 99_999_999, -MOST_MONEY, MOST_MONEY)
PARTS = (100, 0, 0, 0, 100, 50, 1)
"""Money due for one component of an instalment."""
NEAR = (0, 0, 1, -1, 2, 3, 4, 31, 95, -40)
"""Days from a due date to something that happens because of it."""
LAGS = (0, 0, 0, 0, 1, 5, 40, 200, -20)
"""Days from what happened to its recording; below 0: it is dated in the future."""
INSTANTS = (time(12), time(12), time(0), time(23, 59, 59, 999_999))
BYTE = 256

ALLOCATIONS = tuple(Allocation(order, across) for order in permutations(COMPONENTS) for across in (True, False))
allocations = st.sampled_from(ALLOCATIONS)
observation_days = st.one_of(st.sampled_from(NASTY_DAYS), st.dates(date(2023, 3, 1), LATEST))
zones = st.sampled_from(["UTC", "UTC", "Asia/Shanghai", "America/New_York"])
FACT, LOAN, REST = 12, 640, 640
"""Bytes that decide a fact, a loan with its facts, and everything else of a book."""


class Tape:
    """Bytes that decide one choice after another; when they are used up, or shrunk, the first choice of each.

    Hypothesis draws a loan's bytes at once. Choice by choice it would take ten times as long, and most books would be
    the one before with a detail changed.
    """

    def __init__(self, written: bytes) -> None:
        self.left = list(reversed(written))

    def cut(self, size: int) -> Tape:
        """Return the next bytes as a tape of their own: what they decide does not move when others are shrunk."""
        kept = max(len(self.left) - size, 0)
        cut, self.left = self.left[kept:], self.left[:kept]
        return Tape(bytes(reversed(cut)))

    def facts(self, most: int, size: int = FACT) -> list[Tape]:
        """Return a tape for each of a few facts."""
        number, block = self.below(most + 1), self.cut(most * size)
        return [block.cut(size) for _ in range(number)]

    def below(self, bound: int) -> int:
        """Return a number from 0 up to a bound."""
        read = [self.left.pop() if self.left else 0 for _ in range(1 if bound <= BYTE else 2)]
        return int.from_bytes(bytes(read)) % bound

    def of(self, choices: Sequence[Any]) -> Any:
        """Return one of several."""
        return choices[self.below(len(choices))]

    def once_in(self, times: int) -> bool:
        """Return true in one of so many cases."""
        return self.below(times) == times - 1

    def maybe(self, choices: Sequence[Any]) -> Any:
        """Return one of several, or nothing."""
        return self.of((None, *choices))

    def day(self) -> date:
        """Return a day, often one that is apt to go wrong."""
        if self.below(2):
            return _after(EARLIEST, self.below((LATEST - EARLIEST).days + 1))
        return self.of(NASTY_DAYS)

    def near(self, due: Sequence[date]) -> date:
        """Return a day near a due date, or any day."""
        return self.day() if not due or self.once_in(5) else _after(self.of(due), self.of(NEAR))

    def money(self, asked: Sequence[int]) -> int:
        """Return what was asked for, a little more or less, the half, the double, or any sum."""
        if self.once_in(4):
            return self.of(SUMS)
        whole = self.of(asked)
        return min(max(self.of((whole, whole, whole // 2, whole * 2, whole - 1, whole + 1)), 0), MOST_MONEY)

    def owed(self, scale: int = 1) -> Row:
        """Return what is due for principal, interest and costs."""
        return scale * self.of(PARTS), scale * self.of(PARTS), scale * self.of(PARTS)

    def recorded(self, happened: date) -> datetime:
        """Return the instant at which something was recorded."""
        return datetime.combine(_after(happened, self.of(LAGS)), self.of(INSTANTS), UTC)


@st.composite
def books(draw: st.DrawFn, most_loans: int = 5, only: Sequence[str] = NAMES) -> Tables:
    """Draw checked tables of a few loans; with `only` some of the tables, in which more can go wrong at once.

    They hold every table a feature may read, some left out, some empty: month ends and 29 February, part payments and
    overpayments, equal amounts and equal days, money of every payer, revised schedules, instalments of nothing,
    corrections of what was recorded before, rows recorded late and rows dated in the future, borrowers with several
    loans, cards and loans with a schedule. The currency is CNY.
    """
    loans = draw(st.lists(st.binary(min_size=LOAN, max_size=LOAN), min_size=1, max_size=most_loans))
    tape = Tape(draw(st.binary(min_size=REST, max_size=REST)))
    left_out, emptied = ([name for name in only if tape.once_in(16)] for _ in range(2))
    rows: dict[str, list[Row]] = {name: [] for name in only}
    for place, written in enumerate(loans):
        _add_loan(Tape(written), f"L{place}", f"B{place // 2}", rows)
    for place in range((len(loans) + 1) // 2):
        _add_borrower(tape, f"B{place}", rows)
    frames = {
        name: frame(name, [] if name in emptied and name != "loans" else found)
        for name, found in rows.items()
        if name == "loans" or name not in left_out
    }
    return Tables.checked(frames, where="generated")


@st.composite
def cohorts(draw: st.DrawFn, book: Tables, most: int = 6, zone: str = "UTC") -> pl.DataFrame:
    """Draw loans of a book with a day on which each was known; the same loan may come on several days."""
    first = book.loans.group_by("loan_id").agg(pl.col("recorded_at").min().dt.convert_time_zone(zone).dt.date())
    cases = draw(
        st.lists(st.tuples(st.sampled_from(first.sort("loan_id").rows()), observation_days), min_size=1, max_size=most)
    )
    known = [(loan, max(day, recorded_on)) for (loan, recorded_on), day in cases]
    return pl.DataFrame(known, schema={"loan_id": pl.String, "observed_on": pl.Date}, orient="row")


def shuffled(book: Tables, seed: int) -> Tables:
    """Return the same rows in another order."""
    return Tables(**{name: rows.sample(fraction=1, shuffle=True, seed=seed) for name, rows in book.items()})


def frame(name: str, rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows as a table's frame; of rows that stand for the same recording of the same fact, the last."""
    key = [list(TYPES[name]).index(column) for column in SCORED[name].primary_key()]
    once = {tuple(row[place] for place in key): row for row in rows}
    return pl.DataFrame(list(once.values()), schema=TYPES[name], orient="row")


def drawn(**drawings: str) -> Tables:
    """Return tables drawn by hand: the first line names columns, and `-` stands for empty.

    What is left out is filled in: the loans that are named, ids, the loan L1, its borrower B1, nothing due, recorded at
    noon of the day it happened, or long ago. Amounts are minor units.
    """
    rows = {
        name: [_filled(name, row, place) for place, row in enumerate(table(text))] for name, text in drawings.items()
    }
    if "loans" not in rows:
        named = {row["loan_id"] for found in rows.values() for row in found if "loan_id" in row} or {"L1"}
        rows["loans"] = [_filled("loans", {"loan_id": loan}, 0) for loan in sorted(named)]
    frames = {name: pl.DataFrame(found, schema=TYPES[name], orient="row") for name, found in rows.items()}
    return Tables.checked(frames, where="drawn tables")


def months_after(day: date, months: int, *, at_the_end: bool = False) -> date:
    """Return the same day so many months later, the month's last when it is shorter or when asked for."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    longest = monthrange(year, month + 1)[1]
    return date(year, month + 1, longest if at_the_end else min(day.day, longest))


def _add_loan(whole: Tape, loan: str, borrower: str, rows: dict[str, list[Row]]) -> None:
    tape = whole.cut(32)
    product = tape.of(("instalment", "revolving", "instalment"))
    crossed = tape.once_in(5)  # a card may have a schedule, and a loan statements
    begun = tape.recorded(tape.day()) if tape.once_in(5) else ALWAYS
    rows["loans"].append((loan, borrower, product, "CNY", *_terms(tape), begun))
    if tape.once_in(4):  # the terms are changed, sometimes with the one who owes it
        changed = begun + timedelta(days=1 + tape.below(900))
        owner = tape.of((borrower, borrower, "B0"))
        rows["loans"].append((loan, owner, product, "CNY", *_terms(tape), changed))
    scheduled: list[Row] = []
    if "instalments" in rows and (product == "instalment" or crossed or "statements" not in rows):
        scheduled = _schedules(whole.cut(160), loan)
        rows["instalments"] += scheduled
    due = sorted({row[3] for row in scheduled}) or NASTY_DAYS[3:6]
    asked = sorted({sum(row[4:7]) for row in scheduled}) or (100,)
    facts: dict[str, tuple[int, RowOf]] = {
        "statements": (
            8 if product == "revolving" or crossed or "instalments" not in rows else 0,
            lambda _, day, t: (loan, day, *_statement(t)),
        ),
        "payments": (9, lambda own, day, t: (own, loan, day, t.money(asked), t.of((*(None, "borrower") * 4, *PAYERS)))),
        "contacts": (
            4,
            lambda own, day, t: (own, loan, day, *map(t.of, (CONTACT_CHANNELS, CONTACT_DIRECTIONS, CONTACT_RESULTS))),
        ),
        "promises": (
            4,
            lambda own, day, t: (own, loan, day, _after(day, t.of((10, 30, 3, 1, 0))), max(t.money(asked), 1)),
        ),
        "debits": (3, lambda own, day, t: (own, loan, day, t.money(asked), t.of(DEBIT_RESULTS))),
        "events": (3, lambda own, day, t: (own, loan, t.of(EVENT_KINDS), day)),
        "security": (3, lambda own, day, t: (own, day, loan, t.of(SECURITY_KINDS), t.of(SUMS))),
    }
    for name, fact in facts.items():
        if name in rows:
            rows[name] += _told(whole, name, loan, lambda tape: tape.near(due), *fact)


def _add_borrower(tape: Tape, borrower: str, rows: dict[str, list[Row]]) -> None:
    facts: dict[str, tuple[int, RowOf]] = {
        "borrowers": (
            3,
            lambda _, day, t: (borrower, day, t.maybe(SUMS), t.maybe(SUMS), t.maybe(SUMS), t.maybe(EMPLOYMENT)),
        ),
        "transactions": (
            6,
            lambda own, day, t: (own, borrower, day, t.of(BALANCES), t.maybe(BALANCES), t.of(FLOW_KINDS)),
        ),
        "enquiries": (3, lambda own, day, t: (own, borrower, day, t.of(ENQUIRY_PURPOSES))),
    }
    for name, fact in facts.items():
        if name in rows:
            rows[name] += _told(tape, name, borrower, Tape.day, *fact)


def _told(block: Tape, name: str, whose: str, day_of: Callable[[Tape], date], most: int, row_of: RowOf) -> list[Row]:
    """Draw facts with the instants they were recorded; some happen on one day, some are corrected later.

    A correction may move the day, where the day does not tell which fact it is. A security is valued several times.
    """
    rows: list[Row] = []
    dated = SCORED[name].happened in SCORED[name].identity()
    number, day, recorded = 0, EARLIEST, ALWAYS
    for tape in block.facts(most):
        what = tape.below(8) if rows else 0
        if what == 7:
            recorded += timedelta(days=1 + tape.below(200))
            day = day if dated or tape.below(2) else day_of(tape)
        else:
            number = number if dated and what > 3 else number + 1
            day = day if what == 6 and not dated else day_of(tape)
            recorded = tape.recorded(day)
        rows.append((*row_of(f"{whose}-{number}", day, tape), recorded))
    return rows


def _terms(tape: Tape) -> Row:
    """Return limit, day of application, day of opening, amount and term."""
    return tape.maybe(SUMS), None, tape.maybe(NASTY_DAYS), tape.maybe(SUMS), tape.maybe((1, 7, 12, 36))


def _statement(tape: Tape) -> Row:
    months = tape.of((0, 0, 1, 2, 8))
    state = "overdue" if months else tape.of(("part_paid", "paid_in_full", "unused"))
    return tape.of(BALANCES), state, months


def _schedules(whole: Tape, loan: str) -> list[Row]:
    """Return a schedule and its revisions: loan, schedule, number, due date, principal, interest, costs, recorded."""
    tape = whole.cut(FACT)
    first, step = tape.day(), tape.of(("month", "month", "month end", "same day", "fortnight"))
    scale, revisions = tape.of((1, 1, 1, 10**7)), tape.of((0, 1, 0, 2))
    begun, usual = tape.recorded(tape.day()) if tape.once_in(5) else ALWAYS, whole.cut(3).owed(scale)
    plan: list[Row] = []
    for number, one in enumerate(whole.facts(8, size=4)):
        plan.append((_due(first, step, number), *(one.owed(scale) if one.once_in(2) else usual)))
    rows = _recorded(whole.cut(FACT), (loan, 0), plan, begun)
    for schedule in range(1, revisions + 1):
        tape = whole.cut(2 * FACT)
        plan = _revised(tape, plan, revised_on := tape.near([row[0] for row in plan]))
        rows += _recorded(whole.cut(FACT), (loan, schedule), plan, tape.recorded(revised_on))
    return rows


def _revised(tape: Tape, plan: list[Row], revised_on: date) -> list[Row]:
    """Move what is to come, or everything; sometimes for other amounts, for nothing, or without the first rows."""
    months, everything = tape.of((3, 1, 6, 0, -2)), tape.once_in(3)
    amounts = tape.of((None, None, tape.owed(), (0, 0, 0)))
    kept = plan[tape.below(len(plan) + 1) :] if tape.once_in(5) else plan
    return [
        (months_after(due, months) if everything or due >= revised_on else due, *(amounts or money))
        for due, *money in kept
    ]


def _recorded(tape: Tape, whose: Row, plan: list[Row], recorded: datetime) -> list[Row]:
    """Record a schedule, sometimes with an instalment that is corrected later."""
    rows = [(*whose, number, *row, recorded) for number, row in enumerate(plan, 1)]
    if plan and tape.once_in(3):
        number = tape.below(len(plan))
        due = _after(plan[number][0], tape.of((0, 0, 9)))
        rows.append((*whose, number + 1, due, *tape.owed(), recorded + timedelta(days=1 + tape.below(1500))))
    return rows


def _due(first: date, step: str, number: int) -> date:
    if step == "same day":
        return first
    if step == "fortnight":
        return _after(first, 14 * number)
    return months_after(first, number, at_the_end=step == "month end")


def _after(day: date, by: int) -> date:
    return day + timedelta(days=by)


def _filled(name: str, row: dict[str, str], place: int) -> dict[str, Any]:
    happened = SCORED[name].happened
    unsaid: dict[str, Any] = {
        **{column: f"{name}-{place}" for column, kind in TYPES[name].items() if kind == pl.String},
        "loan_id": "L1",
        "borrower_id": "B1",
        "product": "instalment",
        "currency": "CNY",
        "schedule": 0,
        "number": place + 1,
        **dict.fromkeys(COMPONENTS, 0),
        "recorded_at": ALWAYS if happened is None else noon(row[happened]),
    }
    return {
        column: _read(row[column], kind) if column in row else unsaid.get(column)
        for column, kind in TYPES[name].items()
    }


def _read(cell: str, kind: pl.DataType) -> Any:
    if cell == "-":
        return None
    if kind == pl.Date:
        return date.fromisoformat(cell)
    if isinstance(kind, pl.Datetime):
        return noon(cell)
    return int(cell) if kind.is_integer() else cell
