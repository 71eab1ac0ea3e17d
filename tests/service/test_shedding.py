"""A service that has no place left says so from the headers alone, in order, in bounds, and counts each of them."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.impatient import protocol
from serving.shedding import (
    LONGEST_WAIT_SECONDS,
    MOST_AT_ONCE,
    SECONDS_BETWEEN_TURNS,
    SECONDS_EACH,
    Shedding,
)

PATH = "/v1/score"
BODY = b'{"tables": {}}' * 400
SCORE = b"POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = b"POST /v1/score HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
ALIVE = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
LATE = 20.0
WELL_WITHIN = 0.9
"""Of those whom the pace allows to be told in time: of more, some are told sooner than it allows."""


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
        busy.shedding.send_away(lambda: True)


class Clock:
    """A time that goes on when it is told to, and calls what is due."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.due: list[tuple[float, int, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self.due, (self.now + seconds, len(self.due), call))

    def go_on(self, until: float) -> None:
        while self.due and self.due[0][0] <= until:
            self.now, _, call = heapq.heappop(self.due)
            call()
        self.now = until


class Sent:
    """Callers sent away by a clock: when each asked and when it was told, in its place; None until then."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[Any] = []
        self.shedding = Shedding(
            lambda: True, [PATH], lambda *_: None, self.lines.append, now=lambda: self.clock.now, later=self.clock.later
        )
        self.asked: list[float] = []
        self.told: list[float | None] = []
        self.gone: set[int] = set()

    def ask(self) -> None:
        place = len(self.told)
        self.told.append(None)
        self.asked.append(self.clock.now)

        def tell() -> bool:
            if place in self.gone:
                return False
            assert self.told[place] is None, "told twice"
            self.told[place] = self.clock.now
            return True

        self.shedding.send_away(tell)

    def waited(self) -> list[float]:
        """Return how long each waited who has not gone."""
        pairs = [
            (asked, told)
            for place, (asked, told) in enumerate(zip(self.asked, self.told, strict=True))
            if place not in self.gone
        ]
        assert all(told is not None for _, told in pairs)
        return [told - asked for asked, told in pairs if told is not None]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 2_000), st.floats(0, 3)), min_size=1, max_size=6), st.data())
def test_each_is_told_once_in_order_no_faster_than_the_pace_and_those_who_wait_in_rounds(
    bursts: list[tuple[int, float]], data: st.DataObject
) -> None:
    sent = Sent()
    for count, pause in bursts:
        for _ in range(count):
            sent.ask()
        sent.clock.go_on(sent.clock.now + pause)
    known = sum(told is not None for told in sent.told)
    sent.gone = data.draw(st.sets(st.integers(known, len(sent.told)), max_size=50))
    sent.clock.go_on(sent.clock.now + 60)
    assert max(sent.waited()) <= LONGEST_WAIT_SECONDS + SECONDS_BETWEEN_TURNS
    moments = [told for told in sent.told if told is not None]
    assert moments == sorted(moments)
    rounds = sorted(
        {told for asked, told in zip(sent.asked, sent.told, strict=True) if told is not None and told > asked}
    )
    assert all(later - one >= SECONDS_BETWEEN_TURNS - 1e-6 for one, later in pairwise(rounds))
    if len(moments) < WELL_WITHIN * LONGEST_WAIT_SECONDS / SECONDS_EACH:
        for first, last in combinations(range(0, len(moments), 17), 2):
            assert last - first + 1 <= MOST_AT_ONCE + 1 + (moments[last] - moments[first]) / SECONDS_EACH


@pytest.mark.parametrize("count", [100, 1_500, 30_000])
def test_nobody_waits_long_for_the_word_however_many_do(count: int) -> None:
    sent = Sent()
    for _ in range(count):
        sent.ask()
    sent.clock.go_on(sent.clock.now + 10 * LONGEST_WAIT_SECONDS)
    longest = max(sent.waited())
    slowest_pace = min(LONGEST_WAIT_SECONDS - SECONDS_BETWEEN_TURNS, (count - 2 * MOST_AT_ONCE) * SECONDS_EACH)
    assert slowest_pace - 1e-6 <= longest <= LONGEST_WAIT_SECONDS + SECONDS_BETWEEN_TURNS
    in_a_round = Counter(told for told in sent.told if told is not None and told > sent.asked[0])
    assert max(in_a_round.values()) <= max(MOST_AT_ONCE + 1, 1.5 * count * SECONDS_BETWEEN_TURNS / LONGEST_WAIT_SECONDS)


def test_a_word_that_cannot_be_given_keeps_nobody_else_waiting() -> None:
    sent = Sent()
    for _ in range(MOST_AT_ONCE + 2):
        sent.ask()

    def fails() -> bool:
        raise OSError

    for _ in range(60):
        sent.shedding.send_away(fails)
    for _ in range(3 * MOST_AT_ONCE):
        sent.ask()
    sent.clock.go_on(sent.clock.now + 1.0)
    assert max(sent.waited()) <= 5 * SECONDS_BETWEEN_TURNS
    assert sent.lines == [{"untold": "OSError"}] * 60


@pytest.mark.parametrize(("callers", "most_a_second"), [(900, 410), (1_500, 420), (3_000, 900)])
def test_callers_who_ask_again_once_they_are_told_do_not_hasten_the_pace(callers: int, most_a_second: float) -> None:
    sent = Sent()
    for _ in range(callers):
        sent.ask()
    known = 0
    while sent.clock.now < 1_030.0:
        sent.clock.go_on(sent.clock.now + 0.05)
        told = sum(one is not None for one in sent.told)
        for _ in range(told - known):
            sent.ask()
        known = told
    late = [asked for asked, told in zip(sent.asked, sent.told, strict=True) if told is None]
    assert min(late) >= sent.clock.now - LONGEST_WAIT_SECONDS - SECONDS_BETWEEN_TURNS
    assert sum(told is not None and told > 1_010.0 for told in sent.told) <= most_a_second * 20


def test_those_who_hung_up_take_nobodys_turn() -> None:
    sent = Sent()
    for _ in range(2_000):
        sent.ask()
    sent.gone = set(range(MOST_AT_ONCE, 1_900))
    sent.clock.go_on(sent.clock.now + 1.0)
    assert max(sent.waited()) <= 100 * SECONDS_EACH + 2 * SECONDS_BETWEEN_TURNS


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
    others = 3 * MOST_AT_ONCE
    held: list[tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = []
    later = busy.shedding._later
    busy.shedding._later = lambda _, call: held.append((asyncio.get_running_loop(), call))
    with contextlib.ExitStack() as up:
        lines = [up.enter_context(connected(busy)) for _ in range(others)]
        for line in lines:
            line.sendall(SCORE)
        with connected(busy) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # to hang up, not to end
            line.sendall(SCORE)
        until = time.monotonic() + LATE
        while busy.seen.total() + len(busy.shedding._waiting) < others and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)  # until it is seen that it hung up
        busy.shedding._later = later
        for loop, call in held:
            loop.call_soon_threadsafe(call)
        assert [statuses(line, 1) for line in lines] == [[429]] * others
        while busy.shedding._waiting and time.monotonic() < until:  # a round may end before whoever hung up
            time.sleep(0.01)
    assert not busy.shedding._waiting
    assert busy.seen == {(PATH, 429): others}


def test_whoever_has_sent_all_and_closed_that_way_is_told(busy: Busy) -> None:
    spent(busy)
    with connected(busy) as line:
        line.sendall(SCORE)
        line.shutdown(socket.SHUT_WR)
        assert statuses(line, 1) == [429]
        assert not line.recv(1)
