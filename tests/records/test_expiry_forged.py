"""What went from the log without a right to it is found and named, by us and by the check that stands alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from decision_logs import KEY, KINDS, NEVER, ORIGIN, change, copied, opened, place_in, place_of
from expiring_logs import (
    DAY,
    HELD,
    NOW,
    OLD,
    READ,
    RIGHT,
    ROWS,
    SCORE,
    Told,
    archive_in,
    dropped,
    exported_unchecked,
    fill,
    noon,
    order,
    signed_again,
    terms_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.records import alone
from serving.records.anchors import read_anchors
from serving.records.audit import verify
from serving.records.dropping import held_alone
from serving.records.errors import AuditBroken
from serving.records.expiry import ORDERED, Span, order_record
from serving.records.export import export
from serving.records.opening import Place

ORDER = len(ROWS)
"""The place of an order in these logs: 7."""

Changed = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module", params=KINDS)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A log from which nothing has gone."""
    folder = tmp_path_factory.mktemp("lived")
    archive = archive_in(folder, place_of(request.param, folder, request))
    fill(archive, ROWS)
    return archive.place


@pytest.fixture
def log(lived: Place, tmp_path: Path) -> Place:
    return copied(lived, tmp_path / "log")


def require_refused(place: Place, folder: Path, record: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a log is refused at one record, whoever looks."""
    with pytest.raises(AuditBroken) as refusal:
        verify(place)
    assert refusal.value.where == f"record {record}"
    with pytest.raises(AuditBroken):
        export(place, folder / "refused")
    capsys.readouterr()
    assert alone.main([str(exported_unchecked(place, folder / "unchecked")), "--origin", ORIGIN]) == 13
    assert f"record {record}: " in capsys.readouterr().out


def test_a_record_that_went_without_an_order_is_found(log, tmp_path, capsys):
    change(log, *dropped(2))
    require_refused(log, tmp_path, 2, capsys)


def test_a_record_that_no_order_names_is_found_beside_those_that_one_names(log, tmp_path, capsys):
    order(log, RIGHT)
    change(log, *dropped(0, 1, 2, 3))
    require_refused(log, tmp_path, 2, capsys)


def lying(**words: Any) -> Changed:
    """Return what puts other words into an order; the log's key signs it again."""
    return lambda plain: signed_again({**plain, **words})


@pytest.mark.parametrize(
    "changed",
    [
        lambda plain: signed_again(plain, Ed25519PrivateKey.generate()),
        lambda plain: {**plain, "today": "2026-07-31"},
        lambda plain: {name: value for name, value in plain.items() if name != "signature"},
        lambda plain: {**plain, "signature": plain["signature"][:-4]},
        lying(origin="other.example/decisions"),
        lying(format="repayrank-expiry/2"),
        lying(more=1),
        lying(policy="format = 1\n"),
        lying(policy_sha256="0" * 64),
        lying(policy=terms_of({SCORE: 1, READ: 1}).text),
        lying(today="2026-08-03"),
        lying(today="2025-02-29"),
        lying(recorded_at="2026-08-01T11:59:59+00:00"),
        lying(recorded_at="2026-08-03T09:00:00"),
        lying(records=2),
        lying(spans=[[SCORE, 0, 0, "2020-03-01"], [READ, 0, 1, "2020-03-01"]]),
        lying(spans=[[SCORE, 1, 0, "2020-03-01"], [READ, 1, 3, "2020-03-01"]]),
        lying(spans=[[SCORE, -1, 0, "2020-03-01"], [READ, 1, 1, "2020-03-01"]]),
        lying(spans=[[SCORE, 0, 0, "2020-03-02"], [SCORE, 3, 4, "2020-03-01"]]),
        lying(spans=[[SCORE, 3, 3, "2020-03-01"], [SCORE, 0, 1, "2020-03-01"]]),
        lying(spans=[[SCORE, ORDER - 1, ORDER, "2020-03-01"]], records=2),
        lying(spans=[[ORDERED, 0, 2, "2020-03-01"]]),
        lying(spans=[["model:version:promoted", 0, 2, "2020-03-01"]]),
        lying(spans=[[SCORE, 0, 2, "2021-08-01"]]),
        lying(spans=[[READ, 0, 2, "2024-07-01"]]),
    ],
)
def test_an_order_that_is_not_ours_or_breaks_its_own_policy_is_found_whether_or_not_anything_went(
    log, tmp_path, capsys, changed
):
    order(log, RIGHT, changed=changed)
    require_refused(log, tmp_path, ORDER, capsys)


def test_the_last_day_of_a_term_is_refused_in_an_order_and_the_day_after_is_not(log):
    order(log, RIGHT, terms=terms_of({SCORE: 77, READ: 76}), today=date(2026, 8, 1), now=NOW)
    with pytest.raises(AuditBroken, match="must still be kept"):
        verify(log)


def test_the_day_after_the_last_of_a_term_is_good(log):
    order(log, RIGHT, terms=terms_of({SCORE: 76, READ: 76}), today=date(2026, 7, 2), now=NOW)
    assert verify(log).ordered == 3


@pytest.mark.parametrize(
    ("spans", "goes"),
    [
        ([Span(SCORE, 4, 4, DAY)], ()),  # a newer record that is there
        ([Span(READ, 2, 2, DAY)], ()),  # one of another kind
        ([Span(SCORE, 0, 1, DAY)], ()),
        ([Span(READ, 5, 5, DAY)], (5,)),  # one that has gone, behind a newer one that is there
        ([Span(SCORE, 0, 0, date(2020, 2, 29))], ()),
    ],
)
def test_an_order_that_says_another_kind_or_day_than_a_record_had_is_found(log, tmp_path, capsys, spans, goes):
    order(log, spans)
    change(log, *dropped(*goes))
    require_refused(log, tmp_path, ORDER, capsys)


def test_an_order_for_a_record_of_a_day_after_it_is_found(tmp_path, capsys):
    archive = archive_in(tmp_path, place_in(tmp_path))
    fill(archive, [Told(noon(2027, 1, 1))])
    order(archive.place, [Span(SCORE, 0, 0, DAY)])
    require_refused(archive.place, tmp_path, 1, capsys)


def test_a_second_order_for_a_record_is_found(log, tmp_path, capsys):
    order(log, RIGHT)
    order(log, RIGHT[:1])
    require_refused(log, tmp_path, ORDER + 1, capsys)


def test_an_order_counts_only_once_a_checkpoint_covers_it(log, tmp_path, capsys):
    order(log, RIGHT)
    change(log, *dropped(0))
    assert verify(log).expired == 1
    earlier = [
        note for checkpoint, note in read_anchors(log.anchors, ORIGIN, log.trusted) if checkpoint.size < ORDER + 1
    ]
    log.anchors.write_bytes(b"".join(note + b"\n" for note in earlier))
    require_refused(log, tmp_path, 0, capsys)


@pytest.mark.parametrize(
    ("statement", "record"),
    [
        ("UPDATE expired_records SET leaf = zeroblob(32) WHERE sequence = 1", 2),
        ("UPDATE expired_records SET leaf = zeroblob(31) WHERE sequence = 1", None),
        ("UPDATE expired_records SET leaf = zeroblob(32) WHERE sequence = 0", None),
        ("DELETE FROM expired_records WHERE sequence = 1", 1),
        ("UPDATE expired_records SET sequence = 99 WHERE sequence = 1", 1),
        ("INSERT INTO expired_records SELECT sequence, leaf FROM records WHERE sequence = 2", 3),
        ("INSERT INTO expired_records SELECT 99, leaf FROM records WHERE sequence = 2", ORDER + 1),
        ("INSERT INTO expired_records SELECT -1, leaf FROM records WHERE sequence = 2", 0),
        ("UPDATE records SET event = 'read:decision:explained' WHERE sequence = 7", 0),
        ("UPDATE records SET record = x'7b7d' WHERE sequence = 7", ORDER),
        ("UPDATE records SET key = 'other' WHERE sequence = 7", ORDER),
        ("ALTER TABLE expired_records ADD COLUMN more TEXT", None),
        ("CREATE INDEX i ON expired_records (leaf)", None),
    ],
)
def test_whatever_is_changed_in_what_is_left_is_found(log, statement, record):
    order(log, RIGHT)
    change(log, *dropped(0, 1, 3))
    assert verify(log).expired == 3
    change(log, statement)
    with pytest.raises(AuditBroken) as refusal:
        verify(log)
    assert record is None or refusal.value.where.endswith(f"record {record}")


def test_an_order_that_went_itself_lets_nothing_go(log, tmp_path, capsys):
    order(log, RIGHT)
    change(log, *dropped(0, ORDER))
    require_refused(log, tmp_path, 0, capsys)


def test_a_start_refuses_a_record_that_went_before_it_was_signed(log, tmp_path):
    store = opened(log, NEVER)
    store.write("a", bytes(32), SCORE, {"recorded_at": OLD.isoformat()}, b"")
    place = copied(log, tmp_path / "killed")
    change(place, *dropped(ORDER))
    with pytest.raises(AuditBroken, match="before it was signed"):
        opened(place)
    store.close()


MOMENTS = st.sampled_from([noon(2020, 2, 29), noon(2020, 3, 1), noon(2020, 3, 31), noon(2021, 1, 31), noon(2030, 1, 1)])
DAYS = st.sampled_from([date(2020, 2, 29), date(2020, 3, 1), date(2020, 3, 31), date(2020, 4, 1), date(2021, 1, 31)])
MOST = 6


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_we_and_the_check_that_stands_alone_say_the_same_of_any_orders(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    archive = archive_in(folder, place_in(folder))
    kinds = st.sampled_from([SCORE, READ, HELD])
    told = data.draw(st.lists(st.builds(Told, MOMENTS, kinds), min_size=1, max_size=MOST))
    if data.draw(st.booleans()):
        told.sort(key=lambda one: one.at)
    fill(archive, told)
    place = archive.place
    terms = terms_of({SCORE: data.draw(st.integers(1, 12)), READ: data.draw(st.integers(1, 12))})
    named = st.integers(0, len(told) - 1)
    with held_alone(place, KEY) as log:
        for _ in range(data.draw(st.integers(0, 2))):
            at = sorted(data.draw(st.sets(named, max_size=3)))
            days = sorted(data.draw(st.lists(DAYS, min_size=len(at), max_size=len(at))))
            said = [told[one].kind if data.draw(st.booleans()) else SCORE for one in at]
            spans = [Span(kind, one, one, day) for kind, one, day in zip(said, at, days, strict=True)]
            log.write(ORDERED, [order_record(ORIGIN, terms, data.draw(DAYS), spans, NOW, KEY)])
    change(place, *dropped(*data.draw(st.sets(named))))
    code = alone.main([str(exported_unchecked(place, folder / "export")), "--origin", ORIGIN])
    try:
        verify(place)
    except AuditBroken:
        assert code == 13
    else:
        assert code == 0
