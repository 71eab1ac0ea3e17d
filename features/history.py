"""What was known about each loan at its observation date, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import cast
from zoneinfo import available_timezones

import polars as pl

from features.errors import ConfigurationRefused, DataRefused
from features.statement_ledger import statement_ledger
from features.tables import SCORED, Tables

CASE = "case"
"""Row number of a loan on its observation date; the same loan may stand in a cohort on several dates."""

LOANS_NAMED = 5


@dataclass(frozen=True)
class History:
    """The tables as they stood on the observation dates; made by `History.as_of`, the only door to a feature.

    `cases` has one row per loan and observation date: `case`, `loan_id`, `observed_on`. `known` holds the tables'
    rows that were recorded by the end of that day, each with its `case`.
    """

    cases: pl.DataFrame
    known: Tables

    @classmethod
    def as_of(cls, day: date | pl.DataFrame, tables: Tables, *, zone: str = "UTC") -> History:
        """Return what was known at the end of a day, for every loan known then, or for given loans and days.

        Parameters
        ----------
        day : one observation date for all loans, or a frame with `loan_id` and `observed_on`, one row per case
        tables : the lender's tables
        zone : IANA name of the zone in which the lender's days begin and end

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
            cases = _closed(tables.loans.select("loan_id", observed_on=pl.lit(day)), zone)
            known = tables.loans.get_column("recorded_at") < cases.get_column("closed_at")
            cases = cases.filter(known).with_row_index(CASE)
        return cls(cases=cases.select(CASE, "loan_id", "observed_on"), known=_known(tables, cases))

    @cached_property
    def statements(self) -> pl.DataFrame | None:
        """The statement ledger, or None when no statements were sent."""
        if self.known.statements is None:
            return None
        return statement_ledger(self.known.statements, self.known.loans, self.known.payments)

    def of(self, chosen: pl.Series) -> History:
        """Return the history of some cases, chosen by a mark for each."""
        cases = self.cases.filter(chosen)
        wanted = cases.get_column(CASE).implode()
        return History(
            cases=cases,
            known=Tables(**{name: frame.filter(pl.col(CASE).is_in(wanted)) for name, frame in self.known.items()}),
        )

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
    joined = cases.join(loans.select("loan_id", "recorded_at"), on="loan_id", how="left", maintain_order="left")
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
    frames: dict[str, pl.DataFrame] = {}
    for name, frame in tables.items():
        rows = frame.join(cases, on="loan_id", how="inner")
        known = pl.col("recorded_at") < pl.col("closed_at")
        if SCORED[name].happened is not None:
            known &= pl.col(str(SCORED[name].happened)) <= pl.col("observed_on")
        frames[name] = rows.filter(known).drop("closed_at").sort(CASE)
    return Tables(**frames)
