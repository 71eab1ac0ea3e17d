"""Which of a lender's files is which table, and which of its columns holds what: a first guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from features.portfolios import draft_words as said
from features.portfolios.draft_columns import Column, LenderFile
from features.portfolios.draft_guess import SCHEMAS, Guess, fill, own_table
from features.portfolios.draft_keys import Mapped, applied_on_of, borrower_id_of, loan_id_of
from features.schemas import BESIDE, SCORED
from features.tables import FACTS, NoFacts

HALF = 0.5
NAMELESS = ("instalments", "payments", "transactions")
"""Tables that a file is tried as whose name says nothing."""
MEANS = frozenset({"monthly_income", "monthly_expenses", "other_instalments", "employment"})
LAST = ("principal", "state")
"""Columns that are looked for when the others have been found."""


@dataclass(frozen=True)
class Placed:
    """A file as a table.

    `where` are the conditions under which its rows count, `reversals` says which rows take others back, each as the
    portfolio file writes it.
    """

    table: str
    file: LenderFile
    columns: dict[str, Mapped]
    checks: tuple[str, ...] = ()
    where: tuple[dict[str, Any], ...] = ()
    reversals: dict[str, Any] | None = None

    def column(self, name: str) -> Column | None:
        """Return the file's column that a column of the table is read from."""
        mapped = self.columns.get(name)
        return None if mapped is None or mapped.reads is None else self.file.named(mapped.reads)

    @property
    def used(self) -> set[str]:
        """The columns that the table reads, and those it would read by their names."""
        signs = {name for mapped in self.columns.values() for name in mapped.source.get("negative_where", {})}
        own = set(SCHEMAS[self.table].columns()) if self.table in SCHEMAS else set()
        told = {str(condition["column"]) for condition in self.where} | {
            str((self.reversals or {}).get(name, "")) for name in ("column", "of")
        }
        return {mapped.reads for mapped in self.columns.values() if mapped.reads is not None} | signs | own | told


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
            continue
        for one in told:
            if one.table in {other.table for other in others}:
                left.append((file, f"table {one.table} is read from another file; put the rows of both in one"))
            else:
                others.append(one)
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


def _loans(file: LenderFile, taken: set[str]) -> Placed:
    guess = Guess("loans", file, taken)
    guess.found["loan_id"] = loan_id_of(file)
    taken = guess.taken = taken | {str(guess.found["loan_id"].reads)}
    guess.found["borrower_id"] = borrower_id_of(file, guess.found["loan_id"], taken)
    for name, kind in SCHEMAS["loans"].columns().items():
        if name not in guess.found:
            fill(guess, name, kind)
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


def _other(file: LenderFile, loans: Placed) -> tuple[Placed, ...] | str:
    """Return a file as tables about the loans or their borrowers, or why it is none."""
    own = own_table(file)
    if own == FACTS:
        return (Placed(FACTS, file, {"loan_id": Mapped({"column": "loan_id"})}),)
    named = [table for table, words in said.TABLE_FILES.items() if said.speaks(file.stem, words)]
    reasons: list[str] = []
    for table in [own] if own is not None else named or NAMELESS:
        told = _as_table(table, file, loans, by_name=own is not None or bool(named))
        if not isinstance(told, str):
            return (told,)
        reasons.append(told)
    about = _one_row_for_each(file, loans)
    if about is not None and own is None and (not named or about[0] == "borrower_id"):
        return _as_facts(file, *about)
    if own is not None or named:
        return reasons[0]
    return "it looks like none of the tables" if _shared(file, loans) else "no column in common with the loans' file"


def _one_row_for_each(file: LenderFile, loans: Placed) -> tuple[str, Column] | None:
    """Return whether a file has one row for each borrower, or for each loan, and the column that says whose it is."""
    for about in ("borrower_id", "loan_id"):
        link = _link(file, loans, about)
        if link is not None and link.unique:
            return about, link
    return None


def _as_facts(file: LenderFile, about: str, link: Column) -> tuple[Placed, ...]:
    """Return a file of one row for each borrower, or loan, as what features may read of it, and as borrowers' means."""
    key = {about: Mapped({"column": link.name})}
    facts = Placed(FACTS, file, dict(key))
    if about != "borrower_id":
        return (facts,)
    schema = SCHEMAS["borrowers"]
    guess = Guess("borrowers", file, {link.name}, found=dict(key))
    for name, kind in schema.columns().items():
        if name not in guess.found:
            fill(guess, name, kind)
    found = {name: guess.found[name] for name in schema.columns() if name in guess.found}
    jobs = found.get("employment")
    if jobs is not None and "unemployed" not in jobs.source.get("values", {}).values():
        del found["employment"]  # the release asks for no more than who is without work: a feature says more
    return (Placed("borrowers", file, found), facts) if set(found) & MEANS else (facts,)


