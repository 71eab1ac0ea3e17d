"""A model compiled for explanation: exact contributions of every feature at about the cost of the score.

What the tables say is LightGBM's own path-dependent TreeSHAP, in double precision; see `models.patterns` for what they
hold and `models.pattern_kernels` for how a loan is looked up. A tree too deep for a table is explained by LightGBM.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.compilation import compiled
from models import pattern_kernels as kernels
from models.pattern_kernels import Codebook, Tables
from models.patterns import Cuts, LeafGroup, cuts_of, leaf_groups, table_shape, too_deep
from models.pauses import with_pauses
from models.trees import Floats, Missing, Tree, booster_of, texts_of, trees_of

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
    trees = trees_of(booster)
    cuts = {index: cuts_of(tree) for index, tree in enumerate(with_pauses(trees)) if not too_deep(tree)}
    kept = _kept(trees, cuts, most_numbers)
    tabulated = [trees[index] for index in kept]
    groups = [list(leaf_groups(trees[index], cuts[index])) for index in with_pauses(kept)]
    base = sum(
        sum(group.share for group in found) if found else float(tree.leaf_value[0])
        for tree, found in zip(tabulated, groups, strict=True)
    )
    left_out = sorted(set(range(len(trees))) - set(kept))
    rest = _only(booster, left_out) if left_out else None
    features = booster.num_feature()
    read = [[_column(tree, node) for node in range(len(tree.feature))] for tree in with_pauses(tabulated)]
    columns = sorted({column for found in read for column in found}, key=_in_order)
    known = _thresholds(features, tabulated)
    codebook = _codebook(known, columns)
    if rest is not None:
        told = np.asarray(rest.predict(np.zeros((1, features)), pred_contrib=True), dtype=np.float64)
        base += float(told[0, -1])
    return PatternTables(
        features=features,
        base=float(base),
        error=sum(group.error for found in groups for group in found),
        codebook=codebook,
        tables=_tables(known, tabulated, read, groups, codebook, columns),
        untabulated=rest,
    )


def _kept(trees: Sequence[Tree], cuts: Mapping[int, Cuts], most_numbers: int) -> list[int]:
    """Return the trees whose tables have room together, of those that can be cut; the largest are left out first."""
    shapes = {index: table_shape(trees[index], cut) for index, cut in with_pauses(cuts.items())}
    widest = max((width for _, width in shapes.values()), default=0)
    sizes = {index: rows * widest for index, (rows, _) in shapes.items()}
    total, kept = sum(sizes.values()), set(sizes)
    for index in sorted(sizes, key=lambda tree: (-sizes[tree], tree)):
        if total <= most_numbers:
            break
        kept.remove(index)
        total -= sizes[index]
    return sorted(kept)


def _only(booster: lgb.Booster, chosen: Sequence[int]) -> lgb.Booster:
    """Return a booster of some of the trees."""
    head, texts, tail = texts_of(booster)
    return booster_of(head, (texts[tree] for tree in chosen), tail)


def _codebook(known: Sequence[Sequence[float]], columns: Sequence[Column]) -> Codebook:
    features, padded = len(known), [_padded(values) for values in known]
    sets = sorted({members for _, _, members in columns if members}, key=sorted)
    return Codebook(
        threshold=np.concatenate([np.array(values, dtype=np.float64) for values in padded]),
        threshold_begin=_begins(map(len, padded)),
        zero=np.array([np.searchsorted(values, 0.0) + 1 for values in padded], dtype=np.uint32),
        column_begin=np.searchsorted([feature for feature, _, _ in columns], np.arange(features + 1)).astype(np.int64),
        column_kind=np.array([kind for _, kind, _ in columns], dtype=np.uint8),
        column_set=np.array([sets.index(members) if members else 0 for _, _, members in columns], dtype=np.int64),
        category_set=_membership(sets),
    )


def _tables(
    known: Sequence[Sequence[float]],
    trees: Sequence[Tree],
    read: Sequence[Sequence[Column]],
    groups: Sequence[Sequence[LeafGroup]],
    codebook: Codebook,
    columns: Sequence[Column],
) -> Tables:
    features = len(known)
    nodes = [(tree, own) for tree, own, found in zip(trees, read, groups, strict=True) for _ in found]
    every = [group for found in groups for group in found]
    most = max((len(group.nodes) for group in every), default=0)
    widest = int(np.diff(codebook.threshold_begin).max(initial=0))
    place = {column: index for index, column in enumerate(columns)}
    column = np.full((len(every), most), len(columns), dtype=np.uint16)
    cut = np.zeros((len(every), most), dtype=np.uint8 if widest <= NARROW else np.uint16)
    for row, ((tree, own), group) in enumerate(with_pauses(zip(nodes, every, strict=True))):
        column[row, : len(group.nodes)] = [place[own[node]] for node in group.nodes]
        cut[row, : len(group.nodes)] = [_cut(tree, node, known) for node in group.nodes]
    width = max((group.table.shape[1] for group in every), default=0)
    at = width * _begins(len(group.table) for group in every)
    feature = np.full((len(every), width), features + 1, dtype=np.uint16)
    table = np.zeros(int(at[-1]))
    for row, group in enumerate(with_pauses(every)):
        slots = group.table.shape[1]
        feature[row, :slots] = (*group.features, features)
        table[at[row] : at[row + 1]].reshape(-1, width)[:, :slots] = group.table
    sums, terms = _sums(features, groups, at)
    return Tables(
        tree_groups=_begins(map(len, groups)),
        bits=np.array([len(group.nodes) for group in every], dtype=np.int64),
        column=column,
        cut=cut,
        at=at[:-1].astype(np.uint64),
        feature=feature,
        tree_sums=_begins(map(len, sums)),
        sum_feature=np.array([feature for found in sums for feature in found], dtype=np.uint16),
        sum_terms=_begins(map(len, terms)),
        term_group=np.array([group for found in terms for group, _ in found], dtype=np.uint16),
        term_at=np.array([place for found in terms for _, place in found], dtype=np.uint64),
        table=table,
    )


def _cut(tree: Tree, node: int, known: Sequence[Sequence[float]]) -> int:
    """Return the largest code that goes left: of values up to the threshold, or of members of the set."""
    if tree.categorical[node]:
        return 1
    return bisect_left(known[tree.features[node]], tree.threshold[node]) + 1


def _thresholds(features: int, trees: Sequence[Tree]) -> list[list[float]]:
    """Return the different thresholds of each feature, in order."""
    found: list[set[float]] = [set() for _ in range(features)]
    for tree in trees:
        for feature, value, categorical in zip(
            tree.features, tree.threshold.tolist(), tree.categorical.tolist(), strict=True
        ):
            if not categorical:
                found[feature].add(value)
    return [sorted(known) for known in found]


def _column(tree: Tree, node: int) -> Column:
    feature = tree.features[node]
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
    features: int, groups: Sequence[Sequence[LeafGroup]], at: npt.NDArray[np.int64]
) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    """Return the features of each tree and, for each of those, the groups of the tree that move it and where.

    The score itself counts as the feature after the last.
    """
    sums: list[list[int]] = []
    terms: list[list[tuple[int, int]]] = []
    tables = iter(at.tolist())
    for found in with_pauses(groups):
        moved: dict[int, list[tuple[int, int]]] = {}
        for (place, group), begin in zip(enumerate(found), tables, strict=False):
            for slot, feature in enumerate((*group.features, features)):
                moved.setdefault(feature, []).append((place, begin + slot))
        sums.append(list(moved))
        terms.extend(moved.values())
    return sums, terms


def _membership(sets: Sequence[frozenset[int]]) -> npt.NDArray[np.uint8]:
    table = np.zeros((max(len(sets), 1), max((max(members) + 1 for members in sets), default=1)), dtype=np.uint8)
    for row, members in enumerate(sets):
        table[row, sorted(members)] = 1
    return table


def _padded(known: Sequence[float]) -> list[float]:
    """Return thresholds filled up to a power of two less one: every search then takes the same steps."""
    return [*known, *[np.inf] * ((1 << len(known).bit_length()) - 1 - len(known))]


def _begins(sizes: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.array([*accumulate(sizes, initial=0)], dtype=np.int64)
