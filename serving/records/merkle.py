"""One hash that stands for all records, and short proofs that a record is among them or that none was taken back.

The hash tree of RFC 6962 section 2.1 and RFC 9162 section 2.1: SHA-256, a leaf is hashed behind the byte 0x00 and an
inner node behind 0x01, so that neither can be passed off as the other. A proof is about log2(records) hashes long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LEAF, NODE = b"\x00", b"\x01"
HASH_BYTES = hashlib.sha256().digest_size
EMPTY_ROOT = hashlib.sha256(b"").digest()
KEPT_LEVELS = 8
"""Of the inner nodes every eighth level is kept (over 256 leaves, over 65,536): a proof reads 256 hashes a level."""


class Node(NamedTuple):
    """The hash over the 2**level leaves that begin at position * 2**level."""

    level: int
    position: int
    hash: bytes


Nodes = Callable[[int, int], bytes]
"""Takes level and position and returns the hash of that whole subtree."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry as a leaf."""
    return hashlib.sha256(LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbouring subtrees."""
    return hashlib.sha256(NODE + left + right).digest()


@dataclass(frozen=True)
class Tree:
    """What has to be remembered of a tree so that it can grow: the roots of its whole subtrees, the largest first.

    Attributes
    ----------
    size : leaves
    peaks : one hash for each bit that is set in `size`
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def grown(self, leaves: Iterable[bytes]) -> tuple[Tree, list[Node]]:
        """Return the tree with leaf hashes appended, and the inner nodes that became whole and are to be kept."""
        size, peaks, kept = self.size, list(self.peaks), []
        for leaf in leaves:
            node, level = leaf, 0
            while size >> level & 1:
                node = node_hash(peaks.pop(), node)
                level += 1
                if level % KEPT_LEVELS == 0:
                    kept.append(Node(level, size >> level, node))
            peaks.append(node)
            size += 1
        return Tree(size, tuple(peaks)), kept

    def root(self) -> bytes:
        """Return the hash that stands for all leaves (RFC 6962 section 2.1, MTH)."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def tree_at(size: int, nodes: Nodes) -> Tree:
    """Return the tree as it was with its first `size` leaves."""
    peaks, begun = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(nodes(level, begun >> level))
            begun += 1 << level
    return Tree(size, tuple(peaks))


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Return the subtrees over leaf hashes that are all at hand."""

    def node(level: int, position: int) -> bytes:
        return folded(leaves[position << level : (position + 1) << level])

    return node


def folded(row: Sequence[bytes]) -> bytes:
    """Return the hash over neighbouring subtrees of one size; their number is a power of two."""
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the hashes that lead from a leaf to the root of the first `size` leaves (RFC 9162 section 2.1.3.1).

    Parameters
    ----------
    index : the leaf, counted from 0 and below `size`
    """
    return _path(index, 0, size, nodes)


def consistency_proof(first: int, second: int, nodes: Nodes) -> list[bytes]:
    """Return the hashes that show a tree of `first` leaves to be the beginning of one of `second` (section 2.1.4.1).

    Empty where both are the same tree or the first has no leaf.
    """
    if first in {0, second}:
        return []
    return _subproof(first, 0, second, nodes, whole=True)


def is_included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether a proof leads from the leaf hash at `index` to `root`, using each of its hashes once.

    The algorithm of RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size or not _hashes(leaf, root, *proof):
        return False
    left, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if left & 1 or left == last:
            node = node_hash(step, node)
            while left and not left & 1:
                left, last = left >> 1, last >> 1
        else:
            node = node_hash(node, step)
        left, last = left >> 1, last >> 1
    return last == 0 and node == root


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that the tree of `first` leaves is the beginning of the one of `second`.

    The algorithm of RFC 9162 section 2.1.4.2. Two trees of one size need the same root and an empty proof; the empty
    tree is the beginning of every tree.
    """
    if not 0 <= first <= second or not _hashes(first_root, second_root, *proof):
        return False
    if first == second:
        return not proof and first_root == second_root and (first > 0 or first_root == EMPTY_ROOT)
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    # A whole first tree is itself the start of the path and is left out of the proof.
    steps = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not steps:
        return False
    left, last = first - 1, second - 1
    while left & 1:
        left, last = left >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if left & 1 or left == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while left and not left & 1:
                left, last = left >> 1, last >> 1
        else:
            new = node_hash(new, step)
        left, last = left >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _path(index: int, begin: int, end: int, nodes: Nodes) -> list[bytes]:
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(index, begin, middle, nodes), _root(middle, end, nodes)]
    return [*_path(index, middle, end, nodes), _root(begin, middle, nodes)]


def _subproof(first: int, begin: int, end: int, nodes: Nodes, *, whole: bool) -> list[bytes]:
    if first == end:
        return [] if whole else [_root(begin, end, nodes)]
    middle = begin + _split(end - begin)
    if first <= middle:
        return [*_subproof(first, begin, middle, nodes, whole=whole), _root(middle, end, nodes)]
    return [*_subproof(first, middle, end, nodes, whole=False), _root(begin, middle, nodes)]


def _root(begin: int, end: int, nodes: Nodes) -> bytes:
    """Return the hash over a range that is a subtree of ours: only its right edge may be ragged."""
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return nodes(level, begin >> level)
    middle = begin + _split(count)
    return node_hash(_root(begin, middle, nodes), _root(middle, end, nodes))


def _split(count: int) -> int:
    """Return the largest power of two below a count of two or more (RFC 6962 section 2.1)."""
    return 1 << (count - 1).bit_length() - 1
