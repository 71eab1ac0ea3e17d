"""What moved a loan's score between two dates, to the last digit, and the facts behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.compilation import compiled
from features.declaration import Feature, Group
from features.errors import ModelRefused, UsageError
from features.words import Text, Unit
from models.assessment import Assessment
from models.attribution import add_by_group, families, group_of_each
from models.reasons import NO_REASON, OR_MORE, choose, effect_of, stated
from models.risk_model import GROUP_ORDER, Floats

EPSILON = float(np.finfo(np.float64).eps)
SUMS_OF_A_SCORE = 4
"""Additions beside those of the features: the base and the three groups."""


@dataclass(frozen=True)
class Moved:
    """One fact that moved. `contribution` is the change of its family's contribution, in log-odds.

    `before` and `now` are the feature's values; None when it cannot be known.
    """

    feature: Feature
    contribution: float
    before: float | None
    now: float | None
    text: Text

    @property
    def effect(self) -> str:
        """Return whether the change raises or lowers the risk, by its key in EFFECTS."""
        return effect_of(self.contribution)


@dataclass(frozen=True)
class Change:
    """How the scores of the same loans changed from one date to another, taken apart. Arrays run over loans.

    `contributions` is loans x features: the feature's contribution at the second date less that at the first, in
    log-odds. `parts` holds each group's sum, added in catalog order. `log_odds` is ability + willingness +
    circumstances, added in that order: whoever adds the parts gets the change to the bit. `distance` is how far that is
    from the difference of the two scores, and `bound` how far rounding alone can put them apart.
    """

    before: Assessment
    after: Assessment
    contributions: Floats
    parts: Mapping[Group, Floats]
    log_odds: Floats
    distance: Floats
    bound: Floats

    def __len__(self) -> int:
        return len(self.contributions)

    @cached_property
    def rise(self) -> Floats:
        """The rise of the calibrated probability; below 0 where it fell."""
        return np.asarray(self.after.probability - self.before.probability)

    @cached_property
    def bands_down(self) -> npt.NDArray[np.int64]:
        """By how many bands of the lender's scale each loan fell; below 0 where it rose."""
        place = {band.name: number for number, band in enumerate(self.after.policy.bands)}
        first, second = (
            np.array([place[name] for name in side.bands], dtype=np.int64) for side in (self.before, self.after)
        )
        return np.asarray(second - first)

    @cached_property
    def _told(self) -> tuple[npt.NDArray[np.int64], Floats]:
        rules, among = self.after.policy.reasons, self.after.model.families
        shape = (len(self), rules.raising + rules.lowering)
        told_by, totals = np.full(shape, NO_REASON, dtype=np.int64), np.zeros(shape)
        compiled(choose)(
            np.ascontiguousarray(self.contributions),
            among.members,
            among.starts,
            among.plain,
            rules.raising,
            rules.lowering,
            rules.least_share,
            told_by,
            totals,
        )
        return told_by, totals

    @cached_property
    def _families(self) -> dict[str, npt.NDArray[np.intp]]:
        return families(self.after.catalog)

    def reasons(self, case: int) -> list[Moved]:
        """Return what moved one loan's score: what raised the risk, largest first, then what lowered it.

        Families of features are chosen by the policy's rules for reasons, on changes in place of contributions. Each is
        told by the member whose contribution moved most in the family's direction, of those whose own value moved.
        """
        told_by, totals = self._told
        return [
            self._moved(case, int(column), float(total))
            for column, total in zip(told_by[case], totals[case], strict=True)
            if column != NO_REASON
        ]

    def _moved(self, case: int, column: int, total: float) -> Moved:
        catalog = self.after.catalog
        told = self._teller(case, column, total)
        feature = catalog.features[told]
        before, now = float(self.before.values[case, told]), float(self.after.values[case, told])
        return Moved(
            feature,
            total,
            None if np.isnan(before) else before,
            None if np.isnan(now) else now,
            moved_text(feature, before, now, self.after.currencies[case]),
        )

    def _teller(self, case: int, column: int, total: float) -> int:
        """Return the column that tells a family: one whose value moved, where there is one that moved its way."""
        members = self._families[self.after.catalog.features[column].family]
        first, second = self.before.values[case, members], self.after.values[case, members]
        same = (first == second) | (np.isnan(first) & np.isnan(second))
        plain = np.array([self.after.catalog.features[one].unit is not Unit.POINTS for one in members])
        towards = np.sign(total) * self.contributions[case, members]
        for allowed in (~same & plain & (towards > 0), ~same & (towards > 0)):
            if allowed.any():
                return int(members[np.argmax(np.where(allowed, towards, -np.inf))])
        return column


