"""Moves between categories are counted, and what will be in each is told with bounds that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulations import PROPERTY, SIMULATIONS, random_for, require_share

from features.errors import DataRefused, UsageError
from training.statistics.inputs import TooFew
from training.statistics.migration import forecast, migration, roll_rates
from training.statistics.segments import NotJudged

FIVE = ("pass", "special mention", "substandard", "doubtful", "loss")
TRUTH = np.array(
    [
        [0.960, 0.034, 0.004, 0.001, 0.001],
        [0.300, 0.500, 0.160, 0.030, 0.010],
        [0.050, 0.100, 0.550, 0.250, 0.050],
        [0.010, 0.020, 0.070, 0.600, 0.300],
        [0.000, 0.000, 0.000, 0.000, 1.000],
    ]
)
START = np.array([8_000, 1_000, 400, 300, 300])


def moved(random: np.random.Generator, start: np.ndarray = START) -> tuple[np.ndarray, np.ndarray]:
    """Return the categories of loans at two dates, drawn from the truth."""
    cells = np.concatenate([random.multinomial(loans, row) for loans, row in zip(start, TRUTH, strict=True)])
    before, after = np.divmod(np.repeat(np.arange(25), cells), 5)
    return np.array(FIVE)[before], np.array(FIVE)[after]


loans = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC"), st.integers(0, 9)), min_size=1, max_size=40)


@PROPERTY
@given(loans)
def test_every_loan_is_counted_in_the_cell_of_its_move_and_so_is_its_amount(drawn):
    before, after, amount = zip(*drawn, strict=True)
    told = migration(before, after, "ABC", amount)
    for row, one in enumerate("ABC"):
        for column, other in enumerate("ABC"):
            members = [money for start, end, money in drawn if (start, end) == (one, other)]
            assert told.cases[row, column] == len(members)
            assert told.amount[row, column] == sum(members)
    unweighted = migration(before, after, "ABC")
    assert np.array_equal(unweighted.amount, unweighted.cases)
    assert unweighted.effective == pytest.approx(unweighted.cases.sum(axis=1))
    assert np.all(told.effective <= told.cases.sum(axis=1) + 1e-9)


def test_shares_sum_to_one_and_a_category_without_loans_has_none():
    told = migration(["A", "A", "B"], ["A", "B", "B"], ["A", "B"])
    assert told.shares().tolist() == [[0.5, 0.5], [0, 1]]
    with pytest.raises(TooFew, match="no loans at the first date in C"):
        migration(["A"], ["C"], ["A", "C"]).shares()


def test_a_loan_without_a_category_or_of_another_is_refused():
    for wrong in (["A", None], ["A", "Z"]):
        with pytest.raises(DataRefused, match="1 categories that were not named"):
            migration(np.array(wrong, dtype=object), ["A", "A"], ["A", "B"])
    with pytest.raises(UsageError, match="named twice"):
        migration(["A"], ["A"], ["A", "A"])
    with pytest.raises(UsageError, match="different length"):
        migration(["A", "A"], ["A"], ["A"])
    with pytest.raises(DataRefused, match="negative"):
        migration(["A"], ["A"], ["A"], [-1.0])


def test_a_roll_rate_is_the_share_of_the_money_that_gets_worse():
    told = roll_rates(migration(["A", "A", "A", "B"], ["A", "B", "C", "B"], "ABCD", [100, 50, 50, 10]))
    assert told["A"].share == 0.5
    assert told["B"].share == 0 == told["B"].low < told["B"].high < 1
    assert isinstance(told["C"], NotJudged)
    assert "D" not in told


def test_a_forecast_is_the_chain_and_keeps_what_there_is():
    moves = migration(*moved(np.random.default_rng(0)), FIVE)
    told = forecast(moves, START, 12)
    assert told.expected == pytest.approx(START @ np.linalg.matrix_power(moves.shares(), 12))
    assert told.expected.sum() == pytest.approx(START.sum())
    assert np.all(told.low <= told.expected)
    assert np.all(told.expected <= told.high)
    realised = forecast(moves, START, 12, realised=True)
    assert np.all(realised.high - realised.low >= told.high - told.low)
    assert np.array_equal(forecast(moves, START, 12).low, told.low), "the same seed gives the same bounds"


def test_a_category_without_moves_is_refused_only_where_loans_come_to_it():
    moves = migration(["A", "A", "A"], ["A", "A", "B"], ["A", "B", "C"])
    assert forecast(moves, [9, 0, 0], 1).expected == pytest.approx([6, 3, 0])
    with pytest.raises(TooFew, match="in B"):
        forecast(moves, [9, 0, 0], 2)
    with pytest.raises(TooFew, match="in C"):
        forecast(moves, [9, 0, 1], 1)
    with pytest.raises(DataRefused, match="negative"):
        forecast(moves, [-9, 0, 0], 1)


def test_bounds_of_a_forecast_and_of_roll_rates_hold_the_truth_as_often_as_they_say():
    random = random_for("migration")
    rolls, expected, realised = [], [], []
    for _ in range(SIMULATIONS):
        moves = migration(*moved(random), FIVE)
        rolls.append(roll_rates(moves)["special mention"])
        told = forecast(moves, START, 3, draws=400)
        truth = START @ np.linalg.matrix_power(TRUTH, 3)
        expected.append((told.low <= truth) & (truth <= told.high))
        told, held = forecast(moves, START, 3, realised=True, draws=400), START
        for _ in range(3):
            held = random.multinomial(held, TRUTH).sum(axis=0)
        realised.append((told.low <= held) & (held <= told.high))
    require_share("roll rate: covered", (one.low <= 0.2 <= one.high for one in rolls), 0.94, 0.96)
    for place in range(5):
        name = f"loans in {FIVE[place]} after 3 periods"
        require_share(f"{name}, expected: covered", (one[place] for one in expected), 0.935, 0.965)
        require_share(f"{name}, realised: covered", (one[place] for one in realised), 0.935, 0.965)


def test_the_bounds_of_a_roll_rate_in_money_hold_the_truth_where_amounts_differ_much():
    name = "roll rate in money: covered"
    random = random_for(name)

    def covered() -> bool:
        amount = random.lognormal(0, 0.8, 600)
        worse = random.random(600) < 0.2
        told = roll_rates(migration(np.full(600, "A"), np.where(worse, "B", "A"), "AB", amount))["A"]
        return told.low <= 0.2 <= told.high

    require_share(name, (covered() for _ in range(SIMULATIONS)), 0.935, 0.96)
