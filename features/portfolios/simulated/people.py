"""Who the borrowers are, what they can and want, and which contracts they sign.

Ability and willingness are hidden from the lender: they show in income, savings and habits only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.portfolios.simulated.chance import (
    Bools,
    Dice,
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
from features.portfolios.simulated.days import day_number, months_of
from features.portfolios.simulated.world import World

MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Borrowers:
    """What is fixed about each borrower; amounts are minor units a month."""

    number: Ints
    ability: Floats
    willingness: Floats
    hold_out: Bools
    income: Floats
    expenses: Floats
    other_instalments: Floats
    savings: Floats
    employment: Ints
    due_day: Ints
    shares_account: Bools
    effect_share: Floats
    """Share of a contact's causal effect that this borrower feels."""

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class Loans:
    """What is agreed on each loan, oldest borrower first; `borrower` is the row of its borrower."""

    number: Ints
    borrower: Ints
    applied: Ints
    opened: Ints
    amount: Ints
    term: Ints
    rate: Floats
    first_due_month: Ints
    mandate: Bools
    guaranteed: Bools
    vehicle: Bools
    deposit: Bools

    def __len__(self) -> int:
        return len(self.number)


def draw_people(dice: Dice, numbers: Ints, world: World) -> tuple[Borrowers, Loans]:
    """Return the borrowers and loans behind loan numbers; a borrower goes by the number of the first loan."""
    second = _seconds(dice, len(numbers), world.people.second_loan_share)
    borrower: Ints = np.cumsum(~second) - 1
    borrowers = _borrowers(dice, numbers[~second], world)
    return borrowers, _loans(dice, numbers, borrower, second, borrowers, world)


def _seconds(dice: Dice, loans: int, share: float) -> Bools:
    """Return which loans are the second one of the borrower of the loan before; none follows another."""
    wanted = happens(dice, share / (1 - share), loans)
    wanted[0] = False
    # In a run of wanted ones every other one stays.
    index = np.arange(loans)
    last_not = np.maximum.accumulate(np.where(wanted, -1, index))
    second: Bools = wanted & ((index - last_not) % 2 == 1)
    return second


def _borrowers(dice: Dice, numbers: Ints, world: World) -> Borrowers:
    told, size = world.people, len(numbers)
    shared, own = told.ability_willingness_correlation, dice.standard_normal((2, size))
    ability = own[0]
    willingness = shared * ability + np.sqrt(1 - shared**2) * own[1]
    luck = told.income_by_ability * ability + np.sqrt(1 - told.income_by_ability**2) * dice.standard_normal(size)
    income = np.maximum(told.income_median * np.exp(told.income_spread * luck), told.least_income)
    spending = told.expenses_share + told.expenses_by_ability * ability
    spending = np.clip(spending + told.expenses_spread * dice.standard_normal(size), *told.expenses_share_range)
    odds = np.log(told.other_lender_chance / (1 - told.other_lender_chance))
    elsewhere = happens(dice, of_log_odds(odds + told.other_lender_by_ability * ability), size)
    elsewhere_share = np.where(elsewhere, between_shares(dice, told.other_instalments_share, size), 0.0)
    savings = grown(told.savings_months, told.savings_by_ability, ability)
    savings *= np.exp(told.savings_spread * dice.standard_normal(size)) * spending * income
    felt = 1 + world.contact.effect_by_willingness * willingness
    return Borrowers(
        number=numbers,
        ability=ability,
        willingness=willingness,
        hold_out=happens(dice, told.hold_out_share, size),
        income=np.rint(income),
        expenses=np.rint(spending * income),
        other_instalments=np.rint(elsewhere_share * income),
        savings=np.rint(savings),
        employment=np.minimum(one_of(dice, told.employment_shares, size), len(told.employment_shares) - 1),
        due_day=between(dice, (1, told.last_due_day), size),
        shares_account=happens(dice, told.account_shared_chance, size),
        effect_share=np.clip(felt, 0.0, world.contact.effect_most),
    )


def _loans(dice: Dice, numbers: Ints, borrower: Ints, second: Bools, borrowers: Borrowers, world: World) -> Loans:
    told, size, months = world.contract, len(numbers), months_of(world)
    applied = _applied(dice, second, world)
    later = np.where(happens(dice, told.opened_later_chance, size), between(dice, told.opened_later_days, size), 0)
    opened = applied + later
    term = np.asarray(told.terms, dtype=np.int64)[np.minimum(one_of(dice, told.term_shares, size), len(told.terms) - 1)]
    grade = told.rate_middle + told.rate_by_ability * borrowers.ability[borrower]
    grade = np.clip(np.rint(grade + told.rate_spread * dice.standard_normal(size)), 0, len(told.rates) - 1)
    rate = np.asarray(told.rates)[grade.astype(np.int64)]
    burden = told.burden_median * np.exp(told.burden_spread * dice.standard_normal(size))
    burden = np.clip(burden, *told.burden_range) * np.where(second, told.second_loan_burden, 1.0)
    a_month = rate / MONTHS_A_YEAR
    amount = burden * borrowers.income[borrower] * (1 - (1 + a_month) ** -term.astype(np.float64)) / a_month
    due_day = borrowers.due_day[borrower]
    first = months.numbers(opened + told.first_due_after_days)
    first += months.days(first, due_day) < opened + told.first_due_after_days
    return Loans(
        number=numbers,
        borrower=borrower,
        applied=applied,
        opened=opened,
        amount=np.clip(whole(amount, told.amount_step), *told.amount_range),
        term=term,
        rate=rate,
        first_due_month=first,
        mandate=happens(dice, told.mandate_chance, size),
        guaranteed=happens(dice, told.guarantee_chance, size),
        vehicle=happens(dice, told.vehicle_chance, size),
        deposit=happens(dice, told.deposit_chance, size),
    )


def _applied(dice: Dice, second: Bools, world: World) -> Ints:
    """Return the day of each application; a second loan is asked for some weeks after the first at least."""
    calendar, months, gap = world.calendar, months_of(world), world.people.second_loan_after_days
    last = day_number(calendar.last_opened_on) - world.contract.opened_later_days[1]
    count = months.number(calendar.last_opened_on) + 1
    volume = (1 + calendar.book_growth) ** np.arange(count)
    month = np.minimum(one_of(dice, volume / volume.sum(), len(second)), count - 1)
    length = months.starts[month + 1] - months.starts[month]
    day: Ints = np.minimum(months.starts[month] + (dice.random(len(second)) * length).astype(np.int64), last)
    again = np.flatnonzero(second)
    early, late = np.minimum(day[again - 1], day[again]), np.maximum(day[again - 1], day[again])
    late = np.maximum(late, early + gap)
    beyond = np.maximum(late - last, 0)
    day[again - 1], day[again] = early - beyond, late - beyond
    return day
