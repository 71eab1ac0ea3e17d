"""A loan's numbers to its contributions, in three steps: small codes for values, patterns for groups, look-ups.

Each contribution is added up in the order of trees and, within a tree, of groups: one loan alone gets the same bits
as among a million.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.trees import Floats


class Layout(NamedTuple):
    """The tables of a model, end to end; `..._begin` has one entry more than there are things, the last one the end.

    A column holds what one kind of node sees of a feature: a code, small where the value is small. A node goes left
    where the code of its column is at most its cut. Nodes of a group beyond its own are never left.
    """

    threshold: Floats  # of each feature, rising, filled up with infinity to a power of two less one
    threshold_begin: npt.NDArray[np.int64]
    column_begin: npt.NDArray[np.int64]  # the columns of each feature
    column_kind: npt.NDArray[np.uint8]  # how it takes a missing value, see below
    column_set: npt.NDArray[np.int64]  # which set of categories
    category_set: npt.NDArray[np.uint8]  # sets x categories: 1 for a member
    group_begin: npt.NDArray[np.int64]  # the groups of each tree
    group_bits: npt.NDArray[np.int64]
    node_column: npt.NDArray[np.uint16]  # groups x most nodes
    node_cut: npt.NDArray[Any]  # groups x most nodes
    group_width: npt.NDArray[np.uint16]
    group_table: npt.NDArray[np.uint64]
    slot_begin: npt.NDArray[np.int64]  # the features of each group
    slot_feature: npt.NDArray[np.uint16]
    sum_begin: npt.NDArray[np.int64]  # the features of each tree ...
    sum_feature: npt.NDArray[np.uint16]
    term_begin: npt.NDArray[np.int64]  # ... and for each the groups that move it, and where in the tables
    term_group: npt.NDArray[np.uint16]
    term_table: npt.NDArray[np.uint64]
    table: Floats


AS_ZERO, NAN_LOW, NAN_HIGH, ZERO_LOW, ZERO_HIGH, IN_SET = range(6)
"""Kinds of column: missing counts as 0, goes left or goes right; 0 and missing go left or right; categories."""

NEAR_ZERO = float(np.float32(1e-35))
"""What LightGBM takes for 0 where 0 stands for missing."""


def explain_many(values: Floats, to: Layout, block: int, out: Floats) -> None:
    """Write the contributions of many loans, features x loans of a block in the inner loops.

    Parameters
    ----------
    values, out : loans x features; `out` holds zeros
    block : loans taken together: their codes, patterns and sums stay in the cache
    """
    loans, features = values.shape
    columns = to.column_begin[features]
    most_groups = 0
    for tree in range(len(to.group_begin) - 1):
        most_groups = max(most_groups, to.group_begin[tree + 1] - to.group_begin[tree])
    codes = np.empty((columns, block), dtype=to.node_cut.dtype)
    high = to.node_cut.dtype.type(-1)
    place = np.empty(block, dtype=np.uint32)
    patterns = np.empty((most_groups, block), dtype=np.uint16)
    sums = np.empty((features, block), dtype=np.float64)
    for first in range(0, loans, block):
        n = min(block, loans - first)
        for feature in range(features):
            if to.column_begin[feature] == to.column_begin[feature + 1]:
                continue
            known = to.threshold[to.threshold_begin[feature] : to.threshold_begin[feature + 1]]
            for row in range(n):
                value = values[first + row, feature]
                at = np.uint32(0)
                step = np.uint32((len(known) + 1) // 2)
                while step:
                    at += step if known[at + step - np.uint32(1)] < value else np.uint32(0)
                    step >>= np.uint32(1)
                place[row] = at + np.uint32(1)
            for column in range(to.column_begin[feature], to.column_begin[feature + 1]):
                kind = to.column_kind[column]
                code = codes[column]
                if kind == NAN_LOW or kind == NAN_HIGH:
                    other = high if kind == NAN_HIGH else to.node_cut.dtype.type(0)
                    for row in range(n):
                        missing = np.isnan(values[first + row, feature])
                        code[row] = other if missing else to.node_cut.dtype.type(place[row])
                elif kind == IN_SET:
                    members = to.category_set[to.column_set[column]]
                    for row in range(n):
                        value = values[first + row, feature]
                        # Beyond the set, and before the first category, are no members; -0.5 counts as category 0.
                        inside = value > -1.0 and value < len(members)
                        code[row] = 1 if inside and members[np.uint64(max(value, 0.0))] else 2
                else:
                    zero = np.uint32(1)
                    for t in range(len(known)):
                        zero += np.uint32(1) if known[t] < 0.0 else np.uint32(0)
                    for row in range(n):
                        value = values[first + row, feature]
                        if kind == AS_ZERO:
                            code[row] = zero if np.isnan(value) else place[row]
                        elif np.isnan(value) or abs(value) <= NEAR_ZERO:
                            code[row] = high if kind == ZERO_HIGH else 0
                        else:
                            code[row] = place[row]
        sums[:] = 0.0
        for tree in range(len(to.group_begin) - 1):
            group_0 = to.group_begin[tree]
            for group in range(group_0, to.group_begin[tree + 1]):
                pattern = patterns[group - group_0]
                bit = to.group_width[group]
                for node in range(to.group_bits[group]):
                    code = codes[to.node_column[group, node]]
                    cut = to.node_cut[group, node]
                    if node == 0:
                        for row in range(n):
                            pattern[row] = bit if code[row] <= cut else np.uint16(0)
                    else:
                        for row in range(n):
                            pattern[row] += bit if code[row] <= cut else np.uint16(0)
                    bit = np.uint16(bit * 2)
            for entry in range(to.sum_begin[tree], to.sum_begin[tree + 1]):
                total = sums[to.sum_feature[entry]]
                term, end = to.term_begin[entry], to.term_begin[entry + 1]
                while end - term >= 2:
                    a, b = patterns[to.term_group[term]], patterns[to.term_group[term + 1]]
                    in_a, in_b = to.table[to.term_table[term] :], to.table[to.term_table[term + 1] :]
                    for row in range(n):
                        total[row] = (total[row] + in_a[a[row]]) + in_b[b[row]]
                    term += 2
                if end > term:
                    a = patterns[to.term_group[term]]
                    in_a = to.table[to.term_table[term] :]
                    for row in range(n):
                        total[row] += in_a[a[row]]
        for feature in range(features):
            for row in range(n):
                out[first + row, feature] = sums[feature, row]


def explain_few(values: Floats, to: Layout, out: Floats) -> None:
    """Write the contributions of a few loans, one after the other: the same bits as `explain_many`, with less to set up.

    Parameters
    ----------
    values, out : loans x features; `out` holds zeros
    """
    loans, features = values.shape
    columns = to.column_begin[features]
    most = to.node_column.shape[1]
    codes = np.empty(columns + 1, dtype=to.node_cut.dtype)
    codes[columns] = 1  # the column of nodes that a group does not have
    high = to.node_cut.dtype.type(-1)
    at_pattern = np.empty(len(to.group_bits), dtype=np.uint64)
    for row in range(loans):
        for feature in range(features):
            if to.column_begin[feature] == to.column_begin[feature + 1]:
                continue
            known = to.threshold[to.threshold_begin[feature] : to.threshold_begin[feature + 1]]
            value = values[row, feature]
            missing = np.isnan(value)
            place = np.uint32(0)
            step = np.uint32((len(known) + 1) // 2)
            while step:
                place += step if known[place + step - np.uint32(1)] < value else np.uint32(0)
                step >>= np.uint32(1)
            place += np.uint32(1)
            for column in range(to.column_begin[feature], to.column_begin[feature + 1]):
                kind = to.column_kind[column]
                if kind == IN_SET:
                    members = to.category_set[to.column_set[column]]
                    inside = value > -1.0 and value < len(members)
                    codes[column] = 1 if inside and members[np.uint64(max(value, 0.0))] else 2
                elif kind == AS_ZERO:
                    if missing:
                        zero = np.uint32(1)
                        for t in range(len(known)):
                            zero += np.uint32(1) if known[t] < 0.0 else np.uint32(0)
                        codes[column] = zero
                    else:
                        codes[column] = place
                elif missing or (kind >= ZERO_LOW and abs(value) <= NEAR_ZERO):
                    codes[column] = high if kind == NAN_HIGH or kind == ZERO_HIGH else 0
                else:
                    codes[column] = place
        for group in range(len(to.group_bits)):
            pattern = np.uint64(0)
            for node in range(most):
                left = codes[to.node_column[group, node]] <= to.node_cut[group, node]
                pattern |= np.uint64(left) << np.uint64(node)
            at_pattern[group] = to.group_table[group] + pattern * np.uint64(to.group_width[group])
        for group in range(len(to.group_bits)):
            at = at_pattern[group]
            for slot in range(to.slot_begin[group], to.slot_begin[group + 1]):
                out[row, to.slot_feature[slot]] += to.table[at]
                at += np.uint64(1)
