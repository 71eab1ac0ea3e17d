"""The decision log in the hands of operators and auditors: what each needs, what is told, and what is never told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import repayrank
from features.errors import ConfigurationRefused
from serving.child import Child
from serving.decisions.opening import place_of, secrets_in, subjects_in
from serving.decisions.record import EVENT, FORMAT
from serving.ids import score_ids
from serving.records.opening import Place
from serving.records.store import Store, open_store
from serving.server import main as serve
from serving.settings import (
    DATABASE_URL,
    DEFAULT_LOG_NAME,
    OFF,
    RECORDS,
    STATE,
    Settings,
    log_chosen,
    require_no_password,
)
from serving.subjects.keys import LOG, LOG_PUBLIC, SUBJECTS, Keys, created_keys
from serving.subjects.subject import Name
from serving.subjects.vault import DATABASE as VAULT
from serving.subjects.vault import open_vault

NOBODY = 65534
RECORDS_OF_THE_LOG = 7
PASSWORD = "not-to-be-told"


@dataclass
class Kept:
    """A home with a log, its keys and a vault."""

    home: Path
    keys: Keys
    place: Place
    ids: list[str]

    @property
    def secrets(self) -> Path:
        return secrets_in(self.home)

    def opened(self) -> Store:
        return open_store(self.place, self.keys.log, time.monotonic)

    def write(self, count: int) -> None:
        with self.opened() as store:
            self.write_into(store, count)

    def write_into(self, store: Store, count: int) -> None:
        for number in score_ids(count):
            record = {
                "format": FORMAT,
                "recorded_at": datetime.now(UTC).isoformat(),
                "decisions": [{"score_id": number, "points": 571}],
            }
            store.write(number, hashlib.sha256(number.encode()).digest(), EVENT, record, b"an answer")
            self.ids.append(number)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.chdir(tmp_path)
    for name in (DATABASE_URL, RECORDS, STATE):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    keys = created_keys(secrets_in(home))
    made = Kept(home, keys, place_of(home, keys.log_public, None, None, DEFAULT_LOG_NAME), [])
    made.write(RECORDS_OF_THE_LOG)
    with open_vault(subjects_in(home), keys.subjects) as vault:
        vault.subjects([Name("borrower", f"B-{number}") for number in range(3)])
    return made


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> tuple[int, str]:
        """Return the exit code of a command and all that it prints."""
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            repayrank.main([str(word) for word in words])
        printed = capsys.readouterr()
        return int(done.value.code or 0), printed.out + printed.err

    return run


def without_secrets(kept: Kept) -> None:
    """Leave what an auditor has: the log, its checkpoints and the public key."""
    for name in (SUBJECTS, LOG):
        (kept.secrets / name).unlink()
    shutil.rmtree(subjects_in(kept.home))


def test_the_public_key_alone_verifies_proves_exports_and_copies_and_nothing_is_made_meanwhile(kept, told, tmp_path):
    without_secrets(kept)
    verbs = (
        ("verify",),
        ("receipt", kept.ids[3], "--out", tmp_path / "receipt.json"),
        ("export", tmp_path / "exported"),
        ("backup", tmp_path / "copy"),
    )
    for verb, *words in verbs:
        code, text = told("audit", verb, *words, "--home", kept.home)
        assert code == 0, text
    assert not subjects_in(kept.home).exists()
    alone = [sys.executable, str(tmp_path / "exported" / "alone.py"), "--key", str(kept.secrets / LOG_PUBLIC)]
    for what in ("exported", "receipt.json"):
        done = subprocess.run([*alone, str(tmp_path / what)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    # What is told of the key is what the auditor's own program tells of it.
    key = json.loads(told("audit", "verify", "--home", kept.home, "--json")[1])["key"]
    assert f"key {key} (SHA-256)" in done.stdout


@pytest.mark.parametrize("verb", [("replay",), ("erase", "--borrower", "B-1", "--reason", "asked")])
def test_what_reads_or_destroys_personal_content_needs_the_secrets(kept, told, verb):
    without_secrets(kept)
    code, text = told("audit", *verb, "--home", kept.home)
    assert code == 11
    assert SUBJECTS in text


def as_a_reader(*words: object) -> int:
    """Return the exit code of a command of a user who may read and not write; root becomes nobody for it."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            repayrank.main([str(word) for word in words])
        except SystemExit as done:
            os._exit(int(done.code or 0))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def readable_alone(kept: Kept, *folders: Path) -> None:
    for folder in (*folders, kept.home):
        for path in folder.iterdir():
            if path.is_file():
                path.chmod(0o444)
        folder.chmod(0o555)
    for parent in kept.home.parents:
        if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o077 == 0:
            parent.chmod(0o711)


