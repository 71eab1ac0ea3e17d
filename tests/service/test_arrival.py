"""Models arrive while the service answers: a good one takes over whole, a bad one changes nothing and kills nobody."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from damaged_models import signed_anew
from running_services import spoken, wait_until

from features.errors import ModelRefused
from models.artefact import MODEL
from models.calibration import Calibration
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from models.store import ModelStore
from models.trial import TRIED, load_tried
from serving.child import Child, served
from training.cohort import Cohort
from training.fitting import golden_rows

CARD = "collection"
SWAPS = 6
WAIT = 60


@pytest.fixture
def store(home: Path, tmp_path: Path, collection: FittedCard, overdue: Cohort) -> ModelStore:
    """A store with two versions that give other probabilities."""
    shutil.copytree(home, tmp_path / "home")
    found = ModelStore(tmp_path / "home")
    fitted = collection.model
    shifted = RiskModel.fitted(
        fitted.booster_, Calibration("sigmoid", (0.0, 1.0), (0.4, 1.5)), fitted.groups, fitted.directions
    )
    shifted.trees_ = fitted.trees_
    found.save(replace(collection, version="2", model=shifted), golden_rows(overdue))
    return found


def signed_damaged(store: ModelStore, version: str, change: Callable[[bytes], bytes]) -> None:
    """Write a version whose trees were damaged before they were signed."""
    signed_anew(store, CARD, version, "1", MODEL, change((store.folder(CARD, "1") / MODEL).read_bytes()))


def without_a_tree(text: bytes) -> bytes:
    return text.replace(b"num_leaves=", b"num_leaves=9", 3)


def cut(text: bytes) -> bytes:
    return text[: len(text) // 2]


def other_numbers(text: bytes) -> bytes:
    return text.replace(b"leaf_value=0.", b"leaf_value=7.", 1).replace(b"leaf_value=-0.", b"leaf_value=-7.", 1)


@pytest.mark.parametrize(
    ("damage", "found"),
    [(without_a_tree, "ends the process"), (cut, "ends the process"), (other_numbers, "differently|mean score")],
)
def test_a_model_that_was_signed_damaged_is_refused_and_the_caller_lives(
    store: ModelStore, damage: Callable[[bytes], bytes], found: str
) -> None:
    signed_damaged(store, "3", damage)
    with pytest.raises(ModelRefused, match=found):
        load_tried(store, CARD, "3")
    assert load_tried(store, CARD, "1").version == "1"


def test_a_model_is_tried_once_and_checked_every_time(store: ModelStore) -> None:
    notes = store.root / TRIED
    before = set(notes.iterdir()) if notes.exists() else set()
    load_tried(store, CARD, "2")
    (note,) = set(notes.iterdir()) - before
    written = note.stat().st_mtime_ns
    load_tried(store, CARD, "2")
    assert note.stat().st_mtime_ns == written
    (store.folder(CARD, "2") / MODEL).write_bytes(b"tree")
    with pytest.raises(ModelRefused, match="not what was signed"):
        load_tried(store, CARD, "2")


@pytest.mark.slow
def test_champions_change_under_load_and_every_answer_is_that_of_one_of_them(
    store: ModelStore, tmp_path: Path, asking: Callable[..., Any], good: dict[str, Any]
) -> None:
    body = json.dumps(good).encode()
    log = tmp_path / "log"
    with served(store.root, log) as child:
        told: list[Any] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                told.append(asking(child, "POST", "/v1/score", body))

        callers = [threading.Thread(target=ask) for _ in range(3)]
        for caller in callers:
            caller.start()
        for swap in range(SWAPS):
            store.promote(CARD, "2" if swap % 2 == 0 else "1")
            wait_until(lambda made=swap + 1: len(spoken(log, "champion")) == made)
        done.set()
        for caller in callers:
            caller.join()
        assert asking(child, "GET", "/readyz").plain["cards"][CARD]["version"] == "1"
    expected = {version: answers(store, version, good) for version in ("1", "2")}
    assert {answer.status for answer in told} == {200}
    seen = {entry["model"]["version"] for answer in told for entry in answer.plain["scores"]}
    assert seen == {"1", "2"}
    for answer in told:
        (version,) = {entry["model"]["version"] for entry in answer.plain["scores"]}
        scored = {entry["loan_id"]: entry["default_probability"] for entry in answer.plain["scores"]}
        assert scored == expected[version]


WITHOUT_PICKLES = """
import _pickle, os, pickle, sys, traceback

