"""What was known of one loan on a day, and its ledgers, worked out a second time: slowly, row by row, in plain Python.

Written from the docstrings of `features`, not from their expressions. Slow features can be built on `Told`: it has the
known rows of every table, and the ledgers with the same columns as the fast ones.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from features.delinquency import LAWFUL, Allocation
from features.tables import Tables

Row = dict[str, Any]
Book = Mapping[str, list[Row]]

DAY = timedelta(days=1)
MONTHS_BACK = 12
WINDOWS = (1, 3, 6, 12)
GRACE = timedelta(days=3)

TABLES: Mapping[str, tuple[str, str | None, tuple[str, ...]]] = {
    "loans": ("loan_id", None, ("loan_id",)),
    "instalments": ("loan_id", None, ("loan_id", "schedule", "number")),
    "statements": ("loan_id", "statement_on", ("loan_id", "statement_on")),
    "payments": ("loan_id", "paid_on", ("payment_id",)),
    "borrowers": ("borrower_id", "stated_on", ("borrower_id", "stated_on")),
    "contacts": ("loan_id", "contacted_on", ("contact_id",)),
    "promises": ("loan_id", "promised_on", ("promise_id",)),
    "debits": ("loan_id", "tried_on", ("debit_id",)),
    "transactions": ("borrower_id", "booked_on", ("transaction_id",)),
    "enquiries": ("borrower_id", "enquired_on", ("enquiry_id",)),
    "events": ("loan_id", "happened_on", ("event_id",)),
    "security": ("loan_id", "valued_on", ("security_id", "valued_on")),
}
"""Whose row it is, when it happened, and what two recordings of one fact share."""


# Days and windows


def end_of(day: date, zone: str = "UTC") -> datetime:
    """Return the instant at which a day ends in a zone."""
    return datetime.combine(day + DAY, time(0), ZoneInfo(zone))


def months_before(day: date, months: int) -> date:
    """Return the same day so many months before; a month's last day goes back to a month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    longest = monthrange(year, month + 1)[1]
    is_last = day.day == monthrange(day.year, day.month)[1]
    return date(year, month + 1, longest if is_last else min(day.day, longest))


def within(day: date, observed_on: date, months: int) -> bool:
    """Return whether a day lies in the months that end with the observation date."""
    return months_before(observed_on, months) < day <= observed_on


def windows(day: date, observed_on: date) -> dict[str, bool]:
    """Return the marks of the windows that a day lies in."""
    return {f"within_{months}m": within(day, observed_on, months) for months in WINDOWS}


# What was known


def written(rows: Iterable[Row]) -> list[dict[str, str]]:
    """Return rows as a table drawn by hand has them: `-` for nothing, yes and no."""
    words = {None: "-", True: "yes", False: "no"}
    return [
        {name: words[cell] if cell is None or isinstance(cell, bool) else str(cell) for name, cell in row.items()}
        for row in rows
    ]


def plain(tables: Tables) -> Book:
    """Return the rows of the tables that were sent."""
    return {name: frame.rows(named=True) for name, frame in tables.items()}


@dataclass(frozen=True)
class Told:
    """What was known of one loan at the end of a day: the only thing slow features should look at.

    `rows` has the known rows of each table that was sent, oldest first; `recordings` what they were chosen from, rows
    that were corrected later and rows dated in the future included.
    """

    loan_id: str
    observed_on: date
    rows: Book
    recordings: Book
    zone: str = "UTC"
    allocation: Allocation = LAWFUL

    @property
    def loan(self) -> Row:
        """The loan's own row."""
        return self.rows["loans"][0]

    def of(self, table: str) -> list[Row] | None:
        """Return a table's rows; None when it was not sent."""
        return self.rows.get(table)

    @cached_property
    def schedules(self) -> list[Schedule]:
        """Every known schedule, the first one first."""
        numbers = sorted({row["schedule"] for row in self.rows.get("instalments", [])})
        return [Schedule.of(self, number) for number in numbers]

    @cached_property
    def ledger(self) -> list[Instalment] | None:
        """The delinquency ledger of all schedules; None when no instalments were sent."""
        if self.of("instalments") is None:
            return None
        return [instalment for schedule in self.schedules for instalment in schedule.instalments]

    @cached_property
    def instalments(self) -> list[Instalment] | None:
        """The instalments of the schedule in force."""
        return None if self.ledger is None else [row for row in self.ledger if row.current]

    @cached_property
    def month_ends(self) -> list[MonthEnd] | None:
        """Days past due now and on the same day of each of the 12 months before, the oldest first."""
        return None if self.of("instalments") is None else _month_ends(self)

    @cached_property
    def spells(self) -> list[Spell] | None:
        """The spells of delinquency by the schedule in force."""
        return None if self.instalments is None else _spells(self.instalments, self.observed_on)

    @cached_property
    def promises(self) -> list[Row] | None:
        """The promises that can be judged, each `kept` or not; None when promises or payments were not sent."""
        promises, payments = self.of("promises"), self.of("payments")
        return None if promises is None or payments is None else _judged(promises, payments, self.observed_on)

    @cached_property
    def statements(self) -> list[Statement] | None:
        """The statement ledger; None when no statements were sent."""
        return None if self.of("statements") is None else _statements(self)


