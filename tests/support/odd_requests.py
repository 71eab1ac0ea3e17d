"""Requests that nobody means, each made from a seed and a number: one that breaks something can be made again.

A good request is spoilt in one or more ways. Where a way leaves only some answers, it says which; the first stage of
the service that was spoilt decides: the door, then the key, the type of the body, its length, its JSON, its content.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

LISTS: dict[str, list[Any]] = json.loads((Path(__file__).parent / "odd_values.json").read_text())
"""What is put into requests. Bytes that are no UTF-8 stand as surrogates, as Python's `surrogateescape` writes them."""

CANARY = "CANARY 4111 喵"
"""Not of the shape of a column's name, which a refusal may repeat."""
NUMBER = 8_675_309_867_530
LOAN = "TW00001"
TRACES = (b"CANARY", "喵".encode(), str(NUMBER).encode(), LOAN.encode())
"""What is found of a value that was sent: in no refusal and in no log line."""

DOOR, KEY, TYPE, LENGTH, JSON, CONTENT = range(6)
"""The stages of the service, in order."""

SCALAR = re.compile(rb'(?<=: )(?:"[^"]*"|[-+.0-9eE]+|null)')
OPENED = re.compile(rb'\{"([^"]+)"')

Headers = list[tuple[bytes, bytes]]


@dataclass
class Odd:
    """One request.

    Attributes
    ----------
    left : what each spoilt stage can answer; None where it may take the request all the same
    ways : in which it is spoilt
    """

    method: str
    path: str
    headers: Headers
    body: bytes
    left: dict[int, frozenset[int] | None] = field(default_factory=dict)
    ways: list[str] = field(default_factory=list)

    def leave(self, stage: int, *statuses: int) -> None:
        """Note what a stage can answer; no status stands for any."""
        unknown = not statuses or (stage in self.left and self.left[stage] is None)
        self.left[stage] = None if unknown else frozenset(statuses)

    def put(self, name: bytes, *values: bytes) -> None:
        """Give a header other values, or none."""
        self.headers = [(other, value) for other, value in self.headers if other != name]
        self.headers += [(name, value) for value in values]

    @property
    def statuses(self) -> frozenset[int] | None:
        """What may be answered; None for anything that is no error of the service."""
        return self.left[min(self.left)] if self.left else frozenset({200})

    @property
    def is_read(self) -> bool:
        """Whether nothing is spoilt but the body."""
        return bool(self.left) and min(self.left) >= JSON


Way = Callable[[Random, Odd], None]


class Maker:
    """Makes odd requests.

    Parameters
    ----------
    good : for each path the plain body of a request that is answered
    token : of an engine
    """

    def __init__(self, seed: int, good: Mapping[str, Any], token: str) -> None:
        self._seed, self._token = seed, token.encode()
        self._plain = {path: json.dumps(plain) for path, plain in good.items()}
        self._paths = list(good)
        # Histories take a hundred times as long as ready features: they get some of the requests, not most.
        self._shares = [98 if "features" in path else 1 for path in good]

    def good(self, key: str, path: str) -> Odd:
        """Return a request that is answered."""
        headers = [
            (b"host", b"localhost"),
            (b"authorization", b"Bearer " + self._token),
            (b"idempotency-key", f"{self._seed}-{key}".encode()),
            (b"content-type", b"application/json"),
        ]
        return Odd("POST", path, headers, self._plain[path].encode())

    def odd(self, number: int) -> Odd:
        """Return the request of a number, the same each time."""
        chosen = Random((self._seed << 40) + number)
        path = chosen.choices(self._paths, self._shares)[0]
        odd = self.good(str(number), path)
        kind = chosen.random()
        if kind < 0.45:
            _spoilt_around(chosen, odd, chosen.choice((1, 2)))
        elif kind < 0.85:
            if chosen.random() < 0.1:
                _spoilt_around(chosen, odd, 1)
            _spoilt_by(chosen, odd, TEXTS)
        else:
            plain = json.loads(self._plain[path])
            for _ in range(chosen.choice((1, 1, 1, 2, 4))):
                _spoil(chosen, plain)
            odd.body = _written(chosen, plain)
            odd.ways.append("tree")
            odd.leave(JSON)
        return odd


def cut(chosen: Random, body: bytes) -> list[bytes]:
    """Return a body in pieces as a network may deliver it, some of them empty."""
    places = sorted(chosen.randint(0, len(body)) for _ in range(chosen.choice((0, 0, 1, 2, 5))))
    return [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]


def _spoilt_around(chosen: Random, odd: Odd, count: int) -> None:
    for ways in chosen.sample(AROUND, count):
        _spoilt_by(chosen, odd, ways)


def _spoilt_by(chosen: Random, odd: Odd, ways: Sequence[Way]) -> None:
    way = chosen.choice(ways)
    way(chosen, odd)
    odd.ways.append(way.__name__)


