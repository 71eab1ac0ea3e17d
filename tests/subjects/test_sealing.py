"""Sealed content opens with its key in its place, and in no other way."""

from __future__ import annotations

import json
import random
import secrets

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serving.subjects.errors import SealBroken
from serving.subjects.sealing import opened, place, sealed

ORIGIN = "test.example/decisions"
KEYS = st.binary(min_size=32, max_size=32)
PLACES = st.builds(place, st.text(), st.binary(min_size=16, max_size=16), st.text(), st.text())
EVERY_BIT_OF = 40


@given(KEYS, st.binary(max_size=5_000), PLACES)
def test_what_was_sealed_opens_as_it_was(key, plain, about):
    assert opened(key, sealed(key, plain, about), about) == plain


@given(KEYS, KEYS, st.binary(max_size=100), PLACES, PLACES)
def test_another_key_or_another_place_does_not_open_it(key, other_key, plain, about, elsewhere):
    content = sealed(key, plain, about)
    if other_key != key:
        with pytest.raises(SealBroken):
            opened(other_key, content, about)
    if elsewhere != about:
        with pytest.raises(SealBroken):
            opened(key, content, elsewhere)


def test_no_bit_can_be_changed_and_no_byte_taken_away_or_added():
    key, about = secrets.token_bytes(32), place(ORIGIN, bytes(16), "S1", "rows")
    content = sealed(key, b"content", about)
    changed = [
        content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
        for at in range(min(len(content), EVERY_BIT_OF))
        for bit in range(8)
    ]
    changed += [content[:length] for length in range(len(content))]
    changed += [content[at:] for at in range(1, len(content))]
    changed += [content + b"\0", b"\0" + content, content + content]
    for other in changed:
        with pytest.raises(SealBroken):
            opened(key, other, about)


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_anything_else_is_refused_in_one_way_and_without_detail(content, key):
    with pytest.raises(SealBroken) as refusal:
        opened(key, content, b"")
    with pytest.raises(SealBroken) as changed:
        opened(bytes(32), sealed(bytes(32), b"", b"") + b"!", b"")
    assert str(refusal.value) == str(changed.value)
    assert refusal.value.__cause__ is changed.value.__cause__ is None
    assert refusal.value.exit_code == 13


@given(st.lists(st.tuples(st.text(), st.binary(), st.text(), st.text()), min_size=2, max_size=2))
def test_two_places_never_have_the_same_name(two):
    first, second = two
    assume(first != second)
    assert place(*first) != place(*second)


def test_places_whose_words_only_join_to_the_same_are_different():
    assert place("a", b"b", "", "c") != place("a", b"", "b", "c") != place("ab", b"", "", "c")


def test_the_same_content_is_never_sealed_twice_to_the_same_bytes():
    assert len({sealed(bytes(32), b"content", b"") for _ in range(2_000)}) == 2_000


def test_rows_of_a_borrower_become_smaller_and_none_of_them_can_be_read():
    chosen = random.Random(0)
    rows = [
        {"loan_id": "L-610000001", "due_on": f"2026-{month:02}-01", "amount": chosen.randrange(10**6)}
        for month in range(1, 13)
    ] * 6
    plain = json.dumps(rows).encode()
    content = sealed(bytes(32), plain, b"")
    assert len(content) < len(plain) / 3
    assert not [word for word in (b"loan_id", b"L-610000001", b"due_on") if word in content]
