"""What a local token looks like: an id that may be seen, a secret that may not, and a check against slips.

    rr_<id>_<secret><check>

The id is a ULID, so that ids sort by time. The secret is 32 random bytes, the check a CRC-32 of all before it; all
three are written in Crockford's base 32. A fixed beginning and a check let a scanner of repositories find a token with
hardly a false alarm, and tell a slip (one character, or two neighbours exchanged) without asking anyone. The check
keeps nobody out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Self

from serving.access.why import NotLetIn, Why
from serving.ids import CROCKFORD, LENGTH, crockford, score_ids

BEGINS = b"rr_"
DAYS = 90
"""For how long a token is good unless something else is said."""
SECRET_BYTES = 32
SECRET_LENGTH = 52
"""Characters of five bits for 256 bits."""
CHECK_LENGTH = 7
"""Characters of five bits for 32 bits."""

FORM = re.compile(
    rf"rr_([{CROCKFORD}]{{{LENGTH}}})_([{CROCKFORD}]{{{SECRET_LENGTH}}})([{CROCKFORD}]{{{CHECK_LENGTH}}})".encode()
)


@dataclass(frozen=True)
class Token:
    """A token taken apart; neither secret nor text shows when it is printed."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """Return a token that nobody has had before."""
        secret = int.from_bytes(secrets.token_bytes(SECRET_BYTES), "big")
        return cls(score_ids(1)[0], crockford(secret, SECRET_LENGTH).encode())

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Return the token that a text is.

        Raises
        ------
        NotLetIn : it is none, or was miswritten
        """
        found = FORM.fullmatch(raw)
        if found is None or _check(raw[:-CHECK_LENGTH]) != found[3]:
            raise NotLetIn(Why.FORM)
        return cls(found[1].decode(), found[2])

    def text(self) -> str:
        """Return the token as its holder gets it, once."""
        whole = BEGINS + self.id.encode() + b"_" + self.secret
        return (whole + _check(whole)).decode()

    def digest(self) -> bytes:
        """Return the SHA-256 of the secret as it is written.

        A password is hashed slowly because it can be guessed. 256 random bits cannot: a slow hash would cost the
        service much and an attacker nothing. The written form is hashed, so that one secret has one spelling.
        """
        return hashlib.sha256(self.secret).digest()


def _check(whole: bytes) -> bytes:
    return crockford(zlib.crc32(whole), CHECK_LENGTH).encode()
