"""The door: bounded in size, time and number; its own page; errors without their text."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from serving import front as front_module
from serving.found import SCORES, Found
from serving.front import Front
from serving.settings import Settings
from serving.state import Loaded

SECRET = "Wang Xiaoming"


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.fixture
def narrow(loaded: Loaded, settings: Settings, lines: list[Mapping[str, object]]) -> Iterator[Front]:
    opened = Front(log=lines.append)
    opened.open(loaded, replace(settings, most_bytes=100, most_in_flight=1, threads=1, read_seconds=0.05))
    yield opened
    opened.close()


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(
    narrow: Front, in_process: Callable[..., Any]
) -> None:
    headers = {"content-type": "application/json", "content-length": "101"}
    told = in_process(narrow, "POST", "/v1/score", part(b"", more=True), headers=headers)
    assert told.status == 413
    assert told.headers["connection"] == "close"


def test_a_body_that_grows_too_large_is_refused_while_it_comes(narrow: Front, in_process: Callable[..., Any]) -> None:
    pieces = [part(b"x" * 60, more=True) for _ in range(5)]
    assert in_process(narrow, "POST", "/v1/score", *pieces).status == 413


def test_a_body_that_does_not_come_is_not_waited_for(narrow: Front, in_process: Callable[..., Any]) -> None:
    assert in_process(narrow, "POST", "/v1/score", part(b"{", more=True)).status == 408


def test_a_caller_who_hangs_up_is_forgotten(
    narrow: Front, in_process: Callable[..., Any], lines: list[Mapping[str, object]]
) -> None:
    assert in_process(narrow, "POST", "/v1/score", part(b"{", more=True), {"type": "http.disconnect"}).status == 0
    assert not lines
    assert in_process(narrow, "POST", "/v1/score", part(b"{")).status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/vnd.bentoml+pickle"},
        {"content-type": "application/json; charset=gbk"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
    ids=str,
)
def test_only_plain_json_is_taken(front: Front, in_process: Callable[..., Any], headers: dict[str, str]) -> None:
    assert in_process(front, "POST", "/v1/score", part(b"{}"), headers=headers).status == 415


def test_a_content_type_said_twice_is_said_in_two_ways(front: Front) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return part(b"{}")

    async def send(message: Any) -> None:
        sent.append(message)

    for second in (b"application/json", b"text/plain"):
        headers = [(b"content-type", b"application/json"), (b"content-type", second)]
        for given in (headers, headers[::-1]):
            sent.clear()
            scope = {"type": "http", "method": "POST", "path": "/v1/score", "headers": given}
            asyncio.run(front(scope, receive, send))
            assert sent[0]["status"] == 415


@pytest.mark.parametrize("length", ["-1", "1e3", "", "9" * 5000])
def test_a_length_that_is_no_number_is_refused(front: Front, in_process: Callable[..., Any], length: str) -> None:
    headers = {"content-type": "application/json", "content-length": length}
    assert in_process(front, "POST", "/v1/score", part(b"{}"), headers=headers).status == 413


def test_more_requests_than_can_be_taken_are_told_to_come_again(narrow: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, finish = threading.Event(), threading.Event()

    def slow(bodies: list[bytes], *_: Any) -> list[Found]:
        begun.set()
        finish.wait(10)
        return [Found({}, None, [], [], SCORES)] * len(bodies)  # type: ignore[arg-type]

    monkeypatch.setitem(front_module.SCORED, "/v1/score", (slow, 64))  # type: ignore[arg-type]
    statuses: list[int] = []

    async def one() -> None:
        async def receive() -> Any:
            return part(b"{}")

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                if message["status"] == 429:
                    assert (b"retry-after", b"1") in message["headers"]

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/score",
            "headers": [(b"content-type", b"application/json")],
        }
        await narrow(scope, receive, send)

    async def both() -> None:
        first = asyncio.create_task(one())
        await asyncio.to_thread(begun.wait, 10)
        await one()
        finish.set()
        await first

    asyncio.run(both())
    assert statuses == [429, 200]


def test_an_error_of_ours_is_answered_and_logged_without_its_text(
    front: Front,
    in_process: Callable[..., Any],
    lines: list[Mapping[str, object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(SECRET)

    monkeypatch.setitem(front_module.SCORED, "/v1/score", (broken, 64))  # type: ignore[arg-type]
    told = in_process(front, "POST", "/v1/score", part(b"{}"))
    assert told.status == 500
    assert SECRET not in told.body.decode() + json.dumps(lines)
    assert told.headers["x-request-id"] in told.plain["error"]["where"]
    assert lines[0]["error"] == "RuntimeError"
    assert re.fullmatch(r"test_front\.py:\d+", str(lines[0]["at"]))


def test_a_front_that_is_not_open_is_alive_and_not_ready(in_process: Callable[..., Any]) -> None:
    closed = Front(log=lambda _: None)
    assert in_process(closed, "GET", "/livez").status == 200
    for method, path in (("GET", "/readyz"), ("GET", "/"), ("GET", "/v1/openapi.json"), ("POST", "/v1/score")):
        told = in_process(closed, method, path)
        assert told.status == 503
        assert told.headers["retry-after"] == "1"


def test_a_wrong_method_is_told_the_right_one(front: Front, in_process: Callable[..., Any]) -> None:
    told = in_process(front, "GET", "/v1/score")
    assert (told.status, told.headers["allow"]) == (405, "POST")
    told = in_process(front, "DELETE", "/v1/features")
    assert (told.status, told.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/docs.json", "/schema.json", "/static_content/x", "/v1/score/", "//", f"/{SECRET}"])
def test_no_other_path_is_served_or_repeated(
    front: Front, in_process: Callable[..., Any], lines: list[Mapping[str, object]], path: str
) -> None:
    told = in_process(front, "GET", path)
    assert told.status == 404
    assert SECRET not in told.body.decode() + json.dumps(lines)
    assert lines[0]["route"] == "other"


def test_the_page_loads_nothing_from_anywhere(front: Front, in_process: Callable[..., Any]) -> None:
    told = in_process(front, "GET", "/")
    page = told.body.decode()
    assert not re.search(r"https?:|//|<script|<img|<link|@import|url\(", page.replace("<!doctype", ""))
    assert told.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "评分卡" in page


def test_the_pages_style_is_the_one_its_policy_allows(front: Front, in_process: Callable[..., Any]) -> None:
    import base64
    import hashlib

    told = in_process(front, "GET", "/")
    style = re.search(r"<style>(.*?)</style>", told.body.decode(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in told.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/v1/features", "/readyz", "/livez", "/metrics", "/nothing"])
def test_every_answer_has_safe_headers(front: Front, in_process: Callable[..., Any], path: str) -> None:
    headers = in_process(front, "GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_head_is_answered_without_a_body(front: Front, in_process: Callable[..., Any]) -> None:
    told = in_process(front, "HEAD", "/v1/features")
    assert (told.status, told.body) == (200, b"")
    assert int(told.headers["content-length"]) > 1000


def test_metrics_count_by_route_and_status(front: Front, in_process: Callable[..., Any]) -> None:
    in_process(front, "GET", "/livez")
    in_process(front, "GET", f"/{SECRET}")
    text = in_process(front, "GET", "/metrics").body.decode()
    assert 'repayrank_requests_total{route="/livez",status="200"} 1' in text
    assert 'repayrank_requests_total{route="other",status="404"} 1' in text
    assert 'repayrank_request_seconds_bucket{route="/livez",le="+Inf"} 1' in text
    assert SECRET not in text


def test_limits_that_cannot_work_are_refused_together() -> None:
    from features.errors import ConfigurationRefused

    with pytest.raises(ConfigurationRefused, match=r"most_bytes must be above 0; threads must be above 0; port"):
        Settings(most_bytes=0, threads=0, port=70_000)
