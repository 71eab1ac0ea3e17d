"""The record of every training in MLflow: what went in, what came out, and which version serves.

MLflow keeps the story and a copy of the artefact; what a service trusts is the signed manifest in the model store.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from models.fitted_card import FittedCard
from training.cohort import Cohort
from training.parts_frame import parts_frame

CHAMPION = "champion"
REQUIRED = ("lightgbm", "numpy", "polars", "scikit-learn", "scipy")


@dataclass(frozen=True)
class Tracker:
    """An MLflow store under a folder: SQLite for the records, files beside it for the artefacts."""

    root: Path

    @property
    def uri(self) -> str:
        """Return the address to give to `mlflow ui --backend-store-uri`."""
        return f"sqlite:///{(self.root / 'mlflow.db').resolve()}"

    @contextmanager
    def run(self, card: str) -> Iterator[str]:
        """Open a run in the card's experiment; yield its id."""
        mlflow = _mlflow()
        self.root.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.uri)
        name = f"repayrank-{card}"
        experiment = mlflow.get_experiment_by_name(name)
        identity = (
            mlflow.create_experiment(name, artifact_location=(self.root / "artifacts" / name).resolve().as_uri())
            if experiment is None
            else experiment.experiment_id
        )
        with mlflow.start_run(experiment_id=identity) as active:
            yield str(active.info.run_id)

    def record(
        self,
        card: FittedCard,
        cohort: Cohort,
        artefact: Path,
        *,
        metrics: Mapping[str, float],
        figures: Mapping[str, Figure],
        source: str,
    ) -> str:
        """Log a fitted card in the open run, register it, make it champion there; return the registered version."""
        mlflow = _mlflow()
        mlflow.log_params({**_shape(card), "seed": card.provenance.get("seed", 0), "features": len(card.catalog)})
        mlflow.log_metrics(dict(metrics))
        mlflow.set_tags(
            {
                "card": card.card.name,
                "card_version": card.version,
                "fingerprint": card.fingerprint,
                "data_sha256": str(card.reference["values_sha256"]),
                "calibration": card.model.calibration_.kind,
            }
        )
        example = cohort.matrix.frame().drop("loan_id", "observed_on").head(5).to_pandas()
        digest = str(card.reference["values_sha256"])[:36]
        frame = cohort.matrix.frame().drop("loan_id", "observed_on").to_pandas().assign(bad=cohort.bad)
        origin = mlflow.data.code_dataset_source.CodeDatasetSource(tags={"source": source})
        mlflow.log_input(
            mlflow.data.from_pandas(frame, source=origin, targets="bad", name=card.card.name, digest=digest), "training"
        )
        for name, figure in figures.items():
            mlflow.log_figure(figure, f"plots/{name}.png")
        mlflow.log_artifacts(str(artefact), "card")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"card": str(artefact), "keys": str(artefact.parents[2] / "keys" / "trusted")},
            signature=mlflow.models.infer_signature(example, parts_frame(card, cohort.matrix.values[:5])),
            input_example=example,
            pip_requirements=[
                f"repayrank=={installed('repayrank')}",
                *(f"{name}=={installed(name)}" for name in REQUIRED),
            ],
        )
        client = mlflow.MlflowClient()
        name = f"repayrank-{card.card.name}"
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=card.card.title.en)
        registered = client.create_model_version(
            name, logged.model_uri, run_id=logged.run_id, model_id=logged.model_id, tags={"card_version": card.version}
        )
        client.set_registered_model_alias(name, CHAMPION, registered.version)
        return str(registered.version)


def _shape(card: FittedCard) -> dict[str, Any]:
    return {**asdict(card.model.size_), "trees": card.model.trees_, "inner_folds": card.model.inner_folds}


def _mlflow() -> Any:
    # The word switches off calls home; it has to be set before MLflow is first imported.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import mlflow.data.code_dataset_source
    import mlflow.pyfunc

    # It tells of tables created and examples validated; what a reader wants to know, we say ourselves.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return mlflow
