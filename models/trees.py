"""The trees of a boosted model as plain numbers: where each node splits, and how many loans went each way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.errors import ModelRefused
from models.pauses import with_pauses

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TREE = re.compile(r"\n(?=(?:Tree=\d+|end of trees)$)", re.MULTILINE)
"""The end of the line before a tree, which a search finds at once: to try every place of a large model for a line's
beginning would hold up, for 40 ms, all that a service answers.
"""
BITS_PER_WORD = 32
CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT, MISSING_BITS = 1, 2, 2, 3
"""Where LightGBM keeps what in a node's `decision_type`."""
FIELDS = {
    "split_feature": np.int64,
    "threshold": np.float64,
    "decision_type": np.int64,
    "left_child": np.int64,
    "right_child": np.int64,
    "internal_count": np.int64,
    "leaf_value": np.float64,
    "leaf_count": np.int64,
}
"""The fields of a tree's text that are read: of its inner nodes and, as their names tell, of its leaves."""
UNTOLD = {"leaf_count": "0"}
"""What stands for a field that a tree of one leaf may leave out, as nothing is taken from it there."""


class Missing(IntEnum):
    """What a node takes for missing and sends its own way; numbered as in LightGBM's model text."""

    NOTHING = 0
    ZERO = 1
    NAN = 2


@dataclass(frozen=True)
class Trees:
    """The trees of a model, end to end. Most arrays run over their inner nodes, those of leaves over their leaves.

    They may ask for so many `features`. A tree's nodes begin at its entry in `begin`, whose last entry is where those
    of the last tree end; it has a leaf more than inner nodes. `children`, nodes x 2, tells where the right and the left
    child lie among all inner nodes and, behind them, all leaves; `shares` which share of the loans that came by went
    there. `missing` is a `Missing`. A categorical node sends the members of a set left, and `chosen` counts that set in
    `categories`; it is -1 for the others, which send left what is at most their `threshold`.
    """

    features: int
    begin: Ints
    feature: Ints
    threshold: Floats
    chosen: Ints
    default_left: npt.NDArray[np.bool_]
    missing: Ints
    children: Ints
    shares: Floats
    leaf_value: Floats
    categories: tuple[frozenset[int], ...]

    def __len__(self) -> int:
        """Return how many trees there are."""
        return len(self.begin) - 1

    @property
    def leaf_begin(self) -> Ints:
        """Return where the leaves of each tree begin, and where the last one's end."""
        return self.begin + np.arange(len(self.begin))


def texts_of(booster: lgb.Booster) -> tuple[str, list[str], str]:
    """Return LightGBM's own text of a booster: what stands before the trees, each tree, and what stands after."""
    *before, tail = TREE.split(booster.model_to_string())
    head, *texts = (f"{text}\n" for text in before)
    return head, texts, tail


def booster_of(head: str, texts: Iterable[str], tail: str) -> lgb.Booster:
    """Return the booster of a text whose trees were changed or chosen."""
    # The header's sizes speak of the old trees; without them LightGBM reads tree by tree.
    head = re.sub(r"^tree_sizes=.*\n", "", head, flags=re.MULTILINE)
    return lgb.Booster(model_str=head + "".join(texts) + tail)