def _as_table(table: str, file: LenderFile, loans: Placed, *, by_name: bool) -> Placed | str:
    schema = SCHEMAS[table]
    link = _link(file, loans, schema.about)
    if link is None:
        return f"it looks like table {table}, but no column of it is the loans' {schema.about}"
    if link.unique and not by_name:
        return f"it has one row for each {schema.about}"
    guess = Guess(table, file, {link.name}, by_name, {schema.about: Mapped({"column": link.name})})
    for name, kind in sorted(schema.columns().items(), key=lambda entry: entry[0] in LAST):
        if name not in guess.found:
            fill(guess, name, kind)
    if guess.lacks:
        return f"it looks like table {table}, but no column of it is {' or '.join(guess.lacks)}"
    columns = {name: guess.found[name] for name in schema.columns() if name in guess.found}
    unsure = [] if by_name else [f"the file's name does not say so: is it table {table}?"]
    where = [{"column": column.name, "none_of": [""]} for _, column in _incomplete(guess)]
    unsure += [f"{_without_value(column)} have no {name} and are left out" for name, column in _incomplete(guess)]
    reversals = None
    if table == "payments" and own_table(file) != table:
        failed = _failed(guess)
        reversals = _reversals(guess)
        if failed is not None:
            where.append({"column": failed[0], "none_of": list(failed[1])})
            unsure.append(f"rows whose {failed[0]} is one of {', '.join(failed[1])} are left out: was nothing paid?")
    return Placed(table, file, columns, (*unsure, *_unreadable(guess)), tuple(where), reversals)


def _without_value(column: Column) -> str:
    rows = len(column.texts) - column.known
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _reversals(guess: Guess) -> dict[str, Any] | None:
    """Return which rows of a file of payments take others back, as the portfolio file writes it."""
    for column in _free_texts(guess):
        texts = [text for text in column.levels if said.speaks(text, said.REVERSED)]
        if texts and len(texts) < len(column.levels):
            guess.taken.add(column.name)
            ids = [other for other in guess.file.columns if other.speaks(said.OF_WHICH) and other.speaks(said.ID)]
            of = {"of": ids[0].name} if ids and ids[0].name not in guess.taken else {}
            return {"column": column.name, "values": texts, **of}
    amount = guess.file.named(str(guess.found["amount"].reads))
    return {"below_zero": True} if amount is not None and amount.numbers is not None and amount.least < 0 else None


def _failed(guess: Guess) -> tuple[str, tuple[str, ...]] | None:
    """Return the column that says of some rows that nothing was paid, and its texts."""
    for column in _free_texts(guess):
        failed = [text for text in column.levels if said.speaks(text, said.FAILED)]
        texts = tuple(text for text in failed if not said.speaks(text, said.REVERSED))
        if texts and len(texts) < len(column.levels):
            return column.name, texts
    return None


def _free_texts(guess: Guess) -> Iterator[Column]:
    return (column for column in guess.file.columns if column.kind == "text" and column.name not in guess.taken)


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


def _unreadable(guess: Guess) -> Iterator[str]:
    """Yield the columns that have the name of a table's column and cannot be read as it: they would be refused."""
    for name in SCHEMAS[guess.table].columns():
        if name not in guess.found and guess.file.named(name) is not None:
            column = guess.file.named(name)
            if column is not None and column.kind != "empty":
                yield f"column '{name}' cannot be read as the table's column of that name; give it another name"


def _gaps(guess: Guess) -> Iterator[str]:
    for name, _ in _incomplete(guess):
        yield f"some rows have no {name} and are refused; fill them in, or leave them out with `where`"


def _incomplete(guess: Guess) -> Iterator[tuple[str, Column]]:
    """Yield the columns that a table needs and that some rows leave empty."""
    for name, kind in SCHEMAS[guess.table].columns().items():
        mapped = guess.found.get(name)
        column = None if mapped is None or mapped.reads is None else guess.file.named(mapped.reads)
        if column is not None and not kind.nullable and not column.complete and "otherwise" not in mapped.source:  # type: ignore[union-attr]
            yield name, column


def facts_columns(names: Iterable[str]) -> set[str]:
    """Return the columns whose names cannot be those of facts."""
    return {name for name in names if name.startswith("__") or (name in dir(NoFacts) and name not in {"loan_id"})}
