"""A tuning is the same however often it is stopped, all of it is on record, and it says when it was not worth it.

REPAYRANK_TUNING_KILLS sets how many times the search is killed; a release asks for 40.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sqlite3
import time
import tomllib
from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tuning_worker import work

from features.errors import UsageError
from models.cards import card_of
from training.cohort import Cohort
from training.fitting import fit
from training.tracking import Tracker
from training.train import train
from training.tuning.record import GIVEN_UP, JUDGED, NUMBER, PARENT, SEARCH, STATE
from training.tuning.result import chosen
from training.tuning.space import defaults, size_of
from training.tuning.splits import nested
from training.tuning.study import DATABASE, LEAST_TO_COMPARE, Finished, finished, opened
from training.tuning.trials import Ground
from training.tuning.tune import Outcome, tune

KILLS = int(os.environ.get("REPAYRANK_TUNING_KILLS", "3"))
SEED = int(os.environ.get("REPAYRANK_TUNING_SEED", "0"))
NEVER = datetime(1970, 1, 1)  # noqa: DTZ001 - as Optuna has it, without a zone
TRIALS, FOLDS = 14, 2


@pytest.fixture(scope="module")
def whole(overdue) -> Cohort:
    """A few of the overdue loans, and a few that help them."""
    helpers = overdue.helpers.rows(np.arange(0, len(overdue.helpers), 40))
    return replace(overdue, helpers=helpers).rows(np.arange(0, len(overdue), 10))


@pytest.fixture(scope="module")
def empty_mlflow(tmp_path_factory) -> Path:
    """MLflow's tables, whose making takes as long as a small search."""
    folder = tmp_path_factory.mktemp("mlflow")
    Tracker(folder).experiment("none")
    return folder / "mlflow.db"


def new_home(folder: Path, empty_mlflow: Path) -> Path:
    (folder / "mlflow").mkdir(parents=True)
    shutil.copy(empty_mlflow, folder / "mlflow" / "mlflow.db")
    return folder


def tuned(whole: Cohort, home: Path, trials: int = TRIALS, **others: object) -> Outcome:
    return tune(whole, home, portfolio="made for tests", source="tests", trials=trials, folds=FOLDS, **others)


@pytest.fixture(scope="module")
def home(tmp_path_factory, empty_mlflow) -> Path:
    return new_home(tmp_path_factory.mktemp("tuned") / "home", empty_mlflow)


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def outcome(whole, home, said) -> Outcome:
    """A search that nobody stops."""
    return tuned(whole, home, say=said.append)


def trials_of(home: Path) -> list[Finished]:
    (database,) = (home / "tuning" / "collection").glob(f"*/{DATABASE}")
    with opened(database.parent) as study:
        return finished(study)


def without_times(trials: list[Finished]) -> list[Finished]:
    return [replace(one, began=NEVER, ended=NEVER) for one in trials]


def runs_of(home: Path) -> tuple[object, list[object]]:
    """Return the run of the one search in a home, and those of its trials."""
    tracker = Tracker(home / "mlflow")
    experiments = [tracker.experiment("collection")]
    (parent,) = tracker.client.search_runs(experiments, f"tags.{SEARCH} LIKE '%'")
    return parent, list(tracker.client.search_runs(experiments, f"tags.`{PARENT}` = '{parent.info.run_id}'"))


def test_the_default_sizes_are_tried_first_and_never_given_up(outcome, home, whole):
    first = trials_of(home)[: len(defaults(len(whole)))]
    assert [one.size for one in first] == [size_of(one) for one in defaults(len(whole))]
    assert all(one.value is not None for one in first)
    assert outcome.tuned.provenance["value"] >= max(one.value for one in first)


def test_the_best_of_the_trials_is_what_the_file_chooses(outcome, home, whole):
    best = max((one for one in trials_of(home) if one.value is not None), key=lambda one: one.value)
    assert outcome.best[0].number == best.number
    assert chosen(outcome.path, "collection").size == best.size
    told = tomllib.loads(outcome.path.read_text())
    assert told["size"] == asdict(best.size)
    assert told["tuned"]["trials"] == TRIALS
    assert fit(whole, sizes=(chosen(outcome.path, "collection").size,)).size_ == best.size


def test_a_trial_is_given_up_only_below_the_median_of_finished_ones_on_the_same_splits(outcome, home):
    done = trials_of(home)
    given_up = [one for one in done if one.value is None]
    assert given_up, "the fixture must give up a trial"
    assert outcome.tuned.provenance["given_up"] == len(given_up)
    for one in done:
        before = [other for other in done[: one.number - 1] if other.value is not None]
        for step, gini in enumerate(one.ginis[: FOLDS - 1], start=1):
            below = len(before) >= LEAST_TO_COMPARE and gini < np.median([other.ginis[step - 1] for other in before])
            assert (below and one.number > len(defaults(1))) == (one.value is None and step == len(one.ginis))


def test_mlflow_has_the_search_and_under_it_every_trial_with_what_became_of_it(outcome, home):
    parent, runs = runs_of(home)
    done = trials_of(home)
    by_number = {int(run.data.tags[NUMBER]): run for run in runs}
    assert sorted(by_number) == [one.number for one in done]
    for one in done:
        run = by_number[one.number]
        assert run.data.tags[STATE] == (GIVEN_UP if one.value is None else JUDGED)
        assert run.data.metrics.get("objective") == one.value
        assert run.data.params == {name: str(value) for name, value in asdict(one.size).items()}
        assert run.data.metrics["splits_judged"] == len(one.ginis)
    assert parent.info.status == "FINISHED"
    assert parent.data.params["data_sha256"] == outcome.tuned.provenance["data_sha256"]
    assert parent.inputs.dataset_inputs
    client = Tracker(home / "mlflow").client
    assert {"parameters.toml", "best_trials.json", "importance.json", "plots"} <= {
        file.path for file in client.list_artifacts(parent.info.run_id)
    }
    assert client.get_metric_history(parent.info.run_id, "best_objective")[-1].value == outcome.best[0].value


