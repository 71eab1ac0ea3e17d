"""Every decision has one pair of scores, the challenger's to the bit, whoever is killed and whatever changes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from both_languages import without_chinese
from polars.testing import assert_frame_equal

import repayrank
from features.errors import ConfigurationRefused, DataRefused, ModelRefused
from features.words import Text
from models import score_pairs
from models.artefact import MODEL, SIGNATURE
from models.challengers import CHALLENGER, challenge, challenger, withdraw
from models.policy import default_policy
from models.score_pairs import FIGURES, SCHEMA, Outcome, ScorePairs
from models.store import ModelStore
from models.terminal import under
from models.trial import has_lived
from serving.child import served
from serving.decisions.opening import opened_archive
from serving.decisions.replay import NO_LIMITS, WORK
from serving.records.audit import verify
from serving.records.errors import AuditBroken, LogAway, LogUnreachable
from serving.shadow import following
from serving.shadow.following import Shadow, Step, shadowed
from serving.state import Loaded
from serving.subjects.subject import Name
from training.fitting import probe_rows

CARD = "collection"
ROUNDS = int(os.environ.get("REPAYRANK_SHADOW_KILLS", "3"))
SEED = int(os.environ.get("REPAYRANK_KILL_SEED", "0"))
WORKER = Path(__file__).parents[1] / "support" / "shadow_worker.py"


def quiet(_: Text) -> None: ...


def once(asked: Any, version: str | None = None, say: Callable[[Text], None] = quiet) -> list[tuple[str, Step]]:
    return list(shadowed(asked.archive(), CARD, version, wait=None, say=say))


def pairs(asked: Any, version: str) -> pl.DataFrame:
    return ScorePairs.of(asked.home, CARD, version).read()


def directly(asked: Any, version: str) -> dict[str, dict[str, Any]]:
    """Return what a version answers to each question by itself, by the id of the decision that was taken."""
    loaded = Loaded({CARD: asked.store.load(CARD, version)}, default_policy())
    told: dict[str, dict[str, Any]] = {}
    for (path, plain), answer in zip(asked.questions, asked.answers, strict=True):
        entries = WORK[path](plain, loaded, NO_LIMITS).entries
        for at, entry in enumerate(answer):
            if path == "/v1/rank":
                (one,) = (other for other in entries if other["loan_id"] == entry["loan_id"])
                told[entry["score_id"]] = one
            else:
                told[entry["score_id"]] = entries[at]
    return told


def test_each_decision_has_one_pair_with_the_scores_of_both_to_the_bit(asked: Any) -> None:
    once(asked, "2")
    found = pairs(asked, "2")
    assert found.get_column("score_id").to_list() == asked.ids
    assert set(found.get_column("outcome")) == {Outcome.SCORED}
    challenged = directly(asked, "2")
    for row in found.iter_rows(named=True):
        for who, entry in (("champion", asked.entries[row["score_id"]]), ("challenger", challenged[row["score_id"]])):
            told = {name: entry.get("priority" if name == "place" else name) for name in FIGURES}
            assert {name: row[f"{who}_{name}"] for name in FIGURES} == told
    assert (found["champion_log_odds"] != found["challenger_log_odds"]).mean() > 0.9
    assert found.get_column("challenger_place").drop_nulls().len() == 12 * 6


def test_nothing_of_a_borrower_is_in_the_files(asked: Any) -> None:
    once(asked, "2")
    found = pairs(asked, "2")
    loans = {entry["loan_id"] for entry in asked.entries.values()}
    texts = {text for column in found.select(pl.col(pl.String)) for text in column.drop_nulls()}
    assert not loans & texts
    assert set(found.columns) == set(SCHEMA)
    assert not {name for name in SCHEMA if "loan" in name or "minor" in name or "feature" in name}


def test_a_second_run_scores_nothing_again_and_a_later_one_goes_on(asked: Any, recording: Any) -> None:
    once(asked, "2")
    assert once(asked, "2") == []
    told = recording(asked.home, *[asked.questions[0]] * 3)
    ((_, step),) = once(asked, "2")
    assert step.decisions == Counter({Outcome.SCORED: 9})
    later = [entry["score_id"] for entries in told for entry in entries]
    assert pairs(asked, "2").get_column("score_id").to_list() == [*asked.ids, *later]


def killed(asked: Any, version: str, chosen: random.Random) -> None:
    """Start the work and kill it after it has written some files, or as it writes one."""
    folder = ScorePairs.of(asked.home, CARD, version)
    command = [sys.executable, str(WORKER), str(asked.home), version, "3", "20"]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    wanted = folder.records + 3 * chosen.randint(1, 3)
    until = time.monotonic() + 60
    while process.poll() is None and not any(folder.folder.glob(f"*-{wanted:012}.parquet")):
        assert time.monotonic() < until
        time.sleep(0.0005)
    time.sleep(chosen.choice((0, 0.001, 0.003)))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_each_decision_has_one_pair_after_kills_and_a_last_run(asked: Any, logged: Any, tmp_path: Path) -> None:
    chosen = random.Random(SEED)
    for _ in range(ROUNDS):
        killed(asked, "2", chosen)
    once(asked, "2")
    whole = tmp_path / "whole"
    shutil.copytree(logged.home, whole)
    other = replace(logged, home=whole)
    once(other, "2")
    assert pairs(asked, "2").get_column("score_id").to_list() == asked.ids, f"seed {SEED}"
    assert_frame_equal(pairs(asked, "2"), pairs(other, "2"))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make steps and files small."""
    monkeypatch.setattr(following, "MOST_RECORDS", 3)
    monkeypatch.setattr(score_pairs, "MOST_ROWS", 20)


