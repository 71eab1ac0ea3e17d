"""What a lender's declared features lack: words, differences between loans, and names for values that the data hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from features.catalog import Catalog, catalog
from features.declared import kinds_of, reads_a_number
from features.history import CASE, History
from features.portfolios import Portfolio
from features.portfolios.numbers import POINT
from features.portfolios.portfolio_file import PortfolioFile
from models.risk_model import Floats
from training.checking.column_roles import Roles

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


def only_the_calendar(portfolio: Portfolio, members: History) -> Iterator[str]:
    """Yield the features that are the same for all cases of each date, and not on all dates: they tell the date alone.

    A card would learn from them what the year was like, and repeat it of every loan to come.
    """
    days = members.cases.get_column("observed_on")
    if days.n_unique() < 2 or days.n_unique() * LEAST_ROWS > len(days):  # noqa: PLR2004 - one date has no calendar
        return
    matrix = portfolio.catalog.values(members)
    values = pl.DataFrame(matrix.values, schema=[feature.name for feature in matrix.features])
    spread = values.fill_nan(None).with_columns(day=days).group_by("day").agg(pl.all().n_unique())
    within = spread.drop("day").max().row(0, named=True)
    for feature in matrix.features:
        if within[feature.name] == 1 and values.get_column(feature.name).n_unique() > 1:
            yield (
                f"feature '{feature.name}' is on each date the same for all loans, and tells nothing but the date. Do: "
                "send the day that it counts from for each loan or borrower, or leave the column that it reads out"
            )


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
        # A number that is declared a code of the column is named, and is missing for what it says.
        codes = POINT.equal(texts, told.no_numbers.get(column, ()))
        strange = texts.filter(texts.is_in(named).not_() & codes.not_())
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


def undeclared_codes(portfolio: Portfolio, file: PortfolioFile, rows: pl.DataFrame) -> Iterator[str]:
    """Yield the columns that seem to hold special codes, such as -9 or 999, which are taken for numbers.

    Parameters
    ----------
    rows : the rows of the loans' file as text, from which columns are computed
    """
    declared = file.codes_by_column
    readers: dict[str, list[str]] = {}
    values: dict[str, Floats] = {}
    for name, told in portfolio.declared.items():
        for column, kind in kinds_of({name: told}).items():
            if kind == "number":
                readers.setdefault(column, []).append(f"feature '{name}'")
                values[column] = _facts(portfolio, column).drop_nulls().to_numpy()
    for name, computed in file.computed.items():
        for column in computed.columns:
            if column in rows.columns:
                readers.setdefault(column, []).append(f"computed '{name}'")
                values.setdefault(column, POINT.numbers(rows.get_column(column)).drop_nulls().to_numpy())
    for column, by in readers.items():
        found = [(code, count) for code, count in edge_codes(values[column]) if code not in declared.get(column, ())]
        if found:
            codes = ", ".join(f"{code:g} in {count:,} rows" for code, count in found)
            section = f"[codes.{column}] unknown = [{', '.join(f'{code:g}' for code, _ in found)}]"
            yield (
                f"column '{column}', read by {', '.join(by)}, may hold codes, no numbers: {codes}. Do: declare them "
                f"once for the column, as {section}, or with their meanings"
            )


def numbers_cut_short(portfolio: Portfolio) -> Iterator[str]:
    """Yield the features that read the number in a text up to a comma in it: of "12,5 %" they take 12."""
    for name, told in portfolio.declared.items():
        if told.number_in is not None:
            texts = _facts(portfolio, told.number_in).drop_nulls()
            cut = int(texts.str.contains("[0-9],[0-9]").sum() or 0)
            if cut:
                yield (
                    f"feature '{name}': in {cut:,} rows of column '{told.number_in}' the number in the text has a "
                    "comma, and is read up to it. Do: put the number in a column of its own"
                )


def denominators(portfolio: Portfolio, file: PortfolioFile, members: History, rows: pl.DataFrame) -> Iterator[str]:
    """Yield how often what a ratio divides by is 0 or less, where the ratio is not known."""
    facts = members.known.facts
    if facts is not None:
        latest = facts.group_by(CASE, maintain_order=True).agg(pl.all().last())
        for name, told in portfolio.declared.items():
            if told.ratio is not None:
                below = told.ratio[1]
                found = latest.get_column(below)
                found = found.filter(found.is_in(list(told.no_numbers.get(below, ()))).not_())
                yield from _not_above(f"feature '{name}'", below, int((found <= 0).sum() or 0), "cases")
    for name, computed in file.computed.items():
        if computed.over is not None and computed.over[1] in rows.columns:
            below = computed.over[1]
            numbers = POINT.numbers(rows.get_column(below)).drop_nulls()
            numbers = numbers.filter(numbers.is_in(list(file.codes_by_column.get(below, ()))).not_())
            yield from _not_above(f"computed '{name}'", below, int((numbers <= 0).sum() or 0), "rows")


def _not_above(reader: str, column: str, count: int, what: str) -> Iterator[str]:
    if count:
        held = f"{count:,} {what} have" if count > 1 else f"1 {what.removesuffix('s')} has"
        yield f"{reader}: {held} a denominator, '{column}', of 0 or less: there the ratio is not known"


def counted_twice(file: PortfolioFile, roles: Roles) -> Iterator[str]:
    """Yield the features that read a column as it is which a feature of the release's own is read from already."""
    own = set(catalog().names)
    for name, told in file.features.items():
        column = told.column or name
        if not reads_a_number(told):
            continue
        for by in roles.read_by(column):
            target = by.removeprefix("loans.")
            if by.startswith("loans.") and target in own:
                yield (
                    f"feature '{name}' reads column '{column}', which is read as {by} as well and is the release's own "
                    f"feature '{target}': it counts twice. Do: take the feature out"
                )


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
