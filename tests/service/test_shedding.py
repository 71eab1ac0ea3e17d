"""A service that has no place left says so from the headers alone, in order, in bounds, and counts each of them."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from serving.impatient import protocol
from serving.shedding import MOST_AT_ONCE, SECONDS_BETWEEN_TURNS, SECONDS_EACH, Shedding

PATH = "/v1/score"
BODY = b'{"tables": {}}' * 400
SCORE = b"POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"POST /v1/score HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
ALIVE = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
LATE = 20.0


class Busy:
    """A service with a switch: full or not. What it takes it answers 200, and keeps the bodies."""

    def __init__(self) -> None:
        self.is_full = True
        self.bodies: list[bytes] = []
        self.seen: Counter[tuple[str, int]] = Counter()
        self.lines: list[Any] = []
        self.shedding = Shedding(lambda: self.is_full, [PATH], self._saw, self.lines.append)
        self.address = ("", 0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _saw(self, path: str, status: int, _seconds: float) -> None:
        self.seen[path, status] += 1


@pytest.fixture
def busy() -> Iterator[Busy]:
    app = Busy()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        http = protocol(app.shedding)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", http=http, ws="none", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        app.address = listener.getsockname()
        try:
            yield app
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


def connected(busy: Busy) -> socket.socket:
    line = socket.create_connection(busy.address, timeout=LATE)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def answers(line: socket.socket, count: int) -> list[tuple[int, bytes, bytes]]:
    """Return status, head and body of so many answers on a line."""
    told, buffer = [], b""
    while len(told) < count:
        head, end, rest = buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) if end else 0
        if end and len(rest) >= length:
            told.append((int(head[9:12]), head, rest[:length]))
            buffer = rest[length:]
            continue
        more = line.recv(65_536)
        assert more, f"hung up after {told}"
        buffer += more
    assert not buffer
    return told


def statuses(line: socket.socket, count: int) -> list[int]:
    return [status for status, _, _ in answers(line, count)]


def spent(busy: Busy) -> None:
    """Use up what may be told without a wait."""
    for _ in range(MOST_AT_ONCE):
        busy.shedding.wait()


def test_those_who_have_to_wait_are_told_in_rounds_and_no_faster_than_the_pace() -> None:
    shedding = Shedding(lambda: True, [PATH], lambda *_: None, lambda _: None, now=lambda: 1_000.0)
    waits = [shedding.wait() for _ in range(MOST_AT_ONCE + 400)]
    assert waits[: MOST_AT_ONCE - 1] == [0.0] * (MOST_AT_ONCE - 1)
    late = [one for one in waits if one]
    moments = [(1_000.0 + one) / SECONDS_BETWEEN_TURNS for one in late]
    assert moments == pytest.approx([round(one) for one in moments])
    assert max(Counter(map(round, moments)).values()) <= round(SECONDS_BETWEEN_TURNS / SECONDS_EACH) + 1
    assert all(one >= SECONDS_EACH * (place + 1 - MOST_AT_ONCE) - 1e-6 for place, one in enumerate(waits))


def test_a_full_service_says_so_in_its_usual_words_and_reads_no_body(busy: Busy) -> None:
    with connected(busy) as line:
        line.sendall(SCORE.removesuffix(BODY))
        ((status, head, body),) = answers(line, 1)
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (429, "busy")
        assert all(error[part] for part in ("found", "where", "expected", "do"))
        assert b"retry-after: 1" in head and b"x-request-id: " in head and b"cache-control: no-store" in head
        line.sendall(BODY + ALIVE)
        assert statuses(line, 1) == [200]
    assert busy.bodies == [b""]


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "in its turn"])
@pytest.mark.parametrize("one", [SCORE, CHUNKED], ids=["a length", "chunks"])
def test_what_follows_on_the_line_is_answered_after_it(busy: Busy, one: bytes, wait: bool) -> None:
    if wait:
        spent(busy)
    with connected(busy) as line:
        line.sendall(one + ALIVE + one + b"nonsense\r\n\r\n")
        # What waits behind another on its line is left to the service, which looks for a place when its turn comes.
        assert statuses(line, 4) == [429, 200, 200, 400]
        assert not line.recv(1)


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_a_body_in_pieces_is_read_over_while_the_word_waits(busy: Busy, pause: float) -> None:
    spent(busy)
    with connected(busy) as line:
        for start in range(0, len(SCORE), 700):
            line.sendall(SCORE[start : start + 700])
            time.sleep(pause)
        assert statuses(line, 1) == [429]
        busy.is_full = False
        line.sendall(SCORE)
        assert statuses(line, 1) == [200]
    assert busy.bodies == [BODY]


@pytest.mark.parametrize(
    "other",
    [
        SCORE.replace(b"host: x", b"host: x\r\nconnection: close"),
        SCORE.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SCORE.replace(b"POST", b"PUT"),
        SCORE.replace(b"/v1/score", b"/v1/rank/"),
        SCORE.replace(b"host: x", b"host: x\r\nexpect: 100-continue"),
    ],
)
def test_what_cannot_be_said_briefly_is_left_to_the_service(busy: Busy, other: bytes) -> None:
    with connected(busy) as line:
        line.sendall(other)
        told = b""
        while b"HTTP/1.1 200" not in told:
            told += line.recv(65_536)
    assert busy.bodies == [BODY]
    assert not busy.seen


def test_so_many_are_told_in_a_second_and_the_others_in_their_turn(busy: Busy) -> None:
    count = 4 * MOST_AT_ONCE
    with contextlib.ExitStack() as up:
        lines = [up.enter_context(connected(busy)) for _ in range(count)]
        began = time.monotonic()
        for line in lines:
            line.sendall(SCORE)
        assert [statuses(line, 1) for line in lines] == [[429]] * count
        # No sooner than the pace allows; how much later is the machine's affair.
        assert time.monotonic() - began >= (count - MOST_AT_ONCE - 1) * SECONDS_EACH
    assert busy.seen == {(PATH, 429): count}
    until = time.monotonic() + LATE
    while sum(line["times"] for line in busy.lines) < count:
        assert time.monotonic() < until, "the last of them are told within a second, though nobody asks any more"
        time.sleep(0.05)
    assert sum(line["times"] for line in busy.lines) == count
    assert len(busy.lines) < count


def test_whoever_hangs_up_before_the_word_is_not_told_and_not_counted(busy: Busy) -> None:
    spent(busy)
    for _ in range(50):
        busy.shedding.wait()
    with connected(busy) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # to hang up, not to end
        line.sendall(SCORE)
        time.sleep(10 * SECONDS_EACH)
    time.sleep(100 * SECONDS_EACH)
    with connected(busy) as line:
        line.sendall(ALIVE)
        assert statuses(line, 1) == [200]
    assert not busy.seen


def test_whoever_has_sent_all_and_closed_that_way_is_told(busy: Busy) -> None:
    spent(busy)
    with connected(busy) as line:
        line.sendall(SCORE)
        line.shutdown(socket.SHUT_WR)
        assert statuses(line, 1) == [429]
        assert not line.recv(1)
