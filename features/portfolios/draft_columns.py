"""What the columns of a lender's file look like: numbers, days, a few texts, or what no feature reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from features.portfolios.days import days_in, patterns
from features.portfolios.draft_words import BORROWER_ID, DAY, ID, LOAN_ID, MONTH, PERSONAL, speaks, words
from features.portfolios.draft_writing import encoding_of, notation_of, separator_of
from features.portfolios.mapping import NEARLY_WHOLE, distinct
from features.portfolios.numbers import POINT, ZEROS_IN_FRONT, Notation
from features.portfolios.portfolio_file import NULLS, Format
from features.portfolios.reading import PARQUET, UTF_8, rows_of, unreadable

ENDINGS = (".csv", ".tsv", ".txt", ".asc", ".dat", ".parquet", ".gz")
LINES = 50
"""Values that are tried before a whole column is."""
FEW = 30
"""Most texts of a category."""
LONGEST = 100
"""Characters of the longest text of a category."""
NO_VALUE = ("?", "n/a", "#N/A", "\\N", "Null")
NO_NUMBER = ("-", "--", ".")
"""Texts that stand for no value, wherever they come and where the others are numbers or days."""
NO_DAYS = ("0", "-1", "-9", "-99", "-999", "9", "99", "999", "9999", "00000000", "99999999", "0000-00-00")
"""Texts that stand for no day, where the others are days."""
MOST_WAYS = 3
"""Ways in which the days of one column are written, at most."""
KEY_SHAPES = 3
"""Shapes that a column of identifiers has at most, such as C# where they are C20004 and C20005."""
HEADER_LIKE_DATA = 0.2
KEYS = f"{ID}|{LOAN_ID}|{BORROWER_ID}"
FEW_REPEATED = 0.05
"""Share of a file's rows that an export wrote twice, at most."""
NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*")
A_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
AMONG_WORDS = r"(.*[\s<>=~(])?#([\s%+].*|months?|mths?|years?|yrs?|days?|个月|月|年|天|日|元|岁|期)?"
EARLIEST, LATEST = 1900, 2100
TIMES = ((r" [0-9]{1,2}:[0-9]{2}:[0-9]{2}$", " %H:%M:%S"), (r" [0-9]{1,2}:[0-9]{2}$", " %H:%M"))
ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"

N, NN = "[0-9]{1,2}", "[0-9]{2}"
YYYY, MON = "[0-9]{4}", "[A-Za-z]{3,9}"
FORMATS: tuple[tuple[str, str, str], ...] = (
    (f"{YYYY}-{N}-{N}", "%Y-%m-%d", ""),
    (f"{YYYY}/{N}/{N}", "%Y/%m/%d", ""),
    (rf"{YYYY}\.{N}\.{N}", "%Y.%m.%d", ""),
    (f"{YYYY}年{N}月{N}日", "%Y年%m月%d日", ""),
    (r"(19|20)[0-9]{6}", "%Y%m%d", ""),
    (rf"{N}\.{N}\.{YYYY}", "%d.%m.%Y", ""),
    (rf"{N}\.{N}\.{NN}", "%d.%m.%y", DAY),
    (f"{N}/{N}/{YYYY}", "%m/%d/%Y", ""),
    (f"{N}/{N}/{YYYY}", "%d/%m/%Y", ""),
    (f"{N}/{N}/{NN}", "%m/%d/%y", ""),
    (f"{N}/{N}/{NN}", "%d/%m/%y", ""),
    (f"{N}-{N}-{YYYY}", "%d-%m-%Y", ""),
    (f"{N}-{N}-{YYYY}", "%m-%d-%Y", ""),
    (f"{N}-{MON}-{YYYY}", "%d-%b-%Y", ""),
    (f"{N}-{MON}-{NN}", "%d-%b-%y", ""),
    (f"{N} {MON} {YYYY}", "%d %b %Y", ""),
    (f"{MON} {N}, {YYYY}", "%b %d, %Y", ""),
    (f"{MON}-{YYYY}", "%b-%Y", ""),
    (f"{MON} {YYYY}", "%b %Y", ""),
    (f"{MON}-{NN}", "%b-%y", ""),
    (f"{YYYY}-{N}", "%Y-%m", ""),
    (f"{YYYY}/{N}", "%Y/%m", ""),
    (f"{YYYY}年{N}月", "%Y年%m月", ""),
    (f"{N}/{YYYY}", "%m/%Y", ""),
    (r"(19|20)[0-9]{4}", "%Y%m", MONTH),
    ("[0-9]{6}", "%y%m%d", DAY),
    ("[0-9]{6}", "%d%m%y", DAY),
)
"""How days are written: the shape, the format, and what the column's name must speak of where the shape says little."""

