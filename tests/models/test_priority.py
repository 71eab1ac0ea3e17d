"""The order of work is the ledger's order, and every pair is explained to the last digit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.declaration import Group
from models.calibration import IDENTITY
from models.pairwise import RECONCILED_WITHIN, compare
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
