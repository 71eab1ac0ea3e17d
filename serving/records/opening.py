"""The log as it is found at a start: whole where it was signed, whole in what came after, and not set back.

A database that was put back to an older copy, or whose newest records were cut off, is shorter than the last signed
checkpoint or has another root: it is refused. Only the records after that checkpoint are read one by one, so that a
start takes as long for ten million records as for a thousand.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from features.errors import RepayrankError
from serving.records import database
from serving.records.anchors import Anchors, sync_folder
from serving.records.checkpoint import Checkpoint, require_origin
from serving.records.database import Head
from serving.records.entry import beginning
from serving.records.errors import broken, busy, stopped
from serving.records.limits import Limits
from serving.records.merkle import Tree, tree_at

DATABASE, LOCK = "records.sqlite", "writer.lock"
OWNER_ONLY = 0o600
Connect = Callable[[Path, float], sqlite3.Connection]


@dataclass(frozen=True)
class Place:
    """Where a log lies and whom it trusts.

    Attributes
    ----------
    folder : of the database and the writer's lock
    anchors : the file of checkpoints, which belongs outside that folder
    origin : the log's name, such as collections.example/decisions; once given it never changes
    trusted : the keys whose checkpoints are believed
    """

    folder: Path
    anchors: Path
    origin: str
    trusted: tuple[Ed25519PublicKey, ...]

    def __post_init__(self) -> None:
        require_origin(self.origin)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / DATABASE

    @property
    def lock(self) -> Path:
        """The file that the one writer holds."""
        return self.folder / LOCK

    def files(self) -> list[tuple[int, int]]:
        """Return which files the names stand for, as device and number."""
        found = [os.stat(path) for path in (self.database, self.anchors)]  # noqa: PTH116 - a path's own is slower
        return [(status.st_dev, status.st_ino) for status in found]


def require_whole(connection: sqlite3.Connection, place: Place, last: Checkpoint) -> Head:
    """Return the state of the log once its end has been read again and compared with the last checkpoint.

    Raises
    ------
    AuditBroken : the log is not the one that was signed, or its end was changed
    """
    path = place.database
    database.require_schema(connection, path, place.origin)
    head = database.read_head(connection, path)
    if head.tree.size < last.size:
        raise broken(
            f"{head.tree.size} records where {last.size} were signed: an older copy, or the end was cut off",
            str(path),
            expected="the database as it was at the last checkpoint or later",
        )
    signed_tree = tree_at(last.size, database.stored_nodes(connection, path))
    if signed_tree.root() != last.root:
        raise broken(
            f"another history: the first {last.size} records are not those that were signed",
            str(path),
            expected="the root of the last checkpoint",
        )
    if _continued(connection, place, signed_tree) != head:
        raise broken("records after the last checkpoint that the metadata do not tell of", str(path))
    return head


def _continued(connection: sqlite3.Connection, place: Place, tree: Tree) -> Head:
    """Return the state that follows from the rows after a tree, each of them checked."""
    previous = _last_leaf(connection, place, tree.size)
    leaves = []
    for sequence, row in enumerate(database.read_rows(connection, place.database, tree.size), start=tree.size):
        found = (row.entry.sequence, row.entry.previous, row.entry.leaf())
        if found != (sequence, previous, row.leaf):
            raise broken("a record that was changed, or one that is missing before it", f"record {sequence}")
        previous = row.leaf
        leaves.append(row.leaf)
    grown, _ = tree.grown(leaves)
    return Head(grown, previous)


def _last_leaf(connection: sqlite3.Connection, place: Place, size: int) -> bytes:
    return database.stored_nodes(connection, place.database)(0, size - 1) if size else beginning(place.origin)


def opened_database(place: Place, limits: Limits, connect: Connect, undo: ExitStack) -> sqlite3.Connection:
    """Return the writer's connection with settings that last and the tables of a log, new where there were none.

    Raises
    ------
    ConfigurationRefused : the disk cannot keep what is promised
    AuditBroken, LogBusy, LogStopped : the database cannot be used
    """
    try:
        connection = connect(place.database, limits.busy_seconds)
        undo.callback(connection.close)
        database.require_durable(connection, place.database)
        if database.is_empty(connection):
            database.create(connection, place.origin)
            place.database.chmod(OWNER_ONLY)
            sync_folder(place.folder)
    except database.UNREADABLE as error:
        raise unusable(error, place) from error
    return connection


def require_same_age(place: Place, anchors: Anchors, *, is_new: bool) -> None:
    """Refuse a database without its checkpoints, and checkpoints without their database.

    Raises
    ------
    AuditBroken : one of them was taken away
    """
    signed_size = anchors.last[0].size if anchors.last else None
    if is_new and signed_size:
        raise broken(f"no database where {signed_size} records were signed", str(place.database))
    if not is_new and signed_size is None:
        raise broken("no checkpoint of a log that has been in use", str(place.anchors))


def unusable(error: Exception, place: Place) -> RepayrankError:
    """Return the refusal for what SQLite raises at a start: busy, a disk that fails, or damage."""
    if database.is_busy(error):
        return busy("a lock of another program on the database")
    if database.is_of_the_disk(error):
        return stopped(database.name_of(error))
    return database.unreadable(error, place.database)