class Killed(BaseException):
    """Stands for a process that ends where it is."""


@pytest.mark.parametrize("at", ["replace", "unlink"])
@pytest.mark.usefixtures("small")
def test_whatever_a_file_is_left_in_each_decision_counts_once(
    asked: Any, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before a new file has its name, or after that and before the file whose decisions it took over is gone."""
    chosen, method = random.Random(SEED), getattr(Path, at)

    def dies(path: Path, *more: Any, **named: Any) -> Any:
        if path.parent.name == "2" and chosen.random() < 0.6:
            raise Killed
        return method(path, *more, **named)

    deaths = 0
    while True:
        with monkeypatch.context() as patched:
            patched.setattr(Path, at, dies)
            with suppress(Killed):
                once(asked, "2")
                break
        deaths += 1
        found = pairs(asked, "2").get_column("score_id").to_list()
        assert found == asked.ids[: len(found)]
    assert deaths >= 3
    assert pairs(asked, "2").get_column("score_id").to_list() == asked.ids


def test_two_at_once_are_refused(asked: Any) -> None:
    with ScorePairs.of(asked.home, CARD, "2").held(), pytest.raises(ConfigurationRefused, match="another process"):
        once(asked, "2")


def test_who_was_erased_is_counted_and_the_others_of_the_request_are_scored(asked: Any) -> None:
    gone = asked.answers[0][1]["loan_id"]
    (borrower,) = {row["borrower_id"] for row in asked.questions[0][1]["tables"]["loans"] if row["loan_id"] == gone}
    archive = asked.archive()
    for name in (Name("borrower", borrower), Name("loan", gone)):
        archive.vault.erase(name)
    ((_, step),) = once(asked, "2")
    erased = {score_id for score_id, entry in asked.entries.items() if entry["loan_id"] == gone}
    assert step.decisions == Counter({Outcome.SCORED: len(asked.ids) - len(erased), Outcome.ERASED: len(erased)})
    found = pairs(asked, "2")
    assert set(found.filter(outcome=Outcome.ERASED.value).get_column("score_id")) == erased
    told = directly(asked, "2")
    for row in found.filter(outcome=Outcome.SCORED.value).iter_rows(named=True):
        assert row["challenger_log_odds"] == told[row["score_id"]]["log_odds"]
    ranked = found.filter(pl.col("champion_place").is_not_null() & (pl.col("outcome") == Outcome.SCORED.value))
    for places in ranked.group_by("record").agg("champion_place", "challenger_place").iter_rows():
        assert sorted(places[1]) == sorted(places[2]) == list(range(1, len(places[1]) + 1))


def test_ready_features_are_scored_where_the_challenger_reads_no_others_and_passed_over_where_it_does(
    asked: Any,
) -> None:
    once(asked, "3")
    found = pairs(asked, "3")
    assert set(found.get_column("outcome")) == {Outcome.SCORED}
    fewer = asked.store.load(CARD, "3")
    row = asked.questions[2][1]["rows"][0]
    kept = {
        **asked.questions[2][1],
        "rows": [{**row, "features": {name: row["features"][name] for name in fewer.catalog.names}}],
    }
    (entry,) = WORK["/v1/score/features"](kept, Loaded({CARD: fewer}, default_policy()), NO_LIMITS).entries
    (pair,) = found.filter(score_id=asked.answers[2][0]["score_id"]).iter_rows(named=True)
    assert pair["challenger_log_odds"] == entry["log_odds"]


def test_ready_features_that_are_not_all_the_challenger_reads_are_counted(
    models: Path, questions: Any, recording: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(models, home)
    ModelStore(home).promote(CARD, "3")
    path, plain = questions[2]
    names = ModelStore(home).load(CARD, "3").catalog.names
    rows = [{**row, "features": {name: row["features"][name] for name in names}} for row in plain["rows"]]
    recording(home, (path, {**plain, "rows": rows}), questions[0])
    ((_, step),) = shadowed(opened_archive(home), CARD, "1", wait=None, say=quiet)
    assert step.decisions == Counter({Outcome.OTHER_FEATURES: 4, Outcome.SCORED: 3})
    ((_, step),) = shadowed(opened_archive(home), CARD, "3", wait=None, say=quiet)
    assert step.decisions == Counter({Outcome.OWN: 7})


def damaged(store: ModelStore) -> None:
    path = store.folder(CARD, "2") / MODEL
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def unsigned(store: ModelStore) -> None:
    (store.folder(CARD, "2") / SIGNATURE).unlink()


def of_a_stranger(store: ModelStore) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from models.artefact import MANIFEST

    folder = store.folder(CARD, "2")
    (folder / SIGNATURE).write_bytes(Ed25519PrivateKey.generate().sign((folder / MANIFEST).read_bytes()))


def of_another_catalog(store: ModelStore) -> None:
    """Make the version one that was fitted where features computed other values, and sign it so."""
    import hashlib
    import json

    from models.artefact import CARD as DESCRIBED
    from models.artefact import MANIFEST, canonical

    folder = store.folder(CARD, "2")
    plain = json.loads((folder / DESCRIBED).read_bytes())
    raw = canonical({**plain, "fingerprint": "0" * len(plain["fingerprint"])})
    (folder / DESCRIBED).write_bytes(raw)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["sha256"][DESCRIBED] = hashlib.sha256(raw).hexdigest()
    told = canonical(manifest)
    (folder / MANIFEST).write_bytes(told)
    (folder / SIGNATURE).write_bytes(store.sign(told))


HARMS = {
    damaged: "not what was signed",
    unsigned: "cannot be read",
    of_a_stranger: "not signed by a trusted key",
    of_another_catalog: "fingerprint",
}


@pytest.mark.slow
def test_a_challenger_that_cannot_be_trusted_is_refused_in_four_parts_while_the_champion_serves_on(
    logged: Any, asking: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.shadow.idle.step_back", lambda: None)
    home = tmp_path / "home"
    shutil.copytree(logged.home, home)
    store, whole = ModelStore(home), tmp_path / "whole"
    shutil.copytree(store.folder(CARD, "2"), whole)
    with served(home, tmp_path / "printed") as child:
        for harm, words in HARMS.items():
            harm(store)
            for verb in (
                ["challenge", "--card", CARD, "--version", "2"],
                ["shadow", "--card", CARD, "--version", "2", "--once", "--beside"],
            ):
                with pytest.raises(SystemExit) as done:
                    repayrank.main([*verb, "--home", str(home)])
                assert done.value.code == 12
                told = capsys.readouterr().err
                assert words in told, (harm, told)
                assert all(f"  {part} " in told for part in ("found", "where", "expected", "do"))
            assert challenger(store, CARD) is None
            assert not ScorePairs.of(home, CARD, "2").records
            assert asking(child, *logged.questions[0])[0] == 200
            shutil.rmtree(store.folder(CARD, "2"))
            shutil.copytree(whole, store.folder(CARD, "2"))
    assert verify(logged.archive().place).records == len(logged.questions)


def test_a_challenger_is_named_whole_and_withdrawn(asked: Any) -> None:
    store = asked.store
    with pytest.raises(ModelRefused, match="no version that challenges"):
        once(asked)
    assert challenge(store, CARD, "2") is None
    assert challenge(store, CARD, "3") == "2"
    with pytest.raises(ModelRefused, match="serves already"):
        challenge(store, CARD, "1")
    assert challenger(store, CARD) == "3"
    pointer = store.root / "models" / CARD / CHALLENGER
    assert pointer.read_bytes() == b"3\n"
    assert not list(pointer.parent.glob(".challenger.*"))
    pointer.write_bytes(b"latest")
    with pytest.raises(ModelRefused, match="not a version number"):
        once(asked)
    assert withdraw(store, CARD) is None
    assert challenger(store, CARD) is None


@pytest.mark.usefixtures("small")
def test_a_challenger_that_changes_in_the_middle_begins_with_the_first_record_and_the_pairs_of_both_stay(
    asked: Any,
) -> None:
    store, said = asked.store, []
    challenge(store, CARD, "2")

    def turns() -> Iterator[bool]:
        challenge(store, CARD, "3")
        yield True
        (store.root / "models" / CARD / CHALLENGER).write_text("9\n")
        yield True
        yield True
        withdraw(store, CARD)
        yield True

    waits = turns()
    steps = list(shadowed(asked.archive(), CARD, None, wait=lambda: next(waits), say=said.append))
    assert [at for at, _ in steps] == ["2"] * 16 + ["3"] * 16
    for version in ("2", "3"):
        assert pairs(asked, version).get_column("score_id").to_list() == asked.ids
    assert [text.en.split(",")[0].split(":")[0] for text in said] == [
        "version 3 challenges from now on",
        "version 9 is refused",
        "no version challenges the collection card any more",
    ]
    assert [line for text in said for line in without_chinese(under(text))] == []


def test_pairs_of_another_model_under_the_same_number_are_not_gone_on_with(asked: Any) -> None:
    once(asked, "2")
    store = asked.store
    shutil.rmtree(store.folder(CARD, "2"))
    other = store.load(CARD, "3")
    store.save(replace(other, version="2"), probe_rows(other.catalog).values)
    has_lived(store, CARD, "2")
    with pytest.raises(ModelRefused, match="pairs of scores of another manifest"):
        once(asked, "2")


@pytest.mark.usefixtures("small")
def test_a_file_that_is_damaged_or_missing_is_refused(asked: Any) -> None:
    once(asked, "2")
    folder = ScorePairs.of(asked.home, CARD, "2").folder
    files = sorted(folder.glob("*.parquet"))
    assert len(files) > 3
    whole = files[1].read_bytes()
    chosen, sound, refused = random.Random(SEED), pairs(asked, "2"), 0
    for _ in range(40):
        raw = bytearray(whole)
        raw[chosen.randrange(len(raw))] ^= 1 << chosen.randrange(8)
        files[1].write_bytes(raw)
        try:
            assert_frame_equal(pairs(asked, "2"), sound)  # what was changed is nothing that is read
        except DataRefused:
            refused += 1
    assert refused
    files[1].unlink()
    with pytest.raises(DataRefused, match="no file of the decisions"):
        pairs(asked, "2")


def test_a_log_that_is_another_than_the_one_worked_through_is_refused(asked: Any, recording: Any) -> None:
    once(asked, "2")
    recording(asked.home, state=asked.home / "other")
    shutil.copytree(asked.home / "shadow", asked.home / "other" / "shadow")
    with pytest.raises(AuditBroken, match="0 signed records"):
        list(shadowed(opened_archive(asked.home, asked.home / "other"), CARD, "2", wait=None, say=quiet))


@pytest.mark.parametrize(
    ("away", "ends"), [(LogAway, False), (LogUnreachable, True)], ids=["it does not answer", "it lets nobody in"]
)
def test_a_log_that_is_away_is_looked_at_again_and_one_that_may_not_be_read_ends_the_work(
    asked: Any, logged: Any, monkeypatch: pytest.MonkeyPatch, away: type[LogUnreachable], ends: bool
) -> None:
    looked, said, again = [], [], iter((True, False))

    def steps(_: Shadow) -> Iterator[Step]:
        looked.append(len(looked))
        if len(looked) == 1:
            raise away("a database", where="there", expected="an answer", do="start it")
        yield from ()

    monkeypatch.setattr(Shadow, "steps", steps)
    work = shadowed(asked.archive(), CARD, "2", wait=lambda: next(again), say=said.append)
    if ends:
        with pytest.raises(LogUnreachable):
            list(work)
    else:
        assert list(work) == []
        (text,) = said
        assert text.en.startswith("looks again later")
        assert without_chinese(under(text)) == []
    assert len(looked) == (1 if ends else 2)
