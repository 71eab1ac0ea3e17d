"""The simple model that a card has to beat: logistic regression on the same features and the same folds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.declaration import Feature
from features.words import Unit
from models.risk_model import Floats, inner_folds
from training.cohort import Cohort
from training.statistics.paired import Difference, auc_difference

NAME = "logistic regression"
MOST_STEPS = 2_000


def logistic(features: tuple[Feature, ...]) -> Any:
    """Return an unfitted logistic regression of the trade's usual making.

    Medians where a value is missing with a mark that it was, one column for each level of a category, scaled.
    """
    categories = [column for column, feature in enumerate(features) if feature.unit is Unit.CATEGORY]
    numbers = [column for column in range(len(features)) if column not in categories]
    return make_pipeline(
        ColumnTransformer(
            [
                (
                    "numbers",
                    make_pipeline(SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
                    numbers,
                ),
                ("levels", OneHotEncoder(handle_unknown="ignore"), categories),
            ],
            sparse_threshold=0,
        ),
        StandardScaler(),
        LogisticRegression(max_iter=MOST_STEPS),
    )


def score_of(model: Any, values: Floats) -> Floats:
    """Return a fitted classifier's log-odds."""
    return np.asarray(model.decision_function(values), dtype=np.float64)


def against_benchmark(cohort: Cohort, out_of_fold: Floats, *, folds: int, seed: int) -> Difference:
    """Return how much a card's out-of-fold scores are better than the benchmark's, on the very same folds.

    Parameters
    ----------
    out_of_fold : raw log-odds of each case from a booster that had not seen it
    folds, seed : those of the card's own inner folds
    """
    values, bad = cohort.matrix.values, cohort.bad
    parts = []
    for fit_on, judge_on in inner_folds(values, bad, cohort.borrowers, folds, seed):
        model = logistic(cohort.matrix.features).fit(values[fit_on], bad[fit_on])
        parts.append((bad[judge_on], out_of_fold[judge_on], score_of(model, values[judge_on])))
    return auc_difference(parts)
