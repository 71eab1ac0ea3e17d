"""What several tests share: the real book, a cohort of overdue loans and a card fitted on it."""

from __future__ import annotations

import os

# Tests run next to each other on two cores: LightGBM's threads would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import pytest
from hypothesis import settings

from features.portfolios import Portfolio, open_portfolio
from models.assessment import Assessment, assess_matrix
from models.cards import card_of
from models.fitted_card import FittedCard
from models.policy import default_policy
from training.cohort import Cohort, cohort
from training.fitting import fitted_card

# No test is timed: on a machine that does other things as well, one example may take a second.
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")


@pytest.fixture(scope="session")
def taiwan() -> Portfolio:
    return open_portfolio("taiwan")


@pytest.fixture(scope="session")
def overdue(taiwan: Portfolio) -> Cohort:
    return cohort(taiwan, card_of(taiwan, "collection"))


@pytest.fixture(scope="session")
def collection(overdue: Cohort) -> FittedCard:
    return fitted_card(overdue, version="1", seed=0, provenance={"portfolio": "taiwan"})


@pytest.fixture(scope="session")
def assessed(overdue: Cohort, collection: FittedCard) -> Assessment:
    return assess_matrix(overdue.matrix, overdue.money, collection, default_policy())
