"""The record of every training in MLflow: what went in, what came out, and which version serves.

MLflow keeps the story and a copy of the artefact; what a service trusts is the signed manifest in the model store.
"""

from __future__ import annotations

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
        mlflow.log_input(
            mlflow.data.from_pandas(frame, source=source, targets="bad", name=card.card.name, digest=digest), "training"
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
        registered = mlflow.register_model(logged.model_uri, name, tags={"card_version": card.version})
        client.set_registered_model_alias(name, CHAMPION, registered.version)
        return str(registered.version)


def _shape(card: FittedCard) -> dict[str, Any]:
    return {**asdict(card.model.size_), "trees": card.model.trees_, "inner_folds": card.model.inner_folds}


def _mlflow() -> Any:
    # Both words switch off calls home; they have to be set before MLflow is first imported.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_DISABLE_AUTOLOGGING", "true")
    import mlflow
    import mlflow.data
    import mlflow.pyfunc

    return mlflow