def test_an_auditor_who_may_read_and_not_write_verifies_a_running_service_and_a_copy(kept, told, tmp_path):
    shutil.copyfile(kept.secrets / LOG_PUBLIC, tmp_path / "lender.pem")
    told("audit", "backup", tmp_path / "copy", "--home", kept.home)  # also loads all modules, which nobody cannot
    there = ("--home", kept.home, "--key", tmp_path / "lender.pem")
    verify = ("audit", "verify", *there)
    with kept.opened() as store:
        kept.write_into(store, 2)
        assert os.geteuid() or as_a_reader(*verify) == 11
        readable_alone(kept, kept.place.folder, kept.place.anchors.parent, tmp_path / "copy")
        kept.secrets.chmod(0)
        try:
            assert as_a_reader(*verify) == 0
            of_the_copy = ("--records", tmp_path / "copy", "--checkpoints", tmp_path / "copy" / "checkpoints.txt")
            assert as_a_reader(*verify, *of_the_copy) == 0
        finally:
            for folder in (kept.place.folder, kept.place.anchors.parent, kept.home):
                folder.chmod(0o755)


def test_a_key_that_signed_nothing_here_or_that_others_could_exchange_proves_nothing(kept, told, tmp_path):
    created_keys(tmp_path / "other")
    code, text = told("audit", "verify", "--home", kept.home, "--key", tmp_path / "other" / LOG_PUBLIC)
    assert (code, "no signature of a trusted key" in text) == (13, True)
    (tmp_path / "lender.pem").write_bytes((kept.secrets / LOG_PUBLIC).read_bytes())
    for mode in (0o664, 0o646):
        (tmp_path / "lender.pem").chmod(mode)
        code, text = told("audit", "verify", "--home", kept.home, "--key", tmp_path / "lender.pem")
        assert (code, f"{mode:04o}" in text) == (11, True)
    for wrong in (kept.secrets / LOG, kept.secrets / SUBJECTS, tmp_path / "nothing.pem"):
        code, text = told("audit", "verify", "--home", kept.home, "--key", wrong)
        assert (code, str(wrong) in text) == (11, True)


def test_a_copy_takes_the_place_of_a_log_that_is_lost_and_what_it_lacks_is_told_before(kept, told, tmp_path):
    code, text = told("audit", "backup", tmp_path / "copy", "--home", kept.home)
    assert (code, f"whole, {RECORDS_OF_THE_LOG} records" in text) == (0, True)
    code, text = told("audit", "restore", tmp_path / "copy", "--home", kept.home)
    assert (code, "what is there already" in text) == (2, True)
    kept.write(2)
    shutil.rmtree(kept.place.folder)
    code, text = told("audit", "restore", tmp_path / "copy", "--home", kept.home)
    assert (code, "2 would be lost" in text, kept.place.database.exists()) == (11, True, False)
    code, text = told("audit", "restore", tmp_path / "copy", "--accept-loss", "--home", kept.home)
    assert (code, f"whole, {RECORDS_OF_THE_LOG} records" in text) == (0, True)
    kept.write(1)
    code, text = told("audit", "verify", "--home", kept.home)
    assert (code, f"whole: {RECORDS_OF_THE_LOG + 1} records" in text) == (0, True)


