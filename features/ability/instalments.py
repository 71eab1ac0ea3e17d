"""Can they pay: how much of the instalments their own money met, and how deep in arrears the loan stands."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Instalments, ratio
from features.words import Text, Unit

MOST_ARREARS = 24.0
"""Two years of instalments in arrears are as good as all; beside a small last instalment it would be any number."""
MOST_AHEAD = 12.0
"""Having paid more than a year of instalments ahead says no more about ability than a year."""


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.FALLS,
    label=Text(en="own payments of the instalments due, last {months}", zh="近{months}到期期款本人偿还比例"),
    reason=Text(
        en="own payments met {value} of the instalments that fell due in the last {months}",
        zh="近{months}到期期款中本人已偿还{value}",
    ),
    missing=Text(
        en="no instalment fell due in the last {months}, or payments are not known",
        zh="近{months}没有期款到期或还款情况未知",
    ),
    family="payment to due",
    months=(1, 3, 6, 12),
)
def instalment_payment_to_due(instalments: Instalments, months: int) -> pl.Expr:
    """The borrower's own money that met instalments due in the window, over the amounts of these instalments.

    By the schedule in force. An instalment lies in the window by its due date, one due on the observation date
    included; what met it counts whenever it came up to the observation date, early or late. Payments meet instalments
    as the delinquency ledger allots them; money of anybody else and offsets do not count above, and lower the share.
    Missing when no instalment above 0 fell due in the window, or payments are not known.
    """
    return ratio(instalments.total(instalments.own_paid, months), instalments.total(instalments.amount, months))


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.FREE,
    label=Text(en="depth of part-paid instalments, last {months}", zh="近{months}期款部分偿还深度"),
    reason=Text(
        en="own payments met {value} of the instalments of the last {months} that they met in part",
        zh="近{months}仅部分偿还的期款中本人已偿还{value}",
    ),
    missing=Text(
        en="no instalment of the last {months} was met in part by own payments, or they are not known",
        zh="近{months}没有由本人部分偿还的期款或还款情况未知",
    ),
    family="payment to due",
    months=(12,),
)
def part_paid_depth(instalments: Instalments, months: int) -> pl.Expr:
    """The borrower's own money over the amount due, on instalments that fell due in the window and that own money met
    in part: with more than 0 and less than the whole amount.

    By the schedule in force and the due date, the observation date included; own money counts whenever it came up to
    the observation date. The rest may be unpaid or paid by others. Missing when there is no such instalment, or
    payments are not known. No direction: a first small payment on an unpaid instalment makes the depth smaller.
    """
    in_part = (instalments.own_paid > 0) & (instalments.own_paid < instalments.amount)
    return ratio(
        instalments.total(instalments.own_paid, months, where=in_part),
        instalments.total(instalments.amount, months, where=in_part),
    )


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.RISES,
    label=Text(en="arrears in instalments", zh="逾期未还金额与单期期款之比"),
    reason=Text(
        en="the arrears come to {value} of the latest instalment due", zh="逾期未还金额为最近一期到期期款的{value}"
    ),
    missing=Text(
        en="no instalment has fallen due to measure arrears by, or payments are not known",
        zh="尚无到期期款可衡量逾期金额或还款情况未知",
    ),
    family="depth of arrears",
    capped_at=MOST_ARREARS,
)
def arrears_to_instalment(instalments: Instalments) -> pl.Expr:
    """What is unpaid of the instalments that fell due before the observation date, over the whole amount of the latest
    instalment due by it; at most 24.

    By the schedule in force; the latest is the last by due date, then number, of the instalments above 0 that fell due
    up to the observation date, that day included. Whoever paid, what is paid is no arrears; an instalment due on the
    observation date is none yet. 0 when nothing is in arrears; missing when no instalment above 0 has fallen due, or
    payments are not known.
    """
    return ratio(_arrears(instalments), instalments.amount.filter(instalments.due).last(), most=MOST_ARREARS)


@feature(
    group=Group.ABILITY,
    unit=Unit.SHARE,
    risk=Risk.RISES,
    label=Text(en="debt in arrears", zh="剩余欠款逾期占比"),
    reason=Text(en="{value} of the amount outstanding is in arrears", zh="剩余欠款中有{value}已逾期"),
    missing=Text(
        en="nothing is outstanding by the schedule, or payments are not known",
        zh="还款计划中没有剩余欠款或还款情况未知",
    ),
    family="depth of arrears",
)
def arrears_to_outstanding(instalments: Instalments) -> pl.Expr:
    """What is unpaid of the instalments that fell due before the observation date, over the amount outstanding.

    By the schedule in force. Outstanding: what is unpaid of the instalments that fell due before the observation date
    and, of each later one, the smaller of what is unpaid and its principal. 0 when nothing is in arrears; missing when
    nothing is outstanding, or payments are not known.
    """
    # Interest due today is left out like interest to come: money meets it before older principal, and a payment would
    # otherwise make the same arrears a larger share of what is left.
    later = pl.min_horizontal(instalments.unpaid, instalments.principal)
    outstanding = pl.when(instalments.overdue).then(instalments.unpaid).otherwise(later)
    return ratio(_arrears(instalments), outstanding.sum())


@feature(
    group=Group.ABILITY,
    unit=Unit.RATIO,
    risk=Risk.FALLS,
    label=Text(en="paid ahead in instalments", zh="提前还款与单期期款之比"),
    reason=Text(
        en="own payments on instalments to come amount to {value} of the next one",
        zh="本人对未到期期款的提前还款为下一期期款的{value}",
    ),
    missing=Text(en="no instalment is to come, or payments are not known", zh="没有未到期期款或还款情况未知"),
    family="paid ahead",
    capped_at=MOST_AHEAD,
)
def paid_ahead(instalments: Instalments) -> pl.Expr:
    """The borrower's own money that met instalments due after the observation date, over the whole amount of the next
    of them; at most 12.

    By the schedule in force; the next is the first by due date, then number, of the instalments above 0 that fall due
    after the observation date. 0 when nothing was paid ahead; missing when no instalment above 0 is to come, or
    payments are not known.
    """
    to_come = instalments.due.not_()
    ahead = instalments.own_paid.filter(to_come).drop_nulls()
    paid = pl.when(ahead.len() > 0).then(ahead.sum())
    return ratio(paid, instalments.amount.filter(to_come).first(), most=MOST_AHEAD)


def _arrears(instalments: Instalments) -> pl.Expr:
    """Return what is unpaid of the instalments that are overdue; missing when payments are not known."""
    unpaid = instalments.unpaid
    return pl.when(unpaid.drop_nulls().len() > 0).then(unpaid.filter(instalments.overdue).sum())
