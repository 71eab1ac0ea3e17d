"""Training: the trees of a large book against LightGBM at its defaults, on the same rows, over five seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

import lightgbm as lgb
from sklearn.metrics import roc_auc_score

from benchmarks.explanation import GROUPS, ROWS, outcomes, rows
from benchmarks.result import Result
from benchmarks.turns import Ratio, timed
from models.risk_model import LARGE_SIZES, RiskModel

TREES, JUDGED, SEEDS = 300, 50_000, 5


def groups_of_columns(count: int) -> list[str]:
    """Return the group of each column."""
    group_of = {column: f"group {number}" for number, group in enumerate(GROUPS) for column in group}
    return [group_of[column] for column in range(count)]


def results() -> Iterator[Result]:
    """Yield the comparison; the difference in AUC, on rows that neither has seen, stands beside it."""
    values, judged = rows(0, ROWS), rows(3, JUDGED)
    bad, outcome = outcomes(1, values), outcomes(1, judged)
    groups = groups_of_columns(values.shape[1])
    mine_took: list[float] = []
    other_took: list[float] = []
    differences: list[float] = []
    for seed in range(SEEDS):

        def ours(seed: int = seed) -> RiskModel:
            size = replace(LARGE_SIZES[-1], most_trees=4 * TREES)  # without inner folds a quarter of the most is grown
            return RiskModel(groups, None, (size,), inner_folds=1, seed=seed).fit(values, bad)

        def theirs(seed: int = seed) -> lgb.Booster:
            parameters = {"objective": "binary", "verbosity": -1, "seed": seed}
            return lgb.train(parameters, lgb.Dataset(values, bad), num_boost_round=TREES)

        turns = (ours, theirs) if seed % 2 else (theirs, ours)
        done = {way: timed(way) for way in turns}
        (mine, took), (other, other_seconds) = done[ours], done[theirs]
        if mine.booster_.model_to_string() != ours().booster_.model_to_string():
            raise AssertionError(f"two trainings with seed {seed} gave different models")
        differences.append(
            roc_auc_score(outcome, mine.log_odds(judged)) - roc_auc_score(outcome, other.predict(judged))
        )
        mine_took.append(took)
        other_took.append(other_seconds)
    yield Result(
        f"training, {ROWS:,} x {values.shape[1]}, {TREES} trees, {SEEDS} seeds",
        "LightGBM at its defaults",
        1.4,
        Ratio.of(mine_took, other_took),
        f"AUC {statistics.mean(differences):+.4f} ({min(differences):+.4f} to {max(differences):+.4f})",
    )
