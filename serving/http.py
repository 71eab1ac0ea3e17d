"""The few things about HTTP that the service needs: read a body within bounds, send an answer with safe headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from serving.early_refusals import BUSY
from serving.records.entry import KEY
from serving.refusals import Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
LOCKED = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
CLOSE: Headers = ((b"connection", b"close"),)
SAFE: Headers = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Gone(Exception):
    """The caller hung up before the request was whole: nobody is left to be answered."""


class Refused(Exception):
    """A request that is refused for its form, before its content is looked at."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    body: bytes
    status: int = HTTPStatus.OK
    content_type: bytes = JSON
    headers: Headers = ()
    policy: bytes = LOCKED


def refused(refusal: Refusal) -> Answer:
    """Return the answer that carries a refusal."""
    return Answer(orjson.dumps(refusal.plain()), refusal.status, headers=refusal.headers)


async def send_answer(send: Send, answer: Answer, request_id: str, *, with_body: bool = True) -> None:
    """Send an answer; HEAD gets its headers alone."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"content-security-policy", answer.policy),
        (b"x-request-id", request_id.encode()),
        *SAFE,
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


class Room:
    """The bytes of all bodies that are held at a time; what does not fit is told to come again."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    @contextmanager
    def taken(self) -> Iterator[Callable[[int], None]]:
        """Give what takes bytes for one request, until it ends; it raises Refused where they are not there."""
        held = 0

        def take(count: int) -> None:
            nonlocal held
            if count > self._left:
                raise Refused(BUSY)
            held += count
            self._left -= count

        try:
            yield take
        finally:
            self._left += held


async def json_body(
    scope: Scope, receive: Receive, *, room: Callable[[int], None], most_bytes: int, seconds: float
) -> bytes:
    """Return the body of a request that says it is JSON.

    Parameters
    ----------
    room : takes the bytes that are held

    Raises
    ------
    Refused : another content type, too large (before the rest is read), too slow, or no room
    Gone : the caller hung up
    """
    headers = dict(scope["headers"])
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    # Said twice it is said in two ways: of two types a proxy may have looked at the other.
    kind, _, parameter = (kinds[0] if len(kinds) == 1 else b"").decode("latin-1").lower().partition(";")
    charset = parameter.strip().removeprefix("charset=").strip('"')
    if kind.strip() != JSON.decode() or charset not in {"", "utf-8", "utf8"} or b"content-encoding" in headers:
        # A browser sends other types to any site without asking; requiring this one closes that door.
        raise Refused(UNSUPPORTED)
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or len(announced) > LONGEST_LENGTH or int(announced) > most_bytes:
        raise Refused(_too_large(most_bytes))
    try:
        async with asyncio.timeout(seconds):
            return await _collected(receive, room, most_bytes)
    except TimeoutError:
        raise Refused(SLOW) from None


def idempotency_key(scope: Scope) -> str:
    """Return the key by which a request is told from another; the answer to a repeated one is that of the first.

    Raises
    ------
    Refused : there is none, or it has another form
    """
    given = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    key = given[0].decode("latin-1") if len(given) == 1 else ""
    if not KEY.fullmatch(key):
        raise Refused(NO_KEY)
    return key


async def _collected(receive: Receive, room: Callable[[int], None], most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise Refused(_too_large(most_bytes))
        room(len(parts[-1]))
        if not message.get("more_body", False):
            return b"".join(parts)


NO_KEY = Refusal(
    HTTPStatus.BAD_REQUEST,
    "idempotency_key",
    "no idempotency key, or one of another form",
    "the header Idempotency-Key",
    "1 to 255 visible ASCII characters, new for each request and the same when it is sent again",
    "send a random key, such as a UUID, and send the same one when no answer arrived",
)

LONGEST_LENGTH = 18
"""Digits of a Content-Length that can be meant seriously."""

UNSUPPORTED = Refusal(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "another content type or encoding",
    "headers Content-Type and Content-Encoding",
    "application/json in UTF-8, not compressed",
    "send `Content-Type: application/json`",
    headers=CLOSE,
)

SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT,
    "too_slow",
    "a body that did not arrive in time",
    "the request body",
    "the whole body at once",
    "send the request again",
    headers=CLOSE,
)


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        "a body that is too large",
        "the request body",
        f"at most {most_bytes} bytes",
        "send fewer loans in one request, or score the book with `repayrank score`",
        headers=CLOSE,
    )
