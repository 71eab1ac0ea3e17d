"""The order of work is the ledger's order, and every pair is explained to the last digit."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declaration import Group
from models.calibration import IDENTITY
from models.pairwise import RECONCILED_WITHIN, _against, compare
from models.priority import ledger, order

cases = st.lists(
    st.tuples(st.floats(-8, 8), st.integers(-(10**9), 10**12), st.sampled_from([0.45, 0.6, 0.75, 1.0])),
    min_size=1,
    max_size=40,
)


def ledger_of(drawn):
    scores, owed, shares = (np.array(column) for column in zip(*drawn, strict=True))
    return ledger(IDENTITY, scores.astype(float), owed.astype(np.int64), shares.astype(float), least_minor=100)


@given(cases)
def test_the_ledgers_lines_are_probability_exposure_and_loss_share(drawn):
    book = ledger_of(drawn)
    scores, owed, shares = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    money = 1 / (1 + np.exp(-scores)) * np.maximum(owed, 100) * shares
    np.testing.assert_allclose(book.expected_loss_minor, money, rtol=1e-9)
    assert (book.priority == (book.chance + book.exposure) + book.loss_share).all()


@given(cases, st.randoms())
def test_the_order_is_by_priority_then_by_id_however_the_book_is_shuffled(drawn, random):
    drawn = drawn + drawn[: len(drawn) // 2]  # equal cases: ties
    ids = [f"L{number:03d}" for number in range(len(drawn))]
    ranked = order(ledger_of(drawn).priority, ids)
    keys = [(-ledger_of(drawn).priority[case], ids[case]) for case in ranked]
    assert keys == sorted(keys)
    places = list(range(len(drawn)))
    random.shuffle(places)
    again = order(ledger_of([drawn[p] for p in places]).priority, [ids[p] for p in places])
    assert [ids[places[case]] for case in again] == [ids[case] for case in ranked]


@settings(max_examples=150, deadline=None)
@given(first=st.integers(0, 6_817), second=st.integers(0, 6_817))
def test_any_two_borrowers_are_reconciled_line_by_line(assessed, first, second):
    told = compare(assessed, first, second)
    priority = assessed.ledger.priority
    assert told.gap == priority[first] - priority[second]
    assert abs(told.gap - sum(line.difference for line in told.lines)) <= RECONCILED_WITHIN
    money = sum(line.difference for line in told.lines if line.name in {"exposure", "loss_share"})
    assert abs(told.gap - money - sum(told.groups.values())) <= RECONCILED_WITHIN
    assert set(told.groups) == set(Group)


@settings(max_examples=50, deadline=None)
@given(first=st.integers(0, 6_817), second=st.integers(0, 6_817))
def test_the_comparison_turned_around_has_opposite_signs(assessed, first, second):
    one, other = compare(assessed, first, second), compare(assessed, second, first)
    assert one.gap == -other.gap
    assert {line.name: line.difference for line in one.lines} == {line.name: -line.difference for line in other.lines}


def test_at_the_exposure_named_two_neighbours_would_stand_level(assessed):
    first, second = (int(case) for case in assessed.order[:2])
    told = compare(assessed, first, second)
    moved = np.log(told.swap_exposure_minor) - assessed.ledger.exposure[first]
    assert abs(told.gap + moved) < 1e-6


def nearly_level(assessment):
    """Return the pairs whose scores differ, and by less than rounding lets a secant tell."""
    scores = assessment.attribution.log_odds
    rising = np.argsort(scores, kind="stable")
    apart = np.diff(scores[rising])
    return [(int(rising[k]), int(rising[k + 1])) for k in np.flatnonzero((apart > 0) & (apart < 1e-12))]


def test_between_scores_that_hardly_differ_the_slope_is_that_of_the_calibrated_curve(assessed):
    calibration = assessed.model.model.calibration_
    pairs = nearly_level(assessed)
    assert pairs
    for first, second in pairs:
        told = compare(assessed, first, second)
        here = assessed.attribution.log_odds[[first, second]]
        assert min(calibration.log_probability_slope(here)) - 1e-9 <= told.slope
        assert told.slope <= max(calibration.log_probability_slope(here)) + 1e-9
        assert abs(told.residual) <= RECONCILED_WITHIN


def test_who_is_lower_is_said_to_be_below(assessed):
    first, second = int(assessed.order[0]), int(assessed.order[300])
    up, down = (compare(assessed, *pair).sentence() for pair in ((first, second), (second, first)))
    by = f"{assessed.ledger.priority[first] - assessed.ledger.priority[second]:.2f}"
    one, other = assessed.loan_ids[first], assessed.loan_ids[second]
    assert up.en.startswith(f"{one} is above {other} by {by}: ")
    assert up.zh.startswith(f"{one}排在{other}之前，差{by}：")
    assert down.en.startswith(f"{other} is below {one} by {by}: ")
    assert down.zh.startswith(f"{other}排在{one}之后，差{by}：")


def test_a_borrower_compared_with_itself_is_level(assessed):
    told = compare(assessed, 5, 5).sentence()
    loan = assessed.loan_ids[5]
    assert told.en == f"{loan} is level with {loan}"
    assert told.zh == f"{loan}与{loan}优先级相同"


@settings(max_examples=100, deadline=None)
@given(first=st.integers(0, 6_817), apart=st.integers(1, 3), most=st.integers(0, 40))
def test_no_line_of_a_sentence_reads_as_nothing(assessed, first, apart, most):
    places = assessed.order
    told = compare(assessed, int(places[first]), int(places[(first + apart) % len(places)])).sentence(most)
    for text in (told.en, told.zh):
        assert not re.search(r"[+-]0\.00 ", text)
        assert "by 0.00" not in text
        assert "差0.00" not in text


def line_of(assessment, column, one, other):
    """Return the text of a feature's line for two values of it."""
    first, second = (int(case) for case in assessment.order[:2])
    values = assessment.values.copy()
    values[[first, second], column] = one, other
    text = _against(replace(assessment, values=values), column, first, second)
    return text, assessment.loan_ids[first], assessment.loan_ids[second]


