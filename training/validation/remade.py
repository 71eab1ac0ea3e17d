"""Which findings of a kept validation can be made again from what is stored, and whether they come out the same.

A figure that is told in a model card is worked out anew from the evidence; where it differs from what the signed result
claims by more than its last told digit, one of the two is wrong and nothing is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from features.declaration import Group
from features.errors import ModelRefused
from training.statistics.inputs import TooFew
from training.validation.checks import benchmark, calibration, discrimination, explanation, fairness, parts, stability
from training.validation.findings import SHOWN_SMALL, Cell, Finding, Table, number, worst
from training.validation.kept import Kept
from training.validation.policy import Rule
from training.validation.scored import Scored

Again = Callable[[Scored, Rule], Finding]
AGAIN: Mapping[str, Again] = {
    "discrimination.auc": discrimination.auc_of_all,
    "discrimination.ks": discrimination.ks_of_all,
    "discrimination.lift": discrimination.lift,
    "discrimination.money": discrimination.money,
    "discrimination.segments": discrimination.segments,
    "calibration.in_the_large": calibration.in_the_large,
    "calibration.slope": calibration.slope,
    "calibration.bands": calibration.bands,
    "calibration.single_cases": calibration.single_cases,
    "calibration.brier": calibration.brier,
    "calibration.back_test": calibration.back_test,
    "calibration.band_ratio": calibration.band_ratio,
    "stability.scores": stability.scores,
    "stability.gini_slope": stability.gini_slope,
    "stability.gini_spread": stability.gini_spread,
    "benchmark.logistic": partial(benchmark.against_kept, name="logistic", words=benchmark.THAN_LOGISTIC),
    "benchmark.scorecard": partial(benchmark.against_kept, name="scorecard", words=benchmark.THAN_SCORECARD),
    "fairness.adverse_impact": fairness.impact,
    "fairness.equal_opportunity": fairness.opportunity,
    "fairness.calibration": fairness.calibration,
    "explanation.deletion": explanation.deletion_kept,
    "explanation.perturbed_first": explanation.perturbed_first_kept,
    "explanation.perturbed_four": explanation.perturbed_four_kept,
    "explanation.seeds": explanation.seeds_kept,
    "explanation.neighbours": explanation.neighbours_kept,
    "parts.promise_kept": partial(parts.tells_kept, group=Group.WILLINGNESS, words=parts.BREAKS),
    "parts.paid_when_reached": partial(parts.tells_kept, group=Group.ABILITY, words=parts.PAYS_LESS),
    "parts.hardship": partial(parts.tells_kept, group=Group.ABILITY, words=parts.FALLS),
    "parts.correlation": parts.correlation,
    "parts.placebo": parts.placebo,
}
"""The checks that ask for no more than the evidence keeps; the others need the features' values, which it does not."""
OF_PROTECTED, AGAINST_OWN = "fairness.", "stability.scores"
SMALLEST_DIGITS, DIGITS = 2, 4
"""Digits of a figure that is told: of a small one the first two, of others four after the point."""


def remade(kept: Kept) -> dict[str, Finding]:
    """Return the findings that can be made again, made again, by name.

    Raises
    ------
    ModelRefused : one of them is not what the result says, and which figure it is
    """
    _require_same_cases(kept)
    _require_verdicts(kept)
    found: dict[str, Finding] = {}
    for told in kept.result.findings:
        again = _again(kept, told)
        if again is not None:
            _require_same(kept, told, again)
            found[told.check] = again
    return found


def same(told: float | None, again: float | None) -> bool:
    """Return whether two numbers are the same as far as they are told.

    >>> same(0.78661, 0.78663), same(0.7866, 0.7868), same(2.21e-5, 2.2e-5), same(None, 0.5)
    (True, False, True, False)
    """
    if told is None or again is None or math.isnan(told) or math.isnan(again):
        return number(told) == number(again)
    if abs(told) >= SHOWN_SMALL or told == 0:
        unit = 10.0**-DIGITS
    else:
        unit = 10.0 ** (math.floor(math.log10(abs(told))) - SMALLEST_DIGITS + 1)
    return abs(told - again) <= unit / 2


