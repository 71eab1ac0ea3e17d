"""The tree is that of RFC 6962: known answers, a slow second opinion, and no proof that was touched is believed.

REPAYRANK_FORGED_PROOFS sets how many proofs of each kind are touched, each in some 1,900 ways; a release asks for 500.
"""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.records.merkle import (
    EMPTY_ROOT,
    KEPT_LEVELS,
    Tree,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    nodes_of,
    tree_at,
)

PROOFS = int(os.environ.get("REPAYRANK_FORGED_PROOFS", "15"))

# The leaves, roots and proofs of Chromium's ct_log_verifier_unittest, used by every RFC 6962 implementation.
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (0, 1): [],
}
CONSISTENCY = {
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (1, 1): [],
}
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def reference_root(entries: list[bytes]) -> bytes:
    """Return MTH as RFC 6962 section 2.1 writes it, from the entries up."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = reference_split(len(entries))
    return hashlib.sha256(b"\x01" + reference_root(entries[:k]) + reference_root(entries[k:])).digest()


def reference_split(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def reference_path(m: int, entries: list[bytes]) -> list[bytes]:
    """Return PATH of RFC 6962 section 2.1.1."""
    if len(entries) == 1:
        return []
    k = reference_split(len(entries))
    if m < k:
        return [*reference_path(m, entries[:k]), reference_root(entries[k:])]
    return [*reference_path(m - k, entries[k:]), reference_root(entries[:k])]


def reference_subproof(m: int, entries: list[bytes], whole: bool) -> list[bytes]:
    """Return SUBPROOF of RFC 6962 section 2.1.2."""
    if m == len(entries):
        return [] if whole else [reference_root(entries)]
    k = reference_split(len(entries))
    if m <= k:
        return [*reference_subproof(m, entries[:k], whole), reference_root(entries[k:])]
    return [*reference_subproof(m - k, entries[k:], False), reference_root(entries[:k])]


def entries_of(size: int) -> list[bytes]:
    return [index.to_bytes(2, "big") for index in range(size)]


def root_of(entries: list[bytes]) -> bytes:
    return Tree().grown(map(leaf_hash, entries))[0].root()


def test_the_roots_are_those_of_the_known_answers():
    tree = Tree()
    assert tree.root() == EMPTY_ROOT
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree, _ = tree.grown([leaf])
        assert tree.root().hex() == root


def test_the_proofs_are_those_of_the_known_answers():
    for (index, size), proof in INCLUSION.items():
        assert [step.hex() for step in inclusion_proof(index, size, nodes_of(LEAVES))] == proof
    for (first, second), proof in CONSISTENCY.items():
        assert [step.hex() for step in consistency_proof(first, second, nodes_of(LEAVES))] == proof


def test_every_tree_and_proof_up_to_40_leaves_is_that_of_the_recursive_definition():
    for size in range(1, 41):
        entries = entries_of(size)
        leaves = [leaf_hash(entry) for entry in entries]
        nodes, root = nodes_of(leaves), reference_root(entries)
        assert root_of(entries) == root == tree_at(size, nodes).root()
        for index in range(size):
            proof = inclusion_proof(index, size, nodes)
            assert proof == reference_path(index, entries)
            assert is_included(index, size, leaves[index], proof, root)
        for first in range(size + 1):
            proof = consistency_proof(first, size, nodes)
            assert proof == (reference_subproof(first, entries, True) if first else [])
            assert is_consistent(first, size, reference_root(entries[:first]), root, proof)


@given(st.lists(st.integers(0, 700), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_tree_that_grew_in_pieces_keeps_the_nodes_of_every_eighth_level(sizes):
    whole = [leaf_hash(entry) for entry in entries_of(sum(sizes))]
    tree, kept, begun = Tree(), [], 0
    for size in sizes:
        tree, new = tree.grown(whole[begun : begun + size])
        kept, begun = kept + new, begun + size
    at_once, kept_at_once = Tree().grown(whole)
    nodes = nodes_of(whole)
    assert (tree, kept) == (at_once, kept_at_once)
    assert [(node.level, node.position) for node in kept] == [
        (KEPT_LEVELS, position) for position in range(len(whole) >> KEPT_LEVELS)
    ]
    assert all(node.hash == nodes(node.level, node.position) for node in kept)


def flips(proof: list[bytes]):
    for place, step in enumerate(proof):
        for bit in range(8 * len(step)):
            changed = bytearray(step)
            changed[bit // 8] ^= 1 << bit % 8
            yield [*proof[:place], bytes(changed), *proof[place + 1 :]]


def other_lists(proof: list[bytes], extra: list[bytes]):
    """Yield the proof with hashes dropped, doubled, added, swapped and cut."""
    for place in range(len(proof)):
        yield [*proof[:place], *proof[place + 1 :]]
        yield [*proof[: place + 1], *proof[place:]]
        yield [*proof[:place], proof[place][:-1], *proof[place + 1 :]]
        for other in range(place):
            swapped = [*proof]
            swapped[place], swapped[other] = swapped[other], swapped[place]
            if swapped != proof:
                yield swapped
    for place in range(len(proof) + 1):
        for hash_ in (*extra, b""):
            yield [*proof[:place], hash_, *proof[place:]]


@given(st.data())
@settings(max_examples=PROOFS, deadline=None)
def test_an_inclusion_proof_that_was_touched_is_never_believed(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    entries = entries_of(size)
    leaves = [leaf_hash(entry) for entry in entries]
    root, proof = root_of(entries), inclusion_proof(index, size, nodes_of(leaves))
    leaf = leaves[index]
    for touched in (*flips(proof), *other_lists(proof, [leaf, root, bytes(32)])):
        assert not is_included(index, size, leaf, touched, root)
    for other in range(-1, size + 2):
        assert other == index or not is_included(other, size, leaf, proof, root)
    for flipped in flips([leaf]):
        assert not is_included(index, size, flipped[0], proof, root)
    for flipped in flips([root]):
        assert not is_included(index, size, leaf, proof, flipped[0])
    # The same path may exist in a tree of another size (RFC 9162 binds the size by the signed checkpoint), but only
    # under the same root, and that tree's own root is another.
    for other in range(1, 2 * size + 2):
        assert other == size or not is_included(index, other, leaf, proof, root_of(entries_of(other)))


@given(st.data())
@settings(max_examples=PROOFS, deadline=None)
def test_a_consistency_proof_that_was_touched_is_never_believed(data):
    second = data.draw(st.integers(1, 70))
    first = data.draw(st.integers(1, second))
    entries = entries_of(second)
    old, new = root_of(entries[:first]), root_of(entries)
    proof = consistency_proof(first, second, nodes_of([leaf_hash(entry) for entry in entries]))
    assert is_consistent(first, second, old, new, proof)
    for touched in (*flips(proof), *other_lists(proof, [old, new, bytes(32)])):
        assert not is_consistent(first, second, old, new, touched)
    for flipped in flips([old]):
        assert not is_consistent(first, second, flipped[0], new, proof)
    for flipped in flips([new]):
        assert not is_consistent(first, second, old, flipped[0], proof)
    for other in range(1, second + 1):
        if other != first:
            assert not is_consistent(other, second, root_of(entries[:other]), new, proof)
    for other in range(first, second):
        assert not is_consistent(first, other, old, root_of(entries[:other]), proof)
    if first < second:
        assert not is_consistent(second, first, new, old, proof)


@pytest.mark.parametrize("size", [2, 3, 7, 64])
def test_a_history_that_was_rewritten_has_no_proof_made_of_its_own_hashes(size):
    honest, forged = entries_of(size), entries_of(size)
    forged[0] = b"forged"
    grown = [*forged, b"next"]
    proof = consistency_proof(size, size + 1, nodes_of([leaf_hash(entry) for entry in grown]))
    assert not is_consistent(size, size + 1, root_of(honest), root_of(grown), proof)


def test_nothing_is_included_in_an_empty_tree_and_the_empty_tree_is_the_beginning_of_all():
    assert not is_included(0, 0, LEAVES[0], [], EMPTY_ROOT)
    assert is_consistent(0, 8, EMPTY_ROOT, bytes.fromhex(ROOTS[7]), [])
    assert not is_consistent(0, 8, LEAVES[0], bytes.fromhex(ROOTS[7]), [])
    assert not is_consistent(0, 8, EMPTY_ROOT, bytes.fromhex(ROOTS[7]), [LEAVES[0]])
    assert not is_consistent(0, 0, LEAVES[0], LEAVES[0], [])