def test_the_vault_is_copied_while_it_is_in_use_apart_from_the_log_and_can_be_put_back(kept, told, tmp_path):
    names = [Name("borrower", f"B-{number}") for number in range(3)]
    with open_vault(subjects_in(kept.home), kept.keys.subjects) as vault:
        before = vault.subjects(names)
        code, text = told("audit", "backup", tmp_path / "log", "--subjects", tmp_path / "keys", "--home", kept.home)
        assert (code, "3 subjects, whose keys all open, and 0 legal holds" in text) == (0, True), text
        vault.subjects([Name("borrower", "B-later")])
    assert [path.name for path in (tmp_path / "log").iterdir()].count(VAULT) == 0
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [VAULT]
    assert (tmp_path / "keys" / VAULT).stat().st_mode & 0o077 == 0
    shutil.rmtree(subjects_in(kept.home))
    subjects_in(kept.home).mkdir()
    shutil.copyfile(tmp_path / "keys" / VAULT, subjects_in(kept.home) / VAULT)
    with open_vault(subjects_in(kept.home), kept.keys.subjects) as vault:
        assert (vault.is_new, vault.subjects(names)) == (False, before)


def test_the_vaults_copy_is_refused_wherever_a_log_or_a_copy_of_one_is(kept, told, tmp_path):
    told("audit", "backup", tmp_path / "earlier", "--home", kept.home)
    (tmp_path / "shortcut").symlink_to(tmp_path / "earlier")
    for words in (
        (tmp_path / "new", "--subjects", tmp_path / "new"),
        (tmp_path / "new", "--subjects", tmp_path / "new" / "keys"),
        (tmp_path / "keys" / "log", "--subjects", tmp_path / "keys"),
        ("--subjects", tmp_path / "earlier" / "keys"),
        ("--subjects", tmp_path / "shortcut" / "keys"),
        ("--subjects", kept.place.folder / "keys"),
        ("--subjects", subjects_in(kept.home)),
        (),
    ):
        assert told("audit", "backup", *words, "--home", kept.home)[0] == 2, words
    assert not [path for path in tmp_path.rglob(VAULT) if path.parent != subjects_in(kept.home)]
    assert not (tmp_path / "new").exists()


def test_of_a_log_in_postgresql_backup_and_restore_name_the_servers_own_tools(kept, told, tmp_path):
    for verb in ("backup", "restore"):
        words = ("--home", kept.home, "--database-url", "postgresql://log@db.example/log")
        code, text = told("audit", verb, tmp_path / "copy", *words)
        assert (code, "pg_dump" in text) == (2, True)


WITH_PASSWORD = (
    f"postgresql://log:{PASSWORD}@db.example/log",
    f"postgresql://db.example/log?user=log&password={PASSWORD}",
    f"postgresql://db.example/log?pass%77ord={PASSWORD}",
    f"postgres://log:{PASSWORD}@one.example:1,two.example:2/log",
    f"postgresql://log@db.example/log?sslpassword={PASSWORD}",
)


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(kept, told, capsys, url):
    for words in (("serve",), ("audit", "verify"), ("audit", "replay")):
        code, text = told(*words, "--home", kept.home, "--database-url", url)
        assert (code, DATABASE_URL in text, PASSWORD in text) == (2, True, False), words
    assert serve(["--home", str(kept.home), "--database-url", url]) == 2
    assert PASSWORD not in capsys.readouterr().err


def test_a_password_in_the_environment_is_taken_and_told_to_nobody(kept, told, monkeypatch):
    url = f"postgresql://log:{PASSWORD}@127.0.0.1:1/log"
    monkeypatch.setenv(DATABASE_URL, url)
    code, text = told("audit", "verify", "--home", kept.home)
    assert (code, "cannot be reached" in text, PASSWORD in text) == (11, True, False)
    settings = Settings.from_environment({DATABASE_URL: url})
    assert (settings.database_url, settings.records) == (url, None)
    assert PASSWORD not in f"{settings!r} {settings.log_told} {Child('', None, Path(), {})!r}"
    assert require_no_password("postgresql://log@db.example/log?host=/run&port=1") != PASSWORD


