"""The door: a request's headers go in, the caller comes out, or a refusal that tells nothing but that it is one.

Whatever is wrong with a token, the answer is the same 401. Whatever a token may not use, there or not, the answer is
the same 403. No token, id or header value stands in an answer, an error or a log line; why tokens failed is counted by
a word.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Self

from features.errors import ConfigurationRefused
from serving.access.files import SECRET, Watched
from serving.access.limits import Buckets
from serving.access.roles import NOBODY, Caller, Matrix, Role, default_matrix
from serving.access.rules import Rules, rules_of
from serving.access.token_text import BEGINS
from serving.access.tokens import NO_TOKENS, Tokens, read_tokens, require_never_written
from serving.access.why import NotLetIn, Why
from serving.http import Refused
from serving.refusals import Refusal

if TYPE_CHECKING:
    # PyJWT is loaded only where signed tokens are believed.
    from serving.access.jwts import Signed

Fields = Iterable[tuple[bytes, bytes]]
Log = Callable[[Mapping[str, object]], None]

LONGEST_TOKEN = 8_192
"""Bytes: more than issuers put into a token, and what servers take of a header at most."""
BEARER = re.compile(rb"bearer +([\x21-\x7e]+) *", re.IGNORECASE)
SIGNED = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
REASON = b"x-repayrank-reason"
LEAST_REASON, LONGEST_REASON = 8, 300
"""Characters: a word is no reason, and a page is no header."""

FAILED = "failed"


def _say_nothing(_: Mapping[str, object]) -> None:
    pass


class Door:
    """Who is let in, and to what.

    Parameters
    ----------
    rules : where the tokens are, whose signatures count, how often each role may ask
    matrix : which role may use which route
    clock : monotonic seconds
    now : seconds since 1970
    log : told, once, when a file can no longer be used

    Attributes
    ----------
    failures : how many tokens were not let in, by the reason

    Raises
    ------
    ConfigurationRefused : a file of tokens or keys that cannot be used, or that others could meddle with
    """

    def __init__(
        self,
        rules: Rules,
        matrix: Matrix,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        log: Log = _say_nothing,
    ) -> None:
        self._matrix, self._limits, self._clock, self._now, self._log = matrix, rules.limits, clock, now, log
        self._closed_for = ""
        self._file = rules.tokens
        self._tokens: Watched[Tokens] = Watched(
            rules.tokens,
            lambda raw: read_tokens(raw, rules.tokens),
            missing=NO_TOKENS,
            forbidden=SECRET,
            clock=clock,
        )
        self._tokens.now()
        self._signed = _signed(rules, clock)
        self._holders, self._failed = Buckets(), Buckets(most=1)
        self.failures: Counter[Why] = Counter()

    @classmethod
    def of(cls, home: Path, routes: Mapping[str, Iterable[str]], log: Log = _say_nothing) -> Self:
        """Return the door of a store for the routes that are served, with the matrix of the release.

        Raises
        ------
        ConfigurationRefused : also where one of the routes has no row
        """
        matrix = default_matrix()
        matrix.require(routes)
        return cls(rules_of(home), matrix, log=log)

    def told(self) -> dict[str, object]:
        """Return what the operator is told at a start: how many local tokens there are, and if signed ones count."""
        return {"tokens": len(self._tokens.now().known), "signed_tokens": self._signed is not None}

    def admitted(self, route: str, method: str, headers: Fields) -> Caller:
        """Return who asks, when they may.

        Parameters
        ----------
        route : as the matrix names it; whatever is not served has another name, and no row
        headers : pairs of bytes with names in small letters, as ASGI hands them over

        Raises
        ------
        Refused : 401, 403 or 429; 400 where a reason is asked for and not given; 503 while a file cannot be used
        """
        if self._matrix.allows(Role.NOBODY, route, method):
            # Whoever watches the service's health need not be known, and is not held up.
            return NOBODY
        given = list(headers)
        caller = self.caller(given)
        if not self._matrix.allows(caller.role, route, method):
            raise Refused(NOT_FOR_YOU)
        if route in self._matrix.reasoned:
            return replace(caller, reason=_reason(given))
        return caller

    def caller(self, headers: Fields) -> Caller:
        """Return whom the token of a request names; each costs its holder one request.

        Raises
        ------
        Refused : 401 without a valid token, 429 for one that asks too often or after too many that failed
        """
        fields = [value for name, value in headers if name == b"authorization"]
        if not fields:
            raise Refused(UNKNOWN)
        try:
            caller = self._named(fields)
        except NotLetIn as error:
            self.failures[error.why] += 1
            wait = self._failed.take(FAILED, self._limits.failed, self._clock())
            raise Refused(_too_often(wait) if wait else UNKNOWN) from None
        except ConfigurationRefused as error:
            self._say_closed(str(error))
            raise Refused(CLOSED) from None
        wait = self._holders.take(caller.holder, self._limits.of(caller.role), self._clock())
        if wait:
            raise Refused(_too_often(wait))
        return caller

    def _say_closed(self, why: str) -> None:
        if why != self._closed_for:
            self._closed_for = why
            self._log({"access": "closed", "why": why})

    def _named(self, fields: list[bytes]) -> Caller:
        found = BEARER.fullmatch(fields[0]) if len(fields) == 1 and len(fields[0]) <= LONGEST_TOKEN else None
        if found is None:
            raise NotLetIn(Why.FORM)
        token = found[1]
        if token.startswith(BEGINS):
            entry = self._tokens.now().holder(token, datetime.fromtimestamp(self._now(), UTC))
            return Caller(entry.name, entry.role, entry.id)
        if SIGNED.fullmatch(token) is None:
            raise NotLetIn(Why.FORM)
        if self._signed is None:
            raise NotLetIn(Why.NO_ISSUER)
        tokens = self._tokens.now()
        if tokens is NO_TOKENS:
            require_never_written(self._file)
        return self._signed.holder(token, self._now(), tokens.withdrawn)


def _signed(rules: Rules, clock: Callable[[], float]) -> Signed | None:
    if rules.issuer is None:
        return None
    from serving.access.jwts import Signed

    return Signed(rules.issuer, clock)


def _reason(headers: Fields) -> str:
    """Return why something is read, as the header says."""
    fields = [value for name, value in headers if name == REASON]
    try:
        reason = fields[0].decode().strip() if len(fields) == 1 else ""
    except UnicodeDecodeError:
        raise Refused(NO_REASON) from None
    if not LEAST_REASON <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise Refused(NO_REASON)
    return reason


UNKNOWN = Refusal(
    HTTPStatus.UNAUTHORIZED,
    "no_valid_token",
    "no token that is valid here and now",
    "header Authorization",
    "`Authorization: Bearer TOKEN` with a token of this service",
    "ask whoever runs the service for a token, or for a new one",
    headers=((b"www-authenticate", b"Bearer"),),
)
NOT_FOR_YOU = Refusal(
    HTTPStatus.FORBIDDEN,
    "not_for_this_role",
    "a path or a method that this token's role has no use of",
    "the request line",
    "one that is, as docs/access.md lists them",
    "correct it, or ask whoever runs the service for a token of another role",
)
CLOSED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "closed",
    "tokens that cannot be checked at present",
    "this process",
    "a file of tokens or keys that can be used",
    "tell whoever runs the service; send the request again later",
    headers=((b"retry-after", b"1"),),
)
NO_REASON = Refusal(
    HTTPStatus.BAD_REQUEST,
    "no_reason",
    "no reason for reading this",
    f"header {REASON.decode()}",
    f"one reason of {LEAST_REASON} to {LONGEST_REASON} characters in UTF-8; it is kept with the record of the reading",
    "say why, and send the request again",
)


def _too_often(wait: float) -> Refusal:
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_often",
        "more requests than are taken",
        "header Authorization",
        "fewer requests a second",
        "send the request again after the time in Retry-After, or several loans in one request",
        headers=((b"retry-after", str(max(1, math.ceil(wait))).encode()),),
    )
