"""A decision is written once, kept once acknowledged, and a log that was set back or has two writers is refused."""

from __future__ import annotations

import hashlib
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from decision_logs import (
    EVENT,
    KEY,
    NEVER,
    ORIGIN,
    TRIGGER,
    answer,
    body,
    change,
    copied,
    filled,
    opened,
    put_back,
    record,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused, DataRefused, UsageError
from models.artefact import canonical
from serving.records import anchors
from serving.records import sqlite as database
from serving.records.audit import verify
from serving.records.checkpoint import opened as note_opened
from serving.records.entry import KEY as KEY_FORM
from serving.records.entry import Asked, Entry, beginning
from serving.records.errors import AuditBroken, KeyReused, LogBusy, LogOwned, LogStopped
from serving.records.limits import Limits
from serving.records.opening import Place
from serving.records.postgresql_locks import lock_of
from serving.records.store import open_store

SMALL_FILE = 200_000


def test_a_record_is_there_after_the_log_was_closed_and_opened_again(place):
    with opened(place) as store:
        told = [write(store, number) for number in range(5)]
    with opened(place) as store:
        assert [store.answered(f"key-{number}", body(number)) for number in range(5)] == told
        assert [one.sequence for one in told] == list(range(5))
        assert store.answered("another", body(0)) is None
        assert write(store, 5).sequence == 5
    assert verify(place).records == 6


def test_the_same_request_gets_the_bytes_of_its_first_answer_also_after_a_new_start(place):
    with opened(place) as store:
        first = write(store, 1)
        assert store.write("key-1", body(1), EVENT, record(1), b"another answer") == first
    with opened(place) as store:
        assert store.write("key-1", body(1), EVENT, record(1), b"another answer") == first
        assert store.size == 1
    assert first.answer == answer(1)


def test_a_key_that_comes_again_with_another_body_is_refused_and_writes_nothing(place):
    with opened(place) as store:
        write(store, 1)
        with pytest.raises(KeyReused) as refusal:
            store.write("key-1", body(2), EVENT, record(2), answer(2))
        with pytest.raises(KeyReused):
            store.answered("key-1", body(2))
        assert store.size == 1
    assert isinstance(refusal.value, DataRefused)
    assert "key-1" not in str(refusal.value)


def test_many_threads_with_the_same_keys_write_each_record_once_and_all_get_its_answer(place):
    keys, callers = 20, 16
    with opened(place) as store, ThreadPoolExecutor(callers) as pool:
        start = threading.Barrier(callers)

        def call(caller: int) -> list[bytes]:
            start.wait()
            return [
                store.write(f"key-{number}", body(number), EVENT, record(number), f"{caller}".encode()).answer
                for number in range(keys)
            ]

        answers = list(pool.map(call, range(callers)))
        assert store.size == keys
    assert all(told == answers[0] for told in answers)
    assert verify(place).records == keys


def test_records_that_wait_together_share_a_commit(place):
    callers, each = 32, 10
    with opened(place) as store:

        def call(caller: int) -> None:
            for turn in range(each):
                write(store, caller * each + turn)

        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(call, range(callers)))
        assert store.size == callers * each
        assert store.commits <= callers * each / 4


def test_a_batch_has_no_more_records_than_the_limit_says(place):
    with opened(place, Limits(most_together=8, seconds_unsigned=1e9)) as store, locked(place):
        told = [
            store.submit(f"key-{number}", body(number), EVENT, record(number), answer(number)) for number in range(41)
        ]
        unlock(place)
        assert [future.result().sequence for future in told] == list(range(41))
        assert store.commits >= 41 / 8


LOCKS: dict[Path, sqlite3.Connection | psycopg.Connection] = {}