def test_two_places_for_one_log_are_refused_and_so_is_a_place_where_nothing_is_to_be_recorded(kept, told, monkeypatch):
    url = "postgresql://log@db.example/log"
    for given in ({RECORDS: "elsewhere"}, {RECORDS: OFF}):
        with pytest.raises(ConfigurationRefused, match="two places"):
            Settings.from_environment({DATABASE_URL: url, **given})
    assert Settings.from_environment({RECORDS: OFF}).log_told == OFF
    assert Settings.from_environment({}).records is not None
    assert log_chosen(kept.home, Path(OFF), None) == log_chosen(kept.home, None, url, without=True) == (None, None)
    assert log_chosen(kept.home, None, url) == (None, url)
    monkeypatch.setenv(DATABASE_URL, url)
    for words in (("audit", "verify"), ("serve",)):
        code, text = told(*words, "--home", kept.home, "--records", "elsewhere")
        assert (code, "two places" in text) == (11, True)


def test_a_reason_that_names_the_borrower_goes_into_no_log(kept, told):
    for verb in ("hold", "release", "erase"):
        words = ("--borrower", "B-1", "--reason", "B-1 asked for it", "--home", kept.home)
        code, text = told("audit", verb, *words)
        assert (code, "names nobody" in text) == (2, True)
    assert not (kept.home / "outbox").exists()


def test_holds_are_placed_kept_and_released_and_each_step_waits_for_the_log(kept, told):
    whom = ("--borrower", "B-1", "--home", kept.home)
    assert told("audit", "hold", *whom, "--reason", "order 1")[0] == 0
    assert told("audit", "erase", *whom, "--reason", "asked")[0] == 10
    assert told("audit", "release", *whom, "--reason", "order 1")[0] == 0
    assert told("audit", "erase", *whom, "--reason", "asked")[0] == 0
    assert told("audit", "erase", *whom, "--reason", "asked")[0] == 10
    waiting = [json.loads(path.read_bytes()) for path in sorted((kept.home / "outbox").iterdir())]
    assert [event["event"].removeprefix("hold:subject:").removeprefix("erase:subject:") for event in waiting] == [
        "placed", "ordered", "refused", "released", "ordered", "done"
    ]  # fmt: skip
    assert {event["record"]["reason"] for event in waiting} == {"order 1", "asked"}


def test_where_nothing_is_recorded_there_is_no_log_to_check(kept, told, monkeypatch):
    monkeypatch.setenv(RECORDS, OFF)
    code, text = told("audit", "verify", "--home", kept.home)
    assert (code, "no decision log" in text) == (11, True)


@pytest.mark.parametrize("first", ["log", "keys"])
def test_whichever_copy_is_made_first_the_other_is_never_put_with_it(kept, told, tmp_path, first):
    copy, below = tmp_path / "copy", tmp_path / "copy" / "of" / "june"
    words = {"log": (), "keys": ("--subjects",)}
    second = "keys" if first == "log" else "log"
    assert told("audit", "backup", *words[first], copy, "--home", kept.home)[0] == 0
    (tmp_path / "by-another-name").symlink_to(copy)
    for folder in (copy / "beside", below, tmp_path / "by-another-name" / "beside"):
        code, printed = told("audit", "backup", *words[second], folder, "--home", kept.home)
        assert code == 2, printed
        assert "a copy of the " in printed
        assert not folder.exists()
    assert told("audit", "backup", *words[second], tmp_path / "elsewhere", "--home", kept.home)[0] == 0


def test_no_copy_of_the_log_is_put_into_the_vault_s_own_folder(kept, told):
    code, printed = told("audit", "backup", subjects_in(kept.home) / "log", "--home", kept.home)
    assert (code, "together with a vault" in printed) == (2, True)
    assert not (subjects_in(kept.home) / "log").exists()
