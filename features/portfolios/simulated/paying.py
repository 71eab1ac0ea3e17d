"""How the loans of a month are paid: by debit, by hand on time, late, in part, or by somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.portfolios.simulated.book import Month
from features.portfolios.simulated.chance import (
    Bools,
    Floats,
    Ints,
    between,
    between_shares,
    grown,
    happens,
    of_log_odds,
    one_of,
    whole,
)
from features.schemas import DEBIT_RESULTS, PAYERS

PAID, EMPTY, REVOKED, CLOSED, TECHNICAL = (
    DEBIT_RESULTS.index(name)
    for name in ("paid", "insufficient_funds", "mandate_revoked", "account_closed", "technical")
)
FAMILY, GUARANTOR, SET_OFF = (PAYERS.index(name) for name in ("third_party", "guarantor", "offset"))


@dataclass(frozen=True)
class Promised:
    """Promises given in a part of the month: positions in the month, days and amounts."""

    at: Ints
    given: Ints
    due: Ints
    amount: Ints


def on_the_due_day(month: Month) -> None:
    """Let debits be tried and borrowers pay on time who mean to."""
    _repay_early(month)
    _revoke_mandates(month)
    owing = month.owed > 0
    by_debit = month.book.mandate[month.loans] & owing
    _try_debits(month, np.flatnonzero(by_debit), month.day)
    at = np.flatnonzero(owing & ~by_debit & (month.ready >= month.owed))
    told = month.book.world.habit
    odds = told.on_time + told.on_time_by_willingness * month.willingness[at] + told.on_time_by_stress * month.stress
    odds = np.where(month.arrears_days[at] > 0, _late_odds(month, at) + told.late_on_due_day, odds)
    at = at[happens(month.book.dice, of_log_odds(odds), len(at))]
    early = np.minimum(one_of(month.book.dice, told.early_days, len(at)), len(told.early_days) - 1)
    early = np.where(month.arrears_days[at] > 0, 0, early)
    month.pay(at, month.day[at] - early, month.owed[at])


def debit_again(month: Month) -> None:
    """Let debits that failed on the due day be tried a second time."""
    told = month.book.world.habit
    open_still = month.book.mandate[month.loans] & (month.owed > 0)
    again = np.flatnonzero(open_still & happens(month.book.dice, told.debit_again_chance, len(month.loans)))
    _try_debits(month, again, month.day + told.debit_again_after_days)


def in_a_part_of_the_month(month: Month, days: tuple[int, int], promised: Promised) -> None:
    """Let overdue loans be paid on some day of a part of the month: as promised, of one's own accord, or in part."""
    told, dice = month.book.world.habit, month.book.dice
    has_promised = np.zeros(len(month.loans), dtype=np.bool_)
    has_promised[promised.at] = True
    at = np.flatnonzero((month.owed > 0) & ~month.book.dead[month.borrower])
    willing, ready, owed = month.willingness[at], month.ready[at], month.owed[at]
    odds = _late_odds(month, at) + month.effect[at]
    odds += told.late_in_dispute * (month.book.disputed_until[month.loans[at]] > month.day[at])
    pays = (ready >= owed) & ~has_promised[at] & happens(dice, of_log_odds(odds), len(at))
    odds = told.part + told.part_by_willingness * willing + told.part_by_bucket * month.buckets[at] + month.effect[at]
    enough = (ready < owed) & (ready >= told.part_least * owed)
    part = np.floor(between_shares(dice, told.part_range, len(at)) * ready / told.part_step) * told.part_step
    in_part = enough & (part > 0) & happens(dice, of_log_odds(odds), len(at))
    day = month.day[at] + between(dice, days, len(at))
    _keep_promises(month, promised)
    month.pay(at[pays], day[pays], owed[pays])
    in_part &= month.owed[at] == owed
    month.pay(at[in_part], day[in_part], part[in_part].astype(np.int64))


def _late_odds(month: Month, at: Ints) -> Floats:
    """Return the log-odds of paying arrears of one's own accord when the money is there."""
    told = month.book.world.habit
    return told.late + told.late_by_willingness * month.willingness[at] + told.late_by_bucket * month.buckets[at]


def _keep_promises(month: Month, promised: Promised) -> None:
    """Let promises be kept by those who have the money and mean it; the others are counted as broken."""
    told, dice, at = month.book.world.contact, month.book.dice, promised.at
    odds = told.kept + told.kept_by_willingness * month.willingness[at]
    owes_it = month.owed[at] >= promised.amount  # a debit may have come first
    keeps = owes_it & happens(dice, of_log_odds(odds), len(at)) & (month.ready[at] >= promised.amount)
    keeps &= ~month.book.dead[month.borrower[at]]
    day = np.maximum(promised.due - between(dice, told.kept_early_days, len(at)), promised.given)
    month.pay(at[keeps], day[keeps], promised.amount[keeps])
    month.book.promises_broken[month.loans[at[owes_it & ~keeps]]] += 1


