"""Seeing a borrower twice makes no figure surer, and seeing each once gives the interval that is known."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.statistics.clustered import auc_difference_by_borrower
from training.statistics.paired import auc_difference

ROUNDS = int(os.environ.get("REPAYRANK_COVERAGE_ROUNDS", "400"))
"""Simulated books; a release asks for 10,000."""


def book(seed: int, size: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    bad = chance.random(size) < 0.3
    bad[:4] = [True, True, False, False]
    shared = bad + chance.normal(size=size)
    return bad, shared + chance.normal(scale=0.5, size=size), shared + chance.normal(scale=0.7, size=size)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20))
def test_where_each_borrower_has_one_case_it_is_the_known_interval(seed):
    bad, first, second = book(seed)
    known, told = (
        auc_difference([(bad, first, second)]),
        auc_difference_by_borrower(bad, first, second, range(len(bad))),
    )
    assert told.auc == pytest.approx(known.auc)
    assert told.high - told.low == pytest.approx(known.high - known.low, rel=0.02)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(2, 5))
def test_the_same_cases_seen_several_times_are_no_surer(seed, times):
    parts = book(seed)
    once = auc_difference_by_borrower(*parts, range(len(parts[0])))
    again = auc_difference_by_borrower(
        *(np.repeat(part, times) for part in parts), np.repeat(range(len(parts[0])), times)
    )
    assert (again.auc, again.low, again.high) == pytest.approx((once.auc, once.low, once.high))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20))
def test_neither_the_order_of_cases_nor_the_names_of_borrowers_matter(seed):
    bad, first, second = book(seed)
    borrower = np.random.default_rng(seed).integers(0, 90, len(bad))
    order = np.random.default_rng(seed + 1).permutation(len(bad))
    told = auc_difference_by_borrower(bad, first, second, borrower)
    names = np.array([f"B{999 - number}" for number in borrower])
    other = auc_difference_by_borrower(bad[order], first[order], second[order], names[order])
    assert (other.auc, other.low, other.high) == pytest.approx((told.auc, told.low, told.high))


def test_of_two_scores_as_good_as_each_other_it_says_so_as_often_as_it_promises():
    """Borrowers have four cases alike; both scores are the truth with noise of their own, of the borrower's too."""
    chance, wrong, naive = np.random.default_rng(0), 0, 0
    for _ in range(ROUNDS):
        borrower = np.repeat(range(60), 4)
        bad = np.repeat(chance.random(60) < 0.5, 4)
        first, second = (bad + np.repeat(chance.normal(size=60), 4) + chance.normal(size=240) for _ in range(2))
        told, alone = auc_difference_by_borrower(bad, first, second, borrower), auc_difference([(bad, first, second)])
        wrong += not told.low <= 0 <= told.high
        naive += not alone.low <= 0 <= alone.high
    assert abs(wrong / ROUNDS - 0.05) < 4 * np.sqrt(0.05 * 0.95 / ROUNDS) + 0.01, wrong / ROUNDS
    assert naive / ROUNDS > 0.15, "the book must be one that misleads the plain interval"
