"""Why one borrower stands above another, to the last digit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from features.declaration import Group
from features.errors import ModelRefused
from features.words import Text, written, written_money
from models.assessment import Assessment
from models.priority import LINES
from models.reasons import stated

RECONCILED_WITHIN = 1e-9
"""Largest difference between two priorities and the sum of the lines that explain it."""


@dataclass(frozen=True)
class Line:
    """One line of a comparison: how much it puts the first borrower above the second, in log priority.

    Few of the lines are read: each is put into words when it is asked for.
    """

    name: str
    difference: float
    tell: Callable[[], Text] = field(repr=False, compare=False)

    @property
    def text(self) -> Text:
        """Return the line in words: both borrowers' figures."""
        return self.tell()


@dataclass(frozen=True)
class Comparison:
    """Why `first` is above `second`.

    `lines` splits the chance line into the features behind it; with the exposure and loss lines they sum to `gap`.
    `groups` holds the same feature lines summed by group. `swap_exposure_minor` is the amount at risk of the first
    borrower at which both would stand level, all else equal.
    """

    first: str
    second: str
    gap: float
    slope: float
    lines: tuple[Line, ...]
    groups: dict[Group, float]
    residual: float
    swap_exposure_minor: int

    def sentence(self, most: int = 4) -> Text:
        """Return the comparison in words, largest lines first."""
        shown = sorted(self.lines, key=lambda line: -abs(line.difference))[:most]
        rest = self.gap - sum(line.difference for line in shown)
        english = "; ".join(f"{line.difference:+.2f} {line.text.en}" for line in shown)
        chinese = "；".join(f"{line.difference:+.2f} {line.text.zh}" for line in shown)
        return Text(
            en=f"{self.first} is above {self.second} by {self.gap:.2f}: {english}; {rest:+.2f} all else",
            zh=f"{self.first}排在{self.second}之前，差{self.gap:.2f}：{chinese}；{rest:+.2f} 其余各项",
        )


def compare(assessment: Assessment, first: int, second: int) -> Comparison:
    """Return why the case at position `first` has a higher priority than the one at `second`.

    The difference of two log-probabilities is spread over the features by the secant slope of the calibrated
    log-probability between the two scores: slope x (contribution of the one - contribution of the other).

    Raises
    ------
    ModelRefused : the lines miss the difference of the priorities by more than `RECONCILED_WITHIN`
    """
    attribution, ledger = assessment.attribution, assessment.ledger
    priority = ledger.priority
    gap = float(priority[first] - priority[second])
    slope = _secant(assessment, first, second)
    moved = slope * (attribution.contributions[first] - attribution.contributions[second])
    lines = [
        Line(feature.name, float(moved[column]), partial(_against, assessment, column, first, second))
        for column, feature in enumerate(assessment.catalog)
        if moved[column] != 0
    ]
    for name in LINES[1:]:
        values = getattr(ledger, name)
        if values[first] != values[second]:
            lines.append(
                Line(name, float(values[first] - values[second]), partial(_money_text, assessment, name, first, second))
            )
    residual = gap - sum(line.difference for line in lines)
    if not abs(residual) <= RECONCILED_WITHIN:
        raise ModelRefused(
            f"the lines miss the difference of two priorities by {residual:.3g}",
            where="pairwise comparison",
            expected=f"a difference of at most {RECONCILED_WITHIN:g}",
            do="do not use this model; report the pair",
        )
    return Comparison(
        first=assessment.loan_ids[first],
        second=assessment.loan_ids[second],
        gap=gap,
        slope=slope,
        lines=tuple(lines),
        groups={
            group: float(sum(moved[c] for c, feature in enumerate(assessment.catalog) if feature.group is group))
            for group in Group
        },
        residual=residual,
        swap_exposure_minor=round(float(ledger.exposure_minor[first]) * float(np.exp(-gap))),
    )


def _secant(assessment: Assessment, first: int, second: int) -> float:
    scores, chance = assessment.attribution.log_odds, assessment.ledger.chance
    if scores[first] == scores[second]:
        # The same score: the chance lines cancel whatever the slope; the tangent is the secant's limit.
        step = 1e-6
        around = assessment.model.model.calibration_.log_probability(scores[first] + np.array([-step, step]))
        return float((around[1] - around[0]) / (2 * step))
    return float((chance[first] - chance[second]) / (scores[first] - scores[second]))


def _against(assessment: Assessment, column: int, first: int, second: int) -> Text:
    feature = assessment.catalog.features[column]
    one, other = float(assessment.values[first, column]), float(assessment.values[second, column])
    if np.isnan(one) or np.isnan(other):
        return (
            stated(feature, one, assessment.currency) if np.isnan(one) else stated(feature, other, assessment.currency)
        )
    a, b = (written(value, feature.unit, assessment.currency) for value in (one, other))
    return Text(en=f"{feature.label.en}: {a.en} against {b.en}", zh=f"{feature.label.zh}：{a.zh}对{b.zh}")


def _money_text(assessment: Assessment, name: str, first: int, second: int) -> Text:
    if name == "exposure":
        a, b = (
            written_money(int(assessment.ledger.exposure_minor[case]), assessment.currency) for case in (first, second)
        )
        return Text(en=f"amount at risk: {a} against {b}", zh=f"风险敞口：{a}对{b}")
    a, b = (f"{np.exp(assessment.ledger.loss_share[case]):.0%}" for case in (first, second))
    return Text(en=f"assumed loss share: {a} against {b}", zh=f"假定损失率：{a}对{b}")
