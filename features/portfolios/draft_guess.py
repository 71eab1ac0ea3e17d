"""Which column of a lender's file holds what a column of one of our tables wants: a first guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dataframely as dy
import polars as pl

from features.portfolios import draft_words as said
from features.portfolios.draft_codes import codes_in
from features.portfolios.draft_columns import FORMATS, Column, LenderFile, days_of
from features.portfolios.draft_keys import Mapped
from features.portfolios.draft_words import value_of
from features.portfolios.mapping import TRUTH
from features.schemas import BESIDE, SCORED, Table
from features.tables import FACTS

MINOR = 100
GIVEN: Mapping[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("loans", "currency"): ({"value": "CNY"}, "the currency of every amount"),
    ("loans", "product"): ({"value": "instalment"}, "instalment or revolving"),
    ("instalments", "schedule"): ({"value": 0}, "no column numbers the revisions of a schedule: all are the first"),
    ("instalments", "interest"): ({"value": 0}, "no column of interest"),
    ("instalments", "costs"): ({"value": 0}, "no column of costs"),
    ("contacts", "direction"): ({"value": "outbound"}, "no column says who made the contact"),
    ("transactions", "kind"): ({"value": "other"}, "no column says what a movement was for"),
    ("enquiries", "purpose"): ({"value": "other"}, "no column says what an enquiry was for"),
    ("security", "kind"): ({"value": "other"}, "no column says what the security is"),
}
"""What stands in for a column that a table needs and no file has, and what to check of it."""
ROWS = {"payments": "P", "contacts": "C", "promises": "PTP", "debits": "D", "transactions": "T", "enquiries": "Q",
        "events": "E", "security": "S"}  # fmt: skip
"""Letters before a row's number, where no column tells the rows apart."""
OTHER = "other"
UNDATED = ("borrowers", "stated_on")
"""The day that a table can do without."""
SCHEMAS: Mapping[str, type[Table]] = {**SCORED, **BESIDE}


@dataclass
class Guess:
    """One file being read as one table; `sure`: it is that table, though a column of it cannot be read as it stands."""

    table: str
    file: LenderFile
    taken: set[str]
    sure: bool = False
    found: dict[str, Mapped] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)


def own_table(file: LenderFile) -> str | None:
    """Return the table whose columns a file has by their own names; None when it has another shape."""
    names = {column.name for column in file.columns}
    if file.stem.lower() == FACTS and "loan_id" in names:
        return FACTS
    fits = [table for table, schema in SCHEMAS.items() if _required(schema) <= names]
    if file.stem.lower() in fits:
        return file.stem.lower()
    # A table of few columns, such as that of protected attributes, is told by its name alone.
    fits = [table for table in fits if len(_required(SCHEMAS[table])) > 2]  # noqa: PLR2004
    return max(fits, key=lambda table: len(_required(SCHEMAS[table])), default=None)


def _required(schema: type[Table]) -> set[str]:
    return {name for name, kind in schema.columns().items() if not kind.nullable and name != "recorded_at"}


def fill(guess: Guess, name: str, kind: dy.Column) -> None:
    """Find where a column of the table comes from, by its own name, then by words, then by what stands in for it."""
    for column, by_name in _candidates(guess, name):
        mapped = _read_as(guess, column, name, kind, by_name=by_name)
        if mapped is not None:
            guess.found[name] = mapped
            guess.taken.add(column.name)
            return
    required = not kind.nullable and name != "recorded_at"
    if required and guess.sure and (guess.table, name) not in GIVEN:
        for column, _ in _candidates(guess, name):
            mapped = _nearly(guess.file, column, kind)
            if mapped is not None:
                guess.found[name] = mapped
                guess.taken.add(column.name)
                return
    given = GIVEN.get((guess.table, name))
    if given is not None:
        guess.found[name] = Mapped(dict(given[0]), given[1])
    elif name.endswith("_id") and guess.table in ROWS:
        guess.found[name] = Mapped({"row": ROWS[guess.table]})
    elif (guess.table, name) == ("statements", "state") and "months_overdue" in guess.found:
        guess.found[name] = _state(guess)
    elif required and (guess.table, name) != UNDATED:
        guess.lacks.append(name)