def refused(*_, **__):
    traceback.print_stack()
    os._exit(77)

for module in (pickle, _pickle):
    for name in ("load", "loads"):
        setattr(module, name, refused)
pickle._Unpickler.load = refused  # libraries derive from it, and from the compiled one, which the hook sees
sys.addaudithook(lambda event, _: refused() if event == "pickle.find_class" else None)
"""


@pytest.mark.slow
def test_a_service_and_the_trial_of_a_model_read_no_pickle(
    store: ModelStore,
    tmp_path: Path,
    asking: Callable[..., Any],
    good: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "sitecustomize.py").write_text(WITHOUT_PICKLES)
    monkeypatch.setenv("PYTHONPATH", str(first))
    unpickled = subprocess.run([sys.executable, "-c", "import pickle; pickle.loads(b'N.')"], check=False)
    assert unpickled.returncode == 77, "the guard is there"
    log, body = tmp_path / "log", json.dumps(good).encode()
    with served(store.root, log, roles=("engine", "modeller", "reviewer", "admin")) as child:
        told = [asking(child, "POST", path, body) for path in ("/v1/score", "/v1/rank")]
        assert [one.status for one in told] == [200, 200]
        score_id = told[0].plain["scores"][0]["score_id"]
        said = {"authorization": f"Bearer {child.tokens['reviewer']}", "x-repayrank-reason": "a complaint, case 17"}
        assert asking(child, "GET", f"/v1/decisions/{score_id}", headers=said).status == 200
        for path, role in (("/v1/openapi.json", "engine"), ("/v1/models", "modeller"), ("/metrics", "admin")):
            assert asking(child, "GET", path, role=role).status == 200
        store.promote(CARD, "2")  # not tried before: a child process loads it first
        wait_until(lambda: bool(spoken(log, "champion")))
        assert asking(child, "POST", "/v1/score", body).plain["scores"][0]["model"]["version"] == "2"
        assert child.process.poll() is None


def answers(store: ModelStore, version: str, good: dict[str, Any]) -> dict[str, float]:
    from models.policy import default_policy
    from serving.score import scored
    from serving.settings import Settings
    from serving.state import Loaded

    loaded = Loaded({CARD: store.load(CARD, version)}, default_policy())
    told = json.loads(scored(good, loaded, Settings()).answer())["scores"]
    return {entry["loan_id"]: entry["default_probability"] for entry in told}


@pytest.mark.slow
def test_a_bad_champion_changes_nothing_and_is_said_once(
    store: ModelStore, tmp_path: Path, asking: Callable[..., Any], good: dict[str, Any]
) -> None:
    signed_damaged(store, "3", without_a_tree)
    signed_damaged(store, "4", cut)
    log = tmp_path / "log"
    with served(store.root, log) as child:
        for place, version in enumerate(("3", "4", "3"), start=1):
            store.promote(CARD, version)
            wait_until(lambda made=place: len(spoken(log, "refused")) == made)
            assert serving(child, asking) == "1"
        time.sleep(5)
        assert len(spoken(log, "refused")) == 3
        store.promote(CARD, "2")
        wait_until(lambda: serving(child, asking) == "2")
        assert asking(child, "POST", "/v1/score", json.dumps(good).encode()).status == 200
    assert [line["goes_on_with"] for line in spoken(log, "refused")] == ["1", "1", "1"]
    assert "Traceback" not in log.read_text()


def serving(child: Child, asking: Callable[..., Any]) -> str:
    return str(asking(child, "GET", "/readyz").plain["cards"][CARD]["version"])
