"""Whether requests still have the form that they had: the code that makes their features, and the tables sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from training.monitoring.alarms import Kind, Test
from training.monitoring.months import Month
from training.monitoring.policy import Written


@dataclass(frozen=True)
class Form:
    """The form of a month's requests.

    Attributes
    ----------
    fingerprints : cases by the fingerprint of the code that computed their features
    tables : the share of cases for which each table was sent
    """

    month: str
    fingerprints: dict[str, int]
    tables: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return dict(vars(self))


def forms(months: Sequence[Month], version: str, fingerprint: str, rules: Written) -> list[tuple[Form, list[Test]]]:
    """Return each month's form and what is wrong with it. These are facts: chance has no part in them.

    Parameters
    ----------
    fingerprint : that of the version, as it was fitted
    """
    told: list[tuple[Form, list[Test]]] = []
    always: dict[int, set[str]] = {}
    for month in months:
        form = _form(month)
        other = sum(count for made_by, count in form.fingerprints.items() if made_by != fingerprint)
        tests = [Test(Kind.FINGERPRINT, version, float(other), 1.0, 0.0, f"{other:,}")] if other else []
        for table in sorted(always.get(month.era, set())):
            share = form.tables.get(table, 0.0)
            tests.append(Test(Kind.TABLE, table, 1 - share, rules.tables.absent_share, 0.0, f"{share:.0%}"))
        whole = {table for table, share in form.tables.items() if share == 1}
        always[month.era] = always[month.era] & whole if month.era in always else whole
        told.append((form, tests))
    return told


def _form(month: Month) -> Form:
    fingerprints = month.cases.group_by("fingerprint").len().sort("fingerprint")
    sent = (
        month.cases.select(pl.col("tables").explode().alias("table")).drop_nulls().group_by("table").len().sort("table")
    )
    return Form(
        month.name,
        dict(fingerprints.iter_rows()),
        {table: count / len(month) for table, count in sent.iter_rows()},
    )
