"""Do as many go bad as the card says, in all and in every band?

On its own cases a card is judged by the calibration that was fitted to these very scores, so that only a calibration
that was changed, or that could not follow, is seen; on later cases nothing is fitted and everything shows.
"""

from __future__ import annotations

import numpy as np

from features.words import Text
from models.policy import default_policy
from models.scale import band_names, points
from training.statistics.backtest import jeffreys_p_value
from training.statistics.bands import Band, band_table
from training.statistics.bins import equal_bands
from training.statistics.brier import brier_parts
from training.statistics.calibration_tests import hosmer_lemeshow, spiegelhalter
from training.statistics.multiplicity import holm
from training.statistics.recalibration import Coefficient, recalibration
from training.validation.check import Check
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule
from training.validation.scored import Scored

BAND_COLUMNS = ("band", "cases", "bad", "expected", "predicted", "observed", "low", "high")


def in_the_large(evidence: Scored, rule: Rule) -> Finding:
    """Return by how much the log-odds are too low, all together."""
    told = recalibration(evidence.bad, evidence.probability).in_the_large
    return rule.finding(
        [_figure("intercept", told)],
        Text(en="the log-odds are {value} too low all together", zh="整体对数几率偏低{value}"),
        more=[Figure("predicted", float(evidence.probability.mean())), Figure("observed", float(evidence.bad.mean()))],
    )


def slope(evidence: Scored, rule: Rule) -> Finding:
    """Return how bold the log-odds should be, where 1 is as bold as they are."""
    told = recalibration(evidence.bad, evidence.probability)
    return rule.finding(
        [_figure("slope", told.slope)],
        Text(en="the calibration slope is {value}", zh="校准斜率为{value}"),
        more=[_figure("intercept", told.intercept), Figure("p_value", told.p_value)],
    )


def bands(evidence: Scored, rule: Rule) -> Finding:
    """Return the p-value of the Hosmer-Lemeshow test over bands of equal size."""
    band = equal_bands(evidence.probability, rule.count("bands"))
    told = hosmer_lemeshow(
        evidence.bad,
        evidence.probability,
        band,
        fitted_on_these=evidence.own,
        allowing=rule["allowing"],
    )
    return rule.finding(
        [Figure("p_value", told.p_value)],
        Text(en="Hosmer-Lemeshow over bands of equal size: p {value}", zh="等频分组的Hosmer-Lemeshow检验：p值{value}"),
        more=[Figure("statistic", told.statistic), Figure("freedom", float(told.freedom))],
        tables=[_table(band_table(evidence.bad, evidence.probability, band))],
    )


def single_cases(evidence: Scored, rule: Rule) -> Finding:
    """Return the p-value of Spiegelhalter's test, which looks at single cases and needs no bands."""
    told = spiegelhalter(evidence.bad, evidence.probability)
    return rule.finding(
        [Figure("p_value", told.p_value)],
        Text(en="Spiegelhalter's test: p {value}", zh="Spiegelhalter检验：p值{value}"),
        more=[Figure("z", told.z)],
    )


def brier(evidence: Scored, rule: Rule) -> Finding:
    """Return how much better the probabilities are than everybody's share of bad loans, with the score's parts."""
    band = equal_bands(evidence.probability, rule.count("bands"))
    told = brier_parts(evidence.bad, evidence.probability, band)
    names = ("brier", "reliability", "resolution", "uncertainty", "within_variance", "within_covariance")
    return rule.finding(
        [Figure("skill", 1 - told.brier / told.uncertainty)],
        Text(en="the Brier score is {value} better than the share of all loans", zh="Brier评分较总体坏账率改善{value}"),
        more=[Figure(name, float(getattr(told, name))) for name in names],
    )


def back_test(evidence: Scored, rule: Rule) -> Finding:
    """Return the smallest p-value of Jeffreys' test that a band's probability is not too low."""
    table = band_table(evidence.bad, evidence.probability, score_bands(evidence))
    columns = [[getattr(band, name) for band in table] for name in ("bad", "cases", "predicted")]
    adjusted = holm(jeffreys_p_value(*columns))
    return rule.finding(
        [Figure("p_value", float(p), of=band.name) for band, p in zip(table, adjusted, strict=True)],
        Text(
            en="Jeffreys' test of each score band, adjusted for their number: p {value} in band {of}",
            zh="各评分等级的Jeffreys检验（经多重校正）：等级{of}的p值为{value}",
        ),
        tables=[_table(table)],
    )


def band_ratio(evidence: Scored, rule: Rule) -> Finding:
    """Return the share that went bad over the probability, band by band."""
    table = band_table(evidence.bad, evidence.probability, score_bands(evidence))
    judged = [band for band in table if band.cases >= rule.count("least_cases")]
    if not judged:
        return rule.unjudged(
            Text(en="no score band has enough cases", zh="没有样本量足够的评分等级"), tables=[_table(table)]
        )
    return rule.finding(
        [
            Figure(
                "ratio",
                band.observed / band.predicted,
                band.low / band.predicted,
                band.high / band.predicted,
                band.name,
            )
            for band in judged
        ],
        Text(en="in band {of} {value} times as many went bad as expected", zh="等级{of}的实际坏账为预期的{value}倍"),
        tables=[_table(table)],
    )


def score_bands(evidence: Scored) -> np.ndarray:
    """Return the band of each case's points, by the lender's scale of the release."""
    scale = default_policy()
    return np.array(band_names(points(evidence.calibrated, scale.points), scale.bands))


def _figure(name: str, told: Coefficient) -> Figure:
    low, high = told.interval()
    return Figure(name, told.value, low, high)


def _table(bands: list[Band]) -> Table:
    return Table.of(
        "bands",
        Text(en="Expected and observed by band", zh="各分组的预期与实际"),
        BAND_COLUMNS,
        [(one.name, one.cases, one.bad, one.expected, one.predicted, one.observed, one.low, one.high) for one in bands],
    )


CHECKS = (
    Check(
        "calibration.in_the_large",
        Text(en="Do as many go bad as expected?", zh="总体坏账是否符合预期"),
        "intercept",
        in_the_large,
    ),
    Check("calibration.slope", Text(en="Are the probabilities too bold?", zh="概率是否过于极端"), "slope", slope),
    Check(
        "calibration.bands",
        Text(en="Is it right in every tenth?", zh="各等频分组是否准确"),
        "p_value",
        bands,
        ("bands", "allowing"),
    ),
    Check(
        "calibration.single_cases",
        Text(en="Is it right case by case?", zh="逐笔概率是否准确"),
        "p_value",
        single_cases,
    ),
    Check(
        "calibration.brier",
        Text(en="Is it better than one probability for all?", zh="是否优于统一概率"),
        "skill",
        brier,
        ("bands",),
    ),
    Check(
        "calibration.back_test",
        Text(en="Is the probability of a band too low?", zh="各等级概率是否偏低"),
        "p_value",
        back_test,
    ),
    Check(
        "calibration.band_ratio",
        Text(en="How far is a band off?", zh="各等级偏差程度"),
        "ratio",
        band_ratio,
        ("least_cases",),
    ),
)
