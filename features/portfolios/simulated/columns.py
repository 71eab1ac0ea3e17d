"""Whole numbers turned into what a lender's tables hold: identifiers, days, instants, members of a list."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from features.portfolios.simulated.chance import Ints
from features.schemas import SCORED

DAY_SECONDS, MICROSECONDS = 86_400, 1_000_000
ID_DIGITS = 7
NO_DAY = -1
"""Stands for no day; becomes null."""


def ids(letter: str, numbers: Ints) -> pl.Series:
    """Return identifiers such as L0000001."""
    return letter + pl.Series(numbers).cast(pl.String).str.zfill(ID_DIGITS)


def instants_of(days: Ints, seconds: Ints) -> Ints:
    """Return instants in microseconds from days and seconds after their beginning, both UTC."""
    found: Ints = (days * DAY_SECONDS + seconds) * MICROSECONDS
    return found


def declared_frame(table: str, columns: Mapping[str, Ints | pl.Series]) -> pl.DataFrame:
    """Return a table as it is declared; columns that are not given are empty."""
    size = len(next(iter(columns.values())))
    made = []
    for name, kind in SCORED[table].columns().items():
        if name in columns:
            made.append(_typed(columns[name], kind.dtype).alias(name))
        else:
            made.append(pl.Series(name, [None], dtype=kind.dtype).new_from_index(0, size))
    return pl.DataFrame(made)


def _typed(values: Ints | pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return whole numbers as the declared type: the place of a member, a day, an instant or a number."""
    if isinstance(values, pl.Series):
        return values
    if isinstance(dtype, pl.Enum):
        return pl.Series(values.astype(np.uint8)).cat.to(dtype)
    if isinstance(dtype, pl.Date):
        days = pl.Series(values.astype(np.int32)).cast(pl.Date)
        return days.set(pl.Series(values == NO_DAY), None)
    return pl.Series(values).cast(dtype)
