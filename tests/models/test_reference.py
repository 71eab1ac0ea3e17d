"""Contributions compare a borrower with the loans the card is for: their mean is the base, to rounding."""

from __future__ import annotations

import numpy as np

from features.declaration import Group
from models.attribution import attribute
from models.reference import with_reference


def test_the_base_is_the_mean_score_of_the_loans_the_card_was_fitted_for(collection, overdue):
    scores = collection.model.log_odds(overdue.matrix.values)
    assert abs(collection.model.base_ - scores.mean()) < 1e-3


def test_each_groups_part_is_zero_on_average_over_those_loans(collection, overdue):
    told = attribute(collection.model, collection.catalog, overdue.matrix.values)
    for group in Group:
        assert abs(told.parts[group].mean()) < 1e-3


def test_another_population_moves_the_base_and_no_score(collection, overdue):
    model = collection.model
    worst = overdue.matrix.values[overdue.bad]
    moved = with_reference(model.booster_, worst)
    values = overdue.matrix.values[:500]
    assert (moved.predict(values, raw_score=True) == model.booster_.predict(values, raw_score=True)).all()
    base = moved.predict(values[:1], pred_contrib=True)[0, -1]
    assert abs(base - model.log_odds(worst).mean()) < 1e-2
    assert base > model.base_


def test_a_population_that_reaches_few_leaves_still_gives_finite_contributions_that_add_up(collection, overdue):
    one = np.repeat(overdue.matrix.values[:1], 3, axis=0)
    narrow = with_reference(collection.model.booster_, one)
    values = overdue.matrix.values[:500]
    told = narrow.predict(values, pred_contrib=True)
    assert np.isfinite(told).all()
    np.testing.assert_allclose(told.sum(axis=1), narrow.predict(values, raw_score=True), atol=1e-9)


def test_recounting_for_the_same_population_changes_not_a_byte(collection, overdue):
    again = with_reference(collection.model.booster_, overdue.matrix.values)
    assert again.model_to_string() == collection.model.booster_.model_to_string()
