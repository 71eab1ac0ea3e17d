"""A policy is taken whole or refused with every fault named."""

from __future__ import annotations

from datetime import date
from importlib.resources import files

import numpy as np
import pytest

from features.errors import ConfigurationRefused
from models.cards import CARDS
from models.policy import QUADRANTS, default_policy, policy_from
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


SECOND_ENTRY = '\n[[loss_share]]\nproduct = "revolving"\nfrom = 1900-01-01\nshare = 0.1\nstatus = "x"\nsource = "y"\n'


@pytest.mark.parametrize(
    ("found", "instead", "words"),
    [
        ("points_to_double_odds = 50", "points_to_double_odds = nan", "points_to_double_odds must be a finite number"),
        ("reference_points = 600", "reference_points = inf", "reference_points must be a finite number"),
        ("least_share = 0.02", "least_share = nan", "least_share must be a finite number"),
        ("ability_cut_off = 0.0", "ability_cut_off = nan", "ability_cut_off must be a finite number"),
        ("share = 0.60", "share = nan", "the share of product 'instalment'"),
        ("from_points = 560", "from_points = 999999999999999999", "from_points must be a finite number of at most"),
        ('name = "B"', 'name = "A"', "two bands are named 'A'"),
        ('name = "B"', 'name = " "', "'bands': name must not be empty"),
        ('version = "2026-11-24.2"', 'version = ""', "the version must not be empty"),
        ('en = "gentle reminder"', 'en = ""', "'treatments': en must not be empty"),
        ('zh = "温和提醒"', 'zh = " "', "'treatments': zh must not be empty"),
        ('rung = "call"', 'rung = ""', "'treatments': rung must not be empty"),
        ("lowering = 2", "lowering = 100000", "lowering from 0 to 10"),
        ("raising = 4", "raising = 11", "raising from 1 to 10"),
        ("least_share = 0.02", "least_share = 1.0", "least_share must be at least 0 and below 1"),
        ("# What a quadrant suggests", SECOND_ENTRY + "#", "product 'revolving' has two entries from 1900-01-01"),
    ],
)
def test_each_fault_of_a_policy_is_refused_in_its_own_words(found, instead, words):
    assert found in SHIPPED
    with pytest.raises(ConfigurationRefused) as caught:
        policy_from(SHIPPED.replace(found, instead).encode(), where="mine.toml")
    assert words in str(caught.value)
    assert ";" not in caught.value.found


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


def test_each_card_has_its_own_step_for_each_quadrant_and_no_applicant_is_accused_or_collected_from():
    policy = default_policy()
    collecting = {entry.rung for entry in policy.treatments if "collection" in entry.cards}
    for quadrant in QUADRANTS:
        steps = {card: policy.treatment(card, quadrant) for card in CARDS}
        assert steps["application"].rung not in collecting
        assert steps["behaviour"].rung not in collecting
        for word in ("willing", "demand", "unable", "borrower"):
            assert word not in f"{steps['application'].name_en} {steps['application'].en}"
        assert "意愿" not in steps["application"].name_zh
    assert "no automatic refusal" in policy.treatment("application", "unable_unwilling").en


def test_a_policy_of_an_earlier_form_is_refused_with_what_to_change():
    with pytest.raises(ConfigurationRefused, match=r"now names its `cards`"):
        policy_from(SHIPPED.replace("format = 2\n", "").encode(), where="test")


@pytest.mark.parametrize(
    ("found", "put", "fault"),
    [
        ('cards = ["application"]', 'cards = ["loans"]', "card 'loans' is none of"),
        ('cards = ["behaviour", "all"]', 'cards = ["all"]', "card 'behaviour' has one entry for each of"),
        ('cards = ["collection"]', 'cards = ["collection", "all"]', "card 'all' has one entry for each of"),
        ('name_zh = "有能力，有意愿"', 'name_zh = ""', "'treatments': name_zh must not be empty"),
    ],
)
def test_a_card_without_one_step_for_each_quadrant_is_a_fault(found: str, put: str, fault: str):
    assert found in SHIPPED
    with pytest.raises(ConfigurationRefused, match=fault):
        policy_from(SHIPPED.replace(found, put).encode(), where="test")