Kind = Literal["empty", "number", "day", "text"]


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Attributes
    ----------
    place : its place in the file, from 1
    texts : its values as the file has them, null where there is none
    numbers, days : its values, where all of them are numbers or days
    format : how its days are written, in one way or in several; None: as 2026-06-30
    or_format : another format that all of them have as well
    levels : its values, where each of a few stands for several rows; else nothing is told of them
    """

    name: str
    place: int
    kind: Kind
    texts: pl.Series
    numbers: pl.Series | None = None
    days: pl.Series | None = None
    format: Format | None = None
    or_format: str | None = None
    levels: tuple[str, ...] = ()

    def speaks(self, of: str) -> bool:
        """Return whether the name speaks of something."""
        return speaks(self.name, of)

    @cached_property
    def known(self) -> int:
        """How many rows have a value."""
        return len(self.texts) - self.texts.null_count()

    @cached_property
    def distinct(self) -> int:
        """How many values there are."""
        return self.texts.drop_nulls().n_unique()

    @property
    def complete(self) -> bool:
        """Whether every row has a value."""
        return self.known == len(self.texts) > 0

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.complete and self.distinct == self.known

    @cached_property
    def least(self) -> float:
        """The smallest number."""
        return float(self.numbers.min()) if self.numbers is not None else 0.0  # type: ignore[arg-type]

    @cached_property
    def most(self) -> float:
        """The largest number."""
        return float(self.numbers.max()) if self.numbers is not None else 0.0  # type: ignore[arg-type]

    @cached_property
    def decimals(self) -> int:
        """How many decimals its numbers have at most: 0, 1, 2, or 3 for more."""
        if self.numbers is None:
            return 0
        for places in (0, 1, 2):
            scaled = self.numbers * 10**places
            if ((scaled - scaled.round()).abs() <= NEARLY_WHOLE).all():
                return places
        return 3

    @property
    def whole(self) -> bool:
        """Whether all its values are whole numbers."""
        return self.numbers is not None and self.decimals == 0

    @cached_property
    def looks_like_a_key(self) -> bool:
        """Whether its texts are of one shape, letters and figures without a blank, as identifiers are."""
        if self.kind != "text" or self.speaks(PERSONAL) or not self.known:
            return False
        texts = self.texts.drop_nulls().str.strip_chars()
        shapes = texts.str.replace_all("[0-9]+", "#").unique()
        shaped = (
            texts.str.contains(r"^[A-Za-z0-9][A-Za-z0-9_./-]{2,39}$").all() and texts.str.contains("[0-9]{2}").all()
        )
        return bool(shaped) and len(shapes) <= KEY_SHAPES

    @cached_property
    def holds_one_number(self) -> bool:
        """Whether each of its texts is one number among the same words, as in "36 months"."""
        if self.kind != "text":
            return False
        rest = self.texts.drop_nulls().unique()
        around = rest.str.replace(f"-?{A_NUMBER}", "#").str.strip_chars()
        counted = rest.str.count_matches(A_NUMBER).eq(1).all()
        return bool(counted) and around.n_unique() == 1 and re.fullmatch(AMONG_WORDS, around[0]) is not None


@dataclass(frozen=True)
class LenderFile:
    """A file with its columns, and how it is written.

    Attributes
    ----------
    nulls : the texts in it that stand for no value
    rows : how many there are without those that repeat another in every column, which are the `repeated`
    """

    path: Path
    separator: str
    nulls: tuple[str, ...]
    rows: int
    columns: tuple[Column, ...]
    encoding: str = UTF_8
    notation: Notation = POINT
    repeated: int = 0

    @property
    def stem(self) -> str:
        """Its name without its endings."""
        name = self.path.name
        while name.lower().endswith(ENDINGS):
            name = name[: name.rindex(".")]
        return name

    @cached_property
    def day_format(self) -> Format | None:
        """How all its days are written, when that is the same in every column and not as 2026-06-30."""
        found = {column.format for column in self.columns if column.kind == "day"}
        return found.pop() if len(found) == 1 else None

    def named(self, name: str) -> Column | None:
        """Return the column of a name."""
        return next((column for column in self.columns if column.name == name), None)


def looked_at(path: Path) -> LenderFile:
    """Return a file and what its columns look like.

    Raises
    ------
    DataRefused : it cannot be read, or its first line names no columns
    """
    of_text = path.suffix != PARQUET and path.is_file() and path.stat().st_size > 0
    encoding = encoding_of(path) if of_text else UTF_8
    separator = separator_of(path, encoding) if of_text else ","
    raw = rows_of(path, "the names of its columns in a first line", separator=separator, encoding=encoding)
    if path.suffix != PARQUET:
        _require_names(path, raw.columns)
    # A row that an export wrote twice must not hide which column tells the rows apart.
    read, raw = raw.height, _without_repeated(raw)
    stripped = [(name, raw.get_column(name).cast(pl.String, strict=False)) for name in raw.columns]
    usual = (*NULLS, *NO_VALUE, *NO_NUMBER)
    notation = notation_of(_without(texts, usual) for _, texts in stripped) if path.suffix != PARQUET else POINT
    more = sorted({text for name, texts in stripped for text in _no_values(name, texts, notation)})
    nulls = (*NULLS, *more)
    columns = [
        _column(name, place, _without(texts, nulls), notation) for place, (name, texts) in enumerate(stripped, start=1)
    ]
    return LenderFile(path, separator, nulls, raw.height, tuple(_alike(columns)), encoding, notation, read - raw.height)


def _without_repeated(raw: pl.DataFrame) -> pl.DataFrame:
    """Return a file's rows without those written twice: a few, in a file with a column of identifiers.

    Where nothing tells rows apart, or many are alike, rows that look the same may be different facts.
    """
    if any(kind.is_nested() for kind in raw.dtypes) or not any(speaks(name, KEYS) for name in raw.columns):
        return raw
    found = distinct(raw)
    return found if raw.height - found.height <= FEW_REPEATED * raw.height else raw


def _alike(columns: Sequence[Column]) -> Iterator[Column]:
    """Yield columns whose days, where they could be read in two ways, are read as the other columns' days are."""
    sure = Counter(column.format for column in columns if column.kind == "day" and column.or_format is None)
    for column in columns:
        if column.or_format is not None and sure[column.or_format] > sure[column.format]:
            days = days_of(column.texts, column.or_format)
            yield replace(column, format=column.or_format, or_format=None, days=days)
        elif column.or_format is not None and sure[column.format]:
            yield replace(column, or_format=None)
        else:
            yield column


