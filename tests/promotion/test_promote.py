"""A promotion is one change: made by one of many, kept with its record, told to log and MLflow, and taken back."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pytest
from planted_faults import CARD
from promotion_worker import DEATHS, KILLED, WITHOUT_EFFECT, dying, one_of_many

from features.errors import ModelRefused
from features.words import Text
from models.attribution import attribute
from models.champions import FOUND, ConflictingChampion, Standing, UnpromotedChampion
from models.store import ModelStore
from serving.decisions.outbox import outbox_of
from serving.decisions.promotions import EVENTS, post_promotion
from training.promotion import promote as promoting
from training.promotion.policy import read_rules
from training.promotion.promote import Promoted, finish, promote, repair
from training.promotion.proposal import Proposal, promotion, rollback
from training.promotion.record import MIRRORED, POSTED, PREPARED, VOID, Kind, folder_of, read, records, swap_sets
from training.tracking import CHALLENGER, Tracker
from training.validation.result import RESULT
from training.validation.standing import folder_of as validations_of

RULES = read_rules()
MANY = 20
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
WHY = "asked for by the credit committee"


def proposed(store: ModelStore, version: str, by: str = "head of risk") -> Proposal:
    return promotion(store, CARD, version, by=by, rules=RULES, book=None, reason=WHY)


def back(store: ModelStore, **more) -> Proposal:
    return rollback(store, CARD, **{"by": "duty officer", "reason": "alarm of March", "rules": RULES, **more})


def aliases(store: ModelStore) -> dict[str, str]:
    """Return the card's version under each alias of MLflow."""
    client = Tracker(store.root / "mlflow").client
    told = client.get_registered_model(f"repayrank-{CARD}").aliases
    return {
        alias: client.get_model_version(f"repayrank-{CARD}", number).tags["card_version"]
        for alias, number in told.items()
    }


def runs(store: ModelStore) -> list[mlflow.entities.Run]:
    tracker = Tracker(store.root / "mlflow")
    found = tracker.client.search_runs([tracker.experiment(CARD)], "tags.generation != ''")
    return sorted(found, key=lambda run: int(run.data.tags["generation"]))


def waiting(store: ModelStore) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in sorted(outbox_of(store.root).glob("*.json"))]


