"""Are scores and features the same from month to month, and does the card order the loans as well in each?

On its own cases each month is held against all others; later months are held against the version's own cases. An index
is what chance makes of samples of that size, too: what is judged as sure is only what lies beyond that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from features.words import Text, Unit
from models.risk_model import Floats
from training.statistics.bins import LevelBins, NumberBins, level_bins, number_bins
from training.statistics.periods import Stability, gini_by_period
from training.statistics.psi import Psi, psi
from training.statistics.segments import NotJudged
from training.validation.check import Check
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule
from training.validation.scored import Positions, Scored

ONE_MONTH = Text(en="all cases were observed in one month", zh="全部样本处于同一观察月份")
NO_REFERENCE = Text(
    en="validate the version on its own cases first: there is nothing to hold the later ones against",
    zh="请先以该版本自身样本验证：尚无可比较的基准",
)
INDEX_COLUMNS = ("psi", "beyond_chance", "reference", "current", "bins", "p_value")
SHOWN = 20
"""Features that a table lists; the rest moved less."""


def scores(evidence: Scored, rule: Rule) -> Finding:
    """Return the population stability index of the scores, month by month."""
    own = evidence.own
    if own and len(np.unique(evidence.months)) == 1:
        return rule.unjudged(ONE_MONTH)
    if not own and evidence.reference_scores is None:
        return rule.unjudged(NO_REFERENCE)
    whole = evidence.log_odds if evidence.reference_scores is None else evidence.reference_scores
    bins = number_bins(whole, rule.count("bins"))
    told = dict(_by_month(evidence.log_odds, whole, bins, _months(evidence), own=own))
    return rule.finding(
        [_figure(found, month, rule) for month, found in told.items()],
        Text(en="the scores of {of} moved by a PSI of {value}", zh="{of}的评分PSI为{value}"),
        tables=[
            Table.of(
                "months",
                Text(en="The scores' index by month", zh="各月评分PSI"),
                ("month", *INDEX_COLUMNS),
                [(month, *_row(found, rule)) for month, found in told.items()],
            )
        ],
    )


def features(evidence: Evidence, rule: Rule) -> Finding:
    """Return each feature's stability index in the month in which it moved most."""
    own = evidence.own
    if own and len(np.unique(evidence.months)) == 1:
        return rule.unjudged(ONE_MONTH)
    before = evidence.cohort if own else evidence.fitted_on
    if before is None:
        return rule.unjudged(NO_REFERENCE)
    worst: list[tuple[str, str, Psi]] = []
    months = _months(evidence)
    for column, feature in enumerate(evidence.card.catalog):
        values, whole = evidence.values[:, column], before.matrix.values[:, column]
        bins = _bins(whole, rule, category=feature.unit is Unit.CATEGORY)
        if bins is None:
            continue
        month, found = max(_by_month(values, whole, bins, months, own=own), key=lambda one: one[1].value)
        worst.append((feature.name, month, found))
    worst.sort(key=lambda one: -one[2].value)
    return rule.finding(
        [_figure(found, name, rule) for name, _, found in worst],
        Text(en="{of} moved by a CSI of {value} in a month", zh="{of}单月CSI为{value}"),
        names=evidence.labels,
        tables=[
            Table.of(
                "features",
                Text(en="The features that moved most, each in its worst month", zh="变化最大的特征及其月份"),
                ("feature", "month", *INDEX_COLUMNS),
                [(name, month, *_row(found, rule)) for name, month, found in worst[:SHOWN]],
            )
        ],
    )


def gini_slope(evidence: Scored, rule: Rule) -> Finding:
    """Return by how much the Gini coefficient falls from the first month to the last, by a line through all."""
    if len(np.unique(evidence.months)) == 1:
        return rule.unjudged(ONE_MONTH)
    told = gini_by_period(evidence.bad, evidence.log_odds, evidence.months)
    moved = told.slope * (len(told.periods) - 1)
    return rule.finding(
        [Figure("moved", moved)],
        Text(
            en="from the first month to the last the Gini coefficient moves by {value}",
            zh="首月至末月Gini系数变动{value}",
        ),
        more=[Figure("mean", told.mean), Figure("slope", told.slope)],
        tables=[_gini_table(told)],
    )


def gini_spread(evidence: Scored, rule: Rule) -> Finding:
    """Return how far the months' Gini coefficients lie from a line through them."""
    if len(np.unique(evidence.months)) == 1:
        return rule.unjudged(ONE_MONTH)
    told = gini_by_period(evidence.bad, evidence.log_odds, evidence.months)
    return rule.finding(
        [Figure("residual_sd", told.residual_sd)],
        Text(en="the months' Gini coefficients lie {value} about their line", zh="各月Gini系数的残差标准差为{value}"),
        tables=[_gini_table(told)],
    )


def _by_month(
    values: Floats, whole: Floats, bins: NumberBins | LevelBins, months: Mapping[str, Positions], *, own: bool
) -> Iterator[tuple[str, Psi]]:
    """Yield each month's index against the reference: on own cases all other months, else the version's own cases."""
    before = bins.counts(whole)
    for month, at in months.items():
        current = bins.counts(values[at])
        yield month, psi(before - current if own else before, current)


def _months(evidence: Scored) -> dict[str, Positions]:
    """Return the positions of each month's cases; found once, because texts are slow to compare."""
    names, places = np.unique(evidence.months, return_inverse=True)
    return {str(name): np.flatnonzero(places == place) for place, name in enumerate(names)}


def _bins(whole: Floats, rule: Rule, *, category: bool) -> NumberBins | LevelBins | None:
    if np.isnan(whole).all():
        return None
    return level_bins(whole) if category else number_bins(whole, rule.count("bins"))


def _figure(found: Psi, of: str, rule: Rule) -> Figure:
    return Figure("psi", found.value, _beyond(found, rule), found.value, of)


def _beyond(found: Psi, rule: Rule) -> float:
    """Return how far an index lies beyond what chance exceeds as seldom as the policy says."""
    return max(0.0, found.value - found.critical(rule["false_alarm"]))


def _row(found: Psi, rule: Rule) -> tuple[float | int, ...]:
    return found.value, _beyond(found, rule), found.reference, found.current, found.bins, found.p_value


def _gini_table(told: Stability) -> Table:
    rows = [
        (month, None, None, None, one.why)
        if isinstance(one, NotJudged)
        else (month, one.gini, *one.gini_interval(), "")
        for month, one in told.periods.items()
    ]
    return Table.of(
        "months",
        Text(en="Gini coefficient by month", zh="各月Gini系数"),
        ("month", "gini", "low", "high", "not_judged"),
        rows,
    )


BINS = ("bins", "false_alarm")
CHECKS = (
    Check(
        "stability.scores", Text(en="Are the scores the same each month?", zh="各月评分是否稳定"), "psi", scores, BINS
    ),
    Check(
        "stability.features",
        Text(en="Are the features the same each month?", zh="各月特征是否稳定"),
        "psi",
        features,
        BINS,
    ),
    Check(
        "stability.gini_slope",
        Text(en="Does it hold as time passes?", zh="区分力是否随时间下降"),
        "moved",
        gini_slope,
    ),
    Check(
        "stability.gini_spread",
        Text(en="Is it as good in every month?", zh="各月区分力是否一致"),
        "residual_sd",
        gini_spread,
    ),
)
