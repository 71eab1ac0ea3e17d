"""Neither ability nor willingness: how far overdue the account is now, how large it is, and how it is used."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Loans, Statements, ratio
from features.words import Text, Unit

MOST_TURNOVER = 5.0
"""Spending of more than five times the balance says no more than five times."""

NO_STATEMENT_YET = Text(en="no statement yet", zh="尚无账单")
NO_STATEMENT = Text(en="no statement in the last {months}", zh="近{months}没有账单")
UNKNOWN_SPENDING = Text(en="spending in the last {months} is not known", zh="近{months}消费及费息情况未知")


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.RISES,
    label=Text(en="overdue now", zh="当前逾期"),
    reason=Text(en="the latest statement was {value} overdue", zh="最近一期账单逾期{value}"),
    missing=NO_STATEMENT_YET,
    family="overdue now",
)
def months_overdue_now(statements: Statements) -> pl.Expr:
    """Whole months overdue on the latest statement; 0 when it was not overdue."""
    return statements.latest(statements.months_overdue)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.RISES,
    label=Text(en="worst overdue, last {months}", zh="近{months}最长逾期"),
    reason=Text(en="the worst statement of the last {months} was {value} overdue", zh="近{months}最长逾期{value}"),
    missing=NO_STATEMENT,
    family="overdue now",
    months=(6,),
)
def months_overdue_worst(statements: Statements, months: int) -> pl.Expr:
    """Largest number of months overdue on a statement of the window."""
    return statements.known(statements.months_overdue, months).max()


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="paid in full now", zh="当前已全额还清"),
    reason=Text(en="the latest statement is marked as paid in full: {value}", zh="最近一期账单标记为全额还清：{value}"),
    missing=NO_STATEMENT_YET,
    family="state now",
)
def marked_full_now(statements: Statements) -> pl.Expr:
    """Whether the latest statement's state is paid in full."""
    return statements.latest(statements.paid_in_full)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="unused now", zh="当前未使用"),
    reason=Text(en="the account was not used in the latest month: {value}", zh="最近一期未使用账户：{value}"),
    missing=NO_STATEMENT_YET,
    family="state now",
)
def unused_now(statements: Statements) -> pl.Expr:
    """Whether the latest statement's state is unused."""
    return statements.latest(statements.unused)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="unused the month before", zh="上一期未使用"),
    reason=Text(en="the account was not used in the month before the latest: {value}", zh="上一期未使用账户：{value}"),
    missing=Text(en="no earlier statement to show use", zh="没有更早的账单可显示使用情况"),
    family="state now",
)
def unused_before(statements: Statements) -> pl.Expr:
    """Whether the state of the statement before the latest is unused."""
    return statements.before(statements.unused)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="months not used, last {months}", zh="近{months}未使用月数"),
    reason=Text(en="months without use of the account, last {months}: {value}", zh="近{months}有{value}个月未使用账户"),
    missing=NO_STATEMENT,
    family="inactivity",
    months=(3, 6),
)
def unused_count(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window whose state is unused."""
    return statements.count(statements.unused, months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FALLS,
    label=Text(en="credit limit", zh="授信额度"),
    reason=Text(en="the credit limit is {value}", zh="授信额度为{value}"),
    missing=Text(en="no credit limit", zh="没有授信额度"),
)
def credit_limit(loans: Loans) -> pl.Expr:
    """Limit of the account, minor units: the lender's own earlier judgement of the customer."""
    return loans.credit_limit


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="balance now", zh="当前余额"),
    reason=Text(en="the latest statement balance is {value}", zh="最近一期账单余额为{value}"),
    missing=NO_STATEMENT_YET,
    family="balance",
)
def balance_now(statements: Statements) -> pl.Expr:
    """Balance of the latest statement, minor units; below 0 when the lender owes."""
    return statements.latest(statements.balance)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="largest balance, last {months}", zh="近{months}最高余额"),
    reason=Text(en="the largest balance of the last {months} was {value}", zh="近{months}最高账单余额为{value}"),
    missing=NO_STATEMENT,
    family="balance",
    months=(3,),
)
def balance_largest(statements: Statements, months: int) -> pl.Expr:
    """Largest statement balance of the window, minor units."""
    return statements.known(statements.balance, months).max()


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="mean balance, last {months}", zh="近{months}平均余额"),
    reason=Text(en="the mean balance of the last {months} was {value}", zh="近{months}平均账单余额为{value}"),
    missing=NO_STATEMENT,
    family="balance",
    months=(6,),
)
def balance_mean(statements: Statements, months: int) -> pl.Expr:
    """Mean statement balance of the window, minor units."""
    count = statements.known(statements.balance, months).len()
    return ratio(statements.total(statements.balance, months), count)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="change of balance, last {months}", zh="近{months}余额变化"),
    reason=Text(en="the balance changed by {value} over the last {months}", zh="近{months}余额变化{value}"),
    missing=Text(en="fewer than two statements in the last {months}", zh="近{months}账单不足两期"),
    family="balance change",
    months=(6,),
)
def balance_change(statements: Statements, months: int) -> pl.Expr:
    """Latest less earliest statement balance of the window, minor units."""
    balances = statements.known(statements.balance, months)
    return pl.when(balances.len() > 1).then(balances.last() - balances.first())


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="new charges, last {months}", zh="近{months}新增消费及费息"),
    reason=Text(
        en="new spending, fees and interest of the last {months}: {value}", zh="近{months}新增消费及费息为{value}"
    ),
    missing=UNKNOWN_SPENDING,
    family="spending",
    months=(1, 3, 6),
)
def spending_sum(statements: Statements, months: int) -> pl.Expr:
    """New spending, fees and interest of the window: change of balance plus payments, minor units."""
    return statements.total(statements.spent, months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="largest monthly charges, last {months}", zh="近{months}单月最高消费及费息"),
    reason=Text(
        en="the largest month of new charges in the last {months} was {value}",
        zh="近{months}单月最高新增消费及费息为{value}",
    ),
    missing=UNKNOWN_SPENDING,
    family="spending",
    months=(6,),
)
def spending_largest(statements: Statements, months: int) -> pl.Expr:
    """Largest new spending of one month of the window, minor units."""
    return statements.known(statements.spent, months).max()


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.RATIO,
    risk=Risk.FREE,
    label=Text(en="new charges to limit, last {months}", zh="近{months}新增消费及费息与额度之比"),
    reason=Text(
        en="new charges of the last {months} were {value} of the limit", zh="近{months}新增消费及费息为额度的{value}"
    ),
    missing=Text(
        en="spending in the last {months}, or the limit, is not known", zh="近{months}消费及费息情况或额度未知"
    ),
    family="spending",
    months=(6,),
)
def spending_to_limit(statements: Statements, months: int) -> pl.Expr:
    """New spending of the window over the credit limit."""
    return ratio(statements.total(statements.spent, months), statements.limit)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.RATIO,
    risk=Risk.FREE,
    label=Text(en="new charges to balance, last {months}", zh="近{months}新增消费及费息与余额之比"),
    reason=Text(
        en="new charges of the last {months} were {value} of the balance", zh="近{months}新增消费及费息为余额的{value}"
    ),
    missing=Text(
        en="nothing is owed, or spending in the last {months} is not known", zh="没有欠款或近{months}消费及费息情况未知"
    ),
    family="spending",
    months=(3,),
)
def spending_to_balance(statements: Statements, months: int) -> pl.Expr:
    """New spending of the window over the latest amount owed; between -5 and 5."""
    share = ratio(statements.total(statements.spent, months), statements.latest(statements.owed))
    return share.clip(-MOST_TURNOVER, MOST_TURNOVER)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="largest month of all charges, last {months}", zh="近{months}最高单月消费及费息占比"),
    reason=Text(
        en="one month held {value} of the new charges of the last {months}",
        zh="近{months}新增消费及费息中有{value}集中在一个月",
    ),
    missing=Text(
        en="no new charges in the last {months}, or they are not known", zh="近{months}没有新增消费或情况未知"
    ),
    family="spending rhythm",
    months=(6,),
)
def spending_concentration(statements: Statements, months: int) -> pl.Expr:
    """Largest month of new spending over all of the window; months in which the debt shrank otherwise count as 0."""
    charged = statements.known(statements.spent.clip(lower_bound=0), months)
    return ratio(charged.max(), charged.sum())


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="steadiness of charges, last {months}", zh="近{months}消费及费息平稳度"),
    reason=Text(
        en="the smallest month of charges was {value} of the largest, last {months}",
        zh="近{months}最低月消费及费息为最高月的{value}",
    ),
    missing=Text(
        en="no charges in any of the last {months}, or they are not known", zh="近{months}均没有消费或情况未知"
    ),
    family="spending rhythm",
    months=(6,),
)
def spending_steadiness(statements: Statements, months: int) -> pl.Expr:
    """Smallest over largest month of new spending in the window; 0 when a month had none."""
    charged = statements.known(statements.spent.clip(lower_bound=0), months)
    return ratio(charged.min(), charged.max())
