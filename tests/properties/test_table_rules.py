"""The rules of a table, tried in one expression or column by column, say what dataframely says of the same rows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.few_rows import keep_rules, repeat
from features.probes import probe_tables
from features.schemas import SCORED
from features.tables import declarations

FRAMES = {name: frame for name, frame in probe_tables().items() if frame.height}
STRANGE = {
    pl.String: ["", "XXX", "xxx", "CNY", "a" * 400, None],
    pl.Int64: [-1, 0, 1, 2**62, None],
    pl.Int16: [-1, 0, 1, 30_000, None],
    pl.Int8: [-1, 0, 1, 127, None],
    pl.Boolean: [True, False, None],
}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_one_expression_says_what_dataframely_says(data):
    name = data.draw(st.sampled_from(sorted(FRAMES)))
    frame, schema = FRAMES[name], declarations()[name]
    row = data.draw(st.integers(0, frame.height - 1))
    column = data.draw(st.sampled_from(frame.columns))
    dtype = frame.schema[column]
    others = frame.get_column(column).to_list()
    strange = data.draw(st.sampled_from([*STRANGE.get(type(dtype), [None]), *others[:5]]))
    cells = [strange if place == row else cell for place, cell in enumerate(others)]
    changed = frame.with_columns(pl.Series(column, cells, dtype=dtype))
    if data.draw(st.booleans()):
        changed = pl.concat([changed, changed.slice(row, 1)])
    assert changed.select(schema.kept()).item() == schema.is_valid(changed)
    assert keep_rules(changed, schema) == schema.is_valid(changed)


@pytest.mark.parametrize("name", sorted(SCORED))
def test_an_empty_table_keeps_every_rule(name):
    schema = SCORED[name]
    assert schema.create_empty().select(schema.kept()).item()
    assert keep_rules(schema.create_empty(), schema)


def test_every_kind_of_rule_is_tried():
    loans = FRAMES["loans"].with_columns(currency=pl.lit("CNY"))
    kept = SCORED["loans"].kept()
    assert loans.select(kept).item()
    assert keep_rules(loans, SCORED["loans"])
    assert not keep_rules(loans.with_columns(currency=pl.lit("XXX")), SCORED["loans"])
    assert not loans.with_columns(currency=pl.lit("XXX")).select(kept).item()
    assert not loans.with_columns(amount=pl.lit(-1, pl.Int64)).select(kept).item()
    assert not loans.with_columns(borrower_id=pl.lit(None, pl.String)).select(kept).item()
    assert not pl.concat([loans, loans]).select(kept).item()


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.sampled_from([None, "", "a"]), st.sampled_from([None, 0, 1]), st.booleans()), max_size=5))
def test_few_rows_repeat_as_polars_says(rows):
    frame = pl.DataFrame(rows, {"text": pl.String, "day": pl.Date, "mark": pl.Boolean}, orient="row")
    for columns in (["text"], ["text", "day"], ["text", "day", "mark"]):
        assert repeat(frame, columns) == frame.select(pl.struct(columns).is_duplicated().any()).item()
