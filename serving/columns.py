"""One column of a table as it came in JSON, turned into the type its declaration asks for, or its bad rows named."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

LONGEST_TEXT = 256
"""Most characters of an identifier: enough for any lender's, too few to hide a document in."""

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)[0-9]{0,3}([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

EXACT = 2**53
"""Up to here every whole number is exact as a floating-point number."""

BITS: Mapping[type[pl.DataType], int] = {pl.Int64: 64, pl.Int16: 16}

WORDS: Mapping[type[pl.DataType], str] = {
    pl.String: f"a text of at most {LONGEST_TEXT} printable characters, without control or direction marks",
    **{kind: f"a whole number of {bits} bits, written without a decimal point" for kind, bits in BITS.items()},
    pl.Float64: "a finite number",
    pl.Date: "a day written YYYY-MM-DD",
    pl.Datetime: "an instant written as in RFC 3339, with its offset, such as 2026-06-30T09:00:00+08:00",
}


def day(text: str) -> date | None:
    """Return the day that a text writes as YYYY-MM-DD, or None."""
    if not DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def instant(text: str) -> datetime | None:
    """Return the instant that a text writes as in RFC 3339, in UTC to the microsecond, or None.

    >>> instant("2026-06-30T09:00:00+08:00").isoformat()
    '2026-06-30T01:00:00+00:00'
    """
    written = INSTANT.fullmatch(text)
    if written is None:
        return None
    try:
        return datetime.fromisoformat(f"{written[1]}{written[2].upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _microseconds(text: str) -> int | None:
    """Return an instant as Polars keeps it: to hand it over as Python's object takes fifteen times as long."""
    told = instant(text)
    return None if told is None else (told - EPOCH) // MICROSECOND


def printable(text: str) -> str | None:
    """Return a text that may go into a file, a log or a page unharmed, or None.

    Not printable are control characters, U+0000, lone surrogates and the marks that turn the direction of writing.
    """
    return text if len(text) <= LONGEST_TEXT and text.isprintable() else None


def read(cells: Sequence[object], dtype: pl.DataType) -> tuple[pl.Series, list[int]]:
    """Return a column of a declared type and the rows that cannot be read as it; these and nulls are null in it."""
    wanted, reader = _reader(dtype)
    if wanted is float:  # JSON writes a whole number of either kind; true is no number
        cells = [_as_float(cell) if type(cell) is int else cell for cell in cells]
    if set(map(type, cells)) <= {wanted, type(None)}:
        typed, bad = list(cells), []
    else:
        # Exact types: to Python, true is an int and 1.0 equals 1.
        bad = [row for row, cell in enumerate(cells) if cell is not None and type(cell) is not wanted]
        typed = [cell if type(cell) is wanted else None for cell in cells]
    # Days, instants and states repeat down a column: each is read once.
    known = {cell: reader(cell) for cell in set(typed) if cell is not None}
    if None in known.values():
        bad += [row for row, cell in enumerate(typed) if cell is not None and known[cell] is None]
    known[None] = None
    values = [known[cell] for cell in typed]
    if isinstance(dtype, pl.Datetime):
        return pl.Series(values, dtype=pl.Int64).cast(dtype), sorted(bad)
    return pl.Series(values, dtype=dtype), sorted(bad)


def _as_float(cell: object) -> object:
    """Return a whole number as the same number with a point; one that would lose a digit stays what it is, and bad."""
    assert isinstance(cell, int), "asked for whole numbers only"
    return float(cell) if abs(cell) <= EXACT else cell


def expected(dtype: pl.DataType) -> str:
    """Return what a cell of a type must look like, in words."""
    if isinstance(dtype, pl.Enum):
        return f"one of {', '.join(dtype.categories.to_list())}"
    return WORDS[type(dtype)]


def _reader(dtype: pl.DataType) -> tuple[type, Callable[[Any], Any]]:
    if isinstance(dtype, pl.Enum):
        words = frozenset(dtype.categories.to_list())
        return str, lambda cell: cell if cell in words else None
    if isinstance(dtype, pl.Float64):
        return float, lambda cell: cell if math.isfinite(cell) else None
    if type(dtype) in BITS:
        bound = 2 ** (BITS[type(dtype)] - 1)
        return int, lambda cell: cell if -bound <= cell < bound else None
    return str, {pl.Date: day, pl.Datetime: _microseconds, pl.String: printable}[type(dtype)]
