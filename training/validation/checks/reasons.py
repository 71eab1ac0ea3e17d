"""Has every fact its words in both languages, and does every borrower at risk get a reason that speaks against them?"""

from __future__ import annotations

import re

import numpy as np

from features.declaration import Feature
from features.declared import declared_features
from features.words import Text
from models.attribution import attribute
from models.policy import default_policy
from models.reasons import NO_REASON, reasons
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def complete(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many features lack a sentence, in one language or both."""
    catalog = evidence.card.catalog
    lacking = {feature.name: told for feature in catalog if (told := _lacking(feature))}
    for said in declared_features(evidence.card.declared).unsaid:
        name, _, what = said.removeprefix("feature '").partition("', ")
        for feature in catalog:
            if name in (feature.name, feature.mark_of):
                lacking.setdefault(feature.name, what)
    return rule.finding(
        [Figure("features", float(len(lacking)))],
        Text(
            en=f"{{value}} of {len(catalog)} features lack words in English or Chinese",
            zh=f"{len(catalog)}个特征中有{{value}}个缺少英文或中文说明",
        ),
        tables=[
            Table.of(
                "features", Text(en="Words that are lacking", zh="缺少的说明"), ("feature", "lacking"), lacking.items()
            )
        ],
    )


def against(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many of the riskiest cases have no reason that raises their risk, or one that says the opposite."""
    at = evidence.sample(rule.count("cases"))
    told = attribute(evidence.card.model, evidence.card.catalog, evidence.values[at])
    riskiest = np.argsort(-told.log_odds, kind="stable")[: max(1, round(len(at) * rule["riskiest_share"]))]
    contributions = told.contributions[riskiest]
    currencies = evidence.cohort.money.get_column("currency").to_list()
    said = reasons(
        evidence.card.catalog,
        evidence.card.families,
        evidence.values[at[riskiest]],
        contributions,
        currencies=[str(currencies[case]) for case in at[riskiest]],
        rules=default_policy().reasons,
    )
    raising = (said.told_by != NO_REASON) & (said.totals > 0)
    own = np.take_along_axis(contributions, np.where(raising, said.told_by, 0), axis=1)
    worded = [all(reason.text.en and reason.text.zh for reason in said.of(case)) for case in range(len(riskiest))]
    wrong = int((~raising.any(axis=1) | ~np.array(worded)).sum())
    return rule.finding(
        [Figure("cases", float(wrong))],
        Text(
            en=f"{{value}} of the {len(riskiest):,} riskiest cases have no reason, in words, that raises their risk",
            zh=f"风险最高的{len(riskiest):,}个样本中，{{value}}个没有升高风险的文字原因",
        ),
        more=[
            Figure("reasons_a_case", float(raising.sum(axis=1).mean())),
            Figure("told_by_a_member_that_lowers", float((raising & (own <= 0)).sum())),
        ],
    )


def _lacking(feature: Feature) -> str:
    told = [
        name
        for name in ("label", "reason", "missing")
        if not (CHINESE.search(getattr(feature, name).zh) and not CHINESE.search(getattr(feature, name).en))
    ]
    return ", ".join(told)


CHECKS = (
    Check(
        "reasons.complete",
        Text(en="Has every feature its words in both languages?", zh="各特征是否具备中英文说明"),
        "features",
        complete,
        needs=Needs.NOTHING,
    ),
    Check(
        "reasons.against",
        Text(en="Has every case at risk a reason that raises its risk?", zh="高风险样本是否都有升高风险的原因"),
        "cases",
        against,
        ("cases", "riskiest_share"),
        Needs.NOTHING,
    ),
)
