"""A loan's numbers to its contributions: small codes for values, patterns for groups of leaves, look-ups.

Each contribution is added up in the order of trees and, within a tree, of groups: one loan alone gets the same bits
as among a million.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.trees import Floats

Codes = npt.NDArray[Any]
"""Columns x loans, bytes or pairs of bytes."""


class Codebook(NamedTuple):
    """How values become codes. `..._begin` has one entry more than there are features: where the last one ends.

    A column holds what one kind of node sees of a feature: a code, small where the value is small.

    threshold : of each feature, rising, filled up with infinity to a power of two less one
    zero : the code of the value 0 of each feature
    column_begin : the columns of each feature
    column_kind : what happens to missing values, one of the kinds below
    column_set : which set of categories
    category_set : sets x categories, 1 for a member
    """

    threshold: Floats
    threshold_begin: npt.NDArray[np.int64]
    zero: npt.NDArray[np.uint32]
    column_begin: npt.NDArray[np.int64]
    column_kind: npt.NDArray[np.uint8]
    column_set: npt.NDArray[np.int64]
    category_set: npt.NDArray[np.uint8]


class Tables(NamedTuple):
    """The tables of all groups of leaves, end to end, and how to find one's way in them.

    tree_groups : where the groups of each tree begin
    bits : nodes of each group
    column, cut : groups x most nodes; a node goes left where the code in its column is at most its cut. Nodes that a
        group does not have read a column of ones and are never left.
    at : where the group's table begins
    feature : groups x width; the features of each group, then the score, then as often as needed a place for nothing
    tree_sums, sum_feature : the features of each tree ...
    sum_terms, term_group, term_at : ... and for each the groups of the tree that move it, and where in the table
    table : for each group, patterns x width; the score counts as a feature, after the last
    """

    tree_groups: npt.NDArray[np.int64]
    bits: npt.NDArray[np.int64]
    column: npt.NDArray[np.uint16]
    cut: Codes
    at: npt.NDArray[np.uint64]
    feature: npt.NDArray[np.uint16]
    tree_sums: npt.NDArray[np.int64]
    sum_feature: npt.NDArray[np.uint16]
    sum_terms: npt.NDArray[np.int64]
    term_group: npt.NDArray[np.uint16]
    term_at: npt.NDArray[np.uint64]
    table: Floats


AS_ZERO, NAN_LOW, NAN_HIGH, ZERO_LOW, ZERO_HIGH, IN_SET = range(6)
"""Kinds of column: missing counts as 0; it goes left or right; 0 and missing go left or right; categories."""

NEAR_ZERO = float(np.float32(1e-35))
"""LightGBM takes what is nearer to 0 for 0."""


def write_codes(  # noqa: PLR0912 - one pass, written out: numba compiles it
    values: Floats, book: Codebook, place: npt.NDArray[np.uint32], codes: Codes
) -> None:
    """Write the codes of some loans.

    Parameters
    ----------
    values : loans x features
    place : room for a number per loan
    codes : columns x loans and a last row of ones
    """
    loans, features = values.shape
    high = codes.dtype.type(-1)
    for feature in range(features):
        begin, end = book.column_begin[feature], book.column_begin[feature + 1]
        if begin == end:
            continue
        known = book.threshold[book.threshold_begin[feature] : book.threshold_begin[feature + 1]]
        half = np.uint32((len(known) + 1) // 2)
        for loan in range(loans):
            value = values[loan, feature]
            if abs(value) <= NEAR_ZERO:
                value = 0.0
            at = np.uint32(0)
            step = half
            while step:
                at += step if known[at + step - np.uint32(1)] < value else np.uint32(0)
                step >>= np.uint32(1)
            place[loan] = at + np.uint32(1)
        for column in range(begin, end):
            kind = book.column_kind[column]
            code = codes[column]
            if kind == IN_SET:
                members = book.category_set[book.column_set[column]]
                for loan in range(loans):
                    value = values[loan, feature]
                    # LightGBM cuts off what follows the point: -0.5 is category 0.
                    inside = value > -1.0 and value < len(members)
                    code[loan] = 1 if inside and members[np.uint64(max(value, 0.0))] else 2
            elif kind in (NAN_LOW, NAN_HIGH):
                other = high if kind == NAN_HIGH else codes.dtype.type(0)
                for loan in range(loans):
                    code[loan] = other if np.isnan(values[loan, feature]) else codes.dtype.type(place[loan])
            elif kind == AS_ZERO:
                for loan in range(loans):
                    code[loan] = book.zero[feature] if np.isnan(values[loan, feature]) else place[loan]
            else:
                other = high if kind == ZERO_HIGH else codes.dtype.type(0)
                for loan in range(loans):
                    value = values[loan, feature]
                    code[loan] = other if np.isnan(value) or abs(value) <= NEAR_ZERO else codes.dtype.type(place[loan])


def add_up_many(codes: Codes, to: Tables, patterns: npt.NDArray[np.uint16], sums: Floats) -> None:
    """Add up the contributions of many loans, which run in the inner loops.

    Parameters
    ----------
    codes : columns x loans
    patterns : room for the most groups of a tree x loans
    sums : (features and the score) x loans, all 0
    """
    loans = codes.shape[1]
    width = np.uint16(to.feature.shape[1])
    for tree in range(len(to.tree_groups) - 1):
        first = to.tree_groups[tree]
        for group in range(first, to.tree_groups[tree + 1]):
            pattern = patterns[group - first]
            bit = width  # a pattern is where its row begins
            for node in range(to.bits[group]):
                code, cut = codes[to.column[group, node]], to.cut[group, node]
                if node == 0:
                    for loan in range(loans):
                        pattern[loan] = bit if code[loan] <= cut else np.uint16(0)
                else:
                    for loan in range(loans):
                        pattern[loan] += bit if code[loan] <= cut else np.uint16(0)
                bit = np.uint16(bit * 2)
        for entry in range(to.tree_sums[tree], to.tree_sums[tree + 1]):
            total = sums[to.sum_feature[entry]]
            term, end = to.sum_terms[entry], to.sum_terms[entry + 1]
            while end - term > 1:  # two at a time: the sums are fetched and stored half as often
                a, b = patterns[to.term_group[term]], patterns[to.term_group[term + 1]]
                in_a, in_b = to.table[to.term_at[term] :], to.table[to.term_at[term + 1] :]
                for loan in range(loans):
                    total[loan] = (total[loan] + in_a[a[loan]]) + in_b[b[loan]]
                term += 2
            if end > term:
                a, in_a = patterns[to.term_group[term]], to.table[to.term_at[term] :]
                for loan in range(loans):
                    total[loan] += in_a[a[loan]]


def add_up_one(codes: Codes, to: Tables, at: npt.NDArray[np.uint64], sums: Floats) -> None:
    """Add up the contributions of one loan: the same bits as `add_up_many`, with less to set up.

    All groups are taken as equally large, and every row is touched before the first is added up: the processor then
    guesses each loop right and waits for memory once and not for each group. That halves the time.

    Parameters
    ----------
    codes : one for each column
    at : room for a number per group
    sums : one for each feature, one for the score and one for nothing, all 0
    """
    width = np.uint64(to.feature.shape[1])
    for group in range(len(to.bits)):
        pattern = np.uint64(0)
        for node in range(to.column.shape[1]):
            left = codes[to.column[group, node]] <= to.cut[group, node]
            pattern |= np.uint64(left) << np.uint64(node)
        at[group] = to.at[group] + pattern * width
    touched = 0.0
    for group in range(len(to.bits)):
        touched += to.table[at[group]] + to.table[at[group] + width - np.uint64(1)]
    sums[-1] = touched
    features, slot = to.feature.reshape(-1), np.uint64(0)
    for group in range(len(to.bits)):
        place = at[group]
        for _ in range(to.feature.shape[1]):
            sums[features[slot]] += to.table[place]
            place += np.uint64(1)
            slot += np.uint64(1)
