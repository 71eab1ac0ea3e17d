"""One subject as the vault keeps it: found by whoever has the operator's key and the id, and by nobody else.

A keyed hash of the id leads to the row, so that the file tells nothing of ids, however few digits they have. The row's
data key is sealed for this one row: put into another, it does not open.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal, NamedTuple, get_args

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from features.errors import ConfigurationRefused, DataRefused, UsageError
from serving.subjects.errors import WHERE, broken

Kind = Literal["borrower", "loan"]

FORMAT = b"repayrank subjects 1"
PSEUDONYM_BYTES = 16
KEY_BYTES = 32
KINDS: tuple[Kind, ...] = get_args(Kind)
NONCE_BYTES = 12
PIECE_BYTES = 16
BLOCK_BYTES = 64
"""Of SHA-256, by which HMAC pads its key (RFC 2104)."""


class Name(NamedTuple):
    """Whom the lender means, in the lender's own words; it is not shown in errors and logs.

    Attributes
    ----------
    kind : borrower, or loan where only loans are known
    id : the lender's id
    """

    kind: Kind
    id: str

    def __repr__(self) -> str:
        return f"Name({self.kind})"


class Subject(NamedTuple):
    """What the log knows of a subject.

    Attributes
    ----------
    pseudonym : 16 random bytes, which the log shows
    key : 32 random bytes for AES-256, which are kept in the vault alone
    """

    pseudonym: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Subject({self.pseudonym.hex()})"


class Row(NamedTuple):
    """What the vault's file has of a subject.

    Attributes
    ----------
    lookup : HMAC-SHA256 of kind and id, under a key that follows from the master key
    pseudonym : of the subject
    sealed_key : nonce, ciphertext and tag of its data key
    """

    lookup: bytes
    pseudonym: bytes
    sealed_key: bytes

    def parts(self) -> list[bytes]:
        """Return the row in pieces that are short enough to find half a row by, and too long to be anything else."""
        return [
            column[at : at + PIECE_BYTES]
            for column in self
            for at in range(0, len(column) - PIECE_BYTES + 1, PIECE_BYTES)
        ]


class Secret:
    """What follows from the master key: where a name is looked up, and how a data key is sealed."""

    def __init__(self, lookup_key: bytes, sealing_key: bytes) -> None:
        # As `hmac.digest` does, which looks up SHA-256 anew each time and takes three times as long.
        padded = lookup_key.ljust(BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self._cipher = AESGCM(sealing_key)
        self.mark = self._mac(FORMAT)

    def lookup(self, name: Name) -> bytes:
        """Return under what a name is found; nobody can tell without the key."""
        kind, identity = name
        if kind not in KINDS or not identity:
            raise UsageError(
                "a subject without an id, or of an unknown kind",
                where="the name of a subject",
                expected=f"an id, and one of {', '.join(KINDS)}",
                do="correct the name",
            )
        try:
            return self._mac(f"{kind}\0{identity}".encode())
        except UnicodeEncodeError:
            raise DataRefused(
                "an id that is not text", where="the name of a subject", expected="Unicode text", do="correct the id"
            ) from None

    def sealed(self, lookup: bytes, subject: Subject) -> Row:
        """Return a subject as it is kept.

        The nonces are random: after 2^32 subjects two of them would be the same with a chance of 2^-33
        (NIST SP 800-38D, 8.3, allows as many).
        """
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, subject.key, FORMAT + lookup + subject.pseudonym)
        return Row(lookup, subject.pseudonym, nonce + sealed)

    def opened(self, row: Row) -> bytes:
        """Return a row's data key.

        Raises
        ------
        VaultBroken : the row is not one that was written
        """
        try:
            sealed = row.sealed_key
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], FORMAT + row.lookup + row.pseudonym)
        except (InvalidTag, ValueError, TypeError):
            raise broken("a key that does not open in its row") from None

    def _mac(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def secret_of(master: bytes) -> Secret:
    """Return what follows from a master key.

    Raises
    ------
    ConfigurationRefused : it is not 32 bytes
    """
    if len(master) != KEY_BYTES:
        raise ConfigurationRefused(
            "a master key of another length",
            where=WHERE,
            expected=f"{KEY_BYTES} random bytes",
            do="name the key that was made for this vault",
        )
    derived = [HKDF(SHA256(), KEY_BYTES, None, FORMAT + use).derive(master) for use in (b" lookup", b" sealing")]
    return Secret(*derived)