@cache
def _bytes(name: str) -> list[bytes]:
    return [text.encode("utf-8", "surrogateescape") for text in LISTS[name]]


# Around the body: method, path and headers.


def method(chosen: Random, odd: Odd) -> None:
    odd.method = chosen.choice(LISTS["methods"])
    odd.leave(DOOR, 401, 403)


PATHS = [*LISTS["paths"], "/" + "a" * 100_000, "/" + "%00" * 100]


def path(chosen: Random, odd: Odd) -> None:
    odd.path = chosen.choice(PATHS)
    if chosen.random() < 0.3:
        odd.method = chosen.choice(("GET", "HEAD"))
    odd.leave(DOOR)


TOKENS = _bytes("tokens")


def authorization(chosen: Random, odd: Odd) -> None:
    good = dict(odd.headers)[b"authorization"]
    token, place = good.removeprefix(b"Bearer "), chosen.randrange(7, len(good))
    flipped = good[:place] + bytes([good[place] ^ 1 << chosen.randrange(8)]) + good[place + 1 :]
    forms = [token, b"Bearer" + token, b"Bearer\t" + token, b"Basic " + base64.b64encode(b"engine:" + token)]
    forms += [good[:place], good + b"\0", good + b", " + good, b"Bearer " + b"x" * chosen.choice((8_192, 100_000))]
    several = [(), (good, good), (good, b"Bearer x"), (b"", good)]
    odd.put(b"authorization", *chosen.choice([*several, *((form,) for form in (flipped, *forms, *TOKENS))]))
    odd.leave(DOOR, 401)


def scheme(_: Random, odd: Odd) -> None:
    """A scheme has no case, and spaces may stand around a token."""
    good = dict(odd.headers)[b"authorization"]
    odd.put(b"authorization", good.replace(b"Bearer ", b"bEARER   ") + b"  ")


KEYS = [(), (b"a", b"b"), (b"a" * 256,), (b"a" * 100_000,), *((key,) for key in _bytes("keys"))]


def key(chosen: Random, odd: Odd) -> None:
    odd.put(b"idempotency-key", *chosen.choice(KEYS))
    odd.leave(KEY, 400)


_TWO = (b"application/json", b"text/plain")
TYPES = [(), _TWO, _TWO[::-1], _TWO[:1] * 2, (b"a" * 9_999,), *((kind,) for kind in _bytes("types"))]


def content_type(chosen: Random, odd: Odd) -> None:
    odd.put(b"content-type", *chosen.choice(TYPES))
    odd.leave(TYPE, 415)


def same_content_type(chosen: Random, odd: Odd) -> None:
    odd.put(b"content-type", chosen.choice(_bytes("same_types")))


def encoding(chosen: Random, odd: Odd) -> None:
    odd.put(b"content-encoding", chosen.choice(_bytes("encodings")))
    odd.leave(TYPE, 415)


def length(chosen: Random, odd: Odd) -> None:
    odd.put(b"content-length", chosen.choice([*_bytes("lengths"), b"9" * 5_000]))
    odd.leave(LENGTH, 413)


HEADER_NAMES, HEADER_VALUES = _bytes("header_names"), [*_bytes("header_values"), b"a" * 9_999]


def more_headers(chosen: Random, odd: Odd) -> None:
    count = chosen.choice((1, 3, 20, 200))
    names, values = chosen.choices(HEADER_NAMES, k=count), chosen.choices(HEADER_VALUES, k=count)
    place = chosen.randint(0, len(odd.headers))
    odd.headers[place:place] = zip(names, values, strict=True)


AROUND: tuple[tuple[Way, ...], ...] = (
    (method,),
    (path,),
    (authorization, authorization, authorization, scheme),
    (key,),
    (content_type, content_type, content_type, same_content_type),
    (encoding,),
    (length,),
    (more_headers,),
)
"""Of two ways each spoils something else."""


# The text of the body: what is no JSON of one meaning is not understood, whatever it was to say.


def truncated(chosen: Random, odd: Odd) -> None:
    odd.body = odd.body[: chosen.randrange(len(odd.body))]
    odd.leave(JSON, 400)


def other_encoding(chosen: Random, odd: Odd) -> None:
    names = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037")
    odd.body = odd.body.decode().encode(chosen.choice(names))
    odd.leave(JSON, 400)


def no_utf8(chosen: Random, odd: Odd) -> None:
    _insert(chosen, odd, chosen.choice(_bytes("no_utf8")))
    odd.leave(JSON, 400)


def control(chosen: Random, odd: Odd) -> None:
    _insert(chosen, odd, chosen.choice(_bytes("controls")) * chosen.choice((1, 1_000)))
    odd.leave(JSON, 400)


def repeated_key(chosen: Random, odd: Odd) -> None:
    opened = chosen.choice(list(OPENED.finditer(odd.body)))
    name = opened[1]
    again = chosen.choice((name, b"\\u%04x" % name[0] + name[1:]))
    pair = b'"%b":%b,' % (again, chosen.choice((b"1", b"null", b"{}")))
    odd.body = odd.body[: opened.start() + 1] + pair + odd.body[opened.start() + 1 :]
    odd.leave(JSON, 400)


