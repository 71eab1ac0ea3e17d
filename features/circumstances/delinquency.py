"""Neither ability nor willingness: how far behind its schedule the loan is now, has been, and how it got there."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import MonthEnds, Spells
from features.words import Text, Unit

ONE_BEHIND, TWO_BEHIND, THREE_BEHIND = 30, 60, 90
"""Days past due at which about one, two and three monthly instalments stand open: the 30+, 60+ and 90+ of the trade.
Past the third a bank calls a loan defaulted (Basel framework, CRE36, definition of default: more than 90 days)."""
LONGEST = 12
"""How many months back the days past due are looked up, the observation date being the first."""

UNKNOWN_NOW = Text(en="no instalment has fallen due, or payments are not known", zh="尚无到期期款或还款情况未知")
UNKNOWN_WINDOW = Text(
    en="nothing had fallen due in the last {months}, or payments are not known",
    zh="近{months}没有到期期款或还款情况未知",
)
UNKNOWN_ROLLS = Text(
    en="fewer than two monthly dates in the last {months}, or payments are not known",
    zh="近{months}观察月份不足或还款情况未知",
)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="days past due now", zh="当前逾期天数"),
    reason=Text(en="the loan is {value} past due", zh="当前逾期{value}"),
    missing=UNKNOWN_NOW,
    family="days past due now",
)
def days_past_due_now(month_ends: MonthEnds) -> pl.Expr:
    """Whole days from the due date of the oldest instalment not settled, by the schedule in force, to the observation
    date; 0 when none that fell due before that date is open. Missing before the first due date.
    """
    return month_ends.now(month_ends.days_past_due)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="days past due now, first schedule", zh="按原还款计划的当前逾期天数"),
    reason=Text(en="by the first schedule the loan is {value} past due", zh="按原还款计划当前逾期{value}"),
    missing=Text(
        en="the first schedule or payments are not known, or nothing in it has fallen due",
        zh="原还款计划或还款情况未知，或尚无到期期款",
    ),
    family="days past due now",
)
def days_past_due_original_now(month_ends: MonthEnds) -> pl.Expr:
    """Days past due on the observation date as if schedule 0, the first, were still in force and every payment so far
    had met it; 0 when nothing of it is open. A restructuring or extension does not hide them. Missing when schedule 0
    was not sent, or none of its instalments has fallen due.
    """
    return month_ends.now(month_ends.days_past_due_original)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="most days past due, last {months}", zh="近{months}最长逾期天数"),
    reason=Text(
        en="seen once a month, the loan was at most {value} past due in the last {months}",
        zh="近{months}按月观察最长逾期{value}",
    ),
    missing=UNKNOWN_WINDOW,
    family="worst days past due",
    months=(3, 6, 12),
)
def days_past_due_worst(month_ends: MonthEnds, months: int) -> pl.Expr:
    """Most days past due on the window's monthly dates: the observation date and the same day of each earlier month, as
    many dates as the window has months (6: 0 to 5 months ago). Each by the schedule in force on its date; a date before
    the first due date is left out, and with none left it is missing. What was late between two dates only is not seen.
    """
    return month_ends.known(month_ends.days_past_due, months).max()


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="months 30+ days past due, last {months}", zh="近{months}逾期30天及以上月数"),
    reason=Text(
        en="in {value} of the last {months} the loan was 30 or more days past due",
        zh="近{months}有{value}个月逾期30天及以上",
    ),
    missing=UNKNOWN_WINDOW,
    family="months past due",
    months=(6, 12),
)
def months_30_days_past_due_count(month_ends: MonthEnds, months: int) -> pl.Expr:
    """How many of the window's monthly dates found the loan 30 or more days past due, by the schedule in force on each:
    the observation date and the same day of each earlier month, as many dates as the window has months. A date before
    the first due date is left out, and with none left it is missing.
    """
    return _months_behind(month_ends, months, ONE_BEHIND)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="months 60+ days past due, last {months}", zh="近{months}逾期60天及以上月数"),
    reason=Text(
        en="in {value} of the last {months} the loan was 60 or more days past due",
        zh="近{months}有{value}个月逾期60天及以上",
    ),
    missing=UNKNOWN_WINDOW,
    family="months past due",
    months=(6, 12),
)
def months_60_days_past_due_count(month_ends: MonthEnds, months: int) -> pl.Expr:
    """How many of the window's monthly dates found the loan 60 or more days past due, by the schedule in force on each:
    the observation date and the same day of each earlier month, as many dates as the window has months. A date before
    the first due date is left out, and with none left it is missing.
    """
    return _months_behind(month_ends, months, TWO_BEHIND)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="months 90+ days past due, last {months}", zh="近{months}逾期90天及以上月数"),
    reason=Text(
        en="in {value} of the last {months} the loan was 90 or more days past due",
        zh="近{months}有{value}个月逾期90天及以上",
    ),
    missing=UNKNOWN_WINDOW,
    family="months past due",
    months=(6, 12),
)
def months_90_days_past_due_count(month_ends: MonthEnds, months: int) -> pl.Expr:
    """How many of the window's monthly dates found the loan 90 or more days past due, by the schedule in force on each:
    the observation date and the same day of each earlier month, as many dates as the window has months. A date before
    the first due date is left out, and with none left it is missing.
    """
    return _months_behind(month_ends, months, THREE_BEHIND)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.FALLS,
    label=Text(en="months since 30+ days past due", zh="距最近一次逾期30天及以上月数"),
    reason=Text(
        en="time since the loan was last 30 or more days past due: {value}", zh="最近一次逾期30天及以上距今{value}"
    ),
    missing=Text(
        en="not 30 or more days past due in the last 12 months, or payments are not known",
        zh="近12个月未逾期达30天或还款情况未知",
    ),
    family="time since past due",
)
def months_since_30_days_past_due(month_ends: MonthEnds) -> pl.Expr:
    """Months from the latest monthly date that found the loan 30 or more days past due, by the schedule in force on it,
    to the observation date. The dates are the observation date, 0 months ago, and the same day of each of the 11
    months before. Missing when it was so on none of them.
    """
    return _months_since_behind(month_ends, ONE_BEHIND)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.FALLS,
    label=Text(en="months since 60+ days past due", zh="距最近一次逾期60天及以上月数"),
    reason=Text(
        en="time since the loan was last 60 or more days past due: {value}", zh="最近一次逾期60天及以上距今{value}"
    ),
    missing=Text(
        en="not 60 or more days past due in the last 12 months, or payments are not known",
        zh="近12个月未逾期达60天或还款情况未知",
    ),
    family="time since past due",
)
def months_since_60_days_past_due(month_ends: MonthEnds) -> pl.Expr:
    """Months from the latest monthly date that found the loan 60 or more days past due, by the schedule in force on it,
    to the observation date. The dates are the observation date, 0 months ago, and the same day of each of the 11
    months before. Missing when it was so on none of them.
    """
    return _months_since_behind(month_ends, TWO_BEHIND)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.FALLS,
    label=Text(en="months since 90+ days past due", zh="距最近一次逾期90天及以上月数"),
    reason=Text(
        en="time since the loan was last 90 or more days past due: {value}", zh="最近一次逾期90天及以上距今{value}"
    ),
    missing=Text(
        en="not 90 or more days past due in the last 12 months, or payments are not known",
        zh="近12个月未逾期达90天或还款情况未知",
    ),
    family="time since past due",
)
def months_since_90_days_past_due(month_ends: MonthEnds) -> pl.Expr:
    """Months from the latest monthly date that found the loan 90 or more days past due, by the schedule in force on it,
    to the observation date. The dates are the observation date, 0 months ago, and the same day of each of the 11
    months before. Missing when it was so on none of them.
    """
    return _months_since_behind(month_ends, THREE_BEHIND)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="rolls to a later bucket, last {months}", zh="近{months}逾期阶段上升次数"),
    reason=Text(
        en="monthly moves to a later bucket of delinquency in the last {months}: {value}",
        zh="近{months}逾期阶段上升{value}次",
    ),
    missing=UNKNOWN_ROLLS,
    family="rolls",
    months=(3, 6, 12),
)
def bucket_roll_forward_count(month_ends: MonthEnds, months: int) -> pl.Expr:
    """How many monthly dates of the window found the loan in a later bucket of days past due than a month before. The
    dates are the observation date and the same day of each earlier month, as many as the window has months; the month
    before the first of them is looked at too. Buckets are 0 days, 1 to 30, 31 to 60, 61 to 90 and so on without an end,
    each by the schedule in force on its date. A date is left out when no instalment had fallen due a month before; with
    none left it is missing.
    """
    return month_ends.count(month_ends.roll > 0, months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="rolls to an earlier bucket, last {months}", zh="近{months}逾期阶段下降次数"),
    reason=Text(
        en="monthly moves to an earlier bucket of delinquency in the last {months}: {value}",
        zh="近{months}逾期阶段下降{value}次",
    ),
    missing=UNKNOWN_ROLLS,
    family="rolls",
    months=(3, 6, 12),
)
def bucket_roll_back_count(month_ends: MonthEnds, months: int) -> pl.Expr:
    """How many monthly dates of the window found the loan in an earlier bucket of days past due than a month before.
    The dates are the observation date and the same day of each earlier month, as many as the window has months; the
    month before the first of them is looked at too. Buckets are 0 days, 1 to 30, 31 to 60, 61 to 90 and so on without
    an end, each by the schedule in force on its date. Whoever paid, and also where a new schedule brought the days
    down: it tells the loan's stage and is no cure. A date is left out when no instalment had fallen due a month before;
    with none left it is missing.
    """
    return month_ends.count(month_ends.roll < 0, months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.CHANGE,
    risk=Risk.FREE,
    label=Text(en="change of days past due, last {months}", zh="近{months}逾期天数变化"),
    reason=Text(en="days past due changed by {value} in the last {months}", zh="近{months}逾期天数变化{value}天"),
    missing=Text(
        en="nothing had fallen due before the last {months}, or payments are not known",
        zh="近{months}之前没有到期期款或还款情况未知",
    ),
    months=(1,),
)
def days_past_due_change(month_ends: MonthEnds, months: int) -> pl.Expr:
    """Days past due on the observation date less those on the same day so many months earlier, each by the schedule in
    force on its day; above 0 when the loan fell further behind. Missing when no instalment had fallen due by the
    earlier day.
    """
    before = month_ends.days_past_due.filter(month_ends.months_ago == months).first()
    return month_ends.now(month_ends.days_past_due) - before


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.DAYS,
    risk=Risk.RISES,
    label=Text(en="days overdue without a break", zh="本次连续逾期天数"),
    reason=Text(en="the loan has been overdue without a break for {value}", zh="本次已连续逾期{value}"),
    missing=UNKNOWN_NOW,
    family="days past due now",
)
def days_in_current_spell(spells: Spells) -> pl.Expr:
    """Days from the day the present spell of delinquency began to the observation date, by the schedule in force; 0
    when no instalment that fell due before that date is open. The spell began on the due date of the latest instalment
    that was late while every earlier one had been settled by that due date, that day included. So settling the oldest
    instalment while the next is overdue does not end it. Late: settled after its due date, or open after it. Missing
    before the first due date, and without a schedule or payments.
    """
    lasting = spells.began_on.is_not_null() & spells.ended_on.is_null()
    began = spells.began_on.filter(lasting).min()
    return (pl.col("observed_on").first() - began).dt.total_days().fill_null(0)


def _months_behind(month_ends: MonthEnds, months: int, least: int) -> pl.Expr:
    return month_ends.count(month_ends.days_past_due >= least, months)


def _months_since_behind(month_ends: MonthEnds, least: int) -> pl.Expr:
    behind = month_ends.within(LONGEST) & (month_ends.days_past_due >= least)
    return month_ends.months_ago.filter(behind).min()
