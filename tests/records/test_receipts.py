"""No receipt leaves the log that its holder's own check would refuse: it was held against the signed root before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from decision_logs import KINDS, ORIGIN, change, copied, opened, place_of

import repayrank
from serving.decisions.record import EVENT, FORMAT
from serving.ids import score_ids
from serving.records import alone
from serving.records.audit import receipt, row_at
from serving.records.canonical import canonical_record
from serving.records.errors import AuditBroken
from serving.records.export import public_pem, receipt_bytes
from serving.records.opening import Place, database_of
from serving.records.tables import reading
from serving.settings import ANCHORS, DATABASE_URL, LOG_NAME, RECORDS, STATE

COUNT = 600
"""More than two whole subtrees of 256, whose hashes are kept, and a part of a third."""

TOUCHED = 300
"""A record of the second subtree."""

ASKED = (0, 255, 256, TOUCHED - 1, TOUCHED, TOUCHED + 1, 511, 512, COUNT - 1)


@pytest.fixture(scope="module")
def ids() -> list[str]:
    return score_ids(COUNT)


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> Place:
    """Return a log of decisions, all of them signed."""
    place = place_of(request.param, tmp_path_factory.mktemp("whole"), request)
    with opened(place) as store:
        told = [
            store.submit(number, hashlib.sha256(number.encode()).digest(), EVENT, record_of(number), b"an answer")
            for number in ids
        ]
        for future in told:
            future.result()
    return place


@pytest.fixture
def place(whole: Place, tmp_path: Path) -> Place:
    """Return a copy that may be damaged."""
    return copied(whole, tmp_path / "copy")


@pytest.fixture
def pem(place: Place, tmp_path: Path) -> Path:
    path = tmp_path / "lender.pem"
    path.write_bytes(public_pem(place))
    return path


@pytest.fixture
def written(
    place: Place,
    pem: Path,
    ids: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[int], tuple[int, str, Path]]:
    """Run `repayrank audit receipt`; return its exit code, what it prints and the receipt's file."""
    for name in (DATABASE_URL, RECORDS, STATE, ANCHORS, LOG_NAME):
        monkeypatch.delenv(name, raising=False)
    where = ("--database-url", place.url) if place.url else ("--records", place.folder)

    def run(sequence: int) -> tuple[int, str, Path]:
        out = tmp_path / f"receipt-{sequence}.json"
        words = ["audit", "receipt", ids[sequence], "--out", out, "--home", tmp_path, *where]
        words += ["--checkpoints", place.anchors, "--log-name", ORIGIN, "--key", pem]
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            repayrank.main([str(word) for word in words])
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out + printed.err, out

    return run


def record_of(score_id: str) -> dict[str, object]:
    return {
        "format": FORMAT,
        "recorded_at": datetime.now(UTC).isoformat(),
        "decisions": [{"score_id": score_id, "points": 571}],
    }


def edited(place: Place, sequence: int, **other: object) -> None:
    """Change what a row says and make its leaf hash fit, as somebody would who knows how a log is built."""
    with reading(database_of(place)) as tables:
        entry = row_at(tables, sequence).entry
    previous = other.pop("previous", entry.previous)
    entry = entry._replace(previous=previous, asked=entry.asked._replace(**other))
    values = {"leaf": entry.leaf(), "previous": entry.previous, **other}
    put = ", ".join(f"{name} = {_spelled(value)}" for name, value in values.items())
    change(place, f"UPDATE records SET {put} WHERE sequence = {sequence}")  # noqa: S608


def _spelled(value: object) -> str:
    return f"x'{value.hex()}'" if isinstance(value, bytes) else f"'{value}'"


def better(place: Place, ids: list[str]) -> None:
    record = {**record_of(ids[TOUCHED]), "decisions": [{"score_id": ids[TOUCHED], "points": 720}]}
    edited(place, TOUCHED, record=canonical_record(record))


DELETED = "DELETE FROM records WHERE sequence = {}"
NOTHING = "UPDATE records SET leaf = zeroblob(32) WHERE sequence = {}"
DAMAGES: dict[str, tuple[Callable[[Place, list[str]], None], int]] = {
    "a record and its leaf": (better, TOUCHED),
    "an answer and its leaf": (lambda place, _: edited(place, TOUCHED, answer=b"another answer"), TOUCHED),
    "a key and its leaf": (lambda place, _: edited(place, TOUCHED, key="another-key"), TOUCHED),
    "a digest and its leaf": (lambda place, _: edited(place, TOUCHED, body_sha256=bytes(32)), TOUCHED),
    "what came before and its leaf": (lambda place, _: edited(place, TOUCHED, previous=bytes(32)), TOUCHED),
    "a neighbour and its leaf": (lambda place, _: edited(place, TOUCHED + 1, answer=b"another answer"), TOUCHED),
    "a leaf": (lambda place, _: change(place, NOTHING.format(TOUCHED)), TOUCHED),
    "the leaf of a neighbour": (lambda place, _: change(place, NOTHING.format(TOUCHED + 1)), TOUCHED),
    "the hash of the first subtree": (
        lambda place, _: change(place, "UPDATE subtrees SET hash = zeroblob(32) WHERE position = 0"),
        TOUCHED,
    ),
    "the hash of the second subtree": (
        lambda place, _: change(place, "UPDATE subtrees SET hash = zeroblob(32) WHERE position = 1"),
        COUNT - 1,
    ),
    "two subtrees that change places": (
        lambda place, _: change(
            place,
            "UPDATE subtrees SET position = position + 10",
            "UPDATE subtrees SET position = 11 - position",
        ),
        TOUCHED,
    ),
    "a subtree that is gone": (lambda place, _: change(place, "DELETE FROM subtrees WHERE position = 0"), TOUCHED),
    "a record that is gone": (
        lambda place, _: change(place, DELETED.format(TOUCHED)),
        TOUCHED + 1,
    ),
}


def test_of_a_whole_log_every_receipt_holds_for_its_holder(place, pem, written, tmp_path):
    for sequence in ASKED:
        code, text, out = written(sequence)
        assert code == 0, text
        assert out.read_bytes() == receipt_bytes(receipt(place, sequence))
        assert alone.main([str(out), "--key", str(pem), "--origin", ORIGIN]) == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_receipt_that_the_signed_root_does_not_bear_out_is_refused_and_not_written(place, written, ids, damage):
    do, asked = DAMAGES[damage]
    do(place, ids)
    with pytest.raises(AuditBroken) as refusal:
        receipt(place, asked)
    assert refusal.value.exit_code == 13
    assert ids[asked] not in str(refusal.value)
    code, text, out = written(asked)
    assert (code, out.exists()) == (13, False), text


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_was_damaged_each_receipt_that_is_written_holds_for_its_holder(place, pem, tmp_path, ids, damage):
    DAMAGES[damage][0](place, ids)
    path, refused = tmp_path / "receipt.json", 0
    for sequence in ASKED:
        try:
            path.write_bytes(receipt_bytes(receipt(place, sequence)))
        except AuditBroken:
            refused += 1
            continue
        assert alone.main([str(path), "--key", str(pem), "--origin", ORIGIN]) == 0, sequence
        assert json.loads(json.loads(path.read_bytes())["record"])["decisions"][0]["points"] == 571
    assert 0 < refused <= len(ASKED)
