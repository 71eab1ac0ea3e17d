"""What the service answers is what the batch verb writes, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from features.history import History
from features.portfolios import Portfolio, observation_date
from models.assessment import assess_population
from models.fitted_card import FittedCard
from models.policy import default_policy
from models.reasons import EFFECTS
from serving.batch import frame
from serving.child import Child

NOTHING = {"en": None, "zh": None}
BORROWERS = 1_000
ONE_BY_ONE = 40


@pytest.fixture(scope="module")
def written(taiwan: Portfolio, collection: FittedCard) -> pl.DataFrame:
    """Return what `repayrank score` writes for the whole book."""
    history = History.as_of(observation_date(taiwan, None), taiwan.tables, zone=taiwan.zone)
    return frame(assess_population(history, collection, default_policy()), ranked=False)


def flat(entry: dict[str, Any], reasons: int = 6) -> dict[str, Any]:
    """Return an entry of an HTTP answer under the names of the batch file's columns."""
    row = {
        name: entry[name]
        for name in ("loan_id", "default_probability", "points", "band", "base", "log_odds", "calibrated_log_odds")
    }
    row |= {group: entry[group]["contribution"] for group in ("ability", "willingness", "circumstances")}
    row |= {name: entry["ledger"][name] for name in ("chance", "exposure", "loss_share", "priority")}
    row |= {
        "observed_on": entry["observation_date"],
        "expected_loss_minor": entry["ledger"]["expected_loss_minor"],
        "loss_share_status": entry["ledger"]["loss_share_status"],
        "expected_recovery_minor": entry["ledger"]["expected_recovery_minor"],
        "quadrant": entry["quadrant"],
        "quadrant_en": entry["quadrant_name"]["en"],
        "quadrant_zh": entry["quadrant_name"]["zh"],
        "treatment": entry["treatment"]["rung"],
        "treatment_en": entry["treatment"]["text"]["en"],
        "treatment_zh": entry["treatment"]["text"]["zh"],
        "currency": entry["exposure"]["currency"],
        "owed_minor": entry["exposure"]["owed_minor"],
        "exposure_minor": entry["exposure"]["amount_minor"],
        **{f"model_{name}": value for name, value in entry["model"].items()},
        **{f"policy_{name}": value for name, value in entry["policy"].items()},
    }
    for place in range(reasons):
        reason = entry["reasons"][place] if place < len(entry["reasons"]) else None
        effect = NOTHING if reason is None else EFFECTS[reason["effect"]].as_dict()
        text = NOTHING if reason is None else reason["text"]
        row |= {f"reason_{place + 1}_effect_{language}": effect[language] for language in ("en", "zh")}
        row |= {f"reason_{place + 1}_{language}": text[language] for language in ("en", "zh")}
    for language, between in (("en", "; "), ("zh", "；")):
        row[f"notes_{language}"] = between.join(note[language] for note in entry["notes"]) or None
    return row


def bits(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.hex() if isinstance(value, float) else str(value) if name == "observed_on" else value
        for name, value in row.items()
    }


def by_loan(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["loan_id"]: bits(row) for row in table.to_dicts()}


@pytest.mark.slow
def test_a_thousand_borrowers_in_one_request_score_as_the_batch_file_says(
    written: pl.DataFrame,
    server: Child,
    asking: Callable[..., Any],
    request_for: Callable[..., dict[str, Any]],
    overdue_ids: list[str],
) -> None:
    chosen = overdue_ids[:: len(overdue_ids) // BORROWERS][:BORROWERS]
    told = asking(server, "POST", "/v1/score", json.dumps(request_for(*chosen)).encode())
    assert told.status == 200
    entries = told.plain["scores"]
    assert [entry["loan_id"] for entry in entries] == chosen
    expected = by_loan(written)
    for entry in entries:
        assert bits(flat(entry)) == expected[entry["loan_id"]]


@pytest.mark.slow
def test_borrowers_asked_one_at_a_time_score_as_the_batch_file_says(
    written: pl.DataFrame,
    server: Child,
    asking: Callable[..., Any],
    request_for: Callable[..., dict[str, Any]],
    overdue_ids: list[str],
) -> None:
    expected = by_loan(written)
    for loan in overdue_ids[:: len(overdue_ids) // ONE_BY_ONE][:ONE_BY_ONE]:
        told = asking(server, "POST", "/v1/score", json.dumps(request_for(loan)).encode())
        (entry,) = told.plain["scores"]
        assert bits(flat(entry)) == expected[loan]


@pytest.mark.slow
def test_the_service_ranks_in_the_order_of_the_batch_file(
    written: pl.DataFrame,
    server: Child,
    asking: Callable[..., Any],
    request_for: Callable[..., dict[str, Any]],
    overdue_ids: list[str],
) -> None:
    chosen = overdue_ids[:BORROWERS]
    told = asking(server, "POST", "/v1/rank", json.dumps(request_for(*reversed(chosen))).encode())
    ranking = told.plain["ranking"]
    in_file = written.filter(pl.col("loan_id").is_in(chosen)).sort("priority", "loan_id", descending=[True, False])
    assert [entry["loan_id"] for entry in ranking] == in_file.get_column("loan_id").to_list()
    assert [entry["priority"] for entry in ranking] == list(range(1, BORROWERS + 1))
    expected = by_loan(written)
    for entry in ranking:
        assert bits(flat(entry)) == expected[entry["loan_id"]]