def trees_of(head: str, texts: Sequence[str]) -> Trees:
    """Return the trees that LightGBM's text tells of, some or all of a booster's.

    Raises
    ------
    ModelRefused : the booster is of a kind whose scores are not a sum of one tree's leaf each, or what is written of a
        tree is none
    """
    told, said = _said(head), [_said(text) for text in with_pauses(texts)]
    strange = [
        words
        for words, found in (
            ("it averages its trees", re.search(r"^average_output$", head, re.MULTILINE)),
            ("it has several scores", told.get("num_tree_per_iteration") != "1"),
            ("its leaves hold linear models", any(one.get("is_linear") == "1" for one in said)),
        )
        if found
    ]
    if strange:
        raise ModelRefused(
            strange[0],
            where="model",
            expected="boosted trees with one score and constant leaves",
            do="fit it again without rf, linear_tree or several classes",
        )
    begin = begins(int(one["num_leaves"]) - 1 for one in said)
    read = {key: _numbers(said, key, kind) for key, kind in with_pauses(FIELDS.items())}
    lengths = {key: begin[-1] + (len(said) if key.startswith("leaf") else 0) for key in FIELDS}
    if any(len(read[key]) != length for key, length in lengths.items()) or not _hang_together(
        begin, children := _children(begin, read)
    ):
        raise ModelRefused(
            "a tree whose nodes do not hang together",
            where="model",
            expected="every inner node but the first and every leaf below one node, which is told before it",
            do="store the model as LightGBM writes it",
        )
    if not (read["internal_count"] > 0).all():
        raise ModelRefused(
            "a tree with a node that no loan came by",
            where="model",
            expected="counts of the loans that came by, of which shares are taken",
            do="store the model with its counts, as LightGBM writes it",
        )
    features = int(told["max_feature_idx"]) + 1
    if not ((read["split_feature"] >= 0) & (read["split_feature"] < features)).all():
        raise ModelRefused(
            "a tree that asks for a feature which is none of the model's",
            where="model",
            expected=f"features numbered from 0 to {features - 1}",
            do="store the model as LightGBM writes it",
        )
    kind = read["decision_type"]
    sets = [_sets(one) for one in said]
    chosen = np.full(len(kind), -1)
    by_set = np.flatnonzero(kind & CATEGORICAL)
    own_sets = np.array([len(one) for one in sets], dtype=np.int64).repeat(np.diff(begin))
    chosen_of_own = read["threshold"][by_set]
    missing = (kind >> MISSING_SHIFT) & MISSING_BITS
    if not ((chosen_of_own >= 0) & (chosen_of_own < own_sets[by_set])).all() or missing.max(initial=0) > max(Missing):
        raise ModelRefused(
            "a tree with a node that asks for a set of categories, or treats missing values, in no known way",
            where="model",
            expected="a set that the tree lists, and missing values taken for nothing, for 0 or for missing",
            do="store the model as LightGBM writes it",
        )
    chosen[by_set] = read["threshold"][by_set] + begins(map(len, sets))[:-1].repeat(np.diff(begin))[by_set]
    covers = np.concatenate([read["internal_count"], read["leaf_count"]])
    return Trees(
        features=features,
        begin=begin,
        feature=read["split_feature"],
        threshold=read["threshold"],
        chosen=chosen,
        default_left=(kind & DEFAULT_LEFT) > 0,
        missing=missing,
        children=children,
        shares=covers[children] / read["internal_count"][:, None],
        leaf_value=read["leaf_value"],
        categories=tuple(one for found in sets for one in found),
    )


def begins(sizes: Iterable[int]) -> Ints:
    """Return where pieces of these sizes begin that lie end to end, and where the last one ends."""
    return np.array([*accumulate(sizes, initial=0)], dtype=np.int64)


def _said(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def _numbers(said: Sequence[Mapping[str, str]], key: str, kind: type[Any]) -> npt.NDArray[Any]:
    """Return a field of all trees, end to end: to read them all at once takes a tenth of one after the other."""
    written = " ".join(words for one in said if (words := one.get(key) or UNTOLD.get(key)))
    return np.fromstring(written, dtype=kind, sep=" ") if written else np.zeros(0, dtype=kind)


def _children(begin: Ints, read: Mapping[str, npt.NDArray[Any]]) -> Ints:
    """Return where the right and the left child of each node lie among all inner nodes, and the leaves behind them."""
    nodes = np.diff(begin)
    leaves = begin[-1] + begin[:-1] + np.arange(len(nodes))
    child = np.column_stack([read["right_child"], read["left_child"]])
    first, first_leaf = (where.repeat(nodes)[:, None] for where in (begin[:-1], leaves))
    places: Ints = np.where(child < 0, first_leaf - child - 1, first + child)
    return places


def _hang_together(begin: Ints, children: Ints) -> bool:
    """Return whether the nodes are trees: who follows children comes to an end, and to every leaf of the tree once."""
    nodes = np.diff(begin)
    tree = np.arange(len(nodes))
    tree_of = np.concatenate([tree.repeat(nodes), tree.repeat(nodes + 1)])
    if children.max(initial=-1) >= len(tree_of):
        return False
    parents = np.bincount(children.ravel(), minlength=len(tree_of))
    roots = np.diff(tree_of[: begin[-1]], prepend=-1) > 0
    once = (parents[: begin[-1]] == ~roots).all() and (parents[begin[-1] :] == (nodes > 0).repeat(nodes + 1)).all()
    own = np.arange(len(children))[:, None]
    return bool(once and (tree_of[children] == tree_of[own]).all() and (children > own).all())


def _sets(said: Mapping[str, str]) -> list[frozenset[int]]:
    bounds, words = ([int(word) for word in said.get(key, "").split()] for key in ("cat_boundaries", "cat_threshold"))
    return [frozenset(_members(words[begin:end])) for begin, end in pairwise(bounds)]


def _members(words: Sequence[int]) -> Iterator[int]:
    for place, word in enumerate(words):
        yield from (place * BITS_PER_WORD + bit for bit in range(BITS_PER_WORD) if word >> bit & 1)
