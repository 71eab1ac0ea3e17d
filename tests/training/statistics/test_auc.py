"""An AUC's variance is DeLong's to the last digit, and its interval covers the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from simulations import PROPERTY, SIMULATIONS, binormal, random_for, require_share, require_uniform
from sklearn.metrics import roc_auc_score

from features.errors import DataRefused
from training.statistics.auc import auc, exponential_variance
from training.statistics.inputs import TooFew
from training.statistics.paired import paired_test

tied_scores = st.lists(
    st.tuples(st.booleans(), st.integers(-5, 5), st.integers(-5, 5)), min_size=4, max_size=80
).filter(lambda drawn: 2 <= sum(bad for bad, _, _ in drawn) <= len(drawn) - 2)


def columns(drawn: list[tuple[bool, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bad, first, second = zip(*drawn, strict=True)
    return np.array(bad), np.array(first, dtype=float), np.array(second, dtype=float)


def pairs(bad: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return, for each pair of a bad and a good loan, 1 when it is in the right order and a half when it is tied."""
    return (np.sign(score[bad][:, None] - score[~bad][None, :]) + 1) / 2


@PROPERTY
@given(tied_scores)
def test_value_and_variance_are_those_of_all_pairs(drawn):
    bad, score, _ = columns(drawn)
    table = pairs(bad, score)
    told = auc(bad, score)
    slow = table.mean(axis=1).var(ddof=1) / len(table) + table.mean(axis=0).var(ddof=1) / len(table.T)
    assert told.value == pytest.approx(table.mean(), abs=1e-12)
    assert told.variance == pytest.approx(slow, abs=1e-12)
    assert told.value == pytest.approx(roc_auc_score(bad, score), abs=1e-12)


@PROPERTY
@given(tied_scores)
def test_the_paired_variance_is_that_of_all_pairs(drawn):
    bad, first, second = columns(drawn)
    tables = np.array([pairs(bad, score) for score in (first, second)])
    of_bad, of_good = np.cov(tables.mean(axis=2)), np.cov(tables.mean(axis=1))
    weight = np.array([1, -1])
    slow = weight @ (of_bad / tables.shape[1] + of_good / tables.shape[2]) @ weight
    difference = tables[0].mean() - tables[1].mean()
    if slow < 1e-15 and abs(difference) > 1e-12:
        with pytest.raises(TooFew):
            paired_test(bad, first, second)
        return
    told = paired_test(bad, first, second)
    assert told.difference == pytest.approx(difference, abs=1e-12)
    assert told.standard_error**2 == pytest.approx(slow, abs=1e-12)
    assert 0 <= told.p_value <= 1


@PROPERTY
@given(tied_scores)
def test_the_interval_holds_the_value_and_turns_with_the_score(drawn):
    bad, score, _ = columns(drawn)
    told, turned = auc(bad, score), auc(bad, -score)
    low, high = told.interval()
    assert 0 <= low <= told.value <= high <= 1
    assert high > low
    assert (1 - turned.interval().high, 1 - turned.interval().low) == pytest.approx((low, high), abs=1e-9)
    assert told.gini_interval() == pytest.approx((2 * low - 1, 2 * high - 1))
    assert told.interval(0.99).low <= low


@PROPERTY
@given(tied_scores)
def test_only_the_order_of_the_scores_counts(drawn):
    bad, score, _ = columns(drawn)
    assert auc(bad, np.exp(score)) == auc(bad, score)


def test_a_perfect_score_on_few_loans_is_not_certain_to_be_perfect():
    few, many = (auc(np.arange(4 * size) < size, -(np.arange(4.0 * size))) for size in (5, 500))
    assert few.value == many.value == 1
    assert few.interval().low < many.interval().low < 1
    assert few.interval().high == 1


def test_two_scores_with_the_same_order_do_not_differ_and_two_that_nothing_varies_in_are_not_judged():
    bad = np.array([True, True, False, False, False])
    score = np.array([5.0, 1.0, 2.0, 0.0, -3.0])
    assert paired_test(bad, score, score**3).p_value == 1
    perfect = bad.astype(float)
    with pytest.raises(TooFew, match="varies with no loan"):
        paired_test(bad, perfect, -perfect)


@pytest.mark.parametrize(
    ("bad", "score"),
    [([True, True], [1.0, 2.0]), ([False] * 3, [1.0, 2.0, 3.0]), ([True, False, False], [1.0, 2.0, 3.0])],
)
def test_an_outcome_that_is_missing_or_alone_is_too_little(bad, score):
    with pytest.raises(TooFew, match="at least 2 of each"):
        auc(bad, score)


def test_a_missing_score_is_refused_by_its_row_and_not_by_its_value():
    with pytest.raises(DataRefused, match="the first in row 2") as refused:
        auc([True, True, False, False], [17.5, 2.0, float("nan"), 3.0])
    assert "17.5" not in str(refused.value)


@pytest.mark.parametrize(("bads", "goods", "value"), [(30, 100, 0.65), (30, 300, 0.8), (100, 1_000, 0.9)])
def test_the_interval_covers_the_truth_as_often_as_it_says(bads, goods, value):
    name = f"AUC {value}, {bads} bad of {bads + goods}: covered"
    random = random_for(name)
    books = (binormal(random, bads, goods, value) for _ in range(SIMULATIONS))
    require_share(name, (auc(*book).interval().holds(value) for book in books), 0.94, 0.96)


def test_the_interval_covers_the_truth_of_a_score_of_few_grades():
    name, shift, edges = "AUC of grades with ties: covered", np.sqrt(2) * norm.ppf(0.75), np.arange(-3.5, 6.5)
    of_bad, of_good = (np.diff(norm.cdf(np.concatenate([[-np.inf], edges - by, [np.inf]]))) for by in (shift, 0))
    truth = of_bad @ (np.cumsum(of_good) - of_good / 2)
    random = random_for(name)
    books = (binormal(random, 50, 400, 0.75) for _ in range(SIMULATIONS))
    hits = (auc(bad, score.round()).interval().holds(truth) for bad, score in books)
    require_share(name, hits, 0.94, 0.96)


def test_two_scores_that_are_equally_good_differ_as_seldom_as_chance_has_it():
    name = "paired test of equal scores"
    random = random_for(name)

    def p_value() -> float:
        bad, shared = binormal(random, 60, 300, 0.7)
        return paired_test(bad, *(shared + random.normal(size=len(bad)) for _ in range(2))).p_value

    require_uniform(name, (p_value() for _ in range(SIMULATIONS)))


def test_the_variance_expected_beforehand_is_that_of_the_value_drawn():
    random = random_for("exponential variance")
    scores = random.exponential(size=(1_500, 60))
    values = [auc(np.arange(60) < 20, row * np.where(np.arange(60) < 20, 3.0, 1.0)).value for row in scores]
    assert np.var(values) == pytest.approx(exponential_variance(0.75, 20, 40), rel=0.15)
