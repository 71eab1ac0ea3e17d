"""The months of the world, one after the other; in each, money comes in, instalments fall due and loans are worked."""

from __future__ import annotations

import numpy as np

from features.portfolios.simulated.book import Book, Month, begun_month, opened_book
from features.portfolios.simulated.chance import Dice, between, grown, happens
from features.portfolios.simulated.contacting import calls_of_their_own, look_at_overdue, lose_numbers
from features.portfolios.simulated.money import apply_with_means, earn_and_live, raise_money, spend_surplus, state_means
from features.portfolios.simulated.paying import (
    Promised,
    by_others,
    debit_again,
    in_a_part_of_the_month,
    on_the_due_day,
)
from features.portfolios.simulated.people import Borrowers, Loans
from features.portfolios.simulated.relief import dispute, end_month
from features.portfolios.simulated.world import World
from features.schemas import ENQUIRY_PURPOSES

NEW_CREDIT, REVIEW = ENQUIRY_PURPOSES.index("new_credit"), ENQUIRY_PURPOSES.index("review")
FIRST_LOOK, SECOND_LOOK = 0, 1
NO_PROMISES = Promised(*np.zeros((4, 0), dtype=np.int64))


def live_through(dice: Dice, borrowers: Borrowers, loans: Loans, world: World) -> Book:
    """Return the book after the last month, with everything that was written down."""
    book = opened_book(dice, borrowers, loans, world)
    apply_with_means(book)
    for number in range(book.months.count):
        month = begun_month(book, number)
        if len(month.loans):
            _live(month)
    return book


def _live(month: Month) -> None:
    looks, last = month.book.world.policy.looks, month.book.world.policy.month_days
    earn_and_live(month)
    on_the_due_day(month)
    lose_numbers(month)
    dispute(month)
    in_a_part_of_the_month(month, (1, looks[0] - 1), NO_PROMISES)
    month.cash_to_come[:] = 0
    for look, day in enumerate(looks):
        promised = look_at_overdue(month, look)
        if look == FIRST_LOOK:
            debit_again(month)
        if look == SECOND_LOOK:
            raise_money(month, day)
            promised = _together(promised, calls_of_their_own(month, look))
        until = looks[look + 1] - 1 if look + 1 < len(looks) else last
        in_a_part_of_the_month(month, (day + 1, until), promised)
    by_others(month)
    _learn_more(month)
    _reverse_payments(month)
    end_month(month)
    spend_surplus(month)


def _together(first: Promised, second: Promised) -> Promised:
    """Return the promises of both; who promised in a call of the lender is not asked twice."""
    new = ~np.isin(second.at, first.at)
    return Promised(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)[new]])
            for name in ("at", "given", "due", "amount")
        )
    )


def _learn_more(month: Month) -> None:
    """Let borrowers state their means and ask for credit elsewhere, on some day of the month."""
    book, who, told, dice = month.book, month.who, month.book.world.evidence, month.book.dice
    size, last = len(who), month.book.world.policy.month_days
    day = month.day_of(who) + between(dice, (0, last), size)
    state_means(month, happens(dice, told.restated_chance, size), day)
    short = np.bincount(month.place, weights=month.owed, minlength=size) > 0
    chance = grown(told.enquiry_chance, told.enquiry_by_ability, book.borrowers.ability[who])
    asks = happens(dice, chance * np.where(short, told.enquiry_when_short, 1.0), size)
    reviewed = happens(dice, told.review_chance, size) & ~asks
    day = month.day_of(who) + between(dice, (0, last), size)
    for purpose, chosen in ((NEW_CREDIT, asks), (REVIEW, reviewed)):
        book.records.add("enquiries", who[chosen], day=day[chosen], purpose=purpose)


def _reverse_payments(month: Month) -> None:
    """Let some overdue loans get a payment that is taken back later; it settles nothing."""
    told, book = month.book.world.records, month.book
    at = np.flatnonzero((month.owed > 0) & happens(book.dice, told.reversed_payment_chance, len(month.loans)))
    day = month.day[at] + between(book.dice, (1, book.world.policy.month_days), len(at))
    book.records.add("reversed", month.loans[at], day=day, amount=month.owed[at])
