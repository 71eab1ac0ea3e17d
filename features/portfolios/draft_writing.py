"""How a lender's file is written: its encoding, the sign between its columns, and those in its numbers."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from features.portfolios.numbers import POINT, Notation
from features.portfolios.reading import UTF_8, bytes_of, other_text

SEPARATORS = (",", ";", "\t", "|")
LINES = 50
"""Lines that the separator is guessed from."""
LOOKED_AT = 1 << 22
"""Bytes from which an encoding is guessed."""
IN_PAIRS = 0.5
"""Share of the bytes beyond ASCII that stand in runs of even length in a Chinese text at least: a sign is two bytes."""
CHINESE, WESTERN, WIDE = "gb18030", "cp1252", "utf-16"
NOTATIONS = (
    Notation(".", ","),
    Notation(","),
    Notation(",", "."),
    Notation(",", " "),
    Notation(".", " "),
    Notation(".", "'"),
    Notation(",", "'"),
)
"""How numbers are written otherwise than 1234.5; of several that fit as many columns, the first counts."""


def encoding_of(path: Path) -> str:
    """Return the encoding of a CSV file by the name that a portfolio file has for it.

    Raises
    ------
    DataRefused : it cannot be read, or is in none that can be told
    """
    refusal = other_text(path)
    if refusal is None:
        return UTF_8
    try:
        start = bytes_of(path)[:LOOKED_AT]
    except OSError:
        raise refusal from None
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return WIDE
    runs = re.findall(rb"[\x80-\xff]+", start)
    paired = sum(len(run) for run in runs if len(run) % 2 == 0)
    if _is(CHINESE, start) and paired >= IN_PAIRS * sum(map(len, runs)):
        return CHINESE
    if _is(WESTERN, start):
        return WESTERN
    raise refusal


def _is(encoding: str, start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(start)
    except UnicodeError:
        return False
    return True


def separator_of(path: Path, encoding: str) -> str:
    """Return the sign between the columns of a CSV file."""
    lines = _lines(path, encoding)
    if not lines:
        return ","
    counts = {sign: [_outside_quotes(line).count(sign) for line in lines] for sign in SEPARATORS}
    # A sign that comes equally often in every line, first; then the one that comes most often in the first line.
    return max(SEPARATORS, key=lambda sign: (counts[sign][0] > 0 and len(set(counts[sign])) == 1, counts[sign][0]))


def notation_of(columns: Iterable[pl.Series]) -> Notation:
    """Return how numbers are written in the columns of a file: the way in which most columns are numbers.

    Parameters
    ----------
    columns : texts without those that stand for no value
    """
    every = [known for column in columns if len(known := column.drop_nulls().str.strip_chars().unique())]
    strange = [known for known in every if POINT.numbers(known.head(LINES)).null_count()]
    counts = {how: sum(_fits(how, known) for known in strange) for how in NOTATIONS}
    best = max(NOTATIONS, key=lambda how: counts[how])
    if not counts[best]:
        return POINT
    # A file whose numbers have points as well is no file with commas: these are texts.
    plain = [known for known in every if _fits(POINT, known) and not _fits(best, known)]
    return POINT if len(plain) >= counts[best] else best


def _fits(how: Notation, known: pl.Series) -> bool:
    return how.numbers(known.head(LINES)).null_count() == 0 and how.numbers(known).null_count() == 0


def _lines(path: Path, encoding: str) -> list[str]:
    try:
        text = bytes_of(path)[:LOOKED_AT].decode("utf-8-sig" if encoding == UTF_8 else encoding, errors="replace")
    except OSError:
        return []  # reading the whole file tells what is wrong with it
    return [line.rstrip("\r") for line in text.split("\n")[: 2 * LINES] if line.strip()][:LINES]


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])
