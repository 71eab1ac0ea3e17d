"""All that a tree can say of a loan, worked out once: decisions are few, so their contributions are tabulated.

A loan meets a tree only in the yes or no of its nodes. The tree is cut into groups of leaves whose paths share few
nodes; a group's pattern is the yes or no of its nodes, and for every pattern the exact path-dependent Shapley value of
each feature is written into a table. A loan's contributions are then look-ups, and sums over groups and trees.

For one leaf, the players are the features on its path; player j meets the leaf's conditions (o_j = 1) or not (0), and
where it is not followed the path is taken by a share z_j of the loans. The leaf's value v gives player i

    v (o_i - z_i) * product of z_j over those that do not meet * sum over k of k!(m-1-k)!/m! e_k,

without i in product and sum, e_k being the coefficient of x^k in the product of (z_j + x) over those that meet
(Lundberg and others, 2020, "From local explanations to global understanding with explainable AI for trees", method 1,
written as a table over patterns).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.compilation import compiled
from models.trees import Floats, Ints, Tree

GROUP_NODES = 8
"""Nodes that a group shares where it can choose: its table has 2 to that power rows.

Measured with 400 trees of 31 leaves, depth 6: 7 and 8 are level for one loan and for many, 6 and 9 are slower.
"""

MOST_NODES = 12
"""Nodes on the path of a single leaf, beyond which its tree is not tabulated."""

PATTERN_COST = 2.0
"""What finding a group's pattern costs, in look-ups; decides where a tree is cut."""

Cuts = list[tuple[int, int]]
"""The first leaf of each group, and the one after its last."""


@dataclass(frozen=True)
class LeafGroup:
    """Some neighbouring leaves of a tree: its nodes, the features on them, and a row of contributions per pattern.

    Bit n of a pattern is set where node n is left by its left branch. `table` is patterns x (features and the score):
    its last column is what the pattern's leaf adds to the score, beyond the mean value of these leaves over the
    population, which is `share`. `error` is the largest distance, over all patterns, between the sum of the
    contributions in a row and the score in it.
    """

    nodes: tuple[int, ...]
    features: tuple[int, ...]
    table: Floats
    share: float
    error: float


def too_deep(tree: Tree) -> bool:
    """Return whether a path of the tree is too long for a table."""
    return any(len(path) > MOST_NODES for _, path in tree.leaves)


def table_shape(tree: Tree, cuts: Cuts) -> tuple[int, int]:
    """Return how many rows the tables of a tree have, and how many columns the widest."""
    shapes = [_shape(tree, *cut) for cut in cuts]
    return sum(1 << len(nodes) for nodes, _ in shapes), max(len(features) + 1 for _, features in shapes)


def leaf_groups(tree: Tree, cuts: Cuts) -> Iterator[LeafGroup]:
    """Return the groups of a tree, from left to right; a tree of one leaf has none."""
    if len(tree.feature):
        for begin, end in cuts:
            yield _tabulated(tree, begin, end)


def cuts_of(tree: Tree) -> Cuts:
    """Return where to cut a tree's row of leaves, so that look-ups are fewest: shortest way over all cuts."""
    leaves = tree.leaves
    nodes = [sum(1 << node for node, _ in path) for _, path in leaves]
    features = [frozenset(tree.features[node] for node, _ in path) for _, path in leaves]
    cost, cut_from = [0.0] + [float("inf")] * len(leaves), [0] * (len(leaves) + 1)
    for begin in range(len(leaves)):
        shared, read = 0, frozenset[int]()
        for end in range(begin + 1, len(leaves) + 1):
            shared, read = shared | nodes[end - 1], read | features[end - 1]
            if shared.bit_count() > GROUP_NODES and end > begin + 1:
                break
            if cost[begin] + len(read) + PATTERN_COST < cost[end]:
                cost[end], cut_from[end] = cost[begin] + len(read) + PATTERN_COST, begin
    cuts, end = [], len(leaves)
    while end:
        cuts.append((cut_from[end], end))
        end = cut_from[end]
    return cuts[::-1]


