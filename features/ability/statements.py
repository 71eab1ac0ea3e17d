"""Can they pay: what was paid of what was due, how much of the limit is used, and whether the debt outruns them."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Statements, ratio
from features.words import Text, Unit

MOST_PAID = 1.5
"""Paying more than one and a half times what is due says no more about ability than paying that."""
MOST_GROWTH = 20.0
"""A debt or a payment that grew from nearly nothing is read as this many times larger, not as any number."""

NOTHING_TO_PAY = Text(
    en="no balance was to be paid, or payments are not known, in the last {months}",
    zh="近{months}没有待还账单金额或还款情况未知",
)
NO_LIMIT = Text(en="no statement or no credit limit in the last {months}", zh="近{months}没有账单或没有额度")


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="paid of the statement balances, last {months}", zh="近{months}账单金额偿还比例"),
    reason=Text(
        en="{value} of the statement balances of the last {months} was paid", zh="近{months}偿还了账单金额的{value}"
    ),
    missing=NOTHING_TO_PAY,
    family="payment to due",
    months=(1, 3, 6),
    capped_at=MOST_PAID,
)
def payment_to_due(statements: Statements, months: int) -> pl.Expr:
    """Payments received over the statement balances they answered, in the window; at most 1.5.

    The earliest statement sent has no known predecessor and so no known due.
    """
    paid = statements.total(statements.paid, months, where=statements.due.is_not_null())
    return ratio(paid, statements.total(statements.due, months), most=MOST_PAID)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="paid of the statement balance, a month earlier", zh="再早一期账单金额偿还比例"),
    reason=Text(en="a month earlier {value} of the statement balance was paid", zh="再早一期偿还了账单金额的{value}"),
    missing=Text(
        en="a month earlier no balance was to be paid, or payments are not known",
        zh="再早一期没有待还账单金额或还款情况未知",
    ),
    family="payment to due",
    capped_at=MOST_PAID,
)
def payment_to_due_month_before(statements: Statements) -> pl.Expr:
    """Payments over what was due on the statement before the latest; at most 1.5."""
    return ratio(statements.before(statements.paid), statements.before(statements.due), most=MOST_PAID)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="paid of the balances while overdue, last {months}", zh="近{months}逾期期间账单金额偿还比例"),
    reason=Text(
        en="while overdue in the last {months}, {value} of the statement balances was paid",
        zh="近{months}逾期期间偿还了账单金额的{value}",
    ),
    missing=Text(
        en="no balance was overdue, or payments are not known, in the last {months}",
        zh="近{months}没有逾期账单金额或还款情况未知",
    ),
    family="payment to due",
    months=(6,),
    capped_at=MOST_PAID,
)
def payment_to_due_while_overdue(statements: Statements, months: int) -> pl.Expr:
    """Payments over what was due, on the overdue statements of the window; at most 1.5."""
    paid = statements.total(statements.paid, months, where=statements.late & statements.due.is_not_null())
    return ratio(paid, statements.total(statements.due, months, where=statements.late), most=MOST_PAID)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    # Free: a payment that is not enough joins the others, and one that is leaves them.
    risk=Risk.FREE,
    label=Text(en="depth of part payments, last {months}", zh="近{months}部分还款深度"),
    reason=Text(
        en="part payments of the last {months} covered {value} of the balances",
        zh="近{months}部分还款覆盖账单金额的{value}",
    ),
    missing=Text(
        en="no part payment, or payments are not known, in the last {months}", zh="近{months}没有部分还款或还款情况未知"
    ),
    family="payment to due",
    months=(6,),
)
def part_payment_depth(statements: Statements, months: int) -> pl.Expr:
    """Payments over what was due, on the statements of the window that were paid in part."""
    in_part = (statements.paid > 0) & (statements.paid < statements.due)
    return ratio(
        statements.total(statements.paid, months, where=in_part),
        statements.total(statements.due, months, where=in_part),
    )


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="monthly payment to balance, last {months}", zh="近{months}月均还款与余额之比"),
    reason=Text(
        en="the mean monthly payment of the last {months} was {value} of the balance",
        zh="近{months}月均还款为余额的{value}",
    ),
    missing=Text(
        en="nothing is owed, or payments are not known, in the last {months}", zh="近{months}没有欠款或还款情况未知"
    ),
    family="payment to balance",
    months=(6,),
    capped_at=MOST_PAID,
)
def payment_to_balance(statements: Statements, months: int) -> pl.Expr:
    """Mean payment per statement of the window over the latest amount owed; at most 1.5."""
    cycles = statements.known(statements.paid, months).len()
    return ratio(statements.total(statements.paid, months), statements.latest(statements.owed) * cycles, most=MOST_PAID)


@feature(
    group=Group.ABILITY,
    unit=Unit.MONEY,
    risk=Risk.FALLS,
    label=Text(en="third largest payment, last {months}", zh="近{months}第三大月还款额"),
    reason=Text(
        en="the third largest monthly payment of the last {months} was {value}", zh="近{months}第三大月还款额为{value}"
    ),
    missing=Text(
        en="fewer than three months of payments known in the last {months}", zh="近{months}还款记录不足三个月"
    ),
    family="payment size",
    months=(6,),
)
def payment_third_largest(statements: Statements, months: int) -> pl.Expr:
    """Third largest sum paid for one statement of the window: what the customer can usually pay."""
    paid = statements.known(statements.paid, months)
    return pl.when(paid.len() >= 3).then(paid.top_k(3).min())  # noqa: PLR2004 - the third largest


@feature(
    group=Group.ABILITY,
    unit=Unit.MONEY,
    risk=Risk.FALLS,
    label=Text(en="smallest payment, last {months}", zh="近{months}最小月还款额"),
    reason=Text(
        en="the smallest monthly payment of the last {months} was {value}", zh="近{months}最小月还款额为{value}"
    ),
    missing=Text(en="payments of the last {months} are not known", zh="近{months}还款情况未知"),
    family="payment size",
    months=(6,),
)
def payment_smallest(statements: Statements, months: int) -> pl.Expr:
    """Smallest sum paid for one statement of the window; 0 when a month passed without payment."""
    return statements.known(statements.paid, months).min()


@feature(
    group=Group.ABILITY,
    unit=Unit.MONEY,
    risk=Risk.FALLS,
    label=Text(en="paid 4 to 6 months ago", zh="4至6个月前还款额"),
    reason=Text(en="{value} was paid 4 to 6 months ago", zh="4至6个月前共还款{value}"),
    missing=Text(en="payments of 4 to 6 months ago are not known", zh="4至6个月前的还款情况未知"),
    family="payment size",
)
def payment_earlier(statements: Statements) -> pl.Expr:
    """Sum paid for the statements that closed 4 to 6 months before the observation date."""
    earlier = statements.within(6) & statements.within(3).not_()
    paid = statements.paid.filter(earlier).drop_nulls()
    return pl.when(paid.len() > 0).then(paid.sum())


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FREE,
    label=Text(en="payments now to 3 months earlier", zh="近3个月与此前3个月还款之比"),
    reason=Text(
        en="payments of the last 3 months were {value} of those of the 3 months before",
        zh="近3个月还款为此前3个月的{value}",
    ),
    missing=Text(en="nothing was paid 4 to 6 months ago, or it is not known", zh="4至6个月前没有还款或还款情况未知"),
    family="payment size",
    capped_at=MOST_GROWTH,
)
def payment_growth(statements: Statements) -> pl.Expr:
    """Paid in the last 3 months over paid in the 3 months before; at most 20."""
    return ratio(statements.total(statements.paid, 3), payment_earlier(statements), most=MOST_GROWTH)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="limit used, mean of the last {months}", zh="近{months}平均额度使用率"),
    reason=Text(
        en="{value} of the credit limit was used on average in the last {months}",
        zh="近{months}平均使用了额度的{value}",
    ),
    missing=NO_LIMIT,
    family="utilisation",
    months=(1, 3, 6),
)
def utilisation_mean(statements: Statements, months: int) -> pl.Expr:
    """Mean statement balance of the window over the credit limit; below 0 when the lender owes."""
    count = statements.known(statements.balance, months).len()
    return ratio(statements.total(statements.balance, months), statements.limit * count)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="monthly change of limit used, last {months}", zh="近{months}额度使用率月变化"),
    reason=Text(
        en="the limit used changed by {value} a month in the last {months}", zh="近{months}额度使用率每月变化{value}"
    ),
    missing=Text(
        en="fewer than two statements, or no limit, in the last {months}", zh="近{months}账单不足两期或没有额度"
    ),
    family="utilisation slope",
    months=(6,),
)
def utilisation_slope(statements: Statements, months: int) -> pl.Expr:
    """Least-squares slope of balance over limit per statement of the window; positive when debt builds up."""
    count = statements.known(statements.balance, months).len().cast(pl.Int64)
    aged = statements.total(statements.ago * statements.balance, months)
    # With n statements and weights n-1-2*ago the slope is 6 * sum(weight * balance) / (n * (n^2 - 1)) / limit.
    weighted = (count - 1) * statements.total(statements.balance, months) - 2 * aged
    return ratio(6 * weighted.cast(pl.Float64), statements.limit.cast(pl.Float64) * (count * (count * count - 1)))


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FREE,
    label=Text(en="swing of limit used, last {months}", zh="近{months}额度使用率波动"),
    reason=Text(en="the limit used swung by {value} within the last {months}", zh="近{months}额度使用率波动达{value}"),
    missing=NO_LIMIT,
    family="utilisation swing",
    months=(3,),
)
def utilisation_swing(statements: Statements, months: int) -> pl.Expr:
    """Largest less smallest statement balance of the window, over the credit limit."""
    balances = statements.known(statements.balance, months)
    return ratio(balances.max() - balances.min(), statements.limit)


@feature(
    group=Group.ABILITY,
    unit=Unit.MONEY,
    risk=Risk.FALLS,
    label=Text(en="least room under the limit, last {months}", zh="近{months}最小可用额度"),
    reason=Text(en="at least {value} of the limit was left in the last {months}", zh="近{months}可用额度最低为{value}"),
    missing=NO_LIMIT,
    family="room under the limit",
    months=(1, 6),
)
def limit_left_least(statements: Statements, months: int) -> pl.Expr:
    """Credit limit less the largest statement balance of the window; below 0 when the limit was passed."""
    return statements.limit - statements.known(statements.balance, months).max()


@feature(
    group=Group.ABILITY,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="left unpaid of the balances, last {months}", zh="近{months}账单未还金额"),
    reason=Text(
        en="{value} of the statement balance to be paid in the last {months} was left unpaid",
        zh="近{months}账单未还金额为{value}",
    ),
    missing=Text(
        en="the balance to be paid or payments in the last {months} are not known",
        zh="近{months}账单金额或还款情况未知",
    ),
    family="shortfall",
    months=(1,),
)
def shortfall_sum(statements: Statements, months: int) -> pl.Expr:
    """What was due and not paid, on the statements of the window."""
    return statements.total(statements.shortfall, months)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="left unpaid, of the limit", zh="账单未还占额度比例"),
    reason=Text(
        en="the balance left unpaid last month was {value} of the limit",
        zh="最近一期账单未还金额为额度的{value}",
    ),
    missing=Text(en="the balance to be paid, payments or the limit are not known", zh="账单金额、还款情况或额度未知"),
    family="shortfall",
)
def shortfall_to_limit(statements: Statements) -> pl.Expr:
    """What was due and not paid on the latest statement, over the credit limit."""
    return ratio(statements.latest(statements.shortfall), statements.limit)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="balances that stood overdue, last {months}", zh="近{months}逾期余额占比"),
    reason=Text(
        en="{value} of the balances of the last {months} stood overdue", zh="近{months}账单余额中有{value}处于逾期"
    ),
    missing=Text(en="nothing was owed in the last {months}", zh="近{months}没有欠款"),
    family="overdue money",
    months=(6,),
)
def overdue_balance_share(statements: Statements, months: int) -> pl.Expr:
    """Sum of the amounts owed on overdue statements, over the sum of all amounts owed in the window."""
    owed = statements.total(statements.owed, months)
    return ratio(statements.total(statements.owed, months, where=statements.late), owed)


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="balance to two statements earlier", zh="余额与两期前之比"),
    reason=Text(en="the balance is {value} of the one two statements earlier", zh="当前余额为两期前的{value}"),
    missing=Text(en="nothing was owed two statements earlier, or it is not known", zh="两期前没有欠款或情况未知"),
    family="balance growth",
    capped_at=MOST_GROWTH,
)
def balance_growth(statements: Statements) -> pl.Expr:
    """Latest amount owed over the amount owed two statements earlier; at most 20."""
    return ratio(statements.latest(statements.owed), statements.before(statements.owed, 2), most=MOST_GROWTH)
