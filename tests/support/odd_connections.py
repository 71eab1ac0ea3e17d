"""What arrives on a connection when it is not, or not only, HTTP/1.1: made from a seed and a number, to be made again.

Requests that need a token and have none hold, in their bodies, one that needs none: if a body is ever taken for a
request, the answer to it is a 200 that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

HIDDEN = b"GET /livez HTTP/1.1\r\nhost: hidden\r\n\r\n"
OPEN = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
LENGTHS = (
    b"0",
    b"5",
    b"+5",
    b"-5",
    b"0x5",
    b"5, 5",
    b"5,6",
    b"5 5",
    b"05",
    b"\t5",
    b"5\x0b",
    b"",
    b"9" * 20,
    b"1e1",
    b"\xb2",
)
CODINGS = (
    *(b"chunked", b"Chunked", b"xchunked", b"chunked, chunked", b"gzip, chunked", b"chunked, identity", b"identity"),
    *(b'"chunked"', b"\x0bchunked", b"chunked\x00", b"chunk", b"", b"chunked;q=1", b"\r\n chunked", b"chunked\r\n , x"),
)
FIELDS = (
    *(b"content-length: " + length for length in LENGTHS),
    *(b"transfer-encoding: " + coding for coding in CODINGS),
    *(
        b"content-length : 5",
        b" content-length: 5",
        b"content-length",
        b"content-length:",
        b"content_length: 5",
        b"a: b\r\n\tc",
    ),
    *(
        b"transfer-encoding : chunked",
        b"transfer_encoding: chunked",
        b"x: y\r\n content-length: 5",
        b"x: y\ntransfer-encoding: chunked",
    ),
    *(b"x: y\rcontent-length: 5", b"upgrade: h2c\r\nconnection: upgrade", b"upgrade: websocket\r\nconnection: upgrade"),
    *(
        b"connection: close",
        b"connection: keep-alive, close",
        b"connection: \xff",
        b"expect: 100-continue",
        b"host: second",
    ),
    *(
        b": no name",
        b"no colon",
        b"\0: x",
        b"a\0b: c",
        b"\xe9: x",
        b"a: \0",
        b"a: \x7f\x01",
        b"a:",
        b"te: trailers",
        b"(: )",
    ),
    *(
        b"http2-settings: AAMAAABkAAQAAP__",
        b"x" * 300 + b": y",
        b"x: " + b"y" * 70_000,
        b"\r\n",
        b"a: b\r\n" * 200 + b"c: d",
    ),
)
SIZES = (
    b"0%x",
    b"+%x",
    b"-%x",
    b"0x%x",
    b"%x ",
    b" %x",
    b"%x\t",
    b"%x;",
    b"%x;a=b",
    b'%x;a="\n"',
    b"%x;\n",
    b"1%015x0",
    b"%xg",
    b"",
)
ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\r\n\t", b"\0\r\n", b"\r\n\r\n", b"", b"\x0b\r\n", b"\xc2\x85")
VERSIONS = (
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"HTTP/1.10",
    b"http/1.1",
    b"HTTP/1,1",
    b"ICE/1.0",
    b"RTSP/1.0",
    b"",
)
OTHERS = (
    bytes.fromhex("16030100b4010000b00303") + bytes(180),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"\x05\x01\x00",
    b"SSH-2.0-x\r\n",
    b"* OK IMAP\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    b"GET /livez\r\n\r\n",
    b"\0" * 1_000,
    b"\r\n" * 1_000,
    b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"A" * 100_000,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
)

Stream = bytes


def stream(seed: int, number: int) -> Stream:
    """Return what is sent on one connection."""
    chosen = Random((seed << 40) + number)
    if chosen.random() < 0.05:
        return chosen.choice((*OTHERS, chosen.randbytes(chosen.randrange(1, 300))))
    parts = [
        chosen.choice((_open, _sized, _sized, _chunked, _chunked))(chosen) for _ in range(chosen.choice((1, 2, 3)))
    ]
    data = b"".join(parts)
    for _ in range(chosen.choice((0, 1, 1, 1, 2, 3))):
        data = chosen.choice(SPOILT)(chosen, data)
    return data


def cut(chosen: Random, data: bytes) -> list[bytes]:
    """Return what is sent in pieces."""
    places = sorted(chosen.randint(0, len(data)) for _ in range(chosen.choice((0, 0, 1, 2, 4))))
    pieces = [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]
    return [piece for piece in pieces if piece]


def _open(_: Random) -> bytes:
    return OPEN


def _sized(chosen: Random) -> bytes:
    body = chosen.choice((HIDDEN, b"x" * 5 + HIDDEN, b"", HIDDEN * 2))
    return b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _chunked(chosen: Random) -> bytes:
    chunks = [chosen.choice((HIDDEN, b"x" * 5, HIDDEN * 2)) for _ in range(chosen.choice((1, 2)))]
    written = b"".join(b"%x%b\r\n%b\r\n" % (len(one), chosen.choice((b"", b";a=b")), one) for one in chunks)
    trailers = chosen.choice((b"", b"x: y\r\n", b"content-length: 5\r\n", b"authorization: Bearer x\r\n"))
    head = b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + written + b"0\r\n" + trailers + b"\r\n"


def _field(chosen: Random, data: bytes) -> bytes:
    places = [at + 2 for at in range(len(data)) if data.startswith(b"\r\nhost:", at)]
    if not places:
        return data
    place = chosen.choice(places)
    return data[:place] + chosen.choice(FIELDS) + b"\r\n" + data[place:]


def _end_of_line(chosen: Random, data: bytes) -> bytes:
    return _replaced(chosen, data, b"\r\n", chosen.choice(ENDS))


def _version(chosen: Random, data: bytes) -> bytes:
    return _replaced(chosen, data, b"HTTP/1.1", chosen.choice(VERSIONS))


def _length(chosen: Random, data: bytes) -> bytes:
    place = data.find(b"content-length: ")
    if place < 0:
        return data
    end = data.find(b"\r\n", place)
    told = data[place + 16 : end]
    actual = int(told) if told.isdigit() and len(told) < 5 else 5
    other = chosen.choice((b"%d" % max(0, actual + chosen.choice((-5, -1, 1, 5))), *LENGTHS))
    return data[: place + 16] + other + data[end:]


def _coding(chosen: Random, data: bytes) -> bytes:
    return _replaced(chosen, data, b"chunked", chosen.choice(CODINGS))


def _size(chosen: Random, data: bytes) -> bytes:
    sizes = {b"\r\n%x\r\n" % size: size for size in (5, len(HIDDEN), 2 * len(HIDDEN), 0)}
    there = [size for size in sizes if size in data]
    if not there:
        return data
    old = chosen.choice(there)
    form = chosen.choice(SIZES)
    return _replaced(chosen, data, old, b"\r\n" + (form % sizes[old] if b"%" in form else form) + b"\r\n")


def _bytes(chosen: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chosen.choice((1, 1, 3))):
        place = chosen.randrange(len(changed) or 1)
        kind = chosen.randrange(3)
        if kind == 0 and changed:
            changed[place] ^= 1 << chosen.randrange(8)
        elif kind == 1:
            del changed[place : place + chosen.choice((1, 2, 10))]
        else:
            changed[place:place] = bytes([chosen.choice(b"\r\n\t \0:;,0\xff")])
    return bytes(changed)


def _short(chosen: Random, data: bytes) -> bytes:
    return data[: chosen.randint(0, len(data))]


def _more(chosen: Random, data: bytes) -> bytes:
    more = chosen.choice((*OTHERS, HIDDEN, b"\r\n", b"\n", b"x"))
    return chosen.choice((data + more, more + data))


SPOILT: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_field, _field, _field, _end_of_line, _end_of_line, _version, _length, _length, _coding, _size, _size),
    *(_bytes, _bytes, _short, _more),
)


def _replaced(chosen: Random, data: bytes, old: bytes, new: bytes) -> bytes:
    places = [at for at in range(len(data)) if data.startswith(old, at)]
    if not places:
        return data
    place = chosen.choice(places)
    return data[:place] + new + data[place + len(old) :]