def _require_names(path: Path, names: list[str]) -> None:
    """Refuse a file whose first line is a borrower's: its values would be taken for the columns' names."""
    like_data = [name for name in names if NUMBER.fullmatch(name.strip()) or re.match(ISO, name.strip())]
    if len(like_data) >= HEADER_LIKE_DATA * len(names):
        raise unreadable(
            path,
            "a first line with numbers or days in it, as if it were a row",
            "the names of the columns in the first line",
            "add a line with their names",
        )


def _no_values(name: str, texts: pl.Series, notation: Notation) -> Iterator[str]:
    """Yield the texts in a column that stand for no value and are not among the usual ones."""
    stripped = texts.str.strip_chars()
    yield from stripped.filter(stripped.is_in(NO_VALUE)).unique().to_list()
    marks = stripped.filter(stripped.is_in(NO_NUMBER)).unique().to_list()
    if marks:
        rest = _without(texts, (*NULLS, *NO_VALUE, *NO_NUMBER))
        if _column(name, 0, rest, notation).kind in {"number", "day"}:
            yield from marks
    if speaks(name, DAY):
        marks = stripped.filter(stripped.is_in(NO_DAYS)).unique().to_list()
        if (
            marks
            and _column(name, 0, _without(texts, (*NULLS, *NO_VALUE, *NO_NUMBER, *NO_DAYS)), notation).kind == "day"
        ):
            yield from marks