def test_nothing_that_tuning_writes_names_a_borrower(outcome, home, whole):
    ids = [str(loan).encode() for loan in whole.matrix.cases.get_column("loan_id")[:50]]
    written = [path for part in ("tuning", "mlflow/artifacts") for path in (home / part).rglob("*") if path.is_file()]
    assert len(written) > 5
    written.append(home / "mlflow" / "mlflow.db")
    assert not [path for path in written for loan in ids if loan in path.read_bytes()]


def test_it_tells_how_long_it_will_take_and_in_the_end_whether_it_was_worth_it(outcome, said, whole):
    told = [line for line in said if line.startswith("trial ")]
    assert len(told) == TRIALS
    assert all(line.endswith(" left") for line in told)
    verdict = outcome.tuned.verdict
    assert verdict.cases + outcome.tuned.provenance["cases"] == len(whole)
    assert verdict.words in tomllib.loads(outcome.path.read_text())["judged"]["words"]
    assert verdict.gained == (verdict.difference.low > 0)


def test_more_trials_go_on_where_fewer_ended_and_another_book_is_another_search(
    outcome, whole, home, tmp_path, empty_mlflow
):
    other = new_home(tmp_path / "home", empty_mlflow)
    assert tuned(whole, other, trials=3).tuned.provenance["judged_after_trials"] == [3]
    more = tuned(whole, other, trials=6)
    assert more.tuned.provenance["judged_after_trials"] == [3, 6]
    assert without_times(trials_of(other)) == without_times(trials_of(home))[:6]
    with pytest.raises(UsageError, match="no trial was finished"):
        tuned(whole.rows(np.arange(1, len(whole))), other, seconds=0)
    assert len([path for path in more.path.parent.iterdir() if path.is_dir()]) == 2
    assert chosen(more.path, "collection").size == more.tuned.size


def test_what_a_trial_comes_to_does_not_depend_on_how_many_splits_are_worked_on_at_a_time(outcome, whole):
    cut = nested(whole, folds=4)
    size = size_of(outcome.best[0].parameters)
    one, many = (Ground(cut.tuned_on, cut.among, 0, threads) for threads in (1, 4))
    assert one.trial(size) == many.trial(size)
    given_up = one.trial(size, lambda step, _: step == 2)
    assert given_up == many.trial(size, lambda step, _: step == 2)
    assert given_up.judged is None
    assert given_up.ginis == one.trial(size).ginis[:2]


def test_two_processes_never_work_on_one_search(outcome, home, whole):
    (database,) = (home / "tuning" / "collection").glob(f"*/{DATABASE}")
    with opened(database.parent), pytest.raises(UsageError, match="another process is at work on this search"):
        tuned(whole, home)


def test_a_card_trained_with_the_file_has_its_size_and_says_so(outcome, taiwan, overdue, whole, home):
    loans = whole.matrix.cases.get_column("loan_id").cast(pl.String)
    book = replace(
        taiwan,
        tables=taiwan.tables.of_loans(loans),
        outcomes=taiwan.outcomes.filter(pl.col("loan_id").cast(pl.String).is_in(loans.implode())),
    )
    file = chosen(outcome.path, "collection")
    said: list[str] = []
    trained = train(book, card_of(book, "collection"), home, parameters=file, say=said.append)
    run = Tracker(home / "mlflow").client.get_run(trained.card.provenance["run"])
    assert {name: run.data.params[name] for name in asdict(file.size)} == {
        name: str(value) for name, value in asdict(file.size).items()
    }
    assert trained.card.provenance["parameters_sha256"] == run.data.tags["parameters_sha256"] == file.sha256
    assert any("tuned on another book" in line and outcome.tuned.verdict.words in line for line in said)


def test_a_search_that_is_killed_again_and_again_does_the_same_trials_once_each(
    outcome, whole, home, tmp_path, empty_mlflow
):
    chance = random.Random(SEED)
    other = new_home(tmp_path / "home", empty_mlflow)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tuning_worker", "mlflow"])
    for _ in range(KILLS):
        worker = context.Process(target=work, args=(whole, other, TRIALS, FOLDS))
        worker.start()
        _wait_for_trials(other, chance.randrange(3), worker)
        time.sleep(chance.random())
        worker.kill()
        worker.join()
    tuned(whole, other)
    assert without_times(trials_of(other)) == without_times(trials_of(home))
    parent, runs = runs_of(other)
    assert Counter(run.data.tags[NUMBER] for run in runs) == {str(number): 1 for number in range(1, TRIALS + 1)}
    assert {run.info.status for run in (parent, *runs)} == {"FINISHED"}


def _wait_for_trials(home: Path, more: int, worker: multiprocessing.process.BaseProcess) -> None:
    """Wait until a search has done so many trials more than when the wait began."""
    before, end = _count(home), time.monotonic() + 60
    while _count(home) < before + more and worker.is_alive():
        assert time.monotonic() < end, "the worker does no trial"
        time.sleep(0.02)


def _count(home: Path) -> int:
    found = list((home / "tuning").rglob(DATABASE))
    if not found:
        return 0
    with sqlite3.connect(f"file:{found[0]}?mode=ro", uri=True) as database:
        try:
            return database.execute("select count(*) from trials where state in ('COMPLETE', 'PRUNED')").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
        finally:
            database.rollback()
