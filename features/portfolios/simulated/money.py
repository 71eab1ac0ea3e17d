"""What comes into each household in a month and what it needs: wages, living, illness and loss of work."""

from __future__ import annotations

from typing import Literal

import numpy as np

from features.portfolios.simulated.book import FAR, ILL, OUT_OF_WORK, WELL, Book, Month
from features.portfolios.simulated.chance import Bools, Floats, Ints, between, grown, happens, of_log_odds, whole
from features.portfolios.simulated.people import MONTHS_A_YEAR
from features.schemas import EMPLOYMENT, FLOW_KINDS

SELF_EMPLOYED, UNEMPLOYED = EMPLOYMENT.index("self_employed"), EMPLOYMENT.index("unemployed")
Flow = Literal["salary", "transfer", "household", "loan_payment", "card", "sanction_interest"]


def earn_and_live(month: Month) -> None:
    """Let income come and living be paid; what is left can go to the loans of the month."""
    book, who, told = month.book, month.who, month.book.world.money
    people, size = book.borrowers, len(month.who)
    strike(month)
    income, needed = month_of_means(month)
    noise = np.where(people.employment[who] == SELF_EMPLOYED, told.income_noise_self_employed, 0.0)
    income = income * np.exp(noise * book.dice.standard_normal(size))
    spending = needed * np.exp(told.spending_noise * book.dice.standard_normal(size))
    big = happens(book.dice, told.big_expense_chance, size)
    spending += np.where(big, told.big_expense_months * people.expenses[who], 0.0)
    others = people.other_instalments[who]
    asked: Floats = np.bincount(month.place, weights=month.owed, minlength=size).astype(np.float64)
    short = book.savings[who] + income - spending - others < asked
    cut = told.squeeze_most * of_log_odds(told.squeeze_by_willingness * people.willingness[who])
    spending = np.where(short, spending * (1 - cut), spending)
    least = -told.overdraft_months * people.expenses[who]
    spending = np.rint(np.minimum(spending, np.maximum(book.savings[who] + income - others - least, 0.0)))
    income = np.rint(income)
    late = happens(book.dice, told.salary_late_chance, size)
    living = ~book.dead[who]
    before = book.savings[who]
    after = before + np.where(living, income - spending - others, 0.0)
    book.savings[who] = after
    _share_out(month, asked, np.where(living, after, 0.0), np.where(living & late, before, after))
    _write_living(month, living, late, income, spending, others)


def month_of_means(month: Month) -> tuple[Floats, Floats]:
    """Return each borrower's income and needs of the month, before chance has its say."""
    book, who, told = month.book, month.who, month.book.world.money
    growth = (1 + told.income_growth_a_year) ** (month.number / MONTHS_A_YEAR)
    left = np.array([1.0, told.income_out_of_work, told.income_ill])[book.shock[who]]
    more = np.array([1.0, 1.0, told.expenses_ill])[book.shock[who]]
    dearer = growth * np.exp(told.spending_by_stress * month.stress)
    return book.borrowers.income[who] * growth * left, book.borrowers.expenses[who] * dearer * more


def strike(month: Month) -> None:
    """Let some fall ill or lose their work, some get well or find work, and some die."""
    book, who, told, dice = month.book, month.who, month.book.world.money, month.book.dice
    ability, size = book.borrowers.ability[who], len(month.who)
    harder = float(np.exp(told.shock_by_stress * month.stress))
    was = book.shock[who]
    lost = happens(dice, harder * grown(told.work_lost_chance, told.work_lost_by_ability, ability), size)
    ill = happens(dice, harder * grown(told.ill_chance, told.ill_by_ability, ability), size)
    over = happens(dice, np.array([0.0, told.work_found_chance, told.well_again_chance])[was], size)
    begins = (was == WELL) & (lost | ill) & ~book.dead[who]
    book.shock[who] = np.where(begins, np.where(lost, OUT_OF_WORK, ILL), np.where(over, WELL, was))
    book.months_in_hardship[who] += book.shock[who] != WELL
    _tell_hardship(month, begins)
    _tell_better(month, over)
    dies = ~book.dead[who] & happens(dice, told.death_chance, size)
    book.dead[who] |= dies
    _write_for_loans(month, "death", dies, *_heard(month))


def _heard(month: Month) -> tuple[Ints, Ints]:
    """Return for each borrower a day before the due day, when it would have happened, and when the lender hears."""
    told, size = month.book.world, len(month.who)
    happened = month.day_of(month.who) - between(month.book.dice, (1, told.contract.first_due_after_days), size)
    return happened, happened + between(month.book.dice, told.relief.hardship_told_after_days, size)


def _tell_hardship(month: Month, begins: Bools) -> None:
    book, who, told, evidence = month.book, month.who, month.book.world.relief, month.book.world.evidence
    odds = told.hardship_told + told.hardship_told_by_willingness * book.borrowers.willingness[who]
    tells = begins & happens(book.dice, of_log_odds(odds), len(who))
    happened, heard = _heard(month)
    book.shock_known[who] = np.where(begins, np.where(tells, heard, FAR), book.shock_known[who])
    _write_for_loans(month, "hardship", tells, happened, heard)
    state_means(month, tells & happens(book.dice, evidence.restated_in_hardship_chance, len(who)), heard)


