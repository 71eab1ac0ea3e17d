"""No decision is answered that is not on record, and every one on record can be computed anew to the bit."""

from __future__ import annotations

import base64
import json
import math
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from subject_vaults import written_ways

from models.calibration import Calibration
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from models.store import ModelStore
from models.trial import TRIED
from serving.access.door import Door
from serving.access.roles import default_matrix
from serving.access.rules import Rules
from serving.access.tokens import create, tokens_file
from serving.asking import request_of
from serving.decisions.archive import Archive
from serving.decisions.lookup import find
from serving.decisions.opening import opened_archive, opened_recorder, opened_vault
from serving.decisions.outbox import SECONDS_BETWEEN_LOOKS, outbox_of, posted
from serving.decisions.pieces import pieces
from serving.decisions.reading import EVENT, REFUSED
from serving.decisions.replay import Verdict, replayed_all
from serving.decisions.subject_events import ERASED, ORDERED
from serving.front import Front, Lines
from serving.records.audit import verify
from serving.records.errors import AuditBroken, busy
from serving.records.opening import database_of
from serving.records.tables import reading
from serving.score import ranked, scored
from serving.settings import Settings, records_in
from serving.state import Loaded, load
from serving.subjects.errors import HeldByLaw
from serving.subjects.subject import Name
from training.cohort import Cohort
from training.fitting import golden_rows

KEYED = {"content-type": "application/json"}


