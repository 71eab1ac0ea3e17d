"""A model compiled for explanation: exact contributions of every feature at about the cost of the score.

What the tables say is LightGBM's own path-dependent TreeSHAP, in double precision; see `models.patterns` for what they
hold and `models.pattern_kernels` for how a loan is looked up. A tree too deep for a table is explained by LightGBM.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.compilation import compiled
from models import pattern_kernels as kernels
from models.leaf_groups import MOST_NODES, Groups, Paths, Players, groups_of, paths_of
from models.pattern_kernels import Codebook, Tables
from models.patterns import tabulate
from models.trees import Floats, Ints, Trees, begins, booster_of, texts_of, trees_of

MOST_NUMBERS = 32_000_000
"""Numbers in all tables of a model: 256 MB. Trees beyond it, largest first, are left to LightGBM."""

BLOCK = 2048
"""Loans taken together: fewer are slower, as each look-up into a table is set up for fewer loans."""

FEW = 4
"""Loans up to which one after the other is faster."""

BYTES_PER_MB = 1e6

LEAST_PER_THREAD = 512
"""Fewer loans than this are not worth a thread of their own."""

NARROW = 253
"""Most thresholds of a feature whose codes still fit in a byte."""

Columns = tuple[Ints, ...]
"""The feature of each column, how it is read, and the number of its set of categories, from 1."""

KINDS = np.array(
    [
        [kernels.AS_ZERO, kernels.AS_ZERO],
        [kernels.ZERO_HIGH, kernels.ZERO_LOW],
        [kernels.NAN_HIGH, kernels.NAN_LOW],
    ]
)
"""The kind of a node's column, for each `Missing`, where these go right and where they go left."""


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
    codebook: Codebook
    tables: Tables
    untabulated: lgb.Booster | None

    @property
    def trees_left_to_lightgbm(self) -> int:
        """How many trees are too deep or too large for tables."""
        return 0 if self.untabulated is None else int(self.untabulated.num_trees())

    @property
    def megabytes(self) -> float:
        """The size of the tables."""
        return self.tables.table.nbytes / BYTES_PER_MB

    def contributions(self, values: Floats, threads: int = 0) -> Floats:
        """Return each feature's contribution to each score, in log-odds: loans x features."""
        return self.explained(values, threads)[0]

    def scores(self, values: Floats, threads: int = 0) -> Floats:
        """Return the scores, in log-odds."""
        return self.explained(values, threads)[1]

    def explained(self, values: Floats, threads: int = 0) -> tuple[Floats, Floats]:
        """Return contributions, loans x features, and scores, in log-odds.

        The score is the sum of the leaves a loan falls into, and no sum of the contributions: each checks the other.

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
        out = np.zeros((len(values), self.features + 1))
        if len(values) <= FEW:
            self._one_by_one(values, out)
        else:
            self._in_blocks(values, out, threads or os.cpu_count() or 1)
        if self.untabulated is not None:
            told = np.asarray(self.untabulated.predict(values, pred_contrib=True, num_threads=threads))
            out[:, :-1] += told[:, :-1]
            out[:, -1] += np.asarray(self.untabulated.predict(values, raw_score=True)) - told[:, -1]
        return out[:, :-1], self.base + out[:, -1]

    def _one_by_one(self, values: Floats, out: Floats) -> None:
        write, add_up = compiled(kernels.write_codes), compiled(kernels.add_up_one)
        codes, place = self._codes(1), np.empty(1, dtype=np.uint32)
        at, sums = np.empty(len(self.tables.bits), dtype=np.uint64), np.empty(self.features + 2)
        for loan in range(len(values)):
            write(values[loan : loan + 1], self.codebook, place, codes)
            sums[:] = 0.0
            add_up(codes[:, 0], self.tables, at, sums)
            out[loan] = sums[:-1]

    def _in_blocks(self, values: Floats, out: Floats, threads: int) -> None:
        write, add_up = compiled(kernels.write_codes), compiled(kernels.add_up_many)
        groups = int(np.diff(self.tables.tree_groups).max(initial=0))

        def chunk(begin: int, end: int) -> None:
            for first in range(begin, end, BLOCK):
                last = min(first + BLOCK, end)
                size = last - first
                codes = self._codes(size)
                write(values[first:last], self.codebook, np.empty(size, dtype=np.uint32), codes)
                sums = np.zeros((self.features + 1, size))
                add_up(codes, self.tables, np.empty((groups, size), dtype=np.uint16), sums)
                out[first:last] = sums.T

        workers = max(1, min(threads, len(values) // LEAST_PER_THREAD))
        if workers == 1:
            chunk(0, len(values))
            return
        bounds = np.linspace(0, len(values), workers + 1).astype(int).tolist()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(chunk, bounds[:-1], bounds[1:]))

    def _codes(self, loans: int) -> kernels.Codes:
        codes = np.empty((len(self.codebook.column_kind) + 1, loans), dtype=self.tables.cut.dtype)
        codes[-1] = 1
        return codes


def compile_booster(booster: lgb.Booster, *, most_numbers: int = MOST_NUMBERS) -> PatternTables:
    """Return the tables of a booster.

    Raises
    ------
    ModelRefused : the booster is of a kind whose scores are not a sum of one tree's leaf each
    """
    head, texts, tail = texts_of(booster)
    trees = trees_of(head, texts)
    paths = paths_of(trees)
    groups, players = groups_of(trees, paths)
    kept, rest = _kept(trees, groups, most_numbers), None
    if len(kept) < len(trees):
        left_out = sorted(set(range(len(trees))) - set(kept))
        rest = booster_of(head, (texts[tree] for tree in left_out), tail)
        trees = trees_of(head, [texts[tree] for tree in kept])
        paths = paths_of(trees)
        groups, players = groups_of(trees, paths)
    table, mean, error = _tabulated(trees, paths, groups, players)
    base = _base(trees, groups, mean)
    if rest is not None:
        told = np.asarray(rest.predict(np.zeros((1, trees.features)), pred_contrib=True), dtype=np.float64)
        base += float(told[0, -1])
    known, code = _thresholds(trees)
    sets, columns, column = _columns(trees)
    codebook = _codebook(known, sets, columns)
    return PatternTables(
        features=trees.features,
        base=float(base),
        error=sum(error.tolist()),
        codebook=codebook,
        tables=_tables(trees.features, groups, codebook, column, code, table),
        untabulated=rest,
    )


def _kept(trees: Trees, groups: Groups, most_numbers: int) -> list[int]:
    """Return the trees whose tables have room together, of those not too deep; the largest are left out first."""
    only_leaf = np.diff(trees.begin) == 0
    rows = np.diff(_rows(groups)[groups.tree]) + only_leaf
    widest = int(groups.slots.max(initial=0)) + 1
    sizes = {tree: size * widest for tree, size in enumerate(rows.tolist()) if size}
    total, kept = sum(sizes.values()), set(sizes)
    for index in sorted(sizes, key=lambda tree: (-sizes[tree], tree)):
        if total <= most_numbers:
            break
        kept.remove(index)
        total -= sizes[index]
    return sorted(kept)


def _rows(groups: Groups) -> Ints:
    """Return where the rows of each group's table begin, and where the last one's end: one for each pattern."""
    return begins((1 << groups.bits).tolist())


def _tabulated(trees: Trees, paths: Paths, groups: Groups, players: Players) -> tuple[Floats, Floats, Floats]:
    """Return the tables of all groups, patterns x width, and the mean value and the error of each group."""
    row = _rows(groups)
    table = np.zeros((int(row[-1]), int(groups.slots.max(initial=-1)) + 1))
    mean, error = np.zeros((2, len(groups.first)))
    most = 1 << int(players.number.max(initial=0))
    room = np.empty(most), np.empty((most, MOST_NODES + 1)), np.empty(most), np.empty((most, MOST_NODES))
    compiled(tabulate)(groups, players, trees.leaf_value[paths.leaf], *room, row, table, mean, error)
    return table, mean, error


def _base(trees: Trees, groups: Groups, mean: Floats) -> float:
    """Return the mean score of the population: of the groups of each tree, or its only leaf's value."""
    means, only = mean.tolist(), trees.leaf_value[trees.leaf_begin[:-1]].tolist()
    return sum(
        sum(means[begin:end]) if end > begin else leaf
        for (begin, end), leaf in zip(pairwise(groups.tree.tolist()), only, strict=True)
    )