def told(book: Book, loan_id: str, day: date, *, zone: str = "UTC", allocation: Allocation = LAWFUL) -> Told:
    """Return what was known of one loan at the end of a day."""
    loans = _recorded(book["loans"], "loan_id", loan_id, end_of(day, zone))
    loan = max(loans, key=lambda row: row["recorded_at"])
    rows: dict[str, list[Row]] = {}
    recordings: dict[str, list[Row]] = {}
    for name, sent in book.items():
        about, happened, identity = TABLES[name]
        recordings[name] = _recorded(sent, about, loan[about], end_of(day, zone))
        latest: dict[Any, Row] = {}
        for row in sorted(recordings[name], key=lambda row: row["recorded_at"]):
            latest[tuple(row[column] for column in identity)] = row
        known = [row for row in latest.values() if happened is None or row[happened] <= day]
        order = ([happened] if happened else []) + list(identity)
        rows[name] = sorted(known, key=lambda row: tuple(row[column] for column in order))
    return Told(loan_id, day, rows, recordings, zone, allocation)


def _recorded(rows: Iterable[Row], about: str, whose: str, end: datetime) -> list[Row]:
    return [row for row in rows if row[about] == whose and row["recorded_at"] < end]


def is_own(payment: Row) -> bool:
    """Return whether a payment is the borrower's own money."""
    return payment["payer"] in (None, "borrower")


def is_money(payment: Row) -> bool:
    """Return whether a payment is money at all: a write-off is not."""
    return payment["payer"] != "write_off"


# When instalments were paid


@dataclass
class Instalment:
    """One instalment; with payments unknown, what would depend on them is None."""

    observed_on: date
    schedule: int
    number: int
    due_on: date
    principal: int
    amount: int
    due: bool
    current: bool
    original: bool
    ago: int | None
    paid: int | None = None
    own_paid: int | None = None
    settled_on: date | None = None
    overdue: bool | None = None
    days_late: int | None = None
    own: bool | None = None

    @property
    def unpaid(self) -> int | None:
        return None if self.paid is None else self.amount - self.paid

    @property
    def late(self) -> bool | None:
        return None if self.days_late is None else self.days_late > 0

    def columns(self) -> Row:
        """Return the row under the names of the fast ledger's columns."""
        told = {"unpaid": self.unpaid, "late": self.late, **windows(self.due_on, self.observed_on)}
        return vars(self) | told


@dataclass
class Money:
    """How far payments up to a day have met the instalments of one schedule, in the order of their due dates."""

    left: list[dict[str, int]]
    due_on: list[date]
    paid: list[int]
    own_paid: list[int]
    settled_on: list[date | None]
    held: int = 0
    """Received, and nothing to meet with it."""

    @classmethod
    def met(cls, rows: Sequence[Row], payments: Iterable[Row], allocation: Allocation, until: date) -> Money:
        """Let the payments up to a day meet instalments, one payment after another, own money first on each day."""
        nothing = [0 for _ in rows]
        money = cls(
            [{part: row[part] for part in allocation.order} for row in rows],
            [row["due_on"] for row in rows],
            list(nothing),
            list(nothing),
            [None for _ in rows],
        )
        arrived = [payment for payment in payments if is_money(payment) and payment["paid_on"] <= until]
        for payment in sorted(arrived, key=lambda payment: (payment["paid_on"], not is_own(payment))):
            money._meet(payment, allocation)
        return money

    def _meet(self, payment: Row, allocation: Allocation) -> None:
        purse, day = payment["amount"], payment["paid_on"]
        for place, part in self._queue(day, allocation):
            coin = min(purse, self.left[place][part])
            purse -= coin
            self.left[place][part] -= coin
            self.paid[place] += coin
            self.own_paid[place] += coin if is_own(payment) else 0
            if coin and not any(self.left[place].values()):
                self.settled_on[place] = day
        self.held += purse

    def _queue(self, day: date, allocation: Allocation) -> list[tuple[int, str]]:
        """Return what a payment of a day meets, first to last: what is due, and then what is to come."""
        due = [place for place, on in enumerate(self.due_on) if on <= day]
        to_come = [place for place, on in enumerate(self.due_on) if on > day]
        if allocation.across_instalments:
            queue = [(place, part) for part in allocation.order for place in due]
        else:
            queue = [(place, part) for place in due for part in allocation.order]
        return queue + [(place, part) for place in to_come for part in allocation.order]

    def days_past_due(self, day: date) -> int:
        """Return the days from the oldest due date that is not paid whole to a day; 0 when nothing is overdue."""
        unpaid = [on for on, left in zip(self.due_on, self.left, strict=True) if any(left.values())]
        return max(0, (day - min(unpaid)).days) if unpaid else 0


