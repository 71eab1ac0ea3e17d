"""The tokens that were given out: to whom, for which role, until when; of the secret only a hash is kept.

Beside them stands which signed tokens of the lender's identity provider were withdrawn before their end. The file is
replaced whole, under a lock, so that a reader and a crash see the old one or the new one. A token always has an end:
one that has none is never exchanged.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Annotated

import msgspec

from features.errors import ConfigurationRefused, UsageError
from serving.access.files import SECRET, read_guarded
from serving.access.roles import HOLDERS, Role
from serving.access.token_text import DAYS, Token
from serving.access.why import NotLetIn, Why
from serving.access.withdrawn import By, Instant, Withdrawal, Withdrawals, withdrawal
from serving.records.anchors import sync_folder

FORMAT = 1
FOLDER, FILE = "access", "tokens.json"
MADE = b"the file of tokens was made\n"
"""Stands in the lock from then on, so that a file that is gone is told from one that never was."""
MOST_DAYS = 366
LONGEST_NAME = 64
OWNER_ONLY, FOLDER_OWNER_ONLY = 0o600, 0o700

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token that was given out.

    Attributes
    ----------
    id : public, sorts by time, and is what a token is revoked by
    name : of the holder, such as collections-queue
    sha256 : of the secret
    """

    id: str
    name: str
    role: Role
    sha256: Digest
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None = None

    def state(self, now: datetime) -> str:
        """Return `valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if now < self.expires_at else "expired"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    format: int
    tokens: tuple[Entry, ...]
    withdrawn: tuple[Withdrawal, ...] = ()


EMPTY = _File(FORMAT, ())


@dataclass(frozen=True)
class Created:
    """A new token, and its text, which is not kept anywhere and does not show when this is printed."""

    entry: Entry
    text: str = field(repr=False)


@dataclass(frozen=True)
class Tokens:
    """The tokens that were given out, with their hashes, by id, and the signed ones that were withdrawn."""

    known: Mapping[str, tuple[bytes, Entry]]
    withdrawn: Withdrawals = field(default_factory=lambda: Withdrawals.of(()))

    def holder(self, raw: bytes, now: datetime) -> Entry:
        """Return whose token a text is.

        Raises
        ------
        NotLetIn : it is nobody's, or no longer
        """
        token = Token.read(raw)
        # An id that is not there is compared as well: it takes as long to be refused as a wrong secret.
        kept, entry = self.known.get(token.id, NOT_THERE)
        if not compare_digest(token.digest(), kept) or entry is None:
            raise NotLetIn(Why.UNKNOWN)
        if entry.revoked_at is not None:
            raise NotLetIn(Why.REVOKED)
        if now >= entry.expires_at:
            raise NotLetIn(Why.EXPIRED)
        return entry


NOT_THERE: tuple[bytes, None] = bytes(32), None
NO_TOKENS = Tokens({})


def tokens_file(home: Path) -> Path:
    """Return where a store's tokens stand."""
    return home / FOLDER / FILE


def create(path: Path, *, name: str, role: str, days: int = DAYS, now: datetime | None = None) -> Created:
    """Add a token and return it, once it is on the disk.

    Parameters
    ----------
    name : of the holder; may be given again, as when a token is exchanged for a new one
    days : until it ends

    Raises
    ------
    UsageError : a name, role or number of days that cannot be
    ConfigurationRefused : the file of tokens cannot be used
    """
    if not (0 < len(name) <= LONGEST_NAME and name.isascii() and name.isprintable() and name.strip() == name):
        raise UsageError(
            "a name that cannot be a holder's",
            where="the token's name",
            expected=f"1 to {LONGEST_NAME} plain characters, such as collections-queue",
            do="choose another",
        )
    if role not in HOLDERS:
        raise UsageError(
            "no such role", where="the token's role", expected=f"one of {', '.join(HOLDERS)}", do="correct it"
        )
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(
            "a life that a token may not have", where="days", expected=f"1 to {MOST_DAYS}", do="exchange tokens in time"
        )
    token, created_at = Token.new(), now or datetime.now(UTC)
    entry = Entry(
        id=token.id,
        name=name,
        role=Role(role),
        sha256=token.digest().hex(),
        created_at=created_at,
        expires_at=created_at + timedelta(days=days),
    )
    _change(path, lambda file: msgspec.structs.replace(file, tokens=(*file.tokens, entry)))
    return Created(entry, token.text())


