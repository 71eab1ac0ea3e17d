"""Where a tree is cut: neighbouring leaves whose paths share few nodes are one group, looked up at once.

The loops run over all trees of a model and are compiled, so that a service answers meanwhile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.compilation import compiled
from models.trees import Floats, Ints, Trees

GROUP_NODES = 8
"""Nodes that a group shares where it can choose: its table has 2 to that power rows.

Measured with 400 trees of 31 leaves, depth 6: 7 and 8 are level for one loan and for many, 6 and 9 are slower.
"""

MOST_NODES = 12
"""Nodes on the path of a single leaf, beyond which its tree is not tabulated."""

PATTERN_COST = 2.0
"""What finding a group's pattern costs, in look-ups; decides where a tree is cut."""

NOTHING = -1
"""Stands for no node above a root, and no leaf that met a node or a feature."""


class Paths(NamedTuple):
    """How a loan comes to each leaf of all trees, each tree's from left to right.

    leaf : which it is, out of all trees'
    depth : how many nodes are on its path: none if it is its tree's only leaf, or if the tree is too deep
    node : leaves x MOST_NODES; the nodes from the root on, out of all trees'
    left : leaves x MOST_NODES; 1 where the path goes left
    """

    leaf: Ints
    depth: Ints
    node: Ints
    left: Ints


class Groups(NamedTuple):
    """The groups of leaves of all trees; a tree whose leaves have no path has none.

    tree : where the groups of each tree begin, and where the last one's end
    first, leaves : the first leaf of each group, and how many there are
    bits, node : how many nodes are on their paths; groups x MOST_NODES: which, in the order in which the paths meet
        them, filled up with the number of all nodes
    slots, feature : how many features those nodes ask for; groups x (MOST_NODES + 1): which, in the same order, then
        the score as the feature after the last, filled up with the one after that
    """

    tree: Ints
    first: Ints
    leaves: Ints
    bits: Ints
    node: Ints
    slots: Ints
    feature: Ints


class Players(NamedTuple):
    """The features on the path of each leaf, in the order in which it meets them.

    number : how many there are
    slot, yes, no, share : leaves x MOST_NODES: the feature's place among those of the group, the bits of the group's
        pattern that must be set and that must not be for the loan to meet the leaf, and the share of loans that do
    """

    number: Ints
    slot: Ints
    yes: Ints
    no: Ints
    share: Floats


def paths_of(trees: Trees) -> Paths:
    """Return the leaves of all trees with their paths, which are climbed from all leaves at once."""
    nodes, leaves = len(trees.feature), len(trees.leaf_value)
    parent, is_left = np.full((2, nodes + leaves + 1), NOTHING)  # the last stands for what is above a root
    parent[trees.children] = np.arange(nodes)[:, None]
    is_left[trees.children] = (0, 1)
    climbed = [np.arange(nodes, nodes + leaves)]
    for _ in range(MOST_NODES + 1):
        climbed.append(parent[climbed[-1]])
    steps = np.column_stack(climbed)
    tree = np.arange(len(trees)).repeat(np.diff(trees.leaf_begin))
    depth = (steps[:, 1:] != NOTHING).sum(axis=1)
    depth[np.isin(tree, tree[depth > MOST_NODES])] = 0
    above = depth[:, None] - np.arange(MOST_NODES)
    on_path, above = above > 0, np.maximum(above, 1)
    node = np.take_along_axis(steps, above, axis=1)
    left = is_left[np.take_along_axis(steps, above - 1, axis=1)]
    # From left to right is the order of what right turns are as binary digits, the first the highest.
    rank = np.where(on_path, 1 - left, 0) @ (1 << np.arange(MOST_NODES)[::-1])
    leaf = np.lexsort((rank, tree))
    return Paths(leaf, depth[leaf], node[leaf], left[leaf])


