"""Groups are compared with bounds that hold, and a group that is too small or empty is told, never judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import relative_risk
from simulations import PROPERTY, SIMULATIONS, calibrated, random_for, require_share

from features.errors import UsageError
from training.statistics.groups import calibration_within, proxy
from training.statistics.impact import adverse_impact, ratio_interval
from training.statistics.inputs import MISSING
from training.statistics.opportunity import difference_interval, equal_opportunity
from training.statistics.segments import NotJudged
from training.statistics.shares import Counted

pair = st.integers(1, 60).flatmap(lambda cases: st.tuples(st.integers(0, cases), st.just(cases)))


@PROPERTY
@given(pair, pair)
def test_bounds_are_numbers_around_what_was_found_and_turn_with_the_sides(first, second):
    one, other = Counted(*first), Counted(*second)
    low, high = difference_interval(one, other)
    assert -1 <= low <= one.share - other.share <= high <= 1
    assert difference_interval(other, one) == pytest.approx((-high, -low))
    if other.found:
        low, high = ratio_interval(one, other)
        assert 0 <= low <= one.share / other.share * (1 + 1e-9)
        assert one.share / other.share <= high * (1 + 1e-9)
        assert high > low
        if one.found:
            assert ratio_interval(other, one) == pytest.approx((1 / high, 1 / low), rel=1e-4)


def test_with_many_cases_the_bounds_of_a_ratio_are_near_those_of_its_logarithm():
    katz = relative_risk(1_200, 4_000, 1_800, 5_000).confidence_interval()
    assert ratio_interval(Counted(1_200, 4_000), Counted(1_800, 5_000)) == pytest.approx(
        (katz.low, katz.high), rel=2e-3
    )


def test_newcombe_s_bounds_are_those_of_his_paper():
    # Newcombe (1998), table II, method 10: 56/70 - 48/80 and 9/10 - 3/10.
    assert difference_interval(Counted(56, 70), Counted(48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_interval(Counted(9, 10), Counted(3, 10)) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_a_ratio_is_that_of_the_shares_favoured_and_small_groups_are_told():
    favoured = np.repeat([True, False, True, False, True], [60, 40, 40, 60, 3])
    group = np.array(["A"] * 100 + ["B"] * 100 + ["C"] * 2 + [None], dtype=object)
    told = adverse_impact(favoured, group, reference="A", least=30)
    assert set(told) == {"B", "C", MISSING}
    assert told["B"].ratio == pytest.approx(2 / 3)
    assert told["B"].interval.holds(2 / 3)
    assert told["C"] == NotJudged(2, "2 cases of the 30 that are needed")
    assert told[MISSING] == NotJudged(1, "1 cases of the 30 that are needed")


def test_without_anybody_favoured_in_the_reference_there_is_no_ratio_and_the_reason_is_told():
    favoured, group = np.repeat([False, True], [50, 50]), np.repeat(["A", "B"], 50)
    assert "nobody of the reference group" in adverse_impact(favoured, group, reference="A", least=30)["B"].why
    nobody = adverse_impact(favoured, group, reference="B", least=30)["A"]
    assert nobody.ratio == 0 == nobody.low < nobody.high < 0.5


def test_a_reference_that_is_small_is_told_and_one_that_is_not_there_is_refused():
    favoured, group = np.repeat([True, False], 50), np.repeat(["A", "B", "B"], [10, 40, 50])
    assert "the reference group has 10 cases" in adverse_impact(favoured, group, reference="A", least=30)["B"].why
    for wrong in (adverse_impact, lambda got, of, **named: equal_opportunity(got, got, of, **named)):
        with pytest.raises(UsageError, match="no case of the reference group 'Z'"):
            wrong(favoured, group, reference="Z", least=30)


def test_equal_opportunity_looks_at_those_who_deserve_it_alone():
    deserving = np.repeat([True, False, True, False], 50)
    favoured = np.concatenate([np.arange(50) < 40, np.zeros(50), np.arange(50) < 30, np.ones(50)]).astype(bool)
    group = np.repeat(["A", "B"], 100)
    told = equal_opportunity(deserving, favoured, group, reference="A", least=30)["B"]
    assert told.difference == pytest.approx(0.6 - 0.8)
    assert (told.low, told.high) == difference_interval(Counted(30, 50), Counted(40, 50))
    everybody_bad = equal_opportunity(deserving & (group == "A"), favoured, group, reference="A", least=30)["B"]
    assert everybody_bad == NotJudged(0, "0 deserving cases of the 30 that are needed")
    no_reference = equal_opportunity(deserving & (group == "B"), favoured, group, reference="A", least=30)["B"]
    assert no_reference == NotJudged(0, "nobody of the reference group deserves it")
    with pytest.raises(UsageError, match="200 and 199 cases"):
        equal_opportunity(deserving, favoured[1:], group, reference="A", least=30)


def test_calibration_within_groups_finds_the_group_whose_probabilities_are_too_low():
    random = np.random.default_rng(5)
    bad, probability = calibrated(random, 6_000)
    group = np.repeat(["A", "B", "few"], [3_000, 2_990, 10])
    stated = np.where(group == "B", probability / 2, probability)
    told = calibration_within(bad, stated, group, least=100)
    assert told["A"].band.covered
    assert told["A"].recalibration.in_the_large.interval().holds(0)
    assert told["B"].band.observed > told["B"].band.high / 2 > told["B"].band.predicted
    assert told["B"].recalibration.in_the_large.interval().low > 0.3
    assert told["few"] == NotJudged(10, "10 cases of the 100 that are needed")


def test_a_group_in_which_nobody_went_bad_has_a_band_and_no_slope():
    told = calibration_within([False] * 40, np.linspace(0.1, 0.2, 40), ["A"] * 40, least=30)["A"]
    assert told.band.bad == 0
    assert "0 bad and 40 good" in told.recalibration.why


def test_a_proxy_is_found_where_there_is_one_and_not_where_there_is_none():
    random = np.random.default_rng(6)
    group = np.where(random.random(2_000) < 0.4, "A", "B")
    told = proxy(group, {"A": random.random(2_000)}, least=100)["A"]
    assert told.interval(0.9999).holds(0.5)
    given_away = proxy(group, {"A": random.random(2_000) + (group == "A")}, least=100)["A"]
    assert given_away.interval().low > 0.85
    few = int((group == "A").sum())
    told_of_few = NotJudged(few, f"{few} cases of the 1500 that are needed in it and outside it")
    assert proxy(group, {"A": random.random(2_000)}, least=1_500)["A"] == told_of_few
    with pytest.raises(UsageError, match="a group 'Z' that no case is of"):
        proxy(group, {"Z": random.random(2_000)}, least=100)


@pytest.mark.parametrize(
    ("shares", "cases"), [((0.24, 0.3), (40, 400)), ((0.8, 0.9), (60, 600)), ((0.05, 0.06), (500, 5_000))]
)
def test_the_bounds_of_ratio_and_difference_hold_the_truth_as_often_as_they_say(shares, cases):
    name = f"shares {shares[0]:.0%} of {cases[0]} against {shares[1]:.0%} of {cases[1]}"
    random = random_for(name)
    found = [
        [Counted(int(random.binomial(size, share)), size) for size, share in zip(cases, shares, strict=True)]
        for _ in range(SIMULATIONS)
    ]
    ratio, difference = shares[0] / shares[1], shares[0] - shares[1]
    require_share(f"ratio of {name}: covered", (ratio_interval(*both).holds(ratio) for both in found), 0.935, 0.965)
    hits = (difference_interval(*both).holds(difference) for both in found)
    require_share(f"difference of {name}: covered", hits, 0.935, 0.97)
