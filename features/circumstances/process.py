"""Neither ability nor willingness: what the lender and others did about the loan."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Contacts, Events, Instalments, Payments, ratio
from features.words import Text, Unit

UNKNOWN_CONTACTS = Text(en="contacts by the lender are not known", zh="机构联系记录未知")
UNKNOWN_EVENTS = Text(en="events of the loan are not known", zh="贷款相关事件未知")


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="contacts by the lender, last {months}", zh="近{months}机构主动联系次数"),
    reason=Text(
        en="contacts and attempts by the lender in the last {months}: {value}",
        zh="近{months}机构主动联系{value}次（含未接通）",
    ),
    missing=UNKNOWN_CONTACTS,
    family="contacts by the lender",
    months=(1, 3, 6),
)
def outbound_contact_count(contacts: Contacts, months: int) -> pl.Expr:
    """Contacts in the window that the lender made or attempted (direction outbound), by any channel and with any
    result. 0 when there was none; missing when contacts were not sent.
    """
    return contacts.counted(contacts.outbound, months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="letters by the lender, last {months}", zh="近{months}机构寄送信函次数"),
    reason=Text(en="letters from the lender in the last {months}: {value}", zh="近{months}机构寄送信函{value}次"),
    missing=UNKNOWN_CONTACTS,
    family="contacts by the lender",
    months=(6,),
)
def outbound_letter_count(contacts: Contacts, months: int) -> pl.Expr:
    """Contacts in the window that the lender made or attempted by letter on paper (channel letter), with any result.
    0 when there was none; missing when contacts were not sent.
    """
    return contacts.counted(contacts.outbound & (contacts.channel == "letter"), months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="visits by the lender, last {months}", zh="近{months}机构上门次数"),
    reason=Text(en="visits and attempts by the lender in the last {months}: {value}", zh="近{months}机构上门{value}次"),
    missing=UNKNOWN_CONTACTS,
    family="contacts by the lender",
    months=(6,),
)
def outbound_visit_count(contacts: Contacts, months: int) -> pl.Expr:
    """Contacts in the window that the lender made or attempted in person (channel visit), with any result. 0 when there
    was none; missing when contacts were not sent.
    """
    return contacts.counted(contacts.outbound & (contacts.channel == "visit"), months)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="days since the lender's last contact", zh="距机构最近一次主动联系天数"),
    reason=Text(en="time since the lender's last contact or attempt: {value}", zh="机构最近一次主动联系距今{value}"),
    missing=Text(en="the lender made no contact, or contacts are not known", zh="机构未主动联系或联系记录未知"),
    family="contacts by the lender",
)
def days_since_outbound_contact(contacts: Contacts) -> pl.Expr:
    """Days from the latest contact that the lender made or attempted (direction outbound), by any channel and with any
    result, however long ago, to the observation date; 0 on the same day. Missing when there was none or contacts were
    not sent.
    """
    return contacts.days_since(contacts.contacted_on, contacts.outbound)


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="paid by others, last {months}", zh="近{months}非本人还款占比"),
    reason=Text(
        en="{value} of the money received in the last {months} was not paid by the borrower",
        zh="近{months}回款中有{value}来自他人代偿、理赔或扣划",
    ),
    missing=Text(
        en="no money was received in the last {months}, or payments are not known",
        zh="近{months}没有回款或还款情况未知",
    ),
    family="paid by others",
    months=(6, 12),
)
def others_paid_share(payments: Payments, months: int) -> pl.Expr:
    """Money of guarantors, third parties and insurers, and money that the bank set off against another account, over
    all money received, by value date in the window. A payment without a payer is the borrower's; a write-off is no
    money and in neither sum. Missing when no money was received in the window or payments were not sent.
    """
    received = payments.within(months) & payments.money
    return ratio(
        payments.amount.filter(received & payments.own.not_()).sum(),
        payments.amount.filter(received).sum(),
    )


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.COUNT,
    risk=Risk.FREE,
    label=Text(en="revisions of the schedule", zh="还款计划变更次数"),
    reason=Text(en="revisions of the repayment schedule so far: {value}", zh="还款计划已变更{value}次"),
    missing=Text(en="no schedule, and so no revision of one, is known", zh="还款计划及其变更情况未知"),
    family="changes of the contract",
)
def schedule_revision_count(instalments: Instalments) -> pl.Expr:
    """Number of the schedule in force, the highest one known by the observation date: 0 for the first, and one more for
    each revision. Missing without a schedule, or when the one in force has no instalment above 0.
    """
    return instalments.schedule


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="restructured or extended, last {months}", zh="近{months}重组或展期"),
    reason=Text(
        en="the loan was restructured or extended in the last {months}: {value}",
        zh="近{months}办理过重组或展期：{value}",
    ),
    missing=UNKNOWN_EVENTS,
    family="changes of the contract",
    months=(12,),
)
def restructured_or_extended(events: Events, months: int) -> pl.Expr:
    """Whether an event restructured or extended happened in the window. No when there was none; missing when events
    were not sent.
    """
    return events.counted(_changed(events), months) > 0


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.DAYS,
    risk=Risk.FREE,
    label=Text(en="days since restructured or extended", zh="距最近一次重组或展期天数"),
    reason=Text(
        en="time since the loan was last restructured or extended: {value}", zh="最近一次重组或展期距今{value}"
    ),
    missing=Text(en="never restructured or extended, or events are not known", zh="未曾重组或展期，或相关事件未知"),
    family="changes of the contract",
)
def days_since_restructured_or_extended(events: Events) -> pl.Expr:
    """Days from the latest event restructured or extended, however long ago, to the observation date; 0 on the same
    day. Missing when there was none or events were not sent.
    """
    return events.days_since(events.happened_on, _changed(events))


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="dispute open now", zh="当前有未了结异议"),
    reason=Text(en="a dispute about the loan is open: {value}", zh="对该笔贷款的异议尚未了结：{value}"),
    missing=UNKNOWN_EVENTS,
)
def dispute_now(events: Events) -> pl.Expr:
    """Whether an event dispute happened and no event dispute_ended on the day of the latest one or later. No when there
    was none; missing when events were not sent.
    """
    return events.is_open("dispute")


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.RISES,
    label=Text(en="called due early now", zh="当前已宣布提前到期"),
    reason=Text(en="the whole loan has been called due early: {value}", zh="贷款已被宣布提前到期：{value}"),
    missing=UNKNOWN_EVENTS,
    family="enforcement",
)
def accelerated_now(events: Events) -> pl.Expr:
    """Whether an event accelerated happened and no event restructured or extended on a later day than the latest one:
    a new agreement takes it back. No when there was none; missing when events were not sent.
    """
    called = events.happened_on.filter(events.kind == "accelerated").max()
    changed = events.happened_on.filter(_changed(events)).max()
    return called.is_not_null() & (changed.is_null() | (changed <= called))


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.YES_NO,
    risk=Risk.FREE,
    label=Text(en="legal action, last {months}", zh="近{months}法律程序"),
    reason=Text(
        en="the lender took legal action in the last {months}: {value}", zh="近{months}已启动法律程序：{value}"
    ),
    missing=UNKNOWN_EVENTS,
    family="enforcement",
    months=(12,),
)
def legal_action(events: Events, months: int) -> pl.Expr:
    """Whether an event legal_action happened in the window. No when there was none; missing when events were
    not sent.
    """
    return events.counted(events.kind == "legal_action", months) > 0


def _changed(events: Events) -> pl.Expr:
    return (events.kind == "restructured") | (events.kind == "extended")
