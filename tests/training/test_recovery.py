"""A card of loans in collection learns what comes back, and is judged on loans it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models import recovery
from models.assessment import assess_matrix
from models.cards import Population
from models.policy import default_policy
from models.risk_model import Size
from training import fitting
from training.cohort import Cohort
from training.fitting import fit_recovery, fitted_card
from training.recovery import judge_recovery
from training.report_grounds import grounds
from training.report_worklist import cases
from training.splits import splits

FIGURES = [
    "judged",
    "auc_any_payment",
    "mean_absolute_error",
    "mean_absolute_error_of_mean",
    "rmse",
    "rmse_of_mean",
    "spearman",
    "calibration",
    "calibration_of_mean",
    "calibration_of_shares",
    "first_tenth",
    "first_tenth_by_amount",
    "first_tenth_at_best",
]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        small = Size(max_depth=4, num_leaves=7, most_trees=60)
        patch.setattr(recovery, "ANY_SIZES", (small,))
        patch.setattr(recovery, "SHARE_SIZE", small)
        yield


@pytest.fixture(scope="module")
def recovering(overdue) -> Cohort:
    """Some of the real overdue loans, with made-up recoveries that follow what became of them."""
    part = replace(overdue.rows(np.arange(0, len(overdue), 5)), helpers=None)
    dice = np.random.default_rng(0)
    nothing = dice.random(len(part)) < np.where(part.bad, 0.8, 0.2)
    shares = np.where(nothing, 0.0, dice.beta(np.where(part.bad, 1.0, 6.0), 2.0))
    shares[::50] = np.nan
    return replace(part, recovered=shares)


def test_a_card_of_loans_in_collection_learns_what_comes_back(recovering):
    told = fitted_card(recovering, version="1", seed=0, provenance={})
    assert told.recovery is not None
    assert told.reference["recovered"]["loans"] == int((~np.isnan(recovering.recovered)).sum())


@pytest.mark.parametrize(
    ("name", "population", "learns"),
    [
        ("collection", Population.ALL, True),
        ("arrears", Population.OVERDUE, True),
        ("behaviour", Population.NOT_OVERDUE, False),
        ("all", Population.ALL, False),
    ],
)
def test_only_a_card_of_loans_in_collection_does(recovering, name, population, learns):
    cohort = replace(recovering, card=replace(recovering.card, name=name, population=population))
    assert (fit_recovery(cohort) is not None) == learns


def test_without_known_recoveries_there_is_no_recovery_model(overdue, collection):
    assert np.isnan(overdue.recovered).all()
    assert fit_recovery(overdue) is None
    assert collection.recovery is None
    assert "recovered" not in collection.reference
    assert judge_recovery(overdue, splits(overdue, folds=2)) == {}


def test_judging_tells_every_figure_and_beats_one_share_for_all(recovering):
    told = judge_recovery(recovering, splits(recovering, folds=3))
    assert list(told) == FIGURES
    assert told["judged"] == int((~np.isnan(recovering.recovered)).sum())
    assert told["auc_any_payment"] > 0.6
    assert told["spearman"] > 0.2
    assert told["rmse"] < told["rmse_of_mean"]
    assert told["mean_absolute_error"] < told["mean_absolute_error_of_mean"]
    assert told["first_tenth_by_amount"] < told["first_tenth"] < told["first_tenth_at_best"]
    assert 0.8 < told["calibration"] < 1.25


def test_recoveries_that_were_shuffled_cannot_be_expected(recovering):
    shuffled = replace(recovering, recovered=np.random.default_rng(1).permutation(recovering.recovered))
    told = judge_recovery(shuffled, splits(shuffled, folds=3))
    assert abs(told["auc_any_payment"] - 0.5) < 0.06
    assert abs(told["spearman"]) < 0.1


def test_no_judged_loan_is_fitted_on(recovering, monkeypatch):
    seen: list[Cohort] = []
    monkeypatch.setattr("training.recovery.fit_recovery", lambda cohort, seed: seen.append(cohort))
    among = splits(recovering, folds=3)
    assert judge_recovery(recovering, among) == {}
    for split, fitted_on in zip(among, seen, strict=True):
        assert not set(fitted_on.borrowers) & set(recovering.borrowers[split.judge_on])


def test_the_same_seed_gives_the_same_recovery_model(recovering):
    texts = {fit_recovery(recovering, seed=3).unpaid.booster_.model_to_string() for _ in range(2)}
    assert len(texts) == 1


def test_the_report_calls_the_loss_share_the_models_own(recovering, collection):
    described = fitting._recovered(recovering)
    card = replace(
        collection,
        recovery=fit_recovery(recovering),
        reference={**collection.reference, "recovered": described},
    )
    told = assess_matrix(recovering.matrix, recovering.money, card, default_policy())
    page = grounds(told, None, "made up") + cases(told)
    assert "by the recovery model" in page
    assert f"fitted on {described['loans']:,} loans" in page
    assert "回收模型" in page
    assert "assumption" not in page
