"""A lender's book: its tables, where it stands, what became of the loans where that is known, and whence it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from features.catalog import Catalog, catalog
from features.declaration import Feature
from features.declared import Declaration, declared_features
from features.delinquency import LAWFUL, Allocation
from features.errors import ConfigurationRefused, UsageError
from features.history import History, is_zone
from features.portfolios.raw import AS_DECLARED, RawRows
from features.tables import Tables

BUILT_IN = ("taiwan", "simulated")
"""Books that are there at once: one that ships, one that is made."""
SHIPPED = ("german", "lendingclub", "lendingclub_recovery", "berka")
"""Books whose portfolio file ships with the release and whose data do not."""


@dataclass(frozen=True)
class Portfolio:
    """One book of loans.

    Attributes
    ----------
    observed_on : the observation date that the book is meant for; None when the caller must say
    zone : IANA time zone in which the lender's days end
    outcomes : table `outcomes`, or None; never shown to a feature
    protected : table `protected`, or None; for fairness reports alone
    observe_each : each loan is observed on the day of its application
    observed_dates : several observation dates, for a cohort of many
    declared : the lender's own features, by name
    cards : what the book's cards have otherwise than the release's, by the card's name
    card : the card that the book is meant for
    split : how its cases are split to judge a card: `by` and `test_from`; None: by the cases themselves
    allocation : the order in which payments meet what is due
    raw : how the columns of table `facts` come out of the lender's own rows
    truth : what a simulated lender knows of its borrowers and a real one never does
    not_counted : rows of the lender's files that do not count, and why, in sentences
    doubts : what of the rows read looks wrong and is no fault, in sentences
    """

    name: str
    tables: Tables
    observed_on: date | None
    zone: str
    outcomes: pl.DataFrame | None
    protected: pl.DataFrame | None
    source: str
    observe_each: bool = False
    observed_dates: tuple[date, ...] = ()
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    card: str = "collection"
    split: tuple[str, date | None] | None = None
    allocation: Allocation = LAWFUL
    raw: RawRows = AS_DECLARED
    truth: pl.DataFrame | None = None
    not_counted: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The lender's own features."""
        return declared_features(self.declared).features

    @property
    def unsaid(self) -> tuple[str, ...]:
        """The words that the lender's own features and cards still lack."""
        return (*declared_features(self.declared).unsaid, *self._unsaid_of_cards())

    def _unsaid_of_cards(self) -> Iterator[str]:
        for name, changes in self.cards.items():
            outcome = changes.get("outcome")
            lacking = [] if outcome is None else [one for one in ("en", "zh") if not str(outcome.get(one, "")).strip()]
            if lacking:
                yield f"card '{name}', outcome: {' and '.join(lacking)}"

    @cached_property
    def catalog(self) -> Catalog:
        """The release's features and then the lender's own."""
        return catalog().and_declared(self.features)

    def history(self, as_of: date | None = None) -> History:
        """Return what was known where the book is observed: on one day, on several, or at each application.

        Parameters
        ----------
        as_of : the observation date, in place of the book's own; loans observed at their application: the last day

        Raises
        ------
        UsageError : the book has no observation date of its own and none is given
        """
        return History.as_of(self._observed(as_of), self.tables, zone=self.zone, allocation=self.allocation)

    def to_score(self, as_of: date | None = None) -> History:
        """Return what was known of each loan on the one day on which it is scored.

        That is the day asked for, else the book's own, of several the latest: a loan that stands in a work list once
        for each date of a cohort would be worked several times.

        Raises
        ------
        UsageError : the book has no observation date of its own and none is given
        """
        return self.history(as_of or self.latest_of_several)

    @property
    def latest_of_several(self) -> date | None:
        """The latest of the book's observation dates where it has several; None where it has not."""
        return max(self.observed_dates, default=None)

    def _observed(self, as_of: date | None) -> date | pl.DataFrame:
        if self.observe_each:
            applied = self.tables.loans.sort("recorded_at").unique("loan_id", keep="last", maintain_order=True)
            cases = applied.select("loan_id", observed_on="applied_on").drop_nulls()
            return cases if as_of is None else cases.filter(pl.col("observed_on") <= as_of)
        if self.observed_dates and as_of is None:
            return pl.concat(
                History.as_of(day, self.tables, zone=self.zone).cases.select("loan_id", "observed_on")
                for day in self.observed_dates
            )
        return observation_date(self, as_of)


def open_portfolio(
    name_or_path: str, zone: str | None = None, *, data: Path | None = None, outcomes: bool = True
) -> Portfolio:
    """Return a built-in book by its name, the book that a portfolio file describes, or the book in a folder of tables.

    Parameters
    ----------
    zone : IANA name of the zone in which the lender's days end; None for the book's own, UTC for a plain folder
    data : the folder of the files that a portfolio file names; by default the one it lies in
    outcomes : read what became of the loans that a portfolio file describes; to score them, nothing of it need be there

    Raises
    ------
    ConfigurationRefused : neither a built-in name nor a file nor a folder, an unknown zone, or faults in the file
    DataRefused : a file of the book is missing or cannot be read
    TablesRefused : its tables break their declaration
    """
    from features.portfolios import described, folder

    _require_zone(zone)
    if name_or_path in BUILT_IN:
        book = _built_in(name_or_path)
    elif name_or_path in SHIPPED:
        book = described.shipped(name_or_path, data, outcomes=outcomes)
    elif name_or_path.endswith(".toml"):
        book = described.book(Path(name_or_path), data, outcomes=outcomes)
    elif (Path(name_or_path) / described.FILE).is_file():
        book = described.book(Path(name_or_path) / described.FILE, data, outcomes=outcomes)
    else:
        return folder.book(name_or_path, zone=zone or "UTC", built_in=(*BUILT_IN, *SHIPPED))
    return book if zone is None else replace(book, zone=zone)


def _built_in(name: str) -> Portfolio:
    if name == "taiwan":
        from features.portfolios import taiwan

        return taiwan.book()
    from features.portfolios import simulated

    return simulated.book()


def _require_zone(zone: str | None) -> None:
    if zone is not None and not is_zone(zone):
        raise ConfigurationRefused(
            "an unknown time zone",
            where=f"zone '{zone}'",
            expected="an IANA name such as Asia/Shanghai",
            do="correct the name, or leave it out",
        )


def observation_date(portfolio: Portfolio, as_of: date | None) -> date:
    """Return the date to stand on: the caller's, or the one the portfolio is meant for."""
    day = as_of or portfolio.observed_on
    if day is None:
        raise UsageError(
            "no observation date",
            where=f"portfolio '{portfolio.name}'",
            expected="the day to stand on",
            do="add --as-of YYYY-MM-DD",
        )
    return day