def test_a_line_with_a_missing_value_names_both_sides(assessed):
    column = assessed.catalog.names.index("months_overdue_now")
    missing = assessed.catalog.features[column].missing
    text, one, other = line_of(assessed, column, np.nan, 2.0)
    assert text.en.endswith(f": {missing.en} ({one}) against 2 months ({other})")
    assert text.zh.endswith(f"：{missing.zh}（{one}）对2个月（{other}）")
    text, one, other = line_of(assessed, column, 1.0, np.nan)
    assert text.en.endswith(f": 1 month ({one}) against {missing.en} ({other})")
    assert text.zh.endswith(f"：1个月（{one}）对{missing.zh}（{other}）")
    text, _, _ = line_of(assessed, column, np.nan, np.nan)
    assert text.en.endswith(f": {missing.en} (both)")


def test_a_line_with_the_same_written_value_on_both_sides_says_both(assessed):
    column = assessed.catalog.names.index("months_overdue_now")
    text, _, _ = line_of(assessed, column, 6.0, 6.0)
    assert text.en.endswith(": both 6 months")
    assert text.zh.endswith("：均为6个月")


def test_no_exposure_below_the_policys_least_is_named_as_the_one_that_swaps_two_borrowers(assessed):
    least, places = assessed.policy.exposure.least_minor, assessed.order
    told = [compare(assessed, int(a), int(b)) for a, b in pairwise(places[-400:])]
    assert any(one.swap_exposure_minor is None for one in told)
    for one, case in zip(told, places[-400:], strict=False):
        level = assessed.ledger.exposure_minor[case] * np.exp(-one.gap)
        assert (one.swap_exposure_minor is None) == (round(level) < least)


def test_the_work_list_runs_from_the_highest_expected_loss_down(assessed):
    losses = assessed.ledger.expected_loss_minor[assessed.order]
    assert (np.diff(losses) <= 0).all()


def test_a_loan_on_which_nothing_is_owed_keeps_a_place_at_the_end(assessed):
    last = assessed.order[-1]
    assert assessed.owed_minor[last] <= assessed.policy.exposure.least_minor
    assert assessed.ledger.exposure_minor[last] == assessed.policy.exposure.least_minor


def test_no_reason_contradicts_its_effect_and_no_more_than_policy_allows_are_given(assessed):
    for case in range(0, len(assessed), 53):
        told = assessed.reasons(case)
        raising = [reason for reason in told if reason.effect == "raises"]
        assert told
        assert len(raising) <= assessed.policy.reasons.raising
        assert len(told) - len(raising) <= assessed.policy.reasons.lowering
        assert [reason.contribution for reason in raising] == sorted((r.contribution for r in raising), reverse=True)
        assert len({reason.feature.family for reason in told}) == len(told)
