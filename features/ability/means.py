"""Can they pay: what the borrower's stated income leaves for the instalment, and how fresh that statement is."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Means, ratio
from features.words import Text, Unit

MOST_BURDEN = 3.0
"""Instalments of more than three times the income cannot be paid from it, nor can any when there is no income."""
MOST_COVER = 10.0
"""Income that is left ten times over pays the instalment as surely as more would."""
MOST_GROWTH = 5.0
"""Income that rose more than five times is a change of work or of evidence; how much more says nothing."""


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="instalment to income", zh="期款收入比"),
    reason=Text(en="the instalment is {value} of the stated monthly income", zh="本贷款期款为所述月收入的{value}"),
    missing=Text(en="the monthly income or the instalment is not known", zh="月收入或本贷款期款未知"),
    family="debt service to income",
    capped_at=MOST_BURDEN,
)
def instalment_to_income(means: Means) -> pl.Expr:
    """The instalment over the latest monthly income stated; at most 3, and 3 when that income is 0.

    Income: of the statement of means with the latest `stated_on` that gives one. Instalment: the whole amount of the
    first one above 0 due after the observation date by the schedule in force, else of the last one; without a schedule
    the loan's amount over its term in months, rounded down. Missing when income was never stated, the instalment is not
    known, or both are 0.
    """
    return _burden(means.instalment, _stated(means.monthly_income))


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="debt service to income", zh="全部期款收入比"),
    reason=Text(
        en="this and other lenders' instalments are {value} of the stated monthly income",
        zh="本贷款与其他贷款的期款合计为所述月收入的{value}",
    ),
    missing=Text(
        en="the monthly income, other lenders' instalments or the instalment is not known",
        zh="月收入、其他贷款期款或本贷款期款未知",
    ),
    family="debt service to income",
    capped_at=MOST_BURDEN,
)
def debt_service_to_income(means: Means) -> pl.Expr:
    """The instalment plus the instalments to other lenders, over the latest monthly income; at most 3, and 3 when that
    income is 0.

    Income and other instalments: each of the statement of means with the latest `stated_on` that gives it. Instalment:
    the whole amount of the first one above 0 due after the observation date by the schedule in force, else of the last
    one; without a schedule the loan's amount over its term in months, rounded down. Missing when income or other
    instalments were never stated, the instalment is not known, or income and debt service are both 0.
    """
    return _burden(means.instalment + _stated(means.other_instalments), _stated(means.monthly_income))


@feature(
    group=Group.ABILITY,
    unit=Unit.MONEY,
    risk=Risk.FALLS,
    label=Text(en="residual income", zh="月结余收入"),
    reason=Text(
        en="after expenses and all instalments {value} of the monthly income is left",
        zh="月收入扣除生活支出及全部期款后结余{value}",
    ),
    missing=Text(
        en="income, expenses, other lenders' instalments or the instalment is not known",
        zh="收入、生活支出、其他贷款期款或本贷款期款未知",
    ),
    family="residual income",
)
def residual_income(means: Means) -> pl.Expr:
    """Monthly income less monthly expenses, instalments to other lenders and the instalment, minor units; below 0 when
    they are more than the income.

    Income, expenses and other instalments: each of the statement of means with the latest `stated_on` that gives it.
    Instalment: the whole amount of the first one above 0 due after the observation date by the schedule in force, else
    of the last one; without a schedule the loan's amount over its term in months, rounded down. Missing when any of the
    four is not known.
    """
    return _left_for_the_instalment(means) - means.instalment


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="residual income to instalment", zh="结余收入对期款覆盖率"),
    reason=Text(
        en="income left after expenses and other debts covers {value} of the instalment",
        zh="扣除生活支出及其他期款后的收入可覆盖本贷款期款的{value}",
    ),
    missing=Text(
        en="what expenses and other debts leave of the income, or the instalment, is not known",
        zh="扣除支出及其他期款后的收入或本贷款期款未知",
    ),
    family="residual income",
    capped_at=MOST_COVER,
)
def residual_income_to_instalment(means: Means) -> pl.Expr:
    """Monthly income less monthly expenses and instalments to other lenders, over the instalment; at least 0, at most
    10.

    Income, expenses and other instalments: each of the statement of means with the latest `stated_on` that gives it.
    Instalment: the whole amount of the first one above 0 due after the observation date by the schedule in force, else
    of the last one; without a schedule the loan's amount over its term in months, rounded down. Missing when any of the
    four is not known, or the instalment is 0.
    """
    return ratio(_left_for_the_instalment(means), means.instalment, most=MOST_COVER).clip(lower_bound=0.0)


@feature(
    group=Group.ABILITY,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="days since evidence of income", zh="收入证明距今天数"),
    reason=Text(en="the latest evidence of income is {value} old", zh="最近一次收入证明距今{value}"),
    missing=Text(en="evidence of income is not known", zh="收入证明情况未知"),
    family="income evidence",
)
def days_since_income_evidence(means: Means) -> pl.Expr:
    """Whole days from the latest `stated_on` of a statement of means that gives a monthly income, 0 included, to the
    observation date.

    0 when it was stated on the observation date; missing when income was never stated, or on a day nobody knows. No
    direction: old evidence is the lender's omission as often as the borrower's.
    """
    return means.days_since(means.stated_on, means.monthly_income.is_not_null() & means.dated)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="income to the one stated before", zh="收入较上一次变化"),
    reason=Text(
        en="the stated monthly income is {value} of the one stated before", zh="所述月收入为上一次所述收入的{value}"
    ),
    missing=Text(
        en="no income to compare with: fewer than two are known, or the earlier was 0",
        zh="没有可比较的收入：已知收入不足两次或上一次为零",
    ),
    family="income change",
    capped_at=MOST_GROWTH,
)
def income_change(means: Means) -> pl.Expr:
    """The latest monthly income stated over the one stated before it; at most 5.

    Both by `stated_on`, among the statements of means that give a monthly income and a day, however long ago. Missing
    when fewer than two do, or the earlier income was 0.
    """
    stated = means.monthly_income.filter(means.dated).drop_nulls()
    return ratio(stated.last(), stated.shift(1).last(), most=MOST_GROWTH)


@feature(
    group=Group.ABILITY,
    unit=Unit.YES_NO,
    risk=Risk.RISES,
    label=Text(en="unemployed now", zh="当前失业"),
    reason=Text(en="the latest statement of means gives unemployment: {value}", zh="最近一次收支说明中为失业：{value}"),
    missing=Text(en="the source of income is not known", zh="收入来源未知"),
)
def unemployed_now(means: Means) -> pl.Expr:
    """Whether `employment` is unemployed on the statement of means with the latest `stated_on` that gives one.

    Missing when employment was never stated.
    """
    return _stated(means.employment) == "unemployed"


def _stated(column: pl.Expr) -> pl.Expr:
    """Return the latest value stated: a payslip gives the income only, and leaves what else was stated as it stands."""
    return column.drop_nulls().last()


def _burden(service: pl.Expr, income: pl.Expr) -> pl.Expr:
    """Return instalments over income, at most `MOST_BURDEN`; where there is no income to pay any from, that most."""
    without = (income == 0) & (service > 0)
    return pl.when(without).then(MOST_BURDEN).otherwise(ratio(service, income, most=MOST_BURDEN))


def _left_for_the_instalment(means: Means) -> pl.Expr:
    """Return what expenses and instalments to other lenders leave of the monthly income; below 0 when nothing."""
    spent = _stated(means.monthly_expenses) + _stated(means.other_instalments)
    return _stated(means.monthly_income) - spent
