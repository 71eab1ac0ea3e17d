"""A lender's book on a day: its tables, what became of the loans where that is known, and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from features.errors import ConfigurationRefused, UsageError
from features.history import is_zone
from features.tables import Tables


@dataclass(frozen=True)
class Portfolio:
    """One book of loans.

    Attributes
    ----------
    observed_on : the observation date that the book is meant for; None when the caller must say
    zone : IANA time zone in which the lender's days end
    outcomes : table `outcomes`, or None; never shown to a feature
    protected : table `protected`, or None; for fairness reports alone
    """

    name: str
    tables: Tables
    observed_on: date | None
    zone: str
    outcomes: pl.DataFrame | None
    protected: pl.DataFrame | None
    source: str


def open_portfolio(name_or_path: str, zone: str | None = None) -> Portfolio:
    """Return a built-in book by its name, or the book in a folder of table files.

    Parameters
    ----------
    zone : IANA name of the zone in which the lender's days end; None for the built-in book's own, UTC for a folder's

    Raises
    ------
    ConfigurationRefused : neither a built-in name nor a folder, or an unknown zone
    DataRefused : a file of the folder is missing or cannot be read
    TablesRefused : the folder's tables break their declaration
    """
    from features.portfolios import folder, taiwan

    _require_zone(zone)
    built_in: Mapping[str, Callable[[], Portfolio]] = {"taiwan": taiwan.book}
    if name_or_path in built_in:
        own = built_in[name_or_path]()
        return own if zone is None else replace(own, zone=zone)
    return folder.book(name_or_path, zone=zone or "UTC", built_in=tuple(built_in))


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
