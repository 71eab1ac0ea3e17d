"""One connection: whoever takes too long, asks too much at once or says a thing in two ways is told so and hung up on.

uvicorn limits how long a connection may rest between requests. What it leaves open is closed here:

    time       the first line and the headers of a request arrive within a few seconds, and so does the rest of a body
               that was refused; an answer is taken; bodies that are wanted have their own limit (`serving.http`)
    room       first line, headers and trailers are bounded, and so are the requests that wait on one connection
    one sense  a request has one Host and one way to tell its end (RFC 9112, 3.2 and 6); what comes after its body is
               not taken for a header (RFC 9110, 6.5.1); an upgrade that nobody offers changes nothing (RFC 9110, 7.8)
    order      what cannot be understood is refused after all that was asked before it was answered

Whoever has sent all and closed that way alone is still answered.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.front import App, to_stderr
from serving.http import CLOSE, Receive, Scope, Send, refused, send_answer
from serving.ids import score_ids
from serving.refusals import Refusal
from serving.shedding import Shedding

SECONDS_FOR_HEADERS = 5.0

SECONDS_TO_TAKE = 30.0
LEAST_TAKEN = 2**16
"""Bytes of an answer that its caller takes in `SECONDS_TO_TAKE`, unless the rest is less."""

MOST_HEADER_BYTES = 2**16
"""Bytes of a request's first line, headers and trailers; uvicorn's other parser takes as many."""

MOST_WAITING = 16
"""Requests that may wait on a connection while one is answered."""

MALFORMED = Refusal(
    HTTPStatus.BAD_REQUEST,
    "malformed",
    "a request that is not HTTP/1.1, or that can be read in two ways",
    "the connection",
    "a request as in RFC 9112 with one Host and one Content-Length, or `Transfer-Encoding: chunked` alone",
    "send it with an HTTP client, and look at the proxies on the way",
    headers=CLOSE,
)
TOO_LONG = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "a first line, headers or trailers that are too long",
    "the connection",
    f"at most {MOST_HEADER_BYTES} bytes",
    "send fewer and shorter headers",
    headers=CLOSE,
)
TOO_MANY = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_waiting",
    "more requests than may wait on one connection",
    "the connection",
    f"at most {MOST_WAITING} that wait for the answer of one before",
    "wait for answers, or open several connections",
    headers=((b"retry-after", b"1"), *CLOSE),
)


NO_REQUEST = "none"
"""The route under which refusals are logged that answer no request."""


class _NotTaken(Exception):
    """Ends the parser's work; why is told by `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class _SentAway:
    """Stands for a request that finds no place: nobody waits for its body, and it is told so in its turn."""

    message_event = asyncio.Event()

    def __init__(self) -> None:
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False


