"""What becomes of arrears that do not go away: a pause, a new schedule, a dispute, the court, the write-off."""

from __future__ import annotations

import numpy as np

from features.portfolios.simulated.book import Month
from features.portfolios.simulated.chance import Bools, Ints, between, happens
from features.schemas import PAYERS

WRITTEN_OFF = PAYERS.index("write_off")


def end_month(month: Month) -> None:
    """Let the lender act on what is overdue at the end of the month, and close what is settled."""
    at = np.flatnonzero(month.owed > 0)
    last = month.day[at] + month.book.world.policy.month_days
    overdue = month.days_past_due(at, last)
    _sue(month, at, overdue, last)
    leaves = _write_off(month, at, overdue, last)
    _revise(month, at[~leaves], overdue[~leaves], last[~leaves])
    book = month.book
    settled = (book.fallen_due[month.loans] == book.schedules.count[month.loans]) & (month.owed == 0)
    book.gone[month.loans] |= settled


def dispute(month: Month) -> None:
    """Let some overdue borrowers dispute the debt, before the lender looks at it."""
    told, book = month.book.world.contact, month.book
    at = np.flatnonzero(month.owed > 0)
    loans, day = month.loans[at], month.day[at] + between(book.dice, (1, book.world.policy.looks[0] - 1), len(at))
    starts = happens(book.dice, told.dispute_chance, len(at)) & (book.disputed_until[loans] == 0)
    until = day + between(book.dice, told.dispute_days, len(at))
    book.disputed_until[loans[starts]] = until[starts]
    book.write_event("dispute", loans[starts], day[starts], day[starts])
    book.write_event("dispute_ended", loans[starts], until[starts], until[starts])


def _sue(month: Month, at: Ints, overdue: Ints, last: Ints) -> None:
    told, book, loans = month.book.world.relief, month.book, month.loans[at]
    sues = (overdue >= told.legal_from_days) & ~book.legal[loans] & happens(book.dice, told.legal_chance, len(at))
    book.legal[loans[sues]] = True
    book.write_event("legal_action", loans[sues], last[sues], last[sues])


def _write_off(month: Month, at: Ints, overdue: Ints, last: Ints) -> Bools:
    """Write off or sell what is overdue too long; return which loans leave the book."""
    told, book, loans = month.book.world.relief, month.book, month.loans[at]
    leaves: Bools = overdue >= told.written_off_after_days
    sold = leaves & happens(book.dice, told.sold_share, len(at))
    off = leaves & ~sold
    book.write_event("sold", loans[sold], last[sold], last[sold])
    book.write_event("written_off", loans[off], last[off], last[off])
    amount = book.still_to_pay(loans[off])
    book.records.add("payments", loans[off], day=last[off], amount=amount, payer=WRITTEN_OFF)
    book.gone[loans[leaves]] = True
    return leaves


def _revise(month: Month, at: Ints, overdue: Ints, last: Ints) -> None:
    """Extend or restructure some loans, those in known hardship above all; each once."""
    told, book, dice = month.book.world.relief, month.book, month.book.dice
    known = book.shock_known[month.borrower[at]] <= last
    chance = np.where(known, told.chance, told.chance_without_hardship)
    fits = (overdue >= told.from_days) & (overdue <= told.to_days) & (book.schedules.version[month.loans[at]] == 0)
    fits &= ~book.dead[month.borrower[at]] & happens(dice, chance, len(at))
    extends = fits & happens(dice, told.extended_share, len(at))
    _extend(month, at[extends], last[extends])
    restructures = fits & ~extends
    _restructure(month, at[restructures], last[restructures])


def _extend(month: Month, at: Ints, day: Ints) -> None:
    told, book, loans = month.book.world.relief, month.book, month.loans[at]
    first = book.first_unpaid(loans)
    months = month.number + between(book.dice, told.extended_months, len(at))
    book.schedules.extend(loans, first, months)
    _begin_again(month, at, first, day, "extended")


def _restructure(month: Month, at: Ints, day: Ints) -> None:
    told, book, loans = month.book.world.relief, month.book, month.loans[at]
    first = book.first_unpaid(loans)
    book.schedules.restructure(
        loans,
        first,
        months=np.full(len(at), month.number + told.restructured_after_months),
        more=between(book.dice, told.restructured_more_months, len(at)),
        rate=book.loans.rate[loans] * told.restructured_rate,
        owed_charges=book.charges_due[loans] - book.schedules.before(book.schedules.charges_to, loans, first),
        fee=told.restructured_fee,
    )
    _begin_again(month, at, first, day, "restructured")


def _begin_again(month: Month, at: Ints, first: Ints, day: Ints, kind: str) -> None:
    """Let the revised schedule hold: nothing of it is due yet, and what was paid meets it."""
    book, loans = month.book, month.loans[at]
    book.fallen_due[loans] = first
    book.charges_due[loans] = book.schedules.before(book.schedules.charges_to, loans, first)
    book.principal_due[loans] = book.schedules.before(book.schedules.principal_to, loans, first)
    book.meet_anew(loans)
    month.owed[at] = 0
    book.write_schedule(loans, day)
    book.write_event(kind, loans, day, day)
