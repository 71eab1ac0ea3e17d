"""Whatever arrives on a socket: no request is seen where none was sent, and honest requests beside it are answered.

REPAYRANK_FUZZ_CONNECTIONS sets how many connections are made, REPAYRANK_FUZZ_SEED what is sent on them; a release asks
for 100,000. A failure tells the seed and the number of its connection: `odd_connections.stream(seed, number)`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from http_readings import Request, requests_in
from odd_connections import cut, stream

from serving.child import Child

pytestmark = pytest.mark.slow

CONNECTIONS = int(os.environ.get("REPAYRANK_FUZZ_CONNECTIONS", "5000"))
SEED = int(os.environ.get("REPAYRANK_FUZZ_SEED", "0"))
EACH_HONEST = 100
"""Of so many connections one is followed by an honest request."""
SECONDS = 30
"""Generous: the service gives a connection 5 seconds for its headers, and as many for a body."""
ANSWER = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")
REFUSALS = frozenset({400, 429, 431})
"""What a connection is told before it is closed."""


def talk(address: str, pieces: list[bytes]) -> bytes:
    """Send pieces, say that there is no more, and return all that is answered until the service closes."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        told = b""
        try:
            for piece in pieces:
                line.sendall(piece)
            line.shutdown(socket.SHUT_WR)
            while more := line.recv(65_536):
                told += more
        except (ConnectionResetError, BrokenPipeError, OSError) as error:
            assert not isinstance(error, TimeoutError)
        return told


def statuses(told: bytes) -> list[int]:
    """Return the statuses of answers that follow each other without anything between; interim ones are passed over."""
    found, at = [], 0
    while at < len(told):
        answer = ANSWER.match(told, at)
        assert answer, told[at : at + 100]
        at = answer.end()
        if answer[1][:1] == b"1":
            continue
        found.append(int(answer[1]))
        length = re.search(rb"content-length: ([0-9]+)\r\n", answer[2])
        assert length
        if not told.startswith(b"HTTP/1.1 ", at):  # an answer to HEAD has no body
            at += int(length[1])
    return found


def may_be(request: Request, status: int) -> bool:
    """Return whether a request may have got a status; one without a token gets 401 wherever a token is needed."""
    known = {(b"GET", b"/livez"): {200}, (b"POST", b"/v1/score"): {401}}
    return status in known.get(request, {200, 401})


def agree(seen: list[int], sent: list[Request]) -> bool:
    """Return whether every status answers a request that was sent, in order, but for a refusal at the end."""
    answered = seen[:-1] if seen and seen[-1] in REFUSALS else seen
    return len(answered) <= len(sent) and all(map(may_be, sent, answered))


def test_nobody_sees_a_request_where_none_was_sent(
    server: Child, asking: Callable[..., Any], good: dict[str, Any]
) -> None:
    print(f"{CONNECTIONS} connections of seed {SEED}")  # noqa: T201
    body, kinds = json.dumps(good).encode(), Counter[str]()
    printed_before = server.log.stat().st_size
    files_before = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    for number in range(CONNECTIONS):
        data, chosen = stream(SEED, number), Random(number)
        seen = statuses(talk(server.address, cut(chosen, data)))
        readings = [requests_in(data, strict=strict) for strict in (True, False)]
        where = f"seed {SEED}, number {number}: {seen}, sent {readings}"
        assert all(agree(seen, sent) for sent in readings), where
        kinds["in full" if len(seen) == len(readings[0]) == len(readings[1]) else "in part"] += 1
        kinds["refused"] += seen[-1:] != [] and seen[-1] in REFUSALS
        if not number % EACH_HONEST:
            assert asking(server, "POST", "/v1/score", body).status == 200, where
    print(dict(kinds))  # noqa: T201
    assert min(kinds.values()) > CONNECTIONS / 10
    assert server.process.poll() is None
    printed = server.log.read_bytes()[printed_before:]
    assert b"Traceback" not in printed and b"incident" not in printed
    assert all(set(json.loads(line)) == {"route", "status", "ms", "id"} for line in printed.splitlines())
    assert len(list(Path(f"/proc/{server.process.pid}/fd").iterdir())) <= files_before + 5


MEBIBYTE = 2**20
PIECE = b"x" * 65_536
OVERSIZED: dict[str, tuple[int, bytes, int]] = {
    "one byte too many, announced": (8 * MEBIBYTE + 1, b"content-length: %d", 413),
    "60 MB, announced": (60_000_000, b"content-length: %d", 413),
    "60 MB in chunks, not announced": (60_000_000, b"transfer-encoding: chunked", 413),
    "60 MB, packed": (60_000_000, b"content-encoding: gzip\r\ncontent-length: %d", 415),
    "60 MB in chunks, packed": (60_000_000, b"content-encoding: gzip\r\ntransfer-encoding: chunked", 415),
}
MOST_GROWTH = 5 * MEBIBYTE


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(("size", "field", "status"), OVERSIZED.values(), ids=OVERSIZED.keys())
def test_what_is_too_large_is_refused_before_it_is_read_and_kept_nowhere(
    server: Child, size: int, field: bytes, status: int
) -> None:
    assert sent_oversized(server, size, field)[0] == status  # what is done for the first time may stay in memory
    before = memory(server)
    taken = []
    for _ in range(5):
        told, sent = sent_oversized(server, size, field)
        assert told == status
        taken.append(sent)
    growth = memory(server) - before
    print(f"{growth / MEBIBYTE:.1f} MiB more after 5, {max(taken) / MEBIBYTE:.1f} MiB sent at most")  # noqa: T201
    assert growth <= MOST_GROWTH


def sent_oversized(server: Child, size: int, field: bytes) -> tuple[int, int]:
    """Send a body of a size for as long as the service listens; return the status and how much could be sent."""
    host, _, port = server.address.removeprefix("http://").partition(":")
    head = b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nidempotency-key: large\r\n"
    head += b"authorization: Bearer " + server.tokens["engine"].encode() + b"\r\n"
    piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if b"chunked" in field else PIECE
    sent = 0
    with socket.create_connection((host, int(port)), timeout=SECONDS) as line:
        line.sendall(head + (field % size if b"%" in field else field) + b"\r\n\r\n")
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < size:
                line.sendall(piece)
                sent += len(PIECE)
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while more := line.recv(65_536):
                told += more
    assert b"connection: close\r\n" in told
    return statuses(told)[0], sent


def memory(server: Child) -> int:
    """Return the bytes that a service holds in memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1_024 * int(status.partition("VmRSS:")[2].split()[0])