def groups_of(trees: Trees, paths: Paths) -> tuple[Groups, Players]:
    """Return the groups of all trees, and what each of their leaves asks of a loan."""
    nodes, leaves = len(trees.feature), len(paths.leaf)
    met = np.full((2, max(nodes, trees.features)), NOTHING)
    cut_from, of_first = np.zeros((2, leaves + 1), dtype=np.int64)
    compiled(cut)(trees.leaf_begin, trees.feature, paths, *met, np.zeros(leaves + 1), cut_from, of_first)
    first = np.flatnonzero(of_first)
    bits, slots = np.zeros((2, len(first)), dtype=np.int64)
    groups = Groups(
        tree=np.searchsorted(first, trees.leaf_begin).astype(np.int64),
        first=first,
        leaves=of_first[first],
        bits=bits,
        node=np.full((len(first), MOST_NODES), nodes),
        slots=slots,
        feature=np.full((len(first), MOST_NODES + 1), trees.features + 1),
    )
    slot, yes, no = np.zeros((3, leaves, MOST_NODES), dtype=np.int64)
    players = Players(np.zeros(leaves, dtype=np.int64), slot, yes, no, np.ones((leaves, MOST_NODES)))
    compiled(meet)(trees.feature, trees.shares, paths, groups, players)
    groups.feature[np.arange(len(first)), slots] = trees.features
    return groups, players


def cut(
    leaf_begin: Ints,
    feature: Ints,
    paths: Paths,
    node_met: Ints,
    feature_met: Ints,
    cost: Floats,
    cut_from: Ints,
    leaves: Ints,
) -> None:
    """Cut each tree's row of leaves so that look-ups are fewest: shortest way over all cuts.

    Parameters
    ----------
    leaf_begin : of each tree
    feature : of each node
    node_met, feature_met : room for the leaf from which each was met last, with NOTHING in it
    cost, cut_from : room for the least look-ups up to each leaf, and where the last group before it begins
    leaves : of each leaf that is its group's first: how many leaves the group has; all 0
    """
    for tree in range(len(leaf_begin) - 1):
        first, last = leaf_begin[tree], leaf_begin[tree + 1]
        if not paths.depth[first]:
            continue
        cost[first] = 0.0
        for leaf in range(first, last):
            cost[leaf + 1] = np.inf
        for begin in range(first, last):
            nodes, features = 0, 0
            for leaf in range(begin, last):
                for place in range(paths.depth[leaf]):
                    node = paths.node[leaf, place]
                    if node_met[node] != begin:
                        node_met[node] = begin
                        nodes += 1
                        if feature_met[feature[node]] != begin:
                            feature_met[feature[node]] = begin
                            features += 1
                if nodes > GROUP_NODES and leaf > begin:
                    break
                total = cost[begin] + features + PATTERN_COST
                if total < cost[leaf + 1]:
                    cost[leaf + 1] = total
                    cut_from[leaf + 1] = begin
        while last > first:
            leaves[cut_from[last]] = last - cut_from[last]
            last = cut_from[last]


def meet(feature: Ints, shares: Floats, paths: Paths, groups: Groups, players: Players) -> None:
    """Number the nodes and the features of each group, and tell what each of its leaves asks of a loan.

    Parameters
    ----------
    feature, shares : of the nodes of all trees
    groups : nothing is met yet, and `bits` and `slots` are 0
    players : all 0, and 1 the shares
    """
    for group in range(len(groups.first)):
        for leaf in range(groups.first[group], groups.first[group] + groups.leaves[group]):
            for place in range(paths.depth[leaf]):
                node, left = paths.node[leaf, place], paths.left[leaf, place]
                bit = 0
                while bit < groups.bits[group] and groups.node[group, bit] != node:
                    bit += 1
                if bit == groups.bits[group]:
                    groups.node[group, bit] = node
                    groups.bits[group] += 1
                slot = 0
                while slot < groups.slots[group] and groups.feature[group, slot] != feature[node]:
                    slot += 1
                if slot == groups.slots[group]:
                    groups.feature[group, slot] = feature[node]
                    groups.slots[group] += 1
                player = 0
                while player < players.number[leaf] and players.slot[leaf, player] != slot:
                    player += 1
                if player == players.number[leaf]:
                    players.slot[leaf, player] = slot
                    players.number[leaf] += 1
                players.share[leaf, player] *= shares[node, left]
                players.yes[leaf, player] |= left << bit
                players.no[leaf, player] |= (1 - left) << bit
