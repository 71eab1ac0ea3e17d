"""What the verbs of the command line share: their options, how a book is opened and how a refusal begins."""

from __future__ import annotations

import errno
import os
import signal
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from features.portfolios import Portfolio
    from models.store import ModelStore

PortfolioOption = Annotated[
    str,
    typer.Option(
        "--portfolio", help="A built-in book (`taiwan`, `simulated`), a portfolio file, or a folder of table files."
    ),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder of the files that a portfolio file names; its own by default.")
]
CardOption = Annotated[
    str | None,
    typer.Option(
        "--card",
        help="`application`, `behaviour` (not overdue), `collection` (overdue) or `all`; by default the book's own.",
    ),
]
HomeOption = Annotated[
    Path, typer.Option("--home", envvar="REPAYRANK_HOME", help="Folder of models, keys and MLflow records.")
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Observation date; what was recorded later does not exist."),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--zone", help="IANA zone in which your days end; UTC for a folder, a built-in book knows its own."),
]
VersionOption = Annotated[str | None, typer.Option("--version", help="A model version; the champion by default.")]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", envvar="REPAYRANK_POLICY", help="A policy file; the shipped one by default.")
]
ScoredOn = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        help="The one day on which each loan is scored; by default the book's own date, of several the latest.",
    ),
]

LARGEST_SEED = 2**31 - 1
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="The same seed gives the same folds and model.")
]

DEFAULT_HOME = Path(".repayrank")
TABLE_WIDTH = 150
"""Columns of a table that goes into a file or a pipe, where there is no terminal to ask."""


def say(text: str) -> None:
    """Tell how the work goes, on the terminal."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - progress belongs on the terminal, results on stdout


def tell(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201


def open_book(portfolio: str, zone: str | None = None, data: Path | None = None, *, outcomes: bool = True) -> Portfolio:
    """Open a book and give Ctrl-C back: Polars 2.1 takes the signal with its first query and lets none through."""
    from features.portfolios import open_portfolio

    book = open_portfolio(portfolio, zone, data=data, outcomes=outcomes)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return book


def require_folder(home: Path) -> None:
    """Refuse a home that is a file before the work begins; one that is not there is made, or missed, later."""
    if home.exists() and not home.is_dir():
        raise unusable(errno.ENOTDIR, home)


def unusable(number: int, path: Path) -> OSError:
    """Return the operating system's own refusal of a path, by the number of the error."""
    return OSError(number, os.strerror(number), str(path))


def require_card(card: str | None) -> None:
    """Refuse a card that the release does not have."""
    from models.cards import card_named

    if card is not None:
        card_named(card)


def day(as_of: datetime | None) -> date | None:
    """Return the day of an option."""
    return None if as_of is None else as_of.date()


def require_trained(store: ModelStore, card: str, version: str | None, portfolio: str) -> None:
    """Refuse a card that was never trained, with the command that trains it on the reader's own book."""
    if version is not None:
        store.folder(card, version)
    else:
        store.champion(card, book=portfolio)


def standing(book: Portfolio, as_of: datetime | None) -> str:
    """Return, in words, on which of several dates a book is scored."""
    latest = book.latest_of_several
    if as_of is not None or latest is None:
        return ""
    return f", as of {latest}, the latest of the book's {len(book.observed_dates)} dates"
