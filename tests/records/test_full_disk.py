"""A full disk refuses what comes and keeps what was acknowledged; with space again, writing goes on by itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from decision_load import Load, require_each_once, wait_until
from decision_logs import EVENT, answer, body, opened, place_in, record, write

from features.errors import RepayrankError
from serving.decisions.disks import Disks
from serving.records import sqlite
from serving.records.anchors import Anchors
from serving.records.audit import receipt, verify
from serving.records.errors import LogBusy, LogStopped
from serving.records.limits import Limits
from serving.records.opening import Place

MEBIBYTE = 2**20
DISK_MEBIBYTES = 12
SMALL_FILE_PAGES = 40
BACK_SECONDS = 2.0
"""Row D4: writing is back within this time after space has returned."""

LONGEST_WAIT_SECONDS = 6.0
"""The limit of waiting (2 s), with some room for a machine that is busy."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEBIBYTES}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Take all space that is left, and return the file that takes it."""
    path = disk / "filler"
    with path.open("ab", buffering=0) as stream:
        for size in (MEBIBYTE, 4096, 1):
            try:
                while stream.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
    return path


@pytest.mark.parametrize("times", [3])
def test_a_full_disk_refuses_what_comes_and_writing_is_back_soon_after_space_is(disk, times):
    place = place_in(disk)
    with opened(place, Limits()) as store:
        load = Load(store)
        wait_until(lambda: load.told)
        store.sign()
        for _ in range(times):
            before = len(load.told)
            wait_until(lambda: len(load.told) > before + 50)  # noqa: B023
            filler = fill(disk)
            wait_until(lambda: store.is_stopped)
            refused = len(load.refused)
            wait_until(lambda: len(load.refused) > refused + load.threads)  # noqa: B023
            time.sleep(0.5)
            assert store.is_stopped
            assert store.answered("key-0", body(0)).sequence == load.told[0]
            assert receipt(place, 0).sequence == 0
            filler.unlink()
            back = time.monotonic()
            wait_until(lambda: not store.is_stopped, BACK_SECONDS)
            wait_until(lambda: load.told_at > back, BACK_SECONDS)  # noqa: B023
        load.end()
    assert load.longest < LONGEST_WAIT_SECONDS
    assert any(isinstance(refusal, LogBusy) for refusal in load.refused)
    require_each_once(place, load.told, load.threads)


def test_a_disk_that_can_only_be_read_is_refused_by_name_and_loses_nothing(disk):
    place = place_in(disk)
    with opened(place) as store:
        told = {number: write(store, number).sequence for number in range(20)}
    for mode in ("ro", "rw", "ro", "rw"):
        subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)
        if mode == "ro":
            # SQLite makes files beside a log that it reads; an export can be checked anywhere.
            for work in (opened, verify):
                with pytest.raises(RepayrankError) as refused:
                    work(place)
                assert str(disk) in str(refused.value)
            continue
        assert verify(place).records == 20
        with opened(place) as store:
            assert all(store.answered(f"key-{number}", body(number)).sequence == told[number] for number in told)


def test_a_disk_that_fills_up_is_said_once_before_it_is_full_and_once_when_it_has_room_again(disk, tmp_path):
    said = []
    disks = Disks([tmp_path / "not there", disk], said.append)
    disks.look()
    assert not said
    assert 0.9 < disks.free <= 1
    filler = disk / "filler"
    for _ in range(2):
        filler.write_bytes(bytes(11 * MEBIBYTE))
        disks.look()
        disks.look()
        assert [line["disk"] for line in said] == ["fills up"]
        assert said[0]["free"] == round(disks.free, 3) < 0.1
        filler.unlink()
        disks.look()
        assert [line["disk"] for line in said] == ["fills up", "has room again"]
        said.clear()


def test_a_full_disk_of_the_checkpoints_alone_is_outlasted_too(disk, tmp_path):
    place = Place(tmp_path / "log", disk / "checkpoints.txt", *_names(tmp_path))
    with opened(place, Limits(records_unsigned=5, seconds_unsigned=0.05)) as store:
        write(store, 0)
        filler = fill(disk)
        load = Load(store)
        wait_until(lambda: store.is_stopped and load.refused)
        filler.unlink()
        wait_until(lambda: not store.is_stopped, BACK_SECONDS)
        load.end()
    require_each_once(place, load.told | {0: 0}, load.threads)


def _names(folder: Path):
    place = place_in(folder)
    return place.origin, place.trusted


def small(path, seconds):
    """Return a writer's connection to a file that must not grow."""
    tables = sqlite.connect_writer(path, seconds)
    tables.execute(f"PRAGMA max_page_count = {SMALL_FILE_PAGES}")
    return tables


def test_those_of_a_batch_that_found_no_space_are_told_that_nothing_was_written(tmp_path):
    place, told = place_in(tmp_path), 0
    with opened(place, connect=small) as store:
        with pytest.raises(LogBusy, match="SQLITE_FULL"):
            for number in range(10_000):
                write(store, number)
                told += 1
        assert store.answered(f"key-{told}", body(told)) is None
        wait_until(lambda: not store.is_stopped)
    assert verify(place).records == told
    with opened(place) as store:
        assert write(store, told).sequence == told


def test_closing_a_log_whose_disk_is_full_ends_and_tells_all_that_wait(disk):
    place = place_in(disk)
    store = opened(place, Limits(busy_seconds=60))
    write(store, 0)
    fill(disk)
    told = [
        store.submit(f"key-{n}", body(n), EVENT, record(n) | {"long": "x" * 5_000}, answer(n)) for n in range(1, 400)
    ]
    wait_until(lambda: store.is_stopped)
    store.close()
    assert all(isinstance(future.exception(), LogBusy | LogStopped | None) for future in told)
    (disk / "filler").unlink()
    with opened(place) as store:
        for number, future in enumerate(told, start=1):
            found = store.answered(f"key-{number}", body(number))
            if future.exception() is None:
                assert found == future.result()
            if isinstance(future.exception(), LogBusy):
                assert found is None


def test_a_checkpoint_that_could_not_be_synced_is_no_full_disk(tmp_path, monkeypatch):
    place = place_in(tmp_path)
    with opened(place) as store:
        write(store, 0)
    with Anchors(place.anchors, place.origin, place.trusted) as anchors:
        checkpoint, note = anchors.last

        def failing(_: int) -> None:
            raise OSError(28, "no space, told at the sync")

        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="not synced") as failure:
            anchors.append(checkpoint, note)
    assert failure.value.errno == 5
