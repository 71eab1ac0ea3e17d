"""Evaluation judges only loans that were not fitted on, and says what the issue of separability costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.errors import DataRefused
from models.cards import CARDS, card_of
from models.risk_model import RiskModel, Size
from training import fitting
from training.cohort import Cohort, cohort
from training.evaluation import evaluate
from training.fitting import fit
from training.splits import Split, splits
from training.train_verbs import _evaluation_table

KEYS = [
    "rows",
    "judged",
    "splits",
    "base_rate",
    "features",
    "auc",
    "auc_sd",
    "ks",
    "brier",
    "log_loss",
    "against",
    "counts",
    "additivity_error",
    "monotone_violations",
    "warnings",
]


def alone(whole: Cohort, step: int) -> Cohort:
    """Some of the cases, without the loans of the other card that help them: quicker, and still real."""
    return replace(whole.rows(np.arange(0, len(whole), step)), helpers=None)


def judged(cases: Cohort) -> dict[str, Any]:
    return evaluate(cases, splits(cases, folds=3, seed=0), seed=0)


def test_evaluation_reports_every_figure_and_keeps_its_promises(overdue):
    told = judged(alone(overdue, 4))
    assert list(told) == KEYS
    assert told["additivity_error"] <= 1e-9
    assert told["monotone_violations"] == 0
    assert 0.6 < told["auc"] < 0.85


def test_every_loan_is_judged_exactly_once_and_never_fitted_on_at_the_same_time(overdue):
    told = []
    for split in splits(overdue, folds=5, seed=0):
        assert not set(split.fit_on) & set(split.judge_on)
        told += split.judge_on.tolist()
    assert sorted(told) == list(range(len(overdue)))


def test_outcomes_that_were_shuffled_cannot_be_predicted(overdue):
    part = alone(overdue, 2)
    shuffled = replace(part, bad=np.random.default_rng(0).permutation(part.bad))
    assert abs(judged(shuffled)["auc"] - 0.5) < 0.03


def test_behaviour_and_collection_cards_share_out_the_whole_book(taiwan, overdue):
    behaviour = cohort(taiwan, card_of(taiwan, "behaviour"))
    assert (len(behaviour), len(overdue)) == (23_182, 6_818)
    assert set(CARDS) == {"application", "behaviour", "collection", "all"}


def test_a_loan_without_an_outcome_is_refused_not_left_out(taiwan):
    short = replace(taiwan, outcomes=taiwan.outcomes.filter(pl.col("loan_id") != "TW00001"))
    with pytest.raises(DataRefused, match="1 of 6818 loans have no outcome"):
        cohort(short, card_of(taiwan, "collection"))


def test_an_outcome_after_the_performance_window_does_not_count(taiwan):
    late = replace(taiwan, outcomes=taiwan.outcomes.with_columns(pl.col("happened_on").dt.offset_by("1d")))
    with pytest.raises(DataRefused, match="no outcome"):
        cohort(late, card_of(taiwan, "collection"))


def test_a_single_split_has_no_standard_deviation_and_says_how_many_it_judged(overdue):
    cases = alone(overdue, 4)
    told = evaluate(cases, splits(cases, folds=3, seed=0)[:1], seed=0)
    assert told["auc_sd"] is None
    assert 0 < told["judged"] < told["rows"]
    table = _evaluation_table("collection", told)
    assert f"judged on {told['judged']:,} of {told['rows']:,} cases" in table
    assert "one split" in table
    assert "0.0000" not in table.splitlines()[1]


def test_probabilities_worse_than_the_share_of_bad_loans_are_warned_of(overdue):
    cases = alone(overdue, 4)
    good_first = np.argsort(cases.bad, kind="stable")
    fit_on = np.concatenate([good_first[:700], good_first[-100:]])  # nearly all good
    judge_on = np.setdiff1d(good_first, fit_on)  # nearly all bad
    lines: list[str] = []
    told = evaluate(cases, [Split(fit_on, judge_on, "chosen by the outcome")], say=lines.append)
    assert told["warnings"][0].startswith("warning: the probabilities are worse than")
    assert told["warnings"][0] in _evaluation_table("collection", told)
    assert "of those fitted on" in lines[0]
    assert not judged(cases)["warnings"]


def test_without_the_bound_trees_grow_deeper_than_it(overdue: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Size(max_depth=3, num_leaves=12, most_trees=40)
    monkeypatch.setattr(fitting, "sizes_for", lambda _: (small,))

    def deepest(model: RiskModel) -> int:
        return int(model.booster_.trees_to_dataframe()["node_depth"].max()) - 1

    cases = alone(overdue, 3)
    assert deepest(RiskModel.of(fitting.catalog_of(cases), sizes=(small,)).fit(cases.matrix.values, cases.bad)) <= 3
    assert deepest(fit(cases, shallow=False)) > 3


def test_a_bound_that_binds_nothing_costs_nothing_and_one_that_binds_is_measured(overdue: Cohort) -> None:
    cases = alone(overdue, 5)
    told = {}
    for depth in (fitting.ANY_DEPTH, 1):
        size = Size(max_depth=depth, num_leaves=12, most_trees=40)
        model = RiskModel.of(fitting.catalog_of(cases), sizes=(size,), seed=0)
        told[depth] = fitting.against_any_depth(cases, model.fit(cases.matrix.values, cases.bad))
    assert (told[fitting.ANY_DEPTH].low, told[fitting.ANY_DEPTH].auc, told[fitting.ANY_DEPTH].high) == (0, 0, 0)
    assert told[1].low < told[1].auc < told[1].high
