"""Do they choose to pay: how often the loan fell overdue, and how the borrower came out of arrears."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Spells, ratio
from features.willingness.instalments import share_of
from features.windows import first_day
from features.words import Text, Unit

NEVER_OVERDUE = Text(
    en="the loan was not overdue in the last {months}, or payments or contacts are not known",
    zh="近{months}借据没有逾期，或还款、联系情况未知",
)


def began_within(spells: Spells, months: int) -> pl.Expr:
    """Return the mark of spells that began in the window."""
    return spells.began_on >= first_day(pl.col("observed_on"), months)


def ended_within(spells: Spells, months: int) -> pl.Expr:
    """Return the mark of spells that ended in the window."""
    return spells.ended_on >= first_day(pl.col("observed_on"), months)


def lasts(spells: Spells) -> pl.Expr:
    """Return the mark of a spell that has not ended."""
    return spells.began_on.is_not_null() & spells.ended_on.is_null()


# No direction: a payment that brings the loan up to date in between makes two spells of a long one.
@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="times fallen overdue, last {months}", zh="近{months}进入逾期次数"),
    reason=Text(en="times the loan fell overdue in the last {months}: {value}", zh="近{months}借据进入逾期{value}次"),
    missing=Text(
        en="no instalment was due that could be late, or payments are not known",
        zh="尚无可能逾期的到期期款或还款情况未知",
    ),
    family="times overdue",
    months=(12,),
)
def overdue_spell_count(spells: Spells, months: int) -> pl.Expr:
    """Times that the loan fell overdue in the window: spells that began in it, the observation date included.

    A spell begins on the due date of the first instalment that was late, when none was open before, and ends on the day
    nothing late is open any more. 0 when none began in the window; missing when no instalment has fallen due or
    payments are not known.
    """
    return began_within(spells, months).sum().cast(pl.Int64)


# No direction: a payment in between may make two spells of one, and both count below.
@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="arrears put right unasked, last {months}", zh="近{months}自行转正占比"),
    reason=Text(
        en="{value} of the times overdue in the last {months} were put right before any contact",
        zh="近{months}逾期中有{value}在联系前由本人自行还清",
    ),
    missing=NEVER_OVERDUE,
    family="self-cure",
    months=(12,),
)
def self_cure_share(spells: Spells, months: int) -> pl.Expr:
    """Spells that ended in the window, the observation date included, with the borrower's own money alone and before
    the lender contacted the borrower, over the spells that ended in the window or still last.

    A spell begins on the due date of the first instalment that was late and ends on the day nothing late is open any
    more. An outbound contact of any result from the day after it began to the day it ended, both included, means it was
    not put right unasked; so does money of others in any of its late instalments. A spell that lasts counts below and
    not above. Missing when none ended in the window or lasts, or payments or contacts are not known.
    """
    counts = ended_within(spells, months) | lasts(spells)
    return share_of(spells.self_cured.filter(counts).drop_nulls())


# No direction: paying off long arrears adds a long spell to the mean, and must not count against the borrower.
@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="mean days to put arrears right, last {months}", zh="近{months}平均转正天数"),
    reason=Text(
        en="arrears put right in the last {months} had lasted {value} on average",
        zh="近{months}本人还清的逾期平均持续{value}",
    ),
    missing=Text(
        en="no arrears were put right with own money in the last {months}, or payments are not known",
        zh="近{months}没有由本人还清的逾期或还款情况未知",
    ),
    family="days to cure",
    months=(12,),
)
def days_to_cure_mean(spells: Spells, months: int) -> pl.Expr:
    """Mean days from the beginning to the end of the spells that ended in the window, the observation date included,
    with the borrower's own money alone.

    A spell begins on the due date of the first instalment that was late and ends on the day nothing late is open any
    more. A spell counts when every late instalment in it was settled with the borrower's own money alone. Missing when
    there is none or payments are not known.
    """
    lasted = (spells.ended_on - spells.began_on).dt.total_days().filter(spells.cured & ended_within(spells, months))
    return ratio(lasted.sum(), lasted.len().cast(pl.Int64))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.FALLS,
    label=Text(en="days since last overdue", zh="距上次逾期天数"),
    reason=Text(en="time since an instalment of the loan was last overdue: {value}", zh="距借据上次逾期已有{value}"),
    missing=Text(en="no instalment was ever late, or payments are not known", zh="从未逾期或还款情况未知"),
    family="since last overdue",
)
def days_since_overdue(spells: Spells) -> pl.Expr:
    """Days from the end of the last spell to the observation date; 0 while a spell lasts.

    A spell begins on the due date of the first instalment that was late and ends on the day nothing late is open any
    more, whoever paid. Missing when no instalment was ever late or payments are not known.
    """
    ended = spells.days_since(spells.ended_on, spells.ended_on.is_not_null())
    return pl.when(lasts(spells).any()).then(0).otherwise(ended)
