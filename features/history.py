"""What was known about each loan at its observation date, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import cast
from zoneinfo import available_timezones

import polars as pl

from features.delinquency import LAWFUL, Allocation, Delinquency, delinquency, spells
from features.errors import ConfigurationRefused, DataRefused
from features.ordering import sorted_by
from features.schemas import Table
from features.statement_ledger import statement_ledger
from features.tables import BORROWER, Tables, declaration
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
            wanted = day.select(pl.col("loan_id").cast(pl.String), pl.col("observed_on").cast(pl.Date))
            cases = _closed(wanted.with_row_index(CASE), zone)
            _require_known(cases, tables.loans)
        else:
            closed = _closed(tables.loans.select("loan_id", "recorded_at", observed_on=pl.lit(day)), zone)
            known = closed.filter(pl.col("recorded_at") < pl.col("closed_at"))
            cases = known.drop("recorded_at").unique("loan_id", keep="first", maintain_order=True).with_row_index(CASE)
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
        in_force = self.known.instalments.with_columns(in_force_at=begins).drop("first_recorded_at")
        return delinquency(in_force, self.known.payments, self.allocation)

    @cached_property
    def instalments(self) -> pl.DataFrame | None:
        """The ledger's rows of the schedule that is in force on the observation date."""
        return None if self.delinquency is None else self.delinquency.instalments.filter("current")

    @cached_property
    def spells(self) -> pl.DataFrame | None:
        """The spells of delinquency by the schedule that is in force."""
        return None if self.instalments is None else spells(self.instalments)

    def windowed(self, name: str) -> pl.DataFrame | None:
        """Return a table's known rows, each marked with the windows it happened in; None when it was not sent."""
        frame: pl.DataFrame | None = getattr(self.known, name)
        return None if frame is None else frame.with_columns(marks(str(declaration(name).happened)))

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


def _closed(cases: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Add the instant at which each observation date ends: what is recorded from then on does not exist."""
    next_day = pl.col("observed_on").dt.offset_by("1d").cast(pl.Datetime("us"))
    # Where clocks go forward at midnight the day has no first instant; the first that exists is the same instant.
    first_instants = [
        next_day.dt.offset_by(f"{hours}h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        for hours in SKIPPED_HOURS
    ]
    return cases.with_columns(closed_at=pl.coalesce(first_instants).dt.convert_time_zone("UTC"))


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
    owners = cases
    frames: dict[str, pl.DataFrame] = {}
    for name, frame in tables.items():
        declared = declaration(name)
        whose = cases if declared.about == "loan_id" else owners
        rows = frame.join(whose, on=declared.about, how="left", maintain_order="left_right")  # faster than inner
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
        rows = rows.drop("closed_at")
        frames[name] = sorted_by(rows, [CASE, *_chronological(declared)])
        if name == "loans":
            owners = cases.join(frames[name].select(CASE, BORROWER), on=CASE, how="inner").drop("loan_id")
    return Tables(**frames)


def _chronological(declared: type[Table]) -> list[str]:
    """Return the columns that put one case's rows in order of time, and in one order only."""
    happened = [] if declared.happened is None else [declared.happened]
    return list(dict.fromkeys(column for column in [*happened, *declared.identity()] if column != declared.about))
