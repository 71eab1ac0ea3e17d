"""A policy is taken whole or refused with every fault named."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import numpy as np
import pytest

from features.errors import ConfigurationRefused
from models.policy import default_policy, policy_from
from models.quadrants import quadrants
from models.scale import band_names, points

SHIPPED = files("models").joinpath("policy.toml").read_text()


def test_the_shipped_loss_share_says_that_it_is_an_assumption():
    entry = default_policy().loss_share("revolving", date(2026, 1, 1))
    assert entry.status == "assumption"
    assert entry.source


def test_the_entry_in_force_is_the_latest_that_has_begun():
    later = (
        SHIPPED
        + '\n[[loss_share]]\nproduct = "revolving"\nfrom = 2026-06-01\nshare = 0.5\nstatus = "measured"\nsource = "x"\n'
    )
    policy = policy_from(later.encode(), where="test")
    assert policy.loss_share("revolving", date(2026, 5, 31)).share == 0.75
    assert policy.loss_share("revolving", date(2026, 6, 1)).share == 0.5


def test_a_product_without_a_loss_share_is_refused():
    with pytest.raises(ConfigurationRefused, match="mortgage"):
        default_policy().loss_share("mortgage", date(2026, 1, 1))


def test_all_faults_are_reported_together():
    broken = (
        SHIPPED.replace("points_to_double_odds = 50", "points_to_double_odds = 0")
        .replace("share = 0.60", "share = 1.60")
        .replace('quadrant = "able_willing"', 'quadrant = "able"')
    )
    with pytest.raises(ConfigurationRefused) as caught:
        policy_from(broken.encode(), where="mine.toml")
    for part in ("mine.toml", "points", "loss_share", "treatments"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "points = 3",
        "= broken",
        SHIPPED + "\n[surprise]\nx = 1\n",
        SHIPPED.replace("raising = 4", 'raising = "four"'),
    ],
)
def test_what_is_not_a_policy_is_refused(text):
    with pytest.raises(ConfigurationRefused):
        policy_from(text.encode(), where="mine.toml")


def test_points_double_their_odds_as_the_policy_says():
    scale = default_policy().points
    even = points(np.array([0.0, -np.log(20), -np.log(40), -np.log(10)]), scale)
    assert even[1] == scale.reference_points
    assert even[2] - even[1] == scale.points_to_double_odds
    assert even[1] - even[3] == scale.points_to_double_odds


def test_every_score_has_a_band_and_a_safer_one_never_has_a_worse_band():
    bands = default_policy().bands
    names = [band.name for band in bands]
    told = band_names(np.arange(-500, 1500), bands)
    places = [names.index(name) for name in told]
    assert places == sorted(places, reverse=True)
    assert set(told) == set(names)


def test_the_cut_off_itself_counts_as_able_and_willing():
    cut = default_policy().quadrants
    assert quadrants(np.array([0.0, 0.1, 0.0, 0.1]), np.array([0.0, 0.0, 0.1, 0.1]), cut) == [
        "able_willing",
        "unable_willing",
        "able_unwilling",
        "unable_unwilling",
    ]
