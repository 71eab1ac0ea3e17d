"""The population that a borrower is compared with: the loans a card was fitted for, all of them and no others.

Path-dependent Shapley values weigh the branches of a tree by how many loans went each way. LightGBM counts the rows
it happened to fit that tree on: a random part of the loans, and with them loans that were only to help. Counted anew
over the card's own loans, the base is those loans' mean score, and each group's part is 0 on average.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from models.trees import booster_of, texts_of

Counts = npt.NDArray[np.int64]


def with_reference(booster: lgb.Booster, population: npt.NDArray[np.float64]) -> lgb.Booster:
    """Return the same trees with the branch counts of a population; scores do not change, contributions do.

    Parameters
    ----------
    population : feature values, cases x features. A leaf that none of them reaches counts as one case, so that no
        share is undefined; the mean then differs from the base by about that little.
    """
    leaves = np.asarray(booster.predict(population, pred_leaf=True), dtype=np.int64).reshape(len(population), -1)
    head, trees, tail = texts_of(booster)
    return booster_of(head, (_counted(text, column) for text, column in zip(trees, leaves.T, strict=True)), tail)


def _counted(tree: str, leaf_of_case: Counts) -> str:
    (leaf_count,) = _numbers(tree, "num_leaves")
    leaves = np.maximum(np.bincount(leaf_of_case, minlength=leaf_count), 1)
    inner = np.zeros(max(leaf_count - 1, 0), dtype=np.int64)
    left, right = list(_numbers(tree, "left_child")), list(_numbers(tree, "right_child"))
    # A node's inner children are numbered after it; leaf n is written as -(n + 1).
    for node in reversed(range(len(inner))):
        inner[node] = sum(leaves[-child - 1] if child < 0 else inner[child] for child in (left[node], right[node]))
    tree = re.sub(r"^leaf_count=.*$", _line("leaf_count", leaves), tree, flags=re.MULTILINE)
    return re.sub(r"^internal_count=.*$", _line("internal_count", inner), tree, flags=re.MULTILINE)


def _numbers(tree: str, key: str) -> Iterator[int]:
    found = re.search(rf"^{key}=(.*)$", tree, flags=re.MULTILINE)
    return (int(number) for number in (found.group(1).split() if found else ()))


def _line(key: str, counts: Counts) -> str:
    return f"{key}={' '.join(map(str, counts.tolist()))}"
