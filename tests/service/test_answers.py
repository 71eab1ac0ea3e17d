"""What an answer holds: parts that add up, reasons in both languages, an order that is explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from serving import score as scoring
from serving.ids import score_ids
from serving.settings import Settings
from serving.state import Loaded


def scored(body: dict[str, Any], loaded: Loaded, settings: Settings) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(scoring.score(json.dumps(body).encode(), loaded, settings))["scores"]
    return told


def ranked(body: dict[str, Any], loaded: Loaded, settings: Settings) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(scoring.rank(json.dumps(body).encode(), loaded, settings))["ranking"]
    return told


def test_whoever_adds_the_parts_of_an_answer_gets_its_score_to_the_bit(
    good: dict[str, Any], loaded: Loaded, settings: Settings
) -> None:
    for entry in scored(good, loaded, settings):
        total = entry["base"]
        for group in ("ability", "willingness", "circumstances"):
            total += entry[group]["contribution"]
        assert total == entry["log_odds"]
        ledger = entry["ledger"]
        assert ledger["chance"] + ledger["exposure"] + ledger["loss_share"] == ledger["priority"]


def test_the_order_of_the_loans_sent_is_the_order_of_the_scores(
    good: dict[str, Any], loaded: Loaded, settings: Settings
) -> None:
    good["tables"]["loans"].reverse()
    sent = [loan["loan_id"] for loan in good["tables"]["loans"]]
    assert [entry["loan_id"] for entry in scored(good, loaded, settings)] == sent


def test_a_ranking_falls_in_priority_and_each_place_says_why_it_is_above_the_next(
    request_for: Callable[..., dict[str, Any]], overdue_ids: list[str], loaded: Loaded, settings: Settings
) -> None:
    ranking = ranked(request_for(*overdue_ids[:30]), loaded, settings)
    for above, below in pairwise(ranking):
        why = above["above_next"]
        assert why["loan_id"] == below["loan_id"]
        assert why["gap"] == above["ledger"]["priority"] - below["ledger"]["priority"] >= 0
        assert sum(line["difference"] for line in why["lines"]) + why["rest"] == pytest.approx(why["gap"], abs=1e-12)
        assert above["loan_id"] in why["text"]["en"]
        assert ("之前" if why["gap"] else "优先级相同") in why["text"]["zh"]
    assert ranking[-1]["above_next"] is None


def test_a_loan_on_which_nothing_is_owed_says_how_it_is_counted(
    good: dict[str, Any], loaded: Loaded, settings: Settings
) -> None:
    latest = max(row["statement_on"] for row in good["tables"]["statements"])
    for row in good["tables"]["statements"]:
        if row["statement_on"] == latest:
            row["balance"] = 0
    for entry in scored(good, loaded, settings):
        assert entry["exposure"]["owed_minor"] == 0
        assert entry["exposure"]["amount_minor"] == loaded.policy.exposure.least_minor
        assert any("owed" in note["en"] and "欠款" in note["zh"] for note in entry["notes"])


def test_a_loan_outside_the_cards_population_is_scored_with_a_note(
    good: dict[str, Any], loaded: Loaded, settings: Settings
) -> None:
    assert not any(entry["notes"] for entry in scored(good, loaded, settings))
    del good["tables"]["statements"]
    for entry in scored(good, loaded, settings):
        assert any("population" in note["en"] for note in entry["notes"])


def test_a_column_that_may_be_null_may_be_left_out(good: dict[str, Any], loaded: Loaded, settings: Settings) -> None:
    before = scored(good, loaded, settings)
    for row in good["tables"]["loans"]:
        assert row.pop("opened_on") is None
    after = scored(good, loaded, settings)
    assert [{**entry, "score_id": ""} for entry in before] == [{**entry, "score_id": ""} for entry in after]


def test_an_instant_means_the_same_in_every_offset(good: dict[str, Any], loaded: Loaded, settings: Settings) -> None:
    before = scored(good, loaded, settings)
    for row in good["tables"]["statements"]:
        row["recorded_at"] = row["recorded_at"].replace("T12:00:00+00:00", "T20:00:00.000000000+08:00")
    after = scored(good, loaded, settings)
    assert [entry["log_odds"] for entry in before] == [entry["log_odds"] for entry in after]


def test_what_was_recorded_after_the_observation_date_changes_nothing(
    good: dict[str, Any], loaded: Loaded, settings: Settings
) -> None:
    before = scored(good, loaded, settings)
    loan = good["tables"]["loans"][0]["loan_id"]
    good["tables"]["payments"].append(
        {
            "payment_id": "late",
            "loan_id": loan,
            "paid_on": "2005-09-30",
            "amount": 100_000_00,
            "recorded_at": "2005-09-30T16:00:00Z",  # midnight in Taipei: the next day
        }
    )
    after = scored(good, loaded, settings)
    assert [entry["log_odds"] for entry in before] == [entry["log_odds"] for entry in after]


def test_score_ids_rise_within_a_request_and_do_not_repeat() -> None:
    ids = [*score_ids(500), *score_ids(500)]
    assert len(set(ids)) == len(ids)
    assert sorted(ids[:500]) == ids[:500]
    assert {len(written) for written in ids} == {26}


def test_more_loans_than_the_limit_are_refused(good: dict[str, Any], loaded: Loaded, settings: Settings) -> None:
    from features.errors import TablesRefused

    with pytest.raises(TablesRefused, match="from 1 to 2 rows"):
        scored(good, loaded, replace(settings, most_loans=2))
