"""`repayrank report`: one page on a book, what is at risk in it, who comes first and why."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from features.errors import UsageError
from models.verb_options import (
    DEFAULT_HOME,
    CardOption,
    DataOption,
    HomeOption,
    PolicyOption,
    PortfolioOption,
    ScoredOn,
    SeedOption,
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


def report(
    portfolio: PortfolioOption,
    out: Annotated[Path, typer.Option("--out", help="FILE.html")],
    card: CardOption = None,
    data: DataOption = None,
    home: HomeOption = DEFAULT_HOME,
    policy: PolicyOption = None,
    as_of: ScoredOn = None,
    zone: ZoneOption = None,
    version: VersionOption = None,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Fit a card on part of the book and report on the rest and what became of it."),
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """Write one page on a book: what is at risk, who comes first and why; with `--judge` also how good the order is.

    Example: `repayrank report --portfolio my_book --judge --out report.html`
    """
    from models.assessment import assess_population
    from models.cards import card_of
    from models.policy import default_policy, read_policy
    from models.store import ModelStore
    from training.book_report import report_judged, report_ranking

    require_card(card)
    _require_page(out)
    require_folder(home)
    rules = default_policy() if policy is None else read_policy(policy)
    if judge:
        book = open_book(portfolio, zone, data)
        wanted = card_of(book, card or book.card)
        loans = report_judged(out, book, wanted, rules, as_of=day(as_of), seed=seed, say=say)
        tell(f"report on {loans:,} loans that the {wanted.name} card had not seen: {out}")
        return
    book = open_book(portfolio, zone, data, outcomes=False)
    require_trained(ModelStore(home), card or book.card, version, portfolio)
    fitted = ModelStore(home).load(card or book.card, version)
    history = replace(book, allocation=fitted.allocation).to_score(day(as_of))
    assessment = assess_population(history, fitted, rules)
    report_ranking(out, assessment, source=book.source)
    say("how good the order is takes loans that the card has not seen: add --judge")
    by = f"{fitted.card.name} card, version {fitted.version}{standing(book, as_of)}"
    tell(f"report on {len(assessment):,} loans by the {by}: {out}")


def _require_page(out: Path) -> None:
    """Refuse a page that cannot be written, before the work is done."""
    if out.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"a file of kind '{out.suffix}'", where=str(out), expected=".html", do="name such a file")
    if not out.parent.is_dir() or out.is_dir():
        raise unusable(errno.EISDIR if out.is_dir() else errno.ENOENT, out)
