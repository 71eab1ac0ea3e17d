"""Do they choose to pay: whether promises to pay were kept with the borrower's own money."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Promises, ratio
from features.words import Text, Unit

PRIOR_KEPT = 1
PRIOR_BROKEN = 1
"""One kept and one broken promise are added to every borrower's own: Laplace's rule of succession, which knows nothing
beforehand. One promise then says one out of three, not nothing or all."""

NO_PROMISE = Text(
    en="no promise to pay fell due in the last {months}, or promises or payments are not known",
    zh="近{months}没有到期的还款承诺，或承诺、还款情况未知",
)


def judged_within(promises: Promises, months: int) -> pl.Expr:
    """Return whether each promise of the window was kept."""
    return promises.known(promises.kept, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="promises broken, last {months}", zh="近{months}承诺未兑现占比"),
    reason=Text(
        en="{value} of the promises to pay due in the last {months} were broken",
        zh="近{months}到期的还款承诺中有{value}未兑现",
    ),
    missing=NO_PROMISE,
    family="broken promises",
    months=(3, 6, 12),
)
def broken_promise_share(promises: Promises, months: int) -> pl.Expr:
    """Promises to pay that were broken over promises that were judged, of those that fell due in the window, the
    observation date included.

    A promise is judged when the third day after the promised day is on or before the observation date. It is kept when
    the borrower's own payments from the day it was given to that third day, both included, come to at least 95 per cent
    of the amount, else broken; a payment counts for every promise it falls under, and money of others for none. Missing
    when no promise of the window was judged, or promises or payments are not known.
    """
    kept = judged_within(promises, months)
    count = kept.len().cast(pl.Int64)
    return ratio(count - kept.sum().cast(pl.Int64), count)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="promises kept, evened out, last {months}", zh="近{months}承诺兑现率（平滑）"),
    reason=Text(
        en="promises kept in the last {months}, with 1 kept and 1 broken added: {value}",
        zh="近{months}承诺兑现率（兑现与未兑现各加1次）为{value}",
    ),
    missing=NO_PROMISE,
    family="broken promises",
    months=(12,),
)
def promise_kept_rate_shrunk(promises: Promises, months: int) -> pl.Expr:
    """(Kept promises + 1) over (judged promises + 2), of those that fell due in the window, the observation date
    included: a few promises move it less than many.

    A promise is judged when the third day after the promised day is on or before the observation date. It is kept when
    the borrower's own payments from the day it was given to that third day, both included, come to at least 95 per cent
    of the amount; a payment counts for every promise it falls under, and money of others for none. Missing when no
    promise of the window was judged, or promises or payments are not known.

    References: Laplace's rule of succession, the mean of a Beta(kept + 1, broken + 1) distribution
    """
    kept = judged_within(promises, months)
    count = kept.len().cast(pl.Int64)
    rate = ratio(kept.sum().cast(pl.Int64) + PRIOR_KEPT, count + (PRIOR_KEPT + PRIOR_BROKEN))
    return pl.when(count > 0).then(rate)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="latest promises broken in a row", zh="最近连续未兑现承诺次数"),
    reason=Text(en="latest promises to pay that were broken in a row: {value}", zh="最近连续{value}次还款承诺未兑现"),
    missing=Text(
        en="no promise to pay has fallen due, or promises or payments are not known",
        zh="尚无到期的还款承诺，或承诺、还款情况未知",
    ),
    family="broken promises in a row",
)
def broken_promise_streak(promises: Promises) -> pl.Expr:
    """Promises broken in a row, counted back from the latest of all that were judged; 0 when the latest was kept.

    In order of the promised day, then the day the promise was given, then its identifier. A promise is judged when the
    third day after the promised day is on or before the observation date. It is kept when the borrower's own payments
    from the day it was given to that third day, both included, come to at least 95 per cent of the amount, else broken;
    a payment counts for every promise it falls under, and money of others for none. Missing when none was judged, or
    promises or payments are not known.
    """
    kept = promises.kept.drop_nulls()
    since_kept = kept.cast(pl.Int64).cum_sum(reverse=True) == 0
    return pl.when(kept.len() > 0).then(since_kept.sum().cast(pl.Int64))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.FALLS,
    label=Text(en="days since a broken promise", zh="距上次承诺未兑现天数"),
    reason=Text(en="time since the latest broken promise to pay fell due: {value}", zh="距最近一次未兑现的承诺{value}"),
    missing=Text(
        en="no promise to pay was broken, or promises or payments are not known",
        zh="没有未兑现的还款承诺，或承诺、还款情况未知",
    ),
    family="since broken promise",
)
def days_since_broken_promise(promises: Promises) -> pl.Expr:
    """Days from the promised day of the latest broken promise to the observation date.

    A promise is judged when the third day after the promised day is on or before the observation date. It is kept when
    the borrower's own payments from the day it was given to that third day, both included, come to at least 95 per cent
    of the amount, else broken; a payment counts for every promise it falls under, and money of others for none. Missing
    when none was broken, or promises or payments are not known.
    """
    return promises.days_since(promises.due_on, promises.kept.not_())


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="mean days promised ahead, last {months}", zh="近{months}承诺平均期限"),
    reason=Text(
        en="promises to pay due in the last {months} were given {value} ahead on average",
        zh="近{months}到期的还款承诺平均提前{value}作出",
    ),
    missing=NO_PROMISE,
    family="days promised ahead",
    months=(12,),
)
def promised_days_mean(promises: Promises, months: int) -> pl.Expr:
    """Mean days from the day a promise was given to the promised day, of the promises judged that fell due in the
    window, the observation date included.

    A promise is judged when the third day after the promised day is on or before the observation date. Missing when
    none of the window was judged, or promises or payments are not known.
    """
    ahead = promises.known((promises.due_on - promises.promised_on).dt.total_days(), months)
    return ratio(ahead.sum(), ahead.len().cast(pl.Int64))
