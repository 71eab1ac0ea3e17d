"""The sums, counts, firsts and lasts that features ask for, found once for every case and put into their formulas.

Every value that is summed is a whole number, a day or a yes/no, so the numbers are the same to the bit as those that
Polars finds for each feature by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from features import case_loops
from features.compilation import compiled
from features.queries import FEW, all_answered
from features.shared_counts import Asked, Plan


def found(plan: Plan, rows: pl.DataFrame, case: str, *, few: int = FEW) -> pl.DataFrame:
    """Return each feature's value for each case that has rows, cases in rising order.

    Parameters
    ----------
    rows : one case's rows in the order in which the features read them
    case : name of the column that numbers the cases
    few : rows below which all is left to Polars; the numbers are the same

    Returns
    -------
    `case` and one column per feature
    """
    if rows.height < few:
        return all_found([(plan, rows)], case)[0].sort(case)
    cases = rows.get_column(case).to_numpy()
    if bool((cases[1:] < cases[:-1]).any()):
        rows = rows.sort(case, maintain_order=True)
        cases = rows.get_column(case).to_numpy()
    starts = np.concatenate([[0], np.flatnonzero(cases[1:] != cases[:-1]) + 1, [len(cases)]])[0 if len(cases) else 1 :]
    starts = starts.astype(np.int64)
    told = _Found(plan, rows, starts)
    frame = pl.DataFrame([rows.get_column(case).gather(starts[:-1])])
    if plan.asked:
        numbers = _never_one(
            pl.DataFrame([pl.Series(str(place), told.number(asked)) for place, asked in enumerate(plan.asked)])
        )
        frame = frame.hstack(numbers.select(plan.results).head(frame.height))
    if plan.whole:
        # maintain_order also keeps Polars from splitting one borrower's rows over threads.
        left = _never_one(rows, always=True).group_by(case, maintain_order=True).agg(plan.whole)
        frame = frame.hstack(_without_the_last(left).drop(case))
    return frame


def all_found(plans: Sequence[tuple[Plan, pl.DataFrame]], case: str) -> list[pl.DataFrame]:
    """Return what `found` returns of each plan and its few rows, cases in the order of their first rows."""
    return [_without_the_last(told) for told in all_answered(_asked_of_polars(*each, case) for each in plans)]


def _asked_of_polars(plan: Plan, rows: pl.DataFrame, case: str) -> pl.LazyFrame:
    """Return the query for each feature's value for each case, and last that of an empty row."""
    return (
        _never_one(rows, always=True)
        .lazy()
        .with_columns(plan.on_rows)
        .group_by(case, maintain_order=True)
        .agg(plan.numbers)
        .select(case, *plan.features)
    )


def _without_the_last(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.head(frame.height - 1)


def _never_one(frame: pl.DataFrame, *, always: bool = False) -> pl.DataFrame:
    """Return a table with an empty row after its only row, or after any rows.

    Polars divides by a column of length one through its reciprocal, which rounds differently: with an empty row beside
    it one borrower's numbers are the same, to the bit, as in a book of many.
    """
    if frame.height == 1 or always:
        return frame.vstack(_empty_row(tuple(frame.schema.items())))
    return frame


@lru_cache(maxsize=256)
def _empty_row(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    """Return one row without a value; kept, because making it costs as much as a feature."""
    return pl.DataFrame(schema=dict(columns)).clear(1)


class _Found:
    """What is found on the way to a plan's numbers, each thing once."""

    def __init__(self, plan: Plan, rows: pl.DataFrame, starts: npt.NDArray[np.int64]) -> None:
        self._starts, height = starts, rows.height
        columns = _never_one(rows).select(plan.on_rows).head(height).get_columns()
        self._series, self._marked = columns[: len(plan.values)], columns[len(plan.values) :]
        self._arrays: dict[object, npt.NDArray[Any]] = {}

    def number(self, asked: Asked) -> pl.Series:
        """Return one number of each case."""
        value, mark = self._series[asked.value], self._mark(asked)
        if asked.how == "count":
            return pl.Series(_of(case_loops.count, self._starts, mark), dtype=pl.get_index_type())
        if asked.how in ("any", "sum") and value.dtype == pl.Boolean:
            counted = _of(case_loops.count, self._starts, mark & self._true(asked.value))
            return pl.Series(counted > 0) if asked.how == "any" else pl.Series(counted, dtype=pl.get_index_type())
        if asked.how == "sum":
            return pl.Series(_of(case_loops.total, self._starts, self._numbers(asked.value), mark))
        if asked.how == "distinct":
            told = _of(case_loops.distinct, self._starts, self._numbers(asked.value), self._known(asked.value), mark)
            return pl.Series(told, dtype=pl.get_index_type())
        if asked.how == "streak":
            told = _of(case_loops.after_last, self._starts, self._numbers(asked.value), mark)
            return pl.Series(told, dtype=pl.get_index_type())
        if asked.how == "first":
            row = _of(case_loops.first, self._starts, mark)
        elif asked.how == "last":
            row = _of(case_loops.last, self._starts, mark, asked.back)
        else:
            row = _of(
                case_loops.greatest, self._starts, self._numbers(asked.value), mark, 1 if asked.how == "most" else -1
            )
        return value.gather(pl.Series(row).cast(pl.UInt32, strict=False))  # NOTHING becomes missing

    def _mark(self, asked: Asked) -> npt.NDArray[np.bool_]:
        """Return the rows that count."""
        known = asked.known or asked.how in ("sum", "any", "least", "most", "streak")
        key = ("mark", asked.mark, asked.head, asked.value if known and self._series[asked.value].has_nulls() else None)
        if key not in self._arrays:
            mark = self._arrays.get(("chosen", asked.mark, asked.head))
            if mark is None:
                if asked.mark is None:
                    mark = np.ones(len(self._series[asked.value]), dtype=np.bool_)
                else:
                    mark = self._marked[asked.mark].to_numpy()
                if asked.head is not None:
                    mark = _head(self._starts, mark, asked.head)
                self._arrays["chosen", asked.mark, asked.head] = mark
            self._arrays[key] = mark & self._known(asked.value) if key[3] is not None else mark
        return self._arrays[key]

    def _known(self, place: int) -> npt.NDArray[np.bool_]:
        key = ("known", place)
        if key not in self._arrays:
            self._arrays[key] = self._series[place].is_not_null().to_numpy()
        return self._arrays[key]

    def _true(self, place: int) -> npt.NDArray[np.bool_]:
        key = ("true", place)
        if key not in self._arrays:
            self._arrays[key] = self._series[place].fill_null(value=False).to_numpy()
        return self._arrays[key]

    def _numbers(self, place: int) -> npt.NDArray[Any]:
        key = ("numbers", place)
        if key not in self._arrays:
            series = self._series[place].to_physical()
            wanted = pl.Float64 if series.dtype.is_float() else pl.Int64
            known = series.fill_null(0) if series.has_nulls() else series
            self._arrays[key] = known.cast(wanted).to_numpy()
        return self._arrays[key]


def _of(loop: Any, starts: npt.NDArray[np.int64], *arguments: Any) -> npt.NDArray[Any]:
    dtype = arguments[0].dtype if loop is case_loops.total else np.int64
    out = np.empty(len(starts) - 1, dtype)
    compiled(loop)(starts, *arguments, out)
    return out


def _head(starts: npt.NDArray[np.int64], mark: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.bool_]:
    chosen = np.zeros_like(mark)
    compiled(case_loops.head)(starts, mark, most, chosen)
    return chosen
