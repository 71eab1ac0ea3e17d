"""Where each loan and borrower of a chunk stands while the months go by: what is owed, paid, and known.

The order in which a payment meets what is due is the lawful one of `features.delinquency`: all charges that are due,
then principal, oldest first. Days past due are therefore those that the ledger finds in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.portfolios.simulated.chance import Bools, Dice, Floats, Ints
from features.portfolios.simulated.days import Months, months_of
from features.portfolios.simulated.people import Borrowers, Loans
from features.portfolios.simulated.records import Records
from features.portfolios.simulated.schedules import Schedules, first_schedules
from features.portfolios.simulated.world import World
from features.schemas import EVENT_KINDS, PAYERS

FAR = 10**6
"""A day beyond every calendar: not yet."""
BUCKET_DAYS = 30
OWN = PAYERS.index("borrower")
WELL, OUT_OF_WORK, ILL = 0, 1, 2


@dataclass
class Book:
    """All loans and borrowers of a chunk, as they stand; arrays of loans first, then arrays of borrowers."""

    world: World
    dice: Dice
    months: Months
    borrowers: Borrowers
    loans: Loans
    schedules: Schedules
    records: Records

    fallen_due: Ints
    charges_due: Ints
    principal_due: Ints
    charges_paid: Ints
    principal_paid: Ints
    gone: Bools
    mandate: Bools
    debit_tries_left: Ints
    account_closed: Bools
    promises_broken: Ints
    disputed_until: Ints
    legal: Bools

    savings: Floats
    shock: Ints
    shock_known: Ints
    dead: Bools
    number_dead: Bools
    months_in_hardship: Ints

    def first_unpaid(self, loans: Ints) -> Ints:
        """Return the column of the first instalment that is not settled."""
        charges = (self.schedules.charges_to[loans] <= self.charges_paid[loans, None]).sum(axis=1)
        principal = (self.schedules.principal_to[loans] <= self.principal_paid[loans, None]).sum(axis=1)
        found: Ints = np.minimum(charges, principal)
        return found

    def owed(self, loans: Ints) -> Ints:
        """Return what is due and not paid."""
        charges = np.maximum(self.charges_due[loans] - self.charges_paid[loans], 0)
        principal = np.maximum(self.principal_due[loans] - self.principal_paid[loans], 0)
        found: Ints = charges + principal
        return found

    def still_to_pay(self, loans: Ints) -> Ints:
        """Return all that is left of the schedule, due or not."""
        last = self.schedules.count[loans] - 1
        charges = self.schedules.charges_to[loans, last] - self.charges_paid[loans]
        principal = self.schedules.principal_to[loans, last] - self.principal_paid[loans]
        found: Ints = charges + principal
        return found

    def meet_anew(self, loans: Ints) -> None:
        """Let all money received so far meet a revised schedule: whole instalments, then charges first."""
        told = self.schedules
        money = self.charges_paid[loans] + self.principal_paid[loans]
        whole = ((told.charges_to[loans] + told.principal_to[loans]) <= money[:, None]).sum(axis=1)
        charges, principal = (told.before(sums, loans, whole) for sums in (told.charges_to, told.principal_to))
        rest = money - charges - principal
        next_one = np.minimum(whole, told.count[loans] - 1)
        to_charges = np.minimum(rest, told.interest[loans, next_one] + told.costs[loans, next_one])
        self.charges_paid[loans] = charges + to_charges
        self.principal_paid[loans] = principal + rest - to_charges

    def write_schedule(self, loans: Ints, recorded: Ints) -> None:
        """Write down the schedules in force of some loans."""
        told = self.schedules
        row, column = np.nonzero(np.arange(told.month.shape[1]) < told.count[loans, None])
        which = loans[row]
        due = self.months.days(told.month[which, column], self.borrowers.due_day[self.loans.borrower[which]])
        self.records.add(
            "instalments",
            which,
            schedule=told.version[which],
            number=column + 1,
            due=due,
            principal=told.principal[which, column],
            interest=told.interest[which, column],
            costs=told.costs[which, column],
            recorded=recorded[row],
        )

    def write_event(self, kind: str, loans: Ints, happened: Ints, recorded: Ints) -> None:
        """Write down an event of some loans."""
        self.records.add("events", loans, kind=EVENT_KINDS.index(kind), day=happened, recorded=recorded)


def opened_book(dice: Dice, borrowers: Borrowers, loans: Loans, world: World) -> Book:
    """Return the book before the first month, the first schedules written down."""
    size, people = len(loans), len(borrowers)
    amounts, counts = np.zeros((4, size), dtype=np.int64), np.zeros((4, size), dtype=np.int64)
    book = Book(
        world=world,
        dice=dice,
        months=months_of(world),
        borrowers=borrowers,
        loans=loans,
        schedules=first_schedules(loans, world),
        records=Records(),
        fallen_due=counts[0],
        charges_due=amounts[0],
        principal_due=amounts[1],
        charges_paid=amounts[2],
        principal_paid=amounts[3],
        gone=np.zeros(size, dtype=np.bool_),
        mandate=loans.mandate.copy(),
        debit_tries_left=counts[1],
        account_closed=np.zeros(size, dtype=np.bool_),
        promises_broken=counts[2],
        disputed_until=counts[3],
        legal=np.zeros(size, dtype=np.bool_),
        savings=borrowers.savings.copy(),
        shock=np.full(people, WELL, dtype=np.int64),
        shock_known=np.full(people, FAR, dtype=np.int64),
        dead=np.zeros(people, dtype=np.bool_),
        number_dead=np.zeros(people, dtype=np.bool_),
        months_in_hardship=np.zeros(people, dtype=np.int64),
    )
    book.write_schedule(np.arange(size), loans.opened)
    return book


@dataclass
class Month:
    """The loans that run in one month, which for each lasts from its due day to the day before the next one.

    `loans` are positions in the book; all other arrays have one value for each of them. `who` are the borrowers, each
    once, and `place` is where a loan's borrower stands among them.
    """

    book: Book
    number: int
    loans: Ints
    who: Ints
    place: Ints
    day: Ints
    arrears_days: Ints
    owed: Ints
    cash: Ints
    cash_to_come: Ints
    effect: Floats

    @property
    def borrower(self) -> Ints:
        """The borrower of each loan."""
        return self.who[self.place]

    @property
    def willingness(self) -> Floats:
        """The willingness of each loan's borrower."""
        return self.book.borrowers.willingness[self.borrower]

    @cached_property
    def buckets(self) -> Ints:
        """How many times 30 days each loan was past due when the month began; no more than make a difference."""
        return np.minimum(self.arrears_days // BUCKET_DAYS, self.book.world.habit.most_buckets)

    @property
    def ready(self) -> Ints:
        """The borrower's money that is there now."""
        return self.cash - self.cash_to_come

    @property
    def stress(self) -> float:
        """How hard the times are."""
        return float(self.book.months.stress[self.number])

    def day_of(self, who: Ints) -> Ints:
        """Return the due day of some borrowers in this month."""
        return self.book.months.days(np.full(len(who), self.number), self.book.borrowers.due_day[who])

    def days_past_due(self, at: Ints, days: Ints) -> Ints:
        """Return how long some overdue loans are overdue on a day each."""
        loans = self.loans[at]
        month = self.book.schedules.month[loans, self.book.first_unpaid(loans)]
        due = self.book.months.days(month, self.book.borrowers.due_day[self.borrower[at]])
        found: Ints = np.maximum(days - due, 0)
        return found

    def pay(self, at: Ints, days: Ints, amounts: Ints, payer: int = OWN) -> None:
        """Let some loans be paid; no more than is owed, and no more than is there when the money is the borrower's."""
        book, loans = self.book, self.loans[at]
        charges = np.minimum(amounts, np.maximum(book.charges_due[loans] - book.charges_paid[loans], 0))
        book.charges_paid[loans] += charges
        book.principal_paid[loans] += amounts - charges
        self.owed[at] -= amounts
        if payer == OWN:
            self.cash[at] -= amounts
            np.subtract.at(book.savings, self.borrower[at], amounts)
        book.records.add("payments", loans, day=days, amount=amounts, payer=payer)


def begun_month(book: Book, number: int) -> Month:
    """Return the loans that run in a month, the instalments that fall due in it added to what is owed."""
    loans = np.flatnonzero((book.loans.first_due_month <= number) & ~book.gone)
    who, place = np.unique(book.loans.borrower[loans], return_inverse=True)
    day = book.months.days(np.full(len(loans), number), book.borrowers.due_day[who[place]])
    arrears_days = np.zeros(len(loans), dtype=np.int64)
    month = Month(
        book=book,
        number=number,
        loans=loans,
        who=who,
        place=place.astype(np.int64),
        day=day,
        arrears_days=arrears_days,
        owed=book.owed(loans),
        cash=np.zeros(len(loans), dtype=np.int64),
        cash_to_come=np.zeros(len(loans), dtype=np.int64),
        effect=np.zeros(len(loans)),
    )
    behind = np.flatnonzero(month.owed > 0)
    arrears_days[behind] = month.days_past_due(behind, day[behind])
    _fall_due(book, number, loans)
    month.owed = book.owed(loans)
    return month


def _fall_due(book: Book, number: int, loans: Ints) -> None:
    told = book.schedules
    at = np.minimum(book.fallen_due[loans], told.count[loans] - 1)
    falls = (book.fallen_due[loans] < told.count[loans]) & (told.month[loans, at] == number)
    which, at = loans[falls], at[falls]
    book.charges_due[which] = told.charges_to[which, at]
    book.principal_due[which] = told.principal_to[which, at]
    book.fallen_due[which] += 1
