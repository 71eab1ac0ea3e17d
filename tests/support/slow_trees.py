"""The trees of a model, where they are cut and what their tables hold, the slow way: one leaf and pattern at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np

from models.leaf_groups import GROUP_NODES, PATTERN_COST

Path = tuple[tuple[int, bool], ...]
Numbers = np.ndarray[Any, Any]


class SlowTree(NamedTuple):
    """A tree; each leaf, from left to right, with its value and its path: the nodes, and whether it goes left."""

    feature: list[int]
    threshold: list[float]
    covers: list[tuple[int, int]]
    cover: list[int]
    leaves: list[tuple[float, Path]]


def slow_trees(booster: lgb.Booster) -> list[SlowTree]:
    """Return the trees as LightGBM itself tells of them, not as its text does."""
    return [_tree(told["tree_structure"]) for told in booster.dump_model()["tree_info"]]


def _tree(root: dict[str, Any]) -> SlowTree:
    tree = SlowTree([], [], [], [], [])
    inner: dict[int, dict[str, Any]] = {}

    def walk(node: dict[str, Any], path: Path) -> None:
        if "split_index" not in node:
            tree.leaves.append((node["leaf_value"], path))
            return
        inner[node["split_index"]] = node
        walk(node["left_child"], (*path, (node["split_index"], True)))
        walk(node["right_child"], (*path, (node["split_index"], False)))

    walk(root, ())
    for index in range(len(inner)):
        node = inner[index]
        tree.feature.append(node["split_feature"])
        tree.threshold.append(node["threshold"])
        tree.cover.append(node["internal_count"])
        right, left = (node[f"{side}_child"] for side in ("right", "left"))
        tree.covers.append(tuple(one.get("internal_count", one.get("leaf_count")) for one in (right, left)))
    return tree


def slow_cuts(tree: SlowTree) -> list[tuple[int, int]]:
    """Return the first leaf of each group and the one after its last: the shortest way over all cuts."""
    leaves = len(tree.leaves)
    cost, cut_from = [0.0] + [float("inf")] * leaves, [0] * (leaves + 1)
    for begin in range(leaves):
        for end in range(begin + 1, leaves + 1):
            nodes = {node for _, path in tree.leaves[begin:end] for node, _ in path}
            if len(nodes) > GROUP_NODES and end > begin + 1:
                break
            reached = cost[begin] + len({tree.feature[node] for node in nodes}) + PATTERN_COST
            if reached < cost[end]:
                cost[end], cut_from[end] = reached, begin
    ends = [leaves]
    while ends[-1]:
        ends.append(cut_from[ends[-1]])
    return list(pairwise(reversed(ends)))


def slow_groups(tree: SlowTree) -> Iterator[tuple[list[int], list[int], Numbers, float]]:
    """Return of each group its nodes, its features, its table, patterns x (features and score), and its mean value."""
    if not tree.feature:
        return
    for begin, end in slow_cuts(tree):
        leaves = tree.leaves[begin:end]
        nodes = list(dict.fromkeys(node for _, path in leaves for node, _ in path))
        features = list(dict.fromkeys(tree.feature[node] for node in nodes))
        table = np.zeros((1 << len(nodes), len(features) + 1))
        mean = 0.0
        for value, path in leaves:
            mean += value * _add(tree, value, path, nodes, features, table)
        table[:, -1] -= mean
        yield nodes, features, table, mean


def _add(tree: SlowTree, value: float, path: Path, nodes: list[int], features: list[int], table: Numbers) -> float:
    """Add a leaf's contributions to the table of its group; return the share of loans that fall into it."""
    players = list(dict.fromkeys(tree.feature[node] for node, _ in path))
    m, z = len(players), dict.fromkeys(players, 1.0)
    for node, left in path:
        z[tree.feature[node]] *= tree.covers[node][left] / tree.cover[node]

    def product(chosen: set[int]) -> float:
        # From the last player to the first, as the coefficients below: sums of floats depend on the order.
        found = 1.0
        for player in reversed([one for one in players if one in chosen]):
            found *= z[player]
        return found

    def weighed(chosen: set[int]) -> float:
        grown = [1.0] + [0.0] * m
        for player in reversed([one for one in players if one in chosen]):
            grown = [grown[k] * z[player] + (grown[k - 1] if k else 0.0) for k in range(m + 1)]
        found, weight = 0.0, 1.0 / m
        for k in range(m):
            found += weight * grown[k]
            weight = weight * (k + 1) / max(m - 1 - k, 1)
        return found

    given = {}
    for pattern in range(len(table)):
        misses = {tree.feature[node] for node, left in path if bool(pattern >> nodes.index(node) & 1) != left}
        meets = frozenset(players) - misses
        if meets not in given:
            given[meets] = [
                value * ((player in meets) - z[player]) * (weighed(meets - {player}) * product(misses - {player}))
                for player in players
            ]
        for player, contribution in zip(players, given[meets], strict=True):
            table[pattern, features.index(player)] += contribution
        if not misses:
            table[pattern, -1] += value
    return product(set(players))
