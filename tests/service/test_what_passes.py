"""A disk that hangs, a log line that is lost, a folder that cannot be read: it is said, and passes with its cause."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigurationRefused
from serving.decisions.outbox import SECONDS_BETWEEN_LOOKS, outbox_of, posted, waiting
from serving.front import Front, Lines
from serving.records.audit import verify
from serving.settings import Settings


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


def test_a_disk_that_hangs_is_told_in_time_and_the_same_request_is_answered_when_it_goes_on(
    recorded: Front, good: dict[str, Any], post: Callable[..., Any], in_process: Callable[..., Any], archive: Any
) -> None:
    store = recorded._recorder.store
    store._limits = replace(store._limits, hanging_seconds=2.0)
    store._pulse._most = 2.0
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
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", forbidden)
    posted(outbox, "hold:subject:placed", {"reason": "a court's order"})
    time.sleep(2.5 * SECONDS_BETWEEN_LOOKS)
    (line,) = [line for line in lines if "event waits" in line]
    assert line["event waits"] == "outbox"
    assert "Permission denied" in line["why"]
    assert str(outbox) in line["why"]
    with pytest.raises(ConfigurationRefused, match="cannot be looked at"):
        list(waiting(outbox))
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
