"""The number by which a lender quotes one answer: later answers sort after earlier ones."""

from __future__ import annotations

import secrets
import time
from datetime import datetime

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
RANDOM_BITS = 80


def score_ids(count: int) -> list[str]:
    """Return new ids in rising order: a ULID each, that is 48 bits of milliseconds and 80 random bits.

    Reference: https://github.com/ulid/spec
    """
    # One random start for all of a request leaves them in order; the top bit is kept free for the counting.
    first = (time.time_ns() // 1_000_000 << RANDOM_BITS) | secrets.randbits(RANDOM_BITS - 1)
    return [crockford(first + index, LENGTH) for index in range(count)]


def named_by(at: datetime, digest: str) -> str:
    """Return an id that sorts by time as others do, and is the same for the same instant and SHA-256."""
    part = int(digest, 16) % (1 << RANDOM_BITS)
    return crockford((int(at.timestamp() * 1000) << RANDOM_BITS) | part, LENGTH)


def crockford(number: int, length: int) -> str:
    """Return a number in Crockford's base 32, five bits a character: letters that are mistaken for others are left out.

    Reference: https://www.crockford.com/base32.html
    """
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(length)))


def milliseconds(score_id: str) -> int | None:
    """Return the time that an id tells, in milliseconds since 1970; None where it is no id of ours."""
    if len(score_id) != LENGTH or set(score_id) - set(CROCKFORD):
        return None
    number = 0
    for letter in score_id:
        number = number << 5 | CROCKFORD.index(letter)
    return number >> RANDOM_BITS
