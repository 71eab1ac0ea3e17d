"""Neither ability nor willingness: how far overdue the account is now, and how large."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Loans, Statements
from features.words import Text, Unit


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.RISES,
    label=Text(en="overdue now", zh="当前逾期"),
    reason=Text(en="the latest statement was {value} overdue", zh="最近一期账单逾期{value}"),
    missing=Text(en="no statement yet", zh="尚无账单"),
    family="overdue now",
)
def months_overdue_now(statements: Statements) -> pl.Expr:
    """Whole months overdue on the latest statement; 0 when it was not overdue."""
    return statements.months_overdue.last()


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="credit limit", zh="授信额度"),
    reason=Text(en="the credit limit is {value}", zh="授信额度为{value}"),
    missing=Text(en="no credit limit", zh="没有授信额度"),
)
def credit_limit(loans: Loans) -> pl.Expr:
    """Limit of the account, minor units."""
    return loans.credit_limit
