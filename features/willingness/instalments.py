"""Do they choose to pay: how late instalments were paid, and how regularly."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Instalments, ratio
from features.words import Text, Unit

LONG_LATE_DAYS = 10
"""From ten days on lateness is no bank transfer on its way; collection cards of the trade count from there as well."""
FIRST_INSTALMENTS = 3
"""Lateness on one of the first three instalments is what the trade calls early payment default."""
LEAST_TO_COMPARE = 2
"""One instalment has no rhythm: it takes two to be regular or irregular."""
RECENT_MONTHS = 3
"""A quarter: with monthly instalments the fewest months whose mean one instalment does not decide alone."""
COMPARED_MONTHS = 12
"""A year: what is recent is compared with the rest of it, so that every season is in it."""

NO_OWN_ANSWER = Text(
    en="no instalment due in the last {months} tells of own payments, or payments are not known",
    zh="近{months}没有可反映本人还款的到期期款或还款情况未知",
)


def tells(instalments: Instalments) -> pl.Expr:
    """Return the mark of instalments that tell how the borrower pays: settled with own money alone, or late.

    What others paid in time, and what is due today and open, tells nothing yet. What others paid late was late all the
    same until they paid.
    """
    return instalments.own | (instalments.days_late > 0)


def days_late_told(instalments: Instalments, months: int) -> pl.Expr:
    """Return the days late of the window's instalments that tell, early counted as 0."""
    told = instalments.within(months) & tells(instalments)
    return instalments.days_late.filter(told).clip(lower_bound=0)


