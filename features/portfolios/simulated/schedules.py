"""Which instalments each loan owes and when: as first agreed, extended, or restructured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.portfolios.simulated.chance import Floats, Ints
from features.portfolios.simulated.people import MONTHS_A_YEAR, Loans
from features.portfolios.simulated.world import World

NEVER = np.iinfo(np.int64).max // 4
"""Amount that no payment reaches: stands where a schedule has no instalment."""


@dataclass
class Schedules:
    """The schedule in force of each loan, one row per loan and one column per instalment.

    `charges` are interest and costs; `charges_to`, `principal_to` are their sums up to an instalment, itself included.
    """

    month: Ints
    principal: Ints
    interest: Ints
    costs: Ints
    count: Ints
    version: Ints
    charges_to: Ints
    principal_to: Ints

    def sum_up(self, rows: Ints) -> None:
        """Work out the sums of some loans anew."""
        there = np.arange(self.month.shape[1]) < self.count[rows, None]
        charges = np.cumsum(self.interest[rows] + self.costs[rows], axis=1)
        self.charges_to[rows] = np.where(there, charges, NEVER)
        self.principal_to[rows] = np.where(there, np.cumsum(self.principal[rows], axis=1), NEVER)

    def before(self, sums: Ints, rows: Ints, at: Ints) -> Ints:
        """Return the sums up to an instalment, itself not included."""
        return np.where(at > 0, sums[rows, np.maximum(at - 1, 0)], 0)

    def extend(self, rows: Ints, first_unpaid: Ints, months: Ints) -> None:
        """Let the first unpaid instalment fall due in a later month, and all that follow as much later."""
        later = months - self.month[rows, first_unpaid]
        unpaid = np.arange(self.month.shape[1]) >= first_unpaid[:, None]
        self.month[rows] += np.where(unpaid, later[:, None], 0)
        self.version[rows] += 1

    def restructure(
        self, rows: Ints, first_unpaid: Ints, *, months: Ints, more: Ints, rate: Floats, owed_charges: Ints, fee: int
    ) -> None:
        """Spread the unpaid principal over more instalments; unpaid charges and a fee come with the first of them."""
        first = first_unpaid[:, None]
        column = np.arange(self.month.shape[1])
        left = self.principal[rows].sum(axis=1) - self.before(self.principal_to, rows, first_unpaid)
        count = np.minimum(self.count[rows] - first_unpaid + more, len(column) - first_unpaid)
        principal, interest = annuity(left, count, rate, len(column))
        to = np.maximum(column - first, 0)
        new = (column >= first) & (column < first + count[:, None])
        old = column < first
        for table, values in ((self.principal, principal), (self.interest, interest)):
            moved = np.where(new, np.take_along_axis(values, to, axis=1), 0)
            table[rows] = np.where(old, table[rows], moved)
        self.costs[rows] = np.where(old, self.costs[rows], 0)
        self.interest[rows, first_unpaid] += owed_charges
        self.costs[rows, first_unpaid] += fee
        self.month[rows] = np.where(old, self.month[rows], months[:, None] + to)
        self.count[rows] = first_unpaid + count
        self.version[rows] += 1
        self.sum_up(rows)


def first_schedules(loans: Loans, world: World) -> Schedules:
    """Return the schedules as first agreed: equal instalments, a month apart."""
    longest = max(world.contract.terms) + world.relief.restructured_more_months[1]
    principal, interest = annuity(loans.amount, loans.term, loans.rate, longest)
    empty = np.zeros_like(principal)
    found = Schedules(
        month=loans.first_due_month[:, None] + np.arange(longest),
        principal=principal,
        interest=interest,
        costs=empty.copy(),
        count=loans.term.copy(),
        version=np.zeros(len(loans), dtype=np.int64),
        charges_to=empty.copy(),
        principal_to=empty.copy(),
    )
    found.sum_up(np.arange(len(loans)))
    return found


def annuity(amount: Ints, count: Ints, rate: Floats, columns: int) -> tuple[Ints, Ints]:
    """Return the principal and interest of equal instalments; the last one takes what rounding left.

    Interest is the balance times a twelfth of the rate, rounded to a minor unit.
    """
    a_month = rate / MONTHS_A_YEAR
    equal = np.rint(amount * a_month / (1 - (1 + a_month) ** -count.astype(np.float64))).astype(np.int64)
    principal, interest = np.zeros((2, len(amount), columns), dtype=np.int64)
    balance = amount.copy()
    for column in range(columns):
        interest[:, column] = np.rint(balance * a_month)
        part = np.where(column < count - 1, np.minimum(equal - interest[:, column], balance), balance)
        principal[:, column] = part
        balance -= part
    return principal, interest
