"""The record of every training in MLflow: what went in, what came out, and which version serves.

MLflow keeps the story and a copy of the artefact; what a service trusts is the signed manifest in the model store.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from matplotlib.figure import Figure

from models.fitted_card import FittedCard
from training.cohort import Cohort
from training.fitting import probe_rows
from training.parts_frame import parts_frame
from training.principals import TRAINED_BY

CHAMPION, CHALLENGER = "champion", "challenger"
"""The aliases of the version that serves, and of the newest that was trained to take its place."""
VALIDATION, LATER_VALIDATION = "validation", "validation_later"
"""The tags of a registered version that hold the verdicts on its own cases and, the latest one, on later cases."""
HOME = "REPAYRANK_HOME"
EXAMPLE_ROWS = 5
DAYS_LISTED = 12
"""Observation dates that a parameter lists; of more it tells the first and the last, and a file of the run has all."""
REQUIRED = ("lightgbm", "numpy", "polars", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Tracker:
    """An MLflow store under a folder: SQLite for the records, files beside it for the artefacts."""

    root: Path

    @property
    def uri(self) -> str:
        """Return the address to give to `mlflow ui --backend-store-uri`."""
        return f"sqlite:///{(self.root / 'mlflow.db').resolve()}"

    @property
    def client(self) -> Any:
        """MLflow's client of this store."""
        return _mlflow().MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment(self, card: str) -> str:
        """Return the id of the card's experiment in this store, which MLflow writes to from now on."""
        mlflow = _mlflow()
        self.root.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.uri)
        name = _registered_name(card)
        experiment = mlflow.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        location = (self.root / "artifacts" / name).resolve().as_uri()
        return str(mlflow.create_experiment(name, artifact_location=location))

    @contextmanager
    def run(self, card: str, tags: Mapping[str, str] | None = None) -> Iterator[str]:
        """Open a run in the card's experiment; yield its id."""
        with _mlflow().start_run(experiment_id=self.experiment(card), tags=dict(tags or {})) as active:
            yield str(active.info.run_id)

    def record(
        self,
        card: FittedCard,
        cohort: Cohort,
        artefact: Path,
        *,
        metrics: Mapping[str, float],
        judged_on: str,
        hold_out: float,
        figures: Mapping[str, Figure],
        source: str,
    ) -> str:
        """Log a fitted card in the open run and register it; return the registered version.

        Parameters
        ----------
        cohort : what the card was fitted on, with its helpers
        artefact : the card's folder in the model store
        judged_on, hold_out : which loans the metrics are of, and the share that was kept from the fit
        """
        mlflow = _mlflow()
        mlflow.log_params({**_shape(card), **_sample(card, cohort), "hold_out": hold_out})
        mlflow.log_dict({"observed_on": list(card.reference["observed_on"])}, "observed_on.json")
        mlflow.log_metrics(dict(metrics))
        mlflow.set_tags(
            {
                "card": card.card.name,
                "card_version": card.version,
                "fingerprint": card.fingerprint,
                "data_sha256": str(card.reference["values_sha256"]),
                "calibration": card.model.calibration_.kind,
                "judged_on": judged_on,
                TRAINED_BY: str(card.provenance.get(TRAINED_BY, "")),
                **({"parameters_sha256": chosen} if (chosen := card.provenance.get("parameters_sha256")) else {}),
            }
        )
        example = _example(card)
        digest = str(card.reference["values_sha256"])[:36]
        frame = cohort.matrix.frame().drop("loan_id", "observed_on").to_pandas().assign(bad=cohort.bad)
        origin = mlflow.data.code_dataset_source.CodeDatasetSource(tags={"source": source})
        mlflow.log_input(
            mlflow.data.from_pandas(frame, source=origin, targets="bad", name=card.card.name, digest=digest), "training"
        )
        for name, figure in figures.items():
            mlflow.log_figure(figure, f"plots/{name}.png")
        mlflow.log_artifacts(str(artefact), "card")
        # MLflow loads what it has logged, to see that the example can be scored.
        with _home(artefact.parents[2]):
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(__file__).with_name("pyfunc_model.py")),
                artifacts={"card": str(artefact)},
                signature=mlflow.models.infer_signature(example, parts_frame(card, example.to_numpy(dtype=np.float64))),
                input_example=example,
                pip_requirements=[
                    f"repayrank=={installed('repayrank')}",
                    *(f"{name}=={installed(name)}" for name in REQUIRED),
                ],
            )
        client = mlflow.MlflowClient()
        name = _registered_name(card.card.name)
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=card.card.title.en)
        registered = client.create_model_version(
            name, logged.model_uri, run_id=logged.run_id, model_id=logged.model_id, tags={"card_version": card.version}
        )
        return str(registered.version)

    @contextmanager
    def validation(self, card: str, trained: str) -> Iterator[str]:
        """Open a run for a validation, under the run that trained the version where it is still known; yield its id."""
        known = bool(trained) and _has_run(self.client, trained)
        tags = {"kind": "validation", "trained_run": trained}
        with self.run(card, tags | ({"mlflow.parentRunId": trained} if known else {})) as run:
            yield run

    def record_validation(
        self,
        card: str,
        version: str,
        *,
        verdict: str,
        own: bool,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Sequence[Path],
    ) -> str | None:
        """Log a validation in the open run and tag the registered version with its verdict; return that version.

        None where the registry does not know the version: it was trained elsewhere.

        Parameters
        ----------
        own : it was judged on its own cases; a verdict on later ones has a tag of its own
        """
        mlflow = _mlflow()
        mlflow.log_params(dict(params))
        mlflow.log_metrics(dict(metrics))
        mlflow.set_tags({**tags, "verdict": verdict})
        for path in files:
            mlflow.log_artifact(str(path), "validation")
        client = mlflow.MlflowClient()
        registered = self.registered(card, version)
        if registered is not None:
            tag = VALIDATION if own else LATER_VALIDATION
            client.set_model_version_tag(_registered_name(card), registered, tag, verdict)
        return registered

    def record_promotion(
        self,
        card: str,
        *,
        kind: str,
        trained: str,
        tags: Mapping[str, str],
        files: Sequence[Path],
        tables: Mapping[str, pl.DataFrame],
    ) -> None:
        """Log a change of the champion as a run of its own; one that is there and finished is not logged again.

        Parameters
        ----------
        trained : the run that trained the version
        tags : what is told; `record_sha256` names the change
        tables : by name, shown as tables of the run
        """
        mlflow = _mlflow()
        wanted = f"tags.record_sha256 = '{tags['record_sha256']}' and attributes.status = 'FINISHED'"
        if self.client.search_runs([self.experiment(card)], wanted):
            return
        parent = {"mlflow.parentRunId": trained} if trained and _has_run(self.client, trained) else {}
        with self.run(card, {"kind": kind, **tags, **parent}):
            for path in files:
                mlflow.log_artifact(str(path), "promotion")
            for name, frame in tables.items():
                mlflow.log_table(frame.to_pandas(), f"promotion/{name}_table.json")

    def mirror(self, card: str, version: str) -> bool:
        """Give the version that serves the champion's alias, and say whether the registry knows it.

        A challenger that serves is none any more.
        """
        registered = self.registered(card, version)
        if registered is None:
            return False
        self.alias(card, registered)
        name = _registered_name(card)
        aliases = self.client.get_registered_model(name).aliases
        if str(aliases.get(CHALLENGER)) == registered:
            self.client.delete_registered_model_alias(name, CHALLENGER)
        return True

    def registered(self, card: str, version: str) -> str | None:
        """Return the registered version that is a card's version; None where it was trained elsewhere."""
        found = self.client.search_model_versions(f"name = '{_registered_name(card)}'")
        return next((str(one.version) for one in found if one.tags.get("card_version") == version), None)

    def alias(self, card: str, registered: str, alias: str = CHAMPION) -> None:
        """Give a registered version of a card a name in the registry, by default that of the champion."""
        self.client.set_registered_model_alias(_registered_name(card), alias, registered)


