"""Which of a lender's files is which table, and which of its columns holds what: a first guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dataframely as dy
import polars as pl

from features.portfolios import draft_words as said
from features.portfolios.draft_columns import Column, LenderFile
from features.portfolios.draft_keys import Mapped, applied_on_of, borrower_id_of, loan_id_of
from features.portfolios.draft_words import value_of
from features.portfolios.mapping import TRUTH
from features.schemas import BESIDE, SCORED, Table
from features.tables import FACTS, NoFacts

MINOR = 100
HALF = 0.5
SCHEMAS: Mapping[str, type[Table]] = {**SCORED, **BESIDE}
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
NAMELESS = ("instalments", "payments", "transactions")
"""Tables that a file is tried as whose name says nothing."""
LAST = ("principal", "state")
"""Columns that are looked for when the others have been found."""


@dataclass(frozen=True)
class Placed:
    """A file as a table."""

    table: str
    file: LenderFile
    columns: dict[str, Mapped]
    checks: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """Return the file's column that a column of the table is read from."""
        mapped = self.columns.get(name)
        return None if mapped is None or mapped.reads is None else self.file.named(mapped.reads)

    @property
    def used(self) -> set[str]:
        """The columns that the table reads, and those it would read by their names."""
        signs = {name for mapped in self.columns.values() for name in mapped.source.get("negative_where", {})}
        own = set(SCHEMAS[self.table].columns()) if self.table in SCHEMAS else set()
        return {mapped.reads for mapped in self.columns.values() if mapped.reads is not None} | signs | own


@dataclass(frozen=True)
class Placing:
    """Every file of a book in its place; `left` are those without one, each with the reason."""

    loans: Placed
    others: tuple[Placed, ...]
    left: tuple[tuple[LenderFile, str], ...]

    @property
    def tables(self) -> tuple[Placed, ...]:
        """The tables, the loans first."""
        return (self.loans, *self.others)

    def has(self, *names: str) -> bool:
        """Return whether there is one of some tables."""
        return any(placed.table in names for placed in self.others)


@dataclass
class _Guess:
    """One file being read as one table."""

    table: str
    file: LenderFile
    taken: set[str]
    found: dict[str, Mapped] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)


def placed(files: Sequence[LenderFile], taken: Iterable[str]) -> Placing:
    """Return which file is which table.

    Parameters
    ----------
    taken : columns of the loans' file that are spoken for, such as the outcome's
    """
    chosen = loans_file(files)
    loans = _loans(chosen, set(taken))
    others: list[Placed] = []
    left: list[tuple[LenderFile, str]] = []
    for file in (file for file in files if file is not chosen):
        told = _other(file, loans)
        if isinstance(told, str):
            left.append((file, told))
        elif told.table in {other.table for other in others}:
            left.append((file, f"table {told.table} is read from another file; put the rows of both in one"))
        else:
            others.append(told)
    order = [*SCORED, FACTS, *BESIDE]
    return Placing(loans, tuple(sorted(others, key=lambda other: order.index(other.table))), tuple(left))


def loans_file(files: Sequence[LenderFile]) -> LenderFile:
    """Return the file that looks most like one row per loan."""
    return max(files, key=_likeness)  # the first of several that are alike


def _likeness(file: LenderFile) -> float:
    own = own_table(file)
    if own is not None:
        return 1000.0 if own == "loans" else -1000.0
    elsewhere = any(said.speaks(file.stem, words) for words in said.TABLE_FILES.values())
    points = 3.0 * said.speaks(file.stem, said.LONE_FILE) - 6.0 * elsewhere
    unique = [column for column in file.columns if column.unique]
    points += 2 * any(column.speaks(said.ID) for column in unique)
    points += 3 * any(column.speaks(said.LOAN_ID) for column in unique)
    points += 4 * any(
        len(column.levels) > 1 and (column.speaks(said.OUTCOME_SURELY) or column.speaks(said.OUTCOME))
        for column in file.columns
    )
    for name in ("amount", "term_months"):
        points += any(column.speaks(words) for column in file.columns for words in said.COLUMNS["loans"][name])
    return points + min(len(file.columns), 50) / 25


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


