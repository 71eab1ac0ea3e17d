"""The log as it is found at a start: whole where it was signed, whole in what came after, and not set back.

A database that was put back to an older copy, or whose newest records were cut off, is shorter than the last signed
checkpoint or has another root: it is refused. Only the records after that checkpoint are read one by one, so that a
start takes as long for ten million records as for a thousand.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from serving.records.anchors import Anchors
from serving.records.checkpoint import Checkpoint, require_origin
from serving.records.entry import beginning
from serving.records.errors import broken
from serving.records.merkle import Tree, tree_at
from serving.records.sqlite import Connect, SqliteDatabase, connect_writer
from serving.records.tables import Database, Head, Tables, read_head, require_log, stored_nodes

DATABASE, LOCK = "records.sqlite", "writer.lock"


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


def database_of(place: Place, connect: Connect = connect_writer) -> Database:
    """Return the database of a log.

    Parameters
    ----------
    connect : opens the writer's connection to a SQLite file
    """
    return SqliteDatabase(place.database, place.lock, place.origin, connect)


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


def require_same_age(database: Database, place: Place, anchors: Anchors, *, is_new: bool) -> None:
    """Refuse a database without its checkpoints, and checkpoints without their database.

    Raises
    ------
    AuditBroken : one of them was taken away
    """
    signed_size = anchors.last[0].size if anchors.last else None
    if is_new and signed_size:
        raise broken(f"no database where {signed_size} records were signed", database.where)
    if not is_new and signed_size is None:
        raise broken("no checkpoint of a log that has been in use", str(place.anchors))


def _continued(tables: Tables, place: Place, tree: Tree) -> Head:
    """Return the state that follows from the rows after a tree, each of them checked."""
    previous = stored_nodes(tables)(0, tree.size - 1) if tree.size else beginning(place.origin)
    leaves = []
    for sequence, row in enumerate(tables.rows(tree.size), start=tree.size):
        found = (row.entry.sequence, row.entry.previous, row.entry.leaf())
        if found != (sequence, previous, row.leaf):
            raise broken("a record that was changed, or one that is missing before it", f"record {sequence}")
        previous = row.leaf
        leaves.append(row.leaf)
    grown, _ = tree.grown(leaves)
    return Head(grown, previous)
