"""Why one borrower stands above another, to the last digit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from features.declaration import Group
from features.errors import ModelRefused
from features.words import Text, written_money
from models.assessment import Assessment
from models.priority import LINES

RECONCILED_WITHIN = 1e-9
"""Largest difference between two priorities and the sum of the lines that explain it."""

TANGENT_WITHIN = 1e-10
"""Scores closer than this have their slope from the tangent: that of a secant would be the rounding of its ends."""

SHOWN_FROM = 0.005
"""Smallest difference that a sentence shows: below it two decimals read 0.00."""


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

    `gap` is the one's log priority less the other's; it is negative when `first` is in fact below `second`. `lines`
    splits the chance line into the features behind it; with the exposure and loss lines they sum to `gap`. `groups`
    holds the same feature lines summed by group. `swap_exposure_minor` is the amount at risk of the first borrower at
    which both would stand level, all else equal; None when that would be less than the policy's least amount.
    """

    first: str
    second: str
    gap: float
    slope: float
    lines: tuple[Line, ...]
    groups: dict[Group, float]
    residual: float
    swap_exposure_minor: int | None

    def sentence(self, most: int = 4) -> Text:
        """Return the comparison in words, largest lines first; what would read 0.00 is left out."""
        largest = sorted(self.lines, key=lambda line: -abs(line.difference))[:most]
        shown = [(line.difference, line.text) for line in largest if abs(line.difference) >= SHOWN_FROM]
        rest = self.gap - sum(difference for difference, _ in shown)
        if abs(rest) >= SHOWN_FROM:
            shown.append((rest, Text(en="all else", zh="其余各项")))
        standing = self._standing()
        if not shown:
            return standing
        english = "; ".join(f"{difference:+.2f} {text.en}" for difference, text in shown)
        chinese = "；".join(f"{difference:+.2f} {text.zh}" for difference, text in shown)
        return Text(en=f"{standing.en}: {english}", zh=f"{standing.zh}：{chinese}")

    def _standing(self) -> Text:
        if self.gap == 0:
            return Text(en=f"{self.first} is level with {self.second}", zh=f"{self.first}与{self.second}优先级相同")
        by = Text(en=f"{abs(self.gap):.2f}", zh=f"{abs(self.gap):.2f}")
        if abs(self.gap) < SHOWN_FROM:
            by = Text(en="less than 0.01", zh="不足0.01")
        english, chinese = ("above", "前") if self.gap > 0 else ("below", "后")
        return Text(
            en=f"{self.first} is {english} {self.second} by {by.en}",
            zh=f"{self.first}排在{self.second}之{chinese}，差{by.zh}",
        )


def compare(assessment: Assessment, first: int, second: int) -> Comparison:
    """Return why the case at position `first` has another priority than the one at `second`.

    The difference of two log-probabilities is spread over the features by the secant slope of the calibrated
    log-probability between the two scores, or its tangent where they hardly differ: slope x (contribution of the one -
    contribution of the other).

    Raises
    ------
    ModelRefused : the lines miss the difference of the priorities by more than `RECONCILED_WITHIN`
    """
    attribution, ledger = assessment.attribution, assessment.ledger
    priority = ledger.priority
    gap = float(priority[first] - priority[second])
    slope = _slope(assessment, first, second)
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
        swap_exposure_minor=_swap_exposure(assessment, first, gap),
    )


def _slope(assessment: Assessment, first: int, second: int) -> float:
    scores, chance = assessment.attribution.log_odds, assessment.ledger.chance
    apart, moved = float(scores[first] - scores[second]), float(chance[first] - chance[second])
    if abs(apart) < TANGENT_WITHIN:
        middle = np.array([(scores[first] + scores[second]) / 2])
        tangent = float(assessment.model.model.calibration_.log_probability_slope(middle)[0])
        # A very steep piece between the two may bend further than the lines may miss; there the secant is exact enough.
        if abs(tangent * apart - moved) <= RECONCILED_WITHIN / 2:
            return tangent
    return moved / apart


def _swap_exposure(assessment: Assessment, first: int, gap: float) -> int | None:
    level = round(int(assessment.ledger.exposure_minor[first]) * float(np.exp(-gap)))
    return level if level >= assessment.policy.exposure.least_minor else None


def _against(assessment: Assessment, column: int, first: int, second: int) -> Text:
    feature = assessment.catalog.features[column]
    told = [_of_one(assessment, column, case) for case in (first, second)]
    missing = np.isnan(assessment.values[[first, second], column])
    if missing.all():
        return Text(en=f"{feature.label.en}: {told[0].en} (both)", zh=f"{feature.label.zh}：{told[0].zh}（两笔相同）")
    if missing.any():
        who = [assessment.loan_ids[case] for case in (first, second)]
        told = [Text(en=f"{text.en} ({loan})", zh=f"{text.zh}（{loan}）") for text, loan in zip(told, who, strict=True)]
    return _sides(feature.label, *told)


def _of_one(assessment: Assessment, column: int, case: int) -> Text:
    feature, value = assessment.catalog.features[column], float(assessment.values[case, column])
    return feature.missing if np.isnan(value) else feature.written(value, assessment.currency)


EXPECTED_LOSS_SHARE = Text(en="expected loss share if bad", zh="违约时预计损失率")


def _money_text(assessment: Assessment, name: str, first: int, second: int) -> Text:
    ledger = assessment.ledger
    if name == "exposure":
        label = Text(en="amount at risk", zh="风险敞口")
        told = [written_money(int(ledger.exposure_minor[case]), assessment.currency) for case in (first, second)]
    else:
        assumed = assessment.expected_share is None
        label = Text(en="assumed loss share", zh="假定损失率") if assumed else EXPECTED_LOSS_SHARE
        told = [f"{np.exp(ledger.loss_share[case]):.0%}" for case in (first, second)]
    return _sides(label, *(Text(en=figure, zh=figure) for figure in told))


def _sides(label: Text, one: Text, other: Text) -> Text:
    if one == other:
        return Text(en=f"{label.en}: both {one.en}", zh=f"{label.zh}：均为{one.zh}")
    return Text(en=f"{label.en}: {one.en} against {other.en}", zh=f"{label.zh}：{one.zh}对{other.zh}")
