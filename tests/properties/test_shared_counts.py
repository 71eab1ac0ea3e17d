"""Sums and counts that are found once for many features are what Polars finds for each, to the bit."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_books import books, cohorts

from features.catalog import catalog
from features.counting import found
from features.history import CASE, History
from features.queries import FEW
from features.shared_counts import Plan

SIMILAR = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COSTLY = settings(SIMILAR, max_examples=12)

number, days, mark, text, real = (pl.col(name) for name in ("number", "day", "mark", "text", "real"))
inside = pl.col("inside")

FORMULAS = {
    "sum": number.sum(),
    "sum of the marked": number.filter(mark).sum(),
    "sum of marks": mark.filter(inside).sum(),
    "share of marks": mark.filter(inside).sum() / mark.filter(inside).drop_nulls().len(),
    "rows": number.filter(mark).len(),
    "known": number.filter(mark).drop_nulls().len(),
    "counted": number.count(),
    "first": number.filter(mark).first(),
    "first of all": text.first(),
    "first known": number.filter(mark).drop_nulls().first(),
    "last": days.filter(mark & inside).last(),
    "before the last": number.shift(2).last(),
    "known before the last": number.filter(inside).drop_nulls().shift(1).last(),
    "least": number.filter(mark).min(),
    "most": days.filter(inside).max(),
    "least truth": mark.filter(inside).min(),
    "any": mark.filter(inside).any(),
    "different": days.filter(mark).n_unique(),
    "different numbers": number.filter(inside).n_unique(),
    "marked since the last": (mark.filter(inside & mark.is_not_null()).cast(pl.Int64).cum_sum(reverse=True) == 0).sum(),
    "of the first three": number.filter(mark).head(3).drop_nulls().sum(),
    "operation on the chosen": (number.filter(mark) * 2 > 3).sum(),
    "operation of two chosen": (number.filter(mark) - number.filter(mark).abs()).min(),
    "operation on the known": (number.filter(mark).drop_nulls() > 0).sum(),
    "when it holds": pl.when(number.filter(inside).len() > 1).then(number.filter(inside).max() - number.min()),
    "days between": (days.filter(inside).max() - days.filter(mark).min()).dt.total_days(),
    "real last": real.last(),
    "real most": real.filter(mark).max(),
}
LEFT_TO_POLARS = {
    "three largest": number.top_k(3).min(),
    "falls": (number.filter(inside).drop_nulls().diff() < 0).sum(),
    "above the mean": (number > number.mean()).sum(),
    "chosen by an aggregate": number.filter(number > number.min()).sum(),
    "beside what is missing": number.filter(mark).drop_nulls().fill_null(7).sum(),
    "mean": number.mean(),
    "infinity": number.last() < float("inf"),
}

rows = st.lists(
    st.fixed_dictionaries(
        {
            CASE: st.integers(0, 4),
            "number": st.none() | st.integers(-3, 3) | st.integers(-(2**40), 2**40),
            "day": st.none() | st.dates(date(2024, 1, 1), date(2024, 2, 28)),
            "mark": st.none() | st.booleans(),
            "inside": st.booleans(),
            "text": st.none() | st.sampled_from(["a", "b"]),
            "real": st.none() | st.floats(-9, 9),
        }
    ),
    max_size=25,
)
KINDS = {
    CASE: pl.UInt32,
    "number": pl.Int64,
    "day": pl.Date,
    "mark": pl.Boolean,
    "inside": pl.Boolean,
    "text": pl.String,
    "real": pl.Float64,
}


def by_polars(frame: pl.DataFrame, formulas: list[pl.Expr]) -> pl.DataFrame:
    """What Polars finds; an empty case beside the others, for it divides otherwise by a column of length one."""
    padded = pl.concat([frame, frame.clear(1)])
    return padded.group_by(CASE, maintain_order=True).agg(formulas).filter(pl.col(CASE).is_not_null()).sort(CASE)


@SIMILAR
@given(rows)
def test_each_formula_gives_what_polars_gives(drawn):
    frame = pl.DataFrame(drawn, schema=KINDS)
    formulas = [formula.alias(name) for name, formula in (FORMULAS | LEFT_TO_POLARS).items()]
    plan = Plan.of(formulas)
    assert [formula.meta.output_name() for formula in plan.whole] == list(LEFT_TO_POLARS)
    names = [CASE, *FORMULAS, *LEFT_TO_POLARS]
    alone = by_polars(frame, formulas).select(names)
    assert found(plan, frame, CASE, few=0).select(names).equals(alone)
    assert found(plan, frame, CASE).select(names).equals(alone)


@COSTLY
@given(st.data())
def test_every_feature_of_the_catalog_is_what_polars_finds_for_it(data):
    tables = data.draw(books())
    history = History.as_of(data.draw(cohorts(tables)), tables)
    for view in {feature.view for feature in catalog()}:
        facts = view.rows(history)
        if facts is not None:
            formulas = [feature.expression() for feature in catalog() if feature.view is view]
            alone = by_polars(facts, formulas)
            for few in (0, FEW):
                told = found(Plan.of(formulas), facts, CASE, few=few)
                assert set(told.columns) == set(alone.columns)
                for column in alone.columns:
                    assert told.get_column(column).to_list() == alone.get_column(column).to_list(), column


def test_few_features_of_the_catalog_are_left_to_polars():
    left = [formula.meta.output_name() for plan in catalog()._plans.values() for formula in plan.whole]
    assert left == [
        "payment_third_largest_6m",
        "roll_back_count_3m",
        "roll_back_count_6m",
        "thin_balance_days_share_12m",
    ]


@pytest.mark.parametrize("few", [0, 9])
@pytest.mark.parametrize("count", [0, 1])
def test_one_row_and_none_are_tables_too(count, few):
    frame = pl.DataFrame({CASE: [7][:count], "number": [3][:count]}, schema={CASE: pl.UInt32, "number": pl.Int64})
    told = found(Plan.of([(pl.col("number").sum() / 49).alias("part")]), frame, CASE, few=few)
    assert told.rows() == [(7, 3 / 49)][:count]