@dataclass
class Schedule:
    """One schedule: `rows` are its instalments of more than nothing, by due date."""

    number: int
    in_force_on: date
    rows: list[Row]
    payments: list[Row] | None
    allocation: Allocation
    instalments: list[Instalment] = field(default_factory=list)

    @classmethod
    def of(cls, told: Told, number: int) -> Schedule:
        """Return a known schedule with its instalments met by the payments."""
        listed = [row for row in told.rows["instalments"] if row["schedule"] == number]
        rows = [row for row in listed if row["principal"] + row["interest"] + row["costs"] > 0]
        recorded = [row["recorded_at"] for row in told.recordings["instalments"] if row["schedule"] == number]
        schedule = cls(
            number,
            min(recorded).astimezone(ZoneInfo(told.zone)).date(),
            sorted(rows, key=lambda row: (row["due_on"], row["number"])),
            told.of("payments"),
            told.allocation,
        )
        latest = max(row["schedule"] for row in told.rows["instalments"])
        schedule.instalments = schedule._met(told.observed_on, current=number == latest)
        return schedule

    def begun(self, day: date) -> bool:
        """Return whether something of it had fallen due by a day."""
        return any(row["due_on"] <= day for row in self.rows)

    def money(self, until: date) -> Money:
        """Return how far the payments up to a day have met it."""
        return Money.met(self.rows, self.payments or [], self.allocation, until)

    def days_past_due(self, day: date) -> int | None:
        """Return how long the loan stood overdue on a day by this schedule; None when payments are not known."""
        return None if self.payments is None else self.money(day).days_past_due(day)

    def _met(self, observed_on: date, *, current: bool) -> list[Instalment]:
        money = self.money(observed_on)
        due = [row["due_on"] <= observed_on for row in self.rows]
        found: list[Instalment] = []
        for place, row in enumerate(self.rows):
            instalment = Instalment(
                observed_on=observed_on,
                schedule=self.number,
                number=row["number"],
                due_on=row["due_on"],
                principal=row["principal"],
                amount=row["principal"] + row["interest"] + row["costs"],
                due=due[place],
                current=current,
                original=self.number == 0,
                ago=sum(due[place + 1 :]) if due[place] else None,
            )
            if self.payments is not None:
                settled_on = money.settled_on[place]
                instalment.paid, instalment.own_paid = money.paid[place], money.own_paid[place]
                instalment.settled_on = settled_on
                instalment.overdue = settled_on is None and row["due_on"] < observed_on
                instalment.own = settled_on is not None and instalment.own_paid == instalment.amount
                if settled_on is not None or due[place]:
                    instalment.days_late = ((settled_on or observed_on) - row["due_on"]).days
            found.append(instalment)
        return found


@dataclass(frozen=True)
class MonthEnd:
    """How long the loan stood overdue on a day, by the schedule in force on it and by the first one."""

    observed_on: date
    months_ago: int
    day: date
    days_past_due: int | None
    days_past_due_original: int | None
    roll: int | None

    def columns(self) -> Row:
        """Return the row under the names of the fast ledger's columns."""
        return vars(self) | windows(self.day, self.observed_on)


def _bucket(days: int) -> int:
    return 0 if days == 0 else 1 + (days - 1) // 30


