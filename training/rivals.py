"""The models a lender would otherwise use, at sensible settings, to be judged on the same folds as ours."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from features.errors import ConfigurationRefused
from models.risk_model import Floats

NEEDS = {"woe_scorecard": "optbinning", "xgboost": "xgboost", "catboost": "catboost"}


def rivals(seed: int) -> dict[str, Callable[[], Any]]:
    """Return name -> maker of an unfitted classifier.

    Raises
    ------
    ConfigurationRefused : a library of the optional extra is not installed
    """
    absent = [package for package in NEEDS.values() if importlib.util.find_spec(package) is None]
    if absent:
        raise ConfigurationRefused(
            f"not installed: {', '.join(absent)}",
            where="--compare",
            expected="the optional libraries of the extra 'compare'",
            do="install them with: pip install 'repayrank[compare]' -c constraints.txt",
        )
    return {
        "woe_scorecard": WoeScorecard,
        "hist_gradient_boosting": lambda: HistGradientBoostingClassifier(random_state=seed),
        "xgboost": lambda: _xgboost(seed),
        "catboost": lambda: _catboost(seed),
    }


class WoeScorecard(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The trade's usual scorecard: monotone weight-of-evidence bins, then logistic regression.

    Reference: Siddiqi, Intelligent Credit Scoring, 2nd ed. 2017; bins by optbinning (Navas-Palencia 2020).
    """

    def fit(self, X: Floats, y: Any) -> WoeScorecard:
        """Fit bins and regression on cases x features and outcomes."""
        from optbinning import OptimalBinning

        self.classes_ = np.array([False, True])
        # Rising or falling all the way: peaks and valleys cost AUC (0.683 for 0.686 on current Taiwan customers) and
        # take twice the time.
        # Each feature by itself: a BinningProcess also works out statistics that nobody reads.
        said = np.asarray(y, dtype=int)
        self.bins_ = [OptimalBinning(monotonic_trend="auto_asc_desc").fit(column, said) for column in X.T]
        self.regression_ = LogisticRegression(max_iter=1000).fit(self._weights(X), y)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities of the good and the bad outcome."""
        return np.asarray(self.regression_.predict_proba(self._weights(X)))

    def _weights(self, X: Floats) -> Floats:
        """Return the weight of evidence of each value."""
        told = [
            bins.transform(column, metric="woe", metric_missing="empirical")
            for bins, column in zip(self.bins_, X.T, strict=True)
        ]
        return np.column_stack(told)


def _xgboost(seed: int) -> Any:
    import xgboost

    return xgboost.XGBClassifier(
        n_estimators=250,
        learning_rate=0.04,
        max_depth=4,
        subsample=0.8,
        colsample_bytree=0.6,
        random_state=seed,
        n_jobs=1,
    )


def _catboost(seed: int) -> Any:
    import catboost

    return catboost.CatBoostClassifier(
        iterations=250,
        learning_rate=0.06,
        depth=5,
        random_seed=seed,
        verbose=False,
        allow_writing_files=False,
        thread_count=1,
    )