def _nearly(file: LenderFile, column: Column, kind: dy.Column) -> Mapped | None:
    """Return a column that a table needs and that cannot be read as it stands, with what the person has to add."""
    source: dict[str, Any] = {"column": column.name}
    if isinstance(kind, dy.Enum) and column.levels:
        among = tuple(kind.categories)
        values = {text: value_of(text, among) or "" for text in column.levels}
        return Mapped({**source, "values": values}, f"fill in what the others stand for: {', '.join(among)}")
    known = column.texts.drop_nulls()
    if isinstance(kind, dy.Date) and len(known):
        form = max((None, *(form for _, form, _ in FORMATS)), key=lambda one: days_of(known, one).count())
        lost = days_of(known, form).null_count()
        written = {} if form is None else {"format": form}
        told = f"{lost:,} values are no such day and are refused: add their format, or put them under nulls"
        return Mapped({**source, **written}, told) if lost * 2 <= len(known) else None
    if isinstance(kind, (dy.Int64, dy.Int16)) and len(known):
        lost = file.notation.numbers(known).null_count()
        unit = {"per_unit": MINOR, "rounded": True} if isinstance(kind, dy.Int64) else {}
        told = f"{lost:,} values are no numbers and are refused: put them under nulls, or correct them"
        return Mapped({**source, **unit}, told) if lost * 2 <= len(known) else None
    return None


def _candidates(guess: Guess, name: str) -> Iterator[tuple[Column, bool]]:
    own = guess.file.named(name)
    if own is not None and own.name not in guess.taken:
        yield own, True
    for words in said.COLUMNS[guess.table].get(name, ()) if guess.table in said.COLUMNS else ():
        for column in guess.file.columns:
            elsewhere = guess.table == "loans" and column.speaks(said.ELSEWHERE)
            if column is not own and column.name not in guess.taken and column.speaks(words) and not elsewhere:
                yield column, False


def _read_as(  # noqa: PLR0911 - one return for each type
    guess: Guess, column: Column, name: str, kind: dy.Column, *, by_name: bool
) -> Mapped | None:
    source: dict[str, Any] = {"column": column.name}
    if isinstance(kind, dy.String):
        if name == "currency":
            codes = column.texts.str.contains("^[A-Z]{3}$").fill_null(value=False)
            return Mapped(source) if len(codes) and codes.all() else None
        told = column.unique or guess.table in BESIDE if name.endswith("_id") else column.kind != "empty"
        return Mapped(source) if by_name or told else None
    if isinstance(kind, (dy.Date, dy.Datetime)):
        if column.kind != "day":
            return None
        return Mapped(source if column.format is None else {**source, "format": column.format}, _ambiguity(column))
    if isinstance(kind, dy.Int64):
        return _money(guess, column, kind, by_name=by_name)
    if isinstance(kind, dy.Int16):
        return _count(column, kind, by_name=by_name)
    if isinstance(kind, dy.Bool):
        return _truth(column)
    return _one_of(column, kind) if isinstance(kind, dy.Enum) else None


def _ambiguity(column: Column) -> str:
    return "" if column.or_format is None else f"the days fit {column.or_format} as well"


