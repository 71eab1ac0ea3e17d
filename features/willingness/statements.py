"""Do they choose to pay: how often a statement went late or unpaid, how long ago, and how payments are made."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Statements, ratio
from features.words import Text, Unit

SERIOUS_MONTHS = 2
"""From two months overdue on a missed payment is no oversight; one month is often a date missed by days."""
SMALL_PART = 10
"""A payment of at most one tenth of what was due is close to the minimum that card contracts ask."""

NO_STATEMENT = Text(en="no statement in the last {months}", zh="近{months}没有账单")
UNKNOWN_DUE = Text(
    en="balances to be paid or payments in the last {months} are not known", zh="近{months}账单金额或还款情况未知"
)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.POINTS,
    risk=Risk.RISES,
    label=Text(en="points for 2+ months overdue, last {months}", zh="近{months}严重逾期（近期加权）"),
    reason=Text(
        en="points for statements 2+ months overdue, more for recent ones, last {months}: {value}",
        zh="近{months}逾期2个月及以上账单计分（近期权重高）为{value}",
    ),
    missing=NO_STATEMENT,
    family="serious lateness",
    months=(6,),
)
def serious_lateness_weighted(statements: Statements, months: int) -> pl.Expr:
    """Statements two or more months overdue, the latest counting as many as the window has months, each earlier
    one less.
    """
    weight = (months - statements.ago).clip(lower_bound=0)
    return statements.total(weight * (statements.months_overdue >= SERIOUS_MONTHS), months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.STATEMENTS_AGO,
    risk=Risk.FALLS,
    label=Text(en="last statement 2+ months overdue, within {months}", zh="近{months}最后一期严重逾期"),
    reason=Text(
        en="last time 2+ months overdue, within {months}: {value}",
        zh="近{months}最近一次逾期2个月及以上出现在{value}",
    ),
    missing=Text(en="no statement 2+ months overdue in the last {months}", zh="近{months}没有逾期2个月及以上的账单"),
    family="serious lateness",
    months=(6,),
)
def statements_since_serious_lateness(statements: Statements, months: int) -> pl.Expr:
    """Statements since the last one that was two or more months overdue; missing when there was none."""
    return statements.since_last(statements.months_overdue >= SERIOUS_MONTHS, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.POINTS,
    risk=Risk.RISES,
    label=Text(en="points for months overdue, last {months}", zh="近{months}逾期月数（近期加权）"),
    reason=Text(
        en="points for months overdue, more for recent ones, last {months}: {value}",
        zh="近{months}逾期月数计分（近期权重高）为{value}",
    ),
    missing=NO_STATEMENT,
    family="lateness",
    months=(6,),
)
def months_overdue_weighted(statements: Statements, months: int) -> pl.Expr:
    """Months overdue, the latest statement's counting as many times as the window has months, each earlier less."""
    weight = (months - statements.ago).clip(lower_bound=0)
    return statements.total(weight * statements.months_overdue, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="sum of months overdue, last {months}", zh="近{months}逾期月数合计"),
    reason=Text(
        en="months overdue, summed over the statements of the last {months}: {value}",
        zh="近{months}各期账单逾期月数合计为{value}",
    ),
    missing=NO_STATEMENT,
    family="lateness",
    months=(3, 6),
)
def months_overdue_sum(statements: Statements, months: int) -> pl.Expr:
    """Months overdue, summed over the statements of the window."""
    return statements.total(statements.months_overdue, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="overdue statements 4 to 6 months ago", zh="4至6个月前逾期账单数"),
    reason=Text(en="statements overdue 4 to 6 months ago: {value}", zh="4至6个月前有{value}期账单逾期"),
    missing=Text(en="no statement 4 to 6 months ago", zh="4至6个月前没有账单"),
    family="lateness",
)
def late_earlier_count(statements: Statements) -> pl.Expr:
    """Overdue statements among those that closed 4 to 6 months before the observation date."""
    earlier = statements.late.filter(statements.within(6) & statements.within(3).not_())
    return pl.when(earlier.len() > 0).then(earlier.sum())


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FALLS,
    label=Text(en="statements on time in a row, last {months}", zh="近{months}连续按时期数"),
    reason=Text(
        en="statements in a row that were not overdue, last {months}: {value}", zh="近{months}连续{value}期未逾期"
    ),
    missing=NO_STATEMENT,
    family="on time",
    months=(6,),
)
def on_time_streak(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window since the last overdue one; all of them when none was overdue."""
    count = statements.known(statements.late, months).len().cast(pl.Int64)
    streak = pl.coalesce(statements.since_last(statements.late, months), count)
    return pl.when(count > 0).then(streak)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.MONTHS,
    risk=Risk.RISES,
    label=Text(en="overdue on the statement before", zh="上一期逾期"),
    reason=Text(en="the statement before the latest was {value} overdue", zh="上一期账单逾期{value}"),
    missing=Text(en="no statement before the latest", zh="没有更早的账单"),
    family="lateness",
)
def months_overdue_before(statements: Statements) -> pl.Expr:
    """Whole months overdue on the statement before the latest."""
    return statements.before(statements.months_overdue)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.CHANGE,
    risk=Risk.FREE,
    label=Text(en="change of months overdue", zh="逾期月数变化"),
    reason=Text(en="change of months overdue with the latest statement: {value}", zh="最近一期逾期月数变化：{value}"),
    missing=Text(en="no statement to compare with", zh="没有可比较的上一期账单"),
    family="change of months overdue",
)
def months_overdue_change(statements: Statements) -> pl.Expr:
    """Months overdue on the latest statement less those on the one before: a roll forward when positive."""
    return statements.latest(statements.months_overdue) - statements.before(statements.months_overdue)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="roll-backs, last {months}", zh="近{months}逾期回退次数"),
    reason=Text(en="times that months overdue fell, last {months}: {value}", zh="近{months}逾期月数下降{value}次"),
    missing=Text(en="fewer than two statements in the last {months}", zh="近{months}账单不足两期"),
    family="change of months overdue",
    months=(3, 6),
)
def roll_back_count(statements: Statements, months: int) -> pl.Expr:
    """Times within the window that a statement was fewer months overdue than the one before it, also in the window."""
    overdue = statements.known(statements.months_overdue, months)
    return pl.when(overdue.len() > 1).then((overdue.diff() < 0).sum())


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="balances that met no payment, last {months}", zh="近{months}未还款账单金额占比"),
    reason=Text(
        en="{value} of the statement balances of the last {months} met no payment",
        zh="近{months}账单金额中有{value}完全未还",
    ),
    missing=Text(
        en="no balance was to be paid, or payments are not known, in the last {months}",
        zh="近{months}没有待还账单金额或还款情况未知",
    ),
    family="months not paid",
    months=(3, 6),
)
def unpaid_money_share(statements: Statements, months: int) -> pl.Expr:
    """What was due on statements that met no payment, over all that was due, in the window."""
    unpaid = statements.total(statements.due, months, where=statements.paid == 0)
    return pl.when(statements.known(statements.paid, months).len() > 0).then(
        ratio(unpaid, statements.total(statements.due, months))
    )


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="months without payment, last {months}", zh="近{months}未还款月数"),
    reason=Text(
        en="months with a balance to pay and no payment, last {months}: {value}",
        zh="近{months}有{value}个月有欠款而未还款",
    ),
    missing=UNKNOWN_DUE,
    family="months not paid",
    months=(6,),
)
def unpaid_count(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window for which something was due and nothing was paid."""
    return statements.count(statements.answer(statements.asked & (statements.paid == 0)), months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="statements paid in full, last {months}", zh="近{months}全额还款占比"),
    reason=Text(
        en="{value} of the statements to be paid in the last {months} were paid in full",
        zh="近{months}待还账单中有{value}全额还清",
    ),
    missing=Text(
        en="no balance to be paid in full, or payments not known, in the last {months}",
        zh="近{months}没有可全额还清的账单或还款情况未知",
    ),
    family="paid in full",
    months=(6,),
)
def full_payment_share(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window paid in full over those on which something was due."""
    full = statements.answer(statements.asked & (statements.paid >= statements.due))
    return ratio(statements.count(full, months), statements.count(statements.asked, months))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="statements marked paid in full, last {months}", zh="近{months}标记为全额还清的期数"),
    reason=Text(
        en="statements the lender marked as paid in full, last {months}: {value}",
        zh="近{months}有{value}期被标记为全额还清",
    ),
    missing=NO_STATEMENT,
    family="paid in full",
    months=(3, 6),
)
def marked_full_count(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window whose state is paid in full."""
    return statements.count(statements.paid_in_full, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="paid in full on the statement before", zh="上一期全额还清"),
    reason=Text(
        en="the statement before the latest is marked as paid in full: {value}", zh="上一期账单标记为全额还清：{value}"
    ),
    missing=Text(en="no earlier statement", zh="没有更早的账单"),
    family="paid in full",
)
def marked_full_before(statements: Statements) -> pl.Expr:
    """Whether the state of the statement before the latest is paid in full."""
    return statements.before(statements.paid_in_full)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FALLS,
    label=Text(en="statements overpaid, last {months}", zh="近{months}多还期数"),
    reason=Text(
        en="statements on which more than the balance was paid, last {months}: {value}",
        zh="近{months}有{value}期还款超过账单金额",
    ),
    missing=UNKNOWN_DUE,
    family="overpaid",
    months=(6,),
)
def overpaid_count(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window on which something was due and more was paid."""
    return statements.count(statements.answer(statements.asked & (statements.paid > statements.due)), months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="small payments, last {months}", zh="近{months}小额还款期数"),
    reason=Text(
        en="statements answered by a tenth or less of the balance, last {months}: {value}",
        zh="近{months}有{value}期还款不超过账单金额的一成",
    ),
    missing=UNKNOWN_DUE,
    family="small payments",
    months=(6,),
)
def small_payment_count(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window answered by a payment of at most a tenth of what was due."""
    small = statements.answer((statements.paid > 0) & (SMALL_PART * statements.paid <= statements.due))
    return statements.count(small, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="largest month of all payments, last {months}", zh="近{months}还款最多一期占比"),
    reason=Text(
        en="the month with most payments held {value} of all paid in the last {months}",
        zh="近{months}还款最多的一期占全部还款的{value}",
    ),
    missing=Text(en="nothing was paid in the last {months}, or it is not known", zh="近{months}没有还款或还款情况未知"),
    family="payment rhythm",
    months=(6,),
)
def payment_concentration(statements: Statements, months: int) -> pl.Expr:
    """Largest sum paid for one statement over all paid in the window: 1 when all came at once."""
    return ratio(statements.known(statements.paid, months).max(), statements.total(statements.paid, months))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.RATIO,
    risk=Risk.FREE,
    label=Text(en="swing of payments to limit, last {months}", zh="近{months}还款波动占额度比例"),
    reason=Text(
        en="monthly payments of the last {months} swung by {value} of the limit",
        zh="近{months}月还款波动为额度的{value}",
    ),
    missing=Text(en="payments of the last {months}, or the limit, are not known", zh="近{months}还款情况或额度未知"),
    family="payment rhythm",
    months=(6,),
)
def payment_swing_to_limit(statements: Statements, months: int) -> pl.Expr:
    """Largest less smallest sum paid for one statement of the window, over the credit limit."""
    paid = statements.known(statements.paid, months)
    return ratio(paid.max() - paid.min(), statements.limit)
