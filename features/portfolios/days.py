"""Days and instants as a lender's files write them."""

from __future__ import annotations

import polars as pl

from features.portfolios.portfolio_file import Format
from features.schemas import NO_DAY

ISO_DAY = "%Y-%m-%d"
INSTANT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])$"
)
BEGINNING = NO_DAY
"""A fact whose day the file does not know counts as always known."""


def patterns(form: Format | None) -> tuple[str, ...]:
    """Return the ways in which days are written, ISO 8601 where nothing is said."""
    return (ISO_DAY,) if not form else (form,) if isinstance(form, str) else form


def days_in(texts: pl.Series, ways: tuple[str, ...]) -> pl.Series:
    """Return texts as days, each by the first way that fits it; null where none does."""
    found = _days(texts, ways[0])
    for way in ways[1:]:
        found = found.zip_with(found.is_not_null(), _days(texts, way))
    return found


def _days(texts: pl.Series, pattern: str) -> pl.Series:
    """Return texts as days; a format without a day, such as "%b-%Y", means the first of the month."""
    if "%d" in pattern or "%j" in pattern:
        return texts.str.to_date(pattern, strict=False)
    return (texts + " 01").str.to_date(pattern + " %d", strict=False)


def at_hour(day: pl.Series, hour: str, zone: str) -> pl.Series:
    """Return the instant of an hour on each day."""
    hours, _, minutes = hour.partition(":")
    local = day.cast(pl.Datetime("us")).dt.offset_by(f"{int(hours)}h{int(minutes or 0)}m")
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def noon(day: pl.Series) -> pl.Series:
    """Return noon of each day in UTC."""
    return at_hour(day, "12:00", "UTC")


def beginning(height: int) -> pl.Series:
    """Return the day of what counts as always known, for each row."""
    return pl.repeat(BEGINNING, height, dtype=pl.Date, eager=True)