def _loans(file: LenderFile, taken: set[str]) -> Placed:
    guess = _Guess("loans", file, taken)
    guess.found["loan_id"] = loan_id_of(file)
    taken = guess.taken = taken | {str(guess.found["loan_id"].reads)}
    guess.found["borrower_id"] = borrower_id_of(file, guess.found["loan_id"], taken)
    for name, kind in SCHEMAS["loans"].columns().items():
        if name not in guess.found:
            _fill(guess, name, kind)
    found = guess.found
    if "applied_on" not in found and "opened_on" in found:
        opened = found["opened_on"]
        check = "no column of the day of the application: opened_on stands for it"
        found["applied_on"] = Mapped(opened.source, f"{opened.check}; {check}" if opened.check else check)
    if "applied_on" not in found and (guessed := applied_on_of(file, guess.taken)) is not None:
        found["applied_on"] = guessed
    limit = found.get("credit_limit")
    if found["product"].source == {"value": "instalment"} and limit is not None and "term_months" not in found:
        found["product"] = replace(found["product"], source={"value": "revolving"})
    columns = {name: found[name] for name in SCHEMAS["loans"].columns() if name in found}
    return Placed("loans", file, columns, (*_unreadable(guess), *_gaps(guess)))


def _other(file: LenderFile, loans: Placed) -> Placed | str:
    """Return a file as a table about the loans, or why it is none."""
    own = own_table(file)
    if own == FACTS:
        return Placed(FACTS, file, {"loan_id": Mapped({"column": "loan_id"})})
    named = [table for table, words in said.TABLE_FILES.items() if said.speaks(file.stem, words)]
    reasons: list[str] = []
    for table in [own] if own is not None else named or NAMELESS:
        told = _as_table(table, file, loans, by_name=own is not None or bool(named))
        if not isinstance(told, str):
            return told
        reasons.append(told)
    if own is not None or named:
        return reasons[0]
    shared = _shared(file, loans)
    if not shared:
        return "no column in common with the loans' file"
    if shared[0].unique:
        return f"one row for each '{shared[0].name}': join its columns to the loans' file to make features of them"
    return "it looks like none of the tables"


def _as_table(table: str, file: LenderFile, loans: Placed, *, by_name: bool) -> Placed | str:
    schema = SCHEMAS[table]
    link = _link(file, loans, schema.about)
    if link is None:
        return f"it looks like table {table}, but no column of it is the loans' {schema.about}"
    if link.unique and not by_name:
        return f"it has one row for each {schema.about}"
    guess = _Guess(table, file, {link.name}, {schema.about: Mapped({"column": link.name})})
    for name, kind in sorted(schema.columns().items(), key=lambda entry: entry[0] in LAST):
        if name not in guess.found:
            _fill(guess, name, kind)
    if guess.lacks:
        return f"it looks like table {table}, but no column of it is {' or '.join(guess.lacks)}"
    columns = {name: guess.found[name] for name in schema.columns() if name in guess.found}
    unsure = () if by_name else (f"the file's name does not say so: is it table {table}?",)
    return Placed(table, file, columns, (*unsure, *_unreadable(guess), *_gaps(guess)))


def _link(file: LenderFile, loans: Placed, about: str) -> Column | None:
    """Return the column that says whose row it is: named like the loans' one, or like an id with the same values."""
    theirs = loans.column(about)
    if theirs is None:
        return None
    same = file.named(theirs.name) or file.named(about)
    if same is not None and _overlap(same, theirs) > 0:
        return same
    words = said.LOAN_ID if about == "loan_id" else f"{said.BORROWER_ID}|{said.ACCOUNT_ID}"
    alike = [column for column in file.columns if column.speaks(words) and _overlap(column, theirs) >= HALF]
    return alike[0] if alike else None


def _shared(file: LenderFile, loans: Placed) -> list[Column]:
    found = []
    for column in file.columns:
        theirs = loans.file.named(column.name)
        if theirs is not None and column.speaks(said.ID) and _overlap(column, theirs) > 0:
            found.append(column)
    return found


def _overlap(one: Column, other: Column) -> float:
    """Return the share of the fewer values that both columns hold."""
    mine, theirs = one.texts.drop_nulls().unique(), other.texts.drop_nulls().unique()
    fewer = min(len(mine), len(theirs))
    return float(mine.is_in(theirs.implode()).sum()) / fewer if fewer else 0.0


