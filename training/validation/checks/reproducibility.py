"""Can the version be made again: the same data, the same trees to the byte, the same scores?"""

from __future__ import annotations

import numpy as np

from features.words import Text
from models.artefact import RECORDED_PACKAGES
from training.fitting import data_hash
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule


def data(evidence: Evidence, rule: Rule) -> Finding:
    """Return whether the values and outcomes are those that the version was fitted on."""
    if evidence.fitted_on is None or evidence.same_data is None:
        return rule.unjudged(Needs.FIT.value)
    told, found = str(evidence.card.reference["values_sha256"]), data_hash(evidence.fitted_on)
    cases = int(evidence.card.reference["loans"])
    words = (
        Text(en="names, values and outcomes are those that it was fitted on", zh="特征、取值与结果均为拟合时的数据")
        if evidence.same_data
        else Text(en="names, values or outcomes are not those that it was fitted on", zh="特征、取值或结果与拟合时不同")
    )
    table = Table.of(
        "data",
        Text(en="Data it was fitted on, and data found", zh="拟合数据与现有数据"),
        ("what", "fitted on", "here"),
        [("sha256", told, found), ("cases", cases, len(evidence.fitted_on))],
    )
    return rule.finding([Figure("different", float(not evidence.same_data))], words, tables=[table])


def trees(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many of the version's files of trees come out otherwise, byte for byte."""
    assert evidence.refit is not None, "see Needs.FIT"
    names = sorted({*evidence.stored, *evidence.refit.texts})
    differ = [name for name in names if evidence.stored.get(name) != evidence.refit.texts.get(name)]
    table = Table.of(
        "environment",
        Text(en="Versions it was fitted with, and versions here", zh="拟合时与当前的软件版本"),
        ("package", "fitted with", "here"),
        _environment(evidence),
    )
    return rule.finding(
        [Figure("files_that_differ", float(len(differ)))],
        Text(
            en=f"fitted again, {{value}} of {len(names)} files of trees come out otherwise",
            zh=f"重新拟合后，{len(names)}个模型文件中有{{value}}个不同",
        ),
        tables=[table],
    )


def scores(evidence: Evidence, rule: Rule) -> Finding:
    """Return the largest difference of calibrated log-odds between the version and its fit repeated."""
    assert evidence.refit is not None, "see Needs.FIT"
    assert evidence.fitted_on is not None, "it was fitted again on them"
    values = evidence.fitted_on.matrix.values
    stored, again = evidence.card.model, evidence.refit.model
    apart = np.abs(stored.calibration_.log_odds(stored.log_odds(values)) - again.decision_function(values))
    return rule.finding(
        [Figure("log_odds_difference", float(apart.max()))],
        Text(
            en="fitted again, no calibrated score moves by more than {value} in log-odds",
            zh="重新拟合后，校准对数几率最大相差{value}",
        ),
    )


def _environment(evidence: Evidence) -> list[tuple[str, str, str]]:
    from importlib.metadata import version as installed
    from platform import python_version

    told = evidence.card.provenance
    packages = told.get("packages", {})
    return [
        ("python", str(told.get("python", "")), python_version()),
        *((name, str(packages.get(name, "")), installed(name)) for name in RECORDED_PACKAGES),
    ]


CHECKS = (
    Check(
        "reproducibility.data",
        Text(en="Are the data those that it was fitted on?", zh="数据是否为拟合时的数据"),
        "different",
        data,
        needs=Needs.NOTHING,
    ),
    Check(
        "reproducibility.trees",
        Text(en="Does the same fit give the same trees?", zh="重新拟合能否得到相同的模型"),
        "files_that_differ",
        trees,
        needs=Needs.FIT,
    ),
    Check(
        "reproducibility.scores",
        Text(en="Does the same fit give the same scores?", zh="重新拟合能否得到相同的评分"),
        "log_odds_difference",
        scores,
        needs=Needs.FIT,
    ),
)
