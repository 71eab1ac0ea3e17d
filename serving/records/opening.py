"""The log as it is found at a start: whole where it was signed, whole in what came after, and not set back.

A database that was put back to an older copy, or whose newest records were cut off, is shorter than the last signed
checkpoint or has another root: it is refused. Only the records after that checkpoint are read one by one, so that a
start takes as long for ten million records as for a thousand. After a fault that has passed the log is opened the same
way.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import ConfigurationRefused
from serving.records.anchors import Anchors, read_last
from serving.records.checkpoint import Checkpoint, require_origin, signed
from serving.records.entry import beginning
from serving.records.errors import LogBusy, LogOwned, broken, busy, unwritable
from serving.records.merkle import EMPTY_ROOT, Tree, tree_at
from serving.records.sqlite import MEBIBYTE, Connect, SqliteDatabase, connect_writer
from serving.records.tables import (
    Database,
    Head,
    Row,
    Tables,
    head_values,
    read_head,
    require_log,
    stored_nodes,
    whole_hashes,
)

DATABASE, LOCK = "records.sqlite", "writer.lock"
SCHEMES = ("postgresql://", "postgres://")
FOLDER_MODE = 0o700
PAUSE_SECONDS = 0.1
"""Between two attempts to open a log."""

ROOM_BYTES = MEBIBYTE
"""Space that must be there again after a disk was full: a batch of 256 records of 4 KiB."""


@dataclass(frozen=True)
class Place:
    """Where a log lies and whom it trusts.

    Attributes
    ----------
    folder : of the database and the writer's lock
    anchors : the file of checkpoints, which belongs outside that folder
    origin : the log's name, such as collections.example/decisions; once given it never changes
    trusted : the keys whose checkpoints are believed
    url : postgresql://user@host/database where the log is in PostgreSQL, which several processes may write to; `folder`
        is then not used, and `anchors` is one file that all of them see. Without it SQLite, in the folder
    """

    folder: Path
    anchors: Path
    origin: str
    trusted: tuple[Ed25519PublicKey, ...]
    url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_origin(self.origin)
        if self.url is not None and not self.url.startswith(SCHEMES):
            raise ConfigurationRefused(
                "an address of another kind of database",
                where=f"the decision log {self.origin}",
                expected=f"{SCHEMES[0]}user@host:5432/database, or none for SQLite in the folder",
                do="correct it",
            )

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
        paths = (self.database, self.anchors) if self.url is None else (self.anchors,)
        found = [os.stat(path) for path in paths]  # noqa: PTH116 - a path's own is slower
        return [(status.st_dev, status.st_ino) for status in found]


class Opened(NamedTuple):
    """A log that can be written to.

    Attributes
    ----------
    anchors : the file of checkpoints in the process that signs, None in others
    """

    tables: Tables
    anchors: Anchors | None
    head: Head


def database_of(place: Place, connect: Connect = connect_writer) -> Database:
    """Return the database of a log.

    Parameters
    ----------
    connect : opens the writer's connection to a SQLite file

    Raises
    ------
    ConfigurationRefused : what PostgreSQL needs is not installed, or its address cannot be read
    """
    if place.url is None:
        return SqliteDatabase(place.database, place.lock, place.origin, connect)
    try:
        from serving.records.postgresql import PostgresDatabase
    except ImportError as error:
        raise ConfigurationRefused(
            f"no module {error.name}",
            where=f"the decision log {place.origin}",
            expected="what a log in PostgreSQL needs",
            do="install it: pip install 'repayrank[postgresql]'",
        ) from error
    return PostgresDatabase(place.url, place.origin)


def opened_log(database: Database, place: Place, key: Ed25519PrivateKey, busy_seconds: float) -> Opened:
    """Return the log once its end was read again and lasts; a new one where there is none.

    Raises
    ------
    LogOwned, LogBusy : another process writes to it, or is about to make it
    ConfigurationRefused : the database cannot keep what is promised
    AuditBroken : the log is not the one that was signed
    """
    with ExitStack() as undo:
        signs = database.enter(busy_seconds)
        anchors = _held_anchors(database, place) if signs else None
        if anchors is not None:
            undo.callback(anchors.close)
            _require_same_age(database, place, anchors)
            if anchors.last is None:
                # Before the tables: from then on tables without checkpoints are such whose checkpoints were taken.
                first = Checkpoint(place.origin, 0, EMPTY_ROOT)
                anchors.append(first, signed(first, key))
        elif database.is_new():
            raise busy("a process that is about to make the log")
        tables = database.writer(busy_seconds)
        undo.callback(tables.close)
        last = (anchors and anchors.last) or read_last(place.anchors, place.origin, place.trusted)
        tables.begin()
        head = require_whole(tables, place, last[0])
        # Rows of a writer that was killed may be visible and not yet synced: this commit syncs them too.
        tables.write_metadata(head_values(head))
        tables.commit()
        undo.pop_all()
    return Opened(tables, anchors, head)


def require_trusted(key: Ed25519PrivateKey, place: Place) -> None:
    """Refuse a key whose signatures nobody would believe.

    Raises
    ------
    ConfigurationRefused : its public half is not among those that the place trusts
    """
    if key.public_key().public_bytes_raw() not in {public.public_bytes_raw() for public in place.trusted}:
        raise ConfigurationRefused(
            "a signing key that the log does not trust",
            where=f"the decision log {place.origin}",
            expected="a key whose public half is among the trusted ones",
            do="put the public key among the trusted ones first",
        )


def make_folders(place: Place) -> None:
    """Make the folders of the log and of its checkpoints, where there are none, for this user alone.

    Raises
    ------
    ConfigurationRefused : they cannot be made
    """
    for folder in (place.anchors.parent,) if place.url else (place.folder, place.anchors.parent):
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(str(folder), error) from error


def first_opened(database: Database, place: Place, key: Ed25519PrivateKey, busy_seconds: float) -> Opened:
    """Return the log as `opened_log` does, where several processes may start at once and one of them makes it."""
    for _ in range(int(busy_seconds / PAUSE_SECONDS) if database.is_shared else 0):
        with suppress(LogBusy):
            return opened_log(database, place, key, busy_seconds)
        time.sleep(PAUSE_SECONDS)
    return opened_log(database, place, key, busy_seconds)


def require_room(place: Place) -> None:
    """Return where each disk of the log has space for a batch.

    Raises
    ------
    OSError : one has not
    """
    folders = {place.anchors.parent} if place.url else {place.folder, place.anchors.parent}
    for folder in folders:
        with TemporaryFile(dir=folder) as probe:
            probe.write(bytes(ROOM_BYTES))
            probe.flush()


def require_whole(tables: Tables, place: Place, last: Checkpoint) -> Head:
    """Return the state of the log once its end has been read again and compared with the last checkpoint.

    Raises
    ------
    AuditBroken : the log is not the one that was signed, or its end was changed
    """
    require_log(tables, place.origin)
    head = read_head(tables)
    if head.tree.size < last.size:
        raise broken(
            f"{head.tree.size} records where {last.size} were signed: an older copy, or the end was cut off",
            tables.where,
            expected="the database as it was at the last checkpoint or later",
        )
    signed_tree = tree_at(last.size, stored_nodes(tables))
    if signed_tree.root() != last.root:
        raise broken(
            f"another history: the first {last.size} records are not those that were signed",
            tables.where,
            expected="the root of the last checkpoint",
        )
    if _continued(tables, place, signed_tree) != head:
        raise broken("records after the last checkpoint that the metadata do not tell of", tables.where)
    return head


def followed(tables: Tables, before: Head, after: Head) -> Head:
    """Return a later state of the log once the leaves between are found to lead from the earlier one to it.

    Raises
    ------
    AuditBroken : they do not, or the log has become shorter
    """
    if before == after:
        return after
    begin, end = before.tree.size, after.tree.size
    if begin > end:
        raise broken(f"{end} records where there were {begin}", tables.where)
    leaves = whole_hashes(tables, tables.hashes(0, begin, end), end - begin, begin)
    if Head(before.tree.grown(leaves)[0], leaves[-1] if leaves else before.last_leaf) != after:
        raise broken(f"another history than the first {begin} records began", tables.where)
    return after


def _held_anchors(database: Database, place: Place) -> Anchors | None:
    try:
        return Anchors(place.anchors, place.origin, place.trusted)
    except LogOwned:
        if not database.is_shared:
            raise
        # The one that signed has lost its database and does not know yet: it lets go when it does.
        database.leave_signing()
        return None


def _require_same_age(database: Database, place: Place, anchors: Anchors) -> None:
    """Refuse a database without its checkpoints, and checkpoints without their database.

    Raises
    ------
    AuditBroken : one of them was taken away
    """
    signed_size, is_new = anchors.last[0].size if anchors.last else None, database.is_new()
    if is_new and signed_size:
        raise broken(f"no database where {signed_size} records were signed", database.where)
    if not is_new and signed_size is None:
        raise broken("no checkpoint of a log that has been in use", str(place.anchors))


def _continued(tables: Tables, place: Place, tree: Tree) -> Head:
    """Return the state that follows from the rows after a tree, each of them checked."""
    previous = stored_nodes(tables)(0, tree.size - 1) if tree.size else beginning(place.origin)
    leaves = []
    for sequence, row in enumerate(tables.rows(tree.size), start=tree.size):
        if not isinstance(row, Row):  # only what was signed may be dropped
            raise broken("a record that was dropped before it was signed", f"record {sequence}")
        found = (row.entry.sequence, row.entry.previous, row.entry.leaf())
        if found != (sequence, previous, row.leaf):
            raise broken("a record that was changed, or one that is missing before it", f"record {sequence}")
        previous = row.leaf
        leaves.append(row.leaf)
    grown, _ = tree.grown(leaves)
    return Head(grown, previous)
