"""A small card on real overdue loans, and the borrowers that months of decisions are drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from watched_books import Pool, Watched, pool_of, quiet, small_card, with_reference

from models.fitted_card import FittedCard
from training.cohort import Cohort
from training.monitoring.policy import MonitoringPolicy, read_policy


@pytest.fixture(scope="session")
def small(overdue: Cohort) -> FittedCard:
    return small_card(overdue)


@pytest.fixture(scope="session")
def pool(small: FittedCard, overdue: Cohort) -> Pool:
    return pool_of(small, overdue)


@pytest.fixture(scope="session")
def policy() -> MonitoringPolicy:
    return read_policy()


@pytest.fixture(scope="session")
def card(pool: Pool) -> FittedCard:
    return with_reference(pool, np.random.default_rng(7))


@pytest.fixture(scope="session")
def watched(pool: Pool) -> Watched:
    """Six quiet months of 1,500 loans."""
    return quiet(pool, np.random.default_rng(8), months=6, loans=1_500)
