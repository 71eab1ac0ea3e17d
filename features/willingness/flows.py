"""Do they choose to pay: whether bills are paid from the bank account month by month."""

from __future__ import annotations

import polars as pl

from features.account_flows import money_in, months_seen, months_with
from features.declaration import Group, Risk, feature
from features.views import Flows, ratio
from features.words import Text, Unit

MOST_HOUSEHOLD = 1.0
"""Household bills that took all the money in were paid from savings; taking more of them says no more."""

NO_MOVEMENT = Text(en="account movements of the last {months} are not known", zh="近{months}账户流水未知")


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="household bills to money in, last {months}", zh="近{months}生活缴费与入账之比"),
    reason=Text(
        en="household bills paid in the last {months} were {value} of the money in",
        zh="近{months}生活缴费为账户入账的{value}",
    ),
    missing=Text(
        en="only interest or nothing came in, or account movements are not known, in the last {months}",
        zh="近{months}没有利息以外的入账或账户流水未知",
    ),
    family="household bills",
    months=(3,),
    capped_at=MOST_HOUSEHOLD,
)
def household_to_income(flows: Flows, months: int) -> pl.Expr:
    """Paid for the household over money in, of the movements booked in the window, the observation date included; at
    most 1.

    Paid for the household is minus the sum of all amounts of kind household, so that what came back is taken off; 0
    when as much or more came back than was paid. Money in is the sum of the amounts above 0 of any kind but interest.
    Missing when money in is 0.
    """
    paid = -flows.amount.filter(flows.within(months) & flows.any_of("household")).sum()
    return ratio(paid.clip(lower_bound=0), money_in(flows, months), most=MOST_HOUSEHOLD)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="months with bills paid, last {months}", zh="近{months}有缴费、保险或转账支出月份占比"),
    reason=Text(
        en="bills, insurance or transfers were paid in {value} of the months seen, last {months}",
        zh="近{months}已知流水中有{value}的月份支付了生活缴费、保险或转账",
    ),
    missing=NO_MOVEMENT,
    family="months with bills paid",
    months=(6,),
)
def bill_months_share(flows: Flows, months: int) -> pl.Expr:
    """Different months in which an amount below 0 of kind household, insurance or transfer was booked, over the months
    seen.

    Months are counted back from the observation date, which the first ends with; seen are those of the window, but none
    before the one of the oldest movement known. Missing when no movement was booked in the window.
    """
    bill = flows.outgoing & flows.any_of("household", "insurance", "transfer")
    return ratio(months_with(flows, bill, months), months_seen(flows, months))
