"""Ready features get the score that the history behind them gets, and what no feature can be is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from features.history import History
from models.exposure import at_risk
from serving import openapi, ready, score
from serving.asking import request_of
from serving.found import Found
from serving.together import score_ready_together

CARD = "collection"


@pytest.fixture(scope="module")
def asked(taiwan, overdue_ids, loaded) -> dict[str, Any]:
    import polars as pl

    history = History.as_of(taiwan.observed_on, taiwan.tables.of_loans(pl.Series(overdue_ids[:40])), zone=taiwan.zone)
    catalog = loaded.cards[CARD].catalog
    rows = [
        {
            "loan_id": loan,
            "product": money["product"],
            "currency": money["currency"],
            "owed_minor": money["owed_minor"],
            "features": {
                name: None if np.isnan(value) else value for name, value in zip(catalog.names, values, strict=True)
            },
        }
        for loan, money, values in zip(
            history.loan_ids, at_risk(history).to_dicts(), catalog.values(history).values.tolist(), strict=True
        )
    ]
    return {"card": CARD, "observation_date": taiwan.observed_on.isoformat(), "rows": rows}


@pytest.fixture(scope="module")
def form(loaded, settings) -> Draft202012Validator:
    components = openapi.document(loaded, settings)["components"]
    return Draft202012Validator({"$ref": "#/components/schemas/ReadyRequest", "components": components})


def body(plain: object) -> bytes:
    return json.dumps(plain).encode()


def test_ready_features_get_the_answer_of_the_history_behind_them(asked, taiwan, loaded, settings):
    told = json.loads(score.score_ready(body(asked), loaded, settings))["scores"]
    loans = [row["loan_id"] for row in asked["rows"]]
    history = request_of(taiwan.tables, loans, card=CARD, day=taiwan.observed_on, zone=taiwan.zone)
    expected = json.loads(score.score(body(history), loaded, settings))["scores"]
    for mine, theirs in zip(told, expected, strict=True):
        for entry in (mine, theirs):
            del entry["score_id"], entry["notes"]
        assert json.dumps(mine) == json.dumps(theirs)


def test_requests_computed_together_get_each_what_they_get_alone_and_a_faulty_one_spoils_no_other(
    asked, loaded, settings
):
    rows = asked["rows"]
    requests = [body({**asked, "rows": rows[place : place + 1 + place % 3]}) for place in range(0, 30, 3)]
    requests.insert(2, b"no json")
    requests.insert(4, body({**asked, "rows": [{**rows[0], "product": "shoes"}]}))
    requests.insert(6, body({**asked, "rows": [{**rows[0], "currency": "USD"}]}))
    requests.insert(8, body({**asked, "observation_date": "2005-09-29"}))
    together = score_ready_together(requests, loaded, settings)
    for told, request in zip(together, requests, strict=True):
        (alone,) = score_ready_together([request], loaded, settings)
        if isinstance(alone, Found):
            assert isinstance(told, Found)
            entries = [json.loads(outcome.answer())["scores"] for outcome in (told, alone)]
            for entry in (*entries[0], *entries[1]):
                assert entry.pop("score_id")
            assert json.dumps(entries[0]) == json.dumps(entries[1])
        else:
            assert (type(told), str(told)) == (type(alone), str(alone))
    assert [isinstance(told, Found) for told in together].count(False) == 3


def test_one_row_gets_what_it_gets_among_many_whatever_the_order_of_its_features(asked, loaded, settings):
    together = json.loads(score.score_ready(body(asked), loaded, settings))["scores"]
    for place in range(0, 40, 7):
        row = asked["rows"][place]
        turned = {**row, "features": dict(reversed(row["features"].items()))}
        (alone,) = json.loads(score.score_ready(body({**asked, "rows": [turned]}), loaded, settings))["scores"]
        del alone["score_id"], together[place]["score_id"]
        assert alone == together[place]


def test_it_is_served(asked, front, in_process):
    raw = body(asked)
    told = in_process(front, "POST", "/v1/score/features", {"type": "http.request", "body": raw, "more_body": False})
    assert told.status == 200
    assert [entry["loan_id"] for entry in told.plain["scores"]] == [row["loan_id"] for row in asked["rows"]]


@pytest.mark.parametrize(
    "loan_id", ["", "a\0b", "\ud800", "a\u202eb", "\u200b", "\x85", "a" * 257, 7, None, ["a"]], ids=ascii
)
def test_a_loan_is_called_what_a_loan_of_the_tables_may_be_called(loan_id, asked, front, in_process, lines):
    raw = body({**asked, "rows": [asked["rows"][0], {**asked["rows"][1], "loan_id": loan_id}]})
    told = in_process(front, "POST", "/v1/score/features", {"type": "http.request", "body": raw, "more_body": False})
    assert (told.status, told.faults) == (422, {("rows", 1, "loan_id")})
    assert "incident" not in json.dumps(lines)


@pytest.mark.parametrize(
    "value", [2**53 + 1, -(2**63) - 1, 10**30, 10**300, -(10**4_000)], ids=lambda value: len(str(value))
)
def test_a_whole_number_that_would_lose_a_digit_is_no_feature(value, asked, loaded, settings):
    row, name = asked["rows"][0], loaded.cards[CARD].catalog.names[0]
    with pytest.raises(TablesRefused) as caught:
        ready.read(body({**asked, "rows": [{**row, "features": {**row["features"], name: value}}]}), loaded, settings)
    assert [(fault.table, fault.row, fault.column) for fault in caught.value.faults] == [("rows", 0, name)]
    if abs(value) < ready.MOST:  # with a point it is a number of floating point, and says so itself
        row = {**row, "features": {**row["features"], name: float(value)}}
        assert ready.read(body({**asked, "rows": [row]}), loaded, settings).rows[0]["features"][name] == float(value)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just([]),
    st.just({}),
)


@hypothesis_settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_refused_is_what_the_openapi_document_forbids(data, asked, form, loaded, settings):
    plain = json.loads(json.dumps({**asked, "rows": asked["rows"][:2]}))
    row = plain["rows"][data.draw(st.integers(0, 1))]
    target = data.draw(st.sampled_from([plain, row, row["features"]]))
    key = data.draw(st.sampled_from([*target, "shoe_size"]))
    if data.draw(st.booleans()):
        target.pop(key, None)
    else:
        target[key] = data.draw(JUNK)
    complete = all(
        isinstance(row, dict)
        and not isinstance(row.get("owed_minor"), float)  # 5.0 is an integer to JSON Schema, and no money to us
        and str(row.get("loan_id")).isprintable()  # what may be printed no schema says
        and isinstance(row.get("features"), dict)
        # A whole number that would lose a digit is refused, as in the tables.
        and all(not isinstance(value, int) or abs(value) <= 2**53 for value in row["features"].values())
        for row in (plain["rows"] if isinstance(plain.get("rows"), list) else [])
    )
    allowed = form.is_valid(plain) and complete
    try:
        ready.read(body(plain), loaded, settings)
    except TablesRefused as refused:
        assert not allowed or "currency" in str(refused) or "observation_date" in str(refused)
        assert refused.faults
    except (
        DataRefused,
        ConfigurationRefused,
    ) as refused:  # another currency than the card's, or a day before the policy
        assert refused.where
    else:
        assert allowed


def test_every_fault_is_told_at_once_and_no_value(asked, loaded, settings):
    rows = json.loads(json.dumps(asked["rows"][:2]))
    first, second = sorted(loaded.cards[CARD].feature_names)[:2]
    rows[0]["features"][first] = "a secret"
    del rows[1]["features"][second]
    rows[1]["owed_minor"] = 1.5
    rows[1]["features"]["another secret"] = 1
    with pytest.raises(TablesRefused) as refused:
        ready.read(body({**asked, "rows": rows}), loaded, settings)
    told = {(fault.row, fault.column) for fault in refused.value.faults}
    assert told == {(0, first), (1, second), (1, "owed_minor"), (1, "features")}
    assert "secret" not in str(refused.value)
