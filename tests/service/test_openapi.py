"""The OpenAPI document says exactly what is taken and what is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from features.catalog import catalog
from features.errors import RepayrankError
from features.probes import probe_tables
from features.schemas import SCORED
from models.cards import card_named
from models.fitted_card import FittedCard
from models.risk_model import RiskModel
from serving import openapi, requests
from serving import score as scoring
from serving.asking import rows as request_rows
from serving.front import ROUTES, Front
from serving.settings import Settings
from serving.state import Loaded


@pytest.fixture(scope="session")
def document(loaded: Loaded) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(openapi.document(loaded, Settings())))
    return told


@pytest.fixture(scope="session")
def check(document: dict[str, Any]) -> Callable[[str, object], None]:
    def validate(name: str, plain: object) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(plain)

    return validate


def part(body: object) -> dict[str, Any]:
    return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}


def test_every_path_that_is_served_is_described_with_its_method(document: dict[str, Any]) -> None:
    described = {path: {method.upper() for method in item} for path, item in document["paths"].items()}
    assert described == {path: set(methods) - {"HEAD"} for path, methods in ROUTES.items()}


def test_every_schema_is_a_schema_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(document["components"]["schemas"])
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    written = json.dumps(document)
    referred = {piece.partition('"')[0] for piece in written.split("#/components/schemas/")[1:]}
    assert referred == names


def test_what_is_answered_is_what_is_described(
    good: dict[str, Any], front: Front, in_process: Callable[..., Any], check: Callable[[str, object], None]
) -> None:
    check("Request", good)
    check("ScoreAnswer", in_process(front, "POST", "/v1/score", part(good)).plain)
    check("RankAnswer", in_process(front, "POST", "/v1/rank", part(good)).plain)
    check("FeaturesAnswer", in_process(front, "GET", "/v1/features").plain)
    check("ReadyAnswer", in_process(front, "GET", "/readyz").plain)
    check("AliveAnswer", in_process(front, "GET", "/livez").plain)
    for told in (
        in_process(front, "POST", "/v1/score", part({**good, "card": "none"})),
        in_process(front, "POST", "/v1/score", part([])),
        in_process(front, "GET", "/nothing"),
        in_process(front, "GET", "/v1/rank"),
    ):
        assert told.status >= 400
        check("Refusal", told.plain)


def test_the_document_served_is_this_document(
    document: dict[str, Any], front: Front, in_process: Callable[..., Any]
) -> None:
    assert in_process(front, "GET", "/v1/openapi.json").plain == document


@pytest.mark.parametrize(
    ("key", "wrong"), [("default_probability", 1.5), ("points", 1.5), ("quadrant", "x"), ("reasons", None), ("more", 1)]
)
def test_an_answer_of_another_form_does_not_pass(
    key: str,
    wrong: object,
    good: dict[str, Any],
    front: Front,
    in_process: Callable[..., Any],
    check: Callable[[str, object], None],
) -> None:
    answer = in_process(front, "POST", "/v1/score", part(good)).plain
    answer["scores"][0][key] = wrong
    with pytest.raises(ValidationError):
        check("ScoreAnswer", answer)


cells = [(name, column) for name, schema in SCORED.items() for column in schema.column_names()]
numbers = [0, -1, 7, 99, 100, 2**15, 2**31, 2**63 - 1, 2**63, -(2**63), 1.5]
words = ["", "a", "a" * 256, "a" * 257, "TWD", "twd", "overdue", "unused", "revolving"]
days = ["2005-06-30", "2005-6-30", "20050630", "2005-02-30"]
instants = ["2005-06-30T12:00:00Z", "2005-06-30t12:00:00.5+08:00", "2005-06-30T12:00:00", "2005-06-30 12:00:00Z"]
values = st.sampled_from([None, True, *numbers, *words, *days, *instants, [], {}])
RULES_OVER_ROWS = (
    "one row only",
    "state overdue exactly",
    "a loan_id of table",
    "a borrower_id of table",
    "due on not before promised on",
    "currency a real one",
    "end of the observation date",
)
"""What no schema of single cells can say."""


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cell=st.sampled_from(cells), value=values, change=st.sampled_from(["put", "drop", "add"]))
def test_what_the_schema_takes_the_service_takes_and_the_other_way_round(
    cell: tuple[str, str],
    value: object,
    change: str,
    good: dict[str, Any],
    check: Callable[[str, object], None],
) -> None:
    body = with_every_table(good)
    table, column = cell
    row = body["tables"][table][1]
    if change == "drop":
        row.pop(column, None)
    else:
        row[column if change == "put" else "stranger"] = value
    try:
        check("Request", body)
        described = True
    except ValidationError:
        described = False
    assert described == taken(body)


def test_a_request_with_every_table_is_described_and_taken(good: dict[str, Any], check: Callable[..., None]) -> None:
    body = with_every_table(good)
    assert set(body["tables"]) == set(SCORED)
    check("Request", body)
    assert taken(body)


def with_every_table(good: dict[str, Any]) -> dict[str, Any]:
    """The request with rows of every other table as well, made-up ones, about its first two loans."""
    body = deepcopy(good)
    loans = body["tables"]["loans"][:2]
    for name, frame in probe_tables().items():
        if name not in body["tables"]:
            rows = request_rows(frame.head(2))
            own = [{key: loan[key] for key in ("loan_id", "borrower_id") if key in rows[0]} for loan in loans]
            body["tables"][name] = [{**row, **owner} for row, owner in zip(rows, own, strict=True)]
    return body


CARDS = {"collection": FittedCard(card_named("collection"), "1", RiskModel(), catalog(), "0", {})}


def taken(body: Mapping[str, Any]) -> bool:
    try:
        requests.read(json.dumps(body).encode(), CARDS, most_loans=5_000)
    except RepayrankError as error:
        faults = getattr(error, "faults", ())
        return bool(faults) and all(any(rule in fault.expected for rule in RULES_OVER_ROWS) for fault in faults)
    return True


def test_the_example_in_the_manual_is_answered(
    front: Front, in_process: Callable[..., Any], check: Callable[[str, object], None]
) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "service.md").read_text()
    example = json.loads(manual.partition("```json\n")[2].partition("```")[0])
    check("Request", example)
    told = in_process(front, "POST", "/v1/rank", part(example))
    assert told.status == 200
    assert not told.plain["ranking"][0]["notes"]


def test_the_manual_names_every_path(document: dict[str, Any]) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "service.md").read_text()
    assert all(path in manual for path in document["paths"])


def test_the_example_of_a_card_of_histories_is_taken_and_scored(
    loaded: Loaded, document: dict[str, Any], check: Callable[[str, object], None]
) -> None:
    for name, told in document["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ].items():
        check("Request", told["value"])
        answer = json.loads(scoring.score(json.dumps(told["value"]).encode(), loaded, Settings()))
        check("ScoreAnswer", answer)
        assert answer["scores"][0]["model"]["name"] == name
        assert answer["scores"][0]["notes"] == []
