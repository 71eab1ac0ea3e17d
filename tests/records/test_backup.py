"""A backup made under load is whole and takes the log's place; what is damaged, older or in the way is refused."""

from __future__ import annotations

import shutil
import sqlite3
import time

import pytest
from decision_load import Load, wait_until
from decision_logs import body, filled, opened, place_in, write
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationRefused, RepayrankError, UsageError
from serving.records.audit import verify
from serving.records.backup import CHECKPOINTS, UNFINISHED, backup, restore
from serving.records.errors import AuditBroken, LogOwned
from serving.records.limits import Limits
from serving.records.opening import DATABASE

COUNT = 300


def content(path):
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608
            for table in ("metadata", "records", "subtrees")
        ]
    finally:
        connection.close()


def test_a_backup_that_is_made_while_decisions_are_written_restores_and_verifies(tmp_path):
    place = place_in(tmp_path / "lived")
    with opened(place, Limits(seconds_unsigned=0.05)) as store:
        load = Load(store)
        wait_until(lambda: len(load.told) > COUNT)
        before = dict(load.told)
        begun = time.monotonic()
        report = backup(place, tmp_path / "backup")
        took = time.monotonic() - begun
        wait_until(lambda: len(load.told) > len(before) + COUNT)
        load.end()
    print(f"{report.records} records in {took:.2f} s, a caller waited at most {load.longest:.2f} s")  # noqa: T201
    assert not load.refused
    assert report.records >= len(before)
    assert {path.name for path in (tmp_path / "backup").iterdir()} == {DATABASE, CHECKPOINTS}
    elsewhere = place_in(tmp_path / "elsewhere")
    assert restore(tmp_path / "backup", elsewhere) == report
    with opened(elsewhere) as store:
        for number, sequence in before.items():
            assert store.answered(f"key-{number}", body(number)).sequence == sequence
        assert write(store, 10**6).sequence == report.records
    assert verify(elsewhere).records == report.records + 1


def test_a_backup_of_a_log_at_rest_has_its_content_and_changes_nothing_of_it(tmp_path):
    place = place_in(tmp_path / "lived")
    filled(place, COUNT)
    before = content(place.database)
    backup(place, tmp_path / "backup")
    assert content(tmp_path / "backup" / DATABASE) == content(place.database) == before
    assert (tmp_path / "backup" / CHECKPOINTS).read_bytes() == place.anchors.read_bytes()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "backup").iterdir())


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_damaged_backup_is_refused_or_the_damage_is_of_nothing_that_is_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    place = place_in(folder / "lived")
    filled(place, 3)
    backup(place, folder / "backup")
    whole = content(folder / "backup" / DATABASE)
    path = folder / "backup" / data.draw(st.sampled_from([DATABASE, CHECKPOINTS]))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    elsewhere = place_in(folder / "elsewhere")
    try:
        report = restore(folder / "backup", elsewhere)
    except AuditBroken:
        assert not elsewhere.database.exists()
        return
    assert report.records == 3
    assert content(elsewhere.database) == whole


@pytest.mark.parametrize("taken", [DATABASE, CHECKPOINTS])
def test_a_backup_without_one_of_its_files_is_refused(tmp_path, taken):
    place = place_in(tmp_path / "lived")
    filled(place, 3)
    backup(place, tmp_path / "backup")
    (tmp_path / "backup" / taken).unlink()
    with pytest.raises(AuditBroken):
        restore(tmp_path / "backup", place_in(tmp_path / "elsewhere"))


