"""A reason that stays in the log has nobody's id in it, however the id is written and whatever stands around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UsageError
from serving.subjects.reasons import LONGEST_REASON, NamesSomebody, require_nameless, require_reason

IDS = st.text("AbZ019-_./ 张三é", min_size=1, max_size=12).filter(lambda text: text.strip() == text)
AROUND = st.sampled_from(["", " ", ": ", "(", "客户", "，", "的", "—", "„"])


@given(IDS, AROUND, AROUND, st.sampled_from([str, str.upper, str.lower]))
def test_an_id_between_whatever_is_no_letter_or_digit_of_its_own_kind_is_found(id_, before, after, written):
    told = f"case 12{before or ' '}{written(id_)}{after or ' '}complaint"
    with pytest.raises(NamesSomebody) as refused:
        require_nameless(told, ["no-such-id", id_], "here")
    with pytest.raises(NamesSomebody) as other:
        require_nameless("another", ["another"], "here")
    assert str(refused.value) == str(other.value), "nothing of the reason or the id is repeated"


@pytest.mark.parametrize(
    ("reason", "id_"),
    [
        ("客户B-1投诉", "B-1"),
        ("客户Ｂ－１投诉", "B-1"),
        ("b-1 asks", "B-1"),
        ("张三投诉", "张三"),
        ("A张三x", "张三"),
        ("loan L/7.", "L/7"),
    ],
)
def test_an_id_is_found(reason, id_):
    with pytest.raises(NamesSomebody):
        require_nameless(reason, [id_], "here")


@pytest.mark.parametrize(
    ("reason", "id_"), [("case B-12", "B-1"), ("case AB-1", "B-1"), ("order 117", "17"), ("x", "")]
)
def test_what_only_holds_an_id_within_a_longer_word_names_nobody(reason, id_):
    require_nameless(reason, [id_], "here")


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * (LONGEST_REASON + 1), "about B-1"])
def test_a_reason_of_the_command_line_is_one_line_that_names_nobody(reason):
    with pytest.raises(UsageError):
        require_reason(reason, ["B-1"])
    require_reason("x" * LONGEST_REASON, ["B-1"])
