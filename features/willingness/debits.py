"""Do they choose to pay: whether the borrower took back the mandate for direct debit."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Debits
from features.words import Text, Unit


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="debits without mandate, last {months}", zh="近{months}代扣授权失效次数"),
    reason=Text(
        en="debits that met a withdrawn mandate or closed account, last {months}: {value}",
        zh="近{months}因授权撤销或账户注销代扣失败{value}次",
    ),
    missing=Text(en="attempts at direct debit are not known", zh="代扣记录未知"),
    family="debit mandate",
    months=(6, 12),
)
def mandate_withdrawn_count(debits: Debits, months: int) -> pl.Expr:
    """Attempts at direct debit with the result mandate_revoked or account_closed, by the day of the attempt in the
    window, the observation date included.

    0 when there was none, also when nothing was tried; missing when debit attempts are not known.
    """
    return debits.counted(debits.withdrawn, months)


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.YES_NO,
    risk=Risk.RISES,
    label=Text(en="latest debit without mandate", zh="最近一次代扣授权失效"),
    reason=Text(
        en="the latest debit met a withdrawn mandate or closed account: {value}",
        zh="最近一次代扣因授权撤销或账户注销失败：{value}",
    ),
    missing=Text(en="no direct debit was tried, or attempts are not known", zh="没有代扣记录或代扣情况未知"),
    family="debit mandate",
)
def mandate_withdrawn_latest(debits: Debits) -> pl.Expr:
    """Whether the latest attempt at direct debit had the result mandate_revoked or account_closed.

    The latest by the day of the attempt, then by its identifier. Missing when nothing was tried or debit attempts are
    not known.
    """
    return debits.withdrawn.last()
