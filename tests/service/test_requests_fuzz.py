"""Whatever is sent, the answer is a score or a refusal, and no refusal repeats a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog import catalog
from features.errors import RepayrankError
from features.schemas import SCORED
from models.cards import card_named
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from serving import requests
from serving import score as scoring
from serving.settings import Settings
from serving.state import Loaded

CARDS = {"collection": FittedCard(card_named("collection"), "1", RiskModel(), catalog(), "0", {})}
CANARY = "喵CANARY喵"
PATIENT = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from([CANARY, "2005-09-30", "9999-12-31", "0001-01-01", "2005-09-30T12:00:00Z", "overdue", "TWD"])
    | st.sampled_from([2**63 - 1, -(2**63), 2**53, 0, 1, 99])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
SENT = ("loans", "statements", "payments")
cells = [(name, column) for name in SENT for column in SCORED[name].column_names()]


def read(body: bytes) -> requests.Request | RepayrankError:
    try:
        return requests.read(body, CARDS, most_loans=100)
    except RepayrankError as error:
        return error


@PATIENT
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert isinstance(read(body), RepayrankError)


@PATIENT
@given(anything)
def test_no_json_breaks_the_reader(plain: object) -> None:
    assert isinstance(read(json.dumps(plain).encode()), RepayrankError)


@PATIENT
@given(
    st.dictionaries(
        st.sampled_from(["card", "observation_date", "time_zone", "tables", "loans"]),
        anything | st.dictionaries(st.sampled_from(list(SCORED)), anything),
    )
)
def test_no_object_breaks_the_reader(plain: dict[str, object]) -> None:
    assert isinstance(read(json.dumps(plain).encode()), RepayrankError)


@PATIENT
@given(data=st.data())
def test_one_spoilt_cell_is_answered_or_refused_in_its_place(
    data: st.DataObject, good: dict[str, Any], loaded: Loaded
) -> None:
    body = deepcopy(good)
    table, column = data.draw(st.sampled_from(cells))
    row = data.draw(st.integers(0, len(body["tables"][table]) - 1))
    body["tables"][table][row][column] = data.draw(anything)
    raw = json.dumps(body).encode()
    for work in (scoring.score, scoring.rank):
        try:
            answer = json.loads(work(raw, loaded, Settings()))
        except RepayrankError as error:
            assert CANARY not in str(error)
        else:
            for entry in answer.get("scores", answer.get("ranking")):
                assert 0 <= entry["default_probability"] <= 1


@PATIENT
@given(data=st.data())
def test_no_refusal_repeats_what_was_sent(data: st.DataObject, good: dict[str, Any]) -> None:
    body = deepcopy(good)
    for _ in range(data.draw(st.integers(1, 4))):
        table, column = data.draw(st.sampled_from(cells))
        row = data.draw(st.integers(0, len(body["tables"][table]) - 1))
        body["tables"][table][row][data.draw(st.sampled_from([column, CANARY]))] = data.draw(
            st.sampled_from([CANARY, [CANARY], {CANARY: CANARY}, f"2005-09-30{CANARY}"])
        )
    for key in data.draw(st.sets(st.sampled_from(["card", "observation_date", "time_zone", CANARY]))):
        body[key] = CANARY
    told = read(json.dumps(body, ensure_ascii=data.draw(st.booleans())).encode())
    if isinstance(told, RepayrankError):  # a borrower may be called anything: such a request is taken
        assert CANARY not in str(told)


@pytest.mark.parametrize("zone", ["Asia/Taipei", "America/Havana", "Africa/Casablanca", "UTC", "Pacific/Apia"])
@pytest.mark.parametrize("day", ["0001-01-01", "1970-01-01", "2011-12-30", "2024-03-10", "9999-12-31"])
def test_any_day_in_any_zone_is_read_or_refused(zone: str, day: str, good: dict[str, Any]) -> None:
    told = read(json.dumps({**good, "observation_date": day, "time_zone": zone}).encode())
    assert isinstance(told, requests.Request | RepayrankError)


def test_a_thousand_borrowers_are_read_in_one_request(
    request_for: Callable[..., dict[str, Any]], overdue_ids: list[str]
) -> None:
    told = requests.read(json.dumps(request_for(*overdue_ids[:1000])).encode(), CARDS, most_loans=1000)
    assert len(told.history.cases) == 1000
