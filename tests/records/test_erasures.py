"""Whoever was erased stays erased, also when an older copy of the vault is put back or the command was killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from decision_logs import KINDS, change
from subject_vaults import names as numbered
from typer.testing import CliRunner

from models.policy import default_policy
from repayrank import app
from serving.decisions import erasures
from serving.decisions.archive import Archive
from serving.decisions.erasures import Erasures, Settled
from serving.decisions.opening import opened_archive, opened_recorder, secrets_in, subjects_in
from serving.decisions.outbox import delivered, outbox_of
from serving.decisions.recorder import Recorder
from serving.decisions.subject_events import ERASED, ORDERED, PLACED, REFUSED
from serving.records.audit import verify
from serving.records.errors import AuditBroken
from serving.records.opening import database_of
from serving.records.sqlite import SqliteTables
from serving.records.store import open_store
from serving.records.tables import Row, reading
from serving.settings import Settings, records_in
from serving.state import Loaded
from serving.subjects.keys import read_keys
from serving.subjects.subject import Name
from serving.subjects.vault import DATABASE

ONE, OTHER = Name("borrower", "B-1"), Name("borrower", "B-2")
REASON = "request of the borrower, case 17"
STEPS = 40
SEED = int(os.environ.get("REPAYRANK_EXPIRY_SEED", "0"))
EVENTS = {ORDERED, REFUSED, ERASED, PLACED, "hold:subject:released"}
KILLED_BEFORE_THE_RECORD = """
import os, signal, sys
from serving.decisions import outbox
posted = outbox.posted
def killed(folder, event, *more, **named):
    if event == "erase:subject:done":
        os.kill(os.getpid(), signal.SIGKILL)
    return posted(folder, event, *more, **named)
