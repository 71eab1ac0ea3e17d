"""A part of the real book, a small card fitted on it, its home, and the card's loans at two month ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from features.portfolios import Portfolio
from models.cards import card_of
from models.fitted_card import FittedCard
from models.policy import default_policy
from models.risk_model import Size
from models.store import ModelStore
from training import fitting
from training.cohort import Cohort, cohort
from training.early_warning.two_dates import TwoDates, two_dates
from training.fitting import fitted_card, golden_rows

FIRST, LAST = date(2005, 8, 31), date(2005, 9, 30)
SMALL = Size(learning_rate=0.1, max_depth=4, num_leaves=7, min_data_in_leaf=20, lambda_l2=10.0, most_trees=60)


@pytest.fixture(scope="module", autouse=True)
def small_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "sizes_for", lambda _: (SMALL,))
        yield


@pytest.fixture(scope="session")
def part(taiwan: Portfolio) -> Portfolio:
    """Return every fifth customer of the real book."""
    chosen = taiwan.tables.loans.get_column("loan_id").unique().sort().gather_every(5)
    return replace(taiwan, tables=taiwan.tables.of_loans(chosen))


@pytest.fixture(scope="session")
def cases(part: Portfolio) -> Cohort:
    return cohort(part, card_of(part, "behaviour"), LAST)


@pytest.fixture(scope="session")
def model(cases: Cohort) -> FittedCard:
    return fitted_card(cases, version="1", seed=0, provenance={"portfolio": "taiwan"}, sizes=(SMALL,))


@pytest.fixture(scope="session")
def told(part: Portfolio, model: FittedCard) -> TwoDates:
    return two_dates(part, model, default_policy(), FIRST, LAST)


@pytest.fixture(scope="session")
def home(cases: Cohort, model: FittedCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    store = ModelStore(folder)
    store.save(model, golden_rows(cases))
    store.promote(model.card.name, model.version)
    return folder