def _again(kept: Kept, told: Finding) -> Finding | None:
    """Return a finding made again; None where it never could be made, or not from what is kept."""
    name = told.check
    if name not in AGAIN or not kept.scored or (name == AGAINST_OWN and not kept.own):
        return None
    if name.startswith(OF_PROTECTED) and kept.protected is None:
        if told.figures:
            raise differs(kept, name, "figures in the result, and no protected attributes that they could be of")
        return None
    rule = kept.policy.rules[name]
    try:
        return AGAIN[name](kept, rule)
    except TooFew:
        return rule.unjudged(told.words)
    except KeyError as missing:
        if told.figures:
            raise differs(kept, name, f"figures in the result, and no column {missing} that they could be of") from None
        return None  # the check was not made, and kept nothing


def _require_same(kept: Kept, told: Finding, again: Finding) -> None:
    claimed = {(figure.name, figure.of): figure for figure in told.figures}
    if bool(told.figures) != bool(again.figures):
        raise differs(kept, told.check, "figures on one side alone")
    for figure in again.figures:
        other = claimed.get((figure.name, figure.of))
        name = f"{told.check} {figure.name}{f' of {figure.of}' if figure.of else ''}"
        if other is None:
            raise differs(kept, name, "no such figure in the result")
        for part in ("value", "low", "high"):
            if not same(getattr(other, part), getattr(figure, part)):
                raise differs(
                    kept,
                    name if part == "value" else f"{name}, {part} end",
                    f"{number(getattr(other, part))} in the result, {number(getattr(figure, part))} by the evidence",
                )
    if told.verdict is not again.verdict:
        raise differs(
            kept,
            f"{told.check} verdict",
            f"'{told.verdict.text.en}' in the result, '{again.verdict.text.en}' by the evidence",
        )
    tables = {table.name: table for table in told.tables}
    for table in again.tables:
        _require_same_table(kept, told.check, tables.get(table.name), table)


def _require_same_table(kept: Kept, check: str, told: Table | None, again: Table) -> None:
    if told is None or told.columns != again.columns or len(told.rows) != len(again.rows):
        raise differs(kept, f"{check} table '{again.name}'", "another form in the result")
    for place, (row, other) in enumerate(zip(told.rows, again.rows, strict=True), start=1):
        for column, cell, anew in zip(again.columns, row, other, strict=True):
            if not _same_cell(cell, anew):
                raise differs(
                    kept,
                    f"{check} table '{again.name}', row {place}, {column}",
                    f"{_cell(cell)} in the result, {_cell(anew)} by the evidence",
                )


def _same_cell(told: Cell, again: Cell) -> bool:
    if isinstance(told, int | float) and isinstance(again, int | float):
        return same(float(told), float(again))
    return told == again


def _cell(cell: Cell) -> str:
    return number(float(cell)) if isinstance(cell, int | float) else f"'{cell}'"


def _require_same_cases(kept: Kept) -> None:
    days = kept.observed_on
    for name, told, again in (
        ("cases", kept.result.cases, len(kept)),
        ("bad", kept.result.bad, int(kept.bad.sum())),
        ("first_on", kept.result.first_on, str(days.min())),
        ("last_on", kept.result.last_on, str(days.max())),
    ):
        if told != again:
            raise differs(kept, name, f"{told} in the result, {again} by the evidence")


def _require_verdicts(kept: Kept) -> None:
    """Refuse a verdict that does not follow from the figures beside it, or a whole that is not the worst of all."""
    for finding in kept.result.findings:
        rule = kept.policy.rules.get(finding.check)
        judged = [figure for figure in finding.figures if rule is not None and figure.name == rule.figure]
        if rule is None or not judged:
            continue
        verdict, _ = rule.worst(judged)
        if verdict is not finding.verdict:
            raise differs(
                kept,
                f"{finding.check} verdict",
                f"'{finding.verdict.text.en}' in the result, '{verdict.text.en}' by its own figure and the policy",
            )
        if finding.threshold != rule.threshold:
            raise differs(kept, f"{finding.check} threshold", "another one in the result than in the policy")
    told, worst_of_all = kept.result.verdict, worst(finding.verdict for finding in kept.result.findings)
    if told is not worst_of_all:
        raise differs(
            kept, "verdict", f"'{told.text.en}' in the result, '{worst_of_all.text.en}' is the worst of its findings"
        )


def differs(kept: Kept, name: str, found: str) -> ModelRefused:
    """Return the refusal of a result that its own evidence contradicts, by the name of what differs."""
    return ModelRefused(
        f"{name}: {found}",
        where=str(kept.folder),
        expected="a result whose every number comes out again from the evidence that is kept with it",
        do="do not use the result; validate the version again",
    )
