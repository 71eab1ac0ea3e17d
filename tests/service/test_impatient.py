"""One connection: bounded in time and room, its requests read in one sense, and refused after what was asked before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from odd_connections import HIDDEN, OPEN

from serving import impatient
from serving.child import Child
from serving.front import App, Front
from serving.impatient import MOST_HEADER_BYTES, MOST_WAITING, Impatient

SOON, LATE = 0.3, 20.0
"""Seconds: what the service waits for in these tests, and what a test waits for at most."""
HEAD = b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\n"
LARGE = 2**26
"""Bytes of an answer that no buffer on the way holds."""


@contextlib.contextmanager
def listening(app: App) -> Iterator[tuple[str, int]]:
    """Serve an application in a thread, as `repayrank serve` does in a process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", http=Impatient, ws="none", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A front that is alive and not ready: `/livez` is answered 200, a score 503, before its body has come."""
    monkeypatch.setattr(impatient, "SECONDS_FOR_HEADERS", SOON)
    with listening(Front(log=lambda _: None)) as there:
        yield there


def connected(address: tuple[str, int]) -> socket.socket:
    line = socket.create_connection(address, timeout=LATE)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def with_header(field: bytes) -> bytes:
    """Return a request that is answered 200 without a token, with one more header."""
    return OPEN.replace(b"host:", field + b"\r\nhost:", 1)


def rest(line: socket.socket) -> bytes:
    """Return all that still comes until the service closes."""
    told = b""
    with contextlib.suppress(ConnectionResetError):
        while more := line.recv(65_536):
            told += more
    return told


def statuses(told: bytes) -> list[int]:
    return [int(piece[:3]) for piece in told.split(b"HTTP/1.1 ")[1:]]


def asked(address: tuple[str, int], *pieces: bytes) -> list[int]:
    """Return the statuses of what is answered to pieces that arrive one after another."""
    with connected(address) as line:
        with contextlib.suppress(OSError):  # the service may have hung up
            for piece in pieces:
                line.sendall(piece)
                time.sleep(0.02)
            line.shutdown(socket.SHUT_WR)
        return statuses(rest(line))


def closed_after(line: socket.socket, piece: bytes) -> float:
    """Return after how many seconds a connection is closed on which a piece is sent again and again."""
    began = time.monotonic()
    line.settimeout(SOON / 5)
    while time.monotonic() - began < LATE:
        try:
            line.sendall(piece)
            while line.recv(65_536):
                pass
        except TimeoutError:
            continue
        except OSError:
            break
        else:
            break
    return time.monotonic() - began


@pytest.mark.parametrize("how", ["in one piece", "cut before the body", "cut within it"])
@pytest.mark.parametrize("other", [b"h2c", b"websocket", b"anything"])
def test_a_body_is_no_request_when_another_protocol_is_asked_for(
    address: tuple[str, int], other: bytes, how: str
) -> None:
    head = b"%bupgrade: %b\r\nconnection: upgrade\r\ncontent-length: %d\r\n\r\n" % (HEAD, other, len(HIDDEN))
    sent = head + HIDDEN + OPEN
    at = {"in one piece": 0, "cut before the body": len(head), "cut within it": len(head) + 9}[how]
    assert asked(address, sent[:at], sent[at:]) == [503, 200]


def test_a_request_that_asks_for_another_protocol_is_answered_and_so_is_the_next(address: tuple[str, int]) -> None:
    upgrade = with_header(b"upgrade: h2c\r\nconnection: Upgrade, HTTP2-Settings")
    assert asked(address, upgrade * 3 + OPEN) == [200] * 4


AMBIGUOUS = {
    "no host": OPEN.replace(b"host: localhost\r\n", b""),
    "two hosts": with_header(b"host: other"),
    "two lengths": HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nx",
    "a length said twice": HEAD + b"content-length: 1\r\ncontent-length: 1\r\n\r\nx",
    "a length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks of something packed": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks before HTTP/1.1": HEAD.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a version that is not spoken": OPEN.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a version before headers": OPEN.replace(b"HTTP/1.1", b"HTTP/0.9"),
    "a folded line": with_header(b"x: y\r\n content-length: 5"),
    "a space before the colon": HEAD + b"content-length : 5\r\n\r\nhello",
    "a bare line feed": OPEN.replace(b"\r\n", b"\n"),
    "a tunnel": b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n",
    "TLS": bytes.fromhex("16030100b4010000b00303") + bytes(180),
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(
    address: tuple[str, int], sent: bytes
) -> None:
    assert asked(address, sent + OPEN) == [400]
    with connected(address) as line:
        line.sendall(sent + OPEN)
        told = rest(line)  # closed though the caller is still there
    head, _, body = told.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"content-security-policy: default-src 'none'" in head
    assert json.loads(body)["error"]["code"] == "malformed"


def test_what_cannot_be_understood_is_refused_after_all_that_was_asked_before_it() -> None:
    begun = threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    with listening(slow) as address, connected(address) as line:
        line.sendall(OPEN * 2 + b"\x16\x03\x01")
        assert statuses(rest(line)) == [200, 200, 400]
    with listening(slow) as address, connected(address) as line:
        # The second is broken in its body while the first is being answered.
        line.sendall(OPEN + HEAD + b"transfer-encoding: chunked\r\n\r\nx\r\n")
        assert statuses(rest(line)) == [200, 400]
    with listening(slow) as address, connected(address) as line:
        begun.clear()
        line.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        assert begun.wait(LATE)
        line.sendall(b"x\r\n")
        assert statuses(rest(line)) == [400]


def test_whoever_has_sent_all_and_closed_that_way_is_answered() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    with listening(slow) as address:
        assert asked(address, OPEN) == [200]
        assert asked(address, OPEN * 3) == [200] * 3
        assert asked(address, OPEN + OPEN[:-5]) == [200]


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (OPEN.replace(b"\r\n\r\n", b"\r\nx: "), b"y" * 4_000),
        (b"GET /", b"a" * 4_000),
        (b"", b"G" * 100 + b" / HTTP/1.1\r\n" + b"x: y\r\n" * 700),
        (OPEN.replace(b"\r\n\r\n", b"\r\n"), b"x: y\r\n" * 700),
        (OPEN.replace(b"\r\n\r\n", b"\r\n"), b"x" * 4_000),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n" * 700),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", b"y" * 4_000),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1;", b"y" * 4_000),
        (OPEN, b"\r\n" * 2_000),
    ],
    ids=["a value", "a path", "a method", "headers", "a name", "trailers", "a trailer", "an extension", "empty lines"],
)
def test_headers_without_end_are_not_taken(
    address: tuple[str, int], begin: bytes, again: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impatient, "SECONDS_FOR_HEADERS", LATE)
    with connected(address) as line:
        line.sendall(begin)
        sent = 0
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while sent < 40 * MOST_HEADER_BYTES:
                line.sendall(again)
                sent += len(again)
                time.sleep(0.001)
        assert sent < 20 * MOST_HEADER_BYTES
        assert set(statuses(rest(line))) <= {200, 400, 431, 503}


