"""What was known about each loan at its observation date, and nothing later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import cast
from zoneinfo import available_timezones

import polars as pl

from features.delinquency import LAWFUL, Allocation, Delinquency, delinquency, spells
from features.errors import ConfigurationRefused, DataRefused
from features.ordering import sorted_by
from features.queries import FEW, all_answered, answered
from features.statement_ledger import statement_ledger
from features.tables import BORROWER, Tables, declaration, order_of_time
from features.windows import marks

CASE = "case"
"""Row number of a loan on its observation date; the same loan may stand in a cohort on several dates."""

LOANS_NAMED = 5


@dataclass(frozen=True)
class History:
    """The tables as they stood on the observation dates; made by `History.as_of`, the only door to a feature.

    `cases` has one row per loan and observation date: `case`, `loan_id`, `observed_on`. `known` holds, for each fact,
    the row that was recorded last by the end of that day, with its `case`; a table about borrowers has a borrower's
    rows once for each of its cases.
    """

    cases: pl.DataFrame
    known: Tables
    zone: str = "UTC"
    allocation: Allocation = LAWFUL

    @classmethod
    def as_of(
        cls, day: date | pl.DataFrame, tables: Tables, *, zone: str = "UTC", allocation: Allocation = LAWFUL
    ) -> History:
        """Return what was known at the end of a day, for every loan known then, or for given loans and days.

        Parameters
        ----------
        day : one observation date for all loans, or a frame with `loan_id` and `observed_on`, one row per case
        tables : the lender's tables
        zone : IANA name of the zone in which the lender's days begin and end
        allocation : the order in which payments meet what is due

        Raises
        ------
        DataRefused : a loan of the frame is not in the tables, or was recorded after its observation date
        ConfigurationRefused : the zone does not exist
        """
        _check_zone(zone)
        if isinstance(day, pl.DataFrame):
            wanted = day.lazy().select(pl.col("loan_id").cast(pl.String), pl.col("observed_on").cast(pl.Date))
            cases = answered(wanted.with_row_index(CASE).with_columns(closed_at=_closed_at(zone)))
            _require_known(cases, tables.loans)
        else:
            cases = answered(
                tables.loans.lazy()
                .select("loan_id", "recorded_at", observed_on=pl.lit(day))
                .with_columns(closed_at=_closed_at(zone))
                .filter(pl.col("recorded_at") < pl.col("closed_at"))
                .drop("recorded_at")
                .unique("loan_id", keep="first", maintain_order=True)
                .with_row_index(CASE)
            )
        return cls(cases.select(CASE, "loan_id", "observed_on"), _known(tables, cases), zone, allocation)

    @cached_property
    def statements(self) -> pl.DataFrame | None:
        """The statement ledger, or None when no statements were sent."""
        if self.known.statements is None:
            return None
        return statement_ledger(self.known.statements, self.known.loans, self.known.payments)

    @cached_property
    def delinquency(self) -> Delinquency | None:
        """The delinquency ledger of the loans with a schedule, or None when no instalments were sent."""
        if self.known.instalments is None:
            return None
        begins = pl.col("first_recorded_at").dt.convert_time_zone(self.zone)
        in_force = self.known.instalments.lazy().with_columns(in_force_at=begins).drop("first_recorded_at")
        return delinquency(answered(in_force), self.known.payments, self.allocation)

    @cached_property
    def instalments(self) -> pl.DataFrame | None:
        """The ledger's rows of the schedule that is in force on the observation date."""
        return None if self.delinquency is None else answered(self.delinquency.instalments.lazy().filter("current"))

    @cached_property
    def spells(self) -> pl.DataFrame | None:
        """The spells of delinquency by the schedule that is in force."""
        return None if self.instalments is None else spells(self.instalments)

    @cached_property
    def is_small(self) -> bool:
        """Whether so few rows are known that what is asked of them is best asked together."""
        return len(self.cases) + self.known.height < FEW

    def windowed(self, name: str) -> pl.LazyFrame | None:
        """Return a table's known rows, each marked with the windows it happened in; None when it was not sent."""
        frame: pl.DataFrame | None = getattr(self.known, name)
        return None if frame is None else frame.lazy().with_columns(marks(str(declaration(name).happened)))

    def of(self, chosen: pl.Series) -> History:
        """Return the history of some cases, chosen by a mark for each."""
        cases = self.cases.filter(chosen)
        wanted = cases.get_column(CASE).implode()
        known = Tables(**{name: frame.filter(pl.col(CASE).is_in(wanted)) for name, frame in self.known.items()})
        return replace(self, cases=cases, known=known)

    @property
    def loan_ids(self) -> list[str]:
        """The loan of each case, in order."""
        return cast("list[str]", self.cases.get_column("loan_id").to_list())


