"""The monitoring of a card: every month of its decisions against its reference, with what became of them since.

All tests that belong to one month stand together: of its features and scores, of the rolls into it, and of the vintages
that matured in it. Of quiet months, no more than the policy's share raises any alarm at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from features.errors import DataRefused, UsageError
from models.fitted_card import FittedCard
from training.monitoring.alarms import Test, judged
from training.monitoring.drift import drifts
from training.monitoring.months import Month, months
from training.monitoring.outcomes import first_known
from training.monitoring.policy import MonitoringPolicy
from training.monitoring.population import Population, population
from training.monitoring.rolls import rolls
from training.monitoring.schema import forms
from training.monitoring.vintages import State, vintages
from training.monitoring.work import churn, money, overrides

FORMAT = "repayrank-monitoring/1"
FEATURE = "feature."


@dataclass(frozen=True)
class Monitoring:
    """What the monitoring of a card found, as plain data; a page shows it and computes nothing anew."""

    told: Mapping[str, Any]

    @property
    def alarms(self) -> list[str]:
        """What raises an alarm in the month watched, in words."""
        return [one["words"]["en"] for one in self.told["alarms"]]


@dataclass(frozen=True)
class Count:
    """Of the decisions that were read, those of borrowers erased since, and requests of which nothing is left."""

    erased: int = 0
    expired_requests: int = 0


def monitor(
    card: FittedCard,
    decisions: pl.DataFrame,
    lines: pl.DataFrame,
    policy: MonitoringPolicy,
    *,
    as_of: date | None = None,
    month: str | None = None,
    count: Count | None = None,
) -> Monitoring:
    """Return how a version of a card stands.

    Parameters
    ----------
    card : the version whose decisions are watched; work lists and rolls are those of all versions
    decisions : the card's decisions of record, of all versions; columns as `serving.decisions.frames` says
    lines : outcomes, as they are kept
    as_of : what became known later is not known; by default the last day of decisions and outcomes
    month : the month that is watched, as 2026-03; by default the latest of which anything can be told
    count : what was met while decisions were read

    Raises
    ------
    DataRefused : no decision of the version is on record
    UsageError : the month has nothing to watch
    """
    day = as_of or _latest(decisions, lines)
    seen = decisions.filter(pl.col("observed_on") <= day)
    own = seen.filter(pl.col("version") == card.version)
    if own.is_empty():
        raise DataRefused(
            f"no decision of version {card.version}",
            where=f"the decisions of the {card.card.name} card on record",
            expected="decisions of the version that is watched, observed by the day asked for",
            do="name a version that decided with --reference, or the home of the service with --home",
        )
    outcomes = first_known(lines.filter(pl.col("known_on") <= day))
    by_month = months(own, policy)
    found = _found(card, by_month, months(seen, policy), outcomes, policy, day)
    watched = month or max(found.tests)
    if watched not in found.tests:
        raise UsageError(
            "a month without decisions and without a vintage that matured in it",
            where="--month",
            expected=f"a month such as {max(found.tests)}",
            do="name another, or leave it out for the latest",
        )
    labels = {feature.name: feature.label for feature in card.catalog}
    alarms = {name: [one for one in tests if one.alarm] for name, tests in found.tests.items()}
    mature = {one["name"] for one in found.vintages if one["state"] == State.MATURE.value}
    cases = [one.cases for one in by_month if one.name in mature]
    told = {
        "format": FORMAT,
        "card": card.card.name,
        "title": card.card.title.as_dict(),
        "bad_means": card.card.outcome.as_dict(),
        "window_days": card.card.window_days,
        "version": card.version,
        "fingerprint": card.fingerprint,
        "as_of": day.isoformat(),
        "month": watched,
        "policy": {
            "version": policy.rules.version,
            "sha256": policy.digest,
            "false_alarm": policy.rules.alarms.false_alarm,
            "moved_by": policy.rules.population.moved_by,
            "least_cases": policy.rules.population.least_cases,
            "known_share": policy.rules.vintages.known_share,
            "first_share": policy.rules.work_list.first_share,
        },
        "breaks": [{"on": one.on.isoformat(), "why": one.why} for one in policy.breaks],
        "reference": found.reference,
        "decisions": {
            "read": seen.height,
            "of_the_version": own.height,
            "other_versions": dict(
                seen.filter(pl.col("version") != card.version).group_by("version").len().sort("version").iter_rows()
            ),
            **vars(count or Count()),
        },
        "labels": {name: text.as_dict() for name, text in labels.items()},
        "alarms": [one.as_dict(labels) for one in alarms[watched]],
        "months": [
            {
                **one,
                "tests": len(found.tests.get(one["month"], ())),
                "alarms": [alarm.as_dict(labels) for alarm in alarms.get(one["month"], ())],
            }
            for one in found.months
        ],
        "judged": {
            name: {"tests": len(tests), "alarms": [one.as_dict(labels) for one in tests if one.alarm]}
            for name, tests in sorted(found.tests.items())
        },
        "vintages": found.vintages,
        "money": [one.as_dict() for one in money(pl.concat(cases, how="diagonal"), outcomes)] if cases else [],
        "currency": _currency(own),
        "rolls": found.rolls,
        "forms": found.forms,
        "churn": [one.as_dict() for one in churn(seen, policy.rules)],
        "overrides": {name: [one.as_dict() for one in rows] for name, rows in overrides(seen, outcomes).items()},
    }
    return Monitoring(told)


@dataclass(frozen=True)
class _Found:
    """What was found month by month; `tests` are judged, by calendar month."""

    months: list[dict[str, Any]]
    vintages: list[dict[str, Any]]
    rolls: list[dict[str, Any]]
    forms: list[dict[str, Any]]
    tests: dict[str, list[Test]]
    reference: dict[str, Any]


def _found(
    card: FittedCard,
    own: Sequence[Month],
    every: Sequence[Month],
    outcomes: pl.DataFrame,
    policy: MonitoringPolicy,
    day: date,
) -> _Found:
    rules = policy.rules
    kept = card.reference.get("population")
    reference = None if kept is None else Population.from_dict(kept)
    days = [date.fromisoformat(one) for one in card.reference["observed_on"]]
    own_era = policy.era(max(days))
    eras = {} if reference is None else {own_era: reference}
    stands_in: dict[int, str] = {}
    tests: dict[str, list[Test]] = {}
    facts: dict[str, list[Test]] = {}
    told = []
    for one in own:
        tests.setdefault(one.month, [])
        row: dict[str, Any] = {"name": one.name, "month": one.month, "era": one.era, "cases": len(one), "drifts": {}}
        if one.era in eras:
            drifted, asked = drifts(
                _values(card, one), one.cases.get_column("log_odds").to_numpy(), eras[one.era], rules
            )
            tests[one.month] += asked
            row |= {"drifts": {drift.of: drift.as_dict() for drift in drifted}, "judged": bool(drifted)}
        else:
            row |= {"judged": False}
            if len(one) >= rules.population.least_cases:
                eras[one.era], stands_in[one.era] = _population(card, one), one.name
        told.append({**row, "stands_in": stands_in.get(one.era) == one.name, "held_against": stands_in.get(one.era)})
    grown = vintages(
        own,
        outcomes,
        rules,
        window_days=card.card.window_days,
        as_of=day,
        quality={} if reference is None or reference.quality is None else {own_era: reference.quality},
    )
    for vintage, asked in grown:
        if vintage.matured_on is not None:
            tests.setdefault(vintage.matured_on.strftime("%Y-%m"), []).extend(asked)
    rolled = rolls(every, rules)
    for roll, asked in rolled:
        tests.setdefault(roll.month[:7], []).extend(asked)
    formed = forms(own, card.version, card.fingerprint, rules)
    for form, asked in formed:
        facts.setdefault(form.month[:7], []).extend(asked)
    verdicts = {
        name: judged(asked, rules.alarms.false_alarm) + [_fact(one) for one in facts.get(name, ())]
        for name, asked in tests.items()
    }
    return _Found(
        told,
        [vintage.as_dict() for vintage, _ in grown],
        [roll.as_dict() for roll, _ in rolled],
        [form.as_dict() for form, _ in formed],
        verdicts,
        {
            "cases": card.reference["loans"] if reference is None else reference.cases,
            "first_on": min(days).isoformat(),
            "last_on": max(days).isoformat(),
            "has_population": reference is not None,
            "quality": None if reference is None or reference.quality is None else reference.quality.as_dict(),
            "score": reference is not None and reference.score is not None,
        },
    )


def _fact(test: Test) -> Test:
    """Return what chance cannot make as an alarm where it is large enough to matter."""
    return replace(test, adjusted=test.p_value, alarm=test.value >= test.at_least)


def _values(card: FittedCard, month: Month) -> dict[str, np.ndarray]:
    """Return each feature's values of the cases that can still be read; NaN where one has no value."""
    readable = month.cases.filter("readable")
    return {
        name: readable.get_column(FEATURE + name).cast(pl.Float64).to_numpy()
        for name in card.catalog.names
        if FEATURE + name in readable.columns
    }


def _population(card: FittedCard, month: Month) -> Population:
    values = _values(card, month)
    features = [feature for feature in card.catalog if feature.name in values]
    matrix = np.column_stack([values[feature.name] for feature in features])
    return population(features, matrix, month.cases.get_column("log_odds").to_numpy())


def _latest(decisions: pl.DataFrame, lines: pl.DataFrame) -> date:
    last = [decisions.get_column("observed_on").max(), lines.get_column("known_on").max()]
    days = [day for day in last if isinstance(day, date)]
    return max(days, default=date.min)


def _currency(decisions: pl.DataFrame) -> str:
    found = decisions.get_column("currency").drop_nulls().unique().to_list()
    return str(found[0]) if len(found) == 1 else ""
