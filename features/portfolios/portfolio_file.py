"""What a portfolio file says: which files and columns hold a lender's book, what is a feature, what became of loans.

The file is TOML. Its declaration is here, once: reading it, its faults, its reference page and the JSON Schema that an
editor checks it with are all made from these structures.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec

from features.declared import Declaration, faults_of, kinds_of
from features.delinquency import COMPONENTS, Allocation
from features.errors import ConfigurationRefused
from features.portfolios.codes import Codes, codes_by_column, faults_in, with_codes
from features.portfolios.reading import UTF_8, is_encoding
from features.schemas import BESIDE, SCORED, type_words
from features.tables import FACTS

NULLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
Format = str | tuple[str, ...]
"""How days are written, in the signs of strftime; of several ways the first that fits a text counts."""
CARDS = ("application", "behaviour", "collection", "all")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; a name it does not know is a fault."""


class ColumnSource(_Strict, frozen=True):
    """Where a column's values come from: one of `column`, `value`, `row`.

    column : a column of the file
    value : the same value in every row
    row : the row's number from 1, after these letters
    prefix : letters put before the text
    format : how a day is written, in the signs of strftime, such as "%d.%m.%Y"; of several the first that fits
    at : hour at which what happened on a day was recorded, in the portfolio's time zone
    plus_days, plus_months : added to a day
    values : what each text of the column stands for
    otherwise : what a text stands for that `values` does not name; without it such a text is a fault
    per_unit : minor units in one unit: 100 where amounts are written in yuan or dollars
    rounded : amounts are rounded to whole minor units; without it a fraction is a fault
    negative_where : columns and the texts in them for which the amount counts below 0
    """

    column: str | None = None
    value: str | int | bool | None = None
    row: str | None = None
    prefix: str = ""
    format: Format | None = None
    at: str = "12:00"
    plus_days: int = 0
    plus_months: int = 0
    values: Mapping[str, str] = {}
    otherwise: str | None = None
    per_unit: int = 1
    rounded: bool = False
    negative_where: Mapping[str, tuple[str, ...]] = {}


class Condition(_Strict, frozen=True):
    """Which rows of a file count: the column's text is one of some, is not one of some, or lies between two.

    A row without a text in the column does not count.
    """

    column: str
    one_of: tuple[str, ...] | None = None
    none_of: tuple[str, ...] | None = None
    at_least: str | float | None = None
    at_most: str | float | None = None


class Reversals(_Strict, frozen=True):
    """Which rows of the payments' file take an earlier payment back.

    column, values : the column that says so, and its texts
    below_zero : or the rows whose amount is below 0
    of : the column that names the payment taken back; without it, the latest of the same loan and amount
    """

    column: str | None = None
    values: tuple[str, ...] = ()
    below_zero: bool = False
    of: str | None = None


class TableSource(_Strict, frozen=True):
    """One of the tables: its file, how it is written, the rows that count, and where each column comes from.

    A column that is not named is taken from the file's column of the same name, when there is one. A table that is read
    from the loans' file is read as the loans are, unless it says otherwise.

    separator : between the columns
    decimal, thousands : the sign before the decimals of a number, and the one between its thousands
    encoding : how letters are written, such as "gb18030" or "cp1252"
    nulls : texts that mean nothing; numbers among them count however they are written
    format, formats : how days are written, in all columns and in single ones, in the signs of strftime; of several ways
        the first that fits a text counts
    distinct : rows that repeat another in every column of the file count once
    reversals : of payments, the rows that take an earlier one back
    """

    file: str
    separator: str = ","
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    encoding: str = UTF_8
    nulls: tuple[str, ...] = NULLS
    format: Format | None = None
    formats: Mapping[str, Format] = {}
    distinct: bool = False
    where: tuple[Condition, ...] = ()
    reversals: Reversals | None = None
    columns: Mapping[str, str | ColumnSource] = {}