outbox.posted = killed
import repayrank
repayrank.main(sys.argv[1:])
"""


@dataclass
class Lender:
    """A state folder with the log in one of the databases; no card is needed to open them for service."""

    home: Path
    url: str | None
    lines: list[dict[str, Any]] = field(default_factory=list)
    copies: int = 0

    @property
    def vault(self) -> Path:
        return subjects_in(self.home)

    def started(self) -> Recorder:
        """Open all as a service does at its start."""
        self.lines.clear()
        records = None if self.url else records_in(self.home)
        settings = Settings(home=self.home, records=records, database_url=self.url)
        recorder = opened_recorder(settings, Loaded({}, default_policy()), self.lines.append)
        assert recorder is not None
        return recorder

    def start_and_stop(self) -> list[dict[str, Any]]:
        self.started().close()
        return self.lines

    def archive(self) -> Archive:
        return opened_archive(self.home, database_url=self.url)

    def seen(self, *names: Name) -> list[bytes]:
        """Let a service meet borrowers, and return their pseudonyms."""
        recorder = self.started()
        archive = self.archive()
        pseudonyms = [subject.pseudonym for subject in archive.vault.subjects(names)]
        for pseudonym in pseudonyms:
            told = {"recorded_at": datetime.now(UTC).isoformat(), "decisions": [{"subject": pseudonym.hex()}]}
            key = f"{pseudonym.hex()}-{recorder.store.size}"
            recorder.store.write(key, bytes(32), "score:loan:created", told, b"")
        archive.vault.close()
        recorder.close()
        return pseudonyms

    def has(self, pseudonym: bytes) -> bool:
        archive = self.archive()
        with archive.vault as vault:
            return vault.key_of(pseudonym) is not None

    def copied(self) -> Path:
        self.copies += 1
        folder = self.home.parent / f"keys-{self.copies}"
        self.audit("backup", "--subjects", str(folder))
        return folder

    def put_back(self, copy: Path) -> None:
        """Lose the vault and put a copy in its place, as docs/records.md tells."""
        shutil.rmtree(self.vault)
        self.vault.mkdir(mode=0o700)
        shutil.copy(copy / DATABASE, self.vault)

    def audit(self, verb: str, *words: str) -> Any:
        outcome = CliRunner().invoke(app, ["audit", verb, "--home", str(self.home), *words])
        assert outcome.exit_code == 0, outcome.output
        return outcome

    def erase(self, name: Name) -> None:
        self.audit("erase", "--borrower", name.id, "--reason", REASON)

    def events(self) -> list[Row]:
        with reading(database_of(self.archive().place)) as tables:
            return [row for row in tables.kept(0) if row.entry.asked.event in EVENTS]

    def kinds(self) -> list[str]:
        return [row.entry.asked.event.rpartition(":")[2] for row in self.events()]


@pytest.fixture(params=KINDS)
def lender(request: pytest.FixtureRequest, tmp_path: Path) -> Lender:
    url = request.getfixturevalue("server").new() if request.param == "postgresql" else None
    return Lender(tmp_path / "home", url)


@pytest.fixture
def file_lender(tmp_path: Path) -> Lender:
    return Lender(tmp_path / "home", None)


def line(**counts: int) -> dict[str, int]:
    told = Settled(**counts).told()
    assert sum(told.values()) == sum(counts.values())
    return told


def test_who_was_erased_stays_erased_when_an_older_copy_of_the_vault_is_put_back(lender):
    one, other = lender.seen(ONE, OTHER)
    copy = lender.copied()
    lender.erase(ONE)
    lender.start_and_stop()
    assert (lender.has(one), lender.lines) == (False, [])
    lender.put_back(copy)
    assert lender.has(one)
    assert lender.start_and_stop() == [line(again=1)]
    assert (lender.has(one), lender.has(other)) == (False, True)
    assert ONE.id not in str(lender.lines)
    assert one.hex() not in str(lender.lines)
    assert lender.kinds() == ["ordered", "done", "done"]
    assert f'"follows":{lender.events()[1].sequence}'.encode() in lender.events()[2].entry.asked.record
    assert verify(lender.archive().place).records == 5
    assert lender.start_and_stop() == []
    # However often it is put back, and from whatever day.
    lender.put_back(copy)
    assert lender.start_and_stop() == [line(again=1)]
    assert not lender.has(one)


def test_an_event_that_still_waits_for_its_writer_counts(lender):
    (one,) = lender.seen(ONE)
    copy = lender.copied()
    lender.erase(ONE)
    lender.put_back(copy)
    assert lender.start_and_stop() == [line(again=1)]
    assert not lender.has(one)


def test_a_borrower_who_comes_back_after_the_erasure_is_not_touched(lender):
    (before,) = lender.seen(ONE)
    lender.erase(ONE)
    (after,) = lender.seen(ONE)
    copy = lender.copied()
    assert lender.start_and_stop() == []
    lender.put_back(copy)
    assert lender.start_and_stop() == []
    assert (lender.has(before), lender.has(after)) == (False, True)


def test_expire_erases_again_as_well_and_says_so(file_lender):
    (one,) = file_lender.seen(ONE)
    copy = file_lender.copied()
    file_lender.erase(ONE)
    file_lender.put_back(copy)
    policy = file_lender.home / "retention.toml"
    kinds = '["score:loan:created", "erase:subject:*"]'
    policy.write_text(f'format = 1\n[[terms]]\nkinds = {kinds}\nmonths = 25\nsource = "a test"\n')
    told = file_lender.audit("expire", "--policy", str(policy)).output
    assert "erased again: 1\n" in told
    assert "dropped: 0 records" in told
    assert not file_lender.has(one)


def test_a_hold_that_was_placed_since_keeps_a_borrower_until_it_is_released(lender):
    (one,) = lender.seen(ONE)
    copy = lender.copied()
    lender.erase(ONE)
    lender.start_and_stop()
    lender.put_back(copy)
    lender.audit("hold", "--borrower", ONE.id, "--reason", "court order 12")
    held = lender.copied()
    for _ in range(2):
        assert lender.start_and_stop() == [line(held=1)]
        assert lender.has(one)
    # The log tells of the hold, whatever copy of the vault is there.
    lender.put_back(copy)
    assert lender.start_and_stop() == [line(held=1)]
    assert lender.has(one)
    lender.put_back(held)
    lender.audit("release", "--borrower", ONE.id, "--reason", "court order 12")
    assert lender.start_and_stop() == [line(again=1)]
    assert not lender.has(one)


def killed_before_the_record(lender: Lender) -> None:
    words = ["audit", "erase", "--home", str(lender.home), "--borrower", ONE.id, "--reason", REASON]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_RECORD, *words], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL


def test_an_erasure_whose_command_was_killed_before_the_record_gets_its_record_at_the_next_start(lender):
    (one,) = lender.seen(ONE)
    copy = lender.copied()
    killed_before_the_record(lender)
    assert not lender.has(one)
    assert lender.start_and_stop() == [line(noted=1)]
    assert lender.kinds() == ["ordered", "done"]
    assert REASON.encode() in lender.events()[1].entry.asked.record
    assert lender.start_and_stop() == []
    lender.put_back(copy)
    assert lender.start_and_stop() == [line(again=1)]
    assert not lender.has(one)


def test_two_services_that_find_the_same_order_at_once_write_one_record_of_it(lender, monkeypatch):
    lender.seen(ONE)
    killed_before_the_record(lender)
    archive = lender.archive()
    with open_store(archive.place, read_keys(secrets_in(lender.home)).log, time.monotonic) as store:
        delivered(outbox_of(lender.home), store)
        store.sign()
        first, second = Erasures(archive, store), Erasures(archive, store)
        looked = second._looked()
        assert first.settled() == Settled(noted=1)
        monkeypatch.setattr(second, "_looked", lambda: looked)
        assert second.settled() == Settled(noted=1)
    assert lender.kinds() == ["ordered", "done"]


def test_an_order_that_was_not_carried_out_destroys_nothing_and_is_said_until_it_has_an_outcome(lender):
    (one,) = lender.seen(ONE)
    pseudonym = {"subject": one.hex(), "reason": REASON, "recorded_at": datetime.now(UTC).isoformat()}
    recorder = lender.started()
    recorder.store.write("killed-between", bytes(32), ORDERED, pseudonym, b"")
    recorder.close()
    for _ in range(2):
        assert lender.start_and_stop() == [line(waiting=1)]
        assert lender.has(one)
    lender.erase(ONE)
    assert lender.start_and_stop() == []
    assert lender.kinds() == ["ordered", "ordered", "done"]


def test_a_record_of_an_erasure_that_nobody_signed_destroys_no_key_and_refuses_the_start(lender):
    one, _ = lender.seen(ONE, OTHER)
    copy = lender.copied()
    lender.erase(OTHER)
    lender.start_and_stop()
    lender.put_back(copy)
    change(
        lender.archive().place,
        f"UPDATE records SET record = CAST('{{\"subject\":\"{one.hex()}\"}}' AS BLOB) WHERE event = '{ERASED}'",  # noqa: S608
    )
    with pytest.raises(AuditBroken, match="a record without a proof"):
        lender.started()
    assert lender.has(one)


def test_a_start_reads_what_came_since_the_last_one_and_no_more(file_lender, monkeypatch):
    file_lender.seen(*numbered(*range(20)))
    file_lender.erase(numbered(3)[0])
    file_lender.start_and_stop()
    asked: list[int] = []
    of_event = SqliteTables.of_event

    def seen(tables: SqliteTables, *events: str, begin: int = 0) -> Iterator[Row]:
        asked.append(begin)
        return of_event(tables, *events, begin=begin)

    monkeypatch.setattr(SqliteTables, "of_event", seen)
    file_lender.start_and_stop()
    file_lender.start_and_stop()
    assert asked == []
    file_lender.seen(*numbered(30))
    file_lender.start_and_stop()
    assert asked == [22]


def test_a_service_at_work_moves_the_note_on(file_lender, monkeypatch):
    monkeypatch.setattr(erasures, "RECORDS_BETWEEN_NOTES", 5)
    file_lender.seen(*numbered(1))
    recorder = file_lender.started()
    archive = file_lender.archive()
    before = archive.vault.followed()
    told = {"recorded_at": datetime.now(UTC).isoformat()}
    following = Erasures(archive, recorder.store)
    following._noted = recorder.store.size
    for number in range(4):
        recorder.store.write(f"few-{number}", bytes(32), "test:log:filled", told, b"")
    recorder.store.sign()
    following.follow()
    assert archive.vault.followed() == before
    recorder.store.write("more", bytes(32), "test:log:filled", told, b"")
    recorder.store.sign()
    following.follow()
    assert erasures._Reached.of(archive.vault.followed()).records == recorder.store.size
    recorder.close()


def test_a_log_that_was_put_back_to_an_older_copy_is_read_anew(file_lender):
    (one,) = file_lender.seen(ONE)
    log = file_lender.home.parent / "log"
    file_lender.audit("backup", str(log))
    file_lender.seen(*numbered(*range(3)))
    file_lender.start_and_stop()
    copy = file_lender.copied()
    shutil.rmtree(records_in(file_lender.home))
    file_lender.audit("restore", str(log), "--accept-loss")
    # The copy of the vault is of a day on which the log went further; others have those numbers now.
    file_lender.erase(ONE)
    file_lender.seen(*numbered(*range(3)))
    file_lender.put_back(copy)
    assert file_lender.start_and_stop() == [line(again=1)]
    assert not file_lender.has(one)


def test_whatever_is_erased_and_put_back_in_whatever_order_nobody_erased_is_there_after_a_start(lender):
    chosen = random.Random(SEED)
    erased: set[bytes] = set()
    known: dict[Name, bytes] = {}
    copies: list[tuple[Path, dict[Name, bytes]]] = []
    for _ in range(STEPS):
        step = chosen.choice(["seen", "copied", "erased", "put back"])
        if step == "seen" or not known:
            who = numbered(*chosen.sample(range(6), 2))
            known |= dict(zip(who, lender.seen(*who), strict=True))
        elif step == "copied" or not copies:
            copies.append((lender.copied(), dict(known)))
        elif step == "erased":
            one = chosen.choice(list(known))
            lender.erase(one)
            erased.add(known.pop(one))
        else:
            folder, were = chosen.choice(copies)
            lender.put_back(folder)
            known = {name: pseudonym for name, pseudonym in were.items() if pseudonym not in erased}
            lender.start_and_stop()
        assert not any(lender.has(pseudonym) for pseudonym in erased), f"seed {SEED}"
        assert all(lender.has(pseudonym) for pseudonym in known.values()), f"seed {SEED}"
    assert erased
    assert verify(lender.archive().place).records
