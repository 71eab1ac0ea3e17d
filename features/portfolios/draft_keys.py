"""Which column of a lender's file names the loan, which its borrower, and which the day of the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.portfolios import draft_words as said
from features.portfolios import protected_names
from features.portfolios.draft_columns import Column, LenderFile

DAYS_IN_ORDER = 10
"""Different days at least, before the order of a file says anything."""
NEARLY_ALL = 0.95
"""Share of the rows with a number of their own, from which on a column named like the loan's number names it."""
MANY_ROWS = 20
"""Rows at least, before a share of them says anything."""
FEW_LOANS = 5
"""Loans that a borrower has on average at most, before a column of identifiers is taken for the borrowers'."""


@dataclass(frozen=True)
class Mapped:
    """Where one column of a table comes from: `source` as the portfolio file writes it, `check` for the person.

    `codes` are numbers in the column that stand for none.
    """

    source: dict[str, Any]
    check: str = ""
    codes: tuple[int, ...] = ()

    @property
    def reads(self) -> str | None:
        """The file's column that it is read from."""
        return self.source.get("column")


def loan_id_of(file: LenderFile) -> Mapped:
    """Return where the number of each loan comes from."""
    unique = [column for column in file.columns if column.unique and column.kind != "day"]
    named = [column for column in file.columns if column.name == "loan_id" and column.complete]
    chosen = named or [column for column in unique if column.speaks(said.LOAN_ID)]
    chosen = chosen or [column for column in unique if column.speaks(said.ID)]
    if chosen:
        column = chosen[0]
        if not column.unique and file.named("recorded_at") is None:
            return Mapped({"column": column.name}, "the column repeats: one row for each loan is expected")
        return Mapped({"column": column.name})
    nearly = [
        column
        for column in file.columns
        if column.complete and column.speaks(said.LOAN_ID) and column.distinct >= NEARLY_ALL * column.known
    ]
    if nearly and len(nearly[0].texts) >= MANY_ROWS:
        column = nearly[0]
        told = f"it names {column.distinct:,} loans in {column.known:,} rows that differ: one row for each is expected"
        return Mapped({"column": column.name}, told)
    keys = [column for column in unique if column.looks_like_a_key or _counts_on(column)]
    if keys:
        return Mapped({"column": keys[0].name}, "it is different in every row: does it name the loan?")
    return Mapped({"row": "L"}, "no column tells the loans apart: each row counts as a loan and has its number")


def _counts_on(column: Column) -> bool:
    """Return whether a file's first column numbers the rows."""
    return column.place == 1 and column.whole and column.numbers is not None and column.numbers.is_sorted()


def borrower_id_of(file: LenderFile, loan_id: Mapped, taken: set[str]) -> Mapped:
    """Return where the number of each loan's borrower comes from."""
    free = [column for column in file.columns if column.name not in taken and column.complete]
    for words, check in (
        ("^borrower id$", ""),
        (said.BORROWER_ID, ""),
        (said.ACCOUNT_ID, "the account stands for the borrower"),
    ):
        chosen = [column for column in free if column.speaks(words) and column.kind != "day"]
        if chosen:
            return Mapped({"column": chosen[0].name}, check)
    # Branches and products repeat in many rows each, borrowers in a few.
    keys = [column for column in free if column.looks_like_a_key and column.distinct * FEW_LOANS >= column.known]
    if keys:
        return Mapped({"column": keys[0].name}, "it looks like an identifier: does it name the borrower?")
    return Mapped(loan_id.source, "no column names the borrower: each loan counts as another borrower's")


def applied_on_of(file: LenderFile, taken: set[str]) -> Mapped | None:
    """Return the column of days that the file is in order of, or that is called a date and no more."""
    for column in file.columns:
        if column.kind != "day" or not column.complete or column.name in taken or column.days is None:
            continue
        in_order = column.days.is_sorted() and column.distinct >= DAYS_IN_ORDER
        if (in_order or column.speaks(said.BARE_DAY)) and protected_names.of_a_name(column.name) is None:
            form = {} if column.format is None else {"format": column.format}
            return Mapped({"column": column.name, **form}, "is it the day of the application?")
    return None
