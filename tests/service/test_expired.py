"""A decision whose term is over is gone for whoever asks, is counted by a replay, and its key is free again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from expiring_logs import terms_of

from serving.decisions.errors import Expired, NoSuchDecision
from serving.decisions.expiry import expired
from serving.decisions.lookup import find, sampled
from serving.decisions.opening import opened_archive, opened_recorder, secrets_in
from serving.decisions.record import EVENT
from serving.decisions.replay import Verdict, replayed_all
from serving.front import Front
from serving.ids import LENGTH, RANDOM_BITS, crockford
from serving.records.audit import verify
from serving.records.terms import day_everywhere
from serving.refusals import refusal_of
from serving.settings import Settings, records_in
from serving.state import Loaded
from serving.subjects.keys import read_keys

TERMS = terms_of({EVENT: 25})
HOUR = 3_600_000


@pytest.fixture
def recording(home: Path, tmp_path: Path) -> Settings:
    kept = tmp_path / "home"
    kept.mkdir()
    (kept / "models").symlink_to(home / "models")
    (kept / "keys").mkdir(mode=0o700)
    (kept / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    return Settings(home=kept, records=records_in(kept))


@pytest.fixture
def started(recording: Settings, loaded: Loaded) -> Iterator[Callable[[], Front]]:
    fronts: list[Front] = []

    def start() -> Front:
        fronts.append(Front(log=lambda _: None))
        fronts[-1].open(loaded, recording, opened_recorder(recording, loaded, lambda _: None))
        return fronts[-1]

    yield start
    for front in fronts:
        front.close()


def id_at(milliseconds: int) -> str:
    return crockford(milliseconds << RANDOM_BITS, LENGTH)


def test_a_decision_whose_term_is_over_is_gone_and_the_rest_is_as_before(
    started: Callable[[], Front],
    recording: Settings,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    in_process: Callable[..., Any],
) -> None:
    def post(front: Front, plain: Any, key: str) -> Any:
        message = {"type": "http.request", "body": json.dumps(plain).encode(), "more_body": False}
        headers = {"content-type": "application/json", "idempotency-key": key}
        return in_process(front, "POST", "/v1/score", message, headers=headers)

    front = started()
    one, other = request_for(overdue_ids[0]), request_for(*overdue_ids[1:3])
    first = post(front, one, "first")
    assert post(front, one, "first").body == first.body
    front.close()
    archive = opened_archive(recording.home)
    key = read_keys(secrets_in(recording.home)).log
    later = datetime.now(UTC) + timedelta(days=26 * 31)
    outcome = expired(archive, key, TERMS, day_everywhere(later), later)
    assert (outcome.records, outcome.subjects) == ({EVENT: 1}, 1)

    front = started()
    again = post(front, one, "first")
    assert again.status == HTTPStatus.OK
    assert again.headers["repayrank-record"] == "3"
    assert [entry["points"] for entry in again.plain["scores"]] == [entry["points"] for entry in first.plain["scores"]]
    assert post(front, one, "first").body == again.body
    second = post(front, other, "second")
    front.close()

    gone, kept = (told.plain["scores"][0]["score_id"] for told in (first, second))
    with pytest.raises(Expired) as refusal:
        find(archive.place, gone)
    assert refusal_of(refusal.value).status == HTTPStatus.GONE
    row, record, place = find(archive.place, kept)
    assert (row.sequence, record["decisions"][place]["score_id"]) == (4, kept)
    with pytest.raises(NoSuchDecision):
        find(archive.place, id_at(int(later.timestamp() * 1_000) + HOUR))
    with pytest.raises(Expired):
        find(archive.place, id_at(int(datetime.now(UTC).timestamp() * 1_000) - HOUR))

    outcomes = list(replayed_all(archive))
    assert [(one.sequence, one.verdict, one.decisions) for one in outcomes] == [
        (0, Verdict.EXPIRED, 0),
        (3, Verdict.EQUAL, 1),
        (4, Verdict.EQUAL, 2),
    ]
    assert sampled(archive.place, 10, 0) == [3, 4]
    assert verify(archive.place).expired == 1
