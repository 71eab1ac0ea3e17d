"""No decision is answered that is not on record, and every one on record can be computed anew to the bit."""

from __future__ import annotations

import base64
import json
import math
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sent_canaries import CANARIES, traces, with_canaries

from models.calibration import Calibration
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from models.store import ModelStore
from serving.asking import request_of
from serving.decisions.lookup import find
from serving.decisions.opening import opened_recorder, opened_vault
from serving.decisions.outbox import outbox_of, posted
from serving.decisions.pieces import pieces
from serving.decisions.replay import Verdict, replayed_all
from serving.decisions.subject_events import ERASED, ORDERED
from serving.front import Front
from serving.records.audit import verify
from serving.records.errors import AuditBroken
from serving.score import ranked, scored
from serving.settings import Settings
from serving.state import Loaded, load
from serving.subjects.errors import HeldByLaw
from serving.subjects.subject import Name
from training.cohort import Cohort
from training.fitting import golden_rows


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
