"""The validator's battery: every check in its order, none left out because another refused, and the worst verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from features.words import Text
from training.statistics.inputs import TooFew
from training.validation.check import Check
from training.validation.checks import (
    benchmark,
    calibration,
    discrimination,
    explanation,
    fairness,
    leakage,
    monotonicity,
    parts,
    point_in_time,
    reasons,
    reproducibility,
    sensitivity,
    stability,
)
from training.validation.evidence import Evidence
from training.validation.findings import Finding, Verdict, worst
from training.validation.policy import Rule, ValidationPolicy

CHECKS: tuple[Check, ...] = tuple(
    check
    for idea in (
        reproducibility,
        point_in_time,
        leakage,
        discrimination,
        calibration,
        stability,
        benchmark,
        monotonicity,
        sensitivity,
        fairness,
        explanation,
        parts,
        reasons,
    )
    for check in idea.CHECKS
)
"""All checks, in the order in which they are made and told."""
ASKED = tuple(check.asked for check in CHECKS)
"""What they ask of a policy."""


@dataclass(frozen=True)
class Judgement:
    """What the battery says of a card: the findings in their order, and the seconds that each took."""

    findings: tuple[Finding, ...]
    seconds: Mapping[str, float]

    @property
    def verdict(self) -> Verdict:
        """The worst of all; checks that were not judged do not count."""
        return worst(finding.verdict for finding in self.findings)

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The names of the checks that refuse."""
        return tuple(finding.check for finding in self.findings if finding.verdict is Verdict.REFUSE)


def judge(
    evidence: Evidence,
    policy: ValidationPolicy,
    *,
    checks: tuple[Check, ...] = CHECKS,
    say: Callable[[str], None] = lambda _: None,
) -> Judgement:
    """Return what every check finds."""
    findings: list[Finding] = []
    seconds: dict[str, float] = {}
    for check in checks:
        began = time.perf_counter()
        findings.append(_finding(check, evidence, policy.rules[check.name]))
        seconds[check.name] = round(time.perf_counter() - began, 3)
        say(f"{check.name}: {findings[-1].verdict.text.en}")
    return Judgement(tuple(findings), seconds)


def _finding(check: Check, evidence: Evidence, rule: Rule) -> Finding:
    """Return what a check finds; one that fails refuses the card, by its own name."""
    try:
        return check.finding(evidence, rule)
    except TooFew as few:
        return rule.unjudged(Text(en=f"too few cases: {few.found}, expected {few.expected}", zh="样本不足，无法评定"))
    except Exception as error:  # whatever goes wrong with a check, the card has not passed it
        # The text of an unforeseen error may hold a borrower's value: its kind is enough to be found by.
        told = f"{type(error).__name__} in {_place(error)}"
        return Finding(
            check.name,
            Verdict.REFUSE,
            Text(en=f"the check could not be made: {told}", zh=f"检查无法完成：{told}"),
            threshold=rule.threshold,
        )


def _place(error: BaseException) -> str:
    """Return where an error arose, without what it says."""
    trace, place = error.__traceback__, "battery"
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
