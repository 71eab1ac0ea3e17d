"""The report of a lender's own book: of loans that a card ranks now, or of loans on which a card is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from features.portfolios import Portfolio
from models.assessment import Assessment, assess_matrix
from models.cards import Card
from models.policy import Policy
from training.cohort import cohort
from training.fitting import fitted_card
from training.report import write_report
from training.splits import splits

ONE_IN = 3
"""Where cases are split in folds, one in so many is judged: a third, as in the demo."""
UNSAVED = "not stored"
"""The version of a card that is fitted for a report alone."""


def report_ranking(path: Path, assessment: Assessment, *, source: str) -> Path:
    """Write the report of loans that a stored card ranks; what became of them takes no part, and the path is returned.

    The loans may be those that the card was fitted on, and how well it does on these says nothing.
    """
    return write_report(path, assessment, None, source=source, metrics=None)


def report_judged(
    path: Path,
    book: Portfolio,
    card: Card,
    policy: Policy,
    *,
    as_of: date | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> int:
    """Write the report of loans that a card of the book has not seen, with what became of them; return their number.

    The card is fitted on the others for this report and is not stored. Cases are split as the portfolio file says, or
    as they allow.
    """
    whole = cohort(book, card, as_of)
    if whole.left_out:
        say(whole.left_out)
    by, test_from = book.split or (None, None)
    split = splits(whole, by=by, folds=ONE_IN, seed=seed, test_from=test_from)[0]
    fitted_on, judged = whole.rows(split.fit_on), whole.rows(split.judge_on)
    say(f"fitting the {card.name} card on {len(fitted_on):,} loans, to judge it on {len(judged):,} others")
    fitted = fitted_card(
        fitted_on,
        version=UNSAVED,
        seed=seed,
        provenance={},
        declared=book.declared,
        allocation=book.allocation,
        raw=book.raw,
    )
    assessment = assess_matrix(judged.matrix, judged.money, fitted, policy)
    write_report(path, assessment, judged.bad, source=book.source, metrics=None)
    return len(judged)
