"""Can they pay: whether hardship has come upon the borrower, which speaks of ability and never of willingness."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Events
from features.words import Text, Unit

HARDSHIP = "hardship"


@feature(
    group=Group.ABILITY,
    unit=Unit.YES_NO,
    risk=Risk.RISES,
    label=Text(en="hardship now", zh="当前困难情况"),
    reason=Text(
        en="hardship is on record for the borrower and has not ended: {value}",
        zh="存在尚未解除的困难情况记录：{value}",
    ),
    missing=Text(en="whether there is hardship now is not known", zh="当前是否有困难情况未知"),
    family="hardship",
)
def hardship_now(events: Events) -> pl.Expr:
    """Whether an event of kind hardship has happened by the observation date, and none of kind hardship_ended on the
    day of the latest hardship or after it.

    0 (no) when the loan has no such event; missing when events are not known.
    """
    return events.is_open(HARDSHIP)


@feature(
    group=Group.ABILITY,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="hardships, last {months}", zh="近{months}困难情况次数"),
    reason=Text(
        en="times that hardship came upon the borrower in the last {months}: {value}",
        zh="近{months}发生困难情况{value}次",
    ),
    missing=Text(en="hardships of the last {months} are not known", zh="近{months}是否发生困难情况未知"),
    family="hardship",
    months=(12,),
)
def hardship_count(events: Events, months: int) -> pl.Expr:
    """Events of kind hardship in the window, whether or not they have ended.

    By `happened_on`, the observation date included. 0 when there was none; missing when events are not known.
    """
    return events.counted(events.kind == HARDSHIP, months)
