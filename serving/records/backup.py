"""A copy of the log that can take its place: made while the service writes, and verified before it counts as one.

A backup is a folder with the database and the checkpoints. What was decided after it was made is not in it: the file of
checkpoints that the log left behind, outside the database, tells how much that is when the backup is put back. The
personal keys are not part of it, so that what was forgotten stays forgotten.

Of a log in PostgreSQL the server's own tools make the copy: pg_dump for the tables of its schema, or a base backup with
the write-ahead log (https://www.postgresql.org/docs/current/backup.html). Copy the file of checkpoints first, restore
into an empty schema, then let `audit.verify` check the two together before a service opens them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from features.errors import ConfigurationRefused, UsageError
from serving.records.anchors import read_anchors, sync_folder
from serving.records.audit import Report, verify
from serving.records.checkpoint import Checkpoint
from serving.records.errors import broken
from serving.records.opening import Place, database_of
from serving.records.sqlite import copy_database
from serving.records.tables import read_head, reading

CHECKPOINTS = "checkpoints.txt"
UNFINISHED = ".unfinished"
Signed = tuple[Checkpoint, bytes]
"""A checkpoint and its note."""

FOLDER_MODE = 0o700
OWNER_ONLY = 0o600


def backup(place: Place, folder: Path) -> Report:
    """Copy the log into a new folder, also while it is written to, and return what was checked of the copy.

    The folder has its name only once the copy verifies and is on the disk: what a backup that was broken off left
    behind has another, and is written over by the next.

    Raises
    ------
    UsageError : the folder is there already, or the log is in PostgreSQL
    AuditBroken : the log does not verify
    """
    _require_file(place)
    with whole_folder(folder) as unfinished:
        copy = _place_in(unfinished, place)
        # Before the database: each of them is then about records that the copy has.
        _copied(place.anchors, copy.anchors)
        with reading(database_of(place)) as tables:
            copy_database(tables, copy.database)
        return verify(copy)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder under another name, which it exchanges for its own once all in it is on the disk.

    Raises
    ------
    UsageError : there is one with that name
    """
    if folder.exists():
        raise _is_there(folder, "a new folder")
    unfinished = folder.with_name(folder.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=FOLDER_MODE, parents=True)
    yield unfinished
    for path in unfinished.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    sync_folder(unfinished)
    unfinished.rename(folder)
    sync_folder(folder.parent)


def restore(folder: Path, place: Place, *, accept_loss: bool = False) -> Report:
    """Put a backup in a place where no log is, and return what was checked.

    The place's file of checkpoints may be there, and should: it is what the log left behind. When it tells of decisions
    that the backup does not have, they are lost with it.

    Parameters
    ----------
    place : of the same origin; nothing may be in its folder
    accept_loss : put it back although decisions are lost; the checkpoints that tell of them are kept under another name

    Raises
    ------
    UsageError : a log is there, or the log is in PostgreSQL
    LogOwned : a service writes there
    AuditBroken : the backup does not verify, or the checkpoints are of another history
    ConfigurationRefused : decisions would be lost, and it was not said that they may be
    """
    _require_file(place)
    place.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    place.anchors.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    with ExitStack() as undo:
        database = database_of(place)
        database.enter(0)
        undo.callback(database.leave)
        copy = place.database.with_name(place.database.name + UNFINISHED)
        # Also a write-ahead log that was left alone: SQLite would take it for the restored file's.
        for found in set(place.folder.glob(f"{place.database.name}*")) - {copy}:
            raise _is_there(found, "a place without a log")
        left = read_anchors(place.anchors, place.origin, place.trusted) if place.anchors.exists() else []
        report = _verified(_place_in(folder, place), left)
        _leave_checkpoints(folder, place, report, left, accept_loss=accept_loss)
        _copied(_place_in(folder, place).database, copy)
        copy.rename(place.database)
        sync_folder(place.folder)
        return verify(place)


def _verified(copy: Place, left: list[Signed]) -> Report:
    """Return what was checked of a backup, also against those of the checkpoints that are about records it has."""
    with reading(database_of(copy)) as tables:
        size = read_head(tables).tree.size
    return verify(copy, [note for checkpoint, note in left if checkpoint.size <= size])


def _leave_checkpoints(folder: Path, place: Place, report: Report, left: list[Signed], *, accept_loss: bool) -> None:
    """Leave checkpoints at the place that the backup has the records of."""
    if not left:
        _copied(folder / CHECKPOINTS, place.anchors)
        sync_folder(place.anchors.parent)
        return
    lost = left[-1][0].size - report.records
    if lost <= 0:
        return
    if not accept_loss:
        raise ConfigurationRefused(
            f"a backup of {report.records} decisions where {left[-1][0].size} were signed: {lost} would be lost",
            where=str(folder),
            expected=f"a backup with all that {place.anchors} tells of",
            do="look for a newer one; to go on without those decisions, say that the loss is accepted (--accept-loss)",
        )
    kept = place.anchors.with_name(f"{place.anchors.name}.{left[-1][0].size}-signed")
    if kept.exists():
        raise _is_there(kept, "no checkpoints of an earlier loss of as many decisions")
    place.anchors.rename(kept)
    _copied(folder / CHECKPOINTS, place.anchors)
    sync_folder(place.anchors.parent)


def _place_in(folder: Path, place: Place) -> Place:
    return replace(place, folder=folder, anchors=folder / CHECKPOINTS)


def _copied(source: Path, target: Path) -> None:
    """Copy a file and return once the copy is on the disk."""
    try:
        with source.open("rb") as whole, target.open("wb") as stream:
            os.fchmod(stream.fileno(), OWNER_ONLY)
            shutil.copyfileobj(whole, stream)
            stream.flush()
            os.fsync(stream.fileno())
    except FileNotFoundError as error:
        raise broken("no such file", str(error.filename)) from None


def _require_file(place: Place) -> None:
    if place.url is not None:
        raise UsageError(
            "a log in PostgreSQL",
            where=f"the decision log {place.origin}",
            expected="a log in SQLite",
            do="use pg_dump or a base backup, copy the checkpoints before, and verify the two together",
        )


def _is_there(path: Path, expected: str) -> UsageError:
    return UsageError("what is there already", where=str(path), expected=expected, do="name another one")
