"""Neither ability nor willingness: how large the loan is, how far it has run, and what is still owed."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Instalments, Loans, ratio
from features.words import Text, Unit

MONTHS_A_YEAR = 12

NO_SCHEDULE = Text(en="no schedule of instalments is known", zh="还款计划未知")
UNKNOWN_MONEY = Text(en="the schedule or payments are not known", zh="还款计划或还款情况未知")


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="amount of the loan", zh="贷款金额"),
    reason=Text(en="the amount of the loan is {value}", zh="贷款金额为{value}"),
    missing=Text(en="the amount of the loan is not known", zh="贷款金额未知"),
)
def loan_amount(loans: Loans) -> pl.Expr:
    """Amount lent, or applied for, minor units; missing where the lender did not send it."""
    return loans.amount


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.FREE,
    label=Text(en="agreed term", zh="约定还款期限"),
    reason=Text(en="the loan is to be repaid within {value}", zh="约定还款期限为{value}"),
    missing=Text(en="the agreed term is not known", zh="约定还款期限未知"),
)
def term_months(loans: Loans) -> pl.Expr:
    """Months to repay the loan in, as agreed in the contract; missing where the lender did not send them."""
    return loans.term_months


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.FREE,
    label=Text(en="months on book", zh="账龄"),
    reason=Text(en="the loan has been on the books for {value}", zh="贷款已发放{value}"),
    missing=Text(en="the day the loan began is not known, or is still to come", zh="放款日未知或尚未放款"),
    family="seasoning",
)
def months_on_book(loans: Loans) -> pl.Expr:
    """Whole months from the day the contract began to the observation date: a month is over on the same day of the
    next one, or on its last day where it has no such day. Missing when the day it began is unknown or after the
    observation date.
    """
    return pl.when(loans.opened_on <= loans.observed_on).then(_whole_months(loans.opened_on, loans.observed_on))


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="instalments due so far", zh="已到期期数"),
    reason=Text(en="instalments that have fallen due so far: {value}", zh="至今已有{value}期款项到期"),
    missing=NO_SCHEDULE,
    family="seasoning",
)
def instalments_due_count(instalments: Instalments) -> pl.Expr:
    """Instalments of the schedule in force that fell due by the observation date, that day included: how much history
    there is to judge by. 0 when none has; instalments of amount 0 do not count. Missing without a schedule.
    """
    return instalments.due.sum().cast(pl.Int64)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="instalments still to come", zh="未到期期数占比"),
    reason=Text(en="{value} of the instalments are still to fall due", zh="尚有{value}的期数未到期"),
    missing=NO_SCHEDULE,
    family="seasoning",
)
def remaining_instalment_share(instalments: Instalments) -> pl.Expr:
    """Instalments of the schedule in force that fall due after the observation date, over all of its instalments;
    instalments of amount 0 do not count. 0 when the last one has fallen due, paid or not. Missing without a schedule.
    """
    return ratio(instalments.due.not_().sum().cast(pl.Int64), instalments.due.len().cast(pl.Int64))


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="principal still owed", zh="未还本金占比"),
    reason=Text(en="{value} of the principal is still to be paid", zh="尚有{value}的本金未还"),
    missing=UNKNOWN_MONEY,
    family="outstanding",
)
def outstanding_share(instalments: Instalments) -> pl.Expr:
    """Principal not yet paid over all principal of the schedule in force, due or not. Of one instalment the principal
    not paid is the smaller of its principal and of all that is unpaid of it: costs and interest are met first.
    Missing without a schedule or payments, and when the schedule has no principal.
    """
    owed = _principal_unpaid(instalments).sum()
    return pl.when(_money_known(instalments)).then(ratio(owed, instalments.principal.sum()))


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="amount owed", zh="未结清余额"),
    reason=Text(en="the amount owed is {value}, arrears included", zh="贷款未结清余额为{value}（含逾期款项）"),
    missing=UNKNOWN_MONEY,
    family="outstanding",
)
def outstanding_amount(instalments: Instalments) -> pl.Expr:
    """What is owed by the schedule in force, minor units: all that is unpaid of the instalments that fell due by the
    observation date, that day included, and of each one to come the smaller of its principal and of all that is unpaid
    of it: interest that is not due is not owed. Missing without a schedule or payments.
    """
    owed = pl.when(instalments.due).then(instalments.unpaid).otherwise(_principal_unpaid(instalments))
    return pl.when(_money_known(instalments)).then(owed.sum())


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.RISES,
    label=Text(en="amount in arrears", zh="当前逾期金额"),
    reason=Text(en="{value} is in arrears", zh="当前逾期金额为{value}"),
    missing=UNKNOWN_MONEY,
)
def arrears_amount(instalments: Instalments) -> pl.Expr:
    """All that is unpaid of the instalments that fell due before the observation date, minor units, by the schedule in
    force; what falls due on that day is not in arrears yet. 0 when there is none. Missing without a schedule or
    payments.
    """
    return pl.when(_money_known(instalments)).then(instalments.unpaid.filter(instalments.overdue).sum())


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONEY,
    risk=Risk.FREE,
    label=Text(en="scheduled instalment", zh="当期应还金额"),
    reason=Text(en="the scheduled instalment is {value}", zh="当期应还金额为{value}"),
    missing=NO_SCHEDULE,
)
def scheduled_instalment(instalments: Instalments) -> pl.Expr:
    """Amount of the first instalment that falls due after the observation date, minor units, by the schedule in force,
    principal, interest and costs together; when all have fallen due, of the last one. Of several with one due date the
    one with the lower number is first. Instalments of amount 0 do not count. Missing without a schedule.
    """
    to_come = instalments.amount.filter(instalments.due.not_()).first()
    return pl.coalesce(to_come, instalments.amount.last())


def _money_known(instalments: Instalments) -> pl.Expr:
    return instalments.unpaid.count() > 0


def _principal_unpaid(instalments: Instalments) -> pl.Expr:
    return pl.min_horizontal(instalments.unpaid, instalments.principal)


def _whole_months(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    years = last.dt.year().cast(pl.Int64) - first.dt.year().cast(pl.Int64)
    months = last.dt.month().cast(pl.Int64) - first.dt.month().cast(pl.Int64)
    unfinished = (last.dt.day() < first.dt.day()) & (last != last.dt.month_end())
    return years * MONTHS_A_YEAR + months - unfinished.cast(pl.Int64)
