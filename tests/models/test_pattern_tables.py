"""Compiled contributions are LightGBM's own, for every kind of tree and value, one loan or many."""

from __future__ import annotations

import re
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_trees import slow_groups, slow_trees

from features.errors import ModelRefused
from models import pattern_tables
from models.attribution import ADDITIVITY_BOUND
from models.leaf_groups import MOST_NODES
from models.pattern_tables import compile_booster
from models.trees import booster_of, texts_of, trees_of

CATEGORIES = 40
TINY = 1e-36
"""Nearer to 0 than LightGBM tells apart where 0 stands for missing."""
ODD = (np.nan, 0.0, -0.0, TINY, -TINY, 1e-30, np.inf, -np.inf, 1e300, -1e300, 0.5, -0.5, 31.0, 39.0, 40.0, 1e9)
"""Values that meet the edges: missing, near zero, beyond every threshold, outside every set of categories."""

parameters = st.fixed_dictionaries(
    {
        "num_leaves": st.sampled_from([2, 3, 7, 15, 31, 63]),
        "max_depth": st.sampled_from([-1, 1, 3, 5, 6]),
        "min_data_in_leaf": st.sampled_from([1, 5, 40]),
        "use_missing": st.booleans(),
        "zero_as_missing": st.booleans(),
        "max_bin": st.sampled_from([3, 15, 63, 255, 400]),
        "boosting": st.sampled_from(["gbdt", "dart"]),
        "objective": st.sampled_from(["binary", "cross_entropy", "regression"]),
        "extra_trees": st.booleans(),
        "min_data_per_group": st.just(1),
        "cat_smooth": st.just(1.0),
        "max_cat_to_onehot": st.sampled_from([1, 4, 64]),
        "learning_rate": st.sampled_from([0.05, 0.5]),
    }
)


def columns(rng: np.random.Generator, rows: int, features: int) -> np.ndarray[Any, Any]:
    """Return numbers of several kinds: smooth, tied, mostly 0, with missing values, and categories in the last."""
    values = rng.normal(size=(rows, features))
    values[:, 1::4] = np.round(values[:, 1::4])
    values[:, 2::4] *= rng.random((rows, len(range(2, features, 4)))) < 0.2
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, -1] = np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, CATEGORIES, rows))
    return values


def odd_rows(rng: np.random.Generator, values: np.ndarray[Any, Any], booster: lgb.Booster) -> np.ndarray[Any, Any]:
    """Return rows of edge values: odd numbers, and thresholds themselves with their neighbours."""
    odd = rng.choice(np.array(ODD), size=(60, values.shape[1]))
    edges = rng.permutation(values)[:60].copy()
    trees = trees_of(*texts_of(booster)[:2])
    for feature, threshold in zip(trees.feature, trees.threshold, strict=True):
        near = rng.choice([threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)])
        edges[rng.integers(0, len(edges)), feature] = near
    return np.vstack([values[:100], odd, edges])


def grown(seed: int, chosen: dict[str, Any], *, rows: int = 400, features: int = 9, rounds: int = 12) -> lgb.Booster:
    rng = np.random.default_rng(seed)
    values = columns(rng, rows, features)
    known = np.nan_to_num(values)
    odds = known[:, 0] - known[:, 1] * known[:, 4] + np.where(np.isnan(values[:, 3]), 1.0, 0.0) + (known[:, -1] % 3)
    bad = rng.random(rows) < 1 / (1 + np.exp(1 - odds))
    data = lgb.Dataset(values, bad.astype(float), categorical_feature=[features - 1], free_raw_data=False)
    fixed = {"verbosity": -1, "seed": seed, "num_threads": 1, "deterministic": True}
    return lgb.train({**chosen, **fixed}, data, num_boost_round=rounds)


def assert_same(booster: lgb.Booster, values: np.ndarray[Any, Any], **limits: int) -> None:
    tables = compile_booster(booster, **limits)
    told = booster.predict(values, pred_contrib=True)
    found = tables.contributions(values)
    scale = max(1.0, float(np.abs(told).max()))
    assert np.abs(found - told[:, :-1]).max() <= ADDITIVITY_BOUND * scale
    assert abs(tables.base - told[0, -1]) <= ADDITIVITY_BOUND * scale
    assert np.abs(tables.scores(values) - booster.predict(values, raw_score=True)).max() <= ADDITIVITY_BOUND * scale
    assert tables.error <= ADDITIVITY_BOUND * scale
    for row in range(0, len(values), 17):
        assert tables.contributions(values[row : row + 1]).tobytes() == found[row : row + 1].tobytes()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**20), parameters)
