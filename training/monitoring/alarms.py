"""What raises an alarm: what chance does not explain, all tests of the month together, and of a size that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from features.words import Text
from models.risk_model import Floats
from training.statistics.multiplicity import holm
from training.statistics.psi import Psi, psi

LEAST_EXPECTED = 5.0
"""Cases that a bin should hold for the chi-squared distribution to serve; smaller ones are joined to a neighbour.

References: Cochran (1954), Biometrics 10:417.
"""


class Kind(StrEnum):
    """What may have happened."""

    MOVED = "moved"
    MISSING = "missing"
    UNSEEN = "unseen"
    UNIT = "unit"
    SCORES = "scores"
    LEVEL = "level"
    SLOPE = "slope"
    ORDER = "order"
    ROLLS = "rolls"
    FINGERPRINT = "fingerprint"
    TABLE = "table"

    @property
    def text(self) -> Text:
        """What is said of it; `{of}` is what it happened to, `{value}` by how much."""
        return {
            Kind.MOVED: Text(
                en="{of}: other values than the reference had (PSI {value})", zh="{of}：取值分布偏离基准（PSI {value}）"
            ),
            Kind.MISSING: Text(en="{of}: the share without a value moved by {value}", zh="{of}：缺失占比变动{value}"),
            Kind.UNSEEN: Text(
                en="{of}: {value} of the borrowers in a state that the reference does not have",
                zh="{of}：{value}的借款人处于基准中从未出现的状态",
            ),
            Kind.UNIT: Text(
                en="{of}: all sizes moved by the same factor of {value}: has its unit changed?",
                zh="{of}：所有数值同时变为{value}倍：计量单位是否变更？",
            ),
            Kind.SCORES: Text(en="the scores moved (PSI {value})", zh="评分分布偏离基准（PSI {value}）"),
            Kind.LEVEL: Text(
                en="{of}: the bad were more or fewer than foretold, by {value} in log-odds",
                zh="{of}：坏样本数与预测不符，对数几率偏差{value}",
            ),
            Kind.SLOPE: Text(en="{of}: the slope of the calibration is off by {value}", zh="{of}：校准斜率偏差{value}"),
            Kind.ORDER: Text(en="{of}: the AUC lies {value} below the reference's", zh="{of}：AUC低于基准{value}"),
            Kind.ROLLS: Text(
                en="{of}: loans rolled otherwise than in the months before (PSI {value})",
                zh="{of}：滚动情况与此前月份不同（PSI {value}）",
            ),
            Kind.FINGERPRINT: Text(
                en="version {of}: {value} decisions by code that computes other features than it was fitted with",
                zh="版本{of}：{value}笔决策所用代码的特征计算与拟合时不一致",
            ),
            Kind.TABLE: Text(
                en="table {of}: sent with every request before, and this month with {value} of them",
                zh="数据表{of}：此前每次请求均有提供，本月仅占{value}",
            ),
        }[self]


@dataclass(frozen=True)
class Test:
    """A question of one month.

    Attributes
    ----------
    of : the feature, vintage or stage
    value : how large what was found is; judged against `at_least`
    p_value : how often chance makes as much; 0 for what chance cannot make
    adjusted : the same, for all tests of the month together
    told : the value as a reader sees it
    said_by : an alarm of this kind about the same thing says all that this one would
    """

    kind: Kind
    of: str
    value: float
    at_least: float
    p_value: float
    told: str
    said_by: Kind | None = None
    adjusted: float = 1.0
    alarm: bool = False

    def sentence(self, names: Mapping[str, Text]) -> Text:
        """Return what it says, in words."""
        return self.kind.text.filled(of=names.get(self.of, Text(en=self.of or "-", zh=self.of or "-")), value=self.told)

    def as_dict(self, names: Mapping[str, Text]) -> dict[str, Any]:
        """Return the test as plain data."""
        return {
            "kind": self.kind.value,
            "of": self.of,
            "value": self.value if np.isfinite(self.value) else None,
            "at_least": self.at_least,
            "p_value": self.p_value,
            "adjusted": self.adjusted,
            "alarm": self.alarm,
            "words": self.sentence(names).as_dict(),
        }


def judged(tests: Sequence[Test], false_alarm: float) -> list[Test]:
    """Return all tests of one month with the alarms among them: in quiet months, any alarm is as rare as this."""
    adjusted = holm([one.p_value for one in tests])
    told = [
        replace(one, adjusted=float(p), alarm=bool(p <= false_alarm and one.value >= one.at_least))
        for one, p in zip(tests, adjusted, strict=True)
    ]
    raised = {(one.kind, one.of) for one in told if one.alarm}
    return [replace(one, alarm=False) if (one.said_by, one.of) in raised else one for one in told]


def moved(before: npt.ArrayLike, after: npt.ArrayLike, *, ordered: bool) -> tuple[Psi, float, float]:
    """Return the index of two samples' counts, how far it lies beyond what chance makes on average, and its p-value.

    The p-value is that of bins joined until each holds cases enough, in either sample.
    """
    found = psi(before, after)
    joined = psi(*joined_bins(before, after, ordered=ordered))
    return found, max(0.0, found.value - found.by_chance), joined.p_value


def joined_bins(before: npt.ArrayLike, after: npt.ArrayLike, *, ordered: bool) -> tuple[Floats, Floats]:
    """Return counts of bins of which each would hold `LEAST_EXPECTED` cases of the smaller sample, without drift.

    Neighbours are joined where the bins have an order; otherwise the small ones are joined to each other. What is
    joined depends on both samples together, and so on no difference between them.
    """
    one, other = (np.asarray(side, dtype=np.float64) for side in (before, after))
    together = one + other
    expected = together * (min(one.sum(), other.sum()) / together.sum())
    order = np.arange(len(together)) if ordered else np.argsort(expected, kind="stable")
    groups: list[list[int]] = [[]]
    held = 0.0
    for place in order.tolist():
        groups[-1].append(place)
        held += expected[place]
        if held >= LEAST_EXPECTED:
            groups.append([])
            held = 0.0
    rest = groups.pop()
    if rest and groups:
        groups[-1] += rest
    elif rest:
        groups = [rest]
    return tuple(np.array([side[group].sum() for group in groups]) for side in (one, other))  # type: ignore[return-value]
