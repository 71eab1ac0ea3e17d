"""Does the card put those who go bad before those who do not, in every product, and where the money is?"""

from __future__ import annotations

from typing import Any

import numpy as np

from features.words import Text
from training.report_words import PRODUCTS
from training.statistics.auc import Auc, auc
from training.statistics.deciles import decile_table
from training.statistics.ks import ks
from training.statistics.segments import NotJudged, by_segment
from training.statistics.worked import captured_money, worked
from training.validation.check import Check
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule
from training.validation.scored import Scored


def auc_of_all(evidence: Scored, rule: Rule) -> Finding:
    """Return the AUC with DeLong's interval, and the Gini coefficient.

    Scores of several folds' models are compared across folds as well: they are calibrated together and served as one.
    """
    told = auc(evidence.bad, evidence.log_odds)
    (low, high), (gini_low, gini_high) = told.interval(), told.gini_interval()
    return rule.finding(
        [Figure("auc", told.value, low, high)],
        Text(en="out of sample the AUC is {value}", zh="样本外AUC为{value}"),
        more=[
            Figure("gini", told.gini, gini_low, gini_high),
            Figure("cases", float(len(evidence))),
            Figure("bad", float(evidence.bad.sum())),
        ],
        tables=[
            Table.of(
                "deciles",
                Text(en="Tenth by tenth, riskiest first", zh="按风险由高到低十等分"),
                (
                    "tenth",
                    "cases",
                    "predicted",
                    "observed",
                    "low",
                    "high",
                    "lift",
                    "found",
                    "exposure_minor",
                    "bad_minor",
                ),
                [
                    (
                        one.number,
                        one.loans,
                        one.predicted,
                        one.observed,
                        one.low,
                        one.high,
                        one.lift,
                        one.found,
                        one.exposure_minor,
                        one.bad_minor,
                    )
                    for one in decile_table(evidence.bad, evidence.probability, evidence.exposure)
                ],
            )
        ],
    )


def ks_of_all(evidence: Scored, rule: Rule) -> Finding:
    """Return the Kolmogorov-Smirnov distance, with its interval about the value less its bias."""
    told = ks(evidence.bad, evidence.log_odds, repeats=rule.count("repeats"), seed=evidence.seed)
    return rule.finding(
        [Figure("ks", told.value, told.low, told.high)],
        Text(en="out of sample KS is {value}", zh="样本外KS为{value}"),
        more=[Figure("bias", told.bias)],
    )


def lift(evidence: Scored, rule: Rule) -> Finding:
    """Return how many times more bad loans the first of the list hold than as many drawn by lot."""
    share = rule["first_share"]
    told = worked(evidence.bad, evidence.log_odds, [share], repeats=rule.count("repeats"), seed=evidence.seed)
    low, high = (float(end[0]) / share for end in (told.low, told.high))
    return rule.finding(
        [Figure("lift", float(told.lift[0]), low, high)],
        Text(
            en=f"the first {share:.0%} hold {{value}} times the bad loans that as many drawn by lot would",
            zh=f"前{share:.0%}样本的坏样本数为随机抽取的{{value}}倍",
        ),
        more=[Figure("captured", float(told.captured[0]), float(told.low[0]), float(told.high[0]))],
    )


def money(evidence: Scored, rule: Rule) -> Finding:
    """Return how much more of the money that went bad the first by expected loss hold than the first by amount."""
    share = rule["first_share"]
    if not evidence.exposure[evidence.bad].any():
        return rule.unjudged(Text(en="no amount at risk is known", zh="没有风险敞口金额"))
    held = {
        name: float(captured_money(evidence.bad, ranking, evidence.exposure, np.array([share]))[0])
        for name, ranking in (
            ("score", evidence.log_odds),
            ("loss", evidence.probability * evidence.exposure),
            ("amount", evidence.exposure.astype(np.float64)),
        )
    }
    return rule.finding(
        [Figure("captured_above_amount", held["loss"] - held["amount"])],
        Text(
            en=f"the first {share:.0%} by expected loss hold {{value}} more of the bad money than by amount",
            zh=f"按预期损失排序的前{share:.0%}比按金额排序多覆盖{{value}}的坏账金额",
        ),
        more=[Figure(f"captured_by_{name}", value) for name, value in held.items()],
    )


def segments(evidence: Scored, rule: Rule) -> Finding:
    """Return the AUC of each product and each observation month that has enough of both outcomes."""
    least = rule.count("least_of_each")

    def measure(part: np.ndarray) -> Auc:
        return auc(evidence.bad[part], evidence.log_odds[part])

    figures: list[Figure] = []
    names = {f"product {name}": words for name, words in PRODUCTS.items()}
    rows: list[tuple[Any, ...]] = []
    for kind, segment in (("product", evidence.products), ("month", evidence.months)):
        told = by_segment(segment, measure, least=2 * least)
        for name, one in told.items():
            if isinstance(one, NotJudged):
                rows.append((kind, name, one.cases, None, None, None, None, one.why))
                continue
            (low, high), few = one.interval(), min(one.bad, one.good) < least
            why = f"{one.bad} bad and {one.good} good, of {least} of each that are needed" if few else ""
            rows.append((kind, name, one.bad + one.good, one.bad, one.value, low, high, why))
            if not few:
                figures.append(Figure("auc", one.value, low, high, of=name if kind == "month" else f"{kind} {name}"))
    table = Table.of(
        "segments",
        Text(en="By product and by observation month", zh="按产品与观察月份"),
        ("kind", "segment", "cases", "bad", "auc", "low", "high", "not_judged"),
        rows,
    )
    if not figures:
        return rule.unjudged(
            Text(en="no segment has enough cases of both outcomes", zh="没有样本量足够的细分"), tables=[table]
        )
    return rule.finding(
        figures,
        Text(en="the weakest segment is {of} with an AUC of {value}", zh="最弱的细分为{of}，AUC为{value}"),
        names=names,
        tables=[table],
    )


FIRST = ("first_share",)
CHECKS = (
    Check("discrimination.auc", Text(en="Does it order the loans?", zh="能否区分好坏"), "auc", auc_of_all),
    Check(
        "discrimination.ks",
        Text(en="How far apart are good and bad?", zh="好坏样本分离程度"),
        "ks",
        ks_of_all,
        ("repeats",),
    ),
    Check(
        "discrimination.lift",
        Text(en="Do the first hold the bad loans?", zh="头部提升度"),
        "lift",
        lift,
        (*FIRST, "repeats"),
    ),
    Check(
        "discrimination.money",
        Text(en="Do the first hold the money that went bad?", zh="头部坏账金额覆盖"),
        "captured_above_amount",
        money,
        FIRST,
    ),
    Check(
        "discrimination.segments",
        Text(en="Does it order the loans of every segment?", zh="各细分能否区分好坏"),
        "auc",
        segments,
        ("least_of_each",),
    ),
)
