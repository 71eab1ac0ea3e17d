"""Whatever is sent, in whatever pieces: a score or a refusal, at once, and nothing of it in a refusal or a log line.

REPAYRANK_FUZZ_CASES sets how many requests are made, REPAYRANK_FUZZ_SEED which; a release asks for 2,000,000. A failure
tells the seed and the number of its request: `Maker(seed, ...).odd(number)` makes it again.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from access_kit import AMPLE
from odd_requests import TRACES, Maker, Odd, cut

from features.errors import RepayrankError
from serving import front as front_module
from serving import score as scoring
from serving.access.door import Door
from serving.access.tokens import create, tokens_file
from serving.decisions.opening import opened_recorder
from serving.found import Found
from serving.front import ROUTES, Front
from serving.refusals import refusal_of
from serving.settings import Settings, records_in
from serving.state import Loaded
from serving.strict_json import read_object

CASES = int(os.environ.get("REPAYRANK_FUZZ_CASES", "200000"))
SEED = int(os.environ.get("REPAYRANK_FUZZ_SEED", "0"))
TOGETHER = 16
"""Requests that are asked at the same time."""
EACH_COMPARED = 10
"""Of so many requests one is compared with the library and asked again."""
SECONDS_TO_HANG = 30
"""Generous: a machine may be busy with other things. What was seen is printed."""

STATUSES = frozenset({200, 400, 401, 403, 404, 413, 415, 422})
"""Not among them: an error of ours; one caller who keeps to the limits is told neither 408, 409, 429 nor 503."""

FIELDS = {"code", "found", "where", "expected", "do", "fault_count", "faults"}
SAFE = {b"content-type", b"content-length", b"content-security-policy", b"x-request-id", b"cache-control"}
TRACE = re.compile(b"|".join(map(re.escape, TRACES)))
LIBRARY: Mapping[str, Callable[[Any, Loaded, Settings], Found]] = {
    "/v1/score": scoring.scored,
    "/v1/rank": scoring.ranked,
    "/v1/score/features": scoring.scored_ready,
}


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes
    seconds: float

    def verdict(self) -> tuple[int, bytes]:
        """Return what is the same for the same request: ids and the instant are not."""
        return self.status, without_ids(self.body)


@dataclass
class Seen:
    """What came of all requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds, also those for the others that were asked at the same time."""
    slowest_number: int = -1
    alone: float = 0.0
    """Seconds that the slowest takes when nothing else is asked."""

    def see(self, number: int, told: Told) -> None:
        self.statuses[told.status] += 1
        if told.seconds > self.slowest:
            self.slowest, self.slowest_number = told.seconds, number


@dataclass(frozen=True)
class Service:
    """A front as `repayrank serve` opens it, with its log lines and a token of an engine."""

    front: Front
    lines: list[Mapping[str, object]]
    token: str

    async def told(self, odd: Odd, pieces: list[bytes]) -> Told:
        """Return the answer to a request whose body arrives in pieces."""
        waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        waiting[-1]["more_body"] = False
        sent: list[Any] = []

        async def receive() -> Any:
            assert waiting, "asked for more than was sent"
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": odd.method, "path": odd.path, "headers": odd.headers}
        began = time.perf_counter()
        await self.front(scope, receive, send)
        seconds = time.perf_counter() - began
        body = b"".join(message["body"] for message in sent[1:])
        return Told(sent[0]["status"], dict(sent[0]["headers"]), body, seconds)


class AtOnce(Executor):
    """Computes where it is asked to: a thread for each request would take most of the time."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*given, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@pytest.fixture