def listed(path: Path) -> tuple[Entry, ...]:
    """Return all tokens that were given out, oldest first; none where there is no file.

    Raises
    ------
    ConfigurationRefused : the file of tokens cannot be used
    """
    return _kept(path).tokens


def withdrawn(path: Path) -> tuple[Withdrawal, ...]:
    """Return which signed tokens were withdrawn, in the order in which they were; none where there is no file.

    Raises
    ------
    ConfigurationRefused : the file of tokens cannot be used
    """
    return _kept(path).withdrawn


def revoke(path: Path, token_id: str, *, now: datetime | None = None) -> Entry:
    """End a token and return it, once that is on the disk; a running service knows within a second.

    Raises
    ------
    UsageError : there is no such id
    ConfigurationRefused : the file of tokens cannot be used
    """
    at = now or datetime.now(UTC)

    def revoked(file: _File) -> _File:
        if all(entry.id != token_id for entry in file.tokens):
            # Not quoted: whoever takes the token for its id would read it in a terminal's history.
            raise UsageError("no such id", where=str(path), expected="an id of `repayrank token list`", do="correct it")
        tokens = tuple(
            msgspec.structs.replace(entry, revoked_at=at) if entry.id == token_id and not entry.revoked_at else entry
            for entry in file.tokens
        )
        return msgspec.structs.replace(file, tokens=tokens)

    return next(entry for entry in _change(path, revoked).tokens if entry.id == token_id)


def withdraw(path: Path, by: By, value: str, *, now: datetime | None = None) -> Withdrawal:
    """Refuse signed tokens and return which, once that is on the disk; a running service knows within a second.

    Parameters
    ----------
    by, value : the claim that says which, and what it says

    Raises
    ------
    UsageError : a text that no such claim can be
    ConfigurationRefused : the file of tokens cannot be used
    """
    one = withdrawal(by, value, now or datetime.now(UTC))
    _change(path, lambda file: msgspec.structs.replace(file, withdrawn=(*file.withdrawn, one)))
    return one


def require_never_written(path: Path) -> None:
    """Refuse a file of tokens that was there once and is gone: what it withdrew would be let in again.

    Raises
    ------
    ConfigurationRefused : the lock says that the file was made, and the file is not there
    """
    lock = path.with_suffix(".lock")
    if lock.exists() and lock.stat().st_size and not path.exists():
        raise ConfigurationRefused(
            "no file of tokens where there was one, so that nobody knows which signed tokens were withdrawn",
            where=str(path),
            expected="the file as `repayrank token` writes it",
            do="restore it from a copy; or revoke again what was withdrawn, or create a token, which makes it anew",
        )


def read_tokens(raw: bytes, path: Path) -> Tokens:
    """Return the tokens that stand in a file's bytes.

    Raises
    ------
    ConfigurationRefused : they are not those of a file of tokens
    """
    file = _file(raw, path)
    known = {entry.id: (bytes.fromhex(entry.sha256), entry) for entry in file.tokens}
    return Tokens(known, Withdrawals.of(file.withdrawn))


def _kept(path: Path) -> _File:
    try:
        return _file(read_guarded(path, SECRET), path)
    except FileNotFoundError:
        return EMPTY


def _file(raw: bytes, path: Path) -> _File:
    try:
        file = msgspec.json.decode(raw, type=_File)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Without the library's sentence, which may hold what it found.
        raise _damaged(path) from None
    ids = {entry.id for entry in file.tokens}
    if file.format != FORMAT or len(ids) != len(file.tokens) or any(entry.role not in HOLDERS for entry in file.tokens):
        raise _damaged(path)
    return file


def _change(path: Path, changed: Callable[[_File], _File]) -> _File:
    path.parent.mkdir(mode=FOLDER_OWNER_ONLY, parents=True, exist_ok=True)
    with _alone(path) as lock:
        file = changed(_kept(path))
        _replace(path, msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")
        if not os.fstat(lock).st_size:
            os.write(lock, MADE)
    return file


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Keep others from changing the file meanwhile. The lock is a file beside it, which is never replaced."""
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    # What a process left behind that was killed here; the lock says that it is nobody's any more.
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY), "wb") as stream:  # noqa: PTH123
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    sync_folder(path.parent)


def _damaged(path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        "a file that is not one of tokens",
        where=str(path),
        expected="the file as `repayrank token` writes it",
        do="restore it from a copy; or move it away, create the tokens again and revoke signed ones again",
    )
