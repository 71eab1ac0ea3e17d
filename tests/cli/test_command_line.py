"""The command line does what its help says, and refuses with found, where, expected, do and the right exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
VERBS = (
    *("train", "tune", "evaluate", "validate", "card", "promote", "challenge", "shadow", "monitor"),
    *("score", "rank", "report", "serve", "features", "demo"),
)
QUIET = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}


def repayrank(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "repayrank.py"), *words]
    return subprocess.run(command, cwd=cwd, env=QUIET, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder in which both verbs that need a model find one."""
    folder = tmp_path_factory.mktemp("lender")
    told = repayrank("train", "--portfolio", "taiwan", "--card", "collection", cwd=folder)
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "collection card version 1 is the champion in .repayrank/models/collection/1"
    return folder


def test_training_tells_its_figures_and_nothing_of_its_tools(home):
    again = repayrank("train", "--portfolio", "taiwan", "--card", "collection", "--seed", "1", cwd=home)
    assert again.stdout.strip() == (
        "collection card version 2 is a challenger in .repayrank/models/collection/2; "
        "version 1 serves until it is promoted"
    )
    for verb in ("validate", "promote"):
        assert f"repayrank {verb} --portfolio taiwan --card collection --version 2 --by WHO" in again.stderr
    assert re.search(r"AUC 0\.7\d+", again.stderr)
    assert "Warning" not in again.stderr
    assert "INFO" not in again.stderr


