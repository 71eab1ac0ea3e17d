"""Which requests a stream of bytes holds, in two readings that RFC 9112 allows: refusing all that may be, or little.

Slow and plain, and no relation of any parser that serves. What both readings agree on, and only that, may a service
take for a request: of anything else a proxy before it may have seen another number of requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(
    rb"(%b)[ \t\x0b\x0c\r]+([^ \t\x0b\x0c\r]+)[ \t\x0b\x0c\r]+(?:HTTP|RTSP|ICE)/1\.([01])[ \t\x0b\x0c\r]*" % TOKEN
)
"""Lenient in both readings: neither spaces nor the protocol's name say where a request ends."""
FIELD = re.compile(rb"(%b):(.*)" % TOKEN, re.DOTALL)
LENGTH = re.compile(rb"[0-9]+")
SIZE = re.compile(rb"([0-9A-Fa-f]+)((?:[ \t]*;.*)?)", re.DOTALL)
LOOSE_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[ \t]*((?:;.*)?)", re.DOTALL)


class Request(NamedTuple):
    """A request whose headers are whole and tell where its body ends; it may be answered before the body has come."""

    method: bytes
    target: bytes


class _Ends(Exception):
    """There is no further request: what follows is none, or not whole."""


@dataclass
class _Stream:
    data: bytes
    strict: bool
    at: int = 0

    def line(self) -> bytes:
        """Return the next line without its end (RFC 9112, 2.2)."""
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise _Ends
        line, self.at = self.data[self.at : end], end + 1
        if line.endswith(b"\r"):
            line = line[:-1]
        elif self.strict:
            raise _Ends
        if self.strict and (b"\r" in line or b"\0" in line):
            raise _Ends
        return line.replace(b"\r", b" ").replace(b"\0", b" ")

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if self.at + count > len(self.data):
            raise _Ends
        taken, self.at = self.data[self.at : self.at + count], self.at + count
        return taken


def requests_in(data: bytes, *, strict: bool) -> list[Request]:
    """Return the requests that have begun, up to the first that cannot be read."""
    return list(_requests(_Stream(data, strict)))


def _requests(stream: _Stream) -> Iterator[Request]:
    try:
        while True:
            request, fields, version = _head(stream)
            length = _length(fields, version, strict=stream.strict)
            yield request
            if length is None:
                _skip_chunks(stream)
            else:
                stream.take(length)
    except _Ends:
        return


def _head(stream: _Stream) -> tuple[Request, list[tuple[bytes, bytes]], bytes]:
    while stream.data[stream.at : stream.at + 1] in {b"\r", b"\n"}:  # empty lines before it are passed over (2.2)
        stream.at += 1
    line = stream.line()
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _Ends
    return Request(found[1], found[2]), _fields(stream), found[3]


def _fields(stream: _Stream) -> list[tuple[bytes, bytes]]:
    fields: list[tuple[bytes, bytes]] = []
    while line := stream.line():
        if line[:1] in b" \t":
            if stream.strict or not fields:
                raise _Ends
            name, value = fields.pop()  # a folded line (5.2)
            fields.append((name, value + b" " + line.strip(b" \t")))
            continue
        found = FIELD.fullmatch(line)
        if found is None:
            raise _Ends
        fields.append((found[1].lower(), found[2].strip(b" \t")))
    return fields


def _length(fields: list[tuple[bytes, bytes]], version: bytes, *, strict: bool) -> int | None:
    """Return how long the body is; None for one in chunks (6.3)."""
    codings = [coding.lower() for coding in _listed(fields, b"transfer-encoding")]
    lengths = _listed(fields, b"content-length")
    if codings:
        others = len(codings) > 1 or version == b"0" or bool(lengths)
        if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or (strict and others):
            raise _Ends
        return None
    if not lengths:
        return 0
    if len(set(lengths)) > 1 or not LENGTH.fullmatch(lengths[0]) or (strict and len(lengths) > 1):
        raise _Ends
    return int(lengths[0])


def _listed(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [part.strip(b" \t") for other, value in fields if other == name for part in value.split(b",")]


def _skip_chunks(stream: _Stream) -> None:
    while True:
        found = (SIZE if stream.strict else LOOSE_SIZE).fullmatch(stream.line())
        if found is None:
            raise _Ends
        size = int(found[1], 16)
        if not size:
            _fields(stream)  # the trailers
            return
        stream.take(size)
        if stream.line():
            raise _Ends
