"""The numbers of the made-up world: its calendar, its people, their money, their habits and the lender's policy.

None is estimated from a real book; they are set so that the levels look like an ordinary book of consumer loans. Money
is in minor units, chances are a month unless the comment says otherwise, and `ability` and `willingness` are standard
normal. "Log-odds" are those of the thing the number is named after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

YUAN = 100
"""Minor units in one yuan."""


@dataclass(frozen=True)
class Calendar:
    """When things happen, and in which zone the lender's days end."""

    first_opened_on: date = date(2023, 1, 1)  # the first loans are opened
    last_opened_on: date = date(2025, 6, 30)  # the last ones: 30 months of vintages
    observed_on: date = date(2025, 6, 30)  # the observation date that the book is meant for
    ends_on: date = date(2026, 7, 31)  # what is recorded later is not in the book: a year and a month of outcomes
    zone: str = "Asia/Shanghai"  # the lender's days
    hours_ahead_of_utc: int = 8  # the same zone in hours; it has no summer time
    book_growth: float = 0.01  # growth of new loans a month
    stress_trend_a_year: float = 0.12  # the economy gets worse: rise of `stress` a year
    stress_wave: float = 0.30  # height of its wave
    stress_wave_months: float = 34.0  # length of the wave
    stress_wave_starts_after_months: float = 14.0  # month from which the wave rises


@dataclass(frozen=True)
class People:
    """Who borrows: what they can and what they want, and what of it shows."""

    ability_willingness_correlation: float = 0.2  # the two are related, and not the same
    hold_out_share: float = 0.05  # borrowers whom the lender never contacts, drawn at random: the control group
    second_loan_share: float = 0.12  # loans that are the second one of a borrower
    second_loan_after_days: int = 45  # least days between the two
    income_median: int = 6_500 * YUAN  # a month
    income_spread: float = 0.45  # standard deviation of its logarithm
    income_by_ability: float = 0.55  # correlation of its logarithm with ability
    least_income: int = 1_800 * YUAN  # a month
    expenses_share: float = 0.565  # living expenses over income, at mean ability
    expenses_by_ability: float = -0.055  # change of that share with ability
    expenses_spread: float = 0.05  # standard deviation of that share
    expenses_share_range: tuple[float, float] = (0.30, 0.90)  # of that share
    other_lender_chance: float = 0.45  # owes other lenders too, at mean ability
    other_lender_by_ability: float = -0.35  # change of its log-odds with ability
    other_instalments_share: tuple[float, float] = (0.03, 0.14)  # paid to them, over income
    savings_months: float = 0.8  # median of savings at first, in months of expenses
    savings_spread: float = 0.9  # standard deviation of their logarithm
    savings_by_ability: float = 0.5  # change of that logarithm with ability
    employment_shares: tuple[float, ...] = (0.66, 0.22, 0.0, 0.05, 0.03, 0.04)  # in the order of the contract's enum
    account_shared_chance: float = 0.06  # lets the lender see the bank account; a chance for each borrower
    last_due_day: int = 28  # due days lie from 1 to this: every month has them


@dataclass(frozen=True)
class Contract:
    """What is lent, and on what terms."""

    terms: tuple[int, ...] = (6, 12, 18, 24, 36)  # months
    term_shares: tuple[float, ...] = (0.26, 0.38, 0.12, 0.15, 0.09)  # of loans
    burden_median: float = 0.13  # instalment over income
    burden_spread: float = 0.42  # standard deviation of its logarithm
    burden_range: tuple[float, float] = (0.03, 0.36)  # the lender's own limit
    second_loan_burden: float = 0.6  # the instalment of a second loan, over that of a first
    amount_range: tuple[int, int] = (1_000 * YUAN, 300_000 * YUAN)
    amount_step: int = 100 * YUAN  # amounts are whole hundreds
    rates: tuple[float, ...] = (0.09, 0.12, 0.15, 0.18, 0.21, 0.24)  # interest a year
    rate_by_ability: float = -0.8  # grades of the scale, with ability: the lender prices what it can see
    rate_middle: float = 2.6  # grade at mean ability, from 0
    rate_spread: float = 1.2  # standard deviation of the grade
    first_due_after_days: int = 20  # least days from the opening to the first due day
    opened_later_chance: float = 0.15  # opened some days after the application; else on the same day
    opened_later_days: tuple[int, int] = (1, 4)
    mandate_chance: float = 0.50  # pays by direct debit
    guarantee_chance: float = 0.06  # a guarantor answers for it
    vehicle_chance: float = 0.04  # a vehicle secures it
    security_share: tuple[float, float] = (0.4, 1.1)  # value of guarantee or vehicle over the amount
    deposit_chance: float = 0.10  # has a deposit with the lender, which may be set off