def _has_run(client: Any, run: str) -> bool:
    try:
        client.get_run(run)
    except _mlflow().MlflowException:
        return False
    return True


def _registered_name(card: str) -> str:
    return f"repayrank-{card}"


def _shape(card: FittedCard) -> dict[str, Any]:
    return {**asdict(card.model.size_), "trees": card.model.trees_, "inner_folds": card.model.inner_folds}


def _sample(card: FittedCard, cohort: Cohort) -> dict[str, Any]:
    helpers = 0 if cohort.helpers is None else len(cohort.helpers)
    return {
        "seed": card.provenance.get("seed", 0),
        "features": len(card.catalog),
        **_days(card.reference["observed_on"]),
        "helpers": helpers,
        "helper_weight": card.card.helper_weight if helpers else 0.0,
    }


def _days(days: Sequence[str]) -> dict[str, Any]:
    """Return the observation dates as one parameter holds them: all of a few, or the first, the last and how many."""
    if len(days) <= DAYS_LISTED:
        return {"as_of": ", ".join(days), "as_of_count": len(days)}
    return {"as_of": f"{days[0]} to {days[-1]}", "as_of_count": len(days)}


def _example(card: FittedCard) -> pd.DataFrame:
    """Return made-up borrowers' features: an example is shown to whoever can see the registry."""
    rows = probe_rows(card.catalog).frame().drop("loan_id", "observed_on")
    return rows.filter(pl.any_horizontal(pl.all().is_not_null())).head(EXAMPLE_ROWS).to_pandas()


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    before = os.environ.get(HOME)
    os.environ[HOME] = str(folder.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ[HOME]
        else:
            os.environ[HOME] = before


def _mlflow() -> Any:
    # The word switches off calls home; it has to be set before MLflow is first imported.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # In a notebook without ipywidgets, said once by the progress bars that are off anyhow.
    warnings.filterwarnings("ignore", message="IProgress not found")
    import mlflow
    import mlflow.data.code_dataset_source
    import mlflow.pyfunc

    # It tells of tables created and examples validated; what a reader wants to know, we say ourselves.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return mlflow
