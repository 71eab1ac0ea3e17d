"""A signed statement of how many records there are and which hash stands for all of them.

    collections.example/decisions
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — collections.example/decisions Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE...

Whoever keeps such a statement can show later whether a record that it covers was changed or removed. The format is
C2SP's tlog-checkpoint, a signed note with Ed25519 (https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note), so
that the tools and witnesses of other transparency logs read it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import ConfigurationRefused
from serving.records.errors import AuditBroken, broken
from serving.records.merkle import HASH_BYTES

SIGNED_BY = "— "
ED25519 = b"\x01"
KEY_ID_BYTES = 4
MOST_SIGNATURES = 16
LARGEST_SIZE = 2**63 - 1
ORIGIN = re.compile(r"[A-Za-z0-9._~:/-]{1,255}")
SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
TEXT_LINES = 3
WHERE = "a checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """The first `size` records of the log `origin` have the root `root`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return what is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def require_origin(origin: str) -> str:
    """Return the name of a log when it can stand in a checkpoint.

    Raises
    ------
    ConfigurationRefused : it is empty, too long or has other characters than an address without its scheme
    """
    if not ORIGIN.fullmatch(origin):
        raise ConfigurationRefused(
            "a name that cannot stand in a checkpoint",
            where="the origin of the decision log",
            expected="an address without its scheme, such as collections.example/decisions",
            do="choose another name, once for the life of the log",
        )
    return origin


def signed(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """Return the signed note of a checkpoint; the key's name in it is the origin."""
    text = checkpoint.text()
    signature = key_id(checkpoint.origin, key.public_key()) + key.sign(text.encode())
    return f"{text}\n{SIGNED_BY}{checkpoint.origin} {_base64(signature)}\n".encode()


def opened(note: bytes, origin: str, trusted: Iterable[Ed25519PublicKey]) -> Checkpoint:
    """Return the checkpoint in a note once a trusted key of this log has been found to have signed it.

    Signatures of unknown keys are passed over, as of witnesses; a wrong one of a trusted key refuses the note.

    Raises
    ------
    AuditBroken : the note is not exactly of the format, is of another log, or is not signed by a trusted key
    """
    text, signatures = _parts(note)
    checkpoint = _read(text)
    if checkpoint.origin != origin:
        raise broken("a checkpoint of another log", WHERE, expected=f"the log {origin}")
    keys = {key_id(origin, key): key for key in trusted}
    made = [(identity, signature) for name, identity, signature in signatures if name == origin and identity in keys]
    if not made:
        raise broken("no signature of a trusted key", WHERE, expected="a checkpoint that this log signed")
    for identity, signature in made:
        try:
            keys[identity].verify(signature, text.encode())
        except InvalidSignature:
            raise broken(
                "a signature that does not hold", WHERE, expected="a checkpoint that this log signed"
            ) from None
    return checkpoint


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """Return the four bytes by which a note says which key signed it (signed-note, "Ed25519 signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + key.public_bytes_raw()).digest()[:KEY_ID_BYTES]


def _parts(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise _unreadable("bytes that are not UTF-8") from None
    if any(character < " " and character != "\n" for character in whole):
        raise _unreadable("a control character")
    text, blank, after = whole.rpartition("\n\n")
    if not blank or not after.endswith("\n"):
        raise _unreadable("no blank line before signatures, or an unfinished last line")
    lines = after[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise _unreadable(f"more than {MOST_SIGNATURES} signatures")
    return f"{text}\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, space, encoded = line.removeprefix(SIGNED_BY).partition(" ")
    if not line.startswith(SIGNED_BY) or not name or not space or "+" in name:
        raise _unreadable("a line among the signatures that is none")
    made = _from_base64(encoded)
    if len(made) <= KEY_ID_BYTES:
        raise _unreadable("a signature that is too short")
    return name, made[:KEY_ID_BYTES], made[KEY_ID_BYTES:]


def _read(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    # The format allows further lines. We write none, and nobody could check what they say.
    if len(lines) != TEXT_LINES:
        raise _unreadable("a text that is not of three lines")
    origin, size, root = lines
    if not ORIGIN.fullmatch(origin) or not SIZE.fullmatch(size) or int(size) > LARGEST_SIZE:
        raise _unreadable("a name or a number of records that is none")
    decoded = _from_base64(root)
    if len(decoded) != HASH_BYTES:
        raise _unreadable("a root that is not a SHA-256 hash")
    return Checkpoint(origin, int(size), decoded)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _from_base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _unreadable("text that is not base64") from None
    # Spare bits at the end could be set without changing the value: one value, one text.
    if _base64(raw) != text:
        raise _unreadable("base64 that is not written in its one form")
    return raw


def _unreadable(found: str) -> AuditBroken:
    return broken(found, WHERE, expected="a signed note in the form of a checkpoint")
