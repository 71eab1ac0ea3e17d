"""How one score comes about, step by step: from the base through ability, willingness and circumstances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.declaration import Group
from features.words import Text
from models.assessment import Assessment
from models.risk_model import GROUP_ORDER

LARGEST = 3
"""Families shown one by one in each part; the others of the part are one step."""


@dataclass(frozen=True)
class Step:
    """A move from `start` to `end`, in log-odds; `label` says of what."""

    label: Text
    start: float
    end: float

    @property
    def move(self) -> float:
        """Return how far the step raises the risk."""
        return self.end - self.start


@dataclass(frozen=True)
class Part:
    """One group's whole move, and the steps it is made of: reason families, largest first, then all others."""

    group: Group
    whole: Step
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Waterfall:
    """One case's score taken apart.

    The first part starts at `base`, each next one where the last ended, and the last ends at `log_odds`, to the bit.
    The two probabilities are the calibrated ones of `base` and of `log_odds`.
    """

    base: float
    parts: tuple[Part, ...]
    log_odds: float
    base_probability: float
    probability: float


def waterfall_of(assessment: Assessment, case: int, largest: int = LARGEST) -> Waterfall:
    """Return the waterfall of the case at a position.

    A step is a reason family, not a feature: features that say nearly the same thing share their effect by chance,
    and the steps then carry the same numbers as the reasons in words.
    """
    attribution = assessment.attribution
    base = reached = attribution.base
    parts = []
    for group in GROUP_ORDER:
        end = reached + float(attribution.parts[group][case])
        parts.append(
            Part(group, Step(group.text, reached, end), _steps(assessment, case, group, reached, end, largest))
        )
        reached = end
    ends = assessment.model.model.calibration_.probability(np.array([base, reached]))
    return Waterfall(base, tuple(parts), reached, float(ends[0]), float(ends[1]))


def _steps(assessment: Assessment, case: int, group: Group, start: float, end: float, largest: int) -> tuple[Step, ...]:
    moves = _moves(assessment, case, group)
    order = sorted(moves, key=lambda family: -abs(moves[family]))
    # One family left over is shown by its name: "1 other" would take the same line and say less.
    shown = order if len(order) <= largest + 1 else order[:largest]
    steps, reached = [], start
    for family in shown:
        last = family == order[-1]
        to = end if last else reached + moves[family]
        steps.append(Step(_label(assessment, group, family), reached, to))
        reached = to
    if len(shown) < len(order):
        others = len(order) - len(shown)
        steps.append(Step(Text(en=f"{others} others", zh=f"其他{others}项"), reached, end))
    return tuple(steps)


def _moves(assessment: Assessment, case: int, group: Group) -> dict[str, float]:
    moves: dict[str, float] = {}
    for column, feature in enumerate(assessment.catalog):
        if feature.group is group:
            moved = float(assessment.attribution.contributions[case, column])
            moves[feature.family] = moves.get(feature.family, 0.0) + moved
    return {family: move for family, move in moves.items() if move != 0}


def _label(assessment: Assessment, group: Group, family: str) -> Text:
    members = [feature for feature in assessment.catalog.of_group(group) if feature.family == family]
    if len(members) == 1:
        return members[0].label
    # A family is named in English only; in Chinese its first member speaks for it.
    return Text(en=family.replace("_", " "), zh=f"{members[0].label.zh}等{len(members)}项")
