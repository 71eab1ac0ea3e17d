"""The one way to write a decision down, so that the same decision is always the same bytes and the same hash.

Sorted keys, UTF-8, no spaces, floats by Python's shortest repr (`models.artefact.canonical`). What two databases or two
readers could take differently is refused: NaN, infinity, U+0000, halves of a surrogate pair, keys that are not text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from features.errors import DataRefused
from models.artefact import canonical
from serving.records.errors import AuditBroken, broken

ESCAPED = b"\\u0000"
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 as JSON escapes it; behind an odd number of backslashes it is the text of an escape, not one."""

CONTAINERS = (dict, list, tuple)
WHERE = "a record of the decision log"


def canonical_record(plain: Mapping[str, Any]) -> bytes:
    """Return the bytes of a record.

    Raises
    ------
    DataRefused : the record holds what has no canonical form
    """
    try:
        raw = canonical(plain)
    except UnicodeEncodeError:
        raise _refused("text with half of a surrogate pair") from None
    except RecursionError:
        raise _refused("a record nested too deeply") from None
    except (TypeError, ValueError):
        raise _refused("NaN, infinity or a value that JSON does not have") from None
    if ESCAPED in raw and NUL.search(raw):
        raise _refused("the character U+0000")
    _require_text_keys(plain)
    return raw


def read_record(raw: bytes) -> dict[str, Any]:
    """Return what a record says.

    Raises
    ------
    AuditBroken : the bytes are not canonical, so that another writer wrote them
    """
    try:
        plain = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise _altered() from None
    if not isinstance(plain, dict):
        raise _altered()
    try:
        again = canonical_record(plain)
    except DataRefused:
        raise _altered() from None
    if again != raw:
        raise _altered()
    return plain


def _require_text_keys(plain: object) -> None:
    # JSON would write a number as a key by its text, and two keys could become one. orjson takes no other key than
    # text and is ten times as fast to say so; what it refuses for another reason is looked at again.
    with suppress(orjson.JSONEncodeError):
        orjson.dumps(plain)
        return
    open_: list[object] = [plain]
    while open_:
        value = open_.pop()
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                raise _refused("a key that is not text")
            open_.extend(inner for inner in value.values() if isinstance(inner, CONTAINERS))
        elif isinstance(value, list | tuple):
            open_.extend(inner for inner in value if isinstance(inner, CONTAINERS))


def _refused(found: str) -> DataRefused:
    return DataRefused(found, where=WHERE, expected="text keys, finite numbers and text that is UTF-8", do="correct it")


def _altered() -> AuditBroken:
    return broken("bytes that are not a canonical record", WHERE)
