"""The proof that the log is what was written and signed: every record, every hash and every checkpoint, read again.

Reads only, also while the service writes. The first damage is named with the number of its record. Of a record that was
dropped at the end of its term the leaf hash is left, and a signed order that names it (`serving.records.expiry`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from serving.records.anchors import read_anchors, read_last
from serving.records.checkpoint import Checkpoint, opened
from serving.records.entry import beginning
from serving.records.errors import AuditBroken, broken, expired
from serving.records.expiry import Following, Named, orders_in
from serving.records.merkle import Node, Tree, consistency_proof, inclusion_proof, is_consistent, is_included
from serving.records.opening import Place, database_of
from serving.records.tables import Gone, Head, Row, Tables, read_head, reading, require_log, stored_nodes

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
    expired : how many were dropped at the end of their terms, each by a signed order
    ordered : how many are ordered to go and are still there, because a run was cut off or a legal hold was placed
    """

    records: int
    signed: int
    checkpoints: int
    root: bytes
    expired: int = 0
    ordered: int = 0


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
    with reading(database_of(place)) as tables:
        require_log(tables, place.origin)
        following = followed_orders(tables, place, max(stated))
        head = _head_of(tables, place, stated, following)
        if read_head(tables) != head:
            raise broken("metadata that tell of another state than the records", tables.where)
        tables.require_sound()
    expired = following.gone.total()
    return Report(head.tree.size, max(stated), len(kept), head.tree.root(), expired, following.waiting)


def receipt(place: Place, sequence: int) -> Receipt:
    """Return the proof of one record under the newest checkpoint; it was tried and leads there.

    Raises
    ------
    AuditBroken : there is no such record, no checkpoint covers it yet, or it or what is around it is not as signed
    Expired : it was dropped at the end of its term
    """
    checkpoint, note = read_last(place.anchors, place.origin, place.trusted)
    if not 0 <= sequence < checkpoint.size:
        raise broken(
            f"no signed checkpoint that covers record {sequence}",
            str(place.anchors),
            expected=f"one of the {checkpoint.size} records that are signed",
        )
    with reading(database_of(place)) as tables:
        row = row_at(tables, sequence)
        proof = proof_of(tables, row, checkpoint)
    return Receipt(sequence, row.entry.line(), row.entry.asked.record, proof, note)


def proof_of(tables: Tables, row: Row, checkpoint: Checkpoint) -> tuple[bytes, ...]:
    """Return the hashes from a row to the root of a checkpoint that covers it, which they were found to lead to.

    Raises
    ------
    AuditBroken : they do not: the row or a hash on the way is not what was signed
    """
    proof = inclusion_proof(row.sequence, checkpoint.size, stored_nodes(tables))
    # Of the content, not the hash that stands beside it: both can be changed together.
    if not is_included(row.sequence, checkpoint.size, row.entry.leaf(), proof, checkpoint.root):
        raise broken(
            "a record without a proof: its hash and those around it do not lead to the root that was signed",
            f"record {row.sequence}",
            expected=f"the root of the checkpoint over {checkpoint.size} records",
        )
    return tuple(proof)


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
    with reading(database_of(place)) as tables:
        proof = consistency_proof(old.size, new.size, stored_nodes(tables))
    if not is_consistent(old.size, new.size, old.root, new.root, proof):
        raise broken("another history than was signed", f"the first {old.size} records")
    return Continuation(old.size, new.size, tuple(proof), note)


def followed_orders(tables: Tables, place: Place, signed: int = 0) -> Following:
    """Return what goes along a log and refuses what was dropped without an order.

    Parameters
    ----------
    tables : from which something was read, so that they show one state of the log
    signed : records that a checkpoint covers, as far as is known; the newest is looked at as well

    Raises
    ------
    AuditBroken : an order is none, is not signed, or breaks its own policy
    """
    # After the state of the log was fixed: whoever drops signs the order first.
    newest, _ = read_last(place.anchors, place.origin, place.trusted)
    orders = orders_in(tables, place.origin, place.trusted)
    return Following(Named(order for order in orders if order.sequence < max(signed, newest.size)))


def checked_rows(tables: Tables, place: Place) -> Iterator[Row | Gone]:
    """Yield all rows in order; each follows the one before and has the leaf hash of its content.

    Raises
    ------
    AuditBroken : one does not
    """
    previous = beginning(place.origin)
    for sequence, row in enumerate(tables.rows()):
        row_in_place(row, sequence, previous)
        previous = row.leaf
        yield row


def row_in_place(row: Row | Gone, sequence: int, previous: bytes) -> None:
    """Refuse a row that is not the one of a number, or that does not follow the leaf hash of the one before.

    Raises
    ------
    AuditBroken : it is not, or has not the leaf hash of its content
    """
    _require_in_place(row, sequence)
    if isinstance(row, Row) and row.entry.previous != previous:
        raise _damaged(sequence, "a record that does not follow the one before it")


def row_at(tables: Tables, sequence: int) -> Row:
    """Return one row, which has the leaf hash of its content.

    Raises
    ------
    AuditBroken : there is none, or it has not
    Expired : it was dropped at the end of its term
    """
    row = next(tables.rows(sequence), None)
    _require_in_place(row, sequence)
    if not isinstance(row, Row):
        raise expired(sequence)
    return row


def _require_in_place(row: Row | Gone | None, sequence: int) -> None:
    if row is None or row.sequence != sequence:
        raise _damaged(sequence, "another record, or none, in its place")
    if isinstance(row, Row) and row.entry.leaf() != row.leaf:
        raise _damaged(sequence, "a record whose content is not what its hash was made of")


def _head_of(tables: Tables, place: Place, stated: dict[int, set[bytes]], following: Following) -> Head:
    """Return the state that follows from all rows, after comparing each root that was signed and each node kept."""
    tree, last, kept = Tree(), beginning(place.origin), []
    _require_root(tree, stated)
    waiting: list[bytes] = []
    for row in checked_rows(tables, place):
        following.saw(row)
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
    _require_same_nodes(tables, sorted([*kept, *nodes]))
    return Head(tree, last)


def _require_root(tree: Tree, stated: dict[int, set[bytes]]) -> None:
    if stated.get(tree.size, {tree.root()}) != {tree.root()}:
        raise broken(
            "another history than was signed: each record follows the one before, but their root is another",
            f"the first {tree.size} records",
            expected="the root of the signed checkpoint",
        )


def _require_same_nodes(tables: Tables, expected: list[Node]) -> None:
    for node, other in zip(chain(expected, [None]), chain(tables.subtrees(), [None]), strict=False):
        if node is None and other is None:
            return
        if node is None or other is None or tuple(node) != tuple(other):
            raise broken("inner nodes of the tree that are not those of its records", tables.where)


def _damaged(sequence: int, found: str) -> AuditBroken:
    return broken(found, f"record {sequence}")