def _thresholds(trees: Trees) -> tuple[list[Floats], Ints]:
    """Return the different thresholds of each feature, in order, and the largest code that goes left at each node.

    That is the number of the node's threshold among its feature's, from 1; of categories, 1 for members of the set.
    """
    node = np.flatnonzero(trees.chosen < 0)
    node = node[np.lexsort((trees.threshold[node], trees.feature[node]))]
    feature, threshold = trees.feature[node], trees.threshold[node]
    new = np.ones(len(node), dtype=np.bool_)
    new[1:] = (feature[1:] != feature[:-1]) | (threshold[1:] != threshold[:-1])
    begin = np.searchsorted(feature[new], np.arange(trees.features + 1))
    code = np.ones(len(trees.feature), dtype=np.int64)
    code[node] = np.cumsum(new) - begin[feature]
    return np.split(threshold[new], begin[1:-1]), code


def _columns(trees: Trees) -> tuple[list[frozenset[int]], Columns, Ints]:
    """Return the different sets of categories, the different columns that nodes read, in order, and each node's."""
    asked = {trees.categories[chosen] for chosen in trees.chosen[trees.chosen >= 0].tolist()}
    sets = sorted(asked - {frozenset()}, key=sorted)
    number = {members: index for index, members in enumerate(sets, start=1)}
    number_of = np.array([*(number.get(members, 0) for members in trees.categories), 0])
    kind = np.where(trees.chosen >= 0, kernels.IN_SET, KINDS[trees.missing, trees.default_left.astype(np.int64)])
    shape = trees.features, kernels.IN_SET + 1, len(sets) + 1
    found, column = np.unique(
        np.ravel_multi_index((trees.feature, kind, number_of[trees.chosen]), shape), return_inverse=True
    )
    return sets, np.unravel_index(found, shape), column