class Computed(_Strict, frozen=True):
    """A column worked out from two others of the loans' file: the first and the second, less it, or over it."""

    plus: tuple[str, str] | None = None
    minus: tuple[str, str] | None = None
    over: tuple[str, str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return self.plus or self.minus or self.over or ()


class Observe(_Strict, frozen=True):
    """Where the book stands: on one day, on each of several, or each loan on the day of its application."""

    on: date | tuple[date, ...] | None = None
    each: Literal["applied_on"] | None = None


class Outcome(_Strict, frozen=True):
    """What became of the loans, in a column of the loans' file.

    bad, good, indeterminate : the column's texts that mean so; another text is a fault
    bad_above, bad_below : or, where the column is a number, the bound beyond which it is bad
    after_days : days from the observation date to the end of the performance window; by default the card's
    recovered : the column of money received on the loan within the window
    """

    column: str
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    indeterminate: tuple[str, ...] = ()
    bad_above: float | None = None
    bad_below: float | None = None
    after_days: int | None = None
    recovered: str | ColumnSource | None = None


class CardChanges(_Strict, frozen=True):
    """What the book's card has otherwise than the release's: population, window, and what counts as bad."""

    population: Literal["applicants", "not overdue", "overdue", "all"] | None = None
    window_days: int | None = None
    bad_days_past_due: int | None = None
    outcome: Mapping[Literal["en", "zh"], str] | None = None
    helped_by: Literal["", "behaviour", "collection", "all"] | None = None


class Split(_Strict, frozen=True):
    """How cases are split to judge a card: by time, by borrower, or in stratified folds."""

    by: Literal["time", "borrower", "folds"]
    test_from: date | None = None


class Payments(_Strict, frozen=True):
    """The order in which payments meet what is due, where it was agreed otherwise than the law has it."""

    order: tuple[str, ...] = COMPONENTS
    across_instalments: bool = True


class PortfolioFile(_Strict, frozen=True):
    """A whole portfolio file."""

    name: str
    tables: Mapping[str, TableSource]
    source: str = ""
    zone: str = "UTC"
    card: Literal["application", "behaviour", "collection", "all"] = "collection"
    observe: Observe = Observe()
    computed: Mapping[str, Computed] = {}
    codes: Mapping[str, Codes] = {}
    outcome: Outcome | None = None
    features: Mapping[str, Declaration] = {}
    protected: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    cards: Mapping[Literal["application", "behaviour", "collection", "all"], CardChanges] = {}
    split: Split | None = None
    payments: Payments = Payments()

    @property
    def allocation(self) -> Allocation:
        """The order in which payments meet what is due."""
        return Allocation(self.payments.order, self.payments.across_instalments)

    @property
    def codes_by_column(self) -> dict[str, tuple[float, ...]]:
        """The numbers of each column that are no numbers."""
        return codes_by_column(self.codes, self.features)

    @property
    def declared(self) -> dict[str, Declaration]:
        """The features, which know the codes of the columns they read."""
        return with_codes(self.codes, self.features)


SECTIONS: Mapping[str, Any] = {field.encode_name: field.type for field in msgspec.structs.fields(PortfolioFile)}
REQUIRED = ("name", "tables")
ENTRIES: Mapping[str, Any] = {
    "tables": TableSource,
    "computed": Computed,
    "codes": Codes,
    "features": Declaration,
    "cards": CardChanges,
}
"""Sections that hold entries by name: each is read on its own, so that the faults of all are told together."""


def read_file(path: Path) -> PortfolioFile:
    """Return a portfolio file, checked in itself; the files it names are not opened yet.

    Raises
    ------
    ConfigurationRefused : it cannot be read, or with every fault together
    """
    try:
        written = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise refused([f"the file cannot be read ({error.strerror})"], path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused([f"not TOML: {error}"], path) from error
    faults: list[str] = [f"section '{name}' is missing" for name in REQUIRED if name not in written]
    sections: dict[str, Any] = {}
    for name, value in written.items():
        if name not in SECTIONS:
            faults.append(f"unknown section '{name}'; expected one of {', '.join(SECTIONS)}")
        elif name in ENTRIES and isinstance(value, dict):
            sections[name] = {
                key: _converted(entry, ENTRIES[name], f"[{name}.{key}]", faults) for key, entry in value.items()
            }
        else:
            sections[name] = _converted(value, SECTIONS[name], f"'{name}'", faults)
    if not faults:
        file = _read_alike(PortfolioFile(**sections))
        faults.extend(_faults(file))
    if faults:
        raise refused(faults, path)
    return file


def without_outcomes(file: PortfolioFile) -> PortfolioFile:
    """Return what a portfolio file says of loans that are to be scored: nothing of what became of them.

    Rows that are chosen by the column of the outcome are all there: a loan whose outcome nobody knows yet is scored.
    """
    told = {file.outcome.column} if file.outcome is not None else set()
    own = file.tables["loans"].file
    tables = {
        name: msgspec.structs.replace(table, where=tuple(one for one in table.where if one.column not in told))
        if table.file == own
        else table
        for name, table in file.tables.items()
        if name not in BESIDE
    }
    return msgspec.structs.replace(file, tables=tables, outcome=None)


AS_THE_LOANS = ("separator", "decimal", "thousands", "encoding", "nulls", "format", "formats", "distinct")


def _read_alike(file: PortfolioFile) -> PortfolioFile:
    """Return a portfolio file in which each table of the loans' file is read as the loans are, where it is silent."""
    loans = file.tables.get("loans")
    if loans is None:
        return file
    usual = TableSource(file="")
    tables = {
        name: msgspec.structs.replace(
            table,
            **{how: getattr(loans, how) for how in AS_THE_LOANS if getattr(table, how) == getattr(usual, how)},
        )
        if table.file == loans.file
        else table
        for name, table in file.tables.items()
    }
    return msgspec.structs.replace(file, tables=tables)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a portfolio file, for editors that check while one types."""
    schema: dict[str, Any] = msgspec.json.schema(PortfolioFile)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "repayrank portfolio file", **schema}


def refused(faults: list[str], path: Path) -> ConfigurationRefused:
    """Return the refusal of a portfolio file with its faults."""
    count = f"{len(faults)} faults: " if len(faults) > 1 else ""
    return ConfigurationRefused(
        count + "; ".join(faults),
        where=str(path),
        expected="a portfolio file as docs/portfolio.md describes it",
        do="correct what is named, then run `repayrank portfolio check` again",
    )


def _converted(value: Any, kind: Any, where: str, faults: list[str]) -> Any:
    try:
        return msgspec.convert(_with_days_as_text(value), kind)
    except msgspec.ValidationError as error:
        faults.append(f"{where}: {str(error).replace('`', chr(39))}")
        return None


def _with_days_as_text(value: Any) -> Any:
    """Return the same data with TOML's own days as text: a day may be written with quotation marks or without."""
    if isinstance(value, dict):
        return {name: _with_days_as_text(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_with_days_as_text(entry) for entry in value]
    return value.isoformat() if isinstance(value, date) else value


def _faults(file: PortfolioFile) -> Iterator[str]:
    known = (*SCORED, FACTS, *BESIDE)
    for name in file.tables:
        if name not in known:
            yield f"[tables.{name}]: no such table; expected one of {', '.join(known)}"
    if "loans" not in file.tables:
        yield "[tables.loans] is missing; it is the one that is required"
    for name, table in file.tables.items():
        yield from _table_faults(name, table)
    yield from _feature_faults(file)
    for column, codes in file.codes.items():
        yield from faults_in(column, codes)
    for name, computed in file.computed.items():
        if sum(pair is not None for pair in (computed.plus, computed.minus, computed.over)) != 1:
            yield f"[computed.{name}]: one of plus, minus and over"
    yield from _observation_faults(file)
    try:
        _ = file.allocation
    except ValueError as error:
        yield f"[payments]: {error}"


def _table_faults(name: str, table: TableSource) -> Iterator[str]:
    if table.decimal == table.thousands:
        yield f"[tables.{name}]: decimal and thousands are the same sign"
    if not is_encoding(table.encoding):
        yield f"[tables.{name}]: no encoding named '{table.encoding}'; expected one such as gb18030 or cp1252"
    if table.reversals is not None:
        yield from _reversal_faults(name, table.reversals)
    for column, source in table.columns.items():
        if isinstance(source, ColumnSource):
            yield from _source_faults(f"[tables.{name}.columns] {column}", source)
            yield from _unsaid_values(name, column, source)


def _unsaid_values(name: str, column: str, source: ColumnSource) -> Iterator[str]:
    unsaid = [text for text, value in source.values.items() if not value]
    schema = {**SCORED, **BESIDE}.get(name)
    if unsaid and schema is not None and column in schema.columns():
        told = type_words(schema.columns()[column].dtype)
        yield f"[tables.{name}.columns] {column}: say what {', '.join(map(repr, unsaid))} stand for: {told}"


def _reversal_faults(name: str, told: Reversals) -> Iterator[str]:
    if name != "payments":
        yield f"[tables.{name}.reversals]: only payments are reversed"
    if (told.column is None) == (not told.below_zero) or bool(told.values) != (told.column is not None):
        yield (
            f"[tables.{name}.reversals]: either column with values, the texts in it that mean a reversal, or "
            "below_zero = true"
        )


def _feature_faults(file: PortfolioFile) -> Iterator[str]:
    for name, told in file.features.items():
        yield from faults_of(name, told)
    try:
        read = kinds_of(file.features)
    except ValueError as error:
        read = {}
        yield str(error)
    for listed in ("protected", "forbidden"):
        for column in read:
            if column in getattr(file, listed):
                yield f"column '{column}' is {listed} and is read by a feature"


def _observation_faults(file: PortfolioFile) -> Iterator[str]:
    if file.observe.on is not None and file.observe.each is not None:
        yield "[observe]: either on or each"
    if file.outcome is not None:
        by_text = bool(file.outcome.bad)
        by_number = file.outcome.bad_above is not None or file.outcome.bad_below is not None
        if by_text == by_number:
            yield "[outcome]: either the texts that are bad, or bad_above or bad_below"
        named = [*file.outcome.bad, *file.outcome.good, *file.outcome.indeterminate]
        if len(set(named)) < len(named):
            yield "[outcome]: a text stands in two of bad, good, indeterminate"
    if file.split is not None and file.split.by == "time" and file.split.test_from is None:
        yield "[split]: by time, test_from says where the test begins"


def _source_faults(where: str, source: ColumnSource) -> Iterator[str]:
    given = [name for name in ("column", "value", "row") if getattr(source, name) is not None]
    if len(given) != 1:
        yield f"{where}: exactly one of column, value, row"
    if source.otherwise is not None and not source.values:
        yield f"{where}: otherwise goes with values"
    if source.per_unit < 1:
        yield f"{where}: per_unit is at least 1"
