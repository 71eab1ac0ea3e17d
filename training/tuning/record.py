"""The record of a tuning in MLflow: one run for the search, and under it one for each trial.

The database of the search is what counts; this is its picture. Each entry is found again by its search and its number,
so a record that was cut short is made whole when the search goes on, and nothing is in it twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from matplotlib.figure import Figure

from training.tracking import Tracker
from training.tuning.result import FILE, Tuned
from training.tuning.study import Finished

SEARCH, NUMBER, STATE = "tuning", "trial", "trial_state"
JUDGED, GIVEN_UP = "judged", "given up"
PARENT, NAME = "mlflow.parentRunId", "mlflow.runName"
RUNNING, DONE, STOPPED = "RUNNING", "FINISHED", "KILLED"
MOST_RUNS = 1_000
DIGEST = 36
"""Letters of a digest that MLflow has room for."""
MILLISECONDS = 1_000


@dataclass(frozen=True)
class TuningRecord:
    """The runs of one search in the experiment of its card."""

    client: Any
    experiment: str
    parent: str

    def trial(self, done: Finished) -> None:
        """Write a trial's run, unless it is there and whole."""
        found = list(self._trials(f" and tags.`{NUMBER}` = '{done.number}'"))
        if any(run.info.status == DONE for run in found):
            return
        for run in found:
            self.client.delete_run(run.info.run_id)
        self._write(done)

    def trials(self, done: Sequence[Finished]) -> None:
        """Write the runs of all trials that have none: those that the last interruption kept from being written."""
        written = {run.data.tags[NUMBER] for run in self._trials() if run.info.status == DONE}
        for one in done:
            if str(one.number) not in written:
                self.trial(one)

    def dataset(self, name: str, sha256: str, source: str, cases: int) -> None:
        """Say on which data the search is; MLflow keeps one entry of it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entry = Dataset(
            name,
            sha256[:DIGEST],
            "code",
            json.dumps({"tags": {"source": source}}),
            profile=json.dumps({"num_rows": cases}),
        )
        self.client.log_inputs(self.parent, [DatasetInput(entry, [InputTag("mlflow.data.context", "tuning")])])

    def _trials(self, further: str = "") -> Iterator[Any]:
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment],
                f"tags.`{PARENT}` = '{self.parent}'{further}",
                max_results=MOST_RUNS,
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _write(self, done: Finished) -> None:
        from mlflow.entities import Metric, Param

        state = GIVEN_UP if done.value is None else JUDGED
        ended = _milliseconds(done.ended)
        run = self.client.create_run(
            self.experiment,
            start_time=_milliseconds(done.began),
            tags={PARENT: self.parent, NAME: f"trial {done.number}", NUMBER: str(done.number), STATE: state},
        ).info.run_id
        figures = {
            "objective": done.value,
            "gini": done.gini,
            "slope_per_week": done.slope,
            "spread": done.spread,
            "trees": float(done.trees),
            "log_loss": done.log_loss,
            "splits_judged": float(len(done.ginis)),
            "seconds": (done.ended - done.began).total_seconds(),
        }
        metrics = [Metric(name, value, ended, 0) for name, value in figures.items() if value is not None]
        metrics += [Metric("gini_so_far", gini, ended, step) for step, gini in enumerate(done.ginis, start=1)]
        metrics += [Metric("gini_of_part", gini, ended, part) for part, gini in enumerate(done.parts)]
        parameters = [Param(name, str(value)) for name, value in asdict(done.size).items()]
        self.client.log_batch(run, metrics=metrics, params=parameters)
        self.client.set_terminated(run, DONE, end_time=ended)

    def result(
        self,
        tuned: Tuned,
        *,
        table: Sequence[Mapping[str, Any]],
        importance: Mapping[str, float],
        figures: Mapping[str, Figure],
        done: Sequence[Finished],
    ) -> None:
        """Write the outcome into the search's own run.

        Parameters
        ----------
        table : the best trials, a row each
        importance : the share of each parameter in what moved the objective
        done : all trials, for the course of the best objective
        """
        from mlflow.entities import Metric

        client = self.client
        client.log_text(self.parent, tuned.toml, FILE)
        client.log_dict(self.parent, {"trials": list(table)}, "best_trials.json")
        client.log_dict(self.parent, dict(importance), "importance.json")
        for name, figure in figures.items():
            client.log_figure(self.parent, figure, f"plots/{name}.png")
        verdict = tuned.verdict
        told = {
            "auc_set_apart": verdict.auc,
            "auc_set_apart_default": verdict.default_auc,
            "auc_against_default": verdict.difference.auc,
            "auc_against_default_low": verdict.difference.low,
            "auc_against_default_high": verdict.difference.high,
            "cases_set_apart": float(verdict.cases),
            "trials": float(len(done)),
        }
        metrics = [Metric(name, value, _milliseconds(done[-1].ended), 0) for name, value in told.items()]
        metrics += [
            Metric("best_objective", best, _milliseconds(one.ended), one.number)
            for one, best in zip(done, best_so_far(done), strict=True)
            if best is not None
        ]
        client.log_batch(self.parent, metrics=metrics)
        client.set_tag(self.parent, "verdict", verdict.words)


def best_so_far(done: Sequence[Finished]) -> list[float | None]:
    """Return the best objective after each trial; None until one was not given up."""
    best: list[float | None] = []
    for one in done:
        values = [value for value in (*best[-1:], one.value) if value is not None]
        best.append(max(values, default=None))
    return best


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * MILLISECONDS)


@contextmanager
def recorded(
    tracker: Tracker, card: str, search: str, *, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[TuningRecord]:
    """Open the run of a search, the same one whenever it goes on; it is finished when the work is, else stopped."""
    experiment, client = tracker.experiment(card), tracker.client
    from mlflow.entities import Param

    found = client.search_runs([experiment], f"tags.{SEARCH} = '{search}'", order_by=["attributes.start_time ASC"])
    if found:
        run = found[0].info.run_id
        client.update_run(run, status=RUNNING)
    else:
        named = {NAME: f"tuning {search}", SEARCH: search, "card": card, **tags}
        run = client.create_run(experiment, tags=named).info.run_id
    client.log_batch(run, params=[Param(name, str(value)) for name, value in parameters.items()])
    try:
        yield TuningRecord(client, experiment, run)
    except BaseException:
        client.set_terminated(run, STOPPED)
        raise
    client.set_terminated(run, DONE)
