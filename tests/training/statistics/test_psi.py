"""The stability index is its formula, an alarm is false as seldom as it says, and a drift is found."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulations import PROPERTY, SIMULATIONS, random_for, require_share, require_uniform

from features.errors import UsageError
from training.statistics.bins import UNSEEN, level_bins, number_bins
from training.statistics.inputs import MISSING, TooFew
from training.statistics.multiplicity import holm
from training.statistics.psi import critical, csi, psi, simulated_p_value
from training.statistics.sample_sizes import least_cases_for_psi, psi_power

MONTHLY = 0.01
"""Probability of any false alarm in a month."""
FEATURES = 30
TENTHS = np.full(10, 0.1)


def test_the_index_of_two_bins_is_the_one_by_hand():
    told = psi([50, 50], [60, 40])
    assert told.value == pytest.approx(0.1 * log(1.2) - 0.1 * log(0.8), abs=1e-12)
    assert told.by_chance == pytest.approx(1 / 100 + 1 / 100)
    assert (told.bins, told.filled, told.least_expected) == (2, 0, 45)


def test_the_index_of_three_bins_is_the_one_by_hand():
    told = psi([200, 300, 500], [10, 35, 55])
    by_hand = (0.1 - 0.2) * log(0.1 / 0.2) + (0.35 - 0.3) * log(0.35 / 0.3) + (0.55 - 0.5) * log(0.55 / 0.5)
    assert told.value == pytest.approx(by_hand, abs=1e-12)


def test_a_bin_that_one_sample_lacks_is_given_half_a_case_and_one_that_both_lack_is_left_out():
    told = psi([90, 10, 0, 0], [80, 0, 0, 20])
    by_hand = (0.8 - 0.9) * log(0.8 / 0.9) + (0.005 - 0.1) * log(0.005 / 0.1) + (0.2 - 0.005) * log(0.2 / 0.005)
    assert told.value == pytest.approx(by_hand, abs=1e-12)
    assert (told.bins, told.filled) == (3, 2)


def test_in_one_bin_nothing_can_drift():
    told = psi([0, 7], [0, 3])
    assert (told.value, told.p_value, told.by_chance, told.critical()) == (0, 1, 0, 0)


counts = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12).filter(
    lambda drawn: all(sum(side) for side in zip(*drawn, strict=True))
)


@PROPERTY
@given(counts)
def test_the_index_is_never_negative_and_the_same_from_both_sides(drawn):
    before, after = zip(*drawn, strict=True)
    told, turned = psi(before, after), psi(after, before)
    assert told.value >= -1e-12
    assert told.value == pytest.approx(turned.value, abs=1e-12)
    assert told.p_value == pytest.approx(turned.p_value)
    assert psi(before, before).value == pytest.approx(0, abs=1e-12)
    assert 0 < simulated_p_value(before, after, repeats=50) <= 1


def test_nothing_can_be_said_of_no_cases_and_of_other_bins():
    with pytest.raises(TooFew, match="no cases"):
        psi([1, 2], [0, 0])
    with pytest.raises(UsageError, match="3 and 2 bins"):
        psi([1, 2, 3], [1, 2])
    for wrong in ([1, -2], [1, float("nan")]):
        with pytest.raises(UsageError, match="missing, negative"):
            psi([1, 2], wrong)


values = st.lists(st.one_of(st.integers(-9, 9).map(float), st.just(float("nan"))), min_size=1, max_size=60).filter(
    lambda drawn: any(one == one for one in drawn)  # noqa: PLR0124
)


@PROPERTY
@given(values, values, st.integers(2, 12))
def test_every_value_falls_into_one_bin_and_a_missing_one_into_its_own(reference, current, count):
    bins = number_bins(reference, count)
    for drawn in (reference, current):
        told = bins.counts(drawn)
        assert told.sum() == len(drawn)
        assert told[-1] == np.isnan(drawn).sum()
    assert np.all(bins.counts(reference)[:-1] > 0), "a bin that is empty in the reference"
    assert len(bins.names) == len(told) == len(bins.edges) + 2
    assert len(bins.edges) < count


def test_the_edges_are_the_reference_s_and_do_not_move_with_what_is_counted():
    bins = number_bins(np.arange(100.0), 4)
    assert bins.edges == (24, 49, 74)
    assert bins.counts([-1e9, 24, 24.5, 75, 1e9, np.nan]).tolist() == [2, 1, 0, 2, 1]
    assert bins.names == ("(-inf, 24]", "(24, 49]", "(49, 74]", "(74, inf]", MISSING)


def test_a_level_that_the_reference_lacks_is_counted_as_unseen():
    bins = level_bins(np.array(["own", "rent", None, "rent"], dtype=object))
    assert bins.names == ("own", "rent", UNSEEN, MISSING)
    assert bins.counts(np.array(["rent", "boat", "rent", None], dtype=object)).tolist() == [0, 2, 1, 1]


def test_a_reference_without_a_value_makes_no_bins():
    with pytest.raises(TooFew, match="every value is missing"):
        number_bins([np.nan, np.nan], 10)


def test_characteristics_are_counted_in_their_own_bins():
    bins = {"age": number_bins([20.0, 30, 40, 50], 2), "home": level_bins(["own", "rent"])}
    reference = {"age": bins["age"].counts([20.0, 30, 40, 50]), "home": bins["home"].counts(["own", "rent"])}
    told = csi(bins, reference, {"age": [25.0, 45.0], "home": ["own", "own"]})
    assert told["age"].value == 0
    assert told["home"].value == psi([1, 1], [2, 0]).value


def test_without_drift_the_index_is_on_average_what_chance_makes_it():
    random = random_for("mean PSI")
    told = [psi(random.multinomial(5_000, TENTHS), random.multinomial(1_000, TENTHS)) for _ in range(SIMULATIONS)]
    ratio = np.mean([one.value for one in told]) / told[0].by_chance
    assert ratio == pytest.approx(1, abs=4 * np.sqrt(2 / 9 / SIMULATIONS) + 0.01)


@pytest.mark.parametrize(("reference", "current", "bins"), [(10_000, 1_000, 10), (10_000, 200, 20), (500, 500, 10)])
def test_without_drift_p_values_are_uniform(reference, current, bins):
    name = f"PSI of {bins} bins, {reference} and {current} cases"
    random, shares = random_for(name), np.full(bins, 1 / bins)
    drawn = ((random.multinomial(reference, shares), random.multinomial(current, shares)) for _ in range(SIMULATIONS))
    require_uniform(name, (psi(*both).p_value for both in drawn))


def test_bins_of_the_reference_s_own_quantiles_raise_no_more_false_alarms():
    name = "PSI in quantiles of 1,000 reference cases, a tenth missing"
    random = random_for(name)

    def p_value() -> float:
        reference, current = (
            np.where(random.random(size) < 0.1, np.nan, random.normal(size=size)) for size in (1_000, 500)
        )
        bins = number_bins(reference, 10)
        return psi(bins.counts(reference), bins.counts(current)).p_value

    require_uniform(name, (p_value() for _ in range(SIMULATIONS)))


@pytest.mark.parametrize("shared", [0.0, 0.9], ids=["apart", "correlated"])
def test_in_a_month_without_drift_no_feature_alarms_99_times_of_100(shared):
    name = f"months without drift with a false alarm, {FEATURES} features, correlation {shared}"
    random, edges = random_for(name), np.quantile(np.random.default_rng(1).normal(size=10**6), np.arange(1, 10) / 10)

    def counts_of(size: int) -> list[np.ndarray]:
        common = np.sqrt(shared) * random.normal(size=(size, 1))
        drawn = common + np.sqrt(1 - shared) * random.normal(size=(size, FEATURES))
        places = np.searchsorted(edges, drawn)
        return [np.bincount(places[:, feature], minlength=10) for feature in range(FEATURES)]

    def alarmed() -> bool:
        p_values = [psi(*both).p_value for both in zip(counts_of(2_000), counts_of(400), strict=True)]
        return bool((holm(p_values) < MONTHLY).any())

    require_share(name, (alarmed() for _ in range(SIMULATIONS)), 0, MONTHLY)


def test_a_drift_of_a_fifth_is_found_19_times_of_20_with_the_cases_that_are_said_to_be_enough():
    name = "PSI 0.2 in one of 30 features: found"
    random = random_for(name)
    drifted = tilted(0.2)
    cases = least_cases_for_psi(0.2, 10_000, 10, false_alarm=MONTHLY / FEATURES, power=0.95)
    assert 150 < cases < 300

    def found() -> bool:
        told = psi(random.multinomial(10_000, TENTHS), random.multinomial(cases, drifted))
        return told.p_value < MONTHLY / FEATURES

    require_share(name, (found() for _ in range(SIMULATIONS)), 0.92, 0.98)
    assert psi_power(0.2, 10_000, 2 * cases, 10, false_alarm=MONTHLY / FEATURES) > 0.999


def tilted(index: float) -> np.ndarray:
    """Return ten shares whose index against tenths is this."""
    low, high = 0.0, 5.0
    for _ in range(60):
        by = (low + high) / 2
        shares = np.exp(by * np.linspace(-0.5, 0.5, 10))
        shares /= shares.sum()
        low, high = (by, high) if np.sum((shares - 0.1) * np.log(shares / 0.1)) < index else (low, by)
    return shares


def test_the_critical_index_is_exceeded_about_as_often_as_it_says_where_bins_are_full():
    name = "PSI beyond its critical value at 5 %, 10 bins of 200 cases"
    random, bound = random_for(name), critical(2_000, 2_000, 10, false_alarm=0.05)
    drawn = (psi(*(random.multinomial(2_000, TENTHS) for _ in range(2))).value > bound for _ in range(SIMULATIONS))
    require_share(name, drawn, 0.045, 0.055)


def test_where_bins_hold_a_case_or_two_the_simulated_p_value_has_the_right_size():
    name = "simulated p-value of PSI with rare levels: below 5 %"
    random, shares = random_for(name), np.array([0.5, 0.4, 0.09, 0.006, 0.004])
    drawn = ([random.multinomial(size, shares) for size in (1_000, 200)] for _ in range(SIMULATIONS))
    hits = (simulated_p_value(*both, repeats=400, seed=one) < 0.05 for one, both in enumerate(drawn))
    require_share(name, hits, 0.03, 0.06)