def _month_ends(told: Told) -> list[MonthEnd]:
    first = next((schedule for schedule in told.schedules if schedule.number == 0), None)
    found: list[MonthEnd] = []
    for months in range(MONTHS_BACK, -1, -1):
        day = months_before(told.observed_on, months)
        so_far = [schedule for schedule in told.schedules if schedule.number == 0 or schedule.in_force_on <= day]
        if any(schedule.begun(day) for schedule in so_far):
            original = None if first is None else first.days_past_due(day)
            days = so_far[-1].days_past_due(day)
            before = found[-1].days_past_due if found else None
            roll = None if days is None or before is None else _bucket(days) - _bucket(before)
            found.append(MonthEnd(told.observed_on, months, day, days, original, roll))
    return found


@dataclass(frozen=True)
class Spell:
    """A time during which something was overdue."""

    observed_on: date
    began_on: date
    ended_on: date | None
    days: int
    count: int
    cured: bool

    def columns(self) -> Row:
        """Return the row under the names of the fast ledger's columns."""
        return dict(vars(self))


def _spells(instalments: Sequence[Instalment], observed_on: date) -> list[Spell]:
    """Walk from day to day: a spell lasts until a day at whose end nothing is overdue."""
    late = [row for row in instalments if row.due and row.late]
    found: list[Spell] = []
    spell: list[Instalment] = []
    day = min((row.due_on for row in late), default=observed_on)
    while day <= observed_on:
        spell += [row for row in late if row.due_on + DAY == day]
        overdue = [row for row in spell if row.settled_on is None or row.settled_on > day]
        if spell and (not overdue or day == observed_on):
            began_on = min(row.due_on for row in spell)
            cured = not overdue and all(row.own for row in spell)
            ended_on = None if overdue else day
            most = max((row.settled_on or observed_on) - row.due_on for row in spell).days
            found.append(Spell(observed_on, began_on, ended_on, most, len(spell), cured))
            spell = []
        day += DAY
    return found


# Promises


def _judged(promises: Iterable[Row], payments: Sequence[Row], observed_on: date) -> list[Row]:
    """Return the promises whose three days of grace are over, oldest first.

    Kept: at least 95 in 100 of the amount came, of the borrower's own money, from the promise to the end of the grace.
    """
    found: list[Row] = []
    for promise in sorted(promises, key=lambda row: (row["due_on"], row["promised_on"], row["promise_id"])):
        last_day = promise["due_on"] + GRACE
        if last_day > observed_on:
            continue
        came = sum(
            payment["amount"]
            for payment in payments
            if is_own(payment) and promise["promised_on"] <= payment["paid_on"] <= last_day
        )
        kept = 100 * came >= 95 * promise["amount"]
        found.append({**promise, "kept": kept, **windows(promise["due_on"], observed_on)})
    return found


# Statements


@dataclass
class Statement:
    """One statement of an account; what depends on payments is None when these were not sent."""

    statement_on: date
    balance: int
    months_overdue: int
    credit_limit: int | None
    owed: int
    due: int | None
    paid: int | None
    received: int | None
    shortfall: int | None
    spent: int | None
    asked: bool | None
    ago: int
    late: bool
    unused: bool
    paid_in_full: bool
    observed_on: date

    def columns(self) -> Row:
        """Return the row under the names of the fast ledger's columns."""
        row = vars(self) | windows(self.statement_on, self.observed_on)
        del row["observed_on"]
        return row


def _statements(told: Told) -> list[Statement]:
    rows, payments = told.rows["statements"], told.of("payments")
    found: list[Statement] = []
    for place, row in enumerate(rows):
        before = rows[place - 1] if place else None
        after = before["statement_on"] if before else months_before(row["statement_on"], 1)
        due = max(before["balance"], 0) if before else None
        paid = received = shortfall = spent = None
        if payments is not None:
            cycle = [payment for payment in payments if after < payment["paid_on"] <= row["statement_on"]]
            paid = sum(payment["amount"] for payment in cycle if is_own(payment))
            received = sum(payment["amount"] for payment in cycle if is_money(payment))
            if before is not None and due is not None:
                shortfall, spent = max(due - received, 0), row["balance"] - before["balance"] + received
        found.append(
            Statement(
                statement_on=row["statement_on"],
                balance=row["balance"],
                months_overdue=row["months_overdue"],
                credit_limit=told.loan["credit_limit"],
                owed=max(row["balance"], 0),
                due=due,
                paid=paid,
                received=received,
                shortfall=shortfall,
                spent=spent,
                asked=None if due is None else due > 0,
                ago=len(rows) - 1 - place,
                late=row["state"] == "overdue",
                unused=row["state"] == "unused",
                paid_in_full=row["state"] == "paid_in_full",
                observed_on=told.observed_on,
            )
        )
    return found