@pytest.fixture
def recording(home: Path, tmp_path: Path) -> Settings:
    kept = tmp_path / "home"
    kept.mkdir()
    (kept / "models").symlink_to(home / "models")
    (kept / "keys").mkdir(mode=0o700)
    (kept / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    # What a process has loaded and lived is not tried again for each test.
    (home / TRIED).mkdir(exist_ok=True)
    (kept / TRIED).symlink_to(home / TRIED)
    return Settings(home=kept, records=records_in(kept))


@pytest.fixture
def recorded(recording: Settings, loaded: Loaded, lines: list[Any]) -> Iterator[Front]:
    opened = Front(log=lines.append)
    opened.open(loaded, recording, opened_recorder(recording, loaded, lines.append))
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


def erased(settings: Settings, name: Name) -> None:
    """Erase a subject as `repayrank audit erase` does, with the record of it."""
    with opened_vault(settings.home) as vault:
        pseudonym = vault.erase(name).pseudonym
    posted(outbox_of(settings.home), ERASED, {"subject": pseudonym.hex(), "reason": "asked"})


def ready_rows(loaded: Loaded, taiwan: Any, loan_ids: list[str]) -> dict[str, Any]:
    from features.history import History
    from serving.requests import request_of as read

    asked = request_of(taiwan.tables, loan_ids, card="collection", day=taiwan.observed_on, zone=taiwan.zone)
    card, history = loaded.cards["collection"], read(asked, loaded.cards, most_loans=100).history
    assert isinstance(history, History)
    values = card.catalog.values(history).values
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
    after.open(loaded, recording, opened_recorder(recording, loaded, lambda _: None))
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


def test_an_answer_is_evidence_against_a_log_that_is_set_back_together_with_its_checkpoints(
    recorded: Front,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    post: Callable[..., Any],
    archive: Any,
    recording: Settings,
    loaded: Loaded,
) -> None:
    plain, place = request_for(overdue_ids[0]), archive().place
    post(recorded, "/v1/score", plain, "first")
    recorded.close()
    kept = {path: path.read_bytes() for path in (*place.folder.iterdir(), place.anchors)}
    after = Front(log=lambda _: None)
    after.open(loaded, recording, opened_recorder(recording, loaded, lambda _: None))
    until, number = time.monotonic() + 20, 0
    while True:
        told = post(after, "/v1/score", plain, f"later-{number}")
        note = base64.b64decode(told.headers["repayrank-checkpoint"])
        if int(note.splitlines()[1]) > 1:
            break
        assert time.monotonic() < until, "nothing was signed"
        number += 1
    after.close()
    assert verify(place, [note]).records > 1
    for path in place.folder.iterdir():
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    assert verify(place).records == 1
    with pytest.raises(AuditBroken, match="signed"):
        verify(place, [note])


def test_a_loan_that_is_sent_twice_is_replayed_in_each_of_its_places(
    recorded: Front,
    taiwan: Any,
    overdue_ids: list[str],
    loaded: Loaded,
    post: Callable[..., Any],
    recording: Settings,
    archive: Any,
) -> None:
    asked = ready_rows(loaded, taiwan, overdue_ids[:4])
    one, two, three, four = asked["rows"]
    # The same id with other features, around those of others.
    asked["rows"] = [two, one, {**one, "features": three["features"]}, three, {**one, "features": four["features"]}]
    told = post(recorded, "/v1/score/features", asked, "twice")
    assert len({entry["log_odds"] for entry in told.plain["scores"]}) == 4
    assert [(one.verdict, one.why) for one in replayed_all(archive())] == [(Verdict.EQUAL, "")]
    erased(recording, Name("loan", three["loan_id"]))
    (left,) = replayed_all(archive())
    assert (left.verdict, left.why, left.decisions, left.erased) == (Verdict.EQUAL, "", 4, 1)


@pytest.mark.parametrize("seed", range(4))
def test_loans_that_were_recorded_several_times_are_replayed_whatever_the_order_of_their_rows(
    recorded: Front,
    taiwan: Any,
    overdue_ids: list[str],
    post: Callable[..., Any],
    recording: Settings,
    archive: Any,
    seed: int,
) -> None:
    chosen = overdue_ids[10 * seed : 10 * seed + 5]
    asked = request_of(taiwan.tables, chosen, card="collection", day=taiwan.observed_on, zone=taiwan.zone)
    newest = asked["tables"]["loans"]
    earlier = [
        {**row, "recorded_at": f"{year}-01-01T00:00:00+00:00"} for row in newest[:3] for year in (1999, 2000, 2001)
    ]
    rows = [*newest, *earlier]
    random.Random(seed).shuffle(rows)
    asked["tables"]["loans"] = rows
    for path in ("/v1/score", "/v1/rank"):
        told = post(recorded, path, asked, path)
        assert told.status == 200, told.plain
        assert len(next(iter(told.plain.values()))) == len(chosen)
    assert [(one.verdict, one.why) for one in replayed_all(archive())] == [(Verdict.EQUAL, "")] * 2
    erased(recording, Name("borrower", newest[1]["borrower_id"]))
    for left in replayed_all(archive()):
        assert (left.verdict, left.why, left.decisions, left.erased) == (Verdict.EQUAL, "", 4, 1)


def test_an_event_that_nobody_can_read_is_said_once_and_holds_up_no_other(
    recorded: Front, recording: Settings, lines: list[Any], archive: Any
) -> None:
    outbox = outbox_of(recording.home)
    first = posted(outbox, "hold:subject:placed", {"reason": "CANARYREASON"})
    first.write_bytes(b'{"event": "hold:subject:placed", "CANARYEVENT')
    unnamed = posted(outbox, "hold:subject:placed", {"reason": "CANARYREASON"})
    unnamed.write_bytes(b'["CANARYEVENT"]')
    good = posted(outbox, "hold:subject:placed", {"reason": "a court's order"})
    until = time.monotonic() + 20
    while good.exists() or len(lines) < 2:
        assert time.monotonic() < until, "it was not delivered"
        time.sleep(0.02)
    time.sleep(2 * SECONDS_BETWEEN_LOOKS)
    assert sorted(line["event waits"] for line in lines) == [first.name, unnamed.name]
    assert "CANARY" not in json.dumps(lines)
    assert first.exists()
    recorded.close()
    assert verify(archive().place).records == 1


def test_a_log_that_cannot_be_written_to_says_when_to_come_again(
    recorded: Front, good: dict[str, Any], post: Callable[..., Any], recording: Settings
) -> None:
    assert post(recorded, "/v1/score", good, "before").status == 200
    assert recording.records is not None
    (recording.records / "records.sqlite").rename(recording.records / "away")
    told = post(recorded, "/v1/score", good, "after")
    assert (told.status, told.plain["error"]["code"]) == (503, "log_stopped")
    assert told.headers["retry-after"] == "1"


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
    headers = {**KEYED, **engine, "idempotency-key": "three"}
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
    headers = {**KEYED, **engine, "idempotency-key": "one"}
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


CANARIES = {"loan_id": "CANARYLOAN7781", "borrower_id": "CANARYBORROWER4412"}


def with_canaries(plain: dict[str, Any], canaries: dict[str, str]) -> dict[str, Any]:
    """Return a request of one loan with ids, in every table, that are found wherever they are left."""
    tables = {
        table: [{**row, **{name: canary for name, canary in canaries.items() if name in row}} for row in rows]
        for table, rows in plain["tables"].items()
    }
    assert all(canary in json.dumps(tables) for canary in canaries.values())
    return {**plain, "tables": tables}


def traces(folder: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """Return the files under a folder in which a word is found, also as base64, hex or percent code."""
    forms = {word: set(written_ways(word.encode())) for word in words}
    return [
        (str(path), word)
        for path in folder.rglob("*")
        if path.is_file() and "models" not in path.parts
        for content in [path.read_bytes()]
        for word, found in forms.items()
        if any(form in content for form in found)
    ]


def test_what_is_written_tells_of_nobody(
    recorded: Front,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    post: Callable[..., Any],
    recording: Settings,
    lines: list[Any],
) -> None:
    plain = with_canaries(request_for(overdue_ids[0]), CANARIES)
    key = "CANARYKEY90210"
    for path in ("/v1/score", "/v1/rank"):
        assert post(recorded, path, plain, key + path).status == 200
        assert post(recorded, path, {**plain, "card": "CANARYCARD1"}, key + "b" + path).status == 422
        assert post(recorded, path, {**plain, "time_zone": "Asia/Tokyo"}, key + path).status == 422
        assert post(recorded, path, b"{CANARYJSON", key + "c" + path).status == 400
    recorded.close()
    words = [*CANARIES.values(), key, "CANARYCARD1", "CANARYJSON"]
    assert traces(recording.home, words) == []
    assert "CANARY" not in json.dumps(lines)
    (recording.home / "left").write_bytes(base64.b64encode(b"xx" + words[0].encode()))
    assert traces(recording.home, words), "what is left is found"


def test_who_was_erased_is_gone_from_every_answer_and_the_rest_is_replayed(
    recorded: Front,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    post: Callable[..., Any],
    recording: Settings,
    archive: Any,
) -> None:
    three = request_for(*overdue_ids[:3])
    gone = three["tables"]["loans"][1]
    first = {path: post(recorded, path, three, path).plain for path in ("/v1/score", "/v1/rank")}
    alone = post(recorded, "/v1/score", request_for(overdue_ids[0]), "alone")
    with opened_vault(recording.home) as vault:
        name = Name("borrower", gone["borrower_id"])
        vault.hold(name, "a court's order", date(2026, 1, 2))
        with pytest.raises(HeldByLaw):
            vault.erase(name)
        assert post(recorded, "/v1/score", three, "/v1/score").status == 200
        vault.release(name, "a court's order")
    erased(recording, name)
    for path in first:
        told = post(recorded, path, three, path)
        assert (told.status, told.plain["error"]["code"]) == (410, "erased")
    assert post(recorded, "/v1/score", request_for(overdue_ids[0]), "alone").body == alone.body
    ids = {entry["loan_id"]: entry["score_id"] for entry in first["/v1/rank"]["ranking"]}
    recorded.close()
    outcomes = list(replayed_all(archive()))
    assert [(one.verdict, one.decisions, one.erased) for one in outcomes] == [
        (Verdict.EQUAL, 2, 1),
        (Verdict.EQUAL, 2, 1),
        (Verdict.EQUAL, 1, 0),
    ]
    assert verify(archive().place).records == 3
    # The figures stay, under a pseudonym that leads to nobody.
    _, record, place = find(archive().place, ids[gone["loan_id"]])
    assert record["decisions"][place]["points"] == next(
        entry["points"] for entry in first["/v1/rank"]["ranking"] if entry["loan_id"] == gone["loan_id"]
    )


def test_a_key_that_is_gone_though_nobody_ordered_it_is_a_loss_and_no_erasure(
    recorded: Front,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    post: Callable[..., Any],
    recording: Settings,
    archive: Any,
) -> None:
    three = request_for(*overdue_ids[:3])
    one, other = (Name("borrower", row["borrower_id"]) for row in three["tables"]["loans"][:2])
    for number in range(2):
        assert post(recorded, "/v1/score", request_for(overdue_ids[number]), str(number)).status == 200
    assert post(recorded, "/v1/rank", three, "three").status == 200
    recorded.close()
    erased(recording, other)
    assert [told.verdict for told in replayed_all(archive())] == [Verdict.EQUAL, Verdict.ERASED, Verdict.EQUAL]
    with opened_vault(recording.home) as vault:
        pseudonym = vault.erase(one).pseudonym  # as an old copy of the vault, or a row that somebody deleted
    assert [told.verdict for told in replayed_all(archive())] == [Verdict.LOST, Verdict.ERASED, Verdict.LOST]
    outbox = outbox_of(recording.home)
    (outbox / "unreadable.json").write_bytes(b"{")
    posted(outbox, "hold:subject:placed", {"subject": pseudonym.hex(), "reason": "order"})
    assert [told.verdict for told in replayed_all(archive())] == [Verdict.LOST, Verdict.ERASED, Verdict.LOST]
    posted(outbox, ORDERED, {"subject": pseudonym.hex(), "reason": "asked"})
    assert [told.verdict for told in replayed_all(archive())] == [Verdict.ERASED, Verdict.ERASED, Verdict.EQUAL]


def test_decisions_of_five_versions_are_replayed_each_with_its_own(
    recording: Settings,
    collection: FittedCard,
    overdue: Cohort,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    post: Callable[..., Any],
    archive: Any,
    home: Path,
) -> None:
    shutil.rmtree(recording.home)
    shutil.copytree(home / "models", recording.home / "models")
    shutil.copytree(home / "keys", recording.home / "keys")
    store, fitted = ModelStore(recording.home), collection.model
    for version in ("2", "3", "4", "5"):
        model = RiskModel.fitted(
            fitted.booster_,
            Calibration("sigmoid", (0.0, 1.0), (int(version) / 10, 1.5)),
            fitted.groups,
            fitted.directions,
        )
        model.trees_ = fitted.trees_
        store.save(replace(collection, version=version, model=model), golden_rows(overdue))
    answers = set()
    for version in ("1", "2", "3", "4", "5"):
        store.promote("collection", version)
        loaded = load(recording)
        front = Front(log=lambda _: None)
        front.open(loaded, recording, opened_recorder(recording, loaded, lambda _: None))
        told = post(front, "/v1/score", request_for(*overdue_ids[:2]), version)
        assert {entry["model"]["version"] for entry in told.plain["scores"]} == {version}
        answers.add(tuple(entry["calibrated_log_odds"] for entry in told.plain["scores"]))
        front.close()
    assert len(answers) == 5
    outcomes = list(replayed_all(archive()))
    assert [(one.verdict, one.model, one.why) for one in outcomes] == [
        (Verdict.EQUAL, f"collection {version}", "") for version in ("1", "2", "3", "4", "5")
    ]
    # Another model under the same number is not taken for the one that decided.
    shutil.rmtree(store.folder("collection", "3"))
    store.save(replace(collection, version="3"), golden_rows(overdue))
    assert [one.verdict for one in replayed_all(archive())].count(Verdict.IMPOSSIBLE) == 1


def test_a_disk_that_hangs_is_told_in_time_and_the_same_request_is_answered_when_it_goes_on(
    recorded: Front, good: dict[str, Any], post: Callable[..., Any], in_process: Callable[..., Any], archive: Any
) -> None:
    store = recorded._recorder.store
    store._limits = replace(store._limits, hanging_seconds=0.3)
    store._pulse._most = 0.3
    assert post(recorded, "/v1/score", good, "before").status == 200
    commit, goes_on = store._connection.commit, threading.Event()
    store._connection.commit = lambda: (goes_on.wait(30), commit())
    told = post(recorded, "/v1/score", good, "cut")
    assert (told.status, told.plain["error"]["code"], told.headers["retry-after"]) == (503, "log_stopped", "1")
    assert in_process(recorded, "GET", "/readyz").status == 503
    assert post(recorded, "/v1/score", good, "another").status == 503
    goes_on.set()
    until = time.monotonic() + 20
    while in_process(recorded, "GET", "/readyz").status != 200:
        assert time.monotonic() < until
    del store._connection.commit
    assert post(recorded, "/v1/score", good, "cut").headers["repayrank-record"] == "1"
    assert post(recorded, "/v1/score", good, "another").headers["repayrank-record"] == "2"
    recorded.close()
    assert verify(archive().place).records == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_log_that_takes_no_lines_costs_lines_and_no_answer(
    recorded: Front,
    good: dict[str, Any],
    post: Callable[..., Any],
    in_process: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = Lines()
    monkeypatch.setattr("serving.front.to_stderr", lines)
    recorded._log = lines
    full = Path("/dev/full").open("w")  # noqa: SIM115 - what it holds cannot be written when it is closed, either
    monkeypatch.setattr(sys, "stderr", full)
    for key in ("one", "two"):
        assert post(recorded, "/v1/score", good, key).status == 200
    monkeypatch.undo()
    with suppress(OSError):
        full.close()
    assert lines.lost == 2


def test_an_outbox_that_cannot_be_looked_into_is_said_once_and_delivered_when_it_can(
    recorded: Front, recording: Settings, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, iterdir = outbox_of(recording.home), Path.iterdir
    outbox.mkdir(exist_ok=True)

    def forbidden(path: Path) -> Iterator[Path]:
        if path == outbox:
            raise PermissionError
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", forbidden)
    posted(outbox, "hold:subject:placed", {"reason": "a court's order"})
    time.sleep(2.5 * SECONDS_BETWEEN_LOOKS)
    assert [(line["event waits"], line["why"]) for line in lines if "event waits" in line] == [
        ("outbox", "PermissionError")
    ]
    monkeypatch.undo()
    until = time.monotonic() + 20
    while list(outbox.iterdir()):
        assert time.monotonic() < until, "it was not delivered"
        time.sleep(0.02)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser makes files of others")
def test_what_the_superuser_leaves_belongs_to_the_owner_of_the_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    left = posted(outbox_of(state), "hold:subject:placed", {"reason": "a court's order"})
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (left, left.parent)} == {(65534, 65534)}
