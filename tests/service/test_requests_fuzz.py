"""Whatever is sent, the answer is a score or a refusal, and no refusal repeats a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_requests import VALUES

from features.catalog import catalog
from features.errors import RepayrankError
from features.history import History
from features.schemas import SCORED
from features.tables import Tables, types_of
from models.cards import card_named
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from serving import requests
from serving import score as scoring
from serving.columns import printable
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


def frames_with(good: dict[str, Any], table: str, column: str, value: object) -> dict[str, pl.DataFrame] | None:
    """Return the tables of a request as a lender's files hold them, one cell changed; None where no file can."""
    frames = {}
    for name, rows in good["tables"].items():
        cells = {key: [of_a_file(kind, row.get(key)) for row in rows] for key, kind in types_of(SCORED[name]).items()}
        if name == table:
            cells[column][0] = of_a_file(types_of(SCORED[name])[column], value)
        if any(cell is NO_CELL for column_ in cells.values() for cell in column_):
            return None
        frames[name] = pl.DataFrame(cells, schema=types_of(SCORED[name]))
    return frames


NO_CELL = object()


def of_a_file(kind: pl.DataType, value: object) -> object:
    """Return a value as a column of a Parquet file has it, or that it cannot have it."""
    if value is None:
        return None
    try:
        if isinstance(kind, pl.Date):
            cell: object = date.fromisoformat(value) if len(str(value)) == len("2005-09-30") else NO_CELL  # type: ignore[arg-type]
        elif isinstance(kind, pl.Datetime):
            cell = datetime.fromisoformat(value).astimezone(UTC) if "T" in str(value) else NO_CELL  # type: ignore[arg-type]
        elif type(value) is not {pl.Int64: int, pl.Int16: int, pl.Float64: float}.get(type(kind), str):
            cell = NO_CELL
        else:
            cell = value
        pl.Series([None if cell is NO_CELL else cell], dtype=kind, strict=True)
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, pl.exceptions.PolarsError):
        return NO_CELL
    return cell


@PATIENT
@given(data=st.data())
def test_a_cell_that_files_can_hold_is_taken_or_refused_alike(data: st.DataObject, good: dict[str, Any]) -> None:
    table, column = data.draw(st.sampled_from(cells))
    kind = types_of(SCORED[table])[column]
    fitting = [value for value in VALUES if of_a_file(kind, value) is not NO_CELL]
    value = data.draw(st.sampled_from(fitting) | st.sampled_from(VALUES) | scalars)
    body = deepcopy(good)
    body["tables"][table][0][column] = value
    online = read(json.dumps(body).encode())
    frames = frames_with(good, table, column, value)
    if frames is None:
        assert isinstance(online, RepayrankError)
        return
    if isinstance(value, str) and printable(value) is None:
        assert isinstance(online, RepayrankError)  # what nobody could send over HTTP may still stand in a file
        return
    try:
        tables = Tables.checked(frames, where="files")
        known = len(History.as_of(date(2005, 9, 30), tables, zone=good["time_zone"]).cases)
    except RepayrankError:
        known = -1
    assert isinstance(online, requests.Request) == (known == len(good["tables"]["loans"]))


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
