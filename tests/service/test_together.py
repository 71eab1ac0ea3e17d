"""Requests that are computed together get, each, the bytes that they would get alone."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import RepayrankError, TablesRefused, UsageError
from serving import requests, together
from serving.asking import request_of
from serving.together import MOST_TOGETHER, Queue, score_together

GOOD = 12
SPOILT = (
    "not json",
    "no card",
    "no loan",
    "strange column",
    "stray statement",
    "future loan",
    "no tables",
    "wrong row",
)


@pytest.fixture(scope="module")
def bodies(taiwan, overdue_ids, loaded) -> list[bytes]:
    groups = [overdue_ids[place * 3 : place * 3 + 1 + place % 3] for place in range(GOOD)]
    asked = [
        request_of(taiwan.tables, ids, card="collection", day=taiwan.observed_on, zone=taiwan.zone) for ids in groups
    ]
    asked.append({**asked[0], "observation_date": "2005-09-30"})  # another day is another computation
    asked.append({**asked[1], "tables": {**asked[1]["tables"], "payments": []}})  # known to be none
    asked.append({**asked[1], "tables": {key: rows for key, rows in asked[1]["tables"].items() if key != "payments"}})
    asked.append(asked[2])  # the same loans asked for twice
    return [json.dumps(plain).encode() for plain in asked]


def without_ids(outcome: Any) -> Any:
    if isinstance(outcome, RepayrankError):
        return type(outcome), str(outcome)
    plain = json.loads(outcome.answer())
    for entry in plain["scores"]:
        assert entry.pop("score_id")
    return json.dumps(plain)


def spoilt(body: bytes, how: str) -> bytes:
    plain = json.loads(body)
    tables = plain["tables"]
    if how == "not json":
        return body[:-1]
    if how == "no card":
        plain["card"] = "nobody's"
    if how == "no loan":
        tables["loans"] = []
    if how == "strange column":
        tables["loans"][0]["shoe_size"] = 44
    if how == "stray statement":
        tables["statements"][0]["loan_id"] = "0|somebody else's"
    if how == "future loan":
        tables["loans"][0]["recorded_at"] = "2030-01-01T00:00:00Z"
    if how == "no tables":
        plain["tables"] = 7
    if how == "wrong row":
        tables["statements"] = [3]
    return json.dumps(plain).encode()


@pytest.fixture(scope="module")
def alone(bodies, loaded, settings) -> dict[bytes, Any]:
    every = [*bodies, *(spoilt(body, how) for body in bodies[:3] for how in SPOILT)]
    return {body: without_ids(score_together([body], loaded, settings)[0]) for body in every}


@hypothesis_settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_gets_what_it_would_get_alone(data, bodies, alone, loaded, settings):
    good = data.draw(st.lists(st.sampled_from(bodies), min_size=1, max_size=8))
    bad = [
        spoilt(data.draw(st.sampled_from(bodies[:3])), data.draw(st.sampled_from(SPOILT)))
        for _ in range(data.draw(st.integers(0, 2)))
    ]
    asked = data.draw(st.permutations([*good, *bad]))
    told = score_together(asked, loaded, settings)
    assert [without_ids(outcome) for outcome in told] == [alone[body] for body in asked]


def test_what_is_alike_is_computed_once(bodies, loaded, settings, monkeypatch):
    seen = []
    whole = requests.request_of
    monkeypatch.setattr(
        together.requests, "request_of", lambda plain, *given, **named: seen.append(1) or whole(plain, *given, **named)
    )
    score_together(bodies[:GOOD], loaded, settings)
    assert len(seen) == 1


def test_requests_about_one_borrower_are_computed_once_too(bodies, alone, loaded, settings, monkeypatch):
    taken = counted(monkeypatch)
    asked = [bodies[0], bodies[1], bodies[0], bodies[0]]
    told = score_together(asked, loaded, settings)
    assert [without_ids(outcome) for outcome in told] == [alone[body] for body in asked]
    assert taken == [len(asked)]


def test_a_spoilt_request_costs_the_others_few_computations(bodies, alone, loaded, settings, monkeypatch):
    asked = [bodies[place % GOOD] for place in range(16)]
    asked[11] = spoilt(bodies[0], "stray statement")
    taken = counted(monkeypatch)
    told = score_together(asked, loaded, settings)
    assert [without_ids(outcome) for outcome in told] == [alone[body] for body in asked]
    # Halves of sixteen, eight, four and two: the spoilt one is in one half of each.
    assert sorted(taken) == [2, 2, 4, 4, 8, 8, 16]


def counted(monkeypatch) -> list[int]:
    """Return a list that grows by the number of requests in each computation of several."""
    taken: list[int] = []
    whole = together._as_one
    monkeypatch.setattr(together, "_as_one", lambda plains, *given: taken.append(len(plains)) or whole(plains, *given))
    return taken


def test_every_spoilt_request_is_refused(bodies, alone):
    for how in SPOILT:
        kind, words = alone[spoilt(bodies[0], how)]
        assert issubclass(kind, TablesRefused | UsageError)
        assert "|" not in words.replace("0|somebody else's", "")


def test_those_that_come_while_one_is_computed_are_computed_together():
    begun, go_on = threading.Event(), threading.Event()
    batches: list[list[bytes]] = []

    def work(asked: list[bytes]) -> list[bytes | Exception]:
        batches.append(asked)
        begun.set()
        go_on.wait(10)
        return [ValueError("spoilt") if body == b"spoilt" else body.upper() for body in asked]

    async def story() -> list[Any]:
        queue = Queue(pool, work, len, workers=1)
        first = asyncio.ensure_future(queue.answer(b"first"))
        await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.ensure_future(queue.answer(body)) for body in (b"a", b"spoilt", b"b", b"gone")]
        many = [asyncio.ensure_future(queue.answer(b"%d" % place)) for place in range(MOST_TOGETHER)]
        await asyncio.sleep(0)
        others[-1].cancel()
        go_on.set()
        return await asyncio.gather(first, *others, *many, return_exceptions=True)

    with ThreadPoolExecutor(2) as pool:
        told = asyncio.run(story())
    assert [told[0], told[1], told[3]] == [b"FIRST", b"A", b"B"]
    assert isinstance(told[2], ValueError)
    assert isinstance(told[4], asyncio.CancelledError)
    assert told[5:] == [b"%d" % place for place in range(MOST_TOGETHER)]
    assert [len(batch) for batch in batches] == [1, MOST_TOGETHER, 4]


def test_a_worker_that_fails_fails_those_it_worked_for_and_the_queue_goes_on():
    async def story() -> list[Any]:
        queue = Queue(pool, lambda asked: asked if asked != [b"bad"] else 1 / 0, len, workers=1)
        return await asyncio.gather(queue.answer(b"bad"), queue.answer(b"good"), return_exceptions=True)

    with ThreadPoolExecutor(1) as pool:
        told = asyncio.run(story())
    assert isinstance(told[0], ZeroDivisionError)
    assert told[1] == b"good"