class Impatient(HttpToolsProtocol):
    """HTTP/1.1 whose requests are whole in time, within bounds and in one sense, or are refused."""

    shedding: Shedding | None = None
    """What sends callers away while there is no place; None where nobody is."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience: asyncio.TimerHandle | None = None
        self._delivery: asyncio.TimerHandle | None = None
        self._left = 0
        """Bytes that had not been taken when the delivery was looked at last."""
        self._in_work: RequestResponseCycle | None = None
        self._has_headers = False
        """Whether what arrives belongs to a request whose headers are known: to its body, or behind it."""
        self._taken = 0
        """Bytes of the first line, headers and trailers of the request that is being read."""
        self._unheard = 0
        """Bytes since the parser last found anything."""
        self._deaf = False
        self._again = b""
        """The headers of a request that asks for another protocol, without the one that does."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._heard()
        self._taken_by_caller()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Answer a caller who has sent all and closed that way; true keeps the other way open."""
        if self._is_idle() or self._has_headers:
            return None
        if not self._deaf:
            self._deaf = True
            self.cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Read on; what comes after a request that was not taken is nobody's."""
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._unheard += len(data)
        try:
            self._feed(data)
            if self._unheard > MOST_HEADER_BYTES:
                raise _NotTaken(TOO_LONG)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, _NotTaken) else MALFORMED)
        except _NotTaken as error:
            self._refuse(error.refusal)
        if self._patience is None and self._is_idle():
            # The rest of a body that was refused, or empty lines: they do not keep a connection open.
            self._wait()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser stops behind the headers, and would take the body for another protocol. Nobody offers
                # one: the request is read again by a new parser, without the header that asks for it.
                data = self._again + data[upgrade.args[0] :]
                self._again = b""
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def on_message_begin(self) -> None:
        """Wait for the headers of this request."""
        if len(self.pipeline) >= MOST_WAITING:
            raise _NotTaken(TOO_MANY)
        super().on_message_begin()
        self._taken = self._unheard = 0
        if not self.transport.get_write_buffer_size():
            self._taken_by_caller()
        self._wait()

    def on_url(self, url: bytes) -> None:
        """Take a part of the first line."""
        self._take(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is no header, for a proxy that looks at headers has not seen it."""
        self._take(len(name) + len(value) + len(": \r\n"))
        if not self._has_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on without hurry: whoever reads the body has a limit of its own."""
        self._unheard = 0
        if not _has_one_sense(self.headers, self.parser.get_http_version()):
            raise _NotTaken(MALFORMED)
        if self.parser.should_upgrade():
            self._again = self._without_upgrade()
            return
        self._heard()
        self._has_headers = True
        if not self._sent_away():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body."""
        self._unheard = 0
        if not isinstance(self.cycle, _SentAway):
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Be ready for the next request."""
        if self._again:
            return
        self._unheard = 0
        self._has_headers = False
        if not isinstance(self.cycle, _SentAway):
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request; look whether this answer is taken."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._deliver()

    def pause_writing(self) -> None:
        """Look whether the answer is taken."""
        super().pause_writing()
        self._deliver()

    def resume_writing(self) -> None:
        """Most of the answer has been taken."""
        self._taken_by_caller()
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._in_work = cycle
        super()._start_asgi_task(cycle, app)

    def _sent_away(self) -> bool:
        """Refuse a request that finds no place from its headers alone, and read over its body."""
        if self.shedding is None or not self._is_idle() or self.pipeline:
            return False
        if self.expect_100_continue or not self.parser.should_keep_alive():  # the line could not be used after it
            return False
        path = self.shedding.refuses(self.parser.get_method(), self.url)
        if path is None:
            return False
        sent_away: Any = _SentAway()
        self.cycle = self._in_work = sent_away
        self.shedding.send_away(partial(self._tell_busy, sent_away, path))
        return True

    def _tell_busy(self, sent_away: Any, path: str) -> bool:
        """Give the word to a caller; return whether there was still one."""
        if sent_away.disconnected or self.shedding is None or self.transport.is_closing():
            return False
        sent_away.response_started = sent_away.response_complete = True
        self.transport.write(self.shedding.word(path))
        self.on_response_complete()
        if not sent_away.keep_alive:
            self.transport.close()
        return True

    def _without_upgrade(self) -> bytes:
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise _NotTaken(MALFORMED)
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _take(self, count: int) -> None:
        self._unheard = 0
        self._taken += count
        if self._taken > MOST_HEADER_BYTES:
            raise _NotTaken(TOO_LONG)

    def _is_idle(self) -> bool:
        return self._in_work is None or self._in_work.response_complete or self._in_work.disconnected

    def _refuse(self, refusal: Refusal) -> None:
        """Tell what is not taken after all that was asked before it is answered, then hang up."""
        self._deaf = True
        broken = self.cycle if self._has_headers else None
        if broken is not None and broken is self._in_work:
            if broken.response_started:  # it was refused before its body had come
                self.transport.close()
                return
            broken.disconnected = True
            broken.message_event.set()
        elif broken is not None:
            self.pipeline.popleft()
        told = RequestResponseCycle(
            scope={"type": "http", "method": "GET"},  # type: ignore[typeddict-item]
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        if self._is_idle():
            self._start_asgi_task(told, _refusing(refusal))
        else:
            self.pipeline.appendleft((told, _refusing(refusal)))  # type: ignore[arg-type]

    def _wait(self) -> None:
        self._heard()
        self._patience = self.loop.call_later(SECONDS_FOR_HEADERS, self._give_up)

    def _heard(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self._is_idle():
            self._wait()  # the request before is being answered
        elif self.transport is not None and not self.transport.is_closing():
            self.transport.abort()

    def _deliver(self) -> None:
        if self._delivery is None:
            self._left = self.transport.get_write_buffer_size()
            self._delivery = self.loop.call_later(SECONDS_TO_TAKE, self._look_at_delivery)

    def _taken_by_caller(self) -> None:
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None

    def _look_at_delivery(self) -> None:
        self._delivery = None
        left = self.transport.get_write_buffer_size()
        if left and self._left - left < LEAST_TAKEN:
            self.transport.abort()
        elif left:
            self._deliver()


def protocol(shedding: Shedding) -> type[Impatient]:
    """Return the protocol of a service that sends callers away while it has no place for them."""
    return type("Shedding", (Impatient,), {"shedding": shedding})


def _has_one_sense(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """Return whether nobody can read a request's headers as another request; the parser has looked at its lengths."""
    names = [name for name, _ in headers]
    hosts, encodings = names.count(b"host"), [value for name, value in headers if name == b"transfer-encoding"]
    if version == "1.0":  # it has no transfer encodings, and need not name a host
        return hosts <= 1 and not encodings
    return version == "1.1" and hosts == 1 and all(value.lower() == b"chunked" for value in encodings)


def _refusing(refusal: Refusal) -> App:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        request_id = score_ids(1)[0]
        to_stderr({"route": NO_REQUEST, "status": int(refusal.status), "ms": 0.0, "id": request_id})
        await send_answer(send, refused(refusal), request_id)

    return app