def service(
    home: Path,
    tmp_path: Path,
    loaded: Loaded,
    lines: list[Mapping[str, object]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    monkeypatch.setattr(front_module, "ThreadPoolExecutor", AtOnce)
    kept = tmp_path / "home"
    for folder in (kept, kept / "access", kept / "keys"):
        folder.mkdir(mode=0o700)
    (kept / "models").symlink_to(home / "models")
    (kept / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    (kept / "access" / "access.toml").write_text(AMPLE)
    token = create(tokens_file(kept), name="fuzz", role="engine").text
    settings = Settings(home=kept, records=records_in(kept))
    front = Front(log=lines.append)
    front.open(loaded, settings, opened_recorder(settings, loaded, lines.append), Door.of(kept, ROUTES, lines.append))
    yield Service(front, lines, token)
    front.close()


@pytest.fixture(scope="session")
def bases(request_for: Callable[..., dict[str, Any]], overdue_ids: list[str], loaded: Loaded) -> dict[str, Any]:
    """Return a small request for each path that is answered."""
    asked = request_for(overdue_ids[0])
    asked["tables"] |= {name: rows[-2:] for name, rows in asked["tables"].items() if name != "loans"}
    (loan,) = asked["tables"]["loans"]
    names = loaded.cards["collection"].catalog.names
    row = {
        "loan_id": loan["loan_id"],
        "product": loan["product"],
        "currency": loan["currency"],
        "owed_minor": 391_300,
        "features": {name: None if place % 3 else place / 4 for place, name in enumerate(names)},
    }
    ready = {"card": "collection", "observation_date": asked["observation_date"], "rows": [row]}
    return {"/v1/score": asked, "/v1/rank": asked, "/v1/score/features": ready}


def without_ids(body: bytes) -> bytes:
    return re.sub(rb'"score_id":"[0-9A-Z]{26}"', b'"score_id":""', body)


def library(odd: Odd, loaded: Loaded, settings: Settings) -> tuple[int, bytes]:
    """Return what the library says of a body, as the service would answer an engine."""
    try:
        found = LIBRARY[odd.path](read_object(odd.body), loaded, settings)
    except RepayrankError as error:
        refusal = refusal_of(error)
        return int(refusal.status), json.dumps(refusal.plain(), ensure_ascii=False, separators=(",", ":")).encode()
    return 200, without_ids(found.without_contributions().answer())


def require_sound(odd: Odd, told: Told, where: str) -> None:
    """Check what holds for every answer."""
    assert told.status in (odd.statuses or STATUSES), where
    assert told.headers.keys() >= SAFE, where
    assert told.headers[b"x-content-type-options"] == b"nosniff", where
    length = int(told.headers[b"content-length"])
    assert length == len(told.body) or (odd.method == "HEAD" and not told.body), where
    if told.status != 200:
        assert not TRACE.search(told.body + b"".join(told.headers.values())), where
        if told.body:
            assert set(json.loads(told.body)["error"]) == FIELDS, where


def require_quiet(lines: list[Mapping[str, object]], where: str) -> None:
    """Check that nothing of what was sent was printed, and no error of ours."""
    printed = json.dumps(lines, ensure_ascii=False).encode()
    assert not TRACE.search(printed), where
    assert b"incident" not in printed, where
    lines.clear()


def test_whatever_is_sent_is_scored_or_refused_and_the_refusal_repeats_nothing(
    service: Service, bases: dict[str, Any], loaded: Loaded, settings: Settings
) -> None:
    maker, seen = Maker(SEED, bases, service.token), Seen()
    print(f"{CASES} requests of seed {SEED}")  # noqa: T201

    async def one(number: int) -> None:
        odd, chosen = maker.odd(number), Random(number)
        where = f"seed {SEED}, number {number}: {', '.join(odd.ways)}"
        told = await service.told(odd, cut(chosen, odd.body))
        seen.see(number, told)
        require_sound(odd, told, where)
        if odd.is_read and not number % EACH_COMPARED:
            # Alone, in the library, the verdict is the same; so it is in other pieces and under another key.
            assert told.verdict() == library(odd, loaded, settings), where
            again = replace(odd, headers=maker.good(f"{number}-again", odd.path).headers)
            assert (await service.told(again, cut(chosen, odd.body))).verdict() == told.verdict(), where

    async def all_of_them() -> None:
        for begin in range(0, CASES, TOGETHER):
            end = min(begin + TOGETHER, CASES)
            try:
                async with asyncio.timeout(SECONDS_TO_HANG):
                    await asyncio.gather(*(one(number) for number in range(begin, end)))
            except TimeoutError:
                pytest.fail(f"seed {SEED}, one of the numbers from {begin} to {end} is not answered")
            require_quiet(service.lines, f"seed {SEED}, one of the numbers from {begin} to {end}")
        odd = maker.odd(seen.slowest_number)
        odd.headers = maker.good("slowest", odd.path).headers if odd.is_read else odd.headers
        seen.alone = (await service.told(odd, [odd.body])).seconds

    began = time.perf_counter()
    asyncio.run(all_of_them())
    took = time.perf_counter() - began
    print(f"{CASES / took:.0f} a second, {seen}")  # noqa: T201
    assert seen.statuses.keys() >= STATUSES - {404}
    front = service.front
    assert (front._metrics.in_flight, front._running) == (0, set())
    assert front._room._left == front._settings.most_bytes_held
