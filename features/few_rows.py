"""What few rows can be told by their columns, one by one, without a query: asking Polars takes longer than telling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import dataframely as dy
import polars as pl

from features.schemas import Table, all_hold

FEW = 1_000
"""Rows up to which a list is read faster than a query is asked."""


def are_few(frame: pl.DataFrame) -> bool:
    """Return whether a table's rows are few."""
    return frame.height <= FEW


def cells(series: pl.Series) -> list[object]:
    """Return the cells of a column, days and instants as the whole numbers that they are kept as."""
    return (series.cast(pl.Int64) if series.dtype.is_temporal() else series).to_list()


def repeat(frame: pl.DataFrame, columns: list[str]) -> bool:
    """Return whether two rows are alike in some columns; two cells without a value are."""
    if not columns or frame.height <= 1:
        return False
    rows = zip(*(cells(frame.get_column(name)) for name in columns), strict=True)
    return len(set(rows)) < frame.height


def keep_rules(frame: pl.DataFrame, schema: type[Table]) -> bool:
    """Return whether every row keeps every rule, as `Table.kept` says it; each column is there and has its type."""
    rules, column = _rules_of(schema), frame.get_column
    return (
        not any(column(name).has_nulls() for name in rules.filled)
        and all(_lie_between(column(name), least, most) for name, least, most in rules.bounds)
        and not any("" in column(name).to_list() for name in rules.texts)
        and not repeat(frame, rules.keys)
        and (rules.others is None or bool(frame.select(rules.others).item()))
    )


def _lie_between(column: pl.Series, least: int, most: int) -> bool:
    found = cast("tuple[int | None, int | None]", (column.min(), column.max()))
    return found[0] is None or found[1] is None or (least <= found[0] and found[1] <= most)


@dataclass(frozen=True)
class _Rules:
    """A table's rules by how they are tried.

    filled : columns without an empty cell; bounds : columns of whole numbers with the least and the most of them;
    texts : columns without an empty text; keys : the columns in which no two rows are alike; others : one expression
    for all the rest, None where there is no more
    """

    filled: tuple[str, ...]
    bounds: tuple[tuple[str, int, int], ...]
    texts: tuple[str, ...]
    keys: list[str]
    others: pl.Expr | None


@lru_cache(maxsize=128)
def _rules_of(schema: type[Table]) -> _Rules:
    """Return a table's rules, sorted once: that takes longer than to try a borrower's rows."""
    filled, bounds, texts, others = [], [], [], schema.rules_of_rows()
    for name, column in schema.columns().items():
        left = column.validation_rules(pl.col(name))
        if left.pop("nullability", None) is not None:
            filled.append(name)
        if isinstance(column, dy.Int64 | dy.Int16 | dy.Int8) and {"min", "max"} <= left.keys():
            bounds.append((name, int(column.min or 0), int(column.max or 0)))
            del left["min"], left["max"]
        if isinstance(column, dy.String) and column.min_length == 1:
            texts.append(name)
            del left["min_length"]
        others += left.values()
    return _Rules(
        tuple(filled), tuple(bounds), tuple(texts), schema.primary_key(), all_hold(others) if others else None
    )
