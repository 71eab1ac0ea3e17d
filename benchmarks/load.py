"""Requests over HTTP from so many callers at a time, each waiting for its answer before it asks again."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

SLOWEST_SHARE = 0.99


@dataclass(frozen=True)
class Load:
    """What callers saw: seconds of the middle and of the hundredth request, and requests answered a second."""

    p50: float
    p99: float
    per_second: float


def load(url: str, bodies: list[bytes], *, callers: int, seconds: float, token: str = "") -> Load:
    """Return what so many callers see within some seconds.

    Parameters
    ----------
    token : of our own service; each request then has a key of its own too

    Raises
    ------
    AssertionError : an answer that is not 200
    """
    return asyncio.run(_load(url, bodies, callers, seconds, token))


async def _load(url: str, bodies: list[bytes], callers: int, seconds: float, token: str) -> Load:
    began = time.perf_counter()
    until = began + seconds
    taken = await asyncio.gather(*(_caller(url, bodies, first, callers, until, token) for first in range(callers)))
    times = sorted(one for caller in taken for one in caller)
    took = time.perf_counter() - began
    return Load(statistics.median(times), times[int(SLOWEST_SHARE * (len(times) - 1))], len(times) / took)


async def _caller(url: str, bodies: list[bytes], first: int, step: int, until: float, token: str) -> list[float]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    times: list[float] = []
    place = first
    while time.perf_counter() < until or not times:
        body = bodies[place % len(bodies)]
        place += step
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        if token:
            head += f"authorization: Bearer {token}\r\nidempotency-key: {uuid.uuid4()}\r\n"
        asked = time.perf_counter()
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        status, answer = await answer_of(reader)
        times.append(time.perf_counter() - asked)
        assert status == 200, f"{url} answered {status}: {answer[:300]!r}"
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
