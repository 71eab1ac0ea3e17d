"""The card as an MLflow model, for tools that speak `mlflow.pyfunc`: feature values in, scores and parts out.

MLflow stores this file as text and runs it on load; the model itself is the verified artefact, and nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from cryptography.hazmat.primitives import serialization
from mlflow.pyfunc import PythonModel

from models import artefact
from training.parts_frame import parts_frame


class CardModel(PythonModel):  # type: ignore[misc]
    """Loads the signed artefact and scores feature frames."""

    def load_context(self, context: Any) -> None:
        """Verify and load the artefact; keys are those that were trusted when the model was logged."""
        keys = [
            serialization.load_pem_public_key(path.read_bytes())
            for path in sorted(Path(context.artifacts["keys"]).glob("*.pem"))
        ]
        self.card = artefact.load(Path(context.artifacts["card"]), keys)  # type: ignore[arg-type]

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return the answer for a frame with one Float64 column per feature."""
        values = model_input[list(self.card.catalog.names)].to_numpy(dtype=np.float64)
        return parts_frame(self.card, values)


mlflow.models.set_model(CardModel())