def content(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def prepared_processes() -> multiprocessing.context.ForkServerContext:
    """Return processes that have imported what takes seconds before they are asked for."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "training.promotion.promote", "serving.decisions.promotions"])
    return context


@pytest.fixture
def quiet(monkeypatch) -> None:
    """Leave MLflow alone where a test is of something else."""
    monkeypatch.setattr(promoting, "_mirror", lambda *_: None)


def test_the_first_version_serves_and_later_ones_wait_as_challengers(store):
    assert store.champion(CARD) == "1"
    (first,) = store.history(CARD)
    assert (first.by, first.reason) == ("Model Team", "no version of the card served before")
    assert aliases(store) == {"champion": "1", CHALLENGER: "3"}
    client = Tracker(store.root / "mlflow").client
    assert client.get_run(store.provenance(CARD, "2")["run"]).data.tags["trained_by"] == "Model Team"


def test_a_promotion_is_kept_signed_with_its_swap_sets_and_shown_in_mlflow(store, book):
    told = promotion(store, CARD, "3", by="head of risk", rules=RULES, book=lambda: book)
    done = promote(store, told, at=AT)
    assert store.champion(CARD) == "3"
    line = store.history(CARD)[-1]
    assert (line.by, line.at, line.reason, line.record) == (
        "head of risk", AT.isoformat(timespec="microseconds"), told.reason, done.record.digest
    )  # fmt: skip
    kept = read(store, done.folder)
    assert kept == done.record
    assert done.folder == folder_of(store, CARD) / "2"
    assert kept.validation == hashlib.sha256((validations_of(store, CARD, "3") / RESULT).read_bytes()).hexdigest()
    assert kept.manifest == store.digest(CARD, "3")
    assert swap_sets(done.folder) == told.sets
    assert aliases(store) == {"champion": "3"}
    (run,) = runs(store)
    assert run.data.tags["record_sha256"] == kept.digest
    assert run.data.tags["mlflow.parentRunId"] == store.provenance(CARD, "3")["run"]
    assert (run.data.tags["before"], run.data.tags["promoted_by"]) == ("1", "head of risk")
    logged = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="promotion"))
    table = json.loads((logged / "sets_table.json").read_bytes())
    assert [dict(zip(table["columns"], row, strict=True)) for row in table["data"]] == told.sets["sets"]
    ids = [str(loan).encode() for loan in book.tables.loans["loan_id"].head(200)]
    for path in (*done.folder.iterdir(), *logged.iterdir()):
        assert not [loan for loan in ids if loan in path.read_bytes()], path


@pytest.mark.usefixtures("quiet")
def test_a_rollback_serves_the_same_scores_to_the_bit_and_can_be_taken_back(store, overdue):
    def scores() -> np.ndarray:
        card = store.load(CARD)
        values = overdue.features(card.catalog.names).matrix.values
        return card.model.calibration_.log_odds(attribute(card.model, card.catalog, values).log_odds)

    before = scores()
    promote(store, proposed(store, "2"))
    other = scores()
    assert not np.array_equal(before, other)
    undone = promote(store, back(store)).record
    assert store.champion(CARD) == "1"
    assert np.array_equal(before, scores())
    assert (undone.kind, undone.version, undone.before, undone.undoes, undone.undone_by) == (
        Kind.ROLLED_BACK, "1", "2", 2, "head of risk"
    )  # fmt: skip
    promote(store, back(store))
    assert store.champion(CARD) == "2"
    assert np.array_equal(other, scores())
    promote(store, proposed(store, "3"))
    promote(store, back(store, version="1"))  # further back than the last change
    assert store.champion(CARD) == "1"
    assert [(line.version, line.before) for line in store.history(CARD)] == [
        ("1", None), ("2", "1"), ("1", "2"), ("2", "1"), ("3", "2"), ("1", "3")
    ]  # fmt: skip
    assert store.history(CARD)[2].reason == "alarm of March"
    assert [told.generation for _, told in records(store, CARD)] == [2, 3, 4, 5, 6]


@pytest.mark.usefixtures("quiet")
def test_a_number_that_was_written_by_hand_is_what_a_rollback_takes_back(store):
    promote(store, proposed(store, "2"))
    (store.root / "models" / CARD / "champion").write_text("1\n")
    told = back(store)
    assert (told.version, told.undoes, told.expected) == ("2", None, Standing("1", 3))
    done = promote(store, told)
    assert store.champion(CARD) == "2"
    assert [line.by for line in store.history(CARD)][2:] == [FOUND, "duty officer"]
    assert done.folder.name == "4"


@pytest.mark.usefixtures("quiet")
def test_a_number_that_was_written_by_hand_can_be_made_a_change_of_record(store):
    promote(store, proposed(store, "2"))
    (store.root / "models" / CARD / "champion").write_text("1\n")
    with pytest.raises(UnpromotedChampion):
        store.champion(CARD)
    promote(store, back(store, version="1"))  # as where the files of version 2 are lost
    assert store.champion(CARD) == "1"
    assert [line.by for line in store.history(CARD)][2:] == [FOUND, "duty officer"]
    with pytest.raises(ModelRefused, match="nothing to go back to"):
        back(store, version="1")


@pytest.mark.usefixtures("quiet")
def test_a_change_that_was_decided_on_another_champion_is_refused_and_leaves_nothing(store):
    one, other = proposed(store, "2"), proposed(store, "3")
    promote(store, one)
    kept = content(store.root)
    with pytest.raises(ConflictingChampion, match="version 2"):
        promote(store, other)
    assert content(store.root) == kept


@pytest.mark.slow
def test_of_twenty_who_promote_at_once_one_wins_and_the_others_are_told(store):
    context = prepared_processes()
    together, told = context.Barrier(MANY), context.Queue()
    proposals = [replace(proposed(store, str(2 + number % 2)), by=f"promoter {number}") for number in range(MANY)]
    started = [
        context.Process(target=one_of_many, args=(store, proposal, together, told, store.root))
        for proposal in proposals
    ]
    for one in started:
        one.start()
    said = dict(told.get(timeout=120) for _ in started)
    for one in started:
        one.join(60)
        assert one.exitcode == 0
    (winner,) = [by for by, words in said.items() if words == "won"]
    assert Counter("won" if words == "won" else "is champion" in words for words in said.values()) == {
        "won": 1, True: MANY - 1
    }  # fmt: skip
    assert [line.by for line in store.history(CARD)] == ["Model Team", winner]
    ((place, kept),) = records(store, CARD)
    assert (kept.by, place.name) == (winner, "2")
    assert store.champion(CARD) == kept.version
    assert list((folder_of(store, CARD) / PREPARED).iterdir()) == []
    finish(store, CARD, post=partial(post_promotion, store.root))
    assert [event["record"]["by"] for event in waiting(store)] == [winner]
    assert aliases(store)["champion"] == kept.version


@pytest.mark.slow
@pytest.mark.parametrize("where", DEATHS)
def test_what_a_death_leaves_undone_the_next_command_does(store, where):
    context = prepared_processes()
    post = partial(post_promotion, store.root)
    process = context.Process(
        target=dying, args=(store, replace(proposed(store, "2"), by="who died"), where, store.root)
    )
    process.start()
    process.join(120)
    assert process.exitcode == KILLED
    said: list[Text] = []
    repair(store, CARD, post=post, say=said.append)
    made = where not in WITHOUT_EFFECT
    assert store.champion(CARD) == ("2" if made else "1")
    assert [(told.version, told.by) for _, told in records(store, CARD)] == ([("2", "who died")] if made else [])
    assert [event["record"]["by"] for event in waiting(store)] == (["who died"] if made else [])
    if not made:  # what never served is nothing to go back to
        with pytest.raises(ModelRefused, match="nothing to go back to"):
            back(store)
    done = promote(store, proposed(store, "3"), post=post)
    kept = records(store, CARD)
    assert [told.version for _, told in kept] == (["2", "3"] if made else ["3"])
    assert kept[-1][1] == done.record
    assert all((place / mark).exists() for place, _ in kept for mark in (POSTED, MIRRORED))
    by_record = {line.record: line for line in store.history(CARD)}
    assert all(by_record[told.digest].generation == told.generation for _, told in kept)
    repair(store, CARD, post=post)
    assert list((folder_of(store, CARD) / PREPARED).iterdir()) == []
    assert [event["record"]["version"] for event in waiting(store)] == [told.version for _, told in kept]
    assert [run.data.tags["record_sha256"] for run in runs(store)] == [told.digest for _, told in kept]
    assert aliases(store) == {"champion": "3"}
    void = [path for path in folder_of(store, CARD).iterdir() if (path / VOID).exists()]
    assert bool(void) == (where == "between the line of the history and the number")
    assert bool(said) == (bool(void) or where == "before the record is in its place")


def test_a_registry_that_is_away_holds_up_no_promotion_and_is_told_later(store, monkeypatch):
    said: list[Text] = []

    def away(*_: object, **__: object) -> None:
        raise ConnectionError("CANARY")

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "record_promotion", away)
        promote(store, proposed(store, "2"), say=said.append)
        assert store.champion(CARD) == "2"
        promote(store, back(store), say=said.append)
        promote(store, back(store), say=said.append)
    made, away_ = said[::2], said[1::2]
    assert [words.en.partition(";")[0] for words in made] == [
        "change 2 is made: version 2 serves", "change 3 is made: version 1 serves", "change 4 is made: version 2 serves"
    ]  # fmt: skip
    assert len(away_) == 3
    assert all("ConnectionError" in words.en and "promote --mirror" in words.en for words in away_)
    assert "CANARY" not in str(said)
    assert aliases(store)["champion"] == "1"
    repair(store, CARD, say=said.append)
    assert len(said) == 6
    assert aliases(store)["champion"] == "2"
    assert [run.data.tags["generation"] for run in runs(store)] == ["2", "3", "4"]
    Tracker(store.root / "mlflow").mirror(CARD, "1")  # somebody moved it by hand
    repair(store, CARD)
    assert aliases(store)["champion"] == "1"
    finish(store, CARD, always=True)
    assert aliases(store)["champion"] == "2"


def test_a_version_serves_before_log_and_mlflow_are_told(store, monkeypatch):
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(promoting, "_mirror", lambda of, *_: seen.append(("MLflow", of.champion(CARD))))
    promote(store, proposed(store, "2"))
    promote(store, back(store), post=lambda event: seen.append((event["kind"], store.champion(CARD))))
    assert seen == [("MLflow", "2"), ("promoted", "1"), ("rolled_back", "1"), ("MLflow", "1")]


@pytest.mark.usefixtures("quiet")
def test_a_log_that_is_not_there_yet_is_told_once_it_is(store, monkeypatch):
    promote(store, proposed(store, "2"), at=AT)
    assert not outbox_of(store.root).exists()
    said: list[Text] = []

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    promote(store, back(store), post=full, say=said.append)
    assert store.champion(CARD) == "1"
    assert [words.en for words in said[1:]] == [
        "the decision log could not be told of change 2 (No space left on device): it stands, and the next "
        "`repayrank promote` tells it"
    ]
    repair(store, CARD, post=partial(post_promotion, store.root))
    told = waiting(store)
    assert [event["event"] for event in told] == [EVENTS["promoted"], EVENTS["rolled_back"]]
    assert told[0]["record"]["recorded_at"] == AT.isoformat()


@pytest.mark.usefixtures("quiet")
def test_a_record_that_was_changed_is_said_told_to_nobody_and_holds_up_no_rollback(store):
    done: Promoted = promote(store, proposed(store, "2"))
    path = done.folder / "promotion.json"
    path.write_bytes(path.read_bytes().replace(b"head of risk", b"head_of_risk"))
    with pytest.raises(ModelRefused, match="which version serves does not depend on it"):
        records(store, CARD)
    said: list[Text] = []
    promote(store, back(store), post=partial(post_promotion, store.root), say=said.append)
    assert store.champion(CARD) == "1"
    _, words = said
    assert words.en.startswith(f"{done.folder}: a record that no trusted key has signed")
    assert [event["record"]["version"] for event in waiting(store)] == ["1"]
