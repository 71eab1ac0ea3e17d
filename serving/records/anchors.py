"""The signed checkpoints in a file of their own, outside the database, to which lines are only ever added.

Each note is followed by an empty line. A crash can leave the last one unfinished: it is passed over and written again.
Everything before it was complete once, so a fault there is damage. The file belongs where the database's owner cannot
change it (another user, another disk); what a lender's own systems keep of it is what nobody here can take back.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from features.errors import ConfigurationRefused
from serving.records.checkpoint import Checkpoint, opened
from serving.records.errors import AuditBroken, broken, owned

BLANK = b"\n\n"
CHECKED_AT_START = 1_000
"""Notes at the end whose signatures are checked when the log is opened; `audit.verify` checks them all."""

NOTE_BYTES_BESIDE_ORIGINS = 166
"""Of the longest note and the empty line behind it; it holds the origin twice, a number, a root and a signature."""

OWNER_WRITES = 0o644


class Anchors:
    """The file of checkpoints, held by its only writer.

    Attributes
    ----------
    last : the newest checkpoint and its note, or None while there is none
    """

    def __init__(self, path: Path, origin: str, trusted: Iterable[Ed25519PublicKey]) -> None:
        """Open the file, make sure of its end and cut off a note that a crash left unfinished.

        Raises
        ------
        LogOwned : another process writes to it
        ConfigurationRefused : it cannot be opened for writing
        AuditBroken : one of the last notes does not hold
        """
        is_new = not path.exists()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, OWNER_WRITES)
        except OSError as error:
            raise ConfigurationRefused(
                f"a file of checkpoints that cannot be opened ({error.strerror})",
                where=str(path),
                expected="a file to which lines can be added",
                do="name another file, or let this process add to it",
            ) from error
        try:
            hold(self._file, path)
            if is_new:
                sync_folder(path.parent)
            size = os.fstat(self._file).st_size
            raw, begun = _end(self._file, size, origin, CHECKED_AT_START)
            notes, unfinished = split(raw)
            _require_one_at_most(unfinished, path, origin)
            checked = read_notes(notes[-CHECKED_AT_START:], path, origin, tuple(trusted))
            self.last: tuple[Checkpoint, bytes] | None = (checked[-1], notes[-1]) if notes else None
            if begun and not notes:
                raise broken("an end in which no checkpoint can be found", str(path))
            if unfinished:
                os.ftruncate(self._file, size - unfinished)
                os.fsync(self._file)
        except BaseException:
            self.close()
            raise

    def append(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Add a note and return once it is on the disk.

        Raises
        ------
        OSError : it may not be, and the end of the file is uncertain until the file is opened again
        """
        whole = note + b"\n"
        if os.write(self._file, whole) != len(whole):
            raise OSError(errno.ENOSPC, "a checkpoint was written in part")
        try:
            os.fsync(self._file)
        except OSError as error:
            # Whatever the cause: what a failed sync left behind reads as if it were on the disk.
            raise OSError(errno.EIO, "a checkpoint was not synced") from error
        self.last = checkpoint, note

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_anchors(path: Path, origin: str, trusted: Iterable[Ed25519PublicKey]) -> list[tuple[Checkpoint, bytes]]:
    """Return all checkpoints of a file with their notes, each with a signature that holds, in order of size.

    Raises
    ------
    AuditBroken : there is none, or one does not hold
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise broken(f"checkpoints that cannot be read ({error.strerror})", str(path)) from error
    notes, unfinished = split(raw)
    _require_one_at_most(unfinished, path, origin)
    if not notes:
        raise broken("no checkpoint", str(path))
    return list(zip(read_notes(notes, path, origin, tuple(trusted)), notes, strict=True))


def read_last(path: Path, origin: str, trusted: Iterable[Ed25519PublicKey]) -> tuple[Checkpoint, bytes]:
    """Return the newest checkpoint of a file and its note, without reading the others.

    Raises
    ------
    AuditBroken : there is none, or it does not hold
    """
    try:
        with path.open("rb") as stream:
            raw, _ = _end(stream.fileno(), os.fstat(stream.fileno()).st_size, origin, 1)
    except OSError as error:
        raise broken(f"checkpoints that cannot be read ({error.strerror})", str(path)) from error
    notes, unfinished = split(raw)
    _require_one_at_most(unfinished, path, origin)
    if not notes:
        raise broken("no checkpoint", str(path))
    return read_notes(notes[-1:], path, origin, tuple(trusted))[0], notes[-1]


def signed_size(path: Path, origin: str, trusted: Iterable[Ed25519PublicKey]) -> int:
    """Return how many records the newest checkpoint covers; what cannot be read covers none."""
    try:
        return read_last(path, origin, trusted)[0].size
    except AuditBroken:
        return 0


def split(raw: bytes) -> tuple[list[bytes], int]:
    """Return the complete notes, and how many bytes after them belong to an unfinished one.

    Zeros are where a power cut kept a sector from being written.
    """
    parts = raw.partition(b"\0")[0].split(BLANK)
    # A note is two parts, its text and its signatures; after the last complete pair comes what is unfinished.
    pairs = (len(parts) - 1) // 2
    notes = [parts[2 * at] + BLANK + parts[2 * at + 1] + b"\n" for at in range(pairs)]
    return notes, len(raw) - sum(len(note) + 1 for note in notes)


def read_notes(
    notes: Sequence[bytes], path: Path, origin: str, trusted: Sequence[Ed25519PublicKey]
) -> list[Checkpoint]:
    """Return the checkpoints of notes that follow each other.

    Raises
    ------
    AuditBroken : one does not hold, or tells of fewer records than the one before
    """
    checkpoints: list[Checkpoint] = []
    for back, note in zip(range(len(notes), 0, -1), notes, strict=True):
        try:
            checkpoint = opened(note, origin, trusted)
        except AuditBroken as error:
            raise broken(error.found, f"{path}, checkpoint {back} from the end", expected=error.expected) from error
        if checkpoints and checkpoint.size < checkpoints[-1].size:
            raise broken("fewer records than in the checkpoint before", f"{path}, checkpoint {back} from the end")
        checkpoints.append(checkpoint)
    return checkpoints


def hold(file: int, path: Path) -> None:
    """Take an open file for this process alone, until it is closed or the process ends.

    Raises
    ------
    LogOwned : another process has it
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise owned(str(path)) from None


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder as durable as the file behind it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_one_at_most(unfinished: int, path: Path, origin: str) -> None:
    # Each note is on the disk before the next is begun: a crash leaves one unfinished, and no more.
    if unfinished > _longest_note(origin):
        raise broken("more than one checkpoint that is not whole at the end", str(path))


def _longest_note(origin: str) -> int:
    return 2 * len(origin) + NOTE_BYTES_BESIDE_ORIGINS


def _end(file: int, size: int, origin: str, notes: int) -> tuple[bytes, bool]:
    """Return the end of the file from the beginning of a note on, and whether something came before it.

    Parameters
    ----------
    notes : whole ones that are in it, where the file has as many; one that is cut and an unfinished one may be beside
    """
    read = min(size, (notes + 2) * _longest_note(origin))
    raw = os.pread(file, read, size - read)
    if read == size:
        return raw, False
    # Only a note's text begins with the origin: a signature line begins with a dash.
    _, mark, rest = raw.partition(BLANK + f"{origin}\n".encode())
    return mark[len(BLANK) :] + rest, True
