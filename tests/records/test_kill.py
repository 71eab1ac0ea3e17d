"""What was acknowledged is there, once, after the process was killed, the power failed or the disk refused to sync.

REPAYRANK_KILL_ROUNDS sets how many times the writer is killed, REPAYRANK_SYNC_FAULTS how many times a sync fails and
REPAYRANK_CRASH_IMAGES in how many states the disk is left by a power cut; a release asks for 200, 200 and 2,000.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from crash_images import TRACER, events, images
from decision_logs import answer, body, opened, place_in

from serving.records.audit import verify
from serving.records.opening import Place

ROUNDS = int(os.environ.get("REPAYRANK_KILL_ROUNDS", "3"))
SYNC_FAULTS = int(os.environ.get("REPAYRANK_SYNC_FAULTS", "3"))
IMAGES = int(os.environ.get("REPAYRANK_CRASH_IMAGES", "40"))
SEED = int(os.environ.get("REPAYRANK_KILL_SEED", "0"))
WRITER = Path(__file__).parents[1] / "support" / "decision_writer.py"
THREADS = 8
STOPPED = 5
ACKNOWLEDGED_BEFORE_THE_CUT = 600
LATEST_FAULT = {"fdatasync": 200, "fsync": 60}
"""Among the first so many syncs of a kind one fails; checkpoints are signed more seldom than records are written."""
MOST_A_ROUND = 1_000_000
"""Numbers set aside for a round, so that none is written in two rounds."""


def started(place: Place, first: int, output: Path, *before: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    command = [*before, sys.executable, str(WRITER), str(place.folder.parent), str(first), str(THREADS)]
    with output.open("wb") as stream:
        return subprocess.Popen(
            command, stdout=stream, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )


def killed(writer: subprocess.Popen[bytes]) -> None:
    """Kill the writer and whatever traces it: they are a group of their own."""
    with suppress(ProcessLookupError):
        os.killpg(writer.pid, signal.SIGKILL)
    writer.wait()


def wait_for(output: Path, lines: int, writer: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while output.read_bytes().count(b"\n") < lines and writer.poll() is None:
        assert time.monotonic() < end, "the writer does not write"
        time.sleep(0.005)


def acknowledged(output: Path) -> dict[int, int]:
    """Return the sequence of each number that was told, without a line that the kill cut short."""
    lines = output.read_bytes().split(b"\n")[:-1]
    told = [tuple(map(int, line.split())) for line in lines]
    assert len({number for number, _ in told}) == len(told)
    return {number: sequence for number, sequence in told}  # noqa: C416


def require_kept(place: Place, told: dict[int, int]) -> int:
    """Return the number of records after checking that each acknowledged one is there, once and in its place."""
    with opened(place) as store:
        for number, sequence in told.items():
            found = store.answered(f"key-{number}", body(number))
            assert found is not None, f"record {number} was acknowledged and is lost (seed {SEED})"
            assert (found.sequence, found.answer) == (sequence, answer(number))
    report = verify(place)
    assert report.signed == report.records >= len(told)
    return report.records


def test_what_was_acknowledged_is_there_once_after_the_writer_was_killed(tmp_path):
    place, chosen = place_in(tmp_path), random.Random(SEED)
    told: dict[int, int] = {}
    for turn in range(ROUNDS):
        output = tmp_path / f"told-{turn}"
        writer = started(place, turn * MOST_A_ROUND, output)
        try:
            wait_for(output, chosen.randint(1, 600), writer)
        finally:
            killed(writer)
        new = acknowledged(output)
        assert new
        told |= new
        records = require_kept(place, told)
        # At most what each thread had handed in and not yet been told of.
        assert records <= len(told) + THREADS * (turn + 1)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_after_a_sync_that_failed_nothing_more_is_acknowledged_and_nothing_acknowledged_is_lost(tmp_path):
    """The log syncs by fdatasync, the checkpoints by fsync; one that fails once is followed by others that do not."""
    chosen, begun = random.Random(SEED), 0
    for number in range(SYNC_FAULTS):
        call = chosen.choice(("fdatasync", "fsync"))
        when = f"{chosen.randint(1, LATEST_FAULT[call])}{chosen.choice(('', '+'))}"
        where = f"seed {SEED}, fault {number}: {call} {when}"
        place, output, trace = (tmp_path / str(number) / name for name in ("log", "told", "trace"))
        place.mkdir(parents=True)
        fail = f"inject={call}:error=EIO:when={when}"
        command = ("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", "-e", fail)
        writer = started(place_in(place), 0, output, *command)
        try:
            code = writer.wait(timeout=120)
        finally:
            killed(writer)
        assert "INJECTED" in trace.read_text(), where
        assert b"late" not in output.read_bytes(), where
        told = acknowledged(output)
        # A log that could not even be opened has acknowledged nothing.
        assert code == STOPPED or not told, where
        begun += bool(told)
        # The failed batch may be there or not: nobody was told either.
        assert len(told) <= require_kept(place_in(place), told) <= len(told) + THREADS, where
        shutil.rmtree(place)
    assert begun, "each fault came before the first record"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_what_was_acknowledged_is_there_after_the_power_failed_at_any_moment(tmp_path):
    lived = place_in(tmp_path / "lived")
    output, trace, chosen = tmp_path / "told", tmp_path / "trace", random.Random(SEED)
    writer = started(lived, 0, output, *TRACER, str(trace))
    try:
        wait_for(output, ACKNOWLEDGED_BEFORE_THE_CUT, writer)
    finally:
        killed(writer)
    found = events(trace, tmp_path / "lived")
    last_sync = max(at for at, event in enumerate(found) if event.kind == "sync")
    moments = sorted(chosen.randint(0, last_sync) for _ in range(IMAGES))
    for number, (files, lines) in enumerate(images(found, tmp_path / "lived", moments, chosen)):
        folder = tmp_path / f"image-{number}"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        told = {int(line.split()[0]): int(line.split()[1]) for line in lines}
        require_kept(place_in(folder), told)
        shutil.rmtree(folder)
    assert len(told) > ACKNOWLEDGED_BEFORE_THE_CUT / 4
