"""Requests over HTTP from so many callers at a time, each waiting for its answer before it asks again.

Callers who ask so many times a second in all have a moment for each request, and their times run from it: who has to
wait for an answer beyond the moment of the next request is late with that one, and does not hide it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

SLOWEST_SHARE = 0.99
Heard = Callable[[int, float, bytes], None]
"""Is told of each answer: which body was sent, when (`time.perf_counter`), and the answer's own body."""


@dataclass(frozen=True)
class Load:
    """What callers saw: seconds of the middle and of the hundredth request, and requests answered a second."""

    p50: float
    p99: float
    per_second: float


@dataclass(frozen=True)
class _Asking:
    """What all callers of one load have in common; the times are those of `time.perf_counter`."""

    url: str
    bodies: list[bytes]
    callers: int
    token: str
    per_second: float | None
    heard: Heard | None
    began: float
    until: float

    def due(self, number: int) -> float:
        """Return when a request may be sent at the earliest."""
        return self.began + number / self.per_second if self.per_second else 0.0


def load(
    url: str,
    bodies: list[bytes],
    *,
    callers: int,
    seconds: float,
    token: str = "",
    per_second: float | None = None,
    heard: Heard | None = None,
) -> Load:
    """Return what so many callers see within some seconds.

    Parameters
    ----------
    token : of our own service; each request then has a key of its own too
    per_second : requests of all callers together; without it each asks as soon as it is answered
    heard : the callers wait for it, so it is to be quick

    Raises
    ------
    AssertionError : an answer that is not 200
    """
    began = time.perf_counter()
    return asyncio.run(_load(_Asking(url, bodies, callers, token, per_second, heard, began, began + seconds)))


async def _load(asking: _Asking) -> Load:
    taken = await asyncio.gather(*(_caller(asking, first) for first in range(asking.callers)))
    times = sorted(one for caller in taken for one in caller)
    took = time.perf_counter() - asking.began
    return Load(statistics.median(times), times[int(SLOWEST_SHARE * (len(times) - 1))], len(times) / took)


async def _caller(asking: _Asking, first: int) -> list[float]:
    parts = urlsplit(asking.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    times: list[float] = []
    number = first
    while (asking.due(number) or time.perf_counter()) < asking.until or not times:
        sent = number % len(asking.bodies)
        body = asking.bodies[sent]
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        if asking.token:
            head += f"authorization: Bearer {asking.token}\r\nidempotency-key: {uuid.uuid4()}\r\n"
        due = asking.due(number)
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        asked = time.perf_counter()
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        status, answer = await answer_of(reader)
        times.append(time.perf_counter() - (due or asked))
        assert status == 200, f"{asking.url} answered {status}: {answer[:300]!r}"
        if asking.heard is not None:
            asking.heard(sent, asked, answer)
        number += asking.callers
    writer.close()
    return times


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return status and body of the next answer on a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    for line in head.split("\r\n"):
        if line.startswith("content-length:"):
            return status, await reader.readexactly(int(line.partition(":")[2]))
    body = b""  # chunked
    while size := int((await reader.readline()).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return status, body