def share_of(marked: pl.Expr) -> pl.Expr:
    """Return how many of some rows are marked over how many there are; missing when there are none."""
    return ratio(marked.sum().cast(pl.Int64), marked.len().cast(pl.Int64))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="mean days late, last {months}", zh="近{months}期款平均逾期天数"),
    reason=Text(
        en="instalments due in the last {months} were {value} late on average",
        zh="近{months}到期期款平均逾期{value}",
    ),
    missing=NO_OWN_ANSWER,
    family="days late",
    months=(3, 6, 12),
)
def days_late_mean(instalments: Instalments, months: int) -> pl.Expr:
    """Mean days late of the instalments that fell due in the window, the observation date included.

    By the schedule in force. Days late run from the due date to the day the instalment was settled, by whomever, or to
    the observation date when it is not; early counts as 0. Left out: instalments that are not late and were not settled
    with the borrower's own money alone (paid in time by others, or due today and open). Missing when none is left or
    payments are not known.
    """
    days = days_late_told(instalments, months)
    return ratio(days.sum(), days.len().cast(pl.Int64))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="most days late, last {months}", zh="近{months}期款最长逾期天数"),
    reason=Text(
        en="the latest-paid instalment due in the last {months} was {value} late",
        zh="近{months}到期期款中最长逾期{value}",
    ),
    missing=NO_OWN_ANSWER,
    family="days late",
    months=(6, 12),
)
def days_late_most(instalments: Instalments, months: int) -> pl.Expr:
    """Most days late among the instalments that fell due in the window, the observation date included; 0 when none was.

    By the schedule in force. Days late run from the due date to the day the instalment was settled, by whomever, or to
    the observation date when it is not; early counts as 0. Left out: instalments that are not late and were not settled
    with the borrower's own money alone (paid in time by others, or due today and open). Missing when none is left or
    payments are not known.
    """
    return days_late_told(instalments, months).max()


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="instalments late, last {months}", zh="近{months}逾期期款占比"),
    reason=Text(
        en="{value} of the instalments due in the last {months} were late", zh="近{months}到期期款中有{value}逾期"
    ),
    missing=NO_OWN_ANSWER,
    family="late instalments",
    months=(3, 6, 12),
)
def late_instalment_share(instalments: Instalments, months: int) -> pl.Expr:
    """Instalments late by a day or more over all that tell, of those that fell due in the window, the observation date
    included.

    By the schedule in force. An instalment is late when it was settled, by whomever, after its due date, or is open and
    fell due before the observation date. One tells when it is late or was settled with the borrower's own money alone:
    left out are those paid in time by others and those due today and open. Missing when none tells or payments are not
    known.
    """
    return share_of(days_late_told(instalments, months) > 0)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="instalments 10+ days late, last {months}", zh="近{months}逾期10天及以上期款占比"),
    reason=Text(
        en="{value} of the instalments due in the last {months} were 10 or more days late",
        zh="近{months}到期期款中有{value}逾期10天及以上",
    ),
    missing=NO_OWN_ANSWER,
    family="late instalments",
    months=(12,),
)
def long_late_share(instalments: Instalments, months: int) -> pl.Expr:
    """Instalments ten or more days late over all that tell, of those that fell due in the window, the observation date
    included.

    By the schedule in force. Days late run from the due date to the day the instalment was settled, by whomever, or to
    the observation date when it is not. One tells when it is at least a day late or was settled with the borrower's own
    money alone: left out are those paid in time by others and those due today and open. Missing when none tells or
    payments are not known.
    """
    return share_of(days_late_told(instalments, months) >= LONG_LATE_DAYS)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="instalments paid on the due day, last {months}", zh="近{months}当日还款期款占比"),
    reason=Text(
        en="{value} of the instalments due in the last {months} were paid on the due day itself",
        zh="近{months}到期期款中有{value}在到期日当天还清",
    ),
    missing=NO_OWN_ANSWER,
    family="day of payment",
    months=(12,),
)
def paid_on_the_day_share(instalments: Instalments, months: int) -> pl.Expr:
    """Instalments settled on the due day itself with the borrower's own money alone over all that tell, of those that
    fell due in the window, the observation date included.

    By the schedule in force. One tells when it was settled with the borrower's own money alone or is at least a day
    late (settled, by whomever, after its due date, or open and due before the observation date): left out are those
    paid in time by others and those due today and open. Missing when none tells or payments are not known.
    """
    told = instalments.within(months) & tells(instalments)
    return share_of((instalments.days_late == 0).filter(told))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    # Free: an instalment paid on the very day is one more that was not paid early.
    risk=Risk.FREE,
    label=Text(en="instalments paid early, last {months}", zh="近{months}提前还款期款占比"),
    reason=Text(
        en="{value} of the instalments due in the last {months} were paid before the due day",
        zh="近{months}到期期款中有{value}在到期日前还清",
    ),
    missing=NO_OWN_ANSWER,
    family="day of payment",
    months=(12,),
)
def paid_early_share(instalments: Instalments, months: int) -> pl.Expr:
    """Instalments settled before the due day with the borrower's own money alone over all that tell, of those that
    fell due in the window, the observation date included.

    By the schedule in force. One tells when it was settled with the borrower's own money alone or is at least a day
    late (settled, by whomever, after its due date, or open and due before the observation date): left out are those
    paid in time by others and those due today and open. Missing when none tells or payments are not known.
    """
    told = instalments.within(months) & tells(instalments)
    return share_of((instalments.days_late < 0).filter(told))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FALLS,
    label=Text(en="instalments on time in a row, last {months}", zh="近{months}连续按时还款期数"),
    reason=Text(
        en="latest instalments in a row paid on time, last {months}: {value}",
        zh="近{months}最近连续{value}期期款按时还清",
    ),
    missing=NO_OWN_ANSWER,
    family="instalments on time",
    months=(12,),
)
def instalments_on_time_streak(instalments: Instalments, months: int) -> pl.Expr:
    """Instalments on time in a row, counted back from the latest, among those that fell due in the window, the
    observation date included, and tell; 0 when the latest of them was late, all of them when none was.

    By the schedule in force, in order of due date, then number. One tells when it was settled with the borrower's own
    money alone or is at least a day late (settled, by whomever, after its due date, or open and due before the
    observation date): those paid in time by others and those due today and open are passed over and do not break the
    row. Missing when none tells or payments are not known.
    """
    late = days_late_told(instalments, months) > 0
    since_late = late.cast(pl.Int64).cum_sum(reverse=True) == 0
    return pl.when(late.len() > 0).then(since_late.sum().cast(pl.Int64))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="spread of payment days, last {months}", zh="近{months}还款日离散天数"),
    reason=Text(
        en="payment days around the due day were up to {value} apart in the last {months}",
        zh="近{months}各期还款相对到期日的早晚最多相差{value}",
    ),
    missing=Text(
        en="fewer than two instalments of the last {months} tell of own payments, or none is known",
        zh="近{months}可反映本人还款的到期期款不足两期或还款情况未知",
    ),
    family="payment regularity",
    months=(12,),
)
def days_late_spread(instalments: Instalments, months: int) -> pl.Expr:
    """Most less fewest days late among the instalments that fell due in the window, the observation date included.

    By the schedule in force. Days late run from the due date to the day the instalment was settled, by whomever, or to
    the observation date when it is not; they are below 0 when it was settled early. 0 means always the same day, as one
    who pays on payday. Left out: instalments that are not late and were not settled with the borrower's own money alone
    (paid in time by others, or due today and open). Missing when fewer than two are left or payments are not known.
    """
    days = instalments.days_late.filter(instalments.within(months) & tells(instalments))
    return pl.when(days.len() >= LEAST_TO_COMPARE).then(days.max() - days.min())


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.CHANGE,
    risk=Risk.FREE,
    label=Text(en="change of mean days late", zh="期款平均逾期天数变化"),
    reason=Text(
        en="mean days late of the last 3 months less that of the 9 months before: {value}",
        zh="近3个月平均逾期天数与此前9个月之差：{value}",
    ),
    missing=Text(
        en="no own payments to compare in the last 3 months and the 9 before, or they are not known",
        zh="近3个月与此前9个月没有可比较的本人还款或还款情况未知",
    ),
    family="change of days late",
)
def days_late_change(instalments: Instalments) -> pl.Expr:
    """Mean days late of the instalments that fell due in the last 3 months less the mean of those that fell due in the
    last 12 months and not in the last 3; above 0 when the borrower pays later than before.

    By the schedule in force; both windows end with the observation date. Days late run from the due date to the day the
    instalment was settled, by whomever, or to the observation date when it is not; early counts as 0. Left out:
    instalments that are not late and were not settled with the borrower's own money alone (paid in time by others, or
    due today and open). Missing when either has none left or payments are not known.
    """
    recent = days_late_told(instalments, RECENT_MONTHS)
    year = days_late_told(instalments, COMPARED_MONTHS)
    recent_days, recent_count = recent.sum(), recent.len().cast(pl.Int64)
    earlier_days, earlier_count = year.sum() - recent_days, year.len().cast(pl.Int64) - recent_count
    # One division of whole numbers: the difference of two quotients would be rounded twice.
    return ratio(recent_days * earlier_count - earlier_days * recent_count, recent_count * earlier_count)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="days late of the latest instalment", zh="最近一期期款逾期天数"),
    reason=Text(en="the latest instalment was paid, or stands, {value} late", zh="最近一期到期期款逾期{value}"),
    missing=Text(
        en="no instalment due so far tells of own payments, or payments are not known",
        zh="尚无可反映本人还款的到期期款或还款情况未知",
    ),
    family="latest instalment",
)
def days_late_latest(instalments: Instalments) -> pl.Expr:
    """Days late of the latest instalment that tells, of those that fell due by the observation date; early counts as 0.

    By the schedule in force, in order of due date, then number. Days late run from the due date to the day the
    instalment was settled, by whomever, or to the observation date when it is not. One tells when it is at least a day
    late or was settled with the borrower's own money alone: those paid in time by others and those due today and open
    are passed over. Missing when none tells or payments are not known.
    """
    return instalments.days_late.filter(instalments.due & tells(instalments)).last().clip(lower_bound=0)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="days late of the first instalment", zh="首期期款逾期天数"),
    reason=Text(en="the first instalment of the loan was paid, or stands, {value} late", zh="首期期款逾期{value}"),
    missing=Text(
        en="the first instalment is not due, was paid by others in time, or payments are not known",
        zh="首期期款未到期、由他人按时代偿或还款情况未知",
    ),
    family="first instalments",
)
def first_instalment_days_late(instalments: Instalments) -> pl.Expr:
    """Days late of the first instalment of the schedule in force; early counts as 0.

    The first is the one of the earliest due date, then the lowest number, among those of an amount above 0. Days late
    run from the due date to the day it was settled, by whomever, or to the observation date when it is not. Missing
    when it falls due after the observation date; when it is not late and was not settled with the borrower's own money
    alone (paid in time by others, or due today and open); or when payments are not known.
    """
    days = pl.when(tells(instalments)).then(instalments.days_late.clip(lower_bound=0))
    return days.filter(instalments.due).first()


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="late among the first three instalments", zh="前三期逾期期数"),
    reason=Text(en="of the first three instalments, {value} were late", zh="前三期期款中有{value}期逾期"),
    missing=Text(
        en="none of the first three instalments tells of own payments, or payments are not known",
        zh="前三期期款均不能反映本人还款或还款情况未知",
    ),
    family="first instalments",
)
def first_three_late_count(instalments: Instalments) -> pl.Expr:
    """Late instalments among the first three of the schedule in force, as far as they fell due by the observation date.

    The first three are those of the earliest due dates, then the lowest numbers, among those of an amount above 0. An
    instalment is late when it was settled, by whomever, after its due date, or is open and fell due before the
    observation date. Missing when none of those that fell due is late or was settled with the borrower's own money
    alone, or when payments are not known.
    """
    late = pl.when(tells(instalments)).then(instalments.days_late > 0)
    first = late.filter(instalments.due).head(FIRST_INSTALMENTS).drop_nulls()
    return pl.when(first.len() > 0).then(first.sum().cast(pl.Int64))