def test_contributions_are_lightgbms_for_every_kind_of_tree_and_value(seed, chosen):
    booster = grown(seed, chosen)
    rng = np.random.default_rng(seed)
    assert_same(booster, odd_rows(rng, columns(rng, 120, 9), booster))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**20), parameters, st.booleans())
def test_every_group_of_leaves_and_every_number_in_its_table_is_the_one_worked_out_slowly(seed, chosen, stump):
    booster = grown(seed, chosen, rounds=4)
    if stump:
        booster = with_a_tree_of_one_leaf(booster)
    compiled = compile_booster(booster)
    trees = slow_trees(booster)
    kept = [tree for tree in trees if all(len(path) <= MOST_NODES for _, path in tree.leaves)]
    assert compiled.trees_left_to_lightgbm == len(trees) - len(kept)
    groups, tables = [list(slow_groups(tree)) for tree in kept], compiled.tables
    assert np.diff(tables.tree_groups).tolist() == [len(found) for found in groups]
    score, width = compiled.features, tables.feature.shape[1]
    for index, (nodes, features, table, _) in enumerate(group for found in groups for group in found):
        assert tables.bits[index] == len(nodes)
        assert tables.feature[index].tolist() == [*features, score, *[score + 1] * (width - len(features) - 1)]
        told = tables.table[int(tables.at[index]) :][: len(table) * width].reshape(-1, width)
        assert told[:, : table.shape[1]].tobytes() == table.tobytes()
        assert not told[:, table.shape[1] :].any()
    if len(kept) == len(trees):
        means = [
            sum(mean for *_, mean in found) if found else tree.leaves[0][0]
            for tree, found in zip(kept, groups, strict=True)
        ]
        assert compiled.base == sum(means)


def with_a_tree_of_one_leaf(booster: lgb.Booster) -> lgb.Booster:
    values = np.zeros((200, booster.num_feature()))
    flat = lgb.train({"objective": "binary", "verbosity": -1}, lgb.Dataset(values, np.arange(200) % 4 == 0), 1)
    (head, texts, tail), (_, (stump,), _) = texts_of(booster), texts_of(flat)
    return booster_of(head, [*texts[:1], stump, *texts[1:]], tail)


@pytest.mark.parametrize(
    ("key", "numbers", "words"),
    [
        ("left_child", "1 0 -1", "hang together"),  # a circle
        ("left_child", "1 -1 -1", "hang together"),  # a leaf below two nodes
        ("right_child", "2 -3 -9", "hang together"),  # a leaf of no tree, or of the next
        ("right_child", "2 -3 9", "hang together"),
        ("split_feature", "0 1 9", "none of the model's"),
        ("split_feature", "0 1 -1", "none of the model's"),
        ("internal_count", "400 0 100", "no loan came by"),
        ("decision_type", "2 3 2", "no known way"),  # a set of categories that is not there
        ("decision_type", "2 14 2", "no known way"),
    ],
)
def test_trees_that_are_none_are_refused_before_a_loop_follows_them(key, numbers, words):
    booster = grown(6, {"objective": "binary", "num_leaves": 4, "max_depth": 2}, rounds=3)
    head, texts, _ = texts_of(booster)
    whole = [re.sub("(?m)^(left|right)_child=.*$", r"\1_child=%s", text) for text in texts]
    whole = [
        text.replace("left_child=%s", "left_child=1 -1 -2").replace("right_child=%s", "right_child=2 -3 -4")
        for text in whole
    ]
    assert len(trees_of(head, whole)) == len(texts)
    for place in range(len(texts)):
        damaged = [*whole]
        damaged[place] = re.sub(f"(?m)^{key}=.*$", f"{key}={numbers}", whole[place])
        with pytest.raises(ModelRefused, match=words):
            trees_of(head, damaged)
    with pytest.raises(ModelRefused, match="hang together"):
        trees_of(head, [re.sub("(?m)^threshold=.*$", "threshold=1 2", text) for text in whole])


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**20), st.sampled_from([0, 500, 4_000, 20_000]))
def test_trees_beyond_the_budget_are_left_to_lightgbm_and_nothing_changes(seed, most_numbers):
    booster = grown(seed, {"objective": "binary", "num_leaves": 31, "min_data_in_leaf": 2})
    rng = np.random.default_rng(seed)
    assert_same(booster, odd_rows(rng, columns(rng, 50, 9), booster), most_numbers=most_numbers)
    everything = compile_booster(booster)
    limited = compile_booster(booster, most_numbers=most_numbers)
    assert limited.tables.table.size <= most_numbers
    assert (limited.trees_left_to_lightgbm > 0) == (everything.tables.table.size > most_numbers)


