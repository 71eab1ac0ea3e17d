"""Alerts follow the policy at its thresholds, never outnumber the team, and stand in order of money."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from features.errors import ConfigurationRefused
from models.assessment import Assessment
from models.change import Change, change
from training.early_warning.alert_policy import AlertPolicy, Rule, read_alert_policy
from training.early_warning.alerts import alerts, holds
from training.early_warning.policy_file import shipped
from training.early_warning.two_dates import TwoDates


@pytest.fixture(scope="module")
def assessed(told: TwoDates) -> Assessment:
    return told.change.after


@pytest.fixture(scope="module")
def policy() -> AlertPolicy:
    return read_alert_policy(None)


def with_probabilities(assessed: Assessment, before: list[float], now: list[float]) -> Change:
    """Return a change whose probabilities are given, for the first loans of an assessment."""
    moved = change(assessed, assessed)
    size = len(before)
    first, second = (
        replace(assessed, probability=np.array(one), owed_minor=assessed.owed_minor[:size]) for one in (before, now)
    )
    for name in ("bands", "currencies"):
        first, second = (replace(one, **{name: getattr(assessed, name)[:size]}) for one in (first, second))
    first, second = (replace(one, cases=assessed.cases[:size]) for one in (first, second))
    return replace(moved, before=first, after=second, contributions=moved.contributions[:size])


def test_each_threshold_holds_at_its_very_value_and_not_below(assessed):
    below = np.nextafter(0.5, 0)
    moved = with_probabilities(assessed, [0.25, 0.25, 0.5, 0.1], [0.5, below, 0.25, 0.1])
    text = {"name": "one", "en": "one", "zh": "一", "source": "here"}
    assert holds(Rule(**text, factor=2.0), moved).tolist() == [True, False, False, False]
    assert holds(Rule(**text, points=25.0), moved).tolist() == [True, False, False, False]
    assert holds(Rule(**text, points=1.0, probability=0.5), moved).tolist() == [True, False, False, False]


@pytest.mark.parametrize("most", [1, 7, 10**9])
def test_a_list_never_holds_more_than_the_team_can_handle_and_what_is_left_waits(assessed, policy, most):
    rose = np.clip(assessed.probability * 3, 0, 0.999)
    moved = with_probabilities(assessed, assessed.probability.tolist(), rose.tolist())
    found = alerts(moved, policy, most)
    fired = set(np.flatnonzero(found.fired.any(axis=0)).tolist())
    assert len(fired) > 7
    assert len(found.chosen) == min(most, len(fired))
    assert set(found.chosen.tolist()) | set(found.waiting.tolist()) == fired
    assert not set(found.chosen.tolist()) & set(found.waiting.tolist())
    value = found.value[found.order]
    assert (np.diff(value) <= 0).all()
    assert (found.value[found.order] == moved.after.owed_minor[found.order] * moved.rise[found.order]).all()


def test_a_loan_below_the_least_amount_or_without_a_rise_is_no_alert(assessed, policy):
    moved = with_probabilities(assessed, [0.1, 0.1, 0.9], [0.9, 0.9, 0.1])
    least = policy.exposure.least * 100
    after = replace(moved.after, owed_minor=np.array([least, least - 1, 10 * least]))
    found = alerts(replace(moved, after=after), policy, 10)
    assert found.chosen.tolist() == [0]


def test_a_list_over_part_of_a_month_gets_that_part_of_the_capacity_and_at_least_one(policy):
    whole = policy.capacity.alerts_a_month
    assert policy.most_alerts(date(2025, 1, 1), date(2025, 12, 31)) == whole
    assert policy.most_alerts(date(2025, 1, 1), date(2025, 1, 16)) == pytest.approx(whole / 2, rel=0.02)
    small = replace(policy, capacity=type(policy.capacity)(1, "here"))
    assert small.most_alerts(date(2025, 1, 1), date(2025, 1, 2)) == 1


def test_every_rule_is_said_in_both_languages_with_its_numbers_and_its_source(policy):
    for rule in policy.rules:
        assert rule.source
        assert not {"{", "}"} & set(rule.text.en + rule.text.zh)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in rule.text.zh)
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in rule.text.en)
        for number in (rule.factor, rule.points, rule.bands):
            if number is not None:
                assert f"{number:g}" in rule.text.en
                assert f"{number:g}" in rule.text.zh


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        ("alerts_a_month = 200", "alerts_a_month = 0", "alerts_a_month must be at least 1"),
        ("factor = 2.0", "factor = 1.0", "factor must be above 1"),
        ("points = 10.0\n", "", "names no rise"),
        ("bands = 2", "bands = 0", "bands must be at least 1"),
        ('name = "jumped"', 'name = "multiplied"', "two rules are named 'multiplied'"),
        ("{factor} times", "{probability} times", "a number that it does not name"),
        ("[exposure]", "[exposition]", "unknown section 'exposition'"),
        ("format = 1", "format = 2", "the form of the file is 1"),
    ],
)
def test_a_policy_with_a_fault_is_refused_by_the_fault(tmp_path, written, instead, fault):
    path = tmp_path / "alerts.toml"
    text = shipped("alerts.toml").decode()
    assert written in text
    path.write_text(text.replace(written, instead))
    with pytest.raises(ConfigurationRefused, match=fault):
        read_alert_policy(path)


def test_a_rule_without_a_source_is_refused(tmp_path):
    path = tmp_path / "alerts.toml"
    lines = shipped("alerts.toml").decode().split("\n")
    path.write_text("\n".join('source = " "' if line.startswith("source") else line for line in lines))
    with pytest.raises(ConfigurationRefused, match="source must not be empty"):
        read_alert_policy(path)
