"""`repayrank audit expire` does what docs/retention.md says, and refuses with found, where, expected and do."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from expiring_logs import HELD, READ, SCORE, Told, fill
from subject_vaults import name
from typer.testing import CliRunner

from repayrank import app
from serving.decisions.archive import Archive
from serving.decisions.opening import opened_archive, secrets_in
from serving.records.audit import verify
from serving.records.expiry import NEVER_DROPPED
from serving.records.store import open_store
from serving.records.terms import day_everywhere, terms_from
from serving.settings import records_in
from serving.subjects.keys import created_keys

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "retention.md").read_text()
EXAMPLE = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL).group(1)
KIND = re.compile(r'"((?:[a-z_]+:){2}[a-z_]+)"')
OLD = datetime.now(UTC) - timedelta(days=8 * 366)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lender's folder with old records, and the example's policy in it."""
    folder = tmp_path / "home"
    created_keys(secrets_in(folder))
    (folder / "retention.toml").write_text(EXAMPLE)
    monkeypatch.setattr("expiring_logs.opened", lambda place: store_of(folder, place))
    archive = opened_archive(folder)
    now = datetime.now(UTC)
    fill(archive, [Told(OLD, SCORE, (0,)), Told(OLD, READ, (0,)), Told(OLD, SCORE, (1,)), Told(now, HELD, (2,))])
    archive.vault.hold(name(1), "case 7", now.date())
    archive.vault.close()
    return folder


def store_of(home: Path, place: Any) -> Any:
    return open_store(place, created_keys(secrets_in(home)).log, lambda: 0.0)


def expire(home: Path, *words: str) -> Any:
    return CliRunner().invoke(
        app, ["audit", "expire", "--home", str(home), "--policy", str(home / "retention.toml"), *words]
    )


def archive_of(home: Path) -> Archive:
    return opened_archive(home)


def test_the_example_speaks_of_every_kind_of_record_that_is_written():
    terms = terms_from(EXAMPLE.encode(), where="docs/retention.md")
    written = {
        kind
        for path in (ROOT / "serving").rglob("*.py")
        for kind in KIND.findall(re.sub(r'"""(?:.*?)"""', "", path.read_text(), flags=re.DOTALL))
    }
    assert {SCORE, READ, HELD} <= written
    without = {kind for kind in written - NEVER_DROPPED if terms.months(kind) is None}
    assert not without, "state a term for them in docs/retention.md"
    assert written >= NEVER_DROPPED


def test_one_can_look_and_then_drop(home):
    before = verify(archive_of(home).place)
    told = expire(home, "--dry-run")
    assert told.exit_code == 0, told.output
    assert re.search(r"score:loan:created +1 due +1 held by law", told.output)
    assert "would drop: 2 records" in told.output
    assert verify(archive_of(home).place) == before
    told = expire(home, "--json")
    assert told.exit_code == 0, told.output
    plain = json.loads(told.output)
    assert (plain["dropped"], plain["held"], plain["keys"], plain["kept"]) == ({SCORE: 1, READ: 1}, {SCORE: 1}, 1, 2)
    assert plain["orders"] == [4]
    assert verify(archive_of(home).place).expired == 2
    assert "dropped: 0 records" in expire(home).output


def test_verify_tells_how_many_are_gone_and_how_many_are_ordered_to_go(home, monkeypatch):
    def told(*words: str) -> str:
        return CliRunner().invoke(app, ["audit", "verify", "--home", str(home), *words]).output

    assert "dropped" not in told()
    with monkeypatch.context() as patch:
        patch.setattr("serving.records.dropping.Alone.drop", lambda *_: None)  # cut off after the order
        expire(home)
    assert "; 2 ordered to go and still there; root" in told()
    assert json.loads(told("--json"))["ordered"] == 2
    expire(home)
    assert "; 2 dropped at the end of their terms; root" in told()
    assert (json.loads(told("--json"))["expired"], json.loads(told("--json"))["ordered"]) == (2, 0)


def test_a_later_day_is_only_looked_at(home):
    later = (day_everywhere(datetime.now(UTC)) + timedelta(400 * 7)).isoformat()
    refusal = expire(home, "--today", later)
    assert refusal.exception.exit_code == 2
    assert verify(archive_of(home).place).expired == 0
    told = expire(home, "--today", later, "--dry-run", "--json")
    assert json.loads(told.output)["dropped"] == {SCORE: 1, READ: 1, HELD: 1}
    assert expire(home, "--today", "2026-02-30").exception.exit_code == 2
    assert json.loads(expire(home, "--today", date(2000, 1, 1).isoformat(), "--json").output)["dropped"] == {}


def test_a_policy_that_does_not_speak_of_a_kind_refuses_the_run(home):
    (home / "retention.toml").write_text(EXAMPLE.replace('"hold:subject:*"', '"hold:loan:*"'))
    refusal = expire(home)
    assert refusal.exception.exit_code == 11
    assert HELD in refusal.exception.found
    assert verify(archive_of(home).place).expired == 0


def test_while_a_service_runs_the_run_is_refused(home):
    archive = archive_of(home)
    with store_of(home, archive.place):
        refusal = expire(home)
        assert refusal.exception.exit_code == 11
        assert "stop the other process" in str(refusal.exception)
        assert expire(home, "--dry-run").exit_code == 0
    assert records_in(home).is_dir()
    assert verify(archive.place).expired == 0
