"""What a feature may look at, in the words of the trade; each view turns a history into rows ready to be counted."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from features.history import History


class View:
    """Rows of one kind about each case; a subclass names their columns."""

    @classmethod
    def rows(cls, history: History) -> pl.DataFrame | None:
        """Return rows with `case`, oldest first, or None when the lender did not send the table."""
        raise NotImplementedError


class Loans(View):
    """The contract itself: one row per case."""

    credit_limit: ClassVar[pl.Expr] = pl.col("credit_limit").last()

    @classmethod
    def rows(cls, history: History) -> pl.DataFrame:
        """Return the row of each case's loan."""
        return history.known.loans


class Statements(View):
    """The statement ledger (`features.statement_ledger`) of a revolving account.

    Every column is a whole number or a yes/no, so that a feature is a ratio of exact sums and comes out the same to
    the last bit however many borrowers are computed together.
    """

    balance: ClassVar[pl.Expr] = pl.col("balance")
    owed: ClassVar[pl.Expr] = pl.col("owed")
    due: ClassVar[pl.Expr] = pl.col("due")
    paid: ClassVar[pl.Expr] = pl.col("paid")
    shortfall: ClassVar[pl.Expr] = pl.col("shortfall")
    spent: ClassVar[pl.Expr] = pl.col("spent")
    asked: ClassVar[pl.Expr] = pl.col("asked")
    months_overdue: ClassVar[pl.Expr] = pl.col("months_overdue")
    late: ClassVar[pl.Expr] = pl.col("late")
    unused: ClassVar[pl.Expr] = pl.col("unused")
    paid_in_full: ClassVar[pl.Expr] = pl.col("paid_in_full")
    part_paid: ClassVar[pl.Expr] = pl.col("part_paid")
    credit_limit: ClassVar[pl.Expr] = pl.col("credit_limit")

    @classmethod
    def rows(cls, history: History) -> pl.DataFrame | None:
        """Return the ledger's rows."""
        return history.statements

    def within(self, months: int) -> pl.Expr:
        """Return the mark of statements that closed in the last so many months."""
        return pl.col(f"within_{months}m")

    def total(self, amount: pl.Expr, months: int, *, where: pl.Expr | None = None) -> pl.Expr:
        """Return an amount's sum over the window; missing when no statement with a known amount lies there."""
        chosen = amount.filter(self.within(months) if where is None else self.within(months) & where)
        return pl.when(chosen.count() > 0).then(chosen.sum())

    def count(self, happened: pl.Expr, months: int) -> pl.Expr:
        """Return how many statements of the window have a mark; missing when the window holds none that can tell."""
        marks = happened.filter(self.within(months))
        return pl.when(marks.count() > 0).then(marks.sum())


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Return part over whole; missing when the whole is 0 or either is missing."""
    return pl.when(whole != 0).then(part / whole)
