"""One record has one way to be written, and what could be read in two ways is not written at all."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import DataRefused
from serving.records.canonical import canonical_record, read_record
from serving.records.errors import AuditBroken

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
RECORDS = st.dictionaries(TEXT, VALUES)


@given(RECORDS)
def test_a_record_reads_back_to_the_same_content_and_the_same_bytes(record):
    raw = canonical_record(record)
    assert read_record(raw) == record
    assert canonical_record(read_record(raw)) == raw


@given(RECORDS)
def test_the_order_in_which_keys_were_set_does_not_show(record):
    assert canonical_record(dict(reversed(record.items()))) == canonical_record(record)


def test_floats_are_written_by_their_shortest_repr_and_text_as_utf_8():
    assert canonical_record({"b": 0.1, "a": "逾期", "c": 1e22}) == '{"a":"逾期","b":0.1,"c":1e+22}'.encode()


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, "a\0b", "\ud800", {"a\0": 1}, {"\udfff": 1}, {1: 2}, {None: 1}, b"raw", {1, 2}],
    ids=repr,
)
@pytest.mark.parametrize("wrapped", [lambda value: value, lambda value: [[value]], lambda value: {"x": (value,)}])
def test_what_has_no_canonical_form_is_refused(value, wrapped):
    with pytest.raises(DataRefused) as refusal:
        canonical_record({"field": wrapped(value)})
    assert refusal.value.exit_code == 10


def test_a_record_without_end_is_refused():
    endless: dict[str, object] = {}
    endless["self"] = endless
    with pytest.raises(DataRefused):
        canonical_record(endless)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.50}',
        b'{"a":NaN}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0041"}',
        b"[1]",
        b"",
        b"\xff",
        b'{"a":1}\n',
    ],
)
def test_bytes_that_are_not_in_the_one_form_are_refused_when_read(raw):
    with pytest.raises(AuditBroken):
        read_record(raw)
