"""A reviewer is shown a decision with the proof that it is on record, and never one that was changed since."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from decision_logs import KINDS, change
from jsonschema import Draft202012Validator

from serving.decisions.opening import opened_archive, opened_recorder
from serving.decisions.recorder import Recorder
from serving.front import Front
from serving.openapi import document
from serving.records import alone
from serving.records.audit import receipt, row_at, verify
from serving.records.canonical import canonical_record
from serving.records.checkpoint import Checkpoint
from serving.records.export import public_pem
from serving.records.opening import Place, database_of
from serving.records.store import Store
from serving.records.tables import reading
from serving.settings import Settings, records_in
from serving.state import Loaded

BEFORE = 300
"""Records of other events before the decisions: more than a subtree of 256, whose hash is kept."""

DECISIONS = 3
LONG_AGO = "2026-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Reviewed:
    """A service whose log may be damaged under it, and the ids of its decisions, each of a record of its own."""

    recorder: Recorder
    place: Place
    ids: list[str]
    read: Callable[[str], Any]


@pytest.fixture(params=KINDS)
def reviewed(
    request: pytest.FixtureRequest,
    home: Path,
    tmp_path: Path,
    loaded: Loaded,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    in_process: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Reviewed]:
    # A reviewer's card is tried in a process of its own, which is tried elsewhere.
    monkeypatch.setattr("serving.decisions.opening.load_tried", lambda store, name, version: store.load(name, version))
    kept = tmp_path / "home"
    (kept / "keys").mkdir(mode=0o700, parents=True)
    (kept / "models").symlink_to(home / "models")
    (kept / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    url = request.getfixturevalue("database").new() if request.param == "postgresql" else None
    settings = Settings(home=kept, records=None if url else records_in(kept), database_url=url)
    recorder = opened_recorder(settings, loaded, lambda _: None)
    assert recorder is not None
    waiting = [
        recorder.store.submit(f"other-{number}", bytes(32), "read:other:event", {"recorded_at": LONG_AGO}, b"")
        for number in range(BEFORE)
    ]
    for one in waiting:
        one.result()
    front = Front(log=lambda _: None)
    front.open(loaded, settings, recorder)
    ids = []
    for number in range(DECISIONS):
        message = {"type": "http.request", "body": json.dumps(request_for(overdue_ids[number])).encode()}
        headers = {"content-type": "application/json", "idempotency-key": f"key-{number}"}
        told = in_process(front, "POST", "/v1/score", message, headers=headers)
        assert told.status == HTTPStatus.OK, told.plain
        ids.append(told.plain["scores"][0]["score_id"])
    recorder.store.sign()
    place = opened_archive(kept, database_url=url).place
    yield Reviewed(recorder, place, ids, lambda score_id: in_process(front, "GET", f"/v1/decisions/{score_id}"))
    front.close()


def proven(told: Any, place: Place, folder: Path) -> bool:
    """Return whether a proof holds for whoever has nothing but the lender's key and the check that stands alone."""
    pem = folder / "lender.pem"
    pem.write_bytes(public_pem(place))
    name, size, root = alone.checkpoint_of(told["checkpoint"], alone.keys_of(pem))
    leaf = alone.sha256(b"\0", told["entry"].encode())
    if (name, leaf.hex(), json.loads(told["entry"])["sequence"]) != (place.origin, told["leaf"], told["record"]):
        return False
    return alone.root_by_proof(told["record"], size, leaf, [bytes.fromhex(step) for step in told["proof"]]) == root


def of_another_caller(place: Place, sequence: int) -> None:
    """Change who asked for a decision and make the leaf hash fit, as somebody would who knows how a log is built."""
    with reading(database_of(place)) as tables:
        entry = row_at(tables, sequence).entry
    record = canonical_record({**json.loads(entry.asked.record), "caller": "somebody else"})
    leaf = entry._replace(asked=entry.asked._replace(record=record)).leaf()
    change(place, f"UPDATE records SET record = x'{record.hex()}', leaf = x'{leaf.hex()}' WHERE sequence = {sequence}")  # noqa: S608


DELETED = "DELETE FROM records WHERE sequence = {}"
NOTHING = "UPDATE records SET leaf = zeroblob(32) WHERE sequence = {}"
DAMAGES: dict[str, Callable[[Place], None]] = {
    "the record and its leaf": lambda place: of_another_caller(place, BEFORE),
    "the record after it and its leaf": lambda place: of_another_caller(place, BEFORE + 1),
    "a leaf beside it": lambda place: change(place, NOTHING.format(BEFORE - 1)),
    "a leaf that is gone": lambda place: change(place, DELETED.format(BEFORE - 1)),
    "the hash of the subtree before": lambda place: change(place, "UPDATE subtrees SET hash = zeroblob(32)"),
    "a subtree that is gone": lambda place: change(place, "DELETE FROM subtrees"),
}


def test_an_answer_to_a_reviewer_proves_that_its_decision_is_on_record(
    reviewed: Reviewed, tmp_path: Path, loaded: Loaded
) -> None:
    form = Draft202012Validator(
        {**document(loaded, Settings(home=tmp_path)), "$ref": "#/components/schemas/DecisionAnswer"}
    )
    for number, score_id in enumerate(reviewed.ids, BEFORE):
        told = reviewed.read(score_id)
        assert told.status == HTTPStatus.OK, told.plain
        form.validate(told.plain)
        assert (told.plain["decision"]["score_id"], told.plain["record"]) == (score_id, number)
        assert proven(told.plain, reviewed.place, tmp_path)
        assert told.plain["entry"] == receipt(reviewed.place, number).line.decode()
        other = told.plain["entry"].replace('"event":"score', '"event":"other')
        assert not proven({**told.plain, "entry": other}, reviewed.place, tmp_path)
    assert verify(reviewed.place).records == BEFORE + 2 * DECISIONS  # each reading is of record too


def test_a_decision_that_no_checkpoint_covers_yet_is_shown_and_not_said_to_be_proven(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, loaded: Loaded, tmp_path: Path
) -> None:
    early = Checkpoint(reviewed.place.origin, BEFORE + 1, bytes(32)), b"a checkpoint of a second ago"
    monkeypatch.setattr(Store, "anchored", property(lambda _: early))
    told = reviewed.read(reviewed.ids[-1])
    assert (told.status, told.plain["proof"], told.plain["checkpoint"]) == (HTTPStatus.OK, None, None)
    # One that it covers is held against it, whatever the log says of itself.
    assert reviewed.read(reviewed.ids[0]).status == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_decision_that_the_signed_root_does_not_bear_out_is_not_shown(reviewed: Reviewed, damage: str) -> None:
    DAMAGES[damage](reviewed.place)
    before = reviewed.recorder.store.size
    told = reviewed.read(reviewed.ids[0])
    assert (told.status, told.plain["error"]["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "log_broken")
    assert reviewed.recorder.store.size == before, "nothing was read"
    # Where the log lies is told to who runs the service, not to who asks it.
    place = reviewed.place
    words = ("postgresql", "sockets", place.database.name, str(place.folder), "somebody")
    assert not [word for word in words if word in json.dumps(told.plain)]
