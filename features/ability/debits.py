"""Can they pay: how often the account from which the loan is collected held too little money."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Debits, ratio
from features.words import Text, Unit


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="direct debits that lacked funds, last {months}", zh="近{months}代扣余额不足占比"),
    reason=Text(
        en="of direct debits paid or unfunded in the last {months}, {value} lacked funds",
        zh="近{months}扣款成功或余额不足的代扣中，{value}为余额不足",
    ),
    missing=Text(
        en="no direct debit of the last {months} is known that shows whether there were funds",
        zh="近{months}没有可反映账户余额的代扣或情况未知",
    ),
    family="lack of funds",
    months=(1, 3, 6, 12),
)
def insufficient_funds_share(debits: Debits, months: int) -> pl.Expr:
    """Attempts at direct debit with result insufficient_funds, over those with result insufficient_funds or paid, in
    the window.

    By `tried_on`, the observation date included; attempts count, whatever their amounts. Technical failures, revoked
    mandates and closed accounts count on neither side: they tell nothing of funds. Missing when the window holds no
    attempt that tells, or debit attempts are not known.
    """
    return ratio(debits.counted(debits.insufficient_funds, months), debits.counted(_tells(debits), months))


@feature(
    group=Group.ABILITY,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="times a direct debit lacked funds, last {months}", zh="近{months}代扣余额不足次数"),
    reason=Text(en="direct debits that lacked funds, last {months}: {value}", zh="近{months}代扣余额不足{value}次"),
    missing=Text(en="direct debits of the last {months} are not known", zh="近{months}代扣情况未知"),
    family="lack of funds",
    months=(3, 12),
)
def insufficient_funds_count(debits: Debits, months: int) -> pl.Expr:
    """Attempts at direct debit with result insufficient_funds in the window.

    By `tried_on`, the observation date included. 0 when there was none, also when nothing was tried; missing when debit
    attempts are not known.
    """
    return debits.counted(debits.insufficient_funds, months)


@feature(
    group=Group.ABILITY,
    unit=Unit.YES_NO,
    risk=Risk.RISES,
    label=Text(en="latest direct debit lacked funds", zh="最近一次代扣余额不足"),
    reason=Text(en="the latest direct debit lacked funds: {value}", zh="最近一次代扣余额不足：{value}"),
    missing=Text(
        en="no direct debit is known that shows whether there were funds", zh="没有可反映账户余额的代扣或情况未知"
    ),
    family="lack of funds",
)
def insufficient_funds_latest(debits: Debits) -> pl.Expr:
    """Whether, on the latest day with an attempt at direct debit of result paid or insufficient_funds, none was paid.

    By `tried_on`, however long ago, the observation date included; other results are passed over. When attempts of that
    day differ the answer is no: a repeated attempt found the money. Missing when there is no such attempt, or debit
    attempts are not known.
    """
    latest = debits.tried_on.filter(_tells(debits)).max()
    latest_paid = debits.tried_on.filter(debits.paid).max()
    return pl.when(latest.is_not_null()).then((latest_paid < latest).fill_null(value=True))


@feature(
    group=Group.ABILITY,
    unit=Unit.DAYS,
    risk=Risk.FALLS,
    label=Text(en="days since a direct debit lacked funds", zh="距最近代扣余额不足天数"),
    reason=Text(en="a direct debit last lacked funds {value} ago", zh="最近一次因余额不足代扣失败距今{value}"),
    missing=Text(en="no direct debit is known that lacked funds", zh="没有已知的余额不足的代扣"),
    family="lack of funds",
)
def days_since_insufficient_funds(debits: Debits) -> pl.Expr:
    """Whole days from the latest `tried_on` of an attempt at direct debit with result insufficient_funds to the
    observation date.

    0 when it was on the observation date; missing when there never was one, or debit attempts are not known.
    """
    return debits.days_since(debits.tried_on, debits.insufficient_funds)


def _tells(debits: Debits) -> pl.Expr:
    """Return the mark of attempts that show whether there were funds."""
    return debits.paid | debits.insufficient_funds
