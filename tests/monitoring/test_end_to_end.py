"""From a service's answers to an alarm: decisions of a real log, outcomes that come later, a borrower who is erased."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import repayrank
from features.portfolios import Portfolio
from models.fitted_card import FittedCard
from models.store import ModelStore
from serving.asking import request_of
from serving.child import asked_of, served
from serving.decisions.frames import FEATURE, TOLD, Count, decisions
from serving.decisions.opening import opened_archive
from serving.records.errors import AuditBroken
from training.cohort import Cohort
from training.fitting import golden_rows
from training.monitoring.policy import default_bytes

LOANS, EARLIER = 150, 60
DAYS = (date(2005, 8, 31), date(2005, 9, 30))
CARD = ("--card", "collection")


class Said(NamedTuple):
    code: int
    out: str
    err: str

    def __contains__(self, text: str) -> bool:
        return text in self.out + self.err


def cli(*words: object) -> Said:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            repayrank.main([str(word) for word in words])
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
    return Said(int(code), out.getvalue(), err.getvalue())


class Decided(NamedTuple):
    home: Path
    answers: list[dict]


@pytest.fixture(scope="module")
def decided(
    small: FittedCard, overdue: Cohort, taiwan: Portfolio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Decided]:
    """A home whose service decided on loans on two days, and has stopped."""
    home = tmp_path_factory.mktemp("lender")
    store = ModelStore(home)
    store.save(small, golden_rows(overdue))
    store.promote("collection", "1")
    ids = [str(loan) for loan in overdue.matrix.cases.get_column("loan_id")][:LOANS]
    answers = []
    with served(home, home / "service.log") as child:
        for path, loans, day in (("/v1/rank", ids[:EARLIER], DAYS[0]), ("/v1/score", ids, DAYS[1])):
            asked = request_of(taiwan.tables, loans, card="collection", day=day, zone=taiwan.zone)
            told = asked_of(child, path, json.dumps(asked).encode())
            answers += told["ranking" if path == "/v1/rank" else "scores"]
    yield Decided(home, answers)


@pytest.fixture(scope="module")
def frame(decided: Decided) -> pl.DataFrame:
    return pl.concat(decisions(opened_archive(decided.home), "collection", loan_ids=True))


def test_a_frame_says_of_each_decision_what_the_answer_said(decided: Decided, frame: pl.DataFrame):
    assert frame.get_column("score_id").to_list() == [one["score_id"] for one in decided.answers]
    for row, answer in zip(frame.to_dicts(), decided.answers, strict=True):
        assert row["loan_id"] == answer["loan_id"]
        assert row["observed_on"].isoformat() == answer["observation_date"]
        assert (row["probability"], row["points"], row["band"]) == (
            answer["default_probability"],
            answer["points"],
            answer["band"],
        )
        assert row["willingness"] == answer["willingness"]["contribution"]
        assert row["place"] == answer.get("priority")
        assert row["exposure_minor"] == answer["exposure"]["amount_minor"]
        assert row["expected_loss_minor"] == answer["ledger"]["expected_loss_minor"]


def test_the_features_are_those_that_the_card_read_to_the_bit(frame: pl.DataFrame, small: FittedCard, overdue: Cohort):
    later = frame.filter(pl.col("observed_on") == DAYS[1])
    found = later.select(f"{FEATURE}{name}" for name in small.catalog.names).to_numpy()
    assert np.array_equal(found, overdue.matrix.of(small.catalog.names).values[:LOANS], equal_nan=True)


def test_a_loan_has_one_pseudonym_and_no_column_of_a_frame_names_it(decided: Decided, frame: pl.DataFrame):
    assert frame.group_by("loan_id").agg(pl.col("loan").n_unique()).get_column("loan").to_list() == [1] * LOANS
    plain = pl.concat(decisions(opened_archive(decided.home), "collection"))
    assert_frame_equal(plain, frame.drop("loan_id"))
    assert set(TOLD) < set(plain.columns)
    texts = {value for name in plain.columns if plain.schema[name] == pl.String for value in plain.get_column(name)}
    assert not texts & set(frame.get_column("loan_id"))


def test_the_figures_in_clear_need_no_key(decided: Decided, frame: pl.DataFrame):
    archive = opened_archive(decided.home)
    (clear,) = decisions(replace(archive, vault=None), "collection", sealed=False)
    assert_frame_equal(clear.select("score_id", "log_odds", "subject"), frame.select("score_id", "log_odds", "subject"))
    assert clear.get_column("loan").null_count() == clear.height


def test_outcomes_of_a_book_and_of_a_file_are_the_same(decided: Decided, frame: pl.DataFrame, tmp_path: Path):
    home = decided.home
    told = cli("outcomes", "load", "--portfolio", "taiwan", *CARD, "--home", home)
    assert told.code == 0, told.err
    assert f"{LOANS} new" in told
    before = {path.name: path.read_bytes() for path in (home / "outcomes" / "collection").glob("*.csv")}
    again = cli("outcomes", "load", "--portfolio", "taiwan", *CARD, "--home", home)
    assert f"0 new, {LOANS} known before" in again
    lines = pl.read_csv(home / "outcomes" / "collection" / "2005-09.csv")
    by_loan = lines.join(frame.select("score_id", "loan_id", "observed_on"), on="score_id").select(
        "loan_id", "observed_on", "recovered_minor", "known_on", bad=pl.col("outcome") == "bad"
    )
    by_loan.write_csv(tmp_path / "matured.csv")
    assert "0 new" in cli("outcomes", "load", tmp_path / "matured.csv", *CARD, "--home", home)
    assert {path.name: path.read_bytes() for path in (home / "outcomes" / "collection").glob("*.csv")} == before
    turned = by_loan.with_columns(bad=pl.when(pl.int_range(pl.len()) == 4).then(~pl.col("bad")).otherwise("bad"))
    turned.write_csv(tmp_path / "turned.csv")
    refused = cli("outcomes", "load", tmp_path / "turned.csv", *CARD, "--home", home)
    assert refused.code == 10
    assert "row 4, column 'bad'" in refused
    assert by_loan.item(4, "loan_id") not in refused.err


def test_a_page_is_made_and_an_alarm_is_an_exit_code(decided: Decided, frame: pl.DataFrame, tmp_path: Path):
    home, out = decided.home, tmp_path / "out"
    cli("outcomes", "load", "--portfolio", "taiwan", *CARD, "--home", home)
    quiet = cli("monitor", *CARD, "--home", home, "--out", out, "--month", "2005-09")
    assert quiet.code == 0, quiet.err
    told = json.loads((out / "monitoring.json").read_text())
    assert [(one["name"], one["cases"]) for one in told["months"]] == [("2005-08", EARLIER), ("2005-09", LOANS)]
    assert told["decisions"]["of_the_version"] == LOANS + EARLIER
    bad = {one["name"]: one["bad"] for one in told["vintages"]}["2005-09"]
    kept = pl.read_csv(home / "outcomes" / "collection" / "2005-09.csv")
    assert bad == (kept.get_column("outcome") == "bad").sum()
    assert [(one["before"], one["both"]) for one in told["churn"]] == [("2005-08-31", EARLIER)]
    assert len(told["rolls"]) == 1
    assert (out / "monitoring.html").stat().st_size > 50_000
    spoilt = tmp_path / "narrow.toml"
    # A policy under which any difference is an alarm: the loans are the first of the book, not a sample of it.
    text = (
        default_bytes().decode().replace("false_alarm = 0.01", "false_alarm = 0.999999").replace("= 0.10\n", "= 1e-9\n")
    )
    spoilt.write_text(text)
    loud = cli("monitor", *CARD, "--home", home, "--out", out, "--month", "2005-09", "--policy", spoilt)
    assert loud.code == 15
    assert "monitoring.html" in loud
    assert json.loads((out / "monitoring.json").read_text())["alarms"]
    assert not any(str(loan) in loud.err for loan in frame.get_column("loan_id").head(20))


def test_what_was_not_asked_well_is_refused(decided: Decided, tmp_path: Path):
    home = decided.home
    assert cli("monitor", *CARD, "--home", home).code == 2
    assert cli("monitor", *CARD, "--home", home, "--out", tmp_path, "--month", "1999-01").code == 2
    assert cli("monitor", "--card", "behaviour", "--home", home, "--out", tmp_path).code == 12
    assert cli("monitor", *CARD, "--home", home, "--out", tmp_path, "--reference", "7").code == 12
    assert cli("outcomes", "load", *CARD, "--home", home).code == 2
    assert cli("outcomes", "load", tmp_path / "none.csv", *CARD, "--home", home).code == 10
    assert cli("monitor", *CARD, "--home", tmp_path / "empty", "--out", tmp_path).code == 12
    shown = cli("monitor", "--show-policy")
    assert shown.code == 0
    assert "false_alarm" in shown


def test_an_erased_borrower_is_counted_and_not_read(decided: Decided, frame: pl.DataFrame, taiwan: Portfolio):
    """Last: it changes the vault."""
    loan = frame.item(0, "loan_id")
    borrower = taiwan.tables.loans.filter(pl.col("loan_id") == loan).item(0, "borrower_id")
    assert cli("audit", "erase", "--home", decided.home, "--borrower", borrower, "--reason", "asked").code == 0
    count = Count()
    left = pl.concat(decisions(opened_archive(decided.home), "collection", count, loan_ids=True))
    assert (count.decisions, count.erased) == (LOANS + EARLIER, frame.filter(pl.col("loan_id") == loan).height)
    gone = left.filter(~pl.col("readable"))
    assert gone.select(pl.col("^feature.*$").is_null().all()).row(0) == (True,) * len(
        gone.select("^feature.*$").columns
    )
    assert gone.get_column("loan").null_count() == gone.height
    kept = ["score_id", "probability", "subject"]
    was = frame.filter(pl.col("loan_id") == loan).sort("score_id").select(kept)
    assert_frame_equal(gone.sort("score_id").select(kept), was)


def test_a_log_that_was_changed_ends_the_reading(decided: Decided, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(decided.home, copy)
    archive = opened_archive(copy)
    database = sqlite3.connect(archive.place.database)
    changed = "CAST(replace(CAST(record AS TEXT), '2005-09-30', '2005-09-29') AS BLOB)"
    database.execute(f"UPDATE records SET record = {changed}")  # noqa: S608
    database.commit()
    database.close()
    with pytest.raises(AuditBroken):
        list(decisions(archive, "collection"))