def _without(texts: pl.Series, nulls: tuple[str, ...]) -> pl.Series:
    return texts.set(texts.str.strip_chars().is_in(list(nulls)).fill_null(value=True), None)


def _column(name: str, place: int, texts: pl.Series, notation: Notation) -> Column:
    known = texts.drop_nulls().unique()
    if not len(known):
        return Column(name, place, "empty", texts)
    levels = _levels(texts, known)
    formats = list(_formats(name, known.str.strip_chars()))
    if formats:
        days = days_of(texts, formats[0])
        other = str(formats[1]) if len(formats) > 1 else None
        return Column(name, place, "day", texts, days=days, format=formats[0], or_format=other, levels=levels)
    numbers = notation.numbers(texts)
    if numbers.null_count() == texts.null_count() and not known.str.contains(ZEROS_IN_FRONT).any():
        return Column(name, place, "number", texts, numbers=numbers, levels=levels)
    return Column(name, place, "text", texts, levels=levels)


def _levels(texts: pl.Series, known: pl.Series) -> tuple[str, ...]:
    """Return a column's values where they are few and each stands for two rows on average; no borrower's own value."""
    if len(known) > FEW or len(texts) - texts.null_count() < 2 * len(known):
        return ()
    return tuple(sorted(known.to_list())) if (known.str.len_chars() <= LONGEST).all() else ()


def _formats(name: str, known: pl.Series) -> Iterator[Format | None]:
    """Yield the formats in which every value is a day, at most two."""
    if known.str.contains(ISO).all():
        if _all_days(known, None):
            yield None
        return
    sample = known.head(LINES)
    tail, clock = next(((shape, sign) for shape, sign in TIMES if sample.str.contains(shape).all()), ("$", ""))
    found = 0
    for shape, form, must_speak in FORMATS:
        if must_speak and not re.search(must_speak, words(name), re.ASCII):
            continue
        whole = f"^{shape}{tail}"
        if sample.str.contains(whole).all() and known.str.contains(whole).all() and _all_days(known, form + clock):
            yield form + clock
            found += 1
            if found == 2:  # noqa: PLR2004 - the day first, or the month first
                return
    if not found and (several := _several(name, known)) is not None:
        yield several


def _several(name: str, known: pl.Series) -> tuple[str, ...] | None:
    """Return the formats of a column whose days are written in a few ways that cannot be taken for each other."""
    found: list[str] = []
    rest = known
    for shape, form, must_speak in FORMATS:
        if must_speak and not re.search(must_speak, words(name), re.ASCII):
            continue
        for tail, clock in (("$", ""), *TIMES):
            here = rest.str.contains(f"^{shape}{tail}")
            if here.any() and _all_days(rest.filter(here), form + clock):
                alike = [other for same, other, _ in FORMATS if same == shape and other != form]
                if any(_all_days(rest.filter(here), other + clock) for other in alike):
                    return None
                found.append(form + clock)
                rest = rest.filter(here.not_())
                if not len(rest):
                    return tuple(found) if len(found) <= MOST_WAYS else None
    return None


def _all_days(known: pl.Series, form: str | None) -> bool:
    days = days_of(known, form)
    return days.null_count() == 0 and bool(days.dt.year().is_between(EARLIEST, LATEST).all())


def days_of(texts: pl.Series, form: Format | None) -> pl.Series:
    """Return days as a portfolio file reads them."""
    plain = texts.str.strip_chars()
    return days_in(plain if form is not None else plain.str.slice(0, 10), patterns(form))
