"""How a lender's file writes numbers: with a point or a comma, and with or without a sign between the thousands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

ALIKE = {" ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
"""Signs between thousands that look alike: blanks of every width, and both apostrophes."""
ZEROS_IN_FRONT = r"^\s*[+-]?0[0-9]"
"""What looks like an identifier, not like a number: 007 is not 7."""


@dataclass(frozen=True)
class Notation:
    """The sign before the decimals, and the sign between the thousands where there is one.

    >>> Notation(",", ".").numbers(pl.Series(["1.234,50", "-9", "12.5"])).to_list()
    [1234.5, -9.0, None]
    """

    decimal: str = "."
    thousands: str = ""

    @property
    def example(self) -> str:
        """A number so written."""
        return f"1{self.thousands}234{self.decimal}5"

    @property
    def shape(self) -> str:
        """What a number looks like, as a pattern."""
        point, between = re.escape(self.decimal), self._between
        whole = "[0-9]+" if not between else f"(?:[0-9]+|[0-9]{{1,3}}(?:{between}[0-9]{{3}})+)"
        return rf"^[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?$"

    @property
    def _between(self) -> str:
        return ALIKE.get(self.thousands, re.escape(self.thousands))

    def plain(self, texts: pl.Series) -> pl.Series:
        """Return the numbers among some texts written as 1234.5; null where a text is no number so written."""
        trimmed = texts.str.strip_chars()
        if self == POINT:
            return trimmed
        shown = trimmed.str.replace_all(self._between, "") if self.thousands else trimmed
        if self.decimal != ".":
            shown = shown.str.replace(self.decimal, ".", literal=True)
        return shown.set(trimmed.str.contains(self.shape).not_().fill_null(value=True), None)

    def numbers(self, texts: pl.Series) -> pl.Series:
        """Return texts as numbers; null where a text is none, or none that is finite."""
        found = self.plain(texts).cast(pl.Float64, strict=False)
        return found.set(found.is_finite().not_().fill_null(value=False), None)

    def written(self, numbers: pl.Series) -> pl.Series:
        """Return numbers as this notation writes them, without signs between the thousands."""
        texts = numbers.cast(pl.String)
        return texts if self.decimal == "." else texts.str.replace(".", self.decimal, literal=True)

    def equal(self, texts: pl.Series, numbers: Iterable[float]) -> pl.Series:
        """Return which texts are one of some numbers, however many zeros follow: -9, -9.0 and -9,0 are one number."""
        found = self.numbers(texts).is_in(list(numbers)) & texts.str.contains(ZEROS_IN_FRONT).not_()
        return found.fill_null(value=False)


POINT = Notation()
COMMA = Notation(",")
