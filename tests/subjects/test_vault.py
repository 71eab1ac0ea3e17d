"""A name has one pseudonym and one key, kept once returned, whoever asks at once and whatever the disk does."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subject_vaults import MASTER, SECRET, connected, name, names, opened, require_whole, small_disk, worker

from features.errors import ConfigurationRefused, DataRefused, RepayrankError, UsageError
from serving.subjects import erasable
from serving.subjects.errors import HeldByLaw, SubjectUnknown, VaultBroken, VaultBusy, VaultStopped
from serving.subjects.subject import KEY_BYTES, PSEUDONYM_BYTES, Name
from serving.subjects.vault import DATABASE, LOCK, open_vault

DAY = date(2026, 3, 1)
SEED = 0


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "subjects"


def test_a_subject_is_the_same_after_the_vault_was_closed_and_opened_again(folder):
    with opened(folder) as vault:
        assert vault.is_new
        first = vault.subjects(names(1, 2, 1))
    assert first[0] == first[2] != first[1]
    with opened(folder) as vault:
        assert not vault.is_new
        assert vault.subjects(names(2, 1)) == [first[1], first[0]]
        assert vault.pseudonym_of(name(1)) == first[0].pseudonym
        assert vault.key_of(first[0].pseudonym) == first[0].key
        assert vault.pseudonym_of(name(3)) is None
        assert vault.key_of(bytes(PSEUDONYM_BYTES)) is None
        assert vault.subjects([]) == []


def test_a_borrower_and_a_loan_with_the_same_id_are_two_subjects(folder):
    with opened(folder) as vault:
        borrower, loan = vault.subjects([Name("borrower", "7"), Name("loan", "7")])
        assert borrower.pseudonym != loan.pseudonym
        assert borrower.key != loan.key


def test_all_that_is_random_is_different_and_of_its_length(folder):
    with opened(folder) as vault:
        found = vault.subjects(names(*range(6_000)))
    assert {len(one.pseudonym) for one in found} == {PSEUDONYM_BYTES}
    assert {len(one.key) for one in found} == {KEY_BYTES}
    assert len({value for one in found for value in one}) == 2 * 6_000


PEOPLE = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("subjects"), st.lists(PEOPLE, max_size=5)),
    st.tuples(st.just("erase"), PEOPLE),
    st.tuples(st.just("hold"), PEOPLE, st.sampled_from(["a", "b"]), st.dates()),
    st.tuples(st.just("release"), PEOPLE, st.sampled_from(["a", "b", None])),
    st.tuples(st.just("open again")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=15, max_size=30))
def test_any_order_of_calls_does_what_a_plain_dictionary_would(steps):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "subjects"
        vault = opened(folder)
        known, held, gone = {}, {}, set()
        for step, *arguments in steps:
            if step == "subjects":
                told = vault.subjects(names(*arguments[0]))
                for number, subject in zip(arguments[0], told, strict=True):
                    assert subject.pseudonym not in gone
                    assert known.setdefault(number, subject) == subject
            elif step == "open again":
                vault.close()
                vault = opened(folder)
            elif arguments[0] not in known:
                more = {"erase": (), "hold": ("a", DAY), "release": ()}[step]
                with pytest.raises(SubjectUnknown):
                    getattr(vault, step)(name(arguments[0]), *more)
            elif step == "hold":
                held.setdefault(arguments[0], {}).setdefault(*arguments[1:])
                vault.hold(name(arguments[0]), *arguments[1:])
            elif step == "release":
                mine = held.get(arguments[0], {})
                meant = [reason for reason in mine if arguments[1] in {None, reason}]
                if len(meant) == 1:
                    vault.release(name(arguments[0]), arguments[1])
                    del mine[meant[0]]
                else:
                    with pytest.raises(DataRefused):
                        vault.release(name(arguments[0]), arguments[1])
            elif held.get(arguments[0]):
                with pytest.raises(HeldByLaw):
                    vault.erase(name(arguments[0]))
            else:
                subject = known.pop(arguments[0])
                assert vault.erase(name(arguments[0])).pseudonym == subject.pseudonym
                gone.add(subject.pseudonym)
            for number in range(3):
                assert vault.pseudonym_of(name(number)) == (known[number].pseudonym if number in known else None)
            assert all(vault.key_of(subject.pseudonym) == subject.key for subject in known.values())
            assert not any(vault.key_of(pseudonym) for pseudonym in gone)
            assert sorted(vault.holds()) == sorted(
                (known[number].pseudonym, reason, day) for number, mine in held.items() for reason, day in mine.items()
            )
        vault.close()
        require_whole(folder)


def test_many_threads_that_ask_at_once_get_one_subject_for_each_name(folder):
    callers, amount = 12, 40
    with opened(folder, busy_seconds=30) as vault, ThreadPoolExecutor(callers) as pool:
        start = threading.Barrier(callers)

        def call(caller: int) -> dict[int, object]:
            start.wait()
            order = random.Random(caller).sample(range(amount), amount)
            pairs = [order[at : at + 2] for at in range(0, amount, 2)]
            return {
                number: subject
                for pair in pairs
                for number, subject in zip(pair, vault.subjects(names(*pair)), strict=True)
            }

        answers = list(pool.map(call, range(callers)))
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0].values())) == amount


def test_several_processes_that_ask_at_once_get_one_subject_for_each_name(folder, tmp_path):
    amount, outputs = 40, [tmp_path / f"told-{number}" for number in range(4)]
    working = [worker("make", folder, amount, output=output) for output in outputs]
    assert [one.wait(timeout=90) for one in working] == [0] * 4
    told = {line for output in outputs for line in output.read_text().splitlines()}
    assert len(told) == amount + 1
    with opened(folder) as vault:
        found = vault.subjects(names(*range(amount + 1)))
    assert told == {f"{at} {one.pseudonym.hex()} {one.key.hex()}" for at, one in enumerate(found)}


def test_one_process_sees_at_once_what_another_erased_and_made(folder):
    with opened(folder) as service, opened(folder) as command:
        before = service.subjects(names(1))[0]
        command.erase(name(1))
        assert service.key_of(before.pseudonym) is None
        after = command.subjects(names(1))[0]
        assert service.subjects(names(1)) == [after]
        assert after.pseudonym != before.pseudonym
        assert after.key != before.key


def test_while_another_process_writes_known_subjects_are_told_and_others_refused_in_time(folder, tmp_path):
    with opened(folder, busy_seconds=0.3) as vault:
        known = vault.subjects(names(1))
        holder, output = None, tmp_path / "told"
        try:
            holder = worker("lock", folder, output=output)
            wait_until(output.read_bytes)
            assert vault.subjects(names(1)) == known
            for call in (
                lambda: vault.subjects(names(1, 2)),
                lambda: vault.erase(name(1)),
                lambda: vault.hold(name(1), "case", DAY),
                lambda: opened(folder, busy_seconds=0.3),
            ):
                begun = time.monotonic()
                with pytest.raises(VaultBusy):
                    call()
                assert time.monotonic() - begun < 2
        finally:
            os.killpg(holder.pid, signal.SIGKILL)
            holder.wait()
        assert vault.pseudonym_of(name(2)) is None
        assert vault.holds() == []
        assert vault.subjects(names(1, 2))[0] == known[0]


def test_many_threads_that_wait_for_another_process_are_all_refused_in_time(folder, tmp_path):
    with opened(folder, busy_seconds=0.5) as vault, ThreadPoolExecutor(16) as pool:
        output = tmp_path / "told"
        holder = worker("lock", folder, output=output)
        try:
            wait_until(output.read_bytes)
            begun = time.monotonic()
            calls = [pool.submit(vault.subjects, names(number)) for number in range(16)]
            assert all(isinstance(call.exception(), VaultBusy) for call in calls)
            assert time.monotonic() - begun < 2
        finally:
            os.killpg(holder.pid, signal.SIGKILL)
            holder.wait()


def test_a_program_that_locks_the_database_delays_and_does_not_stop_the_vault(folder):
    with opened(folder, busy_seconds=0.1) as vault:
        known = vault.subjects(names(1))
        other = connected(folder)
        other.execute("BEGIN EXCLUSIVE")
        for call in (lambda: vault.subjects(names(1)), lambda: vault.subjects(names(2)), lambda: vault.erase(name(1))):
            with pytest.raises(VaultBusy):
                call()
        other.close()
        assert vault.subjects(names(1)) == known
        assert vault.pseudonym_of(name(2)) is None


def test_calls_one_after_another_do_not_each_wait_in_full_for_a_program_that_locks_the_database(folder):
    with opened(folder, busy_seconds=0.5) as vault:
        (known,) = vault.subjects(names(1))
        other = connected(folder)
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        for _ in range(12):
            with pytest.raises(VaultBusy):
                vault.key_of(known.pseudonym)
        assert time.monotonic() - begun < 6 * 0.5
        other.close()
        assert vault.key_of(known.pseudonym) == known.key


def wait_until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def require_goes_on_when_there_is_room(vault, make_room) -> None:
    known = vault.subjects(names(0))
    made = {0: known[0]}
    with pytest.raises(VaultBusy, match="SQLITE_FULL"):
        for begin in range(1, 100_000, 50):
            numbers = range(begin, begin + 50)
            made |= dict(zip(numbers, vault.subjects(names(*numbers)), strict=True))
    assert not vault.is_stopped
    assert vault.subjects(names(*made)) == list(made.values())
    assert vault.pseudonym_of(name(begin)) is None
    make_room()
    made |= dict(zip(numbers, vault.subjects(names(*numbers)), strict=True))
    vault.erase(name(0))
    del made[0]
    assert vault.subjects(names(*made)) == list(made.values())


def test_a_file_that_may_not_grow_refuses_new_subjects_and_goes_on_once_it_may(folder):
    with opened(folder) as vault:
        vault._connection.execute("PRAGMA max_page_count = 40")
        require_goes_on_when_there_is_room(vault, lambda: vault._connection.execute("PRAGMA max_page_count = 4000"))
    require_whole(folder)


def test_a_full_disk_refuses_new_subjects_and_the_vault_goes_on_once_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk", 400) as disk, opened(disk / "subjects") as vault:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(150_000))
        require_goes_on_when_there_is_room(vault, ballast.unlink)
        require_whole(disk / "subjects")


def test_a_disk_that_can_only_be_read_is_refused_and_keeps_what_it_has(tmp_path):
    with small_disk(tmp_path / "disk", 1_000) as disk:
        with opened(disk / "subjects") as vault:
            known = vault.subjects(names(1))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for folder in ("subjects", "another"):
            with pytest.raises(ConfigurationRefused):
                opened(disk / folder)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        with opened(disk / "subjects") as vault:
            assert vault.subjects(names(1)) == known


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationRefused):
        opened(tmp_path / "file" / "subjects")


@pytest.mark.parametrize("taken", [DATABASE, LOCK])
def test_a_vault_whose_file_was_taken_away_or_put_back_tells_nothing_more(folder, tmp_path, taken):
    with opened(folder) as vault:
        vault.subjects(names(1))
        shutil.copy(folder / taken, tmp_path / "copy")
        (folder / taken).unlink()
        assert vault.is_stopped
        for _ in range(2):
            with pytest.raises(VaultStopped):
                vault.subjects(names(1))
            with pytest.raises(VaultStopped):
                vault.subjects(names(2))
            shutil.copy(tmp_path / "copy", folder / taken)
        assert vault.is_stopped


def test_a_vault_without_its_database_is_not_taken_for_a_new_one(folder):
    opened(folder).close()
    (folder / DATABASE).unlink()
    with pytest.raises(VaultBroken):
        opened(folder)
    (folder / DATABASE).touch()
    with pytest.raises(VaultBroken):
        opened(folder)


def test_a_vault_whose_making_was_cut_short_is_made(folder):
    folder.mkdir()
    (folder / LOCK).touch()
    (folder / DATABASE).touch()
    with opened(folder) as vault:
        assert vault.is_new
        assert len(vault.subjects(names(1))) == 1


def test_another_master_key_is_refused_and_changes_nothing(folder):
    with opened(folder) as vault:
        known = vault.subjects(names(1))
    with pytest.raises(ConfigurationRefused, match="another master key"):
        open_vault(folder, MASTER[::-1])
    with pytest.raises(ConfigurationRefused):
        open_vault(folder, MASTER[:16])
    with opened(folder) as vault:
        assert vault.subjects(names(1)) == known


COLUMNS = ("lookup", "pseudonym", "sealed_key")


@pytest.mark.parametrize("columns", [columns for columns in product([0, 1], repeat=3) if 0 < sum(columns) < 3], ids=str)
def test_columns_that_were_swapped_between_two_rows_are_refused(folder, columns):
    with opened(folder) as vault:
        told = vault.subjects(names(1, 2, 3))
    connection = connected(folder)
    select = "SELECT lookup, pseudonym, sealed_key FROM subjects WHERE lookup = ?"
    rows = [connection.execute(select, (SECRET.lookup(whom),)).fetchone() for whom in names(1, 2)]
    connection.executemany("DELETE FROM subjects WHERE lookup = ?", [(row[0],) for row in rows])
    swapped = [tuple(rows[at ^ swap][column] for column, swap in enumerate(columns)) for at in range(2)]
    connection.executemany("INSERT INTO subjects VALUES (?, ?, ?)", swapped)
    connection.close()
    with opened(folder) as vault:
        for number, one in zip((1, 2), told, strict=False):
            for call in (
                lambda number=number: vault.subjects(names(number)),
                lambda number=number: vault.pseudonym_of(name(number)),
                lambda number=number: vault.erase(name(number)),
                lambda one=one: vault.key_of(one.pseudonym),
            ):
                with pytest.raises(VaultBroken):
                    call()
        assert vault.subjects(names(3)) == [told[2]]


@given(at=st.integers(0, 59), bit=st.integers(0, 7))
@settings(max_examples=30, deadline=None)
def test_a_changed_bit_of_a_sealed_key_is_refused(at, bit):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "subjects"
        with opened(folder) as vault:
            vault.subjects(names(1))
        connection = connected(folder)
        (sealed,) = connection.execute("SELECT sealed_key FROM subjects").fetchone()
        changed = sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :]
        connection.execute("UPDATE subjects SET sealed_key = ?", (changed,))
        connection.close()
        with opened(folder) as vault, pytest.raises(VaultBroken):
            vault.subjects(names(1))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER DELETE ON subjects BEGIN INSERT INTO metadata VALUES (hex(OLD.lookup), x''); END",
        "CREATE TABLE copies (row BLOB)",
        "DROP TABLE holds",
        "UPDATE metadata SET value = x'00' WHERE name = 'format'",
        "DELETE FROM metadata",
    ],
)
def test_a_file_of_another_form_is_refused(folder, statement):
    opened(folder).close()
    connection = connected(folder)
    connection.execute(statement)
    connection.close()
    with pytest.raises(VaultBroken):
        opened(folder)


def test_a_damaged_file_is_refused(folder):
    with opened(folder) as vault:
        vault.subjects(names(*range(500)))
    whole = (folder / DATABASE).read_bytes()
    for damaged in (b"no database" * 1_000, bytes(len(whole)), whole[: len(whole) // 2], bytes(100) + whole[100:]):
        (folder / DATABASE).write_bytes(damaged)
        (folder / f"{DATABASE}-journal").unlink(missing_ok=True)
        with pytest.raises(VaultBroken), opened(folder) as vault:
            vault.subjects(names(*range(500)))


def test_the_file_tells_nothing_of_ids_to_whoever_guesses_them_without_the_key(folder):
    known = random.Random(SEED).sample(range(100_000), 500)
    with opened(folder) as vault:
        vault.subjects(names(*known))
    connection = connected(folder)
    kept = {value for row in connection.execute("SELECT * FROM subjects") for value in row}
    connection.close()
    prefixes = {value[:16] for value in kept}
    assert SECRET.lookup(name(known[0])) in kept  # what a guess with the key finds
    guessed = (b"", bytes(32), b"key", b"secret", b"repayrank", b"borrower", b"repayrank subjects 1")
    for number in range(100_000):
        plain = name(number).id.encode()
        for message in (plain, b"borrower\0" + plain):
            assert hashlib.sha256(message).digest()[:16] not in prefixes
            assert hashlib.md5(message).digest() not in prefixes  # noqa: S324 - a guess
        if number in known[:50]:
            for key in guessed:
                assert hmac.digest(key, b"borrower\0" + plain, "sha256")[:16] not in prefixes
                assert hmac.digest(key, plain, "sha256")[:16] not in prefixes
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not [number for number in known if name(number).id.encode() in content]


@given(st.sampled_from(["borrower", "loan"]), st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_name_is_looked_up_by_the_hmac_of_its_kind_and_id(kind, identity):
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(SHA256(), 32, None, b"repayrank subjects 1 lookup").derive(MASTER)
    assert SECRET.lookup(Name(kind, identity)) == hmac.digest(key, f"{kind}\0{identity}".encode(), "sha256")


@pytest.mark.parametrize("whom", [Name("borrower", ""), Name("lender", "7"), Name("loan", "\ud800")])
def test_a_name_that_is_none_is_refused_without_being_told(folder, whom):
    with opened(folder) as vault, pytest.raises((UsageError, DataRefused)) as refusal:
        vault.subjects([name(1), whom])
    assert "\ud800" not in str(refusal.value)


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 201, f"about {name(1).id}", f"{name(1).id}: fraud"])
def test_a_reason_that_names_the_person_or_cannot_stand_in_one_line_is_refused(folder, reason):
    with opened(folder) as vault:
        vault.subjects(names(1))
        with pytest.raises(UsageError) as refusal:
            vault.hold(name(1), reason, DAY)
        assert vault.holds() == []
    assert name(1).id not in str(refusal.value)


def test_no_error_and_nothing_that_is_printed_shows_an_id_or_a_key(folder):
    with opened(folder) as vault:
        (subject,) = vault.subjects(names(1))
        vault.hold(name(1), "case 7", DAY)
        told = [repr(name(1)), str(name(1)), repr(subject), repr(vault), f"{subject}", repr(SECRET)]
        for call in (lambda: vault.erase(name(1)), lambda: vault.erase(name(2)), lambda: vault.release(name(1), "b")):
            with pytest.raises(RepayrankError) as refusal:
                call()
            told.append(str(refusal.value))
    shown = " ".join(told)
    assert not [
        one for one in (name(1).id, name(2).id, subject.key.hex(), repr(subject.key), repr(MASTER)) if one in shown
    ]


def test_the_files_belong_to_their_owner_alone_and_every_setting_is_taken(folder):
    with opened(folder) as vault:
        vault.subjects(names(1))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        for setting, _, expected in erasable.SETTINGS:
            assert vault._connection.execute(f"PRAGMA {setting}").fetchone() == (expected,)


def test_a_closed_vault_tells_nothing(folder):
    vault = opened(folder)
    vault.close()
    with pytest.raises(VaultStopped):
        vault.subjects(names(1))


def test_known_subjects_are_told_without_a_write(folder):
    with opened(folder) as vault:
        vault.subjects(names(*range(200)))
        before = {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir()}
        written = vault._connection.total_changes
        vault.subjects(names(*range(200)))
        assert vault._connection.total_changes == written
        assert {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir()} == before


def test_all_new_subjects_of_a_call_are_made_or_none(folder):
    with opened(folder) as vault:
        vault._connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(VaultBusy):
            vault.subjects(names(*range(5_000)))
        assert vault._connection.execute("SELECT count(*) FROM subjects").fetchone() == (0,)