@dataclass(frozen=True)
class Money:
    """What comes in and goes out of a household, month by month."""

    income_growth_a_year: float = 0.03
    income_noise_self_employed: float = 0.22  # standard deviation of the logarithm; wages are steady
    spending_noise: float = 0.10  # standard deviation of its logarithm
    spending_by_stress: float = 0.06  # rise of its logarithm with `stress`
    big_expense_chance: float = 0.02  # a repair, a wedding, a school fee
    big_expense_months: float = 0.9  # its size in months of expenses
    squeeze_most: float = 0.16  # share of spending that is cut when money is short
    squeeze_by_willingness: float = 1.0  # change of the log-odds of cutting, with willingness
    overdraft_months: float = 0.4  # largest overdraft, in months of expenses
    overdraft_rate: float = 0.008  # interest on it, a month
    savings_most_months: float = 1.8  # savings above so many months of expenses are spent
    savings_most_by_ability: float = 0.5  # change of the logarithm of that, with ability
    raised_chance: float = 0.20  # who is overdue and short raises the rest: an advance, a friend, something sold
    raised_by_willingness: float = 0.9  # change of its logarithm: who wants to pay finds a way
    raised_by_ability: float = 0.25
    raised_by_bucket: float = -0.45  # for each 30 days past due
    salary_before_days: int = 2  # the salary comes so many days before the due day: the lender set it so
    salary_late_chance: float = 0.02  # or some days after it
    salary_late_days: int = 4  # so many
    others_paid_after_days: int = 1  # days from the due day to the instalments of other lenders
    living_after_days: int = 8  # to living expenses, which are shown as one movement
    surplus_after_days: int = 25  # to the spending of what is left
    overdraft_after_days: int = 26  # to the interest on an overdraft
    work_lost_chance: float = 0.0042  # at mean ability and no stress
    work_lost_by_ability: float = -0.50  # change of its logarithm with ability
    ill_chance: float = 0.0022
    ill_by_ability: float = -0.20  # change of its logarithm with ability
    shock_by_stress: float = 0.9  # change of the logarithm of both chances with `stress`
    income_out_of_work: float = 0.25  # share of the income that is left
    income_ill: float = 0.60
    expenses_ill: float = 1.15  # expenses while ill, over those before
    work_found_chance: float = 0.24
    well_again_chance: float = 0.30
    death_chance: float = 0.00003


@dataclass(frozen=True)
class Habit:
    """How a borrower pays who can, and who cannot."""

    on_time: float = 2.6  # log-odds of paying an instalment by its due day when the money is there
    on_time_by_willingness: float = 1.0
    on_time_by_stress: float = -0.35
    most_buckets: int = 4  # of 30 days past due; beyond so many habits get no worse
    early_days: tuple[float, ...] = (0.55, 0.25, 0.12, 0.08)  # of those on time: on the day, 1, 2, 3 days before
    late: float = -0.25  # log-odds of paying arrears within a part of the month when the money is there
    late_by_willingness: float = 1.15
    late_by_bucket: float = -0.30  # for each 30 days past due: who is far behind gives up
    late_on_due_day: float = 1.0  # added on a due day, for who is in arrears already
    late_in_dispute: float = -1.5
    part: float = -0.7  # log-odds of paying a part, in a part of the month, when the money is not enough
    part_by_willingness: float = 0.80
    part_by_bucket: float = -0.35
    part_least: float = 0.10  # money below this share of the arrears is not worth a payment
    part_range: tuple[float, float] = (0.6, 1.0)  # share of the money there that is paid
    part_step: int = 10 * YUAN  # part payments are round
    mandate_revoked: float = 0.0012  # chance at mean willingness
    mandate_revoked_by_willingness: float = -0.90  # change of its logarithm
    mandate_revoked_in_arrears: float = 5.0  # times as likely
    account_closed_share: float = 0.15  # of those: the account is closed instead
    account_emptied: float = -3.7  # log-odds: the money was there, and elsewhere on the day
    account_emptied_by_willingness: float = -0.80
    account_emptied_in_arrears: float = 1.5
    debit_technical: float = 0.004  # chance that a debit fails for no one's fault
    debit_again_chance: float = 0.7  # the debit is tried again
    debit_again_after_days: int = 6
    debit_tries_after_revocation: int = 2  # then the lender stops
    repaid_early_chance: float = 0.008  # all that is left is paid at once by those who can
    repaid_early_instalments: int = 8  # when no more than so many are left
    family_pays_chance: float = 0.05  # someone else clears arrears of more than a month
    guarantor_pays_chance: float = 0.20  # the same for a guarantor
    others_pay_from_days: int = 30  # days past due from which they do
    set_off_chance: float = 0.25  # the lender takes it from the deposit
    set_off_from_days: int = 60
    set_off_range: tuple[float, float] = (0.2, 1.0)  # share of the arrears that the deposit covers


