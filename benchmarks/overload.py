"""What honest callers get when far more is asked than can be answered, or when a thousand others only hold lines.

Callers arrive at fixed moments, whether or not the ones before were answered: one who waits for an answer before asking
again would slow down together with the service and hide what happens. Times run from the moment of arrival.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.features import OBSERVED_ON
from benchmarks.http import BODIES
from benchmarks.load import SLOWEST_SHARE, answer_of, load
from benchmarks.made_card import CARD, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from features.portfolios import open_portfolio
from serving.asking import request_of
from serving.child import Child, served

TURNS, SECONDS = 5, 5.0
FIRST_SECONDS = 1.0
"""While the service fills up; what is in work when the arrivals end counts as little."""
PEAK_CALLERS = 128
"""As many as the service takes into work: more would be sent away."""
TIMES = (3, 10)
ASKED_GOODPUT, ASKED_BESIDE = 0.9, 0.5
LINES = 512
"""Connections that arrivals share. Who finds none free asks nothing: clients keep so many open, no more."""
SLOW = 1_000
HONEST_CALLERS = 4
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PATH = "/v1/score"
NO_LIMIT = "[limits.engine]\nper_second = 1000000\nburst = 1000000\n"
SMALL_WINDOW = 4_096
"""Bytes that a slow reader's system takes for it."""


@dataclass
class Seen:
    """What became of those who arrived: seconds of each answer by its status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    answered: list[float] = field(default_factory=list)
    """When each good answer came, in seconds since the first arrival."""
    sent: int = 0
    missed: int = 0

    def p99(self, status: int) -> float:
        """Return the seconds within which all but one in a hundred got this status."""
        times = sorted(self.seconds.get(status, [0.0]))
        return times[int(SLOWEST_SHARE * (len(times) - 1))]

    @property
    def goodput(self) -> float:
        """Return the good answers a second, of those that came while callers arrived, without the first moments."""
        return sum(FIRST_SECONDS <= came < SECONDS for came in self.answered) / (SECONDS - FIRST_SECONDS)


def results() -> Iterator[Result]:
    """Yield the comparisons."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        here = Path(made)
        made_card(here / "home", here / "book")
        tables = open_portfolio(str(here / "book")).tables
        loans = tables.loans.get_column("loan_id").head(BODIES).to_list()
        bodies = [
            json.dumps(request_of(tables, [loan], card=CARD, day=OBSERVED_ON, zone="UTC")).encode() for loan in loans
        ]
        # No token of its own is held back: what is measured is the limit of the service itself.
        (here / "home" / "access").mkdir(mode=0o700)
        (here / "home" / "access" / "access.toml").write_text(NO_LIMIT)
        child = up.enter_context(served(here / "home", here / "log"))
        _peak(child, bodies)
        yield from _overloaded(child, bodies)
        yield _beside_the_slow(child, bodies)
        yield _too_large(child, bodies)


def _peak(child: Child, bodies: list[bytes]) -> float:
    """Return the answers a second, counted as those of callers who arrive are."""
    seen, began = Seen(), time.perf_counter()
    load(
        f"{child.address}{PATH}",
        bodies,
        callers=PEAK_CALLERS,
        seconds=SECONDS,
        token=child.tokens["engine"],
        heard=lambda *_: seen.answered.append(time.perf_counter() - began),
    )
    return seen.goodput


def _overloaded(child: Child, bodies: list[bytes]) -> Iterator[Result]:
    for times in TIMES:
        peaks, seen = [], []
        for _ in range(TURNS):
            peaks.append(_peak(child, bodies))
            seen.append(asyncio.run(_arriving(child, bodies, times * peaks[-1])))
        refused = max(one.p99(429) for one in seen)
        answered = max(one.p99(200) for one in seen)
        others = {status for one in seen for status in one.seconds} - {200, 429}
        note = (
            f"{statistics.median(one.goodput for one in seen):,.0f} / {statistics.median(peaks):,.0f} a second; "
            f"{statistics.median(one.sent for one in seen) / SECONDS:,.0f} a second sent over {LINES} connections, "
            f"{statistics.median(one.missed for one in seen) / SECONDS:,.0f} found none free; "
            f"p99 answered {1e3 * answered:,.0f} ms, refused {1e3 * refused:,.0f} ms; "
            f"other statuses: {sorted(others) or 'none'}"
        )
        yield Result(
            f"HTTP, histories: goodput when {times} times as many arrive as can be answered",
            f"{PEAK_CALLERS} callers who wait",
            ASKED_GOODPUT,
            Ratio.of([1 / one.goodput for one in seen], [1 / peak for peak in peaks]),
            note,
        )


