"""No decision is answered that is not on record, and every one on record can be computed anew to the bit."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.asking import request_of
from serving.decisions.lookup import find
from serving.decisions.opening import Archive, opened_archive, opened_recorder
from serving.decisions.pieces import pieces
from serving.decisions.replay import Verdict, replayed_all
from serving.front import Front
from serving.records.audit import verify
from serving.score import ranked, scored
from serving.settings import Settings, records_in
from serving.state import Loaded

KEYED = {"content-type": "application/json"}


@pytest.fixture
def recording(home: Path, tmp_path: Path) -> Settings:
    kept = tmp_path / "home"
    kept.mkdir()
    (kept / "models").symlink_to(home / "models")
    (kept / "keys").mkdir(mode=0o700)
    (kept / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    return Settings(home=kept, records=records_in(kept))


@pytest.fixture
def recorded(recording: Settings, loaded: Loaded, lines: list[Any]) -> Iterator[Front]:
    opened = Front(log=lines.append)
    opened.open(loaded, recording, opened_recorder(recording, loaded))
    yield opened
    opened.close()


@pytest.fixture
def archive(recording: Settings) -> Callable[[], Archive]:
    return lambda: opened_archive(recording.home)


@pytest.fixture
def post(in_process: Callable[..., Any]) -> Callable[..., Any]:
    def posted(front: Front, path: str, plain: Any, key: str) -> Any:
        body = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
        message = {"type": "http.request", "body": body, "more_body": False}
        return in_process(front, "POST", path, message, headers={**KEYED, "idempotency-key": key})

    return posted


def ready_rows(loaded: Loaded, taiwan: Any, loan_ids: list[str]) -> dict[str, Any]:
    from features.history import History
    from serving.requests import request_of as read

    asked = request_of(taiwan.tables, loan_ids, card="collection", day=taiwan.observed_on, zone=taiwan.zone)
    assert isinstance(read(asked, loaded.cards, most_loans=100).history, History)
    card = loaded.cards["collection"]
    values = card.catalog.values(read(asked, loaded.cards, most_loans=100).history).values
    rows = [
        {
            "loan_id": loan,
            "product": "revolving",
            "currency": "TWD",
            "owed_minor": 1_000,
            "features": {
                name: None if math.isnan(value) else value for name, value in zip(card.catalog.names, row, strict=True)
            },
        }
        for loan, row in zip(loan_ids, values.tolist(), strict=True)
    ]
    return {"card": "collection", "observation_date": str(taiwan.observed_on), "rows": rows}


def test_pieces_put_together_are_the_answer(loaded: Loaded, settings: Settings, good: dict[str, Any]) -> None:
    for work in (scored, ranked):
        found = work(good, loaded, settings)
        assert b"".join(piece.content for piece in pieces(found)) == found.answer()


def test_a_request_gets_its_first_answer_again_and_is_written_once(
    recorded: Front, good: dict[str, Any], post: Callable[..., Any], recording: Settings, loaded: Loaded
) -> None:
    for path in ("/v1/score", "/v1/rank"):
        first = post(recorded, path, good, path)
        assert first.status == 200
        again = [post(recorded, path, good, path) for _ in range(3)]
        assert {told.body for told in again} == {first.body}
        assert {told.headers["repayrank-record"] for told in [first, *again]} == {first.headers["repayrank-record"]}
        assert post(recorded, path, {**good, "observation_date": "2005-09-29"}, path).status == 422
    recorded.close()
    after = Front(log=lambda _: None)
    after.open(loaded, recording, opened_recorder(recording, loaded))
    assert post(after, "/v1/rank", good, "/v1/rank").body == again[0].body
    after.close()


def test_every_kind_of_request_is_replayed_to_the_bit(
    recorded: Front, taiwan: Any, overdue_ids: list[str], loaded: Loaded, post: Callable[..., Any], archive: Any
) -> None:
    chosen = random.Random(5).sample(overdue_ids, 30)
    asked = [
        request_of(taiwan.tables, chosen[at : at + 3], card="collection", day=taiwan.observed_on, zone=taiwan.zone)
        for at in range(0, 30, 3)
    ]
    ids = []
    for number, plain in enumerate(asked):
        for path in ("/v1/score", "/v1/rank"):
            told = post(recorded, path, plain, f"{path} {number}".replace(" ", "-"))
            ids += [entry["score_id"] for entry in next(iter(told.plain.values()))]
    told = post(recorded, "/v1/score/features", ready_rows(loaded, taiwan, chosen), "ready")
    assert told.status == 200, told.plain
    ids += [entry["score_id"] for entry in told.plain["scores"]]
    recorded.close()
    outcomes = list(replayed_all(archive()))
    assert [(one.verdict, one.why) for one in outcomes] == [(Verdict.EQUAL, "")] * 21
    assert sum(one.decisions for one in outcomes) == len(ids) == 90
    assert verify(archive().place).records == 21
    for score_id in ids[::7]:
        _, record, place = find(archive().place, score_id)
        assert record["decisions"][place]["score_id"] == score_id
