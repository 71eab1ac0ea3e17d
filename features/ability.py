"""Can they pay: what was paid of what was due, how much of the limit is used, and whether the debt outruns them."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Statements, ratio
from features.words import Text, Unit


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="limit used, mean of {months}", zh="近{months}平均额度使用率"),
    reason=Text(
        en="{value} of the credit limit was used on average over {months}", zh="近{months}平均使用了{value}的额度"
    ),
    missing=Text(en="no statement or no credit limit in {months}", zh="近{months}没有账单或没有额度"),
    family="utilisation",
    months=(1, 3, 6),
)
def utilisation_mean(statements: Statements, months: int) -> pl.Expr:
    """Balance over credit limit, mean of the statements in the window."""
    within = statements.within(months)
    return ratio(statements.total(statements.balance, months), statements.credit_limit.filter(within).sum())


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="paid of what was due, {months}", zh="近{months}应还金额的偿还比例"),
    reason=Text(en="{value} of what was due over {months} was paid", zh="近{months}偿还了应还金额的{value}"),
    missing=Text(en="nothing was due in {months}", zh="近{months}没有应还金额"),
    family="payment to due",
    months=(1, 3, 6),
)
def payment_to_due(statements: Statements, months: int) -> pl.Expr:
    """Payments received over statement balances they answered, in the window; at most 1.5."""
    paid = statements.total(statements.paid, months, where=statements.due.is_not_null())
    return ratio(paid, statements.total(statements.due, months)).clip(upper_bound=1.5)
