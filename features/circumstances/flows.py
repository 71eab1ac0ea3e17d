"""Neither ability nor willingness: how far back the movements on the bank account are known."""

from __future__ import annotations

import polars as pl

from features.account_flows import months_ago
from features.declaration import Group, Risk, feature
from features.views import Flows
from features.words import Text, Unit


@feature(
    group=Group.CIRCUMSTANCES,
    unit=Unit.MONTHS,
    risk=Risk.FALLS,
    label=Text(en="months of account movements", zh="账户流水月数"),
    reason=Text(en="the account movements known go back {value}", zh="已知账户流水可追溯{value}"),
    missing=Text(en="no movement on a bank account is known", zh="没有已知的账户流水"),
)
def account_months(flows: Flows) -> pl.Expr:
    """Months from the oldest movement known, however old, to the observation date, a month begun counting whole.

    Months are counted back from the observation date, which the first ends with: 1 when all movements lie in the window
    of the last month. Missing when no movement is known.
    """
    return months_ago(flows.booked_on.min(), pl.col("observed_on").first())
