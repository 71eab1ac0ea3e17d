"""How queries are answered: those about few rows together, for asking takes longer than answering."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import polars as pl

FEW = 10_000
"""Rows below which it is the number of queries that takes the time; from here on it is the rows."""
ENGINE: Literal["in-memory"] = "in-memory"
"""Polars' engine for tables that are at hand; the one that streams takes twice as long to start."""


def answered(query: pl.LazyFrame) -> pl.DataFrame:
    """Return the answer to one query."""
    return query.collect(engine=ENGINE, optimizations=_as_written())


def all_answered(queries: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Return the answers to queries that do not need each other; they are worked out at the same time."""
    return pl.collect_all(queries, engine=ENGINE, optimizations=_as_written())


@lru_cache(maxsize=1)
def _as_written() -> pl.QueryOptFlags:
    """Return the optimisations that operations one by one have: to look for more takes longer than a borrower does."""
    return pl.QueryOptFlags.none(simplify_expression=True)
