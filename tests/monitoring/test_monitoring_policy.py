"""A monitoring policy says every number with its source, or is refused with all that is wrong."""

from __future__ import annotations

from datetime import date

import pytest

from features.errors import ConfigurationRefused
from training.monitoring.policy import MonitoringPolicy, default_bytes, policy_from, read_policy

BREAKS = '\n[[breaks]]\non = 2026-06-15\nwhy = "a law"\n\n[[breaks]]\non = 2026-01-01\nwhy = "a channel"\n'


def test_the_shipped_policy_is_one(policy: MonitoringPolicy):
    assert policy.rules.alarms.false_alarm == 0.01
    assert policy.breaks == ()


def test_breaks_divide_time_in_their_order():
    policy = policy_from((default_bytes().decode() + BREAKS).encode(), where="test")
    assert [one.why for one in policy.breaks] == ["a channel", "a law"]
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 14), date(2026, 6, 15))
    assert [policy.era(day) for day in days] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("false_alarm = 0.01", "false_alarm = 2.0", "false_alarm"),
        ("moved_by = 0.05", "moved_by = -0.05", "moved_by"),
        ("known_share = 0.95", "known_share = 1.5", "share"),
        ("last_days = [0, 30, 60, 90]", "last_days = [1, 30]", "last_days"),
        ("first_share = 0.10", "first = 0.10", "first"),
        ("[unit]", "[units]", "unit"),
        ("format = 1", "format = 9", "format"),
        ('source = "a table', 'because = "a table', "because"),
        ("[tables]", "[tables", "line"),
    ],
)
def test_a_policy_that_breaks_its_form_is_refused(old: str, new: str, said: str):
    text = default_bytes().decode()
    assert old in text
    with pytest.raises(ConfigurationRefused, match=said):
        policy_from(text.replace(old, new, 1).encode(), where="test")


def test_a_break_needs_a_reason_and_a_day_of_its_own():
    text = default_bytes().decode()
    with pytest.raises(ConfigurationRefused, match="without a reason"):
        policy_from((text + '\n[[breaks]]\non = 2026-01-01\nwhy = " "\n').encode(), where="test")
    with pytest.raises(ConfigurationRefused, match="two breaks on one day"):
        policy_from((text + 2 * '\n[[breaks]]\non = 2026-01-01\nwhy = "x"\n').encode(), where="test")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        read_policy(tmp_path / "none.toml")
