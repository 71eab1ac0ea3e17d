"""Whatever is changed in a log is found and placed, an export is checked without us, and nothing whole is refused."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import suppress

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from decision_logs import (
    EVENT,
    KEY,
    KINDS,
    ORIGIN,
    TRIGGER,
    answer,
    change,
    copied,
    filled,
    opened,
    place_in,
    place_of,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import RepayrankError, UsageError
from serving.records import alone
from serving.records.anchors import read_last
from serving.records.audit import continuation, receipt, row_at, verify
from serving.records.checkpoint import Checkpoint, signed
from serving.records.checkpoint import opened as note_opened
from serving.records.errors import AuditBroken
from serving.records.export import export, public_pem, receipt_bytes
from serving.records.merkle import is_consistent, leaf_hash
from serving.records.opening import Place, database_of
from serving.records.tables import reading

COUNT = 6
FLIPS = int(os.environ.get("REPAYRANK_FLIPS", "150"))
"""Changed bytes of a database file; a release asks for 100,000."""

CLEAN_RUNS = int(os.environ.get("REPAYRANK_CLEAN_LOGS", "20"))
"""Logs that nobody touched; a release asks for 1,000."""

LARGE = 600
"""More than two whole subtrees of 256, so that inner nodes are kept and read."""

TABLES = ("metadata", "records", "subtrees")
COLUMNS = ("leaf", "previous", "key", "body_sha256", "event", "record", "answer")


@pytest.fixture(scope="module", params=KINDS)
def small(request, tmp_path_factory) -> Place:
    place = place_of(request.param, tmp_path_factory.mktemp("small"), request)
    filled(place, COUNT)
    return place


@pytest.fixture(scope="module", params=KINDS)
def large(request, tmp_path_factory) -> Place:
    place = place_of(request.param, tmp_path_factory.mktemp("large"), request)
    filled(place, LARGE)
    return place


@pytest.fixture(scope="module")
def large_file(tmp_path_factory) -> Place:
    place = place_in(tmp_path_factory.mktemp("large"))
    filled(place, LARGE)
    return place


@pytest.fixture(scope="module")
def small_file(tmp_path_factory) -> Place:
    place = place_in(tmp_path_factory.mktemp("small"))
    filled(place, COUNT)
    return place


@pytest.fixture(scope="module")
def pem(tmp_path_factory, small_file):
    path = tmp_path_factory.mktemp("keys") / "public.pem"
    path.write_bytes(public_pem(small_file))
    return path


def contents(place: Place) -> list[list[tuple[object, ...]]]:
    """Return all that the tables say."""
    connection = sqlite3.connect(f"{place.database.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]  # noqa: S608
    finally:
        connection.close()


def test_a_row_is_looked_up_while_others_are_gone_through(small):
    with reading(database_of(small)) as tables:
        for row in tables.rows():
            assert row_at(tables, row.sequence) == row
            assert [next(tables.kept(row.sequence)), *tables.of_event(EVENT)][:1] == [row]


def refused(place: Place) -> AuditBroken:
    with pytest.raises(AuditBroken) as refusal:
        verify(place)
    assert refusal.value.exit_code == 13
    return refusal.value


def test_a_whole_log_verifies_and_the_report_says_what_was_checked(small, large):
    report = verify(small)
    assert (report.records, report.signed) == (COUNT, COUNT)
    assert verify(large).records == LARGE


def test_a_log_verifies_while_it_is_written_to(place):
    with opened(place) as store:
        for number in range(5):
            write(store, number)
            assert verify(place).records == number + 1
        assert verify(place).signed == 0


def test_every_changed_byte_of_every_column_is_found_at_its_record(small, tmp_path):
    place = copied(small, tmp_path)
    # Over a server each look takes longer: every seventh byte there, so that each column has some.
    step, value_ = (7, "%s") if place.url else (1, "?")
    connection = psycopg.connect(place.url, autocommit=True) if place.url else sqlite3.connect(place.database)
    for sequence in range(COUNT):
        for column in COLUMNS:
            (value,) = connection.execute(f"SELECT {column} FROM records WHERE sequence = {sequence}").fetchone()  # noqa: S608
            raw = value.encode() if isinstance(value, str) else value
            for at in range(sequence % step, len(raw), step):
                flipped = raw[:at] + bytes([raw[at] ^ 8]) + raw[at + 1 :]  # of no key another one's
                put = flipped.decode() if isinstance(value, str) else flipped
                set_ = f"UPDATE records SET {column} = {value_} WHERE sequence = {value_}"  # noqa: S608
                connection.execute(set_, (put, sequence))
                connection.commit()
                assert refused(place).where.endswith(f"record {sequence}")
                connection.execute(set_, (value, sequence))
                connection.commit()
    connection.close()
    assert verify(place) == verify(small)


DELETED = "DELETE FROM records WHERE sequence = {}"
MOVED = "UPDATE records SET sequence = {1} WHERE sequence = {0}"
INSERTED = (
    "INSERT INTO records SELECT {}, leaf, previous, 'new', body_sha256, event, record, answer"
    " FROM records WHERE sequence = 5"
)


@pytest.mark.parametrize(
    ("statements", "where"),
    [
        ([DELETED.format(2)], "record 2"),
        ([DELETED.format(0)], "record 0"),
        ([DELETED.format(5)], "record 5"),
        (["DELETE FROM records"], "record 0"),
        ([DELETED.format(2), MOVED.format(3, 2), MOVED.format(4, 3), MOVED.format(5, 4)], "record 2"),
        ([MOVED.format(1, 99), MOVED.format(2, 1), MOVED.format(99, 2)], "record 1"),
        ([MOVED.format(0, -1)], "record 0"),
        ([INSERTED.format(6)], "record 6"),
        ([INSERTED.format(-1)], "record 0"),
    ],
)
def test_a_deleted_swapped_or_inserted_row_is_found_at_its_place(small, tmp_path, statements, where):
    place = copied(small, tmp_path)
    change(place, *statements)
    assert refused(place).where.endswith(where)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE metadata SET value = x'35' WHERE name = 'size'",
        "UPDATE metadata SET value = zeroblob(64) WHERE name = 'peaks'",
        "UPDATE metadata SET value = zeroblob(32) WHERE name = 'last_leaf'",
        "UPDATE metadata SET value = x'00' WHERE name = 'origin'",
        "UPDATE metadata SET value = x'00' WHERE name = 'format'",
        "DELETE FROM metadata WHERE name = 'size'",
        "UPDATE subtrees SET hash = zeroblob(32) WHERE position = 1",
        "DELETE FROM subtrees WHERE position = 0",
        "INSERT INTO subtrees VALUES (8, 2, zeroblob(32))",
        "INSERT INTO subtrees VALUES (16, 0, zeroblob(32))",
        TRIGGER,
        "CREATE TABLE other (x)",
        "ALTER TABLE records ADD COLUMN more TEXT",
    ],
)
def test_a_change_beside_the_records_is_found_too(large, tmp_path, statement):
    if large.url and "CREATE TABLE" in statement:
        pytest.skip("a schema may hold other tables beside")
    place = copied(large, tmp_path)
    change(place, statement)
    refused(place)


def test_a_log_that_was_written_anew_with_other_content_is_found_by_the_signed_roots(small_file, tmp_path):
    forged = place_in(tmp_path)
    filled(forged, COUNT, begin=100)
    forged.anchors.write_bytes(small_file.anchors.read_bytes())
    assert f"first {COUNT} records" in refused(forged).where


def test_a_log_that_was_set_back_with_its_checkpoints_is_found_by_one_that_was_kept_elsewhere(small, tmp_path):
    place = copied(small, tmp_path / "now")
    filled(place, 4, begin=COUNT)
    kept = place.anchors.read_bytes().split(b"\n\n")
    note = kept[-3] + b"\n\n" + kept[-2] + b"\n"
    assert verify(place, [note]).signed == COUNT + 4
    assert verify(small).signed == COUNT
    with pytest.raises(AuditBroken):
        verify(small, [note])


def test_two_checkpoints_of_one_size_with_other_roots_are_found(small, tmp_path):
    place = copied(small, tmp_path)
    split = signed(Checkpoint(ORIGIN, COUNT, bytes(32)), KEY)
    for notes in (place.anchors.read_bytes() + split + b"\n", split + b"\n"):
        place.anchors.write_bytes(notes)
        refused(place)


@given(st.data())
@settings(max_examples=FLIPS, deadline=None)
def test_a_changed_byte_anywhere_in_the_file_is_found_or_changes_nothing_that_is_read(
    small_file, tmp_path_factory, data
):
    folder = tmp_path_factory.mktemp("flipped")
    place = copied(small_file, folder)
    raw = bytearray(place.database.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    place.database.write_bytes(raw)
    with suppress(RepayrankError):  # a start reads only the end of the log; whatever it finds, it says so
        opened(copied(place, folder / "opened")).close()
    try:
        verify(place)
        assert contents(place) == contents(small_file)
    except AuditBroken:
        pass
    shutil.rmtree(folder)  # a hundred thousand copies would fill the disk


@settings(max_examples=CLEAN_RUNS, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_a_log_that_nobody_touched_is_never_called_broken(tmp_path_factory, starts):
    folder = tmp_path_factory.mktemp("clean")
    place, size = place_in(folder), 0
    for count in starts:
        filled(place, count, begin=size)
        size += count
        report = verify(place)
        assert (report.records, report.signed) == (size, size)
    if size:
        export(place, folder / "export")
        assert alone.main([str(folder / "export"), "--origin", ORIGIN]) == 0
    shutil.rmtree(folder)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_byte_in_the_checkpoints_is_found_unless_it_unfinishes_the_last(small_file, tmp_path_factory, data):
    place = copied(small_file, tmp_path_factory.mktemp("flipped"))
    raw = bytearray(place.anchors.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    place.anchors.write_bytes(raw)
    try:
        report = verify(place)
    except AuditBroken:
        return
    assert report.signed < COUNT  # the last note is then as if a crash had cut it short


@pytest.mark.parametrize("sequence", [0, 1, 255, 256, 257, 511, 512, LARGE - 1])
def test_a_receipt_proves_its_record_to_the_stand_alone_check(large, tmp_path, pem, capsys, sequence):
    path = tmp_path / "receipt.json"
    path.write_bytes(receipt_bytes(receipt(large, sequence)))
    given_ = tmp_path / "answer"
    given_.write_bytes(answer(sequence))
    assert alone.main([str(path), "--key", str(pem), "--origin", ORIGIN, "--answer", str(given_)]) == 0
    assert f"record {sequence}" in capsys.readouterr().out
    given_.write_bytes(answer(sequence + 1))
    assert alone.main([str(path), "--key", str(pem), "--answer", str(given_)]) == 13


def test_the_proof_of_a_large_log_is_short(large):
    assert len(receipt(large, 300).proof) <= LARGE.bit_length()


def test_a_log_that_grew_proves_to_the_holder_of_an_old_checkpoint_that_it_continues_it(tmp_path):
    place = place_in(tmp_path / "grown")
    notes = []
    with opened(place) as store:
        for number in range(300):
            write(store, number)
            if number % 50 == 0:
                notes.append(store.sign())
    for note in notes:
        old = note_opened(note, ORIGIN, place.trusted)
        shown = continuation(place, note)
        new = note_opened(shown.note, ORIGIN, place.trusted)
        assert (shown.first, shown.second) == (old.size, new.size) == (old.size, 300)
        assert is_consistent(old.size, new.size, old.root, new.root, shown.proof)
    other = place_in(tmp_path / "anew")
    filled(other, 300, begin=1_000)
    shorter = place_in(tmp_path / "shorter")
    filled(shorter, 3)
    for place_, note in ((other, notes[1]), (shorter, notes[-1])):
        with pytest.raises(AuditBroken):
            continuation(place_, note)


def test_a_start_reads_only_what_came_after_the_last_checkpoint_and_the_audit_reads_all(small, tmp_path):
    place = copied(small, tmp_path)
    change(place, "UPDATE records SET record = x'7b7d' WHERE sequence = 2")
    with opened(place) as store:
        assert store.size == COUNT
    assert refused(place).where.endswith("record 2")


@pytest.mark.parametrize("sequence", [-1, LARGE])
def test_a_record_that_no_checkpoint_covers_has_no_receipt(large, sequence):
    with pytest.raises(AuditBroken):
        receipt(large, sequence)


def test_every_changed_byte_of_a_receipt_is_refused_by_the_stand_alone_check(large_file, tmp_path, pem):
    path = tmp_path / "receipt.json"
    whole = receipt_bytes(receipt(large_file, 300))
    for at in range(len(whole)):
        for bit in (1, 32):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            assert alone.main([str(path), "--key", str(pem)]) == 13, at


def test_a_receipt_of_another_record_key_or_log_is_refused_by_the_stand_alone_check(large_file, tmp_path, pem):
    plain = json.loads(receipt_bytes(receipt(large_file, 300)))
    other = json.loads(receipt_bytes(receipt(large_file, 301)))
    path = tmp_path / "receipt.json"

    def code(touched: dict[str, object], *more: str) -> int:
        path.write_text(json.dumps(touched, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
        return alone.main([str(path), "--key", str(pem), *more])

    assert code(plain) == 0
    assert code(plain, "--origin", "other.example/log") == 13
    for name in ("entry", "record", "proof"):
        assert code({**plain, name: other[name]}) == 13
    proof = plain["proof"]
    for touched in (proof[1:], proof[:-1], proof[::-1], [*proof, proof[0]], [proof[0].upper(), *proof[1:]], []):
        assert code({**plain, "proof": touched}) == 13
    stranger = Ed25519PrivateKey.generate()
    note = signed(Checkpoint(ORIGIN, LARGE, bytes(32)), stranger).decode()
    assert code({**plain, "checkpoint": note}) == 13


def test_an_export_is_checked_by_its_own_copy_of_the_check_with_nothing_of_ours_at_hand(large, tmp_path):
    folder = tmp_path / "export"
    assert export(large, folder) == LARGE
    # -I: neither this folder nor the environment leads to our packages.
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import runpy, sys; sys.argv = ['alone.py', {str(folder)!r}]\n"
         f"sys.modules.update(dict.fromkeys(['serving', 'models', 'features', 'training']))\n"
         f"runpy.run_path({str(folder / 'alone.py')!r}, run_name='__main__')"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{LARGE} records" in done.stdout
    assert done.stdout.endswith("everything holds\n")


def test_the_stand_alone_check_imports_nothing_of_ours(large):
    with open(alone.__file__) as text:  # noqa: PTH123
        imports = [line.split()[1].split(".")[0] for line in text if line.startswith(("import ", "from "))]
    assert set(imports) <= set(sys.stdlib_module_names) | {"cryptography"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory, small_file):
    folder = tmp_path_factory.mktemp("exported") / "export"
    export(small_file, folder)
    return folder


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_of_an_export_is_refused_by_the_stand_alone_check(exported, tmp_path_factory, pem, data):
    folder = tmp_path_factory.mktemp("changed")
    names = ["records.jsonl", "checkpoints.txt"]
    raws = {name: (exported / name).read_bytes() for name in names}
    name = data.draw(st.sampled_from(names))
    at = data.draw(st.integers(0, len(raws[name]) - 1))
    changed = bytearray(raws[name])
    changed[at] ^= data.draw(st.integers(1, 255))
    for other in names:
        (folder / other).write_bytes(changed if other == name else raws[other])
    code = alone.main([str(folder), "--key", str(pem)])
    if name == "records.jsonl":
        assert code == 13
    else:  # the last note may then be as if a crash had cut it short
        assert code == 13 or at >= len(raws[name]) // 2


@pytest.mark.parametrize("cut", range(COUNT))
def test_an_export_without_one_of_its_records_is_refused_by_the_stand_alone_check(exported, tmp_path, pem, cut):
    lines = (exported / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "checkpoints.txt").write_bytes((exported / "checkpoints.txt").read_bytes())
    for touched in (lines[:cut] + lines[cut + 1 :], lines[:cut] + lines[cut : cut + 1] * 2 + lines[cut + 1 :]):
        (tmp_path / "records.jsonl").write_bytes(b"".join(touched))
        assert alone.main([str(tmp_path), "--key", str(pem)]) == 13


def test_a_checkpoint_that_was_kept_shows_the_stand_alone_check_a_log_that_was_replaced(
    small_file, tmp_path, pem, exported
):
    other = place_in(tmp_path / "other")
    filled(other, COUNT, begin=100)
    export(other, tmp_path / "replaced")
    kept = small_file.anchors
    assert alone.main([str(tmp_path / "replaced"), "--key", str(pem)]) == 0
    assert alone.main([str(tmp_path / "replaced"), "--key", str(pem), "--kept", str(kept)]) == 13
    assert alone.main([str(exported), "--key", str(pem), "--kept", str(kept)]) == 0


def test_a_checkpoint_as_the_service_gives_it_can_be_kept_and_compared(small_file, exported, pem, tmp_path, capsys):
    """It ends with the line of its signature; a file of checkpoints has an empty line behind each."""
    _, note = read_last(small_file.anchors, ORIGIN, small_file.trusted)
    kept = tmp_path / "kept"
    for content, count in ((note, 1), (note + b"\n", 1), (note + b"\n" + note, 2), (note + b"\n" + note[:-9], 1)):
        kept.write_bytes(content)
        assert alone.main([str(exported), "--key", str(pem), "--kept", str(kept)]) == 0
        assert f"{count} checkpoints that you kept" in capsys.readouterr().out
    kept.write_bytes(note[:-9])
    assert alone.main([str(exported), "--key", str(pem), "--kept", str(kept)]) == 13


def test_an_export_stops_at_damage_and_never_writes_over_a_folder(small, tmp_path):
    place = copied(small, tmp_path)
    with pytest.raises(UsageError):
        export(place, place.anchors.parent)
    change(place, "UPDATE records SET record = x'7b7d' WHERE sequence = 3")
    with pytest.raises(AuditBroken, match="record 3"):
        export(place, tmp_path / "export")


def test_no_refusal_tells_what_a_record_says(small, tmp_path):
    place = copied(small, tmp_path)
    change(place, "UPDATE records SET record = CAST('{\"name\":\"Li Wei\"}' AS BLOB), key = 'Li' WHERE sequence = 3")
    assert "Li" not in str(refused(place))
    try:
        opened(place).close()
    except RepayrankError as error:
        assert "Li" not in str(error)


def test_the_leaf_of_a_record_is_the_hash_of_its_line(small_file):
    proof = receipt(small_file, 2)
    connection = sqlite3.connect(f"{small_file.database.as_uri()}?mode=ro", uri=True)
    assert connection.execute("SELECT leaf FROM records WHERE sequence = 2").fetchone() == (leaf_hash(proof.line),)
    connection.close()
