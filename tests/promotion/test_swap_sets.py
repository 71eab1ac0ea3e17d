"""Who goes up and who goes down is counted twice, and why they do adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ModelRefused
from models.assessment import Assessment, assess_matrix
from models.attribution import ADDITIVITY_BOUND
from models.calibration import Calibration
from models.policy import default_policy
from models.risk_model import RiskModel, Size
from training.fitting import fitted_card
from training.promotion.compared import Compared
from training.promotion.swap_sets import CARD, UNSEEN, Placed, moved, placed, placed_unseen, swap_sets
from training.promotion.why import FEATURE, lines, why
from training.promotion.words import MOVES, TITLES, Move, View

SMALL = Size(learning_rate=0.1, max_depth=4, num_leaves=7, min_data_in_leaf=20, lambda_l2=10.0, most_trees=40)
SHARE = 0.1


@pytest.fixture(scope="module")
def of(overdue, assessed: Assessment) -> Compared:
    """The real card against one of fewer features, fitted on half of the cases and calibrated otherwise."""
    fewer = overdue.features(tuple(feature.name for feature in overdue.matrix.features[::2]))
    some = fewer.rows(np.arange(0, len(fewer), 2))
    card = fitted_card(some, version="2", seed=3, provenance={}, sizes=(SMALL,))
    fitted = card.model
    bent = Calibration("isotonic", (-3.0, 0.0, 3.0), (-2.5, 0.2, 4.0))
    model = RiskModel.fitted(fitted.booster_, bent, fitted.groups, fitted.directions)
    other = assess_matrix(fewer.matrix, overdue.money, replace(card, model=model), default_policy())
    noise = np.random.default_rng(5).normal(0, 0.2, len(overdue))
    return Compared(assessed, other, overdue.bad, other.attribution.log_odds + noise, 0)


@pytest.fixture(scope="module")
def sets(of) -> pl.DataFrame:
    return swap_sets(of, first_share=SHARE)


def slowly(of: Compared, scores: str) -> Counter[tuple[str, str, str, str, str]]:
    """Count every set case by case: cases, bad, money, money that went bad."""
    bands = [band.name for band in of.after.policy.bands]
    model = of.after.model.model.calibration_
    raw = of.after.attribution.log_odds if scores == CARD else of.unseen
    starts = [(band.from_points, place) for place, band in enumerate(of.after.policy.bands)]
    rule = of.after.policy.points
    factor = rule.points_to_double_odds / np.log(2)
    after_band, after_priority = [], []
    for case in range(len(of)):
        odds = float(model.log_odds(raw[case : case + 1])[0])
        told = round(rule.reference_points - factor * (odds + np.log(rule.reference_odds)))
        after_band.append(next(place for start, place in starts if told >= start))
        chance = float(model.log_probability(raw[case : case + 1])[0])
        after_priority.append(chance + of.after.ledger.exposure[case] + of.after.ledger.loss_share[case])
    before_band = [bands.index(name) for name in of.before.bands]
    loans = of.after.loan_ids
    was = sorted(range(len(of)), key=lambda case: (-of.before.ledger.priority[case], loans[case]))
    will = sorted(range(len(of)), key=lambda case: (-after_priority[case], loans[case]))
    before_place = {case: place for place, case in enumerate(was)}
    after_place = {case: place for place, case in enumerate(will)}
    counted: Counter[tuple[str, str, str, str, str]] = Counter()

    def count(case: int, view: str, cut: str, before: str, after: str) -> None:
        money = int(of.after.owed_minor[case])
        for name, amount in (
            ("cases", 1),
            ("bad", int(of.bad[case])),
            ("exposure_minor", money),
            ("bad_exposure_minor", money * int(of.bad[case])),
        ):
            counted[view, cut, before, after, name] += amount

    height = len(of)
    for case in range(height):
        count(case, "band", "", bands[before_band[case]], bands[after_band[case]])
        tenths = (1 + 10 * place[case] // height for place in (before_place, after_place))
        count(case, "place", "", *map(str, tenths))
        sides = ("in" if place[case] < SHARE * height else "out" for place in (before_place, after_place))
        count(case, "first", "", *sides)
        for number in range(1, len(bands)):
            sides = ("in" if band[case] >= number else "out" for band in (before_band, after_band))
            count(case, "cut", bands[number], *sides)
    return counted


@pytest.mark.parametrize("scores", [CARD, UNSEEN])
def test_every_set_is_the_one_that_a_slow_count_finds(of, sets, scores):
    found = {
        (row["view"], row["cut"], row["before"], row["after"], name): row[name]
        for row in sets.filter(scores=scores).iter_rows(named=True)
        for name in ("cases", "bad", "exposure_minor", "bad_exposure_minor")
    }
    slow = slowly(of, scores)
    assert {key: value for key, value in found.items() if value} == {key: value for key, value in slow.items() if value}
    assert set(slow) <= set(found)


def test_every_case_stands_once_in_each_view_and_cut(of, sets):
    sums = sets.group_by("scores", "view", "cut").agg(pl.sum("cases", "bad", "exposure_minor", "bad_exposure_minor"))
    bands = len(default_policy().bands)
    assert sums.height == 2 * (3 + bands - 1)
    assert set(sums["cases"]) == {len(of)}
    assert set(sums["bad"]) == {int(of.bad.sum())}
    assert set(sums["exposure_minor"]) == {int(of.after.owed_minor.sum())}
    assert set(sums["bad_exposure_minor"]) == {int(of.after.owed_minor[of.bad].sum())}


def test_who_comes_into_the_first_part_of_the_work_list_takes_the_place_of_who_goes_out(sets):
    for scores in (CARD, UNSEEN):
        first = dict(sets.filter(scores=scores, view=View.FIRST.value).select("move", "cases").iter_rows())
        assert first[Move.COMES_IN] == first[Move.GOES_OUT] > 0


def test_a_version_in_its_own_place_moves_nobody(assessed, overdue):
    same = Compared(assessed, assessed, overdue.bad, None, 0)
    rows = swap_sets(same, first_share=SHARE)
    assert set(rows["scores"]) == {CARD}
    stay = {Move.SAME, Move.STAYS_IN, Move.STAYS_OUT}
    assert rows.filter(~pl.col("move").is_in([move.value for move in stay]))["cases"].sum() == 0
    told = why(same, first_share=SHARE)
    assert set(told["difference"]) == {0.0}


def test_there_and_back_again_are_the_same_moves_the_other_way_round(of, sets):
    back = swap_sets(replace(of, before=of.after, after=of.before, unseen=None), first_share=SHARE)
    keys = ["view", "cut", "before", "after"]
    turned = back.filter(pl.col("cases") > 0).rename({"before": "after", "after": "before"}).sort(keys)
    there = sets.filter((pl.col("scores") == CARD) & (pl.col("cases") > 0)).sort(keys)
    assert turned.select(*keys, "cases", "bad").equals(there.select(*keys, "cases", "bad"))
    forth, returned = lines(of), lines(replace(of, before=of.after, after=of.before))
    assert np.array_equal(forth.total, -returned.total)
    back_by_name = dict(zip(returned.features, returned.differences.T, strict=True))
    for name, difference in zip(forth.features, forth.differences.T, strict=True):
        assert np.array_equal(difference, -back_by_name[name])


def test_differences_of_contributions_add_up_to_the_difference_of_the_scores_case_by_case(of):
    told = lines(of)
    assert told.error <= ADDITIVITY_BOUND
    assert np.any(told.calibration != 0)
    assert told.base != 0
    assert set(of.before.catalog.names) == set(told.features)  # the second reads some of them
    slow = [
        told.base + told.calibration[case] + sum(told.differences[case].tolist()) - told.total[case]
        for case in range(len(of))
    ]
    assert max(map(abs, slow)) <= ADDITIVITY_BOUND
    unread = [place for place, name in enumerate(told.features) if name not in of.after.catalog.names]
    column = {name: place for place, name in enumerate(of.before.catalog.names)}
    for place in unread:
        assert np.array_equal(
            told.differences[:, place], -of.before.attribution.contributions[:, column[told.features[place]]]
        )


def test_the_means_that_are_kept_add_up_and_are_those_of_the_cases(of):
    kept, told = why(of, first_share=SHARE), lines(of)
    for (view, move), rows in kept.group_by("view", "move"):
        mean = {(row["kind"], row["name"]): row["difference"] for row in rows.iter_rows(named=True)}
        fixed = mean["base", "base"] + mean["calibration", "calibration"]
        for kind in (FEATURE, "group"):
            added = fixed + sum(value for (of_kind, _), value in mean.items() if of_kind == kind)
            assert added == pytest.approx(mean["total", "total"], abs=ADDITIVITY_BOUND), (view, move, kind)
        moves = moved(placed(of.before), placed(of.after), View(view), first_share=SHARE)
        chosen = [case for case in range(len(of)) if moves[case] == move]
        assert rows["cases"].unique().to_list() == [len(chosen)]
        assert mean["total", "total"] == pytest.approx(sum(told.total[case] for case in chosen) / len(chosen))


def test_contributions_that_do_not_add_up_are_refused(of):
    attribution = replace(of.after.attribution, contributions=of.after.attribution.contributions + 1e-9)
    with pytest.raises(ModelRefused, match="miss the difference of the scores"):
        lines(replace(of, after=replace(of.after, attribution=attribution)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=60),
    st.sampled_from([0.05, 0.1, 0.3, 0.5]),
)
def test_each_day_has_a_work_list_of_its_own(rows, share):
    days = np.array([f"2026-0{1 + day}-28" for day, _, _ in rows], dtype="datetime64[D]")
    loans = [f"L-{number:03}" for number in range(len(rows))]
    flat = np.zeros(len(rows), dtype=np.int64)
    before, after = (
        Placed(flat, np.array([row[column] for row in rows], dtype=float), loans, days) for column in (1, 2)
    )
    for day in np.unique(days):
        of_day = np.flatnonzero(days == day)
        for side in (before, after):
            assert sorted(side.standing[0][of_day]) == list(range(len(of_day)))
            assert side.first(share)[of_day].sum() == sum(place / len(of_day) < share for place in range(len(of_day)))
            assert set(side.tenth[of_day]) <= set(range(1, 11))
        moves = Counter(moved(before, after, View.FIRST, first_share=share)[of_day].tolist())
        assert moves[Move.COMES_IN] == moves[Move.GOES_OUT]


def test_scores_out_of_sample_that_are_the_cards_own_place_every_case_as_the_card_does(of):
    one, other = placed(of.after), placed_unseen(of.after, of.after.attribution.log_odds)
    assert np.array_equal(one.band, other.band)
    assert np.array_equal(one.priority, other.priority)


def test_every_view_and_move_has_words_in_both_languages():
    assert set(MOVES) == set(Move)
    assert set(TITLES) == set(View)
    for text in (*MOVES.values(), *TITLES.values()):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh)
        assert text.en.isascii()
