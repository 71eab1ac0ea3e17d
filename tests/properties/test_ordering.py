"""A table found to be in order is what sorting would make of it, and has no two rows alike."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import ordering
from features.ordering import rises, sorted_by

cell = st.one_of(st.none(), st.integers(0, 3))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(cell, cell, st.sampled_from("abc")), max_size=8), st.booleans())
def test_in_order_means_sorted_and_without_repeats(rows, in_order):
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.Int64, "c": pl.String}, orient="row")
    frame = frame.sort("a", "b", "c") if in_order else frame
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordering, "MANY", 0)
        found, made = rises(frame, ["a", "b", "c"]), sorted_by(frame, ["a", "b", "c"])
    assert made.equals(frame.sort("a", "b", "c"))
    if found:
        assert frame.is_unique().all()
    known = frame.null_count().sum_horizontal().sum() == 0
    if known and frame.height > 1:
        assert found == (made.equals(frame) and bool(frame.is_unique().all()))


def test_small_tables_are_not_looked_at():
    assert not rises(pl.DataFrame({"a": [1, 2, 3]}), ["a"])
