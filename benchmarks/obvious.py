"""The services of the comparison, written as one would at first: pandas, a scikit-learn pipeline and shap per request.

MODEL.txt, features.json : the same trees and the names of their features, in the folder that MADE_MODEL names
"""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import shap

REASONS = 5
MODEL, NAMES, FOLDER = "model.txt", "features.json", "MADE_MODEL"


class Scorer:
    """Score and five reasons for a frame of features."""

    def __init__(self, folder: Path) -> None:
        self.booster = lgb.Booster(model_file=folder / MODEL)
        self.names = json.loads((folder / NAMES).read_text())
        self.explainer = shap.TreeExplainer(self.booster)

    def answer(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Return log-odds, probability and the largest contributions of each row."""
        frame = frame[self.names].astype(float)
        odds = self.booster.predict(frame, raw_score=True)
        moved = self.explainer.shap_values(frame)
        moved = moved[1] if isinstance(moved, list) else moved
        order = np.argsort(-np.abs(moved), axis=1)[:, :REASONS]
        return [
            {
                "log_odds": float(score),
                "probability": float(1 / (1 + np.exp(-score))),
                "reasons": [{"feature": self.names[column], "contribution": float(row[column])} for column in places],
            }
            for score, row, places in zip(odds, moved, order, strict=True)
        ]


class Pipeline(Scorer):
    """The same with a scikit-learn pipeline before the trees, as a training notebook leaves it behind."""

    def __init__(self, folder: Path) -> None:
        from sklearn.base import BaseEstimator, ClassifierMixin
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import Pipeline as Steps

        super().__init__(folder)
        booster = self.booster

        class Trees(ClassifierMixin, BaseEstimator):
            """The trees as an estimator."""

            def fit(self, X: Any, y: Any) -> Trees:
                self.classes_ = np.unique(y)
                return self

            def predict_proba(self, X: Any) -> np.ndarray:
                bad = booster.predict(np.asarray(X, dtype=float))
                return np.column_stack([1 - bad, bad])

        columns = ColumnTransformer([("features", "passthrough", self.names)])
        some = pd.DataFrame(np.zeros((2, len(self.names))), columns=self.names)
        self.steps = Steps([("columns", columns), ("trees", Trees())]).fit(some, [0, 1])

    def answer(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the same answer, the probability through the pipeline."""
        told = super().answer(frame)
        for row, bad in zip(told, self.steps.predict_proba(frame[self.names])[:, 1], strict=True):
            row["probability"] = float(bad)
        return told


def features_of_request(tables: dict[str, list[dict[str, Any]]], day: date) -> pd.DataFrame:
    """Return the features of the loans in a request, by the pandas code of the comparison of features."""
    from benchmarks import pandas_features

    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return pandas_features.of_frames(frames, day)


def folder() -> Path:
    """Return where the trees are."""
    return Path(os.environ[FOLDER])
