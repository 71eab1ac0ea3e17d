"""A model compiled for explanation: exact contributions of every feature at about the cost of the score.

What the tables say is LightGBM's own path-dependent TreeSHAP, in double precision; see `models.patterns` for what they
hold and `models.pattern_kernels` for how a loan is looked up. A tree too deep for a table is explained by LightGBM.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

import lightgbm as lgb
import numpy as np

from features.compilation import compiled
from models import pattern_kernels as kernels
from models.pattern_kernels import Layout
from models.patterns import LeafGroup, leaf_groups, table_size, too_deep
from models.trees import TREE, Floats, Missing, Tree, trees_of

MOST_NUMBERS = 32_000_000
"""Numbers in all tables of a model: 256 MB. Trees beyond it, largest first, are left to LightGBM."""

BLOCK = 1024
"""Loans taken together; measured level from 1,024 to 2,048, slower below."""

FEW = 4
"""Loans up to which one after the other is faster."""

LEAST_PER_THREAD = 512
"""Fewer loans than this are not worth a thread of their own."""

NARROW = 253
"""Most thresholds of a feature whose codes still fit in a byte."""

Column = tuple[int, int, frozenset[int]]
"""A feature, how its missing values are taken, and a set of categories."""


@dataclass(frozen=True)
class PatternTables:
    """The compiled model: `base` is the mean score of the population, `error` bounds what parts may miss a score by.

    `error` is the sum, over all groups of leaves, of the largest difference between a pattern's contributions and
    what the pattern's leaf adds to the score: every pattern there is has been tried, so no loan can exceed it but for
    the rounding of sums.
    """

    features: int
    base: float
    error: float
    layout: Layout
    untabulated: lgb.Booster | None

    @property
    def trees_left_to_lightgbm(self) -> int:
        """How many trees are too deep or too large for tables."""
        return 0 if self.untabulated is None else int(self.untabulated.num_trees())

    @property
    def megabytes(self) -> float:
        """The size of the tables."""
        return self.layout.table.nbytes / 1e6

    def contributions(self, values: Floats, threads: int = 0) -> Floats:
        """Return each feature's contribution to each score, in log-odds: loans x features.

        Parameters
        ----------
        values : loans x features, missing is NaN
        threads : 0 for all cores; the result does not depend on it

        Raises
        ------
        ValueError : the values have another number of columns
        """
        values = np.ascontiguousarray(values, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.features:  # noqa: PLR2004 - loans x features
            raise ValueError(f"values of shape {values.shape}; pass loans x {self.features} features")
        out = np.zeros_like(values)
        if len(values) <= FEW:
            compiled(kernels.explain_few)(values, self.layout, out)
        else:
            self._explain_many(values, out, threads)
        if self.untabulated is not None:
            told = self.untabulated.predict(values, pred_contrib=True, num_threads=threads)
            out += np.asarray(told, dtype=np.float64)[:, :-1]
        return out

    def _explain_many(self, values: Floats, out: Floats, threads: int) -> None:
        workers = max(1, min(threads or os.cpu_count() or 1, len(values) // LEAST_PER_THREAD))
        bounds = np.linspace(0, len(values), workers + 1).astype(int)
        explain = compiled(kernels.explain_many)

        def chunk(begin: int, end: int) -> None:
            explain(values[begin:end], self.layout, min(BLOCK, end - begin), out[begin:end])

        if workers == 1:
            chunk(0, len(values))
            return
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(chunk, bounds[:-1], bounds[1:]))


def compile_booster(booster: lgb.Booster, *, most_numbers: int = MOST_NUMBERS) -> PatternTables:
    """Return the tables of a booster.

    Raises
    ------
    ModelRefused : the booster is of a kind whose scores are not a sum of one tree's leaf each
    """
    trees = trees_of(booster)
    left_out = _left_out(trees, most_numbers)
    tabulated = [tree for index, tree in enumerate(trees) if index not in left_out]
    groups = [list(leaf_groups(tree)) for tree in tabulated]
    base = sum(
        sum(group.share for group in found) if found else float(tree.leaf_value[0])
        for tree, found in zip(tabulated, groups, strict=True)
    )
    rest = _only(booster, sorted(left_out)) if left_out else None
    features = booster.num_feature()
    if rest is not None:
        told = np.asarray(rest.predict(np.zeros((1, features)), pred_contrib=True), dtype=np.float64)
        base += float(told[0, -1])
    return PatternTables(
        features=features,
        base=float(base),
        error=sum(group.error for found in groups for group in found),
        layout=_layout(features, tabulated, groups),
        untabulated=rest,
    )


def _left_out(trees: Sequence[Tree], most_numbers: int) -> set[int]:
    left_out = {index for index, tree in enumerate(trees) if too_deep(tree)}
    sizes = {index: table_size(tree) for index, tree in enumerate(trees) if index not in left_out}
    total = sum(sizes.values())
    for index in sorted(sizes, key=lambda tree: (-sizes[tree], tree)):
        if total <= most_numbers:
            break
        left_out.add(index)
        total -= sizes[index]
    return left_out


def _only(booster: lgb.Booster, chosen: Sequence[int]) -> lgb.Booster:
    """Return a booster of some of the trees."""
    head, *texts, tail = TREE.split(booster.model_to_string())
    # The header's sizes speak of all trees; without them LightGBM reads tree by tree.
    head = re.sub(r"^tree_sizes=.*\n", "", head, flags=re.MULTILINE)
    return lgb.Booster(model_str=head + "".join(texts[tree] for tree in chosen) + tail)


def _layout(features: int, trees: Sequence[Tree], groups: Sequence[Sequence[LeafGroup]]) -> Layout:
    thresholds = [sorted(_thresholds(trees, feature)) for feature in range(features)]
    columns = sorted({_column(tree, node) for tree in trees for node in range(len(tree.feature))}, key=_in_order)
    place = {column: index for index, column in enumerate(columns)}
    code = [{value: index + 1 for index, value in enumerate(known)} for known in thresholds]
    every = [group for found in groups for group in found]
    most = max((len(group.nodes) for group in every), default=0)
    narrow = max((len(known) for known in thresholds), default=0) <= NARROW
    node_column = np.full((len(every), most), len(columns), dtype=np.uint16)
    node_cut = np.zeros((len(every), most), dtype=np.uint8 if narrow else np.uint16)
    owner = [tree for tree, found in zip(trees, groups, strict=True) for _ in found]
    for row, (tree, group) in enumerate(zip(owner, every, strict=True)):
        for bit, node in enumerate(group.nodes):
            node_column[row, bit] = place[_column(tree, node)]
            feature = int(tree.feature[node])
            node_cut[row, bit] = 1 if tree.categorical[node] else code[feature][float(tree.threshold[node])]
    table_begin = _begins(group.table.size for group in every)
    sums, terms = _sums(groups, table_begin)
    sets = sorted({members for _, _, members in columns if members}, key=sorted)
    padded = [_padded(known) for known in thresholds]
    return Layout(
        threshold=np.concatenate([np.array(known) for known in padded]) if padded else np.zeros(0),
        threshold_begin=np.array(_begins(map(len, padded)), dtype=np.int64),
        column_begin=np.searchsorted([column[0] for column in columns], np.arange(features + 1)).astype(np.int64),
        column_kind=np.array([kind for _, kind, _ in columns], dtype=np.uint8),
        column_set=np.array([sets.index(members) if members else 0 for _, _, members in columns], dtype=np.int64),
        category_set=_membership(sets),
        group_begin=np.array(_begins(map(len, groups)), dtype=np.int64),
        group_bits=np.array([len(group.nodes) for group in every], dtype=np.int64),
        node_column=node_column,
        node_cut=node_cut,
        group_width=np.array([len(group.features) for group in every], dtype=np.uint16),
        group_table=np.array(table_begin[:-1], dtype=np.uint64),
        slot_begin=np.array(_begins(len(group.features) for group in every), dtype=np.int64),
        slot_feature=np.array([feature for group in every for feature in group.features], dtype=np.uint16),
        sum_begin=np.array(_begins(map(len, sums)), dtype=np.int64),
        sum_feature=np.array([feature for found in sums for feature in found], dtype=np.uint16),
        term_begin=np.array(_begins(map(len, terms)), dtype=np.int64),
        term_group=np.array([group for found in terms for group, _ in found], dtype=np.uint16),
        term_table=np.array([at for found in terms for _, at in found], dtype=np.uint64),
        table=np.concatenate([group.table.ravel() for group in every]) if every else np.zeros(0),
    )


def _thresholds(trees: Sequence[Tree], feature: int) -> set[float]:
    return {
        float(value)
        for tree in trees
        for value in tree.threshold[(tree.feature == feature) & ~tree.categorical]
    }


def _column(tree: Tree, node: int) -> Column:
    feature = int(tree.feature[node])
    if tree.categorical[node]:
        return feature, kernels.IN_SET, tree.categories[int(tree.threshold[node])]
    left = bool(tree.default_left[node])
    kind = {
        Missing.NOTHING: kernels.AS_ZERO,
        Missing.ZERO: kernels.ZERO_LOW if left else kernels.ZERO_HIGH,
        Missing.NAN: kernels.NAN_LOW if left else kernels.NAN_HIGH,
    }[Missing(tree.missing[node])]
    return feature, kind, frozenset()


def _in_order(column: Column) -> tuple[int, int, list[int]]:
    feature, kind, members = column
    return feature, kind, sorted(members)


def _sums(
    groups: Sequence[Sequence[LeafGroup]], table_begin: Sequence[int]
) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    """Return the features of each tree and, for each of those, the groups of the tree that move it and where."""
    sums: list[list[int]] = []
    terms: list[list[tuple[int, int]]] = []
    row = 0
    for found in groups:
        moved: dict[int, list[tuple[int, int]]] = {}
        for place, group in enumerate(found):
            for slot, feature in enumerate(group.features):
                moved.setdefault(feature, []).append((place, table_begin[row] + slot))
            row += 1
        sums.append(list(moved))
        terms.extend(moved.values())
    return sums, terms


def _membership(sets: Sequence[frozenset[int]]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    table = np.zeros((max(len(sets), 1), max((max(members) + 1 for members in sets), default=1)), dtype=np.uint8)
    for row, members in enumerate(sets):
        table[row, sorted(members)] = 1
    return table


def _padded(known: Sequence[float]) -> list[float]:
    """Fill up with infinity to a power of two less one: a search then takes the same steps for every value."""
    return [*known, *[np.inf] * ((1 << len(known).bit_length()) - 1 - len(known))]


def _begins(sizes: object) -> list[int]:
    return list(accumulate(sizes, initial=0))  # type: ignore[call-overload]
