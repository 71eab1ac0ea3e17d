"""What is taken to be so because a portfolio file does not say: above all, when things were known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl

from features.portfolios import Portfolio
from features.portfolios.portfolio_file import ColumnSource, PortfolioFile, TableSource
from features.portfolios.reading import PARQUET, rows_of
from features.schemas import BESIDE
from features.tables import FACTS, declaration
from models.cards import Card

OF_PERSONS = (FACTS, "borrowers", "protected")
KEYS = {"loan_id": "loan", "borrower_id": "borrower"}


def assumed(
    portfolio: Portfolio, file: PortfolioFile, folder: Path, card: Card, stands_on: date | None
) -> Iterator[str]:
    """Yield each assumption in a sentence.

    Parameters
    ----------
    folder : where the files lie
    stands_on : the day on which the check stands because the file names none
    """
    if stands_on is not None:
        yield (
            f"no observation date is given: this check stands on {stands_on}, the last day of which the book knows, "
            "and no day lies after it. Say under [observe] where it stands, or that each loan stands on its application"
        )
    for name, table in file.tables.items():
        if name not in BESIDE and not _has(table, "recorded_at", folder):
            stated = _has(table, "stated_on", folder)
            yield f"table '{name}' has no recorded_at: {_instead(portfolio, name, stated=stated)}"
        if name == "borrowers" and not _has(table, "stated_on", folder):
            yield (
                "table 'borrowers' has no stated_on: what it says of a borrower counts as said before anything else, "
                "and how old the evidence is, is not known"
            )
    if file.features and (FACTS not in file.tables or portfolio.raw.of_loans):
        yield (
            "what features read counts as known when the loan's row was recorded: the loans' file must hold it as it "
            "was then, not as it is now"
        )
    if FACTS in file.tables and not _has(file.tables[FACTS], "recorded_at", folder):
        yield (
            f"features read {file.tables[FACTS].file} as it is: it must hold what was so on the observation dates, not "
            "what is so now; put under unused, and out of the features, what is kept up to date"
        )
    yield from _payments(portfolio, file)
    yield from _keys(file)
    if portfolio.outcomes is None and portfolio.tables.instalments is not None and card.bad_days_past_due is None:
        yield (
            f"good is that on some day of the {card.window_days} days nothing that had fallen due was unpaid, all "
            "of it met by the borrower's own money: instalments that fell due meanwhile must be met too"
        )
    if portfolio.outcomes is not None and card.said is None:
        yield (
            f"[cards.{card.name}] has no outcome in words: reports will say that bad means {card.outcome.en}, whatever "
            "the outcomes sent mean"
        )
    if file.outcome is not None and file.outcome.after_days is None:
        yield f"[outcome] has no after_days: outcomes are those at the end of the card's {card.window_days} days"
    loans = portfolio.tables.loans
    if loans.get_column("amount").null_count() == loans.height == loans.get_column("credit_limit").null_count():
        yield "no amount and no credit_limit is read: money at risk is not known, and no column was compared with it"


def columns_beside(file: PortfolioFile, folder: Path) -> frozenset[str]:
    """Return the columns of the files about borrowers and of facts: what a list may name beside the loans' columns."""
    beside = [table for name, table in file.tables.items() if name in OF_PERSONS]
    found = {column for table in beside for column in _columns_in(folder / table.file, table)}
    return frozenset({*found, *(file.computed if beside else ())})


def _instead(portfolio: Portfolio, name: str, *, stated: bool) -> str:
    """Return when the rows of a table count as recorded.

    Parameters
    ----------
    stated : a table of borrowers says on which day each row was stated
    """
    frame: pl.DataFrame | None = getattr(portfolio.tables, name)
    days = [day for day in (declaration(name).happened, "applied_on", "opened_on") if day is not None]
    given = (
        []
        if frame is None
        else [d for d in days if d in frame.columns and frame.get_column(d).null_count() < frame.height]
    )
    if not given or (name == "borrowers" and not stated):
        return "no day says when a row came to be known, and each counts as always known"
    return f"each row counts as recorded at noon of its {given[0]}"


def _payments(portfolio: Portfolio, file: PortfolioFile) -> Iterator[str]:
    """Yield how payments meet what is due, where that decides who is overdue and what becomes of a loan."""
    if portfolio.tables.instalments is None or portfolio.tables.payments is None:
        return
    told, order = file.payments, ", then ".join(file.payments.order)
    how = (
        f"all {order} that are due, of every instalment together"
        if told.across_instalments
        else f"the oldest instalment whole before the next, in it {order}"
    )
    yield (
        f"a payment that is not enough meets {how}; what is left over is held for the next instalment. Where something "
        "else was agreed, [payments] order and across_instalments say so"
    )


def _keys(file: PortfolioFile) -> Iterator[str]:
    for target, of_whom in KEYS.items():
        source = file.tables["loans"].columns.get(target)
        if isinstance(source, ColumnSource) and source.row is not None:
            more = "; a borrower with several loans cannot be seen" if target == "borrower_id" else ""
            yield f"each row is another {of_whom}: {target} is the number of the row{more}"


def _has(table: TableSource, column: str, folder: Path) -> bool:
    return column in table.columns or column in _columns_in(folder / table.file, table)


def _columns_in(path: Path, table: TableSource) -> list[str]:
    """Return the columns that a file has, from its first line."""
    if path.suffix == PARQUET:
        return list(pl.read_parquet_schema(path))
    return rows_of(path, "its columns", separator=table.separator, encoding=table.encoding, most=0).columns