def _shape(tree: Tree, begin: int, end: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the nodes and the features of a group, each in the order in which the paths meet them."""
    nodes = tuple(dict.fromkeys(node for _, path in tree.leaves[begin:end] for node, _ in path))
    return nodes, tuple(dict.fromkeys(tree.features[node] for node in nodes))


def _tabulated(tree: Tree, begin: int, end: int) -> LeafGroup:
    nodes, features = _shape(tree, begin, end)
    bit_of = {node: bit for bit, node in enumerate(nodes)}
    slot_of = {feature: slot for slot, feature in enumerate(features)}
    leaves = tree.leaves[begin:end]
    players: list[int] = []
    slot, yes, no = ([[0] * MOST_NODES for _ in leaves] for _ in range(3))
    share = [[1.0] * MOST_NODES for _ in leaves]
    for row, (_, path) in enumerate(leaves):
        place: dict[int, int] = {}
        for node, left in path:
            feature = tree.features[node]
            player = place.setdefault(feature, len(place))
            slot[row][player] = slot_of[feature]
            share[row][player] *= tree.shares[node][left]
            (yes if left else no)[row][player] |= 1 << bit_of[node]
        players.append(len(place))
    table = np.zeros((1 << len(nodes), len(features) + 1))
    value = tree.leaf_value[[leaf for leaf, _ in leaves]]
    most = 1 << max(players)
    room = (np.empty(most), np.empty((most, MOST_NODES + 1)), np.empty(most))
    rows = (np.array(players), *(np.array(one) for one in (slot, yes, no, share)))
    mean, error = compiled(tabulate)(value, *rows, *room, table)
    return LeafGroup(nodes, features, table, float(mean), float(error))


def tabulate(  # noqa: PLR0912 - one pass, written out: numba compiles it
    value: Floats,
    players: Ints,
    slot: Ints,
    yes: Ints,
    no: Ints,
    share: Floats,
    product: Floats,
    grown: Floats,
    weighed: Floats,
    table: Floats,
) -> tuple[float, float]:
    """Fill the table of a group; return the mean value of its leaves, and the largest error of a row's sum.

    Parameters
    ----------
    value : of each leaf
    players : how many features are on each leaf's path
    slot, yes, no, share : leaves x players: the column of the player, the bits that must be set and that must not be
        for it to meet the leaf, and the share of loans that do
    product, grown, weighed : room for what is known of each set of players, from the empty one to all: the product of
        their shares; the coefficients of the product of (z + x); and the sum of these with Shapley's weights
    table : patterns x (features and the score), all 0
    """
    said = table[:, -1]
    mean = 0.0
    for leaf in range(len(value)):
        m = players[leaf]
        size = 1 << m
        z = share[leaf]
        for chosen in range(size):
            if chosen == 0:
                product[chosen] = 1.0
                for k in range(m + 1):
                    grown[chosen, k] = 0.0 if k else 1.0
            else:
                last = 0
                while not (chosen >> last) & 1:
                    last += 1
                rest = chosen & (chosen - 1)
                product[chosen] = product[rest] * z[last]
                for k in range(m + 1):
                    grown[chosen, k] = grown[rest, k] * z[last] + (grown[rest, k - 1] if k else 0.0)
            weight, weighed[chosen] = 1.0 / m, 0.0
            for k in range(m):
                weighed[chosen] += weight * grown[chosen, k]
                weight = weight * (k + 1) / max(m - 1 - k, 1)
        everyone = size - 1
        mean += value[leaf] * product[everyone]
        for pattern in range(len(table)):
            meets = 0
            for i in range(m):
                if (pattern & yes[leaf, i]) == yes[leaf, i] and not pattern & no[leaf, i]:
                    meets |= 1 << i
            for i in range(m):
                me = 1 << i
                follows = 1.0 if meets & me else 0.0
                others = weighed[meets & ~me] * product[everyone & ~meets & ~me]
                table[pattern, slot[leaf, i]] += value[leaf] * (follows - z[i]) * others
            if meets == everyone:
                said[pattern] += value[leaf]
    error = 0.0
    for pattern in range(len(table)):
        said[pattern] -= mean
        summed = 0.0
        for column in range(table.shape[1] - 1):
            summed += table[pattern, column]
        error = max(error, abs(summed - said[pattern]))
    return mean, error