def _codebook(known: Sequence[Floats], sets: Sequence[frozenset[int]], columns: Columns) -> Codebook:
    padded = [_padded(values) for values in known]
    feature, kind, number = columns
    return Codebook(
        threshold=np.concatenate(padded),
        threshold_begin=begins(map(len, padded)),
        zero=np.array([np.searchsorted(values, 0.0) + 1 for values in known], dtype=np.uint32),
        column_begin=np.searchsorted(feature, np.arange(len(known) + 1)).astype(np.int64),
        column_kind=kind.astype(np.uint8),
        column_set=np.maximum(number - 1, 0),
        category_set=_membership(sets),
    )


def _tables(features: int, groups: Groups, codebook: Codebook, column: Ints, code: Ints, table: Floats) -> Tables:
    most, (_, width) = int(groups.bits.max(initial=0)), table.shape
    widest = int(np.diff(codebook.threshold_begin).max(initial=0))
    node = groups.node[:, :most]
    at = width * _rows(groups)[:-1]
    tree_sums, sum_feature, sum_terms, term_group, term_at = _sums(features, groups, at)
    return Tables(
        tree_groups=groups.tree,
        bits=groups.bits,
        column=_narrow(np.append(column, len(codebook.column_kind))[node], np.uint16),
        cut=_narrow(np.append(code, 0)[node], np.uint8 if widest <= NARROW else np.uint16),
        at=at.astype(np.uint64),
        feature=_narrow(groups.feature[:, :width], np.uint16),
        tree_sums=tree_sums,
        sum_feature=_narrow(sum_feature, np.uint16),
        sum_terms=sum_terms,
        term_group=_narrow(term_group, np.uint16),
        term_at=term_at.astype(np.uint64),
        table=table.reshape(-1),
    )


def _sums(features: int, groups: Groups, at: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Return the features of each tree, as met, and for each of those the groups of the tree that move it and where.

    The score itself counts as the feature after the last.
    """
    group, slot = np.nonzero(groups.feature <= features)
    feature = groups.feature[group, slot]
    tree = np.arange(len(groups.tree) - 1).repeat(np.diff(groups.tree))[group]
    _, first, entry = np.unique(tree * (features + 1) + feature, return_index=True, return_inverse=True)
    met = np.argsort(first)
    entry = np.argsort(met)[entry]
    first, order = first[met], np.argsort(entry, kind="stable")
    return (
        begins(np.bincount(tree[first], minlength=len(groups.tree) - 1).tolist()),
        feature[first],
        begins(np.bincount(entry).tolist()),
        (group - groups.tree[tree])[order],
        (at[group] + slot)[order],
    )


def _membership(sets: Sequence[frozenset[int]]) -> npt.NDArray[np.uint8]:
    table = np.zeros((max(len(sets), 1), max((max(members) + 1 for members in sets), default=1)), dtype=np.uint8)
    for row, members in enumerate(sets):
        table[row, sorted(members)] = 1
    return table


def _padded(known: Floats) -> Floats:
    """Return thresholds filled up to a power of two less one: every search then takes the same steps."""
    return np.append(known, np.full((1 << len(known).bit_length()) - 1 - len(known), np.inf))


def _narrow(numbers: npt.NDArray[np.int64], kind: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    """Return numbers in fewer bytes.

    Raises
    ------
    OverflowError : one does not fit
    """
    if (most := int(numbers.max(initial=0))) > np.iinfo(kind).max:
        raise OverflowError(f"{most} does not fit in {np.dtype(kind).name}")
    return np.ascontiguousarray(numbers, dtype=kind)
