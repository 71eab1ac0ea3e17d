"""Do they choose to pay: whether the borrower answers when contacted, and makes contact unasked."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Contacts, ratio
from features.words import Text, Unit

NO_ATTEMPT = Text(
    en="nobody tried to speak with the borrower in the last {months}, or contacts are not known",
    zh="近{months}没有尝试与本人沟通或联系情况未知",
)
CONTACTS_UNKNOWN = Text(en="contacts are not known", zh="联系情况未知")


def attempt(contacts: Contacts) -> pl.Expr:
    """Return the mark of outbound contacts that the borrower could answer or not.

    A message or letter that was merely delivered is none: how many of them go out is the lender's choice, and silence
    after one says nothing.
    """
    return contacts.outbound & (pl.col("result") != "delivered")


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="attempts that reached the borrower, last {months}", zh="近{months}本人沟通率"),
    reason=Text(
        en="{value} of the attempts to speak with the borrower in the last {months} succeeded",
        zh="近{months}联系尝试中有{value}与本人取得沟通",
    ),
    missing=NO_ATTEMPT,
    family="reached",
    months=(1, 3, 6),
)
def reached_share(contacts: Contacts, months: int) -> pl.Expr:
    """Outbound attempts with the result borrower_reached over all outbound attempts, by the day of the contact in the
    window, the observation date included.

    An attempt is an outbound contact on any channel whose result is not delivered; no answer, dead numbers, other
    persons and contacts broken off count as attempts. Missing when there was none or contacts are not known.
    """
    tried = attempt(contacts)
    return ratio(contacts.counted(tried & contacts.reached, months), contacts.counted(tried, months))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="attempts not answered, last {months}", zh="近{months}联系无应答率"),
    reason=Text(
        en="{value} of the attempts to speak with the borrower in the last {months} met no answer",
        zh="近{months}联系尝试中有{value}无应答",
    ),
    missing=NO_ATTEMPT,
    family="not answered",
    months=(3, 6),
)
def unanswered_share(contacts: Contacts, months: int) -> pl.Expr:
    """Outbound attempts with the result no_answer or unreachable over all outbound attempts, by the day of the contact
    in the window, the observation date included.

    An attempt is an outbound contact on any channel whose result is not delivered. Missing when there was none or
    contacts are not known.
    """
    tried = attempt(contacts)
    return ratio(contacts.counted(tried & contacts.unanswered, months), contacts.counted(tried, months))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="attempts without answer in a row, last {months}", zh="近{months}连续无应答次数"),
    reason=Text(
        en="latest attempts in a row without an answer, last {months}: {value}",
        zh="近{months}最近连续{value}次联系无应答",
    ),
    missing=Text(
        en="no attempt and no contact by the borrower in the last {months}, or they are not known",
        zh="近{months}没有联系尝试和本人来电来信，或联系情况未知",
    ),
    family="not answered",
    months=(6,),
)
def unanswered_streak(contacts: Contacts, months: int) -> pl.Expr:
    """Outbound attempts with the result no_answer or unreachable in a row, counted back from the latest contact of the
    window, by the day of the contact, the observation date included.

    An attempt is an outbound contact on any channel whose result is not delivered. Any other attempt and any inbound
    contact ends the row; outbound contacts that were merely delivered are passed over. In order of the day, then the
    contact's identifier. Missing when the window holds neither an attempt nor an inbound contact, or contacts are not
    known.
    """
    counts = contacts.within(months) & (attempt(contacts) | contacts.inbound)
    heard = (contacts.inbound | contacts.unanswered.not_()).filter(counts)
    since_heard = heard.cast(pl.Int64).cum_sum(reverse=True) == 0
    return pl.when(heard.len() > 0).then(since_heard.sum().cast(pl.Int64))


# It falls: one who calls, perhaps for help, is never to be scored worse for calling.
@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FALLS,
    label=Text(en="contacts made by the borrower, last {months}", zh="近{months}本人主动联系次数"),
    reason=Text(
        en="times the borrower made contact in the last {months}: {value}", zh="近{months}本人主动联系{value}次"
    ),
    missing=CONTACTS_UNKNOWN,
    family="contact by the borrower",
    months=(3, 6),
)
def inbound_count(contacts: Contacts, months: int) -> pl.Expr:
    """Inbound contacts on any channel and of any result, by the day of the contact in the window, the observation date
    included.

    0 when there was none; missing when contacts are not known.
    """
    return contacts.counted(contacts.inbound, months)


# No direction: who pays in time is not called, and so was long not spoken with.
@feature(
    group=Group.WILLINGNESS,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="days since last two-way contact", zh="距上次双向沟通天数"),
    reason=Text(en="time since the borrower was last spoken with: {value}", zh="距上次与本人沟通已有{value}"),
    missing=Text(
        en="the borrower was never spoken with, or contacts are not known", zh="从未与本人取得沟通或联系情况未知"
    ),
    family="since last contact",
)
def days_since_two_way_contact(contacts: Contacts) -> pl.Expr:
    """Days from the latest two-way contact to the observation date.

    Two-way is an inbound contact of any result, and an outbound one with the result borrower_reached. Missing when
    there was none or contacts are not known.
    """
    return contacts.days_since(contacts.contacted_on, contacts.inbound | (contacts.outbound & contacts.reached))


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="attempts at a dead number or address, last {months}", zh="近{months}失联次数"),
    reason=Text(
        en="attempts in the last {months} that met a dead number or address: {value}",
        zh="近{months}联系时号码或地址失效{value}次",
    ),
    missing=CONTACTS_UNKNOWN,
    family="dead numbers",
    months=(3,),
)
def unreachable_count(contacts: Contacts, months: int) -> pl.Expr:
    """Outbound contacts with the result unreachable (the number or address is dead), by the day of the contact in the
    window, the observation date included.

    0 when there was none; missing when contacts are not known.
    """
    return contacts.counted(contacts.outbound & contacts.unreachable, months)


# No direction: nobody is bound to go on with a call.
@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="contacts broken off, last {months}", zh="近{months}本人中断沟通次数"),
    reason=Text(
        en="contacts the borrower broke off in the last {months}: {value}", zh="近{months}本人中断沟通{value}次"
    ),
    missing=CONTACTS_UNKNOWN,
    family="contact broken off",
    months=(6,),
)
def refused_count(contacts: Contacts, months: int) -> pl.Expr:
    """Outbound contacts with the result refused (the borrower broke off), by the day of the contact in the window, the
    observation date included.

    0 when there was none; missing when contacts are not known.
    """
    return contacts.counted(contacts.outbound & contacts.refused, months)