def test_training_is_recorded_registered_and_named_champion_in_mlflow(home):
    code = """
import mlflow, sys
mlflow.set_tracking_uri("sqlite:///.repayrank/mlflow/mlflow.db")
client = mlflow.MlflowClient()
version = client.get_model_version_by_alias("repayrank-collection", "champion")
run = client.get_run(version.run_id)
files = {f.path for f in client.list_artifacts(run.info.run_id, "card")}
plots = {f.path for f in client.list_artifacts(run.info.run_id, "plots")}
assert {"card/manifest.json", "card/model.txt", "card/manifest.sig"} <= files, files
assert len(plots) >= 3, plots
assert run.data.metrics["monotone_violations"] == 0
assert run.data.metrics["auc"] > 0.7
assert len(run.data.tags["data_sha256"]) == 64
assert run.inputs.dataset_inputs
model = mlflow.pyfunc.load_model("models:/repayrank-collection@champion")
example = model.input_example
told = model.predict(example)
base = told.log_odds - (told.ability + told.willingness + told.circumstances)
assert base.max() - base.min() < 1e-9
print(version.version, len(told))
"""
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=False,
        env={**QUIET, "PYTHONPATH": str(ROOT), "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout.split()[1] == "5"


def test_the_example_of_a_trained_card_can_be_sent_as_it_is(home):
    told = repayrank("features", "--card", "collection", "--example", cwd=home)
    assert told.returncode == 0, told.stderr
    body = json.loads(told.stdout)
    assert body["card"] == "collection"
    assert {"loans", "statements", "payments"} <= set(body["tables"])
    listed = repayrank("features", "--card", "collection", "--json", cwd=home)
    assert 10 < len(json.loads(listed.stdout)) < 199


def test_no_pickle_lies_among_the_training_records(home):
    names = [
        path.name for path in (home / ".repayrank").rglob("*") if path.suffix in {".pkl", ".joblib", ".cloudpickle"}
    ]
    assert not names


def test_the_work_list_is_ranked_the_same_in_parquet_and_csv(home):
    for name in ("list.parquet", "list.csv"):
        told = repayrank("rank", "--portfolio", "taiwan", "--out", name, cwd=home)
        assert told.returncode == 0, told.stderr
    parquet, csv = pl.read_parquet(home / "list.parquet"), pl.read_csv(home / "list.csv")
    assert parquet.height == 6_818
    assert parquet.get_column("rank").to_list() == list(range(1, 6_819))
    assert csv.get_column("loan_id").to_list() == parquet.get_column("loan_id").to_list()
    assert csv.get_column("default_probability").to_list() == parquet.get_column("default_probability").to_list()


def test_scores_keep_the_books_order_and_equal_those_of_the_ranking(home):
    repayrank("score", "--portfolio", "taiwan", "--out", "scores.parquet", "--contributions", cwd=home)
    repayrank("rank", "--portfolio", "taiwan", "--out", "ranks.parquet", cwd=home)
    scores, ranks = pl.read_parquet(home / "scores.parquet"), pl.read_parquet(home / "ranks.parquet")
    assert scores.get_column("loan_id").is_sorted()
    shared = [name for name in scores.columns if name in ranks.columns]
    assert ranks.select(shared).sort("loan_id").equals(scores.select(shared))
    assert sum(name.startswith("contribution_") for name in scores.columns) >= 35


def test_a_book_in_a_folder_scores_as_the_built_in_one(home, taiwan):
    folder = home / "book"
    folder.mkdir()
    loans = taiwan.tables.loans.get_column("loan_id").sample(300, seed=1)
    for name, frame in taiwan.tables.of_loans(loans).items():
        frame.write_csv(folder / f"{name}.csv") if name != "payments" else frame.write_parquet(
            folder / f"{name}.parquet"
        )
    told = repayrank("score", "--portfolio", "book", "--as-of", "2005-09-30", "--out", "book.parquet", cwd=home)
    assert told.returncode == 0, told.stderr
    repayrank("score", "--portfolio", "taiwan", "--out", "whole.parquet", cwd=home)
    part = pl.read_parquet(home / "book.parquet").sort("loan_id")
    whole = pl.read_parquet(home / "whole.parquet").filter(
        pl.col("loan_id").is_in(part.get_column("loan_id").implode())
    )
    assert part.equals(whole.sort("loan_id"))


def test_one_loan_is_not_called_loans_and_the_zone_decides_what_is_known_of_it(home, taiwan):
    folder = home / "one"
    folder.mkdir()
    loans = taiwan.tables.loans.get_column("loan_id").head(1)
    for name, frame in taiwan.tables.of_loans(loans).items():
        frame.write_parquet(folder / f"{name}.parquet")
    words = ("score", "--portfolio", "one", "--as-of", "2005-09-30", "--out", "one.csv")
    told = repayrank(*words, cwd=home)
    assert told.stdout.startswith("1 loan scored by "), told.stderr
    # September's statement was recorded at 12:00 UTC: on Kiritimati that is 1 October, after the day had ended.
    before = (home / "one.csv").read_bytes()
    repayrank(*words, "--zone", "Pacific/Kiritimati", cwd=home)
    assert (home / "one.csv").read_bytes() != before


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, tmp_path):
    told = repayrank(verb, "--help", cwd=tmp_path)
    assert told.returncode == 0
    assert f"Example: repayrank {verb}" in re.sub(r"\s+", " ", told.stdout)


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("rank", "--portfolio", "taiwan", "--out", "x.csv"), 12, "repayrank train"),
        (("rank", "--portfolio", "taiwan", "--out", "x.xls"), 2, ".parquet or .csv"),
        (("evaluate", "--portfolio", "nowhere"), 11, "taiwan"),
        (("evaluate", "--portfolio", "taiwan", "--card", "mortgage"), 2, "behaviour, collection, all"),
        (("train", "--portfolio", "taiwan", "--as-of", "2005-08-31"), 10, "outcome"),
        (("score", "--portfolio", "taiwan"), 2, "--out"),
        (("scroe",), 2, "scroe"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_refusal_says_what_to_do_and_shows_no_traceback(words, code, expected, tmp_path):
    told = repayrank(*words, cwd=tmp_path)
    assert told.returncode == code, told.stderr
    assert expected in told.stderr + told.stdout
    assert "Traceback" not in told.stderr
    if code >= 10:
        assert all(f"  {part} " in told.stderr for part in ("found", "where", "expected", "do"))


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path):
    for words in (("--debug", "evaluate", "--portfolio", "nowhere"), ("evaluate", "--portfolio", "nowhere", "--debug")):
        assert "Traceback" in repayrank(*words, cwd=tmp_path).stderr


def test_the_feature_dictionary_is_complete(tmp_path):
    entries = json.loads(repayrank("features", "--json", cwd=tmp_path).stdout)
    assert len(entries) >= 35
    for entry in entries:
        assert {"name", "group", "unit", "direction", "en", "zh", "missing", "definition"} <= set(entry)
        assert all(entry.values())
