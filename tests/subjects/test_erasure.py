"""After an erasure nothing is left of a subject in any file of the vault, whenever the process was killed.

REPAYRANK_KILL_ROUNDS sets how many times a working process is killed, REPAYRANK_CRASH_IMAGES in how many states the
disk is left by a power cut; a release asks for 200 and 2,000.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from crash_images import TRACER, events, images
from subject_vaults import (
    connected,
    name,
    names,
    opened,
    require_whole,
    row_of,
    secrets_of,
    traces,
    worker,
    written_ways,
)

from serving.subjects import erasable
from serving.subjects.errors import HeldByLaw, SubjectUnknown, VaultBusy, VaultStopped
from serving.subjects.subject import Row
from serving.subjects.tables import UNFINISHED
from serving.subjects.vault import DATABASE

IMAGES = int(os.environ.get("REPAYRANK_CRASH_IMAGES", "40"))
ROUNDS = int(os.environ.get("REPAYRANK_KILL_ROUNDS", "3"))
SEED = int(os.environ.get("REPAYRANK_KILL_SEED", "0"))
STOPPED = 5
TOLD_BEFORE_THE_CUT = 200
PAGE, LEAF_OF_ROWS = 4_096, 10
HEADER_BYTES = 8
NUMBERS_A_ROUND = 1_000_000
DAY = date(2026, 3, 1)
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "subjects"


def test_the_search_for_traces_finds_a_secret_in_every_way_it_may_be_written(tmp_path):
    import base64

    secret, chosen = random.Random(0).randbytes(60), random.Random(1)
    piece = secret[20:28]
    for before in range(12):
        around = chosen.randbytes(before) + secret + chosen.randbytes(7)
        for content in (
            around,
            around.hex().encode(),
            around.hex().upper().encode(),
            base64.b64encode(around),
            base64.urlsafe_b64encode(around),
        ):
            (tmp_path / "file").write_bytes(content)
            assert traces(tmp_path, {"piece": piece}) == ["piece in file"]
    (tmp_path / "file").write_bytes(chosen.randbytes(10**6))
    assert traces(tmp_path, {"piece": piece}) == []
    assert min(map(len, written_ways(piece))) >= 8


@pytest.mark.parametrize(("amount", "erased"), [(1, 0), (2, 1), (3, 1), (2_000, 0), (2_000, 1_000), (2_000, 1_999)])
def test_nothing_is_left_of_one_that_was_erased(folder, amount, erased):
    with opened(folder) as vault:
        told = vault.subjects(names(*range(amount)))
        row = row_of(folder, name(erased))
        secrets = {**secrets_of(row), "id": name(erased).id.encode()}
        assert traces(folder, {"pseudonym": row.pseudonym}) == [f"pseudonym in {DATABASE}"]
        vault.erase(name(erased))
        assert traces(folder, secrets) == []
        assert vault.key_of(told[erased].pseudonym) is None
        assert (
            vault.subjects(names(*(at for at in range(amount) if at != erased))) == told[:erased] + told[erased + 1 :]
        )
    assert traces(folder, secrets) == []
    require_whole(folder)


def test_nothing_is_left_of_many_that_were_erased_while_others_were_made(folder):
    chosen, next_number = random.Random(SEED), 0
    known: set[int] = set()
    secrets: dict[str, bytes] = {}
    with opened(folder) as vault:
        for _ in range(30):
            new = range(next_number, next_number + chosen.choice([1, 3, 60, 200]))
            next_number = new.stop
            vault.subjects(names(*new))
            known |= set(new)
            for number in chosen.sample(sorted(known), min(len(known), 12)):
                row = row_of(folder, name(number))
                secrets |= {f"{number} {what}": value for what, value in secrets_of(row).items() if what.endswith(" 8")}
                vault.erase(name(number))
                known.remove(number)
        assert len(secrets) > 30 * 4
        assert traces(folder, secrets) == [], f"seed {SEED}"
        kept = vault._connection.execute("SELECT count(*) FROM subjects").fetchone()
        assert kept == (len(known),)
    require_whole(folder)


def test_nothing_is_left_in_the_journal_of_one_that_only_an_older_change_had_written_there(folder):
    with opened(folder) as vault:
        vault.subjects(names(*range(3_000)))
        secrets = secrets_of(row_of(folder, name(5)))
        for begin in range(3_000, 6_000, 100):
            # Their journals hold pages as they were; where rows stand is chance, and so when one of them has number 5.
            vault.subjects(names(*range(begin, begin + 100)))
            found = {trace.rsplit(" ", 1)[1] for trace in traces(folder, secrets)}
            if found == {DATABASE, f"{DATABASE}-journal"}:
                break
        assert found == {DATABASE, f"{DATABASE}-journal"}
        vault.erase(name(5))
        assert traces(folder, secrets) == []
        # At most the pages that noted that the erasure is finished.
        assert len((folder / f"{DATABASE}-journal").read_bytes().rstrip(b"\0")) < 4 * PAGE


def test_a_copy_of_a_row_in_the_unused_part_of_a_page_is_found_and_removed(folder):
    with opened(folder) as vault:
        told = vault.subjects(names(*range(400)))
    row = row_of(folder, name(7))
    with (folder / DATABASE).open("r+b") as stream:
        content = stream.read()
        for page in range(PAGE, len(content), PAGE):
            cells = int.from_bytes(content[page + 3 : page + 5], "big")
            begin, end = page + HEADER_BYTES + 2 * cells, page + int.from_bytes(content[page + 5 : page + 7], "big")
            if content[page] == LEAF_OF_ROWS and end - begin > len(row.sealed_key) + 20:
                stream.seek(begin + 10)
                stream.write(row.sealed_key)
                break
        else:
            pytest.fail("no page has room")
    require_whole(folder)
    with opened(folder) as vault:
        vault.erase(name(7))
        assert traces(folder, secrets_of(row)) == []
        assert vault.subjects(names(*range(7))) == told[:7]
        assert vault.subjects(names(*range(8, 400))) == told[8:]
    require_whole(folder)


def test_one_that_the_law_keeps_is_not_erased_until_every_hold_is_released(folder):
    with opened(folder) as vault:
        before = vault.subjects(names(1, 2))
        vault.hold(name(1), "case 7", DAY)
        vault.hold(name(1), "case 8", DAY)
    with opened(folder) as vault:
        for _ in range(2):
            with pytest.raises(HeldByLaw) as refusal:
                vault.erase(name(1))
            assert (refusal.value.exit_code, "case" in str(refusal.value)) == (10, False)
            assert vault.subjects(names(1, 2)) == before
            vault.release(name(1), vault.holds()[0].reason)
        vault.erase(name(1))
        with pytest.raises(SubjectUnknown):
            vault.erase(name(1))
        assert vault.subjects(names(2)) == before[1:]


def test_many_whose_names_are_not_known_are_erased_together_or_none_of_them(folder):
    with opened(folder) as vault:
        told = vault.subjects(names(*range(300)))
        gone = [at for at in range(300) if at % 3]
        secrets = {
            f"{number} {what}": value
            for number in gone[:40]
            for what, value in secrets_of(row_of(folder, name(number))).items()
            if what.endswith(" 8")
        }
        pseudonyms = [told[number].pseudonym for number in gone]
        vault.hold(name(1), "case 7", DAY)
        with pytest.raises(HeldByLaw):
            vault.erase_all(pseudonyms)
        assert vault.subjects(names(*range(300))) == told
        vault.release(name(1))
        assert vault.erase_all([*pseudonyms, bytes(16)]) == len(gone)
        assert vault.erase_all(pseudonyms) == vault.erase_all([]) == 0
        assert {number for number in range(300) if vault.pseudonym_of(name(number)) is None} == set(gone)
        assert traces(folder, secrets) == []
    require_whole(folder)


def test_while_others_are_kept_out_one_can_still_erase_and_nobody_else_can_hold(folder):
    with opened(folder) as vault, opened(folder, busy_seconds=0.1) as other:
        told = vault.subjects(names(1, 2))
        with vault.kept_still():
            with pytest.raises(VaultBusy):
                other.hold(name(1), "case 7", DAY)
            assert vault.erase_all([told[0].pseudonym]) == 1
            with pytest.raises(VaultBusy):
                other.hold(name(2), "case 7", DAY)
        with pytest.raises(SubjectUnknown):
            other.hold(name(1), "case 7", DAY)
        other.hold(name(2), "case 7", DAY)


def started_and_killed(folder: Path, first: int, output: Path, chosen: random.Random) -> list[list[str]]:
    """Return the whole lines that a working process told until it was killed."""
    working = worker("live", folder, first, output=output)
    try:
        end, lines = time.monotonic() + 60, chosen.randint(1, 60)
        while output.read_bytes().count(b"\n") < lines and working.poll() is None:
            assert time.monotonic() < end, "the process does not work"
        time.sleep(chosen.random() * 0.01)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(working.pid, signal.SIGKILL)
        working.wait()
    return [line.split() for line in output.read_text().split("\n")[:-1]]


def require_kept(folder: Path, lines: list[list[str]]) -> None:
    """Check what a process told against what is there after it was killed and the vault opened again."""
    made = {int(line[1]): (bytes.fromhex(line[2]), bytes.fromhex(line[3])) for line in lines if line[0] == "made"}
    rows = {int(line[1]): Row(*map(bytes.fromhex, line[2:])) for line in lines if line[0] == "erasing"}
    erased = {int(line[1]) for line in lines if line[0] == "erased"}
    with opened(folder) as vault:
        gone = {number for number in rows if vault.pseudonym_of(name(number)) is None}
        assert erased <= gone
        assert len(rows) - len(erased) <= 1
        kept = [number for number in made if number not in gone]
        assert vault.subjects(names(*kept)) == [made[number] for number in kept]
    for number in gone:
        assert traces(folder, secrets_of(rows[number])) == [], f"number {number} (seed {SEED})"
    require_whole(folder)


def test_what_returned_holds_after_the_process_was_killed_at_any_moment(folder, tmp_path):
    chosen = random.Random(SEED)
    kept: list[list[str]] = []
    for turn in range(ROUNDS):
        lines = started_and_killed(folder, turn * NUMBERS_A_ROUND, tmp_path / f"told-{turn}", chosen)
        assert lines
        require_kept(folder, lines)
        erasing = {line[1] for line in lines if line[0] == "erasing"}
        kept += [line for line in lines if line[0] == "made" and line[1] not in erasing]
    require_kept(folder, kept)


def calls_of_an_erasure(folder: Path, tmp_path: Path) -> list[str]:
    """Return the writes and syncs of a process that erases number 1, as strace tells them."""
    trace = tmp_path / "trace"
    calls = "pwrite64,fdatasync,fsync,ftruncate,unlink"
    shutil.copytree(folder, tmp_path / "counted")
    before = ("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}")
    erasing = worker("erase", tmp_path / "counted", 1, before=before, output=tmp_path / "told")
    assert erasing.wait(timeout=60) == 0
    return re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)


@needs_strace
def test_an_erasure_that_is_killed_at_any_of_its_writes_is_done_or_not_and_leaves_nothing_half(folder, tmp_path):
    with opened(folder) as vault:
        told = vault.subjects(names(*range(300)))
    row = row_of(folder, name(1))
    calls = calls_of_an_erasure(folder, tmp_path)
    moments = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
    outcomes = set()
    chosen = random.Random(SEED).sample(moments[1:-1], min(len(moments) - 2, 3 * ROUNDS))
    for call, at in [moments[0], *chosen, moments[-1]]:
        copy = tmp_path / f"{call}-{at}"
        shutil.copytree(folder, copy)
        inject = f"inject={call}:signal=SIGKILL:when={at}"
        before = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
        erasing = worker("erase", copy, 1, before=before, output=tmp_path / "told")
        assert erasing.wait(timeout=60) != 0
        assert b"erased" not in (tmp_path / "told").read_bytes()
        with opened(copy) as vault:
            is_erased = vault.pseudonym_of(name(1)) is None
            outcomes.add(is_erased)
            assert vault.subjects(names(0, *range(2, 300))) == [told[0], *told[2:]]
            if is_erased:
                assert traces(copy, secrets_of(row)) == [], f"{call} {at} (seed {SEED})"
            else:
                assert vault.subjects(names(1)) == told[1:2]
                vault.erase(name(1))
                assert traces(copy, secrets_of(row)) == [], f"{call} {at} (seed {SEED})"
        require_whole(copy)
        shutil.rmtree(copy)
    assert outcomes == {True, False}, f"seed {SEED}"


@needs_strace
def test_what_returned_holds_after_the_power_failed_at_any_moment(tmp_path):
    lived, output, trace, chosen = tmp_path / "lived", tmp_path / "told", tmp_path / "trace", random.Random(SEED)
    working = worker("live", lived, 0, before=(*TRACER, str(trace)), output=output)
    try:
        end = time.monotonic() + 60
        while output.read_bytes().count(b"\n") < TOLD_BEFORE_THE_CUT and working.poll() is None:
            assert time.monotonic() < end, "the process does not work"
            time.sleep(0.005)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(working.pid, signal.SIGKILL)
        working.wait()
    found = events(trace, lived)
    last_sync = max(at for at, event in enumerate(found) if event.kind == "sync")
    moments = sorted(chosen.randint(0, last_sync) for _ in range(IMAGES))
    for number, (files, lines) in enumerate(images(found, lived, moments, chosen)):
        folder = tmp_path / f"image-{number}"
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        require_kept(folder, [line.split() for line in lines])
        shutil.rmtree(folder)
    assert len(lines) > TOLD_BEFORE_THE_CUT / 4


@needs_strace
@pytest.mark.parametrize(("call", "works"), [("fdatasync", 90), ("pwrite64", 250)])
def test_after_an_error_of_the_disk_the_vault_stops_and_has_all_that_it_returned(folder, tmp_path, call, works):
    opened(folder).close()
    output, trace = tmp_path / "told", tmp_path / "trace"
    inject = f"inject={call}:error=EIO:when={works}+"
    before = ("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", "-e", inject)
    working = worker("live", folder, 0, before=before, output=output)
    try:
        assert working.wait(timeout=60) == STOPPED
    finally:
        with suppress(ProcessLookupError):
            os.killpg(working.pid, signal.SIGKILL)
    assert "INJECTED" in trace.read_text()
    lines = [line.split() for line in output.read_text().splitlines()]
    assert sum(line[0] == "erased" for line in lines) > 1
    require_kept(folder, lines)


def test_a_journal_that_sqlite_deletes_after_a_kill_is_overwritten_first(folder, tmp_path):
    with opened(folder) as vault:
        vault.subjects(names(*range(300)))
    secrets = secrets_of(row_of(folder, name(1)))
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from serving.subjects import erasable\n"
        "connection = erasable.connected(Path(sys.argv[1]), 1)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('DELETE FROM subjects')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(folder / DATABASE)], env=environment, check=False)
    journal = erasable.journal_of(folder / DATABASE)
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "journal").hardlink_to(journal)
    assert traces(tmp_path / "held", secrets)
    with opened(folder) as vault:
        assert vault.pseudonym_of(name(1))
    assert traces(tmp_path / "held", secrets) == []
    assert set((tmp_path / "held" / "journal").read_bytes()) == {0}


def test_an_erasure_whose_traces_cannot_be_overwritten_says_so_and_is_finished_at_the_next_start(folder):
    with opened(folder) as vault:
        vault.subjects(names(*range(300)))
        secrets = secrets_of(row_of(folder, name(1)))
        journal = erasable.journal_of(folder / DATABASE)
        kept = journal.with_suffix(".kept")
        vault._connection.set_trace_callback(
            lambda said: said == "COMMIT" and journal.exists() and moved(journal, kept)
        )
        with pytest.raises(VaultStopped):
            vault.erase(name(1))
        assert vault.is_stopped
    kept.unlink()
    shutil.rmtree(journal)
    with opened(folder) as vault:
        if vault.pseudonym_of(name(1)) is not None:
            vault.erase(name(1))
        assert connected(folder).execute("SELECT count(*) FROM metadata").fetchone() == (2,)
    assert traces(folder, secrets) == []


def test_an_erasure_that_another_process_left_unfinished_is_finished_by_the_next(folder):
    with opened(folder) as vault:
        vault.subjects(names(*range(50)))
        other = connected(folder)
        other.execute("INSERT INTO metadata VALUES (?, ?)", UNFINISHED)
        other.close()
        secrets = secrets_of(row_of(folder, name(1)))
        vault.erase(name(1))
        assert connected(folder).execute("SELECT count(*) FROM metadata").fetchone() == (2,)
    assert traces(folder, secrets) == []


def moved(journal: Path, kept: Path) -> None:
    journal.rename(kept)
    journal.mkdir()
