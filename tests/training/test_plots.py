"""What the pictures draw, checked against the numbers they are drawn from."""

from __future__ import annotations

import html
import itertools
import re

import matplotlib as mpl
import numpy as np
import pytest
from both_languages import CHINESE, ENGLISH, without_chinese
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from features.declaration import Group
from features.words import Text
from models.assessment import Assessment
from models.policy import QUADRANTS
from models.risk_model import GROUP_ORDER
from training.cohort import Cohort
from training.plot_style import svg
from training.plot_words import in_words
from training.plots import (
    calibration_by_decile,
    captured_money_by_decile,
    lift_by_decile,
    quadrant_plot,
    roc_and_ks,
    shap_summary,
    waterfall,
)
from training.plots_explanation import summed_up
from training.plots_waterfall import row_names
from training.statistics.deciles import decile_table, tenths
from training.statistics.metrics import discrimination
from training.statistics.worked import captured_money
from training.waterfall import waterfall_of


def pictures(assessed: Assessment, bad: np.ndarray) -> dict[str, Figure]:
    log_odds, ledger = assessed.attribution.log_odds, assessed.ledger
    ability, willingness = assessed.part(Group.ABILITY), assessed.part(Group.WILLINGNESS)
    return {
        "roc": roc_and_ks(bad, log_odds),
        "calibration": calibration_by_decile(bad, assessed.probability),
        "lift": lift_by_decile(bad, log_odds),
        "captured": captured_money_by_decile(bad, ledger.priority, ledger.exposure_minor, assessed.probability),
        "quadrants": quadrant_plot(ability, willingness, bad, assessed.policy.quadrants),
        "shap": shap_summary(assessed),
        "waterfall": waterfall(assessed, 0),
    }


def bars(figure: Figure, prefix: str) -> list[tuple[float, float]]:
    found = [patch for patch in figure.axes[0].patches if str(patch.get_gid()).startswith(prefix)]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in found]


def test_every_picture_has_the_same_bytes_twice_and_loads_nothing(assessed: Assessment, overdue: Cohort) -> None:
    once, twice = (
        {name: svg(picture, name) for name, picture in pictures(assessed, overdue.bad).items()} for _ in range(2)
    )
    assert once == twice
    for element in once.values():
        assert element.startswith("<svg viewBox=")
        assert "http" not in element


def test_every_word_in_a_picture_stands_in_both_languages_under_it(assessed: Assessment, overdue: Cohort) -> None:
    names = {code: Text(en=code.replace("_", ", "), zh="象限") for code in QUADRANTS}
    rows = {
        "shap": [feature.label for feature in summed_up(assessed)],
        "waterfall": row_names(waterfall_of(assessed, 0)),
    }
    for name, picture in pictures(assessed, overdue.bad).items():
        told = in_words(picture, rows=rows.get(name, ()), names=names.values() if name == "quadrants" else ())
        drawn = re.findall("<text[^>]*>([^<]*)</text>", svg(picture, name))
        words = {html.unescape(one) for one in drawn if ENGLISH.search(one)}
        assert len(words) > 1, name
        assert {word for word in words if word not in told.en} == set(), name
        assert CHINESE.search(told.zh)
        assert told.en.count(" · ") == told.zh.count(" · "), name
        if name not in rows:  # a feature's name may count statements in one language alone
            assert without_chinese(f"{told.en}\n{told.zh}") == [], name


def test_a_word_in_a_picture_without_chinese_is_refused(overdue: Cohort, assessed: Assessment) -> None:
    picture = roc_and_ks(overdue.bad, assessed.attribution.log_odds)
    picture.axes[0].set_xlabel("something new")
    with pytest.raises(KeyError, match="something new"):
        in_words(picture)


def test_drawing_a_picture_leaves_the_settings_of_matplotlib_as_they_were(
    assessed: Assessment, overdue: Cohort
) -> None:
    before = dict(mpl.rcParams)
    for name, picture in pictures(assessed, overdue.bad).items():
        svg(picture, name)
    assert dict(mpl.rcParams) == before


def test_the_ids_of_two_pictures_on_one_page_differ(assessed: Assessment) -> None:
    picture = waterfall(assessed, 0)
    first, second = svg(picture, "one"), svg(picture, "two")
    assert ' id="one-' in first
    assert ' id="one-' not in second
    assert "url(#p" not in second


