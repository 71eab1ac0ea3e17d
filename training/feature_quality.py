"""What a lender's declared features lack: words, differences between loans, and names for values that the data hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from features.catalog import Catalog
from features.declared import kinds_of
from features.history import History
from features.portfolios import Portfolio
from models.risk_model import Floats

LEVELS_SHOWN = 20
"""A column of more different texts, or whose texts hardly repeat, may be one that people typed: they are not shown."""
LEAST_ROWS = 20
"""A number that stands in fewer rows is no habit of a system."""
LEAST_SHARE = 0.005
"""Nor is one that stands in a smaller share of the rows: codes mark what is often unknown."""
NEIGHBOURS = 5
"""Values next to a code among which it must stand out: ages end at 98 as well, but not with a heap of them."""
STANDS_OUT = 3.0
"""How much more often a code stands than each of its neighbours."""
LARGE_CODES = frozenset(
    float(code) for nines in (99, 999, 9_999, 99_999, 999_999) for code in range(nines - 3, nines + 1)
)
"""96 to 99, 996 to 999 and so on: what bureaus write for "none", "refused" or "not known"."""
SMALL_CODES = frozenset({-9_999.0, -999.0, -99.0, *(-float(code) for code in range(1, 10))})


def unsaid(portfolio: Portfolio) -> Iterator[str]:
    """Yield the words that each feature or card leaves out; plain ones, or the other language's, stand in for them."""
    for feature, words in itertools.groupby(portfolio.unsaid, key=lambda one: one.split(",")[0]):
        all_words = [one.removeprefix(f"{feature}, ") for one in words]
        of_levels = [one for one in all_words if one.startswith("level ")]
        lacking = [one for one in all_words if one not in of_levels]
        if of_levels:
            lacking.append(f"{len(of_levels)} of its levels")
        yield f"{feature} has no words for: {'; '.join(lacking)}"


def without_differences(portfolio: Portfolio, members: History) -> Iterator[str]:
    """Yield the declared features that are known for no case of the card, or the same in all."""
    if not portfolio.features or not len(members.cases):
        return
    matrix = Catalog(portfolio.features).values(members)
    for feature, values in zip(matrix.features, matrix.values.T, strict=True):
        known = values[~np.isnan(values)]
        if not len(known):
            yield f"feature '{feature.name}' is known for no case"
        elif known.min() == known.max():
            missing = len(values) - len(known)
            beside = f", and missing in {missing:,}" if missing else ""
            yield f"feature '{feature.name}' is the same for every case{beside}"


def unnamed_levels(portfolio: Portfolio) -> Iterator[str]:
    """Yield the categories whose column holds texts that the declaration does not name, or names without any row.

    An unnamed text counts as missing.
    """
    for name, told in portfolio.declared.items():
        if told.levels is None:
            continue
        column = told.column or name
        texts = _facts(portfolio, column).drop_nulls()
        named = [level if isinstance(level, str) else level.value for level in told.levels]
        strange = texts.filter(texts.is_in(named).not_())
        if len(strange):
            shown = ""
            if texts.n_unique() <= min(LEVELS_SHOWN, len(texts) / LEAST_ROWS):
                shown = ": " + ", ".join(f"'{text}'" for text in strange.unique().sort())
            yield (
                f"feature '{name}': column '{column}' holds {_values(strange.n_unique())} not among its levels "
                f"and count{'s' if strange.n_unique() == 1 else ''} as missing, in {len(strange):,} of {len(texts):,} "
                f"rows{shown}"
            )
        absent = [text for text in named if text not in set(texts.unique())]
        if absent:
            yield f"feature '{name}': no row of column '{column}' holds the level {', '.join(map(repr, absent))}"


def undeclared_codes(portfolio: Portfolio) -> Iterator[str]:
    """Yield the columns that seem to hold special codes, such as -9 or 999, which their features take for numbers."""
    for name, told in portfolio.declared.items():
        for column, kind in kinds_of({name: told}).items():
            if kind != "number":
                continue
            values = _facts(portfolio, column).drop_nulls().to_numpy()
            declared = {float(code) for code in told.codes}
            found = [(code, rows) for code, rows in edge_codes(values) if code not in declared]
            if found:
                codes = ", ".join(f"{code:g} in {rows:,} rows" for code, rows in found)
                yield f"feature '{name}': column '{column}' may hold codes, no numbers: {codes}. Do: declare its codes"


def edge_codes(values: Floats) -> list[tuple[float, int]]:
    """Return the numbers at the edges of a column that look like codes, each with its rows.

    A code is one of the usual ones, lies beyond every other number, and stands in many rows: below 0 where nothing
    else is, or above and far more often than its neighbours.

    >>> edge_codes(np.array([-9.0] * 30 + [1.0, 2.0, 3.0] * 100))
    [(-9.0, 30)]
    """
    numbers, rows = (part.tolist() for part in np.unique(values, return_counts=True))
    enough = max(LEAST_ROWS, LEAST_SHARE * len(values))
    negative = [number for number in numbers if number < 0]
    low = negative if all(number in SMALL_CODES for number in negative) and len(negative) < len(numbers) else []
    # From the largest down, for as long as there are codes: 98 may stand below 99.
    high = list(itertools.takewhile(lambda number: number in LARGE_CODES, reversed(numbers)))[::-1]
    below = rows[: len(numbers) - len(high)][-NEIGHBOURS:]
    often = dict(zip(numbers, rows, strict=True))
    found = [number for number in low if often[number] >= enough]
    found += [number for number in high if below and often[number] >= max(enough, STANDS_OUT * max(below))]
    return [(number, often[number]) for number in found]


def _values(number: int) -> str:
    return "a value that is" if number == 1 else f"{number:,} values that are"


def _facts(portfolio: Portfolio, column: str) -> pl.Series:
    facts = portfolio.tables.facts
    assert facts is not None, "a book with declared features has facts"
    return facts.get_column(column)
