"""January's champion, February's data: retrain, validate, refuse one, promote one, watch it, roll back.

Every step is a command as a team would type it, on a simulated book, beside a service that decides all the while.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from running_services import Service, wait_until

import repayrank
from features.portfolios import Portfolio, open_portfolio
from features.portfolios.simulated import write
from models.cards import card_of
from serving.asking import request_of
from training.cohort import cohort

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOANS, SEED, ASKED = 20_000, 3, 120
DECISIONS, CHANGES = 3, 2
"""Requests that the story sends under a key of their own; a promotion and the way back."""
CARD = ("--card", "collection")
JANUARY, FEBRUARY, MARCH = date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31)
REFUSED_MODEL, REFUSED_VALIDATION, ALARM = 12, 14, 15
REPLACE_THEMSELVES = frozenset({"shadow"})
"""Verbs that go on in a process of another priority."""
QUIET = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160", "TERM": "dumb"}

LEAK = """
[tables.facts]
file = "facts.parquet"
[tables.facts.columns]
loan_id = "loan_id"
[features.desk]
group = "circumstances"
label = { en = "desk that keeps the file", zh = "档案所在柜台" }
"""
"""A column that somebody filled in once it was known how February had ended."""


class Said(NamedTuple):
    """How a command ended, and what it told."""

    code: int
    stdout: str
    stderr: str


class Team:
    """People at a command line, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.book = folder, folder / "home", folder / "book"

    def __call__(self, *words: object, code: int = 0) -> str:
        """Run a command that ends with this code; return all that it told."""
        done = self._run(words, code)
        return done.stdout + done.stderr

    def plain(self, *words: object) -> Any:
        """Run a command that prints JSON; return it."""
        return json.loads(self._run((*words, "--json"), 0).stdout)

    def _run(self, words: Sequence[object], code: int) -> Said:
        said = [*map(str, words), "--home", str(self.home)]
        told = in_another_process(said, self.folder) if said[0] in REPLACE_THEMSELVES else in_this_process(said)
        text = told.stdout + told.stderr
        assert told.code == code, f"{said} ended with {told.code}:\n{text[-4000:]}"
        assert "Traceback" not in text
        return told


