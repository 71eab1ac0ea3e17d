"""How good a card is, judged on loans it has not seen: the same folds for us and for whatever we are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from models.attribution import attribute
from models.risk_model import Floats
from training.cohort import Cohort
from training.fitting import catalog_of, fit
from training.metrics import performance
from training.monotonicity import monotone_violations

Told = Callable[[str], None]


def folds(cohort: Cohort, count: int, seed: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Yield stratified, shuffled folds: positions to fit on, positions to judge on."""
    yield from StratifiedKFold(count, shuffle=True, random_state=seed).split(cohort.matrix.values, cohort.bad)


def evaluate(
    cohort: Cohort,
    *,
    count: int = 5,
    seed: int = 0,
    separable: bool = True,
    monotone: bool = True,
    say: Told = lambda _: None,
) -> dict[str, Any]:
    """Return out-of-fold figures of our card, each fold fitted through the same function as `train`.

    Returns
    -------
    rows, base_rate, features; auc, ks, brier, log_loss as means over folds and auc_sd as their standard deviation;
    additivity_error, the largest over all rows; monotone_violations, the sum over folds
    """
    seen: list[dict[str, float]] = []
    errors, violations = [], 0
    for number, (fit_on, judge_on) in enumerate(folds(cohort, count, seed), start=1):
        model = fit(cohort.rows(fit_on), seed=seed, separable=separable, monotone=monotone)
        values, bad = cohort.matrix.values[judge_on], cohort.bad[judge_on]
        told = attribute(model, catalog_of(cohort), values)
        seen.append(performance(bad, told.log_odds, model.calibration_.probability(told.log_odds)))
        errors.append(told.error)
        violations += monotone_violations(model, values)
        say(f"fold {number} of {count}: AUC {seen[-1]['auc']:.4f}, {model.trees_} trees, {model.calibration_.kind}")
    return {
        **_summary(cohort, seen),
        "additivity_error": max(errors),
        "monotone_violations": violations,
    }


def _summary(cohort: Cohort, seen: list[dict[str, float]]) -> dict[str, Any]:
    means = {name: float(np.mean([one[name] for one in seen])) for name in ("auc", "ks", "brier", "log_loss")}
    return {
        "rows": len(cohort),
        "base_rate": float(cohort.bad.mean()),
        "features": len(cohort.matrix.features),
        "auc": means["auc"],
        "auc_sd": float(np.std([one["auc"] for one in seen])),
        **{name: value for name, value in means.items() if name != "auc"},
    }


def compare(
    cohort: Cohort, others: Mapping[str, Callable[[], Any]], *, count: int, seed: int, say: Told = lambda _: None
) -> dict[str, dict[str, Any]]:
    """Return the same figures, on the same folds and features, for other models.

    Parameters
    ----------
    others : name -> function that returns an unfitted scikit-learn classifier
    """
    return {name: _judge(cohort, name, make, count, seed, say) for name, make in others.items()}


def _judge(cohort: Cohort, name: str, make: Callable[[], Any], count: int, seed: int, say: Told) -> dict[str, Any]:
    seen = []
    for number, (fit_on, judge_on) in enumerate(folds(cohort, count, seed), start=1):
        model = make().fit(cohort.matrix.values[fit_on], cohort.bad[fit_on])
        probability: Floats = np.asarray(model.predict_proba(cohort.matrix.values[judge_on]))[:, 1]
        # Log-odds and probability order loans alike; the metrics need only the order.
        seen.append(performance(cohort.bad[judge_on], probability, probability))
        say(f"{name}, fold {number} of {count}: AUC {seen[-1]['auc']:.4f}")
    return _summary(cohort, seen)
