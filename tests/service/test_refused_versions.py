"""Whatever is wrong with a champion file, the old version answers, an alarm is up and the decision log has a record."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from damaged_models import signed_anew
from running_services import spoken, wait_until

from features.errors import ConfigurationRefused
from models.artefact import MANIFEST, MODEL, SIGNATURE, SIGNED_FILES
from models.champions import HISTORY, MADE
from models.store import ModelStore
from serving import watch
from serving.arrivals import Fault, Refusal
from serving.child import Child, served
from serving.decisions.opening import place_to_check
from serving.decisions.outbox import outbox_of
from serving.decisions.refused_versions import refused_in
from serving.records.audit import verify
from serving.settings import DEFAULT_LOG_NAME, Settings
from serving.state import Loaded
from serving.watch import Watch

CARD = "collection"
WAIT = 60
FAULTS = int(os.environ.get("REPAYRANK_ARRIVAL_FAULTS", "60"))
SEED = int(os.environ.get("REPAYRANK_ARRIVAL_SEED", "0"))
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
AT = NOW - timedelta(minutes=5)


@pytest.fixture
def store(home: Path, tmp_path: Path) -> ModelStore:
    """A store in which version 1 serves and 2 is as good."""
    for name in ("models", "keys"):
        shutil.copytree(home / name, tmp_path / "home" / name)
    found = ModelStore(tmp_path / "home")
    signed_anew(found, CARD, "2", "1", MODEL, (found.folder(CARD, "1") / MODEL).read_bytes())
    return found


def card_folder(store: ModelStore) -> Path:
    return store.root / "models" / CARD


def pointer(store: ModelStore) -> Path:
    return card_folder(store) / "champion"


def by_hand(store: ModelStore, content: bytes) -> None:
    pointer(store).write_bytes(content)


class Faults:
    """Draws what may be wrong with a champion file, its history or the version that it names."""

    def __init__(self, seed: int, store: ModelStore) -> None:
        self.chosen, self.store = random.Random(seed), store
        self.kinds: Mapping[Callable[[], None], Fault] = {
            self.other_bytes: Fault.UNREADABLE,
            self.no_file: Fault.UNREADABLE,
            self.damaged_history: Fault.UNREADABLE,
            self.taken_away: Fault.NOT_PROMOTED,
            self.written_by_hand: Fault.NOT_PROMOTED,
            self.no_such_version: Fault.FILES,
            self.damaged_files: Fault.FILES,
        }

    def draw(self) -> tuple[str, Fault]:
        kind = self.chosen.choice(list(self.kinds))
        kind()
        return kind.__name__, self.kinds[kind]

    def other_bytes(self) -> None:
        by_hand(self.store, self.chosen.choice([b"", b"\xff", b"latest", b"-1", b"1 2", b"\x00" * 100]))

    def no_file(self) -> None:
        pointer(self.store).unlink()
        place = pointer(self.store)
        self.chosen.choice([place.mkdir, lambda: os.mkfifo(place), lambda: place.symlink_to("nowhere")])()

    def damaged_history(self) -> None:
        (card_folder(self.store) / HISTORY).write_bytes(self.chosen.choice([b"{}\n", b"\xff\n", b"[1]\n"]))

    def taken_away(self) -> None:
        pointer(self.store).unlink()

    def written_by_hand(self) -> None:
        by_hand(self.store, self.chosen.choice([b"2\n", b"3", b"0", b"01\n", b"9" * 40]))

    def no_such_version(self) -> None:
        self.store.promote(CARD, str(self.chosen.randrange(100, 10**9)))

    def damaged_files(self) -> None:
        folder = self.store.folder(CARD, "2")
        path = folder / self.chosen.choice([*SIGNED_FILES, MANIFEST, SIGNATURE])
        content = bytearray(path.read_bytes())
        content[self.chosen.randrange(len(content))] ^= 1 << self.chosen.randrange(8)
        path.write_bytes(content)
        self.store.promote(CARD, "2")


def test_no_fault_stops_the_old_champion_and_each_is_said_and_recorded_once(
    store: ModelStore, loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seed = SEED
    faults, chosen = Faults(seed, store), random.Random(seed)
    shutil.copytree(card_folder(store), tmp_path / "whole")
    said: list[Mapping[str, Any]] = []
    recorded: list[Refusal] = []
    swapped: list[Loaded] = []

    def record(refusal: Refusal) -> None:
        if chosen.random() < 0.3:
            raise chosen.choice([OSError(28, "No space left on device"), RuntimeError("whatever it is"), MemoryError()])
        recorded.append(refusal)

    looking = Watch(loaded, Settings(home=store.root, look_seconds=1e6), swapped.append, said.append, record)
    looking.stop()
    looking._look()
    assert looking.refused() == {CARD: False}
    for number in range(FAULTS):
        where = f"seed {seed}, fault {number}"
        kind, fault = faults.draw()
        before = len(said)
        for _ in range(3):
            looking._look()
        lines = [line for line in said[before:] if "refused" in line]
        assert [(line["fault"], line["goes_on_with"]) for line in lines] == [(fault, "1")], f"{where}: {kind}"
        assert looking.refused() == {CARD: True}, where
        shutil.rmtree(card_folder(store))
        shutil.copytree(tmp_path / "whole", card_folder(store))
        looking._look()
        assert looking.refused() == {CARD: False}, where
    assert swapped == []
    while looking._unrecorded:
        looking._look()
    told = {(line["version"], line["fault"]) for line in said if "refused" in line}
    assert {(refusal.naming.version, refusal.fault) for refusal in recorded} == told
    assert "whatever" not in str(said)
    assert all({"refused", "refusal waits"} & set(line) for line in said)
    monkeypatch.setattr(watch, "with_version", lambda of, *_: of)  # it would take seconds, and is tried elsewhere
    looking._stopped.clear()
    store.promote(CARD, "2")
    looking._look()
    assert len(swapped) == 1


def test_a_look_that_fails_is_followed_by_the_next(
    store: ModelStore, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Mapping[str, Any]] = []
    looking = Watch(loaded, Settings(home=store.root, look_seconds=0.01), lambda _: None, said.append)
    with monkeypatch.context() as patch:

        def broken(*_: object) -> None:
            raise RuntimeError("CANARY")

        patch.setattr(watch, "looked", broken)
        wait_until(lambda: bool(said))
        time.sleep(0.1)
    by_hand(store, b"\xff")
    wait_until(lambda: len(said) > 1)
    looking.stop()
    assert said[0] == {"looks again": "champions", "why": "RuntimeError"}
    assert [line.get("fault") for line in said] == [None, Fault.UNREADABLE]


def test_what_passes_by_itself_is_tried_again_ever_more_seldom_said_once_and_taken_up(
    store: ModelStore, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Mapping[str, Any]] = []
    swapped: list[Loaded] = []
    now, tried = 0.0, list[float]()
    other = replace(loaded, cards={CARD: replace(loaded.cards[CARD], version="2")})
    looking = Watch(loaded, Settings(home=store.root, look_seconds=1e6), swapped.append, said.append)
    looking.stop()
    looking._stopped.clear()

    def busy(*_: object) -> Loaded:
        tried.append(now)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(watch, "with_version", busy)
    monkeypatch.setattr(watch.time, "monotonic", lambda: now)
    store.promote(CARD, "2")
    while now < 3_600:
        looking._look()
        now += 1.0
    waits = [after - before for before, after in itertools.pairwise(tried)]
    assert waits == [10, 20, 40, 80, 160, 320, *[600] * (len(waits) - 6)]
    assert [line["fault"] for line in said] == [Fault.UNFORESEEN]
    monkeypatch.setattr(watch, "with_version", lambda *_: other)
    now += 600
    looking._look()
    assert swapped == [other]
    assert looking.refused() == {CARD: False}


def test_answers_that_cannot_be_changed_over_leave_the_old_version_in_place(
    store: ModelStore, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Mapping[str, Any]] = []

    def swap(_: Loaded) -> None:
        raise MemoryError

    looking = Watch(loaded, Settings(home=store.root, look_seconds=1e6), swap, said.append)
    looking.stop()
    other = replace(loaded, cards={CARD: replace(loaded.cards[CARD], version="2")})
    monkeypatch.setattr(watch, "with_version", lambda *_: other)
    looking._stopped.clear()
    store.promote(CARD, "2")
    looking._look()
    looking._look()
    assert [(line["fault"], line["goes_on_with"]) for line in said] == [(Fault.UNFORESEEN, "1")]
    assert looking.refused() == {CARD: True}


@pytest.mark.slow
def test_a_service_answers_on_raises_its_alarm_and_leaves_a_record_for_each_fault(
    store: ModelStore, tmp_path: Path, asking: Callable[..., Any], good: dict[str, Any]
) -> None:
    log, body = tmp_path / "log", json.dumps(good).encode()
    folder = store.folder(CARD, "2")
    signature = (folder / SIGNATURE).read_bytes()

    def alarm(child: Child) -> str:
        text = asking(child, "GET", "/metrics", role="admin").body.decode()
        assert "# TYPE repayrank_model_refused gauge" in text
        (line,) = [line for line in text.splitlines() if line.startswith(f'repayrank_model_refused{{card="{CARD}"}} ')]
        return line.split()[-1]

    def answers(child: Child, version: str, refused: int) -> None:
        wait_until(lambda: len(spoken(log, "refused")) == refused)
        wait_until(lambda: asking(child, "GET", "/readyz").plain["cards"][CARD]["version"] == version)
        answer = asking(child, "POST", "/v1/score", body)
        assert (answer.status, {entry["model"]["version"] for entry in answer.plain["scores"]}) == (200, {version})

    with served(store.root, log, roles=("engine", "admin")) as child:
        answers(child, "1", 0)
        assert alarm(child) == "0"
        (folder / SIGNATURE).unlink()
        store.promote(CARD, "2")
        answers(child, "1", 1)
        assert alarm(child) == "1"
        (folder / SIGNATURE).write_bytes(signature)  # fetched again: nobody need promote it again
        answers(child, "2", 1)
        assert alarm(child) == "0"
        by_hand(store, b"1\n")
        answers(child, "2", 2)
        assert alarm(child) == "1"
        by_hand(store, b"\xff")
        answers(child, "2", 3)
        assert alarm(child) == "1"
        store.promote(CARD, "1")
        answers(child, "1", 3)
        assert alarm(child) == "0"
        by_hand(store, b"2\n")
        answers(child, "1", 4)
        wait_until(lambda: not list(outbox_of(store.root).glob("*.json")))
    where = place_to_check(store.root, None, None, DEFAULT_LOG_NAME, None, None)
    verify(where)
    told = [one.record for one in refused_in(where)]
    assert [(one["version"], one["fault"], one["goes_on_with"]) for one in told] == [
        ("2", "files", "1"),
        ("1", "not_promoted", "2"),
        (None, "unreadable", "2"),
        ("2", "not_promoted", "1"),
    ]
    assert told[0]["manifest"] == store.digest(CARD, "2")
    assert (card_folder(store) / MADE).exists()
    with pytest.raises(ConfigurationRefused, match="did not become ready"), served(store.root, tmp_path / "again"):
        pass
    assert "version 2, which no promotion put there" in (tmp_path / "again").read_text()
