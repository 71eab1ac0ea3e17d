"""Forecasts of the NPL ratio held against what came, by cards that had not seen the loans or what became of them.

    python -m benchmarks.early_warning taiwan
    python -m benchmarks.early_warning simulated

On `taiwan`, which knows one month's outcomes, cards are fitted on every other customer and the others' book is
forecast.
On `simulated` they are fitted on loans whose performance windows had ended before the first date.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date

from features.portfolios import Portfolio, open_portfolio
from models.cards import card_of
from models.fitted_card import FittedCard
from models.policy import default_policy
from models.risk_model import sizes_for
from training.cohort import cohort
from training.early_warning.categories import read_category_policy
from training.early_warning.forecasting import ProductMigration, book_migration, months_from
from training.fitting import fitted_card

FIRST = date(2005, 4, 30)
TAIWAN = (date(2005, 6, 30), date(2005, 7, 31), date(2005, 8, 31))
SIMULATED = (date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31))


def fitted(book: Portfolio, name: str, day: date) -> FittedCard:
    """Return a card of the release's first size, not stored."""
    cases = cohort(book, card_of(book, name), day)
    size = sizes_for(len(cases))[0]
    return fitted_card(cases, version="not stored", seed=0, provenance={}, sizes=(size,), allocation=book.allocation)


def taiwan() -> tuple[Portfolio, list[FittedCard]]:
    """Return half of the book, and cards that were fitted on the other half."""
    book = open_portfolio("taiwan")
    loans = book.tables.loans.get_column("loan_id").unique().sort()
    ours, others = (replace(book, tables=book.tables.of_loans(loans.gather_every(2, half))) for half in (0, 1))
    return others, [fitted(ours, name, date(2005, 9, 30)) for name in ("behaviour", "collection")]


def simulated() -> tuple[Portfolio, list[FittedCard]]:
    """Return the book, and cards of which every outcome was known before the first date."""
    book = open_portfolio("simulated")
    return book, [fitted(book, "behaviour", date(2024, 3, 31)), fitted(book, "collection", date(2025, 2, 28))]


def row(day: date, one: ProductMigration) -> str:
    """Return a forecast and what came as a row of a table."""
    assert one.came is not None, "the book knows the day after"
    assert one.came.surprise is not None, "cards score the book"
    assert one.markov is not None, "what has been seen"
    assert one.scores is not None, "cards score the book"
    forecasts = " | ".join(
        f"{told.ratio:.3%} ({told.ratio_bounds.low:.3%} to {told.ratio_bounds.high:.3%})"
        for told in (one.markov, one.scores)
    )
    gain, bounds = one.came.surprise
    return (
        f"| {months_from(day, 1)} | {one.ratio:.3%} | {one.came.ratio:.3%} | {forecasts} | "
        f"{gain:+.4f} ({bounds.low:+.4f} to {bounds.high:+.4f}) |"
    )


def main(name: str) -> None:
    """Print the table of one book."""
    book, cards = {"taiwan": taiwan, "simulated": simulated}[name]()
    for day in {"taiwan": TAIWAN, "simulated": SIMULATED}[name]:
        first = max(months_from(day, -3), FIRST)
        told = book_migration(book, read_category_policy(None), first, day, cards=cards, scale=default_policy())
        for one in told.products:
            print(row(day, one), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
