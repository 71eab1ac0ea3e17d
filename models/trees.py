"""The trees of a boosted model as plain numbers: where each node splits, and how many loans went each way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import pairwise

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


class Missing(IntEnum):
    """What a node takes for missing and sends its own way; numbered as in LightGBM's model text."""

    NOTHING = 0
    ZERO = 1
    NAN = 2


@dataclass(frozen=True)
class Tree:
    """One tree. Arrays run over its inner nodes, those of leaves over its leaves; leaf n is written as -(n + 1).

    `missing` is a `Missing`; `cover` counts the loans that came by. The threshold of a categorical node counts its set
    of categories in `categories`.
    """

    feature: Ints
    threshold: Floats
    categorical: npt.NDArray[np.bool_]
    default_left: npt.NDArray[np.bool_]
    missing: Ints
    left: Ints
    right: Ints
    cover: Ints
    leaf_value: Floats
    leaf_cover: Ints
    categories: tuple[frozenset[int], ...]

    @cached_property
    def leaves(self) -> list[tuple[int, tuple[tuple[int, bool], ...]]]:
        """Return each leaf, from left to right, with its path: the nodes from the root, and whether it goes left."""
        found: list[tuple[int, tuple[tuple[int, bool], ...]]] = []
        pending: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(0 if len(self.feature) else -1, ())]
        left, right = self.left.tolist(), self.right.tolist()
        while pending:
            node, path = pending.pop()
            if node < 0:
                found.append((-node - 1, path))
                continue
            pending.append((right[node], (*path, (node, False))))
            pending.append((left[node], (*path, (node, True))))
        return found

    @cached_property
    def features(self) -> list[int]:
        """Return the feature of each inner node; an element of a list is at hand sooner than one of an array."""
        told: list[int] = self.feature.tolist()
        return told

    @cached_property
    def shares(self) -> list[tuple[float, float]]:
        """Return which share of the loans that came by each inner node went right, and which left."""
        right, left = (self._cover_of(children) / self.cover for children in (self.right, self.left))
        return list(zip(right.tolist(), left.tolist(), strict=True))

    def _cover_of(self, children: Ints) -> Ints:
        """Return how many loans reached each node or leaf."""
        covers = np.concatenate([self.cover, self.leaf_cover[::-1]])
        return covers[children]


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


def trees_of(booster: lgb.Booster) -> list[Tree]:
    """Return the trees of a booster, in order.

    Raises
    ------
    ModelRefused : the booster is of a kind whose scores are not a sum of one tree's leaf each
    """
    head, texts, _ = texts_of(booster)
    strange = [
        words
        for words, found in (
            ("it averages its trees", re.search(r"^average_output$", head, re.MULTILINE)),
            ("it has several scores", not re.search(r"^num_tree_per_iteration=1$", head, re.MULTILINE)),
            ("its leaves hold linear models", any(re.search(r"^is_linear=1$", text, re.MULTILINE) for text in texts)),
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
    trees = [_tree(text) for text in with_pauses(texts)]
    if not all((tree.cover > 0).all() for tree in trees):
        raise ModelRefused(
            "a tree with a node that no loan came by",
            where="model",
            expected="counts of the loans that came by, of which shares are taken",
            do="store the model with its counts, as LightGBM writes it",
        )
    return trees


def _tree(text: str) -> Tree:
    said = dict(line.split("=", 1) for line in text.split("\n") if "=" in line)
    kind = _ints(said, "decision_type")
    bounds, words = _ints(said, "cat_boundaries"), _ints(said, "cat_threshold")
    return Tree(
        feature=_ints(said, "split_feature"),
        threshold=np.array(_written(said, "threshold"), dtype=np.float64),
        categorical=(kind & CATEGORICAL) > 0,
        default_left=(kind & DEFAULT_LEFT) > 0,
        missing=(kind >> MISSING_SHIFT) & MISSING_BITS,
        left=_ints(said, "left_child"),
        right=_ints(said, "right_child"),
        cover=_ints(said, "internal_count"),
        leaf_value=np.array(_written(said, "leaf_value"), dtype=np.float64),
        leaf_cover=_ints(said, "leaf_count"),
        categories=tuple(frozenset(_members(words[begin:end])) for begin, end in pairwise(bounds)),
    )


def _members(words: Ints) -> Iterator[int]:
    for place, word in enumerate(words.tolist()):
        yield from (place * BITS_PER_WORD + bit for bit in range(BITS_PER_WORD) if word >> bit & 1)


def _ints(said: Mapping[str, str], key: str) -> Ints:
    return np.array(_written(said, key), dtype=np.int64)


def _written(said: Mapping[str, str], key: str) -> list[str]:
    return said.get(key, "").split()