def _fill(guess: _Guess, name: str, kind: dy.Column) -> None:
    """Find where a column of the table comes from, by its own name, then by words, then by what stands in for it."""
    for column, by_name in _candidates(guess, name):
        mapped = _read_as(guess, column, name, kind, by_name=by_name)
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
    elif not kind.nullable and name != "recorded_at":
        guess.lacks.append(name)


def _candidates(guess: _Guess, name: str) -> Iterator[tuple[Column, bool]]:
    own = guess.file.named(name)
    if own is not None and own.name not in guess.taken:
        yield own, True
    for words in said.COLUMNS[guess.table].get(name, ()) if guess.table in said.COLUMNS else ():
        for column in guess.file.columns:
            elsewhere = guess.table == "loans" and column.speaks(said.ELSEWHERE)
            if column is not own and column.name not in guess.taken and column.speaks(words) and not elsewhere:
                yield column, False


def _read_as(  # noqa: PLR0911 - one return for each type
    guess: _Guess, column: Column, name: str, kind: dy.Column, *, by_name: bool
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


def _money(guess: _Guess, column: Column, kind: dy.Int64, *, by_name: bool) -> Mapped | None:
    if column.kind != "number":
        return None
    source: dict[str, Any] = {"column": column.name}
    if not (by_name and column.whole and own_table(guess.file) == guess.table) and not column.speaks(said.MINOR_UNITS):
        source["per_unit"] = MINOR
    if column.decimals > 2 or (column.decimals and "per_unit" not in source):  # noqa: PLR2004 - cents are whole
        source["rounded"] = True
    below = column.least < 0
    unfit = (below and kind.min == 0) or column.most * source.get("per_unit", 1) > (kind.max or 0)
    if unfit and kind.nullable and not by_name:
        return None
    if guess.table == "transactions" and not below and guess.found.get("amount") is None and kind.name == "amount":
        sign = _sign(guess.file, guess.taken | {column.name})
        if sign is None:
            return Mapped(source, "no amount is below 0, and no column says which movements are money out")
        return Mapped({**source, "negative_where": {sign[0]: list(sign[1])}}, "the texts that mean money out")
    check = "amounts below 0 are refused" if below and kind.min is not None and kind.min >= 0 else ""
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
    texts = set(column.texts.drop_nulls().unique())
    if texts and texts <= set(among):
        return Mapped({"column": column.name})
    told = {text: value for text in column.levels if (value := value_of(text, among)) is not None}
    if not told or (len(told) < len(column.levels) and OTHER not in among):
        return None
    source: dict[str, Any] = {"column": column.name, "values": told}
    if len(told) < len(column.levels) or not column.complete:
        if OTHER not in among:
            return Mapped(source, "what each text stands for") if kind.nullable else None
        source["otherwise"] = OTHER
    return Mapped(source, "what each text stands for")


def _state(guess: _Guess) -> Mapped:
    column = guess.found["months_overdue"].reads
    return Mapped(
        {"column": column, "values": {"0": "part_paid", "0.0": "part_paid"}, "otherwise": "overdue"},
        "no column tells unused, paid_in_full and part_paid apart",
    )


def _unreadable(guess: _Guess) -> Iterator[str]:
    """Yield the columns that have the name of a table's column and cannot be read as it: they would be refused."""
    for name in SCHEMAS[guess.table].columns():
        if name not in guess.found and guess.file.named(name) is not None:
            column = guess.file.named(name)
            if column is not None and column.kind != "empty":
                yield f"column '{name}' cannot be read as the table's column of that name; give it another name"


def _gaps(guess: _Guess) -> Iterator[str]:
    for name, kind in SCHEMAS[guess.table].columns().items():
        mapped = guess.found.get(name)
        column = None if mapped is None or mapped.reads is None else guess.file.named(mapped.reads)
        if column is not None and not kind.nullable and not column.complete and "otherwise" not in mapped.source:  # type: ignore[union-attr]
            yield f"some rows have no {name} and are refused; fill them in, or leave them out with `where`"


def facts_columns(names: Iterable[str]) -> set[str]:
    """Return the columns whose names cannot be those of facts."""
    return {name for name in names if name.startswith("__") or (name in dir(NoFacts) and name not in {"loan_id"})}
