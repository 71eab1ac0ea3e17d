"""A reviewer's reading: of record before anything is shown, for a reason that names nobody, and in nobody's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sent_canaries import CANARIES, traces, with_canaries

from serving.access.door import Door
from serving.access.roles import default_matrix
from serving.access.rules import Rules
from serving.access.tokens import create, tokens_file
from serving.decisions.lookup import find
from serving.decisions.opening import opened_recorder
from serving.decisions.reading import EVENT, REFUSED
from serving.front import Front
from serving.records.audit import verify
from serving.records.errors import busy
from serving.records.opening import database_of
from serving.records.tables import reading
from serving.settings import Settings
from serving.state import Loaded


def test_scores_do_not_wait_for_reviewers(
    recorded: Front,
    good: dict[str, Any],
    post: Callable[..., Any],
    in_process: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score_id = post(recorded, "/v1/score", good, "first").plain["scores"][0]["score_id"]
    searching, found = threading.Barrier(2), threading.Event()

    def slow(*_: object, **__: object) -> dict[str, Any]:
        searching.wait(20)
        found.wait(20)
        return {}

    monkeypatch.setattr("serving.decisions.recorder.explained", slow)
    asked = [threading.Thread(target=in_process, args=(recorded, "GET", f"/v1/decisions/{score_id}")) for _ in range(4)]
    for one in asked:
        one.start()
    searching.wait(20)
    assert post(recorded, "/v1/score", good, "second").status == 200
    found.set()
    for _ in asked[1:]:
        searching.wait(20)
    for one in asked:
        one.join(20)


@pytest.fixture
def guarded(recording: Settings, loaded: Loaded, lines: list[Any]) -> Iterator[Front]:
    """Yield a service that wants tokens."""
    opened = Front(log=lines.append)
    recorder = opened_recorder(recording, loaded, lines.append)
    opened.open(loaded, recording, recorder, Door(Rules(tokens_file(recording.home)), default_matrix()))
    yield opened
    opened.close()


@pytest.fixture
def read(recording: Settings, in_process: Callable[..., Any]) -> Callable[..., Any]:
    """Read a decision as the reviewer does whose name is Chen."""
    token = create(tokens_file(recording.home), name="Chen", role="reviewer").text

    def told(front: Front, score_id: str, reason: str) -> Any:
        headers = {"authorization": f"Bearer {token}", "x-repayrank-reason": reason}
        return in_process(front, "GET", f"/v1/decisions/{score_id}", headers=headers)

    return told


@pytest.fixture
def engine(recording: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {create(tokens_file(recording.home), name='queue', role='engine').text}"}


def test_each_reading_is_of_record_with_who_read_whose_decision_and_why(
    engine: dict[str, str],
    read: Callable[..., Any],
    guarded: Front,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    in_process: Callable[..., Any],
    archive: Any,
) -> None:
    body = json.dumps(request_for(*overdue_ids[:3])).encode()
    message = {"type": "http.request", "body": body, "more_body": False}
    headers = {"content-type": "application/json", **engine, "idempotency-key": "three"}
    scores = in_process(guarded, "POST", "/v1/score", message, headers=headers).plain["scores"]
    reasons = ["complaint 2026-118", "complaint 2026-118", "客户投诉，案号2026-119"]
    for entry, reason in zip([scores[0], scores[0], scores[2]], reasons, strict=True):
        told = read(guarded, entry["score_id"], reason)
        assert (told.status, told.plain["decision"]["score_id"]) == (200, entry["score_id"])
    guarded.close()
    with reading(database_of(archive().place)) as tables:
        written = [json.loads(row.entry.asked.record) for row in tables.of_event(EVENT)]
    decided = find(archive().place, scores[0]["score_id"])[1]
    whose = [decided["decisions"][place]["subject"] for place in (0, 0, 2)]
    assert [(one["reader"], one["role"], one["reason"]) for one in written] == [
        ("reviewer/Chen", "reviewer", reason) for reason in reasons
    ]
    assert [one["score_id"] for one in written] == [scores[place]["score_id"] for place in (0, 0, 2)]
    assert [one["subject"] for one in written] == whose
    assert verify(archive().place).records == 4


def test_a_reading_that_cannot_be_recorded_shows_nothing(
    recorded: Front,
    read: Callable[..., Any],
    good: dict[str, Any],
    post: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score_id = post(recorded, "/v1/score", good, "first").plain["scores"][0]["score_id"]
    assert read(recorded, score_id, "complaint 2026-118").status == 200

    def full(*_: object) -> None:
        raise busy("a full queue")

    monkeypatch.setattr(type(recorded._recorder.store), "write", full)
    told = read(recorded, score_id, "complaint 2026-118")
    assert (told.status, list(told.plain)) == (503, ["error"])


def test_a_reason_that_names_the_borrower_or_the_loan_is_refused_and_neither_kept_nor_repeated(
    engine: dict[str, str],
    read: Callable[..., Any],
    guarded: Front,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    in_process: Callable[..., Any],
    archive: Any,
    recording: Settings,
    lines: list[Any],
) -> None:
    body = json.dumps(with_canaries(request_for(overdue_ids[0]), CANARIES)).encode()
    message = {"type": "http.request", "body": body, "more_body": False}
    headers = {"content-type": "application/json", **engine, "idempotency-key": "one"}
    score_id = in_process(guarded, "POST", "/v1/score", message, headers=headers).plain["scores"][0]["score_id"]
    for canary in CANARIES.values():
        for reason in (f"complaint of {canary}", f"客户{canary}投诉，请核查", f"{canary.lower()}: why"):
            told = read(guarded, score_id, reason)
            assert (told.status, told.plain["error"]["code"]) == (400, "reason_names_somebody")
            assert canary.lower() not in told.body.decode().lower()
    assert read(guarded, score_id, "complaint 2026-118").status == 200
    guarded.close()
    with reading(database_of(archive().place)) as tables:
        refused = [json.loads(row.entry.asked.record) for row in tables.of_event(REFUSED)]
    assert [(one["reader"], one["score_id"]) for one in refused] == [("reviewer/Chen", score_id)] * 6
    assert verify(archive().place).records == 8
    assert traces(recording.home, [*CANARIES.values(), *map(str.lower, CANARIES.values())]) == []
    assert "canary" not in json.dumps(lines).lower()