def test_a_damaged_log_gives_no_backup(tmp_path):
    place = place_in(tmp_path / "lived")
    filled(place, 3)
    connection = sqlite3.connect(place.database, isolation_level=None)
    connection.execute("UPDATE records SET answer = x'00' WHERE sequence = 1")
    connection.close()
    with pytest.raises(AuditBroken, match="record 1"):
        backup(place, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_backup_that_was_broken_off_is_made_anew_and_none_is_written_over(tmp_path):
    place = place_in(tmp_path / "lived")
    filled(place, 3)
    left = tmp_path / f"backup{UNFINISHED}"
    left.mkdir()
    (left / DATABASE).write_bytes(b"half")
    assert backup(place, tmp_path / "backup").records == 3
    assert not left.exists()
    with pytest.raises(UsageError):
        backup(place, tmp_path / "backup")


@pytest.mark.parametrize("in_the_way", [DATABASE, f"{DATABASE}-wal", f"{DATABASE}-journal"])
def test_nothing_is_restored_where_a_log_or_a_part_of_one_is(tmp_path, in_the_way):
    place = place_in(tmp_path / "lived")
    filled(place, 3)
    backup(place, tmp_path / "backup")
    elsewhere = place_in(tmp_path / "elsewhere")
    elsewhere.folder.mkdir(parents=True)
    (elsewhere.folder / in_the_way).write_bytes(b"something")
    with pytest.raises(UsageError):
        restore(tmp_path / "backup", elsewhere)
    assert (elsewhere.folder / in_the_way).read_bytes() == b"something"
    with opened(place), pytest.raises(LogOwned):
        restore(tmp_path / "backup", place)


def lost(place, *, more: int):
    """Write on after a backup, then lose the database and keep the checkpoints, as when a disk breaks."""
    filled(place, more, begin=COUNT)
    shutil.rmtree(place.folder)


def test_a_backup_of_fewer_decisions_than_were_signed_is_refused_with_their_number(tmp_path):
    place = place_in(tmp_path / "lived")
    filled(place, COUNT)
    backup(place, tmp_path / "backup")
    lost(place, more=7)
    signed = place.anchors.read_bytes()
    with pytest.raises(ConfigurationRefused, match="7 would be lost"):
        restore(tmp_path / "backup", place)
    assert not place.database.exists()
    assert place.anchors.read_bytes() == signed
    assert restore(tmp_path / "backup", place, accept_loss=True).records == COUNT
    assert place.anchors.with_name(f"{place.anchors.name}.{COUNT + 7}-signed").read_bytes() == signed
    with opened(place) as store:
        assert write(store, 9).sequence == 9
        assert write(store, COUNT).sequence == COUNT


def test_checkpoints_that_tell_of_nothing_more_are_kept_as_they_are(tmp_path):
    place = place_in(tmp_path / "lived")
    filled(place, COUNT)
    backup(place, tmp_path / "backup")
    signed = place.anchors.read_bytes()
    lost(place, more=0)
    assert restore(tmp_path / "backup", place).records == COUNT
    assert place.anchors.read_bytes() == signed


def test_a_backup_of_another_history_than_was_signed_is_refused_whatever_is_accepted(tmp_path):
    place, other = place_in(tmp_path / "lived"), place_in(tmp_path / "other")
    filled(place, 5)
    filled(other, 9, begin=100)
    backup(other, tmp_path / "backup")
    shutil.rmtree(place.folder)
    for accept_loss in (False, True):
        with pytest.raises(AuditBroken):
            restore(tmp_path / "backup", place, accept_loss=accept_loss)


def test_what_a_broken_off_restore_left_behind_does_not_stop_the_next(tmp_path):
    place = place_in(tmp_path / "lived")
    filled(place, 3)
    backup(place, tmp_path / "backup")
    elsewhere = place_in(tmp_path / "elsewhere")
    elsewhere.folder.mkdir(parents=True)
    (elsewhere.folder / (DATABASE + UNFINISHED)).write_bytes(b"half")
    assert restore(tmp_path / "backup", elsewhere).records == 3


def test_of_a_log_in_postgresql_the_servers_own_tools_are_named(tmp_path):
    place = place_in(tmp_path, "postgresql://log@127.0.0.1/log")
    for call in (lambda: backup(place, tmp_path / "backup"), lambda: restore(tmp_path / "backup", place)):
        with pytest.raises(UsageError, match="pg_dump") as refusal:
            call()
        assert isinstance(refusal.value, RepayrankError)
