"""The proof that the log is what was written and signed: every record, every hash and every checkpoint, read again.

Reads only, also while the service writes. The first damage is named with the number of its record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from serving.records import database
from serving.records.anchors import read_anchors, read_last
from serving.records.checkpoint import opened
from serving.records.database import Head, Row
from serving.records.entry import beginning
from serving.records.errors import AuditBroken, broken
from serving.records.merkle import Node, Tree, consistency_proof, inclusion_proof, is_consistent
from serving.records.opening import Place

BATCH = 512
"""Records whose leaves go into the tree together."""


@dataclass(frozen=True)
class Report:
    """What was checked, and held.

    Attributes
    ----------
    records : all that are in the database
    signed : how many of them a checkpoint covers; the rest, of the last second, could still be cut off unseen
    checkpoints : with their signatures
    root : over all records
    """

    records: int
    signed: int
    checkpoints: int
    root: bytes


@dataclass(frozen=True)
class Receipt:
    """What proves one decision to somebody who has only the log's public key.

    Attributes
    ----------
    line : the entry, which the leaf hash covers (`serving.records.entry`)
    record : the bytes whose digest the entry holds
    proof : hashes from the leaf to the root, the lowest first
    note : the signed checkpoint of that root
    """

    sequence: int
    line: bytes
    record: bytes
    proof: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True)
class Continuation:
    """What proves to the holder of an earlier checkpoint that nothing it covered was changed since.

    Attributes
    ----------
    first, second : records at the earlier and at the newest checkpoint
    proof : hashes for `merkle.is_consistent`
    note : the newest checkpoint
    """

    first: int
    second: int
    proof: tuple[bytes, ...]
    note: bytes


def verify(place: Place, remembered: Iterable[bytes] = ()) -> Report:
    """Check the whole log.

    Parameters
    ----------
    remembered : notes of checkpoints that were kept elsewhere; they find what the file of checkpoints cannot, a log
        that was set back together with that file

    Raises
    ------
    AuditBroken : the first damage, with the number of its record where it has one
    ConfigurationRefused : this user cannot read the database
    """
    # Before the records are read: what is signed meanwhile covers more of them than are seen here.
    kept = [checkpoint for checkpoint, _ in read_anchors(place.anchors, place.origin, place.trusted)]
    kept += [opened(note, place.origin, place.trusted) for note in remembered]
    stated: dict[int, set[bytes]] = {}
    for checkpoint in kept:
        stated.setdefault(checkpoint.size, set()).add(checkpoint.root)
    try:
        with closing(database.connect_reader(place.database)) as connection:
            connection.execute("BEGIN")  # one state of the log for all that follows
            database.require_schema(connection, place.database, place.origin)
            head = _head_of(connection, place, stated)
            _require_same_metadata(connection, place, head)
            _require_sound_file(connection, place)
    except database.UNREADABLE as error:
        raise database.unreadable(error, place.database) from error
    return Report(head.tree.size, max(stated), len(kept), head.tree.root())


def receipt(place: Place, sequence: int) -> Receipt:
    """Return the proof of one record under the newest checkpoint.

    Raises
    ------
    AuditBroken : there is no such record, no checkpoint covers it yet, or the log around it is damaged
    """
    checkpoint, note = read_last(place.anchors, place.origin, place.trusted)
    if not 0 <= sequence < checkpoint.size:
        raise broken(
            f"no signed checkpoint that covers record {sequence}",
            str(place.anchors),
            expected=f"one of the {checkpoint.size} records that are signed",
        )
    try:
        with closing(database.connect_reader(place.database)) as connection:
            connection.execute("BEGIN")
            row = next(database.read_rows(connection, place.database, sequence), None)
            _require_in_place(row, sequence)
            assert row is not None
            proof = inclusion_proof(sequence, checkpoint.size, database.stored_nodes(connection, place.database))
    except database.UNREADABLE as error:
        raise database.unreadable(error, place.database) from error
    return Receipt(sequence, row.entry.line(), row.entry.asked.record, tuple(proof), note)


def continuation(place: Place, earlier: bytes) -> Continuation:
    """Return the proof that the log still begins with what an earlier checkpoint covered (RFC 9162 section 2.1.4).

    Parameters
    ----------
    earlier : the note that somebody kept; it must be of this log and signed

    Raises
    ------
    AuditBroken : the log does not continue it, because it was set back or written anew
    ConfigurationRefused : this user cannot read the database
    """
    old = opened(earlier, place.origin, place.trusted)
    new, note = read_last(place.anchors, place.origin, place.trusted)
    if new.size < old.size:
        raise _damaged(new.size, f"the end of the log where {old.size} records were signed")
    try:
        with closing(database.connect_reader(place.database)) as connection:
            connection.execute("BEGIN")
            proof = consistency_proof(old.size, new.size, database.stored_nodes(connection, place.database))
    except database.UNREADABLE as error:
        raise database.unreadable(error, place.database) from error
    if not is_consistent(old.size, new.size, old.root, new.root, proof):
        raise broken("another history than was signed", f"the first {old.size} records")
    return Continuation(old.size, new.size, tuple(proof), note)


def checked_rows(connection: sqlite3.Connection, place: Place) -> Iterator[Row]:
    """Yield all rows in order; each follows the one before and has the leaf hash of its content.

    Raises
    ------
    AuditBroken : one does not
    """
    previous = beginning(place.origin)
    for sequence, row in enumerate(database.read_rows(connection, place.database)):
        _require_in_place(row, sequence)
        if row.entry.previous != previous:
            raise _damaged(sequence, "a record that does not follow the one before it")
        previous = row.leaf
        yield row


def _require_in_place(row: Row | None, sequence: int) -> None:
    if row is None or row.entry.sequence != sequence:
        raise _damaged(sequence, "another record, or none, in its place")
    if row.entry.leaf() != row.leaf:
        raise _damaged(sequence, "a record whose content is not what its hash was made of")


def _head_of(connection: sqlite3.Connection, place: Place, stated: dict[int, set[bytes]]) -> Head:
    """Return the state that follows from all rows, after comparing each root that was signed and each node kept."""
    tree, last, kept = Tree(), beginning(place.origin), []
    _require_root(tree, stated)
    waiting: list[bytes] = []
    for row in checked_rows(connection, place):
        waiting.append(row.leaf)
        last = row.leaf
        size = tree.size + len(waiting)
        if size in stated or len(waiting) == BATCH:
            tree, nodes = tree.grown(waiting)
            kept += nodes
            waiting = []
            _require_root(tree, stated)
    tree, nodes = tree.grown(waiting)
    if max(stated) > tree.size:
        raise _damaged(tree.size, f"the end of the log where {max(stated)} records were signed")
    _require_same_nodes(connection, place, sorted([*kept, *nodes]))
    return Head(tree, last)


def _require_root(tree: Tree, stated: dict[int, set[bytes]]) -> None:
    if stated.get(tree.size, {tree.root()}) != {tree.root()}:
        raise broken(
            "another history than was signed: each record follows the one before, but their root is another",
            f"the first {tree.size} records",
            expected="the root of the signed checkpoint",
        )


def _require_same_nodes(connection: sqlite3.Connection, place: Place, expected: list[Node]) -> None:
    found = connection.execute("SELECT level, position, hash FROM subtrees ORDER BY level, position").fetchall()
    for node, other in zip(chain(expected, [None]), chain(found, [None]), strict=False):
        if node is None and other is None:
            return
        if node is None or other is None or tuple(node) != tuple(other):
            raise broken("inner nodes of the tree that are not those of its records", str(place.database))


def _require_same_metadata(connection: sqlite3.Connection, place: Place, head: Head) -> None:
    if database.read_head(connection, place.database) != head:
        raise broken("metadata that tell of another state than the records", str(place.database))


def _require_sound_file(connection: sqlite3.Connection, place: Place) -> None:
    # The rows can be whole while the index that finds a repeated request leads elsewhere.
    found = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if found != [("ok",)]:
        raise broken("a database file that is damaged beside its records", str(place.database))


def _damaged(sequence: int, found: str) -> AuditBroken:
    return broken(found, f"record {sequence}")
