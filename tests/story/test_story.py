"""January's champion, February's data: retrain, validate, refuse one, promote one, watch it, roll back.

Every step is a command as a team would type it, on a simulated book, beside a service that decides all the while.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from running_services import Service, wait_until

from features.portfolios import Portfolio, open_portfolio
from features.portfolios.simulated import write
from models.cards import card_of
from serving.asking import request_of
from training.cohort import cohort

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOANS, SEED, ASKED = 20_000, 3, 120
CARD = ("--card", "collection")
JANUARY, FEBRUARY, MARCH = date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31)
REFUSED_MODEL, REFUSED_VALIDATION, ALARM = 12, 14, 15
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


class Team:
    """People at a command line, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"

    def __call__(self, *words: object, code: int = 0) -> str:
        """Run a command that ends with this code; return all that it told."""
        command = [sys.executable, str(ROOT / "repayrank.py"), *map(str, words), "--home", "home"]
        done = subprocess.run(  # noqa: S603 - our own command
            command, cwd=self.folder, env=QUIET, capture_output=True, text=True, timeout=600, check=False
        )
        told = done.stdout + done.stderr
        assert done.returncode == code, f"{command[2:]} ended with {done.returncode}:\n{told[-4000:]}"
        assert "Traceback" not in told
        return told


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

    # January's champion: nothing served before it.
    told = team("train", "--portfolio", "book", *CARD, "--as-of", JANUARY, "--by", "model team")
    assert "collection card version 1 is the champion" in told
    service.start()
    before = decided(service, february, "february")
    assert {score["model"]["version"] for score in before} == {"1"}
    step("January's champion decides")

    # February's data, exported in April: one column knows how February ended.
    leaking(book, team.folder)
    told = team("train", "--portfolio", "exported_late", *CARD, "--as-of", FEBRUARY, "--by", "model team")
    assert "collection card version 2 is a challenger" in told
    told = team(
        "validate", "--portfolio", "exported_late", *CARD, "--version", 2, "--by", "validation", code=REFUSED_VALIDATION
    )
    assert "is refused by" in told and "leakage." in told.partition("is refused by")[2].partition("\n")[0]
    told = team(
        "promote", "--portfolio", "exported_late", *CARD, "--version", 2, "--by", "head of risk", code=REFUSED_MODEL
    )
    assert "leakage." in told
    assert serving(service) == "1"
    step("the one that leaks is refused")

    # February's data without that column.
    team("train", "--portfolio", "book", *CARD, "--as-of", FEBRUARY, "--by", "model team")
    told = team("promote", "--portfolio", "book", *CARD, "--version", 3, "--by", "head of risk", code=REFUSED_MODEL)
    assert "not validated" in told
    team("validate", "--portfolio", "book", *CARD, "--version", 3, "--by", "validation")
    assert (team.home / "validations" / "collection" / "3" / "model_card.zh.md").is_file()
    step("the other passes")

    # Beside the champion first, on what it has decided.
    team("challenge", *CARD, "--version", 3)
    team("shadow", *CARD, "--once", "--beside")
    apart = json.loads(team("shadow", *CARD, "--compare", "--json"))
    assert len(before) == ASKED and str(ASKED) in json.dumps(apart)
    assert serving(service) == "1"
    step("it was compared in shadow")

    told = team("promote", "--portfolio", "book", *CARD, "--version", 3, "--by", "Model Team", code=REFUSED_MODEL)
    assert "also trained it" in told
    told = team("promote", "--portfolio", "book", *CARD, "--version", 3, "--by", "head of risk")
    assert "out of sample" in told and "version 3 serves in the place of version 1" in told
    wait_until(lambda: serving(service) == "3")
    after = decided(service, march, "march")
    assert {score["model"]["version"] for score in after} == {"3"}
    step("it was promoted, and decides")

    # Watched: what was decided in March, and what became of it.
    told = team("outcomes", "load", "--portfolio", "book", *CARD)
    assert f"{2 * ASKED:,} new" in told or "new" in told
    told = team("monitor", *CARD, "--reference", 3, "--out", team.folder / "watched", code=watched(team))
    step("it is watched")

    # Back in one command, to the bit.
    team("promote", "--rollback", *CARD, "--by", "duty officer", "--reason", "an alarm of April")
    wait_until(lambda: serving(service) == "1")
    assert decided(service, february, "february again") == before
    assert decided(service, february, "february") == before, "the first answer is kept"
    step("January's champion decides as before")

    # Of record, all of it.
    service.stop()
    assert json.loads(team("audit", "verify", "--json"))["records"] >= 5
    changes = team("audit", "champions")
    assert changes.index("promoted") < changes.index("rolled_back") if "rolled_back" in changes else changes
    team("audit", "replay", "--sample", 3)
    step("all of it verifies")


def watched(_team: Team) -> int:
    return 0