@dataclass(frozen=True)
class Stage:
    """What the lender does from so many days past due on, each time it looks at a loan."""

    from_days: int
    chances: tuple[float, float, float, float]  # of a message, a call, a letter, a visit; at most one of them


@dataclass(frozen=True)
class Policy:
    """How the lender works overdue loans: it picks the worse ones, so who was called is no accident."""

    changed_on: date = date(2024, 10, 1)  # from then on the second list holds
    before: tuple[Stage, ...] = (
        Stage(8, (0.60, 0.00, 0.00, 0.00)),
        Stage(15, (0.30, 0.40, 0.00, 0.00)),
        Stage(31, (0.10, 0.60, 0.02, 0.00)),
        Stage(61, (0.05, 0.55, 0.10, 0.05)),
        Stage(91, (0.00, 0.40, 0.10, 0.06)),
    )
    after: tuple[Stage, ...] = (
        Stage(3, (0.60, 0.00, 0.00, 0.00)),
        Stage(8, (0.30, 0.40, 0.00, 0.00)),
        Stage(15, (0.10, 0.65, 0.00, 0.00)),
        Stage(31, (0.05, 0.70, 0.03, 0.00)),
        Stage(61, (0.00, 0.55, 0.12, 0.08)),
        Stage(91, (0.00, 0.35, 0.10, 0.08)),
    )
    more_by_broken_promise: float = 0.08  # added to the chance of a call, for each broken promise
    more_by_arrears: float = 0.05  # added for each instalment in arrears beyond the first
    most_more: float = 0.25  # at most so much is added
    looks: tuple[int, ...] = (4, 10, 18)  # days after the due day of the month on which the lender looks
    month_days: int = 27  # days after the due day that all belong to its month; the shortest month has them


@dataclass(frozen=True)
class Contact:
    """What comes of a contact."""

    answered: float = -0.10  # log-odds that a call is answered
    answered_by_willingness: float = 0.90
    other_person_share: float = 0.08  # of answered calls
    refused: float = -2.4  # log-odds of breaking off
    refused_by_willingness: float = -0.80
    visit_met_share: float = 0.45  # visits that meet the borrower
    visit_other_share: float = 0.25  # visits that meet someone else
    number_dead: float = 0.012  # chance, while overdue, that the number goes dead; at mean willingness
    number_dead_by_willingness: float = -0.70  # change of its logarithm
    number_changed_known_chance: float = 0.3  # the lender learns of it when it finds the number dead
    effect_reached: float = 0.55  # log-odds of paying that a talk adds for the rest of the month: the causal effect
    effect_message: float = 0.22  # the same of a message or letter delivered
    effect_by_willingness: float = -0.25  # change of the effect with willingness, as a share: the willing pay anyway
    effect_most: float = 2.0  # of that share
    promise: float = 0.9  # log-odds that a talk ends with a promise
    promise_by_willingness: float = 0.20
    promise_short: float = -0.4  # added when there is less money than is owed
    promise_empty: float = -2.6  # added instead when there is next to none: most then say so
    promise_empty_by_willingness: float = -0.9  # the unwilling promise to end the call
    promise_whole_chance: float = 0.80  # all arrears are promised when the money is there; else a part
    promise_whole_short: float = -2.0  # log-odds of promising all when there is less; else what there is
    promise_whole_short_by_willingness: float = -0.9
    promise_part: float = 0.5  # the part promised of what is owed
    promise_part_short: float = 0.85  # the part promised of the money there is
    promise_days: tuple[int, int] = (1, 6)  # days given; the last one lies within the month
    kept: float = 1.3  # log-odds that a promise is kept when the money is there
    kept_by_willingness: float = 1.2
    kept_early_days: tuple[int, int] = (0, 1)  # days before the promised one on which it is kept
    inbound_overdue: float = 0.07  # chance that the borrower calls when overdue, at mean willingness
    inbound_by_willingness: float = 0.45  # change of its logarithm
    inbound_else: float = 0.004  # chance that the borrower calls for another reason
    inbound_app_share: float = 0.4  # of those: through the app
    dispute_chance: float = 0.003  # an overdue borrower disputes the debt
    dispute_days: tuple[int, int] = (20, 60)  # until it is settled; the lender keeps still meanwhile


