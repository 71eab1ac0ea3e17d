"""A run that is cut off at any moment leaves a log that verifies, keeps what was to stay, and is finished by the next.

REPAYRANK_EXPIRY_KILLS sets at how many of its writes a run is killed; a release asks for all of them (some 200).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from decision_logs import KEY, change, opened, place_in
from expiring_logs import DUE, NOW, ROWS, TERMS, TODAY, archive_in, fill, gone, left, there
from subject_vaults import name

from serving.decisions.archive import Archive
from serving.decisions.expiry import expired
from serving.records import alone
from serving.records.audit import verify
from serving.records.expiry import DONE, ORDERED
from serving.records.export import export

KILLS = int(os.environ.get("REPAYRANK_EXPIRY_KILLS", "3"))
SEED = int(os.environ.get("REPAYRANK_EXPIRY_SEED", "0"))
WORKER = Path(__file__).parents[1] / "support" / "expiry_worker.py"
CALLS = "pwrite64,write,fdatasync,fsync,ftruncate,unlink"
SECONDS = 120


def run(folder: Path, *before: str, url: str | None = None, output: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*before, sys.executable, str(WORKER), str(folder), *([url] if url else [])]
    with output.open("wb") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.DEVNULL, env=environment)


def require_finished(archive: Archive, folder: Path, canaries: list[list[bytes]]) -> None:
    """Check a log as it was left, then that the next run finishes."""
    stays = {at for at in range(len(ROWS)) if at not in DUE}
    before = {at: row for at, row in there(archive.place).items() if at in stays}
    assert set(before) == stays
    report = verify(archive.place)
    assert gone(archive.place) <= DUE
    assert report.expired == len(gone(archive.place))
    opened(archive.place).close()
    expired(archive, KEY, TERMS, TODAY, NOW)
    assert gone(archive.place) == DUE
    assert {at: row for at, row in there(archive.place).items() if at in stays} == before
    assert [archive.vault.pseudonym_of(name(at)) is None for at in range(4)] == [False, True, False, False]
    assert verify(archive.place).expired == len(DUE)
    assert export(archive.place, folder / "export")
    assert alone.main([str(folder / "export")]) == 0
    if archive.place.url is None:
        assert left(archive.place.folder, [canaries[at] for at in DUE]) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_run_that_is_killed_at_any_of_its_writes_is_finished_by_the_next(tmp_path):
    lived = archive_in(tmp_path / "lived", place_in(tmp_path / "lived"))
    canaries = list(fill(lived, ROWS).values())
    # As a release left it that could not drop: the table is made on the way.
    change(lived.place, "DROP TABLE expired_records")
    lived.vault.close()
    trace = tmp_path / "trace"
    shutil.copytree(tmp_path / "lived", tmp_path / "counted")
    before = ("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CALLS}")
    assert run(tmp_path / "counted", *before, output=tmp_path / "told").wait(SECONDS) == 0
    calls = re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)
    begins = next(at for at, line in enumerate(trace.read_text().splitlines()) if "begins" in line)
    moments = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)][begins + 1 : -1]
    found = set()
    for call, at in random.Random(SEED).sample(moments, min(KILLS, len(moments))):
        folder = tmp_path / f"{call}-{at}"
        shutil.copytree(tmp_path / "lived", folder)
        inject = f"inject={call}:signal=SIGKILL:when={at}"
        before = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
        assert run(folder, *before, output=tmp_path / "told").wait(SECONDS) != 0
        assert (tmp_path / "told").read_bytes() == b"begins\n"
        archive = archive_in(folder, place_in(folder))
        found.add(len(gone(archive.place)))
        require_finished(archive, folder, canaries)
        archive.vault.close()
        shutil.rmtree(folder)
    print(f"{len(moments)} writes; killed at {KILLS} of them, with {sorted(found)} records gone")  # noqa: T201


def test_a_run_on_a_server_that_is_killed_is_finished_by_the_next(server, tmp_path):
    chosen = random.Random(SEED)
    for turn in range(-(-KILLS // 3)):
        folder = tmp_path / str(turn)
        archive = archive_in(folder, place_in(folder, server.new()))
        canaries = list(fill(archive, ROWS).values())
        working = run(folder, url=archive.place.url, output=tmp_path / "told")
        end = time.monotonic() + SECONDS
        while b"begins" not in (tmp_path / "told").read_bytes():
            assert time.monotonic() < end, "the process does not begin"
            time.sleep(0.002)
        time.sleep(chosen.random() * 0.3)
        working.kill()
        working.wait()
        require_finished(archive, folder, canaries)
        kinds = [row.entry.asked.event for row in there(archive.place).values()]
        assert kinds.count(ORDERED) == 1
        assert 1 <= kinds.count(DONE) <= 2
