"""Is the card better than the simple models that a lender would otherwise use, on the very same cases?"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logit

from features.words import Text
from models.risk_model import Floats
from training.benchmark import logistic as logistic_regression
from training.benchmark import score_of
from training.cohort import Cohort
from training.rivals import NEEDS, WoeScorecard
from training.statistics.paired import auc_difference
from training.validation.check import Check
from training.validation.checks.leakage import gain_shares
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding
from training.validation.policy import Rule
from training.validation.scored import Scored

WOE = "woe_scorecard"
THAN_LOGISTIC = Text(en="better than logistic regression by {value} AUC", zh="AUC较逻辑回归高{value}")
THAN_SCORECARD = Text(en="better than a scorecard of weights of evidence by {value} AUC", zh="AUC较WoE评分卡高{value}")
NEAREST = 1e-12
"""No probability of a benchmark is taken to be nearer to 0 or 1."""
Fitted = Callable[[Floats], Floats]


def logistic(evidence: Evidence, rule: Rule) -> Finding:
    """Return how much better the card orders the cases than logistic regression on the same features."""

    def fitted(values: Floats, bad: Any) -> Fitted:
        model = logistic_regression(evidence.cohort.matrix.features).fit(values, bad)
        return lambda judged: score_of(model, judged)

    return _against(
        evidence,
        rule,
        "logistic",
        fitted,
        THAN_LOGISTIC,
    )


def scorecard(evidence: Evidence, rule: Rule) -> Finding:
    """Return how much better the card orders the cases than the trade's scorecard of weights of evidence."""
    if importlib.util.find_spec(NEEDS[WOE]) is None:
        return rule.unjudged(
            Text(en="not installed: the optional libraries of the extra 'compare'", zh="未安装可选依赖compare")
        )

    # A scorecard of a hundred and more features is nobody's: it gets those that the card itself gains most by.
    chosen = np.sort(np.argsort(-gain_shares(evidence), kind="stable")[: rule.count("features")])

    def fitted(values: Floats, bad: Any) -> Fitted:
        model = WoeScorecard().fit(values[:, chosen], bad)
        return lambda judged: logit(np.clip(model.predict_proba(judged[:, chosen])[:, 1], NEAREST, 1 - NEAREST))

    return _against(
        evidence,
        rule,
        "scorecard",
        fitted,
        THAN_SCORECARD,
    )


def _against(evidence: Evidence, rule: Rule, name: str, fit: Callable[[Floats, Any], Fitted], words: Text) -> Finding:
    """Return the paired comparison; the benchmark's scores are kept with the evidence."""
    told = np.empty(len(evidence))
    most = rule.count("fitted_on")
    used = 0
    for part in evidence.unseen:
        cohort, rows = _to_fit_on(evidence, part.judged)
        if cohort is None:
            return rule.unjudged(
                Text(
                    en="the book no longer has the cases that the version was fitted on",
                    zh="该资产包不再包含该版本的拟合样本",
                )
            )
        rows = np.sort(np.random.default_rng(evidence.seed).permutation(rows)[:most])
        used = max(used, len(rows))
        told[part.judged] = fit(cohort.matrix.values[rows], cohort.bad[rows])(evidence.values[part.judged])
    evidence.columns[f"{name}_log_odds"] = told
    found = against_kept(evidence, rule, name, words)
    return replace(found, figures=(*found.figures, Figure("fitted_on", float(used))))


def against_kept(evidence: Scored, rule: Rule, name: str, words: Text) -> Finding:
    """Return the paired comparison with a benchmark's scores, as the evidence keeps them."""
    told = evidence.columns[f"{name}_log_odds"]
    difference = auc_difference([(bad, evidence.log_odds[at], told[at]) for bad, at in evidence.parts_of()])
    return rule.finding([Figure("auc_difference", difference.auc, difference.low, difference.high)], words)


def _to_fit_on(evidence: Evidence, judged: np.ndarray) -> tuple[Cohort | None, np.ndarray]:
    """Return the cases that the model of the judged ones was fitted on: the other folds', or the card's own."""
    if len(evidence.unseen) > 1:
        return evidence.cohort, np.setdiff1d(np.arange(len(evidence)), judged)
    own = evidence.fitted_on
    return own, np.arange(0 if own is None else len(own))


CHECKS = (
    Check(
        "benchmark.logistic",
        Text(en="Is it better than logistic regression?", zh="是否优于逻辑回归"),
        "auc_difference",
        logistic,
        ("fitted_on",),
    ),
    Check(
        "benchmark.scorecard",
        Text(en="Is it better than a scorecard?", zh="是否优于传统评分卡"),
        "auc_difference",
        scorecard,
        ("fitted_on", "features"),
    ),
)