@dataclass(frozen=True)
class Relief:
    """What the lender does when the contract as agreed cannot be kept."""

    hardship_told: float = -0.6  # log-odds that the borrower tells of hardship
    hardship_told_by_willingness: float = 0.6
    hardship_told_after_days: tuple[int, int] = (3, 50)
    hardship_end_told_chance: float = 0.7
    chance: float = 0.16  # a loan in known hardship and arrears is extended or restructured
    chance_without_hardship: float = 0.012  # the same for other arrears
    from_days: int = 5  # days past due
    to_days: int = 120
    extended_share: float = 0.45  # extended; else restructured
    extended_months: tuple[int, int] = (2, 4)  # pause until the next instalment
    restructured_more_months: tuple[int, int] = (4, 13)  # instalments added
    restructured_rate: float = 0.6  # of the rate before
    restructured_fee: int = 50 * YUAN  # costs, with the first new instalment
    restructured_after_months: int = 2  # to the first new instalment
    legal_from_days: int = 120
    legal_chance: float = 0.12
    written_off_after_days: int = 180
    sold_share: float = 0.08  # sold instead


@dataclass(frozen=True)
class Evidence:
    """What else the lender comes to know."""

    stated_noise: float = 0.07  # standard deviation of the logarithm of stated over true income and expenses
    stated_step: int = 100 * YUAN
    restated_in_hardship_chance: float = 0.5  # means are stated anew when hardship is told
    restated_chance: float = 0.012  # or without an occasion
    enquiry_chance: float = 0.055  # the borrower asks for credit elsewhere, at mean ability
    enquiry_by_ability: float = -0.35  # change of its logarithm
    enquiry_when_short: float = 2.0  # times as likely when the money is short
    review_chance: float = 0.01  # another lender reviews


@dataclass(frozen=True)
class Records:
    """When the lender's systems learn of things, and what they get wrong at first."""

    booked_after_days: tuple[float, ...] = (0.70, 0.18, 0.08, 0.035)  # payments booked after 0, 1, 2, 3 days
    booked_late_days: tuple[int, int] = (10, 60)  # the few others
    entered_next_day_chance: float = 0.05  # contacts and promises are typed in on the day or the next one
    day_hours: tuple[int, int] = (8, 21)  # office hours, local
    night_hours: tuple[int, int] = (1, 5)  # hours of the nightly run, local: what is booked on a later day
    corrected_payment_chance: float = 0.003  # a payment's amount was wrong at first, each
    corrected_payment_factor: float = 1.1  # so much too high
    reversed_payment_chance: float = 0.004  # an overdue loan gets a payment that is reversed
    corrected_means_chance: float = 0.004  # stated means were wrong at first, each
    corrected_means_factor: float = 1.2
    corrected_after_days: tuple[int, int] = (1, 12)


@dataclass(frozen=True)
class World:
    """All numbers of the world."""

    calendar: Calendar = field(default_factory=Calendar)
    people: People = field(default_factory=People)
    contract: Contract = field(default_factory=Contract)
    money: Money = field(default_factory=Money)
    habit: Habit = field(default_factory=Habit)
    policy: Policy = field(default_factory=Policy)
    contact: Contact = field(default_factory=Contact)
    relief: Relief = field(default_factory=Relief)
    evidence: Evidence = field(default_factory=Evidence)
    records: Records = field(default_factory=Records)
    currency: str = "CNY"
    loans_per_chunk: int = 25_000  # loans drawn together, from a seed of their own; another number, other loans


WORLD = World()
"""The world as it ships."""