@lru_cache(maxsize=1)
def _machine_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Return whether a time zone is known to this machine and to Polars, which carries a list of its own."""
    if name not in _machine_zones():
        return False
    try:
        pl.Series([datetime(2000, 1, 1)]).dt.replace_time_zone(name)  # noqa: DTZ001 - made aware in the same line
    except pl.exceptions.PolarsError:
        return False
    return True


def _check_zone(zone: str) -> None:
    if not is_zone(zone):
        raise ConfigurationRefused(
            "an unknown time zone",
            where="History.as_of",
            expected="an IANA name such as Asia/Taipei",
            do="correct the zone, or leave it out for UTC",
        )


SKIPPED_HOURS = (0, 1, 2, 24)
"""Hours that clocks have skipped at midnight, 24 where a whole day was left out (Samoa, 30 December 2011)."""


@lru_cache(maxsize=64)
def _closed_at(zone: str) -> pl.Expr:
    """Return the instant at which an observation date ends: what is recorded from then on does not exist."""
    next_day = pl.col("observed_on").dt.offset_by("1d").cast(pl.Datetime("us"))
    # Where clocks go forward at midnight the day has no first instant; the first that exists is the same instant.
    first_instants = [
        next_day.dt.offset_by(f"{hours}h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        for hours in SKIPPED_HOURS
    ]
    return pl.coalesce(first_instants).dt.convert_time_zone("UTC")


def _require_known(cases: pl.DataFrame, loans: pl.DataFrame) -> None:
    first = loans.group_by("loan_id").agg(pl.col("recorded_at").min())
    joined = cases.join(first, on="loan_id", how="left", maintain_order="left")
    known = (pl.col("recorded_at") < pl.col("closed_at")).fill_null(value=False)
    unknown = joined.filter(known.not_())
    if unknown.height:
        ids = ", ".join(f"'{loan}'" for loan in unknown.get_column("loan_id").head(LOANS_NAMED))
        raise DataRefused(
            f"{unknown.height} of the loans to observe ({ids}) are not known by the end of their observation date",
            where="table 'loans', column 'recorded_at'",
            expected="an observation date, and a row for each loan that was recorded on or before it",
            do="send the loan's row, or observe it on a later date",
        )


def _known(tables: Tables, cases: pl.DataFrame) -> Tables:
    few = tables.height < FEW
    loans = _in_order({"loans": _rows_known("loans", tables, cases)}, few=few)
    owners = answered(
        cases.lazy().join(loans["loans"].lazy().select(CASE, BORROWER), on=CASE, how="inner").drop("loan_id")
    )
    whose = {"loan_id": cases, BORROWER: owners}
    others = {
        name: _rows_known(name, tables, whose[declaration(name).about]) for name, _ in tables.items() if name != "loans"
    }
    return Tables(**loans, **_in_order(others, few=few))


def _rows_known(name: str, tables: Tables, whose: pl.DataFrame) -> pl.LazyFrame:
    """Return a table's rows that were known at the end of each case's observation date, the latest of each fact."""
    declared = declaration(name)
    sent: pl.LazyFrame = getattr(tables, name).lazy()
    rows = sent.join(whose.lazy(), on=declared.about, how="left", maintain_order="left_right")  # faster than inner
    known = pl.col("recorded_at") < pl.col("closed_at")
    happened = None if declared.happened is None else pl.col(declared.happened) <= pl.col("observed_on")
    if name not in tables.restated:
        rows = rows.filter(known if happened is None else known & happened)
        if name == "instalments":
            rows = rows.with_columns(first_recorded_at="recorded_at")
    else:
        rows = rows.filter(known)
        if name == "instalments":  # a correction of a schedule does not move the day on which it began to count
            rows = rows.with_columns(first_recorded_at=pl.col("recorded_at").min().over(CASE, "schedule"))
        identity = [CASE, *declared.identity()]
        rows = rows.sort("recorded_at").unique(identity, keep="last", maintain_order=True)
        if happened is not None:  # of the latest recording: a payment may be corrected to a day to come
            rows = rows.filter(happened)
    return rows.drop("closed_at")


def _in_order(queries: Mapping[str, pl.LazyFrame], *, few: bool) -> dict[str, pl.DataFrame]:
    """Return known rows by case and in order of time; of many, one table after another, for each fills memory."""
    orders = {name: [CASE, *order_of_time(name)] for name in queries}
    if few:
        found = all_answered([query.sort(orders[name]) for name, query in queries.items()])
        return dict(zip(queries, found, strict=True))
    return {name: sorted_by(answered(query), orders[name]) for name, query in queries.items()}
