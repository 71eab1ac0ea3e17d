"""How good a card is, judged on loans it has not seen: the same splits for us and for what we are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from models.attribution import attribute, distance_from_lightgbm
from models.risk_model import Floats
from training.benchmark import NAME, logistic, score_of
from training.cohort import Cohort, catalog_of
from training.fitting import fit
from training.monotonicity import monotone_violations
from training.splits import Split
from training.statistics.metrics import Bools, performance
from training.statistics.paired import auc_difference
from training.truth import against_truth

Told = Callable[[str], None]


def evaluate(
    cohort: Cohort,
    among: Sequence[Split],
    *,
    seed: int = 0,
    separable: bool = True,
    monotone: bool = True,
    shallow: bool = True,
    truth: pl.DataFrame | None = None,
    say: Told = lambda _: None,
) -> dict[str, Any]:
    """Return figures of our card on loans it has not seen, each split fitted through the same function as `train`.

    Parameters
    ----------
    among : the splits to fit and judge on (`training.splits`)
    truth : a simulated lender's truth about its borrowers; adds `truth` (`training.truth`), the mean over splits

    Returns
    -------
    rows, judged, splits, base_rate, features; auc, ks, brier, log_loss as means over splits and auc_sd as the standard
    deviation of the first, None of a single split; against, the paired difference to logistic regression on the same
    splits; additivity_error, the largest over all rows; monotone_violations, the sum over splits; counts of bad, good
    and indeterminate cases; warnings in words
    """
    seen: list[dict[str, float]] = []
    errors, violations = [], 0
    paired: list[tuple[Bools, Floats, Floats]] = []
    truths: list[dict[str, Any]] = []
    constant: list[float] = []
    for split in among:
        model = fit(cohort.rows(split.fit_on), seed=seed, separable=separable, monotone=monotone, shallow=shallow)
        values, bad = cohort.matrix.values[split.judge_on], cohort.bad[split.judge_on]
        told = attribute(model, catalog_of(cohort), values)
        seen.append(performance(bad, told.log_odds, model.calibration_.probability(told.log_odds)))
        errors.append(distance_from_lightgbm(model, told, values))
        violations += monotone_violations(model, values)
        simple = logistic(cohort.matrix.features).fit(cohort.matrix.values[split.fit_on], cohort.bad[split.fit_on])
        paired.append((bad, told.log_odds, score_of(simple, values)))
        if truth is not None:
            truths.append(against_truth(model, told, cohort.rows(split.judge_on), truth, seed=seed))
        rate = float(cohort.bad[split.fit_on].mean())
        constant.append(float(np.var(bad)))
        say(
            f"{split.words}: AUC {seen[-1]['auc']:.4f}, {model.trees_} trees, {model.calibration_.kind}; "
            f"bad: {rate:.1%} of those fitted on, {bad.mean():.1%} of those judged"
        )
    difference = auc_difference(paired)
    return {
        **_summary(cohort, among, seen),
        "against": {"benchmark": NAME, **asdict(difference), "words": difference.words(NAME)},
        **({"truth": _mean(truths)} if truths else {}),
        "counts": dict(cohort.counts),
        "additivity_error": max(errors),
        "monotone_violations": violations,
        "warnings": _warnings(seen, constant),
    }


def _warnings(seen: Sequence[Mapping[str, float]], constant: Sequence[float]) -> list[str]:
    """Return what a reader must know before believing the figures."""
    brier, of_one = (float(np.mean(found)) for found in ([one["brier"] for one in seen], constant))
    if brier < of_one:
        return []
    return [
        f"warning: the probabilities are worse than the judged loans' own share of bad ones (Brier {brier:.4f} against "
        f"{of_one:.4f}): are those fitted on like those judged? Their shares of bad loans are told above"
    ]


def _mean(truths: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        part: {name: float(np.mean([one[part][name] for one in truths])) for name in truths[0][part]}
        for part in truths[0]
    }


def _summary(cohort: Cohort, among: Sequence[Split], seen: list[dict[str, float]]) -> dict[str, Any]:
    means = {name: float(np.mean([one[name] for one in seen])) for name in ("auc", "ks", "brier", "log_loss")}
    return {
        "rows": len(cohort),
        "judged": sum(len(split.judge_on) for split in among),
        "splits": len(among),
        "base_rate": float(cohort.bad.mean()),
        "features": len(cohort.matrix.features),
        "auc": means["auc"],
        "auc_sd": float(np.std([one["auc"] for one in seen])) if len(seen) > 1 else None,
        **{name: value for name, value in means.items() if name != "auc"},
    }


def compare(
    cohort: Cohort,
    among: Sequence[Split],
    others: Mapping[str, Callable[[], Any]],
    *,
    say: Told = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """Return the same figures, on the same splits and features, for other models.

    Parameters
    ----------
    others : name -> function that returns an unfitted scikit-learn classifier
    """
    return {name: _judge(cohort, among, name, make, say) for name, make in others.items()}


def _judge(cohort: Cohort, among: Sequence[Split], name: str, make: Callable[[], Any], say: Told) -> dict[str, Any]:
    seen = []
    for split in among:
        model = make().fit(cohort.matrix.values[split.fit_on], cohort.bad[split.fit_on])
        probability: Floats = np.asarray(model.predict_proba(cohort.matrix.values[split.judge_on]))[:, 1]
        # Log-odds and probability order loans alike; the metrics need only the order.
        seen.append(performance(cohort.bad[split.judge_on], probability, probability))
        say(f"{name}, {split.words}: AUC {seen[-1]['auc']:.4f}")
    return _summary(cohort, among, seen)
