"""A validation of a large book against the time that was asked for it: every question of the battery, files and all."""

from __future__ import annotations

import calendar
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.result import Result
from benchmarks.turns import Ratio, timed
from features.portfolios import Portfolio
from features.portfolios.simulated import simulate
from features.tables import Tables
from models.cards import card_of
from models.risk_model import LARGE_SIZES
from models.store import ModelStore
from models.trial import has_lived
from training.cohort import cohort
from training.fitting import fitted_card, golden_rows
from training.validation.validate import Validated, validate

ASKED_SECONDS, ASKED_ROWS = 180.0, 200_000
LOANS, SEED, CARD, TREES = 42_000, 1, "behaviour", 400
DATES = tuple(
    date(year, month, calendar.monthrange(year, month)[1])
    for year, month in [(2024, month) for month in range(7, 13)] + [(2025, month) for month in range(1, 7)]
)
SENT = ("loans", "instalments", "payments", "borrowers")
"""Tables that the lender sends: they give some seventy features."""
SLOWEST = 5
"""Checks whose seconds are told."""


def lender(loans: int = LOANS) -> Portfolio:
    """Return a simulated lender that observes its loans at each month's end; sex and age of its borrowers are drawn."""
    made = simulate(loans, SEED)
    borrowers = made.tables.loans.get_column("borrower_id").unique().sort()
    dice = np.random.default_rng(SEED)
    protected = pl.DataFrame(
        {
            "borrower_id": borrowers,
            "sex": np.where(dice.random(len(borrowers)) < 0.5, "female", "male"),
            "age_years": dice.integers(20, 70, len(borrowers)),
        }
    )
    return Portfolio(
        name="simulated, by month",
        tables=Tables(**{name: frame for name, frame in made.tables.items() if name in SENT}),
        observed_on=None,
        zone=made.zone,
        outcomes=None,
        protected=protected,
        source="simulated",
        observed_dates=DATES,
    )


def stored(book: Portfolio, home: Path) -> tuple[int, int]:
    """Fit a card on a book and store it; return how many cases it was fitted on, and how many features it has."""
    cases = cohort(book, card_of(book, CARD))
    card = fitted_card(
        cases,
        version="1",
        seed=0,
        sizes=(replace(LARGE_SIZES[-1], most_trees=TREES),),
        provenance={"run": "none", "portfolio": book.name, "source": book.source, "hold_out": 0.0},
    )
    store = ModelStore(home)
    store.save(card, golden_rows(cases))
    has_lived(store, CARD, "1")
    return len(cases), len(card.catalog)


def results(loans: int = LOANS) -> Iterator[Result]:
    """Yield how many times as long the time asked for is as the time it took, for as many rows as were asked."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        book = lender(loans)
        rows, features = stored(book, home)

        def judged() -> Validated:
            return validate(book, CARD, home, by="benchmark", version="1")

        done, took = timed(judged)
    seconds = sorted(done.result.seconds.items(), key=lambda one: -one[1])[:SLOWEST]
    yield Result(
        f"validate, {rows:,} x {features}, {len(done.result.findings)} checks",
        f"3 minutes for {ASKED_ROWS:,} rows",
        1.0,
        Ratio.of([took], [ASKED_SECONDS * rows / ASKED_ROWS]),
        ", ".join(f"{name} {told:.0f} s" for name, told in seconds),
    )
