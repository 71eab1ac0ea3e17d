"""The model is separable, monotone, reproducible, exactly explained, and a good citizen of scikit-learn."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from features.declaration import Group
from features.errors import ModelRefused
from models.attribution import ADDITIVITY_BOUND, attribute
from models.leaf_groups import MOST_NODES
from models.risk_model import LARGE_FROM, LARGE_SIZES, SIZES, RiskModel, Size, sizes_for
from training.cohort import catalog_of
from training.monotonicity import monotone_violations

SMALL = (Size(most_trees=40),)


def small(cases, **parameters):
    return RiskModel.of(catalog_of(cases), sizes=SMALL, inner_folds=2, **parameters)


@pytest.mark.filterwarnings("ignore")
def test_the_model_passes_scikit_learns_estimator_checks():
    results = check_estimator(
        RiskModel(sizes=(Size(most_trees=8, min_data_in_leaf=2, num_leaves=4),), inner_folds=2), on_fail=None
    )
    failed = {result["check_name"]: str(result["exception"]) for result in results if result["status"] == "failed"}
    assert not failed


def trees_of(model):
    for tree in model.booster_.dump_model()["tree_info"]:
        pending, used = [tree["tree_structure"]], set()
        while pending:
            node = pending.pop()
            if "split_feature" in node:
                used.add(node["split_feature"])
                pending += [node["left_child"], node["right_child"]]
        yield used


def test_each_tree_speaks_of_one_group_only(collection):
    groups = collection.model.groups
    mixed = [used for used in trees_of(collection.model) if len({groups[column] for column in used}) > 1]
    assert not mixed


def test_without_the_constraint_trees_do_mix_groups(overdue):
    model = small(overdue, separable=False).fit(overdue.matrix.values, overdue.bad)
    groups = model.groups
    assert any(len({groups[column] for column in used}) > 1 for used in trees_of(model))


def test_a_groups_part_depends_on_that_groups_features_alone(collection, overdue):
    values = overdue.matrix.values[:200].copy()
    before = attribute(collection.model, collection.catalog, values).parts[Group.ABILITY]
    others = [i for i, feature in enumerate(collection.catalog) if feature.group is not Group.ABILITY]
    values[:, others] = np.random.default_rng(0).permutation(values[:, others])
    after = attribute(collection.model, collection.catalog, values).parts[Group.ABILITY]
    np.testing.assert_allclose(after, before, atol=1e-12)


def test_parts_and_base_add_up_to_lightgbms_own_score(collection, overdue):
    told = attribute(collection.model, collection.catalog, overdue.matrix.values)
    total = ((told.base + told.parts[Group.ABILITY]) + told.parts[Group.WILLINGNESS]) + told.parts[Group.CIRCUMSTANCES]
    assert (total == told.log_odds).all()
    assert np.abs(told.log_odds - collection.model.log_odds(overdue.matrix.values)).max() <= ADDITIVITY_BOUND


def test_contributions_are_those_of_shap(collection, overdue):
    shap = pytest.importorskip("shap")
    values = overdue.matrix.values[:300]
    explainer = shap.TreeExplainer(collection.model.booster_)
    np.testing.assert_allclose(explainer.shap_values(values), collection.model.contributions(values), atol=1e-9)
    assert explainer.expected_value == pytest.approx(collection.model.base_, abs=1e-9)


def test_parts_that_do_not_add_up_are_no_answer(collection, overdue):
    tables = collection.model.tables_
    damaged = tables.tables.table.copy()
    damaged[::97] += 1e-6
    model = copy.copy(collection.model)
    model.tables_ = replace(tables, tables=tables.tables._replace(table=damaged))
    with pytest.raises(ModelRefused, match="contributions miss the score"):
        attribute(model, collection.catalog, overdue.matrix.values[:50])


def test_one_case_is_scored_as_in_the_batch_to_the_bit(collection, overdue):
    together = attribute(collection.model, collection.catalog, overdue.matrix.values)
    for case in range(0, len(overdue), 97):
        alone = attribute(collection.model, collection.catalog, overdue.matrix.values[case : case + 1])
        assert alone.contributions.tobytes() == together.contributions[case : case + 1].tobytes()
        assert alone.log_odds[0] == together.log_odds[case]


def test_a_missing_value_goes_a_way_of_its_own_and_is_not_scored_as_zero(collection, overdue):
    ways = set()
    for tree in collection.model.booster_.dump_model()["tree_info"]:
        pending = [tree["tree_structure"]]
        while pending:
            node = pending.pop()
            if "split_feature" in node:
                ways.add(node["missing_type"])
                pending += [node["left_child"], node["right_child"]]
    assert ways == {"NaN"}
    values = overdue.matrix.values[:300]
    unknown, none = values.copy(), values.copy()
    paid = [column for column, feature in enumerate(collection.catalog) if feature.family == "payment size"]
    unknown[:, paid], none[:, paid] = np.nan, 0
    assert (collection.model.log_odds(unknown) != collection.model.log_odds(none)).any()


def test_no_step_of_the_calibrated_risk_goes_against_a_declared_direction(collection, overdue):
    assert monotone_violations(collection.model, overdue.matrix.values) == 0


def test_the_sweep_finds_a_model_that_breaks_its_directions(overdue):
    model = small(overdue).set_params(directions=None).fit(overdue.matrix.values, overdue.bad)
    model.directions = [int(feature.risk) for feature in catalog_of(overdue)]
    assert monotone_violations(model, overdue.matrix.values) > 0


def test_the_same_seed_and_data_give_the_same_model_on_one_thread_and_on_two(overdue):
    texts = {
        small(overdue, threads=threads, seed=3)
        .fit(overdue.matrix.values, overdue.bad)
        .booster_.model_to_string()
        .split("parameters:")[0]
        for threads in (1, 2, 1)
    }
    assert len(texts) == 1


def test_another_seed_gives_another_model(overdue):
    one, other = (small(overdue, seed=seed).fit(overdue.matrix.values, overdue.bad) for seed in (0, 1))
    assert one.booster_.model_to_string() != other.booster_.model_to_string()


def test_a_large_book_is_offered_a_larger_size():
    assert sizes_for(LARGE_FROM - 1) == SIZES
    assert sizes_for(LARGE_FROM) == LARGE_SIZES
    assert max(size.max_depth for size in LARGE_SIZES) <= MOST_NODES  # its trees are tabulated