class locked:  # noqa: N801
    """Another program's lock on the database, such as a backup's, or another process's batch."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None:
        if self._place.url:
            connection = psycopg.connect(self._place.url, autocommit=True)
            connection.execute("SELECT pg_advisory_lock(%s)", [lock_of("sequence", ORIGIN, connection)])
        else:
            connection = sqlite3.connect(self._place.database, isolation_level=None, check_same_thread=False)
            connection.execute("BEGIN IMMEDIATE")
        LOCKS[self._place.anchors] = connection

    def __exit__(self, *_: object) -> None:
        LOCKS.pop(self._place.anchors).close()


def unlock(place: Place) -> None:
    LOCKS[place.anchors].execute("SELECT pg_advisory_unlock_all()" if place.url else "ROLLBACK")


def test_more_than_may_wait_are_told_that_nothing_was_written(place):
    with opened(place, Limits(most_together=1, most_waiting=4, seconds_unsigned=1e9)) as store, locked(place):
        told = [store.submit(f"key-{n}", body(n), EVENT, record(n), answer(n)) for n in range(4)]
        with pytest.raises(LogBusy):
            write(store, 4)
        assert store.submit("key-0", body(0), EVENT, record(0), b"") is told[0]
        with pytest.raises(KeyReused):
            store.submit("key-0", body(1), EVENT, record(1), b"")
        unlock(place)
        assert [future.result().sequence for future in told] == [0, 1, 2, 3]
        assert write(store, 4).sequence == 4


def test_a_lock_of_another_program_delays_writing_and_does_not_stop_the_log(place):
    with opened(place, Limits(busy_seconds=0.05)) as store:
        with locked(place), pytest.raises(LogBusy):
            write(store, 0)
        assert not store.is_stopped
        assert write(store, 0).sequence == 0


def test_those_who_wait_behind_a_lock_are_told_together_and_not_batch_after_batch(place):
    with opened(place, Limits(most_together=1, busy_seconds=0.5, seconds_unsigned=1e9)) as store, locked(place):
        begun = time.monotonic()
        told = [store.submit(f"key-{n}", body(n), EVENT, record(n), answer(n)) for n in range(12)]
        assert {type(future.exception()) for future in told} == {LogBusy}
        assert time.monotonic() - begun < 6 * 0.5


@pytest.mark.parametrize("taken", ["database", "anchors"])
def test_a_file_of_the_log_that_was_taken_away_is_noticed_although_nobody_writes(file_place, taken):
    with opened(file_place) as store:
        write(store, 0)
        store.sign()
        getattr(file_place, taken).unlink()
        end = time.monotonic() + 5
        while not store.is_stopped:
            assert time.monotonic() < end
            time.sleep(0.01)
        with pytest.raises(LogStopped, match="that has stopped"):
            write(store, 1)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: an error of the disk other than that it is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_error_of_the_disk_stops_all_writing_until_the_log_is_opened_again(file_place):
    place, acknowledged = file_place, []
    with opened(place) as store, largest_file(SMALL_FILE):
        with pytest.raises(LogStopped) as stop:
            for number in range(10_000):
                acknowledged += [write(store, number)]
        assert "SQLITE_IOERR" in stop.value.found
        assert store.is_stopped
        for call in (lambda: write(store, 0), store.sign):
            with pytest.raises(LogStopped):
                call()
        assert store.answered("key-0", body(0)) == acknowledged[0]
    with opened(place) as store:
        assert store.size in {len(acknowledged), len(acknowledged) + 1}
        assert [store.answered(f"key-{n}", body(n)) for n in range(len(acknowledged))] == acknowledged
        assert write(store, len(acknowledged)).sequence == len(acknowledged)
    assert verify(place).records == len(acknowledged) + 1


@pytest.mark.parametrize("taken", ["database", "anchors"])
def test_a_log_whose_file_was_taken_away_acknowledges_nothing_more(place, taken):
    if place.url and taken == "database":
        pytest.skip("has no such file")
    path = getattr(place, taken)
    with opened(place) as store:
        write(store, 0)
        path.rename(path.with_suffix(".away"))
        with pytest.raises(LogStopped):
            write(store, 1)
        assert store.is_stopped


def test_those_that_wait_when_the_log_stops_are_told_so(file_place):
    place, told = file_place, []
    limits = Limits(most_together=4, most_waiting=20_000, seconds_unsigned=1e9)
    with opened(place, limits) as store, largest_file(SMALL_FILE):
        # A slow disk may stop the log only after all have been handed in; then the last of them are those that wait.
        with suppress(LogStopped):
            for number in range(10_000):
                told += [store.submit(f"key-{number}", body(number), EVENT, {"long": "x" * 2_000}, b"")]
        outcomes = [future.exception() for future in told]
        with pytest.raises(LogStopped):
            write(store, 0)
    assert isinstance(outcomes[-1], LogStopped)
    written = [outcome is None for outcome in outcomes]
    assert all(isinstance(outcome, LogStopped) for outcome in outcomes if outcome is not None)
    assert written == sorted(written, reverse=True)
    assert sum(written) == verify(place).records


def test_a_checkpoint_is_signed_after_as_many_records_as_the_limit_says(place):
    with opened(place, Limits(most_together=10, records_unsigned=10, seconds_unsigned=1e9)) as store:
        for number in range(25):
            write(store, number)
        wait_until(lambda: store.anchored[0].size >= 20)
        assert store.anchored[0].size < 25
        note = store.sign()
    stated = note_opened(note, ORIGIN, place.trusted)
    assert stated.size == 25
    assert verify(place, [note]).signed == 25


def test_a_checkpoint_is_signed_after_as_many_seconds_as_the_limit_says(place):
    with opened(place, Limits(seconds_unsigned=0.05)) as store:
        write(store, 0)
        wait_until(lambda: store.anchored[0].size == 1)


def test_the_clock_that_is_passed_in_decides_when_a_checkpoint_is_due(place):
    now = [0.0]
    with open_store(place, KEY, lambda: now[0], Limits(seconds_unsigned=60)) as store:
        write(store, 0)
        write(store, 1)
        assert store.anchored[0].size == 0
        now[0] = 61.0
        write(store, 2)
        wait_until(lambda: store.anchored[0].size == 3)


def wait_until(holds, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.005)


def test_a_second_writer_is_refused_in_this_process_and_in_another(file_place):
    with opened(file_place):
        with pytest.raises(LogOwned):
            opened(file_place)
        code = (
            "import sys; from pathlib import Path; from decision_logs import opened, place_in\n"
            "from serving.records.errors import LogOwned\n"
            "try: opened(place_in(Path(sys.argv[1])))\n"
            "except LogOwned as refusal: sys.exit(refusal.exit_code)\n"
        )
        environment = {"PYTHONPATH": ":".join(sys.path)}
        other = subprocess.run([sys.executable, "-c", code, file_place.folder.parent], env=environment, check=False)
        assert other.returncode == ConfigurationRefused.exit_code
    with opened(file_place) as store:
        write(store, 0)


def test_two_logs_cannot_share_a_file_of_checkpoints(file_place, tmp_path):
    other = Place(tmp_path / "other", file_place.anchors, "other.example/log", file_place.trusted)
    with opened(file_place), pytest.raises(LogOwned):
        opened(other)
    with pytest.raises(AuditBroken):
        opened(other)


def test_an_older_copy_of_the_database_is_refused(place, tmp_path):
    filled(place, 10)
    older = copied(place, tmp_path / "older")
    filled(place, 10, begin=10)
    place = put_back(older, place)
    with pytest.raises(AuditBroken, match="10 records where 20 were signed") as refusal:
        opened(place)
    assert refusal.value.exit_code == 13
    with pytest.raises(AuditBroken):
        verify(place)


def test_an_older_copy_that_was_written_on_is_refused(place, tmp_path):
    filled(place, 10)
    older = copied(place, tmp_path / "older")
    filled(place, 5, begin=10)
    filled(older, 20, begin=100)
    place = put_back(older, place)
    with pytest.raises(AuditBroken, match="another history"):
        opened(place)


@pytest.mark.parametrize("statement", ["DELETE FROM records WHERE sequence >= 8", "DELETE FROM records"])
def test_a_log_whose_newest_records_were_cut_off_is_refused(place, statement):
    filled(place, 10)
    change(place, statement)
    with pytest.raises(AuditBroken):
        opened(place)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET record = x'7b7d' WHERE sequence = 12",
        "UPDATE records SET answer = x'00' WHERE sequence = 13",
        "UPDATE records SET key = 'other' WHERE sequence = 14",
        "DELETE FROM records WHERE sequence = 12",
        "DELETE FROM records WHERE sequence = 14",
        "UPDATE metadata SET value = x'3134' WHERE name = 'size'",
        "UPDATE metadata SET value = zeroblob(32) WHERE name = 'last_leaf'",
        "DELETE FROM metadata WHERE name = 'peaks'",
        "DROP TABLE subtrees",
        TRIGGER,
    ],
)
def test_a_change_after_the_last_checkpoint_is_found_at_the_start(place, tmp_path, statement):
    filled(place, 10)
    signed = place.anchors.read_bytes()
    filled(place, 5, begin=10)
    place.anchors.write_bytes(signed)  # as after a crash within a second of the writes
    with opened(copied(place, tmp_path / "whole")) as store:
        assert store.size == 15
    change(place, statement)
    with pytest.raises(AuditBroken):
        opened(place)


def test_a_log_without_its_checkpoints_or_checkpoints_without_their_log_are_refused(place, tmp_path):
    filled(place, 3)
    other = copied(place, tmp_path / "other")
    place.anchors.unlink()
    with pytest.raises(AuditBroken):
        opened(place)
    if other.url:
        change(other, "DROP TABLE metadata, records, subtrees, alembic_version")
    else:
        other.database.unlink()
    with pytest.raises(AuditBroken):
        opened(other)


@pytest.mark.parametrize("left", range(1, 190, 13))
def test_a_checkpoint_that_a_crash_left_unfinished_is_passed_over_and_written_again(file_place, left):
    filled(file_place, 3)
    before = file_place.anchors.read_bytes()
    filled(file_place, 2, begin=3)
    whole = file_place.anchors.read_bytes()
    unfinished = before + whole[len(before) :][:left]
    assert len(unfinished) < len(whole)
    file_place.anchors.write_bytes(unfinished)
    assert verify(file_place).signed == 3
    with opened(file_place) as store:
        assert store.anchored[0].size == 5
    assert file_place.anchors.read_bytes() == whole


def test_zeros_that_a_power_cut_left_at_the_end_of_the_checkpoints_are_cut_off(file_place):
    filled(file_place, 3)
    whole = file_place.anchors.read_bytes()
    file_place.anchors.write_bytes(whole + bytes(100))
    with opened(file_place):
        pass
    assert file_place.anchors.read_bytes() == whole


def test_a_sector_that_a_power_cut_left_empty_within_the_last_checkpoint_is_passed_over(file_place):
    filled(file_place, 3)
    before = file_place.anchors.read_bytes()
    filled(file_place, 2, begin=3)
    whole = file_place.anchors.read_bytes()
    hole = bytes(80)  # the end was written, the beginning was not
    file_place.anchors.write_bytes(before + hole + whole[len(before) + len(hole) :])
    assert verify(file_place).signed == 3
    with opened(file_place):
        pass
    assert file_place.anchors.read_bytes() == whole


def test_zeros_in_an_earlier_checkpoint_are_no_crash_and_are_refused(file_place):
    for begin in range(3):
        filled(file_place, 1, begin=begin)
    whole = file_place.anchors.read_bytes()
    file_place.anchors.write_bytes(whole[:250] + bytes(10) + whole[260:])
    for check in (verify, opened):
        with pytest.raises(AuditBroken):
            check(file_place)
    assert len(file_place.anchors.read_bytes()) == len(whole)


def test_only_the_end_of_many_checkpoints_is_read_at_a_start(file_place, monkeypatch):
    monkeypatch.setattr(anchors, "CHECKED_AT_START", 3)
    for begin in range(12):
        filled(file_place, 1, begin=begin)
    whole = file_place.anchors.read_bytes()
    file_place.anchors.write_bytes(whole.replace(b"\n1\n", b"\n7\n", 1))
    with opened(file_place) as store:
        assert store.size == 12
    with pytest.raises(AuditBroken):
        verify(file_place)
    file_place.anchors.write_bytes(whole.replace(b"\n11\n", b"\n17\n", 1))
    with pytest.raises(AuditBroken):
        opened(file_place)


def test_an_altered_earlier_checkpoint_is_refused_at_the_start(file_place):
    for begin in range(3):
        filled(file_place, 1, begin=begin)
    whole = file_place.anchors.read_bytes()
    notes = whole.count(f"{ORIGIN}\n".encode())
    for at in range(0, len(whole) - len(whole) // notes, 7):
        file_place.anchors.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(AuditBroken):
            opened(file_place)


def test_a_database_that_cannot_keep_its_promise_is_refused(file_place):
    def careless(path, seconds):
        return database.connect_writer(":memory:", seconds)  # takes no write-ahead log

    with pytest.raises(ConfigurationRefused, match="journal_mode"):
        opened(file_place, connect=careless)


def test_the_writers_connection_syncs_every_commit_and_overwrites_what_is_deleted(file_place):
    with opened(file_place) as store:
        for name, expected in (("synchronous", 2), ("journal_mode", "wal"), ("secure_delete", 1)):
            assert store._connection.execute(f"PRAGMA {name}").fetchone() == (expected,)
        with pytest.raises(sqlite3.OperationalError):
            store._reader.execute("DELETE FROM records")


@pytest.mark.parametrize(
    ("key", "digest", "event", "content"),
    [
        ("", body(0), EVENT, {}),
        ("two words", body(0), EVENT, {}),
        ("nul\0", body(0), EVENT, {}),
        ("钥", body(0), EVENT, {}),
        ("k" * 256, body(0), EVENT, {}),
        ("k", b"short", EVENT, {}),
        ("k", body(0), "scored", {}),
        ("k", body(0), EVENT, {"x": float("nan")}),
    ],
)
def test_what_could_not_be_found_or_read_again_is_refused_before_it_waits(place, key, digest, event, content):
    with opened(place) as store:
        with pytest.raises((UsageError, DataRefused)):
            store.write(key, digest, event, content, b"")
        assert (store.size, store.waiting) == (0, 0)


def test_an_untrusted_signing_key_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused):
        opened(Place(tmp_path / "log", tmp_path / "anchors", ORIGIN, ()))


@given(st.from_regex(KEY_FORM, fullmatch=True) | st.text(), st.integers(0), st.binary(), st.binary())
def test_the_entrys_line_is_canonical_json(key, sequence, asked_for, told):
    asked = Asked(key, body(0), EVENT, asked_for, told)
    previous = beginning(ORIGIN)
    plain = {
        "answer_sha256": hashlib.sha256(told).hexdigest(),
        "body_sha256": body(0).hex(),
        "event": EVENT,
        "key": key,
        "previous": previous.hex(),
        "record_sha256": hashlib.sha256(asked_for).hexdigest(),
        "sequence": sequence,
    }
    assert Entry(sequence, asked, previous).line() == canonical(plain)


def test_a_caller_that_hangs_up_does_not_take_the_outcome_from_another_with_the_same_key(place):
    with opened(place) as store:
        first = store.submit("key-0", body(0), EVENT, record(0), answer(0))
        assert not first.cancel()
        assert store.write("key-0", body(0), EVENT, record(0), b"other").answer == answer(0)


def test_closing_writes_what_waits_and_signs_it(place):
    store = opened(place, NEVER)
    told = [store.submit(f"key-{n}", body(n), EVENT, record(n), answer(n)) for n in range(50)]
    store.close()
    assert all(future.done() for future in told)
    assert verify(place).signed == 50
    with pytest.raises(LogStopped):
        write(store, 51)