def test_headers_as_long_as_they_may_be_are_taken(address: tuple[str, int]) -> None:
    long = b"x: " + b"y" * (MOST_HEADER_BYTES - 1_000)
    assert asked(address, with_header(long)) == [200]
    assert asked(address, with_header(long + b"\r\nz: " + b"z" * 1_000)) == [431]


def test_only_so_many_requests_wait_on_one_connection() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    with listening(slow) as address:
        assert asked(address, OPEN * (MOST_WAITING + 1)) == [200] * (MOST_WAITING + 1)
        assert asked(address, OPEN * 100) == [200] * (MOST_WAITING + 1) + [429]
        # What is on the way when the service hangs up can cost the caller the last answer, and no more is given.
        assert asked(address, OPEN * 10_000)[: MOST_WAITING + 1] == [200] * (MOST_WAITING + 1)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b""),
        (OPEN, b"\r\n"),
        (OPEN[:-2] + b"x: ", b"y"),
        (HEAD + b"content-length: 1000000\r\n\r\n", b"x"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["nothing", "empty lines", "a header", "the rest of a body", "the rest of chunks"],
)
def test_whoever_only_holds_the_line_is_hung_up_on(address: tuple[str, int], begin: bytes, piece: bytes) -> None:
    with connected(address) as line:
        line.sendall(begin)
        # Answered requests may rest for uvicorn's own time; a piece ends that rest and begins ours.
        assert closed_after(line, piece) < LATE / 2


def test_a_connection_that_asks_again_and_again_is_kept(address: tuple[str, int]) -> None:
    with connected(address) as line:
        for _ in range(10):
            line.sendall(OPEN)
            assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")
            time.sleep(SOON / 4)


def test_an_answer_that_is_not_taken_does_not_hold_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impatient, "SECONDS_TO_TAKE", SOON)
    over = threading.Event()

    async def large(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", str(LARGE).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})
        await receive()
        over.set()

    with listening(large) as address:
        with connected(address) as line:
            line.sendall(OPEN)
            assert over.wait(LATE)
            time.sleep(3 * SOON)
            assert len(rest(line)) < LARGE
        with connected(address) as line:  # a slow caller who goes on is served to the end
            line.sendall(OPEN)
            told = 0
            while told < LARGE:
                told += len(line.recv(2**22))
                time.sleep(SOON / 10)
        assert told >= LARGE


@pytest.mark.slow
def test_a_token_in_a_trailer_is_not_believed(server: Child, good: dict[str, Any]) -> None:
    host, _, port = server.address.removeprefix("http://").partition(":")
    body = json.dumps(good).encode()
    chunk = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    fields = [
        b"authorization: Bearer " + server.tokens["engine"].encode(),
        b"idempotency-key: trailer",
        b"content-type: application/json",
    ]
    for place, refused in enumerate((401, 400, 415)):
        head = b"\r\n".join([HEAD[:-2], *fields[:place], *fields[place + 1 :], b"transfer-encoding: chunked", b"", b""])
        trailer = fields[place] + b"\r\n\r\n"
        assert asked((host, int(port)), head + chunk + trailer) == [refused]
        assert asked((host, int(port)), head + chunk, trailer) == [refused]


@pytest.mark.slow
def test_a_score_is_given_to_a_client_that_would_rather_speak_http_2(
    server: Child, asking: Callable[..., Any], good: dict[str, Any]
) -> None:
    headers = {
        "authorization": f"Bearer {server.tokens['engine']}",
        "idempotency-key": "upgrade",
        "content-type": "application/json",
        "connection": "Upgrade, HTTP2-Settings",
        "upgrade": "h2c",
        "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }
    told = asking(server, "POST", "/v1/score", json.dumps(good).encode(), headers)
    assert told.status == 200
    assert len(told.plain["scores"]) == 3
