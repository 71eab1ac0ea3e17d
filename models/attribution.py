"""Which feature and which group moved a score, and by how much: exact, and checked in every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.catalog import Catalog
from features.compilation import compiled
from features.declaration import Group
from features.errors import ModelRefused
from models.risk_model import GROUP_ORDER, Floats, RiskModel

ADDITIVITY_BOUND = 1e-9
"""Largest difference between a score and the sum of its parts; beyond it there is an error and no answer."""


@dataclass(frozen=True)
class Attribution:
    """Scores taken apart.

    `contributions` is cases x features in log-odds, positive raises risk. `parts` holds each group's sum, added in
    catalog order. `log_odds` is base + ability + willingness + circumstances, added in that order: whoever adds the
    numbers of an answer gets its score to the bit. `error` is the largest distance of that sum from that of the leaves.
    """

    base: float
    contributions: Floats
    parts: Mapping[Group, Floats]
    log_odds: Floats
    error: float


def attribute(model: RiskModel, catalog: Catalog, values: Floats) -> Attribution:
    """Return the exact parts of each case's score.

    Raises
    ------
    ModelRefused : the parts do not add up to the sum of the leaves that a case falls into
    """
    contributions, scores = model.tables_.explained(values, model.threads)
    sums = np.zeros((len(GROUP_ORDER), len(values)))
    compiled(add_by_group)(contributions, group_of_each(catalog), sums)
    log_odds = np.full(len(values), model.base_)
    for part in sums:
        log_odds = log_odds + part
    parts = dict(zip(GROUP_ORDER, sums, strict=True))
    return Attribution(model.base_, contributions, parts, log_odds, _distance(log_odds, scores))


def distance_from_lightgbm(model: RiskModel, told: Attribution, values: Floats) -> float:
    """Return the largest distance between scores taken apart and LightGBM's own, which it computes another way.

    Raises
    ------
    ModelRefused : it is more than rounding
    """
    return _distance(told.log_odds, model.log_odds(values))


def _distance(log_odds: Floats, scores: Floats) -> float:
    error = float(np.max(np.abs(log_odds - scores), initial=0.0))
    if not error <= ADDITIVITY_BOUND:
        raise ModelRefused(
            f"contributions miss the score by {error:.3g}",
            where="attribution",
            expected=f"a difference of at most {ADDITIVITY_BOUND:g}",
            do="do not use this model; fit it again and report the case",
        )
    return error


def group_of_each(catalog: Catalog) -> npt.NDArray[np.int64]:
    """Return the place of each feature's group in GROUP_ORDER, in catalog order."""
    number = {group: place for place, group in enumerate(GROUP_ORDER)}
    return np.array([number[feature.group] for feature in catalog], dtype=np.int64)


def add_by_group(contributions: Any, group_of: Any, sums: Any) -> None:
    """Add up each case's contributions by group, column after column: one case rounds as it does in a book of many."""
    for case in range(len(contributions)):
        for column in range(len(group_of)):
            sums[group_of[column], case] += contributions[case, column]


def families(catalog: Catalog) -> dict[str, npt.NDArray[np.intp]]:
    """Return the columns of each reason family, in catalog order."""
    members: dict[str, list[int]] = {}
    for column, feature in enumerate(catalog):
        members.setdefault(feature.family, []).append(column)
    return {family: np.array(columns, dtype=np.intp) for family, columns in members.items()}
