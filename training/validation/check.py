"""What a check declares: its name, the figure it judges, the numbers it works with and what it cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from features.words import Text
from training.validation.evidence import Evidence
from training.validation.findings import Finding
from training.validation.policy import Asked, Rule


class Needs(Enum):
    """What a check cannot do without, and what is said where that is not there."""

    NOTHING = None
    SCORES = Text(
        en="the data are not those that the version was fitted on: it has no scores out of sample here",
        zh="数据与该版本的拟合数据不一致：此处没有样本外评分",
    )
    FIT = Text(
        en="judged on later cases: the fit is repeated where the version is judged on its own",
        zh="本次以其后样本评定：复现拟合须用该版本自身的样本",
    )
    PROTECTED = Text(en="the book has no protected attributes", zh="该资产包没有受保护属性数据")

    def met(self, evidence: Evidence) -> bool:
        """Return whether the evidence has it."""
        return {
            Needs.NOTHING: True,
            Needs.SCORES: evidence.scored,
            Needs.FIT: evidence.refit is not None,
            Needs.PROTECTED: evidence.protected is not None and evidence.scored,
        }[self]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes
    ----------
    name : a stable identifier, as its section in the policy is called
    title : what it asks, for a report
    figure : the name of the figure that the policy judges
    run : asks it
    numbers : what it works with, from the policy
    """

    name: str
    title: Text
    figure: str
    run: Callable[[Evidence, Rule], Finding]
    numbers: tuple[str, ...] = ()
    needs: Needs = Needs.SCORES

    @property
    def asked(self) -> Asked:
        """Return what it asks of a policy."""
        return Asked(self.name, self.figure, self.numbers)

    def finding(self, evidence: Evidence, rule: Rule) -> Finding:
        """Return what it finds; not judged where what it needs is not there."""
        if not self.needs.met(evidence):
            return rule.unjudged(self.needs.value)
        return self.run(evidence, rule)
