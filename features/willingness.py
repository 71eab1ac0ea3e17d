"""Do they choose to pay: how often a statement went unpaid, how often it was late, and how long ago."""

from __future__ import annotations

import polars as pl

from features.declaration import Group, Risk, feature
from features.views import Statements
from features.words import Text, Unit


@feature(
    group=Group.WILLINGNESS,
    unit=Unit.COUNT,
    risk=Risk.RISES,
    label=Text(en="late statements, {months}", zh="近{months}逾期账单数"),
    reason=Text(en="statements overdue in {months}: {value}", zh="近{months}有{value}期账单逾期"),
    missing=Text(en="no statement in {months}", zh="近{months}没有账单"),
    family="late statements",
    months=(3, 6),
)
def late_count(statements: Statements, months: int) -> pl.Expr:
    """Statements of the window that were overdue."""
    return statements.count(statements.late, months)
