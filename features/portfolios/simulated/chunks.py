"""A simulated book in pieces: each chunk of loans comes from a seed of its own and depends on no other chunk."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.errors import UsageError
from features.portfolios.simulated.months import live_through
from features.portfolios.simulated.people import draw_people
from features.portfolios.simulated.tables import tables_of
from features.portfolios.simulated.world import World


def chunk_numbers(loans: int, seed: int, world: World) -> range:
    """Return the numbers of the chunks of a book of so many loans.

    Raises
    ------
    UsageError : there is no loan, or the seed is below 0
    """
    if loans < 1:
        raise UsageError(
            f"{loans} loans", where="simulate", expected="at least 1 loan", do="ask for the number of loans you need"
        )
    if seed < 0:
        raise UsageError(f"seed {seed}", where="simulate", expected="0 or above", do="choose another seed")
    return range(-(-loans // world.loans_per_chunk))


def chunk_tables(loans: int, seed: int, number: int, world: World) -> dict[str, pl.DataFrame]:
    """Return the tables of one chunk, and table `truth`."""
    dice = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))
    first = number * world.loans_per_chunk
    numbers = np.arange(first + 1, min(first + world.loans_per_chunk, loans) + 1, dtype=np.int64)
    borrowers, drawn = draw_people(dice, numbers, world)
    return tables_of(live_through(dice, borrowers, drawn, world))
