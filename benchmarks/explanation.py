"""Score and exact explanation: our tables against shap's TreeExplainer, LightGBM's `pred_contrib` and its bare score.

The model is 400 trees of 31 leaves and depth 6 on 70 features in three groups, with missing values, fitted on 200,000
rows. What is compared is checked to be the same numbers within 1e-9 before anything is timed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import lightgbm as lgb
import numpy as np
import shap
from threadpoolctl import threadpool_limits

from benchmarks.result import Result
from benchmarks.turns import Ratio, in_turn, timed
from models.attribution import ADDITIVITY_BOUND
from models.pattern_tables import compile_booster

ROWS, FEATURES, TREES, LEAVES, DEPTH = 200_000, 70, 400, 31, 6
MANY, SLOW_PART = 20_000, 500
"""Rows explained, and how many of them the slow ways are given: their time grows with the rows, exactly."""
MOST_SECONDS_TO_BUILD, BUILDS = 2.0, 5
MISSING, MOSTLY_ZERO = 0.1, 0.7
"""Shares of the made-up values."""

GROUPS = [list(range(0, 25)), list(range(25, 50)), list(range(50, FEATURES))]


def rows(seed: int, count: int) -> np.ndarray:
    """Return made-up cases: smooth, counted and mostly-zero features, a tenth of the values missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, FEATURES))
    values[:, 1::4] = np.round(2 * values[:, 1::4])
    values[:, 2::4] *= rng.random((count, len(range(2, FEATURES, 4)))) > MOSTLY_ZERO
    values[rng.random(values.shape) < MISSING] = np.nan
    return values


def outcomes(seed: int, values: np.ndarray) -> np.ndarray:
    """Return made-up outcomes that depend on most features, on some pairs, and on what is missing."""
    rng = np.random.default_rng(seed)
    known = np.nan_to_num(values)
    odds = known @ (0.25 * rng.normal(size=FEATURES)) + 0.5 * known[:, 0] * known[:, 1] + np.isnan(values[:, 2])
    return rng.random(len(values)) < 1 / (1 + np.exp(1.5 - odds))


def booster() -> lgb.Booster:
    """Return the model of the comparison."""
    values = rows(0, ROWS)
    parameters = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "max_depth": DEPTH,
        "learning_rate": 0.05,
        "min_data_in_leaf": 100,
        "max_bin": 255,
        "interaction_constraints": GROUPS,
        "verbosity": -1,
        "seed": 0,
    }
    return lgb.train(parameters, lgb.Dataset(values, outcomes(1, values)), num_boost_round=TREES)


def results() -> Iterator[Result]:
    """Yield the comparisons, each after its equality has been checked."""
    with threadpool_limits(1, user_api="openmp"):  # shap gives LightGBM no number of threads
        yield from _results()


def _results() -> Iterator[Result]:
    model = booster()
    tables = compile_booster(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(model)
    values = rows(2, MANY)
    part = np.ascontiguousarray(values[:SLOW_PART])
    told, scores = tables.explained(part)
    contributions = np.asarray(model.predict(part, pred_contrib=True, num_threads=1))
    apart = max(
        float(np.abs(told - contributions[:, :-1]).max()),
        float(np.abs(told - explainer.shap_values(part)).max()),
        float(np.abs(scores - model.predict(part, raw_score=True)).max()),
    )
    if apart > ADDITIVITY_BOUND:
        raise AssertionError(f"contributions differ by {apart:.3g}")
    yield Result(
        f"tables built when a model of {TREES} trees and {LEAVES} leaves is loaded",
        f"{MOST_SECONDS_TO_BUILD:g} s",
        1,
        Ratio.of([timed(lambda: compile_booster(model))[1] for _ in range(BUILDS)], [MOST_SECONDS_TO_BUILD] * BUILDS),
    )
    what = f"score and exact SHAP, {MANY:,} rows, one thread"
    share = SLOW_PART / MANY
    yield Result(
        what,
        "shap.TreeExplainer",
        100,
        in_turn(lambda: tables.explained(values, 1), lambda: explainer.shap_values(part), turns=5, share_of_b=share),
    )
    yield Result(
        what,
        "LightGBM pred_contrib",
        100,
        in_turn(
            lambda: tables.explained(values, 1),
            lambda: model.predict(part, pred_contrib=True, num_threads=1),
            turns=5,
            share_of_b=share,
        ),
    )
    yield Result(
        what,
        "LightGBM's score alone",
        1.5,
        in_turn(
            lambda: tables.explained(values, 1), lambda: model.predict(values, raw_score=True, num_threads=1), turns=9
        ),
    )
    yield from _one_row(model, tables, explainer, values)


def _one_row(model: lgb.Booster, tables: object, explainer: object, values: np.ndarray) -> Iterator[Result]:
    singles = [np.ascontiguousarray(values[row : row + 1]) for row in range(200)]
    few = singles[:20]

    def each(explain: object, of: list[np.ndarray]) -> object:
        return lambda: [explain(one) for one in of]

    share = len(few) / len(singles)
    ours = each(tables.explained, singles)
    yield Result(
        "the same, 1 row (times are of 200)",
        "shap.TreeExplainer",
        30,
        in_turn(ours, each(explainer.shap_values, few), share_of_b=share),
    )
    yield Result(
        "the same, 1 row (times are of 200)",
        "LightGBM pred_contrib",
        20,
        in_turn(ours, each(lambda one: model.predict(one, pred_contrib=True, num_threads=1), few), share_of_b=share),
    )
