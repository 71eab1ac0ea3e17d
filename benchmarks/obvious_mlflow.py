"""The obvious model in MLflow: a pyfunc that scores and explains a frame of features."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


class Explained(mlflow.pyfunc.PythonModel):
    """Score and five reasons."""

    def load_context(self, context: Any) -> None:
        """Read the trees."""
        from benchmarks import obvious

        self.scorer = obvious.Scorer(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[dict[str, Any]]:
        """Return one answer per row."""
        return self.scorer.answer(model_input)


def save(model: Path, out: Path) -> None:
    """Save the model for `mlflow models serve`."""
    mlflow.pyfunc.save_model(
        out, python_model=Explained(), artifacts={"model": str(model)}, pip_requirements=["mlflow", "shap", "lightgbm"]
    )


if __name__ == "__main__":
    save(Path(sys.argv[1]), Path(sys.argv[2]))