@pytest.mark.parametrize("case", range(0, 200, 23))
def test_waterfall_bars_start_at_the_base_and_end_at_the_score(assessed: Assessment, case: int) -> None:
    picture, attribution = waterfall(assessed, case), assessed.attribution
    parts = bars(picture, "part-")
    assert parts[0][0] == attribution.base
    assert parts[-1][1] == pytest.approx(attribution.log_odds[case], abs=1e-12)
    for before, after in itertools.pairwise(parts):
        assert after[0] == pytest.approx(before[1], abs=1e-12)
    for group, (start, end) in zip(GROUP_ORDER, parts, strict=True):
        steps = bars(picture, f"step-{group}-")
        assert steps[0][0] == start
        assert steps[-1][1] == pytest.approx(end, abs=1e-12)


@pytest.mark.parametrize("largest", [1, 3, 100])
def test_a_waterfall_reaches_the_score_to_the_bit_however_many_steps_it_shows(
    assessed: Assessment, largest: int
) -> None:
    for case in range(50):
        told = waterfall_of(assessed, case, largest)
        assert told.log_odds == assessed.attribution.log_odds[case]
        assert told.probability == assessed.probability[case]
        for part in told.parts:
            assert part.whole.end - part.whole.start == pytest.approx(
                assessed.attribution.parts[part.group][case], abs=1e-12
            )
            assert sum(step.move for step in part.steps) == pytest.approx(part.whole.move, abs=1e-12)


def test_the_steps_of_a_waterfall_carry_the_figures_of_the_reasons(assessed: Assessment) -> None:
    for case in range(50):
        moves = [step.move for part in waterfall_of(assessed, case, largest=100).parts for step in part.steps]
        for reason in assessed.reasons(case):
            assert min(abs(move - reason.contribution) for move in moves) < 1e-9


def test_the_roc_picture_carries_the_auc_and_ks_of_the_metrics(assessed: Assessment, overdue: Cohort) -> None:
    told = discrimination(overdue.bad, assessed.attribution.log_odds)
    axes = roc_and_ks(overdue.bad, assessed.attribution.log_odds).axes[0]
    assert {text.get_text() for text in axes.texts} == {f"AUC {told.auc:.3f}", f"KS {told.ks:.3f}"}
    upright = next(line for line in axes.lines if line.get_marker() == "o")
    assert np.ptp(upright.get_ydata()) == pytest.approx(told.ks, abs=1e-9)


def test_a_quadrant_plot_without_outcomes_does_not_speak_of_bad_loans(assessed: Assessment) -> None:
    ability, willingness = assessed.part(Group.ABILITY), assessed.part(Group.WILLINGNESS)
    axes = quadrant_plot(ability, willingness, None, assessed.policy.quadrants).axes[0]
    assert axes.get_legend() is None
    assert not [text for text in axes.texts if "bad" in text.get_text()]


def test_tenths_hold_every_loan_once_and_no_group_is_safer_than_the_next() -> None:
    score = np.random.default_rng(0).normal(size=1234)
    groups = tenths(score)
    assert sorted(np.concatenate(groups)) == list(range(1234))
    for riskier, safer in itertools.pairwise(groups):
        assert score[riskier].min() >= score[safer].max()


def test_three_loans_make_three_groups_and_not_ten() -> None:
    table = decile_table(np.array([True, False, False]), np.array([0.9, 0.5, 0.1]), np.array([100, 200, 300]))
    assert [one.observed for one in table] == [1.0, 0.0, 0.0]
    assert [one.found for one in table] == [1.0, 1.0, 1.0]
    assert [one.lift for one in table] == [pytest.approx(3), 0, 0]
    assert sum(one.exposure_minor for one in table) == 600
    assert sum(one.bad_minor for one in table) == 100


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 10**9), st.floats(-5, 5)), min_size=1, max_size=60).filter(
        lambda loans: any(bad for bad, _, _ in loans)
    )
)
def test_captured_money_rises_from_nothing_to_all(loans: list[tuple[bool, int, float]]) -> None:
    bad, money, ranking = (np.array(column) for column in zip(*loans, strict=True))
    held = captured_money(bad, ranking, money, np.linspace(0, 1, 21))
    assert held[0] == 0
    assert held[-1] == 1
    assert np.all(np.diff(held) >= 0)


def test_no_ranking_captures_more_than_one_that_knows_what_goes_bad() -> None:
    chance = np.random.default_rng(1)
    bad, money = chance.random(500) < 0.3, chance.integers(1, 10**6, 500)
    shares = np.linspace(0, 1, 51)
    best = captured_money(bad, np.where(bad, money, 0).astype(np.float64), money, shares)
    for ranking in (chance.random(500), money.astype(np.float64)):
        assert np.all(captured_money(bad, ranking, money, shares) <= best + 1e-12)
