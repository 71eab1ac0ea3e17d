"""A made-up lender whose borrowers' ability and willingness are known: what a method finds can be held against it.

The world's numbers are in `world`; nothing here is estimated from real borrowers and no row is about a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from features.portfolios.portfolio import Portfolio
from features.portfolios.simulated.chunks import chunk_numbers, chunk_tables
from features.portfolios.simulated.truth import TRUTH
from features.portfolios.simulated.world import WORLD, World
from features.portfolios.simulated.writing import write
from features.tables import Tables

__all__ = ["WORLD", "Simulated", "World", "book", "simulate", "write"]

NAME = "simulated"
BOOK_LOANS, BOOK_SEED = 20_000, 1
"""The book that goes by the name `simulated`."""


@dataclass(frozen=True)
class Simulated:
    """A simulated book in memory.

    Attributes
    ----------
    tables : what the lender knows
    truth : what it does not: `loan_id`, `borrower_id`, `ability`, `willingness`, `arm`, `contact_effect`,
        `months_in_hardship`; see `truth.truth_of`
    observed_on : the observation date that the book is meant for
    zone : IANA time zone in which the lender's days end
    """

    tables: Tables
    truth: pl.DataFrame
    observed_on: date
    zone: str


def simulate(loans: int, seed: int, *, world: World = WORLD) -> Simulated:
    """Return a simulated book in memory; the same seed gives the same book, and `write` the same rows.

    Raises
    ------
    UsageError : there is no loan, or the seed is below 0
    """
    chunks = [chunk_tables(loans, seed, number, world) for number in chunk_numbers(loans, seed, world)]
    frames = {name: pl.concat([chunk[name] for chunk in chunks]) for name in chunks[0]}
    truth = frames.pop(TRUTH)
    tables = Tables.checked(frames, where=f"portfolio '{NAME}'")
    return Simulated(tables, truth, world.calendar.observed_on, world.calendar.zone)


def book() -> Portfolio:
    """Return the simulated book that goes by its name, with its truth."""
    made = simulate(BOOK_LOANS, BOOK_SEED)
    return Portfolio(
        name=NAME,
        tables=made.tables,
        observed_on=made.observed_on,
        zone=made.zone,
        outcomes=None,
        protected=None,
        source=f"simulated: {BOOK_LOANS} loans, seed {BOOK_SEED}",
        truth=made.truth,
    )