async def _arriving(child: Child, bodies: list[bytes], per_second: float) -> Seen:
    """Return what becomes of callers that arrive at a steady rate."""
    seen = Seen()
    lines: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
    parts = urlsplit(child.address)
    for _ in range(LINES):
        lines.put_nowait(await asyncio.open_connection(parts.hostname, parts.port))
    began, waiting, number = time.perf_counter(), set(), 0
    while (now := time.perf_counter() - began) < SECONDS:
        while number / per_second <= now:
            if lines.empty():
                seen.missed += 1
            else:
                seen.sent += 1
                task = asyncio.create_task(
                    _ask(
                        child,
                        lines.get_nowait(),
                        lines,
                        bodies[number % len(bodies)],
                        began,
                        began + number / per_second,
                        seen,
                    )
                )
                waiting.add(task)
                task.add_done_callback(waiting.discard)
            number += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*waiting)
    while not lines.empty():
        lines.get_nowait()[1].close()
    return seen


async def _ask(
    child: Child,
    line: Line,
    lines: asyncio.LifoQueue[Line],
    body: bytes,
    began: float,
    arrived: float,
    seen: Seen,
) -> None:
    request = _head(child, len(body)) + body
    line[1].write(request)
    try:
        status, _ = await answer_of(line[0])
    except (asyncio.IncompleteReadError, ConnectionError):  # it had rested for long, and was hung up just now
        parts = urlsplit(child.address)
        line = await asyncio.open_connection(parts.hostname, parts.port)
        line[1].write(request)
        status, _ = await answer_of(line[0])
    now = time.perf_counter()
    seen.seconds.setdefault(status, []).append(now - arrived)
    if status == HTTPStatus.OK:
        seen.answered.append(now - began)
    lines.put_nowait(line)


def _head(child: Child, length: int) -> bytes:
    return (
        f"POST {PATH} HTTP/1.1\r\nhost: {urlsplit(child.address).netloc}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {child.tokens['engine']}\r\nidempotency-key: {uuid.uuid4()}\r\n"
        f"content-length: {length}\r\n\r\n"
    ).encode()


def _beside_the_slow(child: Child, bodies: list[bytes]) -> Result:
    quiet, beside, failed = [], [], 0
    for _ in range(TURNS):
        quiet.append(_honest(child, bodies))
        told = asyncio.run(_held_up(child, bodies))
        failed += told is None
        beside.append(told or float("inf"))
    return Result(
        f"HTTP, histories: p99 of {HONEST_CALLERS} honest callers beside {SLOW:,} slow connections",
        "the same without the slow ones",
        ASKED_BESIDE,
        Ratio.of(beside, quiet),
        f"{failed} of {TURNS} turns with an answer other than 200; a third each: no end of headers, no end of body, "
        "answers not read",
    )


def _honest(child: Child, bodies: list[bytes]) -> float:
    url = f"{child.address}{PATH}"
    return load(url, bodies, callers=HONEST_CALLERS, seconds=SECONDS, token=child.tokens["engine"]).p99


async def _held_up(child: Child, bodies: list[bytes]) -> float | None:
    async with _slow_ones(child, bodies[0]):
        try:
            return await asyncio.to_thread(_honest, child, bodies)
        except AssertionError:
            return None


@asynccontextmanager
async def _slow_ones(child: Child, body: bytes) -> Iterator[None]:  # type: ignore[misc]
    """Hold lines that say too little, or take too little, and take up new ones as they are closed."""
    parts = urlsplit(child.address)
    token = f"authorization: Bearer {child.tokens['engine']}\r\n"
    document = f"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n{token}\r\n".encode()

    async def hold(number: int) -> None:
        head, loop = _head(child, len(body)), asyncio.get_running_loop()
        sent = (head[:-4], head + body[:-1], document)[number % 3]
        while True:
            line = socket.socket()
            line.setblocking(False)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
            with line, suppress(OSError):
                await loop.sock_connect(line, (parts.hostname, parts.port))
                await loop.sock_sendall(line, sent)
                while await loop.sock_recv(line, 1):
                    await asyncio.sleep(1)

    holding = [asyncio.create_task(hold(number)) for number in range(SLOW)]
    await asyncio.sleep(2)
    try:
        yield
    finally:
        for one in holding:
            one.cancel()
        await asyncio.gather(*holding, return_exceptions=True)


def _too_large(child: Child, bodies: list[bytes]) -> Result:
    """Compare a refusal of a body that is announced too large with the answer to a good one."""

    async def asked(head: bytes, body: bytes) -> tuple[int, float]:
        parts = urlsplit(child.address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        began = time.perf_counter()
        writer.write(head + body)
        status, _ = await answer_of(reader)
        took = time.perf_counter() - began
        writer.close()
        return status, took

    refused, answered = [], []
    for body in bodies:
        large = asyncio.run(asked(_head(child, 60_000_000), b"{" * 1_000))
        good = asyncio.run(asked(_head(child, len(body)), body))
        assert (large[0], good[0]) == (413, 200)
        refused.append(large[1])
        answered.append(good[1])
    return Result(
        "HTTP: a body announced as 60 MB refused",
        "one borrower's history answered",
        1,
        Ratio.of(refused, answered),
        f"the slowest of {len(refused)}: {1e3 * max(refused):.1f} ms",
    )