def change(before: Assessment, after: Assessment) -> Change:
    """Return the exact change of the same loans' scores between two dates.

    Each assessment holds one row per loan, the same loans in the same order, scored by the same version.

    The bound is that of sums in floating point: of n numbers, n - 1 roundings of at most half a unit in the last place
    of the sum of their sizes. Each feature's change is rounded once more, so it is counted for both dates.

    Raises
    ------
    UsageError : other loans, or another order
    ModelRefused : two versions, or parts that miss the change by more than rounding

    References: Higham (2002), Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2.
    """
    _require_comparable(before, after)
    first, second = before.attribution, after.attribution
    contributions = second.contributions - first.contributions
    sums = np.zeros((len(GROUP_ORDER), len(contributions)))
    compiled(add_by_group)(contributions, group_of_each(after.catalog), sums)
    log_odds = np.zeros(len(contributions))
    for part in sums:
        log_odds = log_odds + part
    sizes = 2 * abs(first.base) + np.abs(first.contributions).sum(axis=1) + np.abs(second.contributions).sum(axis=1)
    bound = (contributions.shape[1] + SUMS_OF_A_SCORE) * EPSILON * sizes
    distance = np.abs(log_odds - (second.log_odds - first.log_odds))
    if not (distance <= bound).all():
        raise ModelRefused(
            f"the parts miss the change of {int((distance > bound).sum())} scores by up to {float(distance.max()):.3g}",
            where="change between two dates",
            expected="no more than the rounding of their sums",
            do="do not use this model; report the case",
        )
    return Change(
        before, after, contributions, dict(zip(GROUP_ORDER, sums, strict=True)), log_odds, distance, np.asarray(bound)
    )


def _require_comparable(before: Assessment, after: Assessment) -> None:
    told = [(one.model.identity(), one.model.manifest, one.policy.digest) for one in (before, after)]
    if told[0] != told[1]:
        raise ModelRefused(
            "scores of two versions, or on two scales",
            where="change between two dates",
            expected="one version and one policy for both dates",
            do="score both dates with the same version and policy",
        )
    if before.loan_ids != after.loan_ids:
        raise UsageError(
            "other loans, or loans in another order",
            where="change between two dates",
            expected="the same loans in the same order at both dates",
            do="keep the loans that were scored at both",
        )


SAME = Text(
    en="{label}: {now} as before; with what else changed it counts differently",
    zh="{label}：仍为{now}，因其他情况变化影响有所不同",
)
HARDLY = Text(en="{label}: {now}, hardly changed", zh="{label}：{now}，几乎未变")
FROM_TO = Text(en="{label}: {now}, was {before}", zh="{label}：由{before}变为{now}")
NOW_KNOWN = Text(en="{label}: now {now}; before: {before}", zh="{label}：现为{now}；此前{before}")
NOW_MISSING = Text(en="{label}: was {before}; now: {now}", zh="{label}：此前为{before}；现在{now}")
BOTH_MISSING = Text(
    en="{missing}, as before; with what else changed it counts differently",
    zh="{missing}，与此前相同，因其他情况变化影响有所不同",
)
FACTS = Text(en="now: {now}; before: {before}", zh="现在：{now}；此前：{before}")
FACT_SAME = Text(
    en="{now}, as before; with what else changed it counts differently",
    zh="{now}，与此前相同，因其他情况变化影响有所不同",
)


def moved_text(feature: Feature, before: float, now: float, currency: str) -> Text:
    """Return what a fact was and what it is, as a sentence in both languages; NaN stands for "cannot know"."""
    if np.isnan(before) and np.isnan(now):
        return BOTH_MISSING.filled(missing=feature.missing)
    if feature.mark_of:
        first, second = (stated(feature, value, currency) for value in (before, now))
        return FACT_SAME.filled(now=second) if first == second else FACTS.filled(now=second, before=first)
    first, second = (_figure(feature, value, currency) for value in (before, now))
    if np.isnan(before):
        told = NOW_KNOWN
    elif np.isnan(now):
        told = NOW_MISSING
    elif before == now:
        told = SAME
    else:
        told = HARDLY if first == second else FROM_TO
    return told.filled(label=feature.label, now=second, before=first)


def _figure(feature: Feature, value: float, currency: str) -> Text:
    if np.isnan(value):
        return feature.missing
    figure = feature.written(value + 0.0, currency)  # no "-0"
    return OR_MORE.filled(figure=figure) if feature.capped_at is not None and value >= feature.capped_at else figure
