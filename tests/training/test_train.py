"""A card becomes champion only when it is fit to serve, and what MLflow keeps of it tells all and shows nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl
import pytest

from features.errors import ConfigurationRefused, ModelRefused
from features.portfolios import Portfolio
from models.cards import card_of
from models.store import ModelStore
from training import train as training
from training.fitting import probe_rows
from training.tracking import Tracker, _mlflow
from training.train import Trained, train

CARD = "collection"


@pytest.fixture(scope="module")
def book(taiwan: Portfolio, overdue) -> Portfolio:
    """A few of the overdue loans, and a few that help them."""
    loans = overdue.matrix.cases.get_column("loan_id").cast(pl.String).gather_every(5)
    others = taiwan.tables.loans.get_column("loan_id").cast(pl.String).gather_every(40)
    chosen = pl.concat([loans, others]).unique().sort()
    return replace(
        taiwan,
        tables=taiwan.tables.of_loans(chosen),
        outcomes=taiwan.outcomes.filter(pl.col("loan_id").cast(pl.String).is_in(chosen.implode())),
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("lender") / "store"


@pytest.fixture(scope="module")
def trained(book, home) -> Trained:
    return train(book, card_of(book, CARD), home, hold_out=0.3)


@pytest.fixture(scope="module")
def run(trained, home):
    client = mlflow.MlflowClient(Tracker(home / "mlflow").uri)
    return client.get_run(trained.card.provenance["run"])


def champion_of(home: Path) -> str:
    client = mlflow.MlflowClient(Tracker(home / "mlflow").uri)
    return str(client.get_model_version_by_alias(f"repayrank-{CARD}", "champion").version)


def test_a_card_that_is_fit_to_serve_is_champion_in_the_store_and_in_mlflow(trained, home):
    assert trained.serves
    assert ModelStore(home).champion(CARD) == trained.card.version == "1"
    assert champion_of(home) == trained.registered


def test_the_run_says_on_what_and_on_which_loans_the_card_was_judged(run, trained, book):
    assert run.data.tags["judged_on"] == "held out"
    assert run.data.params["hold_out"] == "0.3"
    assert run.data.params["as_of"] == str(book.observed_on)
    assert run.data.params["helpers"] == str(len(trained.fitted_on.helpers)) != "0"
    assert run.data.params["helper_weight"] == "0.1"
    assert run.data.metrics["rows_judged"] == len(trained.held_out)


def test_no_key_and_no_borrower_lies_beside_the_model_in_mlflow(run, trained, home):
    records = [path for path in (home / "mlflow" / "artifacts").rglob("*") if path.is_file()]
    assert not [path for path in records if path.suffix == ".pem" or b"PUBLIC KEY" in path.read_bytes()]
    ids = [str(loan).encode() for loan in trained.fitted_on.matrix.cases.get_column("loan_id")]
    assert not [path for path in records for loan in ids[:50] if loan in path.read_bytes()]
    (example,) = [path for path in records if path.name == "input_example.json"]
    shown = json.loads(example.read_bytes())
    told = pd.DataFrame(shown["data"], columns=shown["columns"]).astype(float)
    made_up = probe_rows(trained.card.catalog).frame().drop("loan_id", "observed_on").head(len(told)).to_pandas()
    pd.testing.assert_frame_equal(told, made_up, check_exact=True)


LOAD = """
import mlflow, sys
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/repayrank-collection@champion")
print(len(model.predict(model.input_example)))
"""


def loading(home: Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "REPAYRANK_HOME"}
    return subprocess.run(
        [sys.executable, "-c", LOAD, Tracker(home / "mlflow").uri],
        cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_mlflow_loads_the_model_with_the_keys_of_the_lenders_own_store_and_no_other(trained, home, tmp_path):
    own = loading(home, tmp_path, REPAYRANK_HOME=str(home))
    assert own.stdout.strip() == "5", own.stderr
    nowhere = loading(home, tmp_path)
    assert nowhere.returncode != 0
    assert ConfigurationRefused.__name__ in nowhere.stderr
    assert "set REPAYRANK_HOME to the lender's model store" in nowhere.stderr
    stranger = ModelStore(tmp_path / "stranger")
    stranger._signing_key()
    other = loading(home, tmp_path, REPAYRANK_HOME=str(stranger.root))
    assert other.returncode != 0
    assert "not signed by a trusted key" in other.stderr


def test_training_leaves_the_named_store_as_it_was(trained):
    assert "REPAYRANK_HOME" not in os.environ


@pytest.mark.parametrize(
    ("name", "told", "words"),
    [
        ("monotone_violations", lambda *_: 3, "3 steps of the risk go against"),
        ("performance", lambda *_: {"auc": 0.5}, "AUC 0.5000 is no better than chance"),
    ],
)
def test_a_card_that_is_not_fit_to_serve_is_stored_and_leaves_the_champion_alone(
    trained, book, home, monkeypatch, name, told, words
):
    monkeypatch.setattr(training, name, told)
    version = ModelStore(home).next_version(CARD)
    with pytest.raises(ModelRefused, match=f"stored but not champion: {words}"):
        train(book, card_of(book, CARD), home)
    assert ModelStore(home).load(CARD, version).version == version
    assert ModelStore(home).champion(CARD) == "1"
    assert champion_of(home) == trained.registered


def test_without_held_out_loans_the_run_says_out_of_fold(trained, book, home, tmp_path):
    again = train(book, card_of(book, CARD), tmp_path / "other")
    run = mlflow.MlflowClient(Tracker(tmp_path / "other" / "mlflow").uri).get_run(again.card.provenance["run"])
    assert run.data.tags["judged_on"] == "out of fold"
    assert run.data.params["hold_out"] == "0.0"


def test_an_auc_that_cannot_be_known_promotes_nobody(tmp_path):
    with pytest.raises(ModelRefused, match="AUC nan"):
        training._require_fit_to_serve(tmp_path, {"auc": float("nan"), "monotone_violations": 0.0})


def test_of_all_warnings_only_the_one_on_progress_bars_is_silenced():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        _mlflow()
        warnings.warn("IProgress not found. Please update jupyter and ipywidgets.", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert [str(one.message) for one in seen] == ["something else"]
