"""How a model card writes numbers: the same digits in both languages, and words where there is no number."""

from __future__ import annotations

from features.declaration import Group
from features.words import Text
from training.model_card.blocks import plain
from training.validation import words as said
from training.validation.checks.fairness import ATTRIBUTES
from training.validation.findings import Figure, Finding, number
from training.validation.policy import Rule

NOT_JUDGED = Text(en="not judged", zh="未评定")


def whole(count: float) -> Text:
    """Return a count."""
    return plain(f"{count:,.0f}")


def per_cent(share: float) -> Text:
    """Return a share."""
    return plain(f"{share:.1%}")


def amount(value: float | None) -> Text:
    """Return a number as findings tell it."""
    return plain("–" if value is None else number(value))


def interval(low: float | None, high: float | None) -> Text:
    """Return the bounds of an interval."""
    return plain("–" if low is None or high is None else f"{number(low)} – {number(high)}")


def written(figure: Figure | None) -> Text:
    """Return a figure with its interval, and what it is of."""
    if figure is None or figure.value is None:
        return NOT_JUDGED
    said_of = figure.words
    if not figure.of:
        return said_of
    of = of_words(figure.of)
    return Text(en=f"{of.en}: {said_of.en}", zh=f"{of.zh}：{said_of.zh}")


def of_words(of: str) -> Text:
    """Return what a figure is of, in words where it is a group of features or of borrowers.

    >>> of_words("ability").zh, of_words("sex male").zh, of_words("2025-01").zh
    ('还款能力', '性别（male）', '2025-01')
    """
    attribute, _, group = of.partition(" ")
    if of in {one.value for one in Group}:
        return Group(of).text
    if group and attribute in ATTRIBUTES:
        label = ATTRIBUTES[attribute]
        return Text(en=f"{label.en} {group}", zh=f"{label.zh}（{group}）")
    return plain(of)


def told(finding: Finding) -> Text:
    """Return the judged figure of a finding, or that nothing was judged."""
    return written(finding.figures[0] if finding.figures else None)


THRESHOLDS = Text(en="Warns when", zh="警示条件"), Text(en="Refuses when", zh="不通过条件")
"""The heads of the two columns."""


def thresholds(rule: Rule) -> tuple[Text, Text]:
    """Return when a check warns and when it refuses; it does so by the policy also where nothing was judged."""
    return said.bound(rule.threshold.warn), said.bound(rule.threshold.refuse)
