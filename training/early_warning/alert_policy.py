"""When a rise of risk is an alert, and how many alerts a team can handle: the lender's numbers, with their sources."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from features.words import Text
from training.early_warning.policy_file import read, refused, sections_of

FILE = "alerts.toml"
DAYS_A_MONTH = 365.25 / 12
POINTS_A_UNIT = 100
"""Percentage points of a probability of 1."""


class Capacity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many alerts a month the team can handle."""

    alerts_a_month: int
    source: str


class Exposure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The amount at risk, in whole units of the currency, below which there is no alert."""

    least: int
    source: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: all that it names must hold. At least one of `factor`, `points` and `bands` is named."""

    name: str
    en: str
    zh: str
    source: str
    factor: float | None = None
    points: float | None = None
    bands: int | None = None
    probability: float | None = None

    @property
    def text(self) -> Text:
        """Return the rule in words, with its numbers."""
        numbers = {
            name: f"{value:g}"
            for name, value in (("factor", self.factor), ("points", self.points), ("bands", self.bands))
            if value is not None
        }
        if self.probability is not None:
            numbers["probability"] = f"{self.probability:.0%}"
        return Text(en=self.en, zh=self.zh).filled(**numbers)


@dataclass(frozen=True)
class AlertPolicy:
    """An alert policy, checked; `digest` is the SHA-256 of its bytes."""

    version: str
    capacity: Capacity
    exposure: Exposure
    rules: tuple[Rule, ...]
    digest: str

    def most_alerts(self, first: date, last: date) -> int:
        """Return how many alerts a list between two dates may hold.

        >>> policy = read_alert_policy(None)
        >>> [policy.most_alerts(date(2025, 5, 31), day) for day in (date(2025, 6, 7), date(2025, 6, 30))]
        [45, 197]
        >>> policy.most_alerts(date(2025, 1, 31), date(2025, 6, 30))
        200
        """
        part = min(1.0, (last - first).days / DAYS_A_MONTH)
        return max(1, math.floor(self.capacity.alerts_a_month * part))


KINDS: dict[str, Any] = {"capacity": Capacity, "exposure": Exposure, "rules": tuple[Rule, ...]}


def read_alert_policy(path: Path | None) -> AlertPolicy:
    """Return the policy in a file, or the one that ships with the release; ConfigurationRefused with all faults."""
    raw, where = read(path, FILE)
    written = sections_of(raw, KINDS, where=where)
    policy = AlertPolicy(written.version, **written.sections, digest=written.digest)
    faults = list(_faults(policy))
    if faults:
        raise refused(faults, where)
    return policy


def _faults(policy: AlertPolicy) -> Iterator[str]:
    if policy.capacity.alerts_a_month < 1:
        yield "section 'capacity': alerts_a_month must be at least 1"
    if policy.exposure.least < 0:
        yield "section 'exposure': least must be at least 0"
    if not policy.rules:
        yield "section 'rules': there must be a rule"
    names = [rule.name for rule in policy.rules]
    yield from (
        f"section 'rules': two rules are named '{name}'" for name in {one for one in names if names.count(one) > 1}
    )
    for rule in policy.rules:
        if rule.factor is None and rule.points is None and rule.bands is None:
            yield f"rule '{rule.name}': names no rise; give factor, points or bands"
        if rule.factor is not None and not 1 < rule.factor < math.inf:
            yield f"rule '{rule.name}': factor must be above 1"
        if rule.points is not None and not 0 < rule.points <= POINTS_A_UNIT:
            yield f"rule '{rule.name}': points must be above 0 and at most {POINTS_A_UNIT}"
        if rule.bands is not None and rule.bands < 1:
            yield f"rule '{rule.name}': bands must be at least 1"
        if rule.probability is not None and not 0 < rule.probability < 1:
            yield f"rule '{rule.name}': probability must be above 0 and below 1"
        try:
            _ = rule.text
        except (KeyError, ValueError, IndexError):
            yield f"rule '{rule.name}': its words ask for a number that it does not name"