def _tell_better(month: Month, over: Bools) -> None:
    book, who, told = month.book, month.who, month.book.world.relief
    tells = over & (book.shock_known[who] < FAR) & happens(book.dice, told.hardship_end_told_chance, len(who))
    happened, heard = _heard(month)
    _write_for_loans(month, "hardship_ended", tells, happened, np.maximum(heard, book.shock_known[who] + 1))
    book.shock_known[who] = np.where(over, FAR, book.shock_known[who])


def _write_for_loans(month: Month, kind: str, told: Bools, happened: Ints, heard: Ints) -> None:
    """Write down an event of some borrowers, once for each of their loans that run."""
    at = np.flatnonzero(told[month.place])
    month.book.write_event(kind, month.loans[at], happened[month.place[at]], heard[month.place[at]])


def state_means(month: Month, states: Bools, day: Ints) -> None:
    """Let some borrowers state their means as they are now."""
    book, who = month.book, month.who[states]
    income, needed = (means[states] for means in month_of_means(month))
    out_of_work = book.shock[who] == OUT_OF_WORK
    employment = np.where(out_of_work, UNEMPLOYED, book.borrowers.employment[who])
    _write_means(book, who, day[states], income, needed, employment)


def apply_with_means(book: Book) -> None:
    """Let each borrower state its means with the application of each loan."""
    who, day = book.loans.borrower, book.loans.applied
    growth = (1 + book.world.money.income_growth_a_year) ** (book.months.numbers(day) / MONTHS_A_YEAR)
    people = book.borrowers
    _write_means(book, who, day, people.income[who] * growth, people.expenses[who] * growth, people.employment[who])


def _write_means(book: Book, who: Ints, day: Ints, income: Floats, expenses: Floats, employment: Ints) -> None:
    """Write down means as stated: round, and not quite exact."""
    told, size = book.world.evidence, len(who)
    said = np.exp(told.stated_noise * book.dice.standard_normal((2, size)))
    book.records.add(
        "borrowers",
        who,
        day=day,
        income=whole(income * said[0], told.stated_step),
        expenses=whole(expenses * said[1], told.stated_step),
        others=whole(book.borrowers.other_instalments[who], told.stated_step),
        employment=employment,
    )


def _share_out(month: Month, asked: Floats, after: Floats, at_first: Floats) -> None:
    """Share a borrower's money among the loans by what they ask for; with a late salary it comes some days later."""
    share = month.owed / np.maximum(asked, 1.0)[month.place]
    month.cash = np.floor(np.maximum(after, 0.0)[month.place] * share).astype(np.int64)
    first = np.floor(np.maximum(at_first, 0.0)[month.place] * share).astype(np.int64)
    month.cash_to_come = np.maximum(month.cash - first, 0)


def _write_living(month: Month, living: Bools, late: Bools, income: Floats, spending: Floats, others: Floats) -> None:
    told, day = month.book.world.money, month.day_of(month.who)
    paid = day + np.where(late, told.salary_late_days, -told.salary_before_days)
    works = month.book.shock[month.who] != OUT_OF_WORK
    _write_flow(month, "salary", living & works, paid, income)
    _write_flow(month, "transfer", living & ~works, paid, income)
    _write_flow(month, "loan_payment", living, day + told.others_paid_after_days, -others)
    _write_flow(month, "household", living, day + told.living_after_days, -spending)


def raise_money(month: Month, after_days: int) -> None:
    """Let some who are short raise the rest of what they owe, so many days after the due day."""
    book, told, who = month.book, month.book.world.money, month.borrower
    chance = grown(told.raised_chance, told.raised_by_willingness, month.willingness)
    chance *= np.exp(told.raised_by_ability * book.borrowers.ability[who] + told.raised_by_bucket * month.buckets)
    short = (month.owed > month.ready) & ~book.dead[who]
    at = np.flatnonzero(short & happens(book.dice, chance, len(who)))
    rest = month.owed[at] - month.ready[at]
    month.cash[at] += rest
    np.add.at(book.savings, who[at], rest)
    raised = np.bincount(month.place[at], weights=rest, minlength=len(month.who)).astype(np.float64)
    _write_flow(month, "transfer", raised > 0, month.day_of(month.who) + after_days, raised)


def spend_surplus(month: Month) -> None:
    """Let savings beyond what the household keeps be spent, and overdrafts cost interest, when the month is over."""
    book, who, told = month.book, month.who, month.book.world.money
    most = grown(told.savings_most_months, told.savings_most_by_ability, book.borrowers.ability[who])
    surplus = np.rint(np.maximum(book.savings[who] - most * book.borrowers.expenses[who], 0.0))
    interest = np.rint(np.maximum(-book.savings[who], 0.0) * told.overdraft_rate)
    living, day = ~book.dead[who], month.day_of(who)
    book.savings[who] -= np.where(living, surplus + interest, 0.0)
    _write_flow(month, "card", living, day + told.surplus_after_days, -surplus)
    _write_flow(month, "sanction_interest", living, day + told.overdraft_after_days, -interest)


def _write_flow(month: Month, kind: Flow, flows: Bools, day: Ints, amount: Floats) -> None:
    shown = flows & month.book.borrowers.shares_account[month.who] & (amount != 0)
    month.book.records.add(
        "flows",
        month.who[shown],
        kind=FLOW_KINDS.index(kind),
        day=day[shown],
        amount=amount[shown].astype(np.int64),
    )
