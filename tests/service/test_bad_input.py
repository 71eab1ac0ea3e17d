"""Bad input is refused by table, row and column; its values are neither answered nor logged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from serving.child import Child
from serving.front import Front

CANARY = "4111111111111111"

Spoil = Callable[[dict[str, Any]], Any]
Place = tuple[str, int | None, str | None]


def put(table: str, row: int, column: str, value: object) -> Spoil:
    return lambda body: body["tables"][table][row].__setitem__(column, value)


def top(key: str, value: object) -> Spoil:
    return lambda body: body.__setitem__(key, value)


def drop(table: str, row: int, column: str) -> Spoil:
    return lambda body: body["tables"][table][row].pop(column)


def drop_column(table: str, column: str) -> Spoil:
    return lambda body: [row.pop(column) for row in body["tables"][table]]


BAD: dict[str, tuple[Spoil, Place]] = {
    "a float for money": (put("statements", 1, "balance", 100.0), ("statements", 1, "balance")),
    "a truth value for money": (put("statements", 1, "balance", True), ("statements", 1, "balance")),
    "a text for money": (put("statements", 2, "balance", CANARY), ("statements", 2, "balance")),
    "money beyond 64 bits": (put("statements", 1, "balance", 2**63), ("statements", 1, "balance")),
    "months beyond 16 bits": (put("statements", 1, "months_overdue", 2**15), ("statements", 1, "months_overdue")),
    "months beyond the rule": (put("statements", 1, "months_overdue", 100), ("statements", 1, "months_overdue")),
    "a negative payment": (put("payments", 0, "amount", -1), ("payments", 0, "amount")),
    "a day that is none": (put("statements", 3, "statement_on", "2005-02-30"), ("statements", 3, "statement_on")),
    "a day without dashes": (put("statements", 3, "statement_on", "20050630"), ("statements", 3, "statement_on")),
    "a day as an instant": (
        put("statements", 3, "statement_on", "2005-06-30T00:00"),
        ("statements", 3, "statement_on"),
    ),
    "an instant without offset": (put("loans", 1, "recorded_at", "2005-04-30T12:00:00"), ("loans", 1, "recorded_at")),
    "an instant out of time": (
        put("loans", 1, "recorded_at", "0001-01-01T00:00:00+14:00"),
        ("loans", 1, "recorded_at"),
    ),
    "a state that is none": (put("statements", 1, "state", CANARY), ("statements", 1, "state")),
    "a currency that is none": (put("loans", 1, "currency", "twd"), ("loans", 1, "currency")),
    "an empty id": (put("loans", 2, "loan_id", ""), ("loans", 2, "loan_id")),
    "an id with U+0000": (put("loans", 2, "borrower_id", f"a\0{CANARY}"), ("loans", 2, "borrower_id")),
    "an id with half a character": (put("loans", 2, "borrower_id", "\ud800"), ("loans", 2, "borrower_id")),
    "an id that turns the writing": (put("loans", 2, "borrower_id", "a\u202eb"), ("loans", 2, "borrower_id")),
    "an id as long as a letter": (put("loans", 2, "borrower_id", "a" * 257), ("loans", 2, "borrower_id")),
    "an id that is a number": (put("loans", 2, "borrower_id", 7), ("loans", 2, "borrower_id")),
    "an id that is a list": (put("loans", 2, "borrower_id", [CANARY]), ("loans", 2, "borrower_id")),
    "a null that may not be": (put("loans", 0, "product", None), ("loans", 0, "product")),
    "a value left out": (drop("loans", 0, "product"), ("loans", 0, "product")),
    "a column left out": (drop_column("payments", "amount"), ("payments", None, "amount")),
    "an unknown column": (put("loans", 1, "income", 7), ("loans", 1, "income")),
    "an unknown column that is somebody's": (put("loans", 1, f"+86 {CANARY}", 7), ("loans", 1, None)),
    "a row that is a number": (lambda body: body["tables"]["loans"].append(CANARY), ("loans", 3, None)),
    "a table that is an object": (lambda body: body["tables"].update(payments={}), ("payments", None, None)),
    "an unknown table": (lambda body: body["tables"].update(calls=[]), ("calls", None, None)),
    "no loans": (lambda body: body["tables"]["loans"].clear(), ("loans", None, None)),
    "no table of loans": (lambda body: body["tables"].pop("loans"), ("loans", None, None)),
    "no tables": (lambda body: body.pop("tables"), ("request", None, "tables")),
    "an unknown key": (top("callback", CANARY), ("request", None, "callback")),
    "an unknown card": (top("card", CANARY), ("request", None, "card")),
    "a card that is a list": (top("card", ["collection"]), ("request", None, "card")),
    "a date that is none": (top("observation_date", CANARY), ("request", None, "observation_date")),
    "a zone that is none": (top("time_zone", CANARY), ("request", None, "time_zone")),
    "a zone that is a folder": (top("time_zone", "America"), ("request", None, "time_zone")),
    "a zone that only the machine knows": (top("time_zone", "localtime"), ("request", None, "time_zone")),
    "the same loan twice": (
        lambda body: body["tables"]["loans"].append(dict(body["tables"]["loans"][0])),
        ("loans", 3, None),
    ),
    "a payment to nobody": (put("payments", 0, "loan_id", CANARY), ("payments", 0, "loan_id")),
    "overdue without months": (
        lambda body: body["tables"]["statements"][0].update(state="overdue", months_overdue=0),
        ("statements", 0, None),
    ),
    "a loan not known on the day": (
        put("loans", 1, "recorded_at", "2005-10-01T00:00:00Z"),
        ("loans", 1, "recorded_at"),
    ),
}


def message(body: object) -> dict[str, Any]:
    return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}


@pytest.mark.parametrize(("spoil", "place"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("path", ["/v1/score", "/v1/rank"])
def test_a_fault_is_named_by_place_and_never_by_value(
    path: str,
    spoil: Spoil,
    place: Place,
    good: dict[str, Any],
    front: Front,
    in_process: Callable[..., Any],
    lines: list[Mapping[str, object]],
) -> None:
    spoil(good)
    told = in_process(front, "POST", path, message(good))
    assert told.status == 422, told.body
    assert place in told.faults
    assert CANARY not in told.body.decode()
    assert lines == [{"route": path, "status": 422, "ms": lines[0]["ms"], "id": told.headers["x-request-id"]}]


def test_all_faults_come_together(good: dict[str, Any], front: Front, in_process: Callable[..., Any]) -> None:
    good["card"] = "none"
    good["tables"]["loans"][0]["product"] = "loan"
    good["tables"]["loans"][2]["currency"] = "twd"
    good["tables"]["statements"][4]["balance"] = "1"
    good["tables"]["payments"][0]["amount"] = -1
    told = in_process(front, "POST", "/v1/score", message(good))
    assert told.faults == {
        ("request", None, "card"),
        ("loans", 0, "product"),
        ("loans", 2, "currency"),
        ("statements", 4, "balance"),
        ("payments", 0, "amount"),
    }
    assert told.plain["error"]["fault_count"] == 5


def test_a_stray_row_is_named_beside_a_fault_of_the_request(
    good: dict[str, Any], front: Front, in_process: Callable[..., Any]
) -> None:
    good["observation_date"] = "yesterday"
    good["tables"]["payments"][1]["loan_id"] = "another"
    told = in_process(front, "POST", "/v1/score", message(good))
    assert told.faults == {("request", None, "observation_date"), ("payments", 1, "loan_id")}


def test_a_cell_that_cannot_be_read_is_one_fault(
    good: dict[str, Any], front: Front, in_process: Callable[..., Any]
) -> None:
    good["tables"]["statements"][0]["months_overdue"] = "1"
    good["tables"]["loans"][0]["recorded_at"] = None
    told = in_process(front, "POST", "/v1/score", message(good))
    assert told.faults == {("statements", 0, "months_overdue"), ("loans", 0, "recorded_at")}


def test_a_loan_in_another_currency_than_the_cards_is_neither_scored_nor_ranked(
    good: dict[str, Any], front: Front, in_process: Callable[..., Any]
) -> None:
    good["tables"]["loans"][0]["currency"] = "USD"
    for path in ("/v1/score", "/v1/rank"):
        told = in_process(front, "POST", path, message(good))
        assert told.status == 422
        assert "another currency" in told.plain["error"]["found"]
        assert "'currency'" in told.plain["error"]["where"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"card":"collection","card":"collection"}',
        b'{"tables":{"loans":[{"loan_id":"a","loan_id":"b"}]}}',
        b'{"card":NaN}',
        b'{"card":-Infinity}',
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b'{"card":' + b"9" * 10_000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_what_is_not_json_of_one_meaning_is_not_understood(
    body: bytes, front: Front, in_process: Callable[..., Any]
) -> None:
    told = in_process(front, "POST", "/v1/score", {"type": "http.request", "body": body, "more_body": False})
    assert told.status == 400
    assert set(told.plain["error"]) == {"code", "found", "where", "expected", "do", "fault_count", "faults"}


def test_a_file_of_the_wrong_kind_is_counted_and_not_listed_whole(front: Front, in_process: Callable[..., Any]) -> None:
    told = in_process(front, "POST", "/v1/score", message({"card": "collection", "tables": {"payments": [1] * 50_000}}))
    assert told.status == 422
    assert told.plain["error"]["fault_count"] > 50_000
    assert len(told.plain["error"]["faults"]) == 1_000


def test_rows_without_content_are_refused_without_work(front: Front, in_process: Callable[..., Any]) -> None:
    told = in_process(front, "POST", "/v1/score", message({"tables": {"payments": [{}] * 1_000_000}}))
    assert ("payments", None, None) in told.faults
    assert not [fault for fault in told.faults if fault[1] is not None], "no row was looked at"


@pytest.mark.slow
def test_the_server_prints_nothing_of_what_it_refused(
    good: dict[str, Any], server: Child, asking: Callable[..., Any]
) -> None:
    for spoil, _ in BAD.values():
        body = json.loads(json.dumps(good))
        spoil(body)
        assert asking(server, "POST", "/v1/score", json.dumps(body).encode()).status == 422
    asking(server, "POST", "/v1/score", f'{{"{CANARY}": {CANARY}'.encode())
    asking(server, "GET", f"/{CANARY}?name={CANARY}")
    asking(server, "POST", "/v1/score", b"x", {"content-type": CANARY, "authorization": CANARY})
    printed = server.log.read_text()
    assert CANARY not in printed
    assert not [row for row in good["tables"]["loans"] if row["loan_id"] in printed]
    for line in printed.splitlines():
        assert set(json.loads(line)) in (
            {"serving", "cards", "records", "tokens", "signed_tokens", "seconds"},
            {"route", "status", "ms", "id"},
        ), line