def in_this_process(said: list[str]) -> Said:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            repayrank.main(said)
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def in_another_process(said: list[str], folder: Path) -> Said:
    command = [sys.executable, str(ROOT / "repayrank.py"), *said]
    done = subprocess.run(command, cwd=folder, env=QUIET, capture_output=True, text=True, timeout=600, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    folder = tmp_path_factory.mktemp("bank")
    write(LOANS, SEED, folder / "book")
    return Team(folder)


@pytest.fixture(scope="module")
def book(team: Team) -> Portfolio:
    return open_portfolio(str(team.folder / "book"))


@pytest.fixture(scope="module")
def service(team: Team) -> Iterator[Service]:
    """Started by the story once there is something to serve."""
    service = Service(team.home, team.folder / "service.log")
    yield service
    service.stop()


def leaking(book: Portfolio, folder: Path) -> None:
    """Copy the book, with a column that tells February's outcomes to whoever asks in February."""
    shutil.copytree(folder / "book", folder / "exported_late")
    cases = cohort(book, card_of(book, "collection"), FEBRUARY)
    known = pl.DataFrame({"loan_id": cases.matrix.cases.get_column("loan_id").cast(pl.String), "bad": cases.bad})
    dice = np.random.default_rng(SEED)
    every = (
        book.tables.loans.select(pl.col("loan_id").cast(pl.String))
        .unique(maintain_order=True)
        .join(known, on="loan_id", how="left")
    )
    noise = pl.Series(dice.normal(0.0, 0.3, every.height))
    facts = every.select("loan_id", desk=pl.col("bad").cast(pl.Float64).fill_null(0.5) + noise)
    facts.write_parquet(folder / "exported_late" / "facts.parquet")
    with (folder / "exported_late" / "portfolio.toml").open("a") as stream:
        stream.write(LEAK)


def asked(book: Portfolio, day: date) -> bytes:
    """Return a request about loans that were overdue on a day."""
    ids = cohort(book, card_of(book, "collection"), day).matrix.cases.get_column("loan_id").cast(pl.String).to_list()
    return json.dumps(request_of(book.tables, ids[:ASKED], card="collection", day=day, zone=book.zone)).encode()


def decided(service: Service, body: bytes, key: str) -> list[dict[str, Any]]:
    """Return the scores of a request, without the ids that are new each time."""
    told = service.ask("/v1/score", service.child.tokens["engine"], body, key)
    assert told.status == 200, told.body
    scores: list[dict[str, Any]] = json.loads(told.body)["scores"]
    return [{name: value for name, value in score.items() if name != "score_id"} for score in scores]


def serving(service: Service) -> str:
    told = json.loads(service.ask("/readyz", service.child.tokens["engine"]).body)
    version: str = told["cards"]["collection"]["version"]
    return version


def test_the_story(team: Team, book: Portfolio, service: Service) -> None:
    february, march = asked(book, FEBRUARY), asked(book, MARCH)
    began = time.monotonic()

    def step(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}")  # noqa: T201 - what took how long

    before = january(team, service, february)
    step("January's champion decides")
    refused_one(team, book)
    assert serving(service) == "1"
    step("one challenger is refused")
    passed_one(team)
    compared_in_shadow(team)
    assert serving(service) == "1"
    step("another passed, and was compared in shadow")
    promoted(team, service, march)
    step("it was promoted, and decides")
    watched(team)
    step("it is watched")
    rolled_back(team, service, february, before)
    step("January's champion decides as before")
    of_record(team, service)
    step("all of it verifies")


def january(team: Team, service: Service, body: bytes) -> list[dict[str, Any]]:
    """Nothing served before: the first version serves at once, and decides February."""
    told = team("train", "--portfolio", team.book, *CARD, "--as-of", JANUARY, "--by", "model team")
    assert "collection card version 1 is the champion" in told
    service.start()
    before = decided(service, body, "february")
    assert {score["model"]["version"] for score in before} == {"1"}
    assert len(before) == ASKED
    return before


def refused_one(team: Team, book: Portfolio) -> None:
    """February's data, exported too late: one column knows how February ended."""
    leaking(book, team.folder)
    late = ("--portfolio", team.folder / "exported_late", *CARD)
    told = team("train", *late, "--as-of", FEBRUARY, "--by", "model team")
    assert "collection card version 2 is a challenger" in told
    told = team("validate", *late, "--version", 2, "--by", "validation", code=REFUSED_VALIDATION)
    assert "leakage." in told.partition("is refused by")[2].partition("\n")[0]
    told = team("promote", *late, "--version", 2, "--by", "head of risk", code=REFUSED_MODEL)
    assert "leakage." in told


def passed_one(team: Team) -> None:
    """February's data without that column."""
    sound = ("--portfolio", team.book, *CARD)
    team("train", *sound, "--as-of", FEBRUARY, "--by", "model team")
    team("validate", *sound, "--version", 3, "--by", "validation")
    kept = team.home / "validations" / "collection" / "3"
    for name in ("report.html", "model_card.md", "model_card.zh.md"):
        assert (kept / name).stat().st_size


def compared_in_shadow(team: Team) -> None:
    """Beside the champion first, on what the champion has decided."""
    team("challenge", *CARD, "--version", 3)
    done = team.plain("shadow", *CARD, "--once", "--beside")
    assert (done["version"], done["decisions"]["scored"]) == ("3", ASKED)


def promoted(team: Team, service: Service, body: bytes) -> None:
    """Two principals, swap sets, and a service that goes on meanwhile."""
    told = team("promote", "--portfolio", team.book, *CARD, "--version", 3, "--by", "Model  Team", code=REFUSED_MODEL)
    assert "also trained it" in told
    told = team("promote", "--portfolio", team.book, *CARD, "--version", 3, "--by", "head of risk")
    assert "out of sample" in told
    assert "collection card version 3 serves in the place of version 1" in told
    wait_until(lambda: serving(service) == "3")
    assert {score["model"]["version"] for score in decided(service, body, "march")} == {"3"}


def watched(team: Team) -> None:
    """What became of those who were decided about, and whether the card still sees who it was fitted on."""
    told = team("outcomes", "load", "--portfolio", team.book, *CARD)
    assert "0 known before" in told
    team("monitor", *CARD, "--out", team.folder / "watched")
    assert {path.suffix for path in (team.folder / "watched").iterdir()} == {".html", ".json"}
    judged = team.plain("shadow", *CARD, "--version", 3, "--compare")
    assert judged["against"][0]["matured"]["seen"] == ASKED, "February taught it: it is not judged by February"


def rolled_back(team: Team, service: Service, body: bytes, before: list[dict[str, Any]]) -> None:
    """Back in one command, and to the bit."""
    team("promote", "--rollback", *CARD, "--by", "duty officer", "--reason", "an alarm of April")
    wait_until(lambda: serving(service) == "1")
    assert decided(service, body, "february-again") == before
    assert decided(service, body, "february") == before, "the first answer is kept"


def of_record(team: Team, service: Service) -> None:
    """Every decision and every change is in the log, and can be computed anew."""
    wait_until(lambda: len(team.plain("audit", "champions")) == CHANGES)  # the service takes them up within seconds
    service.stop()
    changes = team.plain("audit", "champions")
    assert [(one["version"], one["before"]) for one in changes] == [("3", "1"), ("1", "3")]
    assert team.plain("audit", "verify")["records"] == CHANGES + DECISIONS
    assert f"{DECISIONS} requests equal to the bit, 0 different, 0 not possible" in team("audit", "replay")