def by_others(month: Month) -> None:
    """Let family, guarantors and deposits clear arrears that have lasted."""
    told, dice, book = month.book.world.habit, month.book.dice, month.book
    at = np.flatnonzero(month.owed > 0)
    last = month.day[at] + book.world.policy.month_days
    overdue = month.days_past_due(at, last)
    day = month.day[at] + between(dice, (book.world.policy.looks[-1], book.world.policy.month_days), len(at))
    lasts = overdue >= told.others_pay_from_days
    guarantor = lasts & book.loans.guaranteed[month.loans[at]] & happens(dice, told.guarantor_pays_chance, len(at))
    family = lasts & ~guarantor & happens(dice, told.family_pays_chance, len(at))
    deposit = book.loans.deposit[month.loans[at]] & (overdue >= told.set_off_from_days) & ~guarantor & ~family
    set_off = deposit & happens(dice, told.set_off_chance, len(at))
    share = between_shares(dice, told.set_off_range, len(at))
    for payer, pays, amount in (
        (GUARANTOR, guarantor, month.owed[at]),
        (FAMILY, family, month.owed[at]),
        (SET_OFF, set_off, np.maximum(whole(share * month.owed[at]), 1)),
    ):
        month.pay(at[pays], day[pays], amount[pays], payer)


def _repay_early(month: Month) -> None:
    """Let some pay all that is left at once, interest to come included."""
    told, book, dice = month.book.world.habit, month.book, month.book.dice
    left = book.schedules.count[month.loans] - book.fallen_due[month.loans]
    wants = happens(dice, told.repaid_early_chance, len(month.loans)) & (left > 0) & (month.owed > 0)
    at = np.flatnonzero(wants & (left <= told.repaid_early_instalments) & (month.arrears_days == 0))
    amount = book.still_to_pay(month.loans[at])
    at, amount = at[amount <= month.ready[at]], amount[amount <= month.ready[at]]
    loans = month.loans[at]
    last = book.schedules.count[loans] - 1
    book.charges_due[loans] = book.schedules.charges_to[loans, last]
    book.principal_due[loans] = book.schedules.principal_to[loans, last]
    book.fallen_due[loans] = book.schedules.count[loans]
    month.owed[at] = amount
    month.pay(at, month.day[at], amount)
    book.write_event("closed", loans, month.day[at], month.day[at])


def _revoke_mandates(month: Month) -> None:
    """Let some withdraw the direct debit; the lender tries a few times more before it stops."""
    told, book, loans = month.book.world.habit, month.book, month.loans
    chance = grown(told.mandate_revoked, told.mandate_revoked_by_willingness, month.willingness)
    chance *= np.where(month.arrears_days > 0, told.mandate_revoked_in_arrears, 1.0)
    revokes = book.mandate[loans] & happens(book.dice, chance, len(loans))
    book.mandate[loans[revokes]] = False
    closes = happens(book.dice, told.account_closed_share, len(loans))
    tries = np.where(revokes, told.debit_tries_after_revocation, book.debit_tries_left[loans])
    at = np.flatnonzero((tries > 0) & ~book.mandate[loans] & (month.owed > 0))
    book.debit_tries_left[loans] = tries
    book.debit_tries_left[loans[at]] -= 1
    book.account_closed[loans[revokes]] = closes[revokes]
    result = np.where(book.account_closed[loans[at]], CLOSED, REVOKED)
    book.records.add("debits", loans[at], day=month.day[at], amount=month.owed[at], result=result)


def _try_debits(month: Month, at: Ints, day: Ints) -> None:
    """Try to collect all that is owed; a debit takes all or nothing."""
    told, dice = month.book.world.habit, month.book.dice
    odds = told.account_emptied + told.account_emptied_by_willingness * month.willingness[at]
    odds += told.account_emptied_in_arrears * (month.arrears_days[at] > 0)
    empty: Bools = happens(dice, of_log_odds(odds), len(at)) | (month.ready[at] < month.owed[at])
    technical = happens(dice, told.debit_technical, len(at))
    result = np.where(technical, TECHNICAL, np.where(empty, EMPTY, PAID))
    month.book.records.add("debits", month.loans[at], day=day[at], amount=month.owed[at], result=result)
    paid = at[result == PAID]
    month.pay(paid, day[paid], month.owed[paid])
