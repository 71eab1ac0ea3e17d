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
    months_overdue: ClassVar[pl.Expr] = pl.col("months_overdue").cast(pl.Int64)
    late: ClassVar[pl.Expr] = pl.col("late")
    unused: ClassVar[pl.Expr] = pl.col("unused")
    paid_in_full: ClassVar[pl.Expr] = pl.col("paid_in_full")
    ago: ClassVar[pl.Expr] = pl.col("ago")
    limit: ClassVar[pl.Expr] = pl.col("credit_limit").last()

    @classmethod
    def rows(cls, history: History) -> pl.DataFrame | None:
        """Return the ledger's rows."""
        return history.statements

    def within(self, months: int) -> pl.Expr:
        """Return the mark of statements that closed in the last so many months."""
        return pl.col(f"within_{months}m")

    def known(self, column: pl.Expr, months: int) -> pl.Expr:
        """Return a column's known values in the window."""
        return column.filter(self.within(months)).drop_nulls()

    def answer(self, mark: pl.Expr) -> pl.Expr:
        """Return a mark of how a statement was answered; missing where what was due or what was paid is unknown."""
        return pl.when(self.due.is_not_null() & self.paid.is_not_null()).then(mark)

    def total(self, amount: pl.Expr, months: int, *, where: pl.Expr | None = None) -> pl.Expr:
        """Return an amount's sum over the window; missing when no statement with a known amount lies there.

        `where` leaves out statements without the mark; when the mark is on none, the sum is 0.
        """
        seen = self.known(amount, months)
        summed = seen.sum() if where is None else amount.filter(self.within(months) & where).sum()
        return pl.when(seen.len() > 0).then(summed)

    def count(self, mark: pl.Expr, months: int) -> pl.Expr:
        """Return how many statements of the window have a mark; missing when the window holds none that can tell."""
        seen = self.known(mark, months)
        return pl.when(seen.len() > 0).then(seen.sum().cast(pl.Int64))

    def latest(self, column: pl.Expr) -> pl.Expr:
        """Return the latest statement's value."""
        return column.last()

    def before(self, column: pl.Expr, statements: int = 1) -> pl.Expr:
        """Return the value so many statements before the latest; missing when there is none."""
        return column.shift(statements).last()

    def since_last(self, mark: pl.Expr, months: int) -> pl.Expr:
        """Return how many statements have come since the last one with a mark; missing when none has it."""
        return self.ago.filter(self.within(months) & mark).min()


def ratio(part: pl.Expr, whole: pl.Expr, *, most: float | None = None) -> pl.Expr:
    """Return part over whole, at most `most`; missing when the whole is not above 0 or either is missing."""
    shared = pl.when(whole > 0).then(part / whole)
    return shared if most is None else shared.clip(upper_bound=most)
