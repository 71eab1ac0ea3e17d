"""The scorer stands still while others need the processors, has a turn where they never rest, and ends when told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from features.words import Text
from models.score_pairs import ScorePairs
from serving.shadow import idle
from serving.shadow.following import shadowed
from serving.shadow.idle import Courtesy, ServiceRunning, holder_of, others_running

CARD = "collection"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "SAMPLE_SECONDS", 0.001)
    monkeypatch.setattr(idle, "BUSY_SAMPLE_SECONDS", 0.001)
    monkeypatch.setattr(idle, "QUIET_SAMPLES", 3)


def never() -> bool:
    return False


def worked(courtesy: Courtesy, seconds: float, count: Callable[[], None]) -> None:
    with courtesy.shown():
        until = time.process_time() + seconds
        while time.process_time() < until:
            count()


def test_it_works_on_while_nobody_else_runs_and_looks_every_few_milliseconds() -> None:
    looks: list[float] = []

    def others() -> int:
        looks.append(time.process_time())
        return 0

    worked(Courtesy(never, others, processors=2), 0.3, lambda: None)
    assert len(looks) > 10


def test_it_stands_still_while_others_run_and_goes_on_once_they_have_rested() -> None:
    done, found = 0, []

    def others() -> int:
        found.append(done)
        return 1 if 20 < len(found) < 120 else 0

    def count() -> None:
        nonlocal done
        done += 1

    worked(Courtesy(never, others, processors=2), 0.3, count)
    while_others_ran = found[21:119]
    assert len(set(while_others_ran)) == 1, "it worked while another process ran"
    assert done > while_others_ran[0]


@pytest.mark.parametrize(("processors", "others", "waits"), [(1, 1, True), (2, 1, True), (4, 1, False), (4, 2, True)])
def test_it_waits_once_others_take_half_of_the_processors(processors: int, others: int, waits: bool) -> None:
    looks = 0

    def running() -> int:
        nonlocal looks
        looks += 1
        return others if looks < 5 else 0

    Courtesy(never, running, processors=processors).wait()
    assert (looks > 1) is waits


def test_where_others_never_rest_it_has_a_turn_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(idle, "TURN_SECONDS", 0.01)
    said: list[Text] = []
    began = time.monotonic()
    worked(Courtesy(never, lambda: 9, processors=2, say=said.append), 0.05, lambda: None)
    assert time.monotonic() - began > 0.1, "it did not wait"
    assert said == [idle.BUSY]


def test_what_waits_does_not_begin_to_wait_within() -> None:
    depth, deepest = 0, 0

    def others() -> int:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if depth < 10:
            courtesy.wait()  # as the timer does, for waiting takes some of the processor
        depth -= 1
        looks.append(depth)
        return 9 if len(looks) < 5 else 0

    looks: list[int] = []
    courtesy = Courtesy(never, others, processors=2)
    courtesy.wait()
    assert deepest == 1


def test_it_waits_no_longer_once_it_is_to_end() -> None:
    looks = 0

    def ended() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    Courtesy(ended, lambda: 9, processors=2).wait()
    assert looks == 4


def test_a_system_that_does_not_say_who_runs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "RUNNING", "/nowhere")
    assert others_running() is None
    Courtesy(never, processors=1).wait()


def test_scores_are_the_same_however_often_it_looks_and_waits(asked: Any, logged: Any) -> None:
    looks = 0

    def others() -> int:
        nonlocal looks
        looks += 1
        return int(looks % 7 == 0)

    list(shadowed(asked.archive(), CARD, "2", wait=None, say=print, courtesy=Courtesy(never, others, processors=2)))
    list(shadowed(asked.archive(), CARD, "3", wait=None, say=print))
    assert looks > 20
    found = ScorePairs.of(asked.home, CARD, "2").read()
    assert found.get_column("score_id").to_list() == logged.ids
    names = [name for name in found.columns if not name.startswith("challenger_")]
    assert_frame_equal(found.select(names), ScorePairs.of(asked.home, CARD, "3").read().select(names))


HOLDS = """
import fcntl, os, sys, time
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
for line in sys.stdin:
    until = time.monotonic() + 0.3
    print("works", flush=True)
    while time.monotonic() < until:
        pass
    print("rests", flush=True)
"""


def test_it_sees_the_one_that_writes_to_the_log_work_and_rest(tmp_path: Path) -> None:
    lock = tmp_path / "writer.lock"
    command = [sys.executable, "-c", HOLDS, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        service.stdout.readline()
        assert holder_of(lock) == service.pid
        running = ServiceRunning(lock)
        time.sleep(0.05)
        assert running() == 0
        service.stdin.write("work\n")
        service.stdin.flush()
        service.stdout.readline()
        assert running() == idle.MANY
        service.stdout.readline()
        time.sleep(0.05)
        assert running() == 0
        service.stdin.close()
    assert running() == 0, "it has ended"
    assert holder_of(lock) is None
