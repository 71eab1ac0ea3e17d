"""`repayrank score` and `repayrank rank`: a file of a book's loans, scored and, for a work list, put in order."""

from __future__ import annotations

import errno
import signal
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.verb_options import (
    DEFAULT_HOME,
    CardOption,
    DataOption,
    HomeOption,
    PolicyOption,
    PortfolioOption,
    ScoredOn,
    VersionOption,
    ZoneOption,
    day,
    open_book,
    require_card,
    require_folder,
    require_trained,
    say,
    standing,
    tell,
    unusable,
)

if TYPE_CHECKING:
    from features.portfolios import Portfolio
    from features.portfolios.bucketed import Bucket

OutOption = Annotated[Path, typer.Option("--out", help="FILE.parquet or FILE.csv")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Buckets worked on at a time, where the book is kept in buckets; all cores."),
]
ContributionsOption = Annotated[bool, typer.Option(help="Add every feature's value and contribution.")]


def score(
    portfolio: PortfolioOption,
    out: OutOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: PolicyOption = None,
    as_of: ScoredOn = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    contributions: ContributionsOption = False,
    workers: WorkersOption = None,
) -> None:
    """Score the card's loans of a book, in the book's order, with reasons in English and Chinese.

    Example: `repayrank score --portfolio taiwan --card behaviour --out scores.parquet`
    """
    _write(
        portfolio,
        out,
        ranked=False,
        card=card,
        data=data,
        home=home,
        policy=policy,
        as_of=as_of,
        zone=zone,
        version=version,
        contributions=contributions,
        workers=workers,
    )


def rank(
    portfolio: PortfolioOption,
    out: OutOption,
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: PolicyOption = None,
    as_of: ScoredOn = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    contributions: ContributionsOption = False,
    workers: WorkersOption = None,
) -> None:
    """Score the card's loans of a book and put them in order of work: highest expected loss first.

    Example: `repayrank rank --portfolio taiwan --card collection --out worklist.csv`
    """
    _write(
        portfolio,
        out,
        ranked=True,
        card=card,
        data=data,
        home=home,
        policy=policy,
        as_of=as_of,
        zone=zone,
        version=version,
        contributions=contributions,
        workers=workers,
    )


def _of_bucket(bucket: Bucket, zone: str | None) -> Portfolio:
    """Open a bucket and give Ctrl-C back, as `open_book` does."""
    book = bucket.open(zone)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return book


def _write(
    portfolio: str,
    out: Path,
    *,
    ranked: bool,
    card: str | None,
    data: Path | None,
    home: Path,
    policy: Path | None,
    as_of: datetime | None,
    zone: str | None,
    version: str | None,
    contributions: bool,
    workers: int | None,
) -> None:
    from features.portfolios.bucketed import buckets
    from features.table_files import require_writable, write
    from models.assessment import assess_population
    from models.policy import default_policy, read_policy
    from models.store import ModelStore
    from serving.batch import frame

    require_card(card)
    require_writable(out)
    if out.is_dir():
        raise unusable(errno.EISDIR, out)
    require_folder(home)
    rules = default_policy() if policy is None else read_policy(policy)
    store = ModelStore(home)
    if card is not None:
        require_trained(store, card, version, portfolio)
    kept = buckets(portfolio, data)
    book = _of_bucket(kept[0], zone) if kept else open_book(portfolio, zone, data, outcomes=False)
    require_trained(store, card or book.card, version, portfolio)
    fitted = store.load(card or book.card, version)
    if kept:
        from serving.by_bucket import Run, run, workers_by_default

        asked = Run(fitted, rules, day(as_of), zone, ranked, contributions)
        try:
            height = run(kept, asked, out, workers=workers or workers_by_default(), say=say)
        except KeyboardInterrupt:
            say("stopped; the same command goes on where this one was")
            raise
    else:
        history = replace(book, allocation=fitted.allocation).to_score(day(as_of))
        rows = frame(
            assess_population(history, fitted, rules), ranked=ranked, contributions=contributions, history=history
        )
        write(rows, out)
        height = rows.height
    verb = "ranked" if ranked else "scored"
    loans = "1 loan" if height == 1 else f"{height:,} loans"
    tell(f"{loans} {verb} by the {fitted.card.name} card, version {fitted.version}{standing(book, as_of)}: {out}")