def test_a_tree_too_deep_for_a_table_is_left_to_lightgbm():
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=(600, 1)), axis=0)
    chain = np.exp(3 * np.arange(600) / 25)  # each split takes a little off the end
    booster = lgb.train(
        {"objective": "regression", "num_leaves": 40, "min_data_in_leaf": 1, "verbosity": -1, "max_bin": 500},
        lgb.Dataset(values, chain),
        num_boost_round=3,
    )
    assert max(len(path) for tree in slow_trees(booster) for _, path in tree.leaves) > MOST_NODES
    tables = compile_booster(booster)
    assert tables.trees_left_to_lightgbm > 0
    told = booster.predict(values, pred_contrib=True)
    np.testing.assert_allclose(tables.contributions(values), told[:, :-1], rtol=1e-9, atol=1e-9 * np.abs(told).max())


def test_a_feature_with_more_thresholds_than_a_byte_can_count():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6_000, 2))
    booster = lgb.train(
        {"objective": "regression", "num_leaves": 31, "max_depth": 6, "max_bin": 2_000, "verbosity": -1},
        lgb.Dataset(values, np.sin(40 * values[:, 0])),
        num_boost_round=40,
    )
    tables = compile_booster(booster)
    assert tables.tables.cut.dtype == np.uint16
    assert_same(booster, odd_rows(rng, values, booster))


def test_a_model_without_a_single_split_is_its_base():
    booster = lgb.train(
        {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 500},
        lgb.Dataset(np.zeros((200, 3)), np.arange(200) % 4 == 0),
        num_boost_round=5,
    )
    tables = compile_booster(booster)
    values = np.random.default_rng(0).normal(size=(10, 3))
    assert (tables.contributions(values) == 0).all()
    np.testing.assert_allclose(tables.scores(values), booster.predict(values, raw_score=True), atol=1e-12)


@pytest.mark.parametrize("loans", [0, 1, 4, 5, 1023, 2047, 2048, 2049, 5000])
def test_neither_the_number_of_loans_nor_of_threads_moves_a_bit(loans):
    booster = grown(3, {"objective": "binary", "num_leaves": 31})
    values = columns(np.random.default_rng(1), 5000, 9)
    tables = compile_booster(booster)
    told = tables.contributions(values, threads=1)
    for threads in (1, 2, 5):
        assert tables.contributions(values[:loans], threads=threads).tobytes() == told[:loans].tobytes()


def test_many_callers_at_once_get_their_own_answers():
    booster = grown(4, {"objective": "binary", "num_leaves": 31})
    values = columns(np.random.default_rng(2), 3000, 9)
    tables = compile_booster(booster)
    told = tables.contributions(values, threads=1)
    starts = [*range(0, 2900, 37)] * 3
    with pattern_tables.ThreadPoolExecutor(8) as pool:
        for start, found in zip(
            starts, pool.map(lambda at: tables.contributions(values[at : at + 80]), starts), strict=True
        ):
            assert found.tobytes() == told[start : start + 80].tobytes()


def test_rows_that_are_not_contiguous_or_not_float64_are_read_as_they_are():
    booster = grown(5, {"objective": "binary"})
    values = columns(np.random.default_rng(3), 300, 9)
    tables = compile_booster(booster)
    told = tables.contributions(values)
    assert tables.contributions(np.asfortranarray(values)).tobytes() == told.tobytes()
    assert tables.contributions(values[::3]).tobytes() == np.ascontiguousarray(told[::3]).tobytes()
    with pytest.raises(ValueError, match="9 features"):
        tables.contributions(values[:, :8])


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averages"),
        ({"objective": "regression", "linear_tree": True}, "linear"),
        ({"objective": "multiclass", "num_class": 2}, "several scores"),
    ],
)
def test_a_booster_whose_score_is_no_sum_of_leaves_is_refused(chosen, words):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 4))
    booster = lgb.train({**chosen, "verbosity": -1}, lgb.Dataset(values, values[:, 0] > 0), num_boost_round=3)
    with pytest.raises(ModelRefused, match=words):
        compile_booster(booster)
