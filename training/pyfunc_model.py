"""The card as an MLflow model, for tools that speak `mlflow.pyfunc`: feature values in, scores and parts out.

MLflow stores this file as text and runs it on load; the model itself is the verified artefact, and nothing is pickled.
The keys that vouch for it are those of the model store that `REPAYRANK_HOME` names, never ones that lie beside it. As
MLflow runs the stored file, load only from a registry whose writers may run code here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

from features.errors import ConfigurationRefused
from models import artefact
from models.store import ModelStore
from training.parts_frame import parts_frame

HOME, DEFAULT_HOME = "REPAYRANK_HOME", ".repayrank"


class CardModel(PythonModel):  # type: ignore[misc]
    """Loads the signed artefact and scores feature frames."""

    def load_context(self, context: Any) -> None:
        """Verify and load the artefact, with the keys that the lender's own model store trusts.

        Raises
        ------
        ConfigurationRefused : there is no store, or it trusts no key
        ModelRefused : none of its keys signed this artefact, or the artefact was changed
        """
        home = Path(os.environ.get(HOME, DEFAULT_HOME))
        keys = ModelStore(home).trusted_keys()
        if not keys:
            raise ConfigurationRefused(
                "no trusted keys",
                where=f"{home.resolve() / 'keys' / 'trusted'} ({HOME} is {os.environ.get(HOME, 'not set')})",
                expected="the model store whose keys vouch for this model",
                do=f"set {HOME} to the lender's model store, or run in the folder that holds {DEFAULT_HOME}",
            )
        self.card = artefact.load(Path(context.artifacts["card"]), keys)

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return the answer for a frame with one Float64 column per feature."""
        values = model_input[list(self.card.catalog.names)].to_numpy(dtype=np.float64)
        return parts_frame(self.card, values)


mlflow.models.set_model(CardModel())