def _money(guess: Guess, column: Column, kind: dy.Int64, *, by_name: bool) -> Mapped | None:
    if column.kind != "number":
        return None
    source: dict[str, Any] = {"column": column.name}
    if not (by_name and column.whole and own_table(guess.file) == guess.table) and not column.speaks(said.MINOR_UNITS):
        source["per_unit"] = MINOR
    if column.decimals > 2 or (column.decimals and "per_unit" not in source):  # noqa: PLR2004 - cents are whole
        source["rounded"] = True
    codes = tuple(codes_in(column)) if guess.table == "borrowers" and own_table(guess.file) is None else ()
    if codes:
        return Mapped(source, "", codes)
    below = column.least < 0
    unfit = (below and kind.min == 0) or column.most * source.get("per_unit", 1) > (kind.max or 0)
    if unfit and kind.nullable and not by_name:
        return None
    if guess.table == "transactions" and not below and guess.found.get("amount") is None and kind.name == "amount":
        sign = _sign(guess.file, guess.taken | {column.name})
        if sign is None:
            return Mapped(source, "no amount is below 0, and no column says which movements are money out")
        return Mapped({**source, "negative_where": {sign[0]: list(sign[1])}}, "the texts that mean money out")
    check = (
        "amounts below 0 are refused"
        if below and guess.table != "payments" and kind.min is not None and kind.min >= 0
        else ""
    )
    return Mapped(source, check)


def _sign(file: LenderFile, taken: set[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the column that says whether money came in or went out, and its texts for out."""
    for column in file.columns:
        out = tuple(text for text in column.levels if said.speaks(text, said.MONEY_OUT))
        known = [text for text in column.levels if text in out or said.speaks(text, said.MONEY_IN)]
        if column.kind == "text" and column.name not in taken and out and len(out) < len(known) == len(column.levels):
            return column.name, out
    return None


def _count(column: Column, kind: dy.Int16, *, by_name: bool) -> Mapped | None:
    least, most = kind.min or 0, kind.max or 0
    source: dict[str, Any] = {"column": column.name}
    if column.speaks(said.YEAR) and not by_name:
        return None
    if column.holds_one_number and column.levels:
        numbers = pl.Series(column.levels).str.extract(r"([0-9]+)", 1).to_list()
        if all(least <= int(number) <= most for number in numbers):
            return Mapped({**source, "values": dict(zip(column.levels, numbers, strict=True))})
    fits = column.whole and column.least >= least and column.most <= most
    return Mapped(source) if fits else None


def _truth(column: Column) -> Mapped | None:
    told: dict[str, str] = {}
    for text in column.levels:
        if text.lower() in said.YES | said.NO:
            told[text] = "true" if text.lower() in said.YES else "false"
        elif said.meaning(text) in {"bad", "good"}:
            told[text] = "true" if said.meaning(text) == "bad" else "false"
    if column.kind != "empty" and set(column.texts.drop_nulls().unique()) <= set(TRUTH):
        return Mapped({"column": column.name})
    if not column.levels or len(told) < len(column.levels):
        return None
    return Mapped({"column": column.name, "values": told}, "the texts that mean bad")


def _one_of(column: Column, kind: dy.Enum) -> Mapped | None:
    among = tuple(kind.categories)
    source: dict[str, Any]
    texts = set(column.texts.drop_nulls().unique())
    if texts and texts <= set(among):
        return Mapped({"column": column.name})
    told = {text: value for text in column.levels if (value := value_of(text, among)) is not None}
    if "write_off" in among:  # whose money it was: the borrower's own, unless a text says otherwise
        others = {text: value for text, value in told.items() if value != "borrower"}
        source = {"column": column.name, "values": others, "otherwise": "borrower"}
        return Mapped(source, "whose money it was; any other text: the borrower's own") if others else None
    if not told or (len(told) < len(column.levels) and OTHER not in among):
        return None
    source = {"column": column.name, "values": told}
    if len(told) < len(column.levels) or (not column.complete and (kind.nullable or OTHER in among)):
        if OTHER not in among:
            return Mapped(source, "what each text stands for") if kind.nullable else None
        source["otherwise"] = OTHER
    return Mapped(source, "what each text stands for")


def _state(guess: Guess) -> Mapped:
    column = guess.found["months_overdue"].reads
    return Mapped(
        {"column": column, "values": {"0": "part_paid", "0.0": "part_paid"}, "otherwise": "overdue"},
        "no column tells unused, paid_in_full and part_paid apart",
    )