NO_VALUES = [*_bytes("no_values"), b"9" * 5_000]


def no_value(chosen: Random, odd: Odd) -> None:
    _replace(chosen, odd, chosen.choice(NO_VALUES))
    odd.leave(JSON, 400)


REFUSED_VALUES = [*_bytes("refused_values"), b"9" * 400, b"-" + b"9" * 4_000, b"[" * 50 + b"]" * 50]


def refused_value(chosen: Random, odd: Odd) -> None:
    """A value that JSON has and no request: it is read, and refused."""
    _replace(chosen, odd, chosen.choice(REFUSED_VALUES))
    odd.leave(CONTENT, 422)


def deep(chosen: Random, odd: Odd) -> None:
    many = chosen.choice((500, 990, 1_000, 5_000, 50_000))
    opened, closed = chosen.choice(((b"[", b"]"), (b'{"a":', b"}")))
    _replace(chosen, odd, opened * many + chosen.choice((b"1", b"")) + closed * chosen.choice((many, many - 1, 0)))
    odd.leave(JSON, 400, 422)


def around(chosen: Random, odd: Odd) -> None:
    before, behind = chosen.choice(LISTS["around"])
    odd.body = before.encode() + odd.body + behind.encode()
    odd.leave(JSON, 400)


def other_whole(chosen: Random, odd: Odd) -> None:
    text = json.dumps(odd.body.decode()).encode()
    whole = (gzip.compress(odd.body, 1), zlib.compress(odd.body, 1), base64.b64encode(odd.body), text)
    odd.body = chosen.choice((*_bytes("others"), *whole, chosen.randbytes(chosen.randrange(200))))
    odd.leave(JSON, 400)


def white_space(chosen: Random, odd: Odd) -> None:
    odd.body = chosen.choice((b" ", b"\n", b"\r\n\t")) * chosen.choice((1, 1_000)) + odd.body + b"\n"


def damaged(chosen: Random, odd: Odd) -> None:
    """Bytes are changed, lost, doubled or put in, and the request may still be one."""
    body = bytearray(odd.body)
    for _ in range(chosen.choice((1, 1, 2, 8))):
        place, change, many = chosen.randrange(len(body)), chosen.randrange(4), chosen.choice((1, 2, 20))
        if change == 0:
            body[place] ^= 1 << chosen.randrange(8)
        elif change == 1:
            del body[place : place + many]
        elif change == 2:
            body[place:place] = body[place : place + many]
        else:
            body[place:place] = bytes([chosen.choice(b'{}[]":,\\-+.eE0123456789tfn \n\0\xff')])
    odd.body = bytes(body)
    odd.leave(JSON)


BROKEN: tuple[Way, ...] = (
    truncated,
    other_encoding,
    no_utf8,
    control,
    repeated_key,
    no_value,
    deep,
    around,
    other_whole,
)
TEXTS = (*BROKEN, *BROKEN, refused_value, refused_value, damaged, damaged, damaged, damaged, white_space)


def _insert(chosen: Random, odd: Odd, piece: bytes) -> None:
    place = chosen.randint(0, len(odd.body))
    odd.body = odd.body[:place] + piece + odd.body[place:]


def _replace(chosen: Random, odd: Odd, value: bytes) -> None:
    """Put a value in the place of a number, a null or a text."""
    begin, end = chosen.choice([found.span() for found in SCALAR.finditer(odd.body)])
    odd.body = odd.body[:begin] + value + odd.body[end:]


# The tree of the body: JSON that says something else.

NAMES = [*LISTS["names"], "a" * 1_000]
VALUES = [*LISTS["values"], "a" * 257, "a" * 20_000]


def _spoil(chosen: Random, plain: Any) -> None:
    """Change one place of a tree."""
    node = plain
    while inner := [child for child in _children(node) if isinstance(child, dict | list) and child]:
        if chosen.random() < 0.15:
            break
        node = chosen.choice(inner)
    if not node:
        return
    place = chosen.choice(list(node) if isinstance(node, dict) else range(len(node)))
    value, change = deepcopy(chosen.choice(VALUES)), chosen.randrange(10)
    if change < 6:
        node[place] = value
    elif change == 6:
        del node[place]
    elif change == 7:
        node[place] = [node[place]]
    elif isinstance(node, list):
        node.insert(place, value if change == 8 else deepcopy(node[place]))
    else:
        node[chosen.choice(NAMES)] = value if change == 8 else node.pop(place)


def _children(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node


def _written(chosen: Random, plain: Any) -> bytes:
    between = chosen.choice(((", ", ": "), (",", ":")))
    text = json.dumps(plain, ensure_ascii=chosen.random() < 0.5, separators=between)
    return text.encode("utf-8", "surrogatepass")
