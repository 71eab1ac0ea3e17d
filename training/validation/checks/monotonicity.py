"""Does the calibrated risk, or a reason, ever move against a feature's declared direction?"""

from __future__ import annotations

import numpy as np

from features.words import Text
from models.attribution import attribute
from training.monotonicity import TOLERANCE, monotone_violations, points_between_thresholds
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule


def score(evidence: Evidence, rule: Rule) -> Finding:
    """Return the steps of the calibrated probability that go against a declared direction."""
    rows = rule.count("rows")
    wrong = monotone_violations(evidence.card.model, evidence.values, rows=rows)
    directed = sum(1 for feature in evidence.card.catalog if feature.risk)
    return rule.finding(
        [Figure("violations", float(wrong))],
        Text(
            en=f"{{value}} steps of the risk go against a direction; {directed} features swept on {rows} cases",
            zh=f"校准后风险有{{value}}处违背声明方向：在{rows}个样本上扫描{directed}个特征",
        ),
    )


def reasons(evidence: Evidence, rule: Rule) -> Finding:
    """Return the steps at which a feature's own contribution, as a reason states it, goes against its direction."""
    model, catalog = evidence.card.model, evidence.card.catalog
    base = evidence.values[evidence.sample(rule.count("rows"))]
    thresholds = points_between_thresholds(model)
    counted: list[tuple[str, int]] = []
    for column, feature in enumerate(catalog):
        points = thresholds.get(column)
        if not feature.risk or points is None:
            continue
        swept = np.repeat(base, len(points), axis=0)
        swept[:, column] = np.tile(points, len(base))
        moved = attribute(model, catalog, swept).contributions[:, column].reshape(len(base), len(points))
        counted.append((feature.name, int((np.diff(moved, axis=1) * int(feature.risk) < -TOLERANCE).sum())))
    return rule.finding(
        [Figure("violations", float(sum(wrong for _, wrong in counted)))],
        Text(
            en=f"{{value}} steps of a contribution go against the direction of its feature, of {len(counted)} swept",
            zh=f"扫描{len(counted)}个特征，贡献值有{{value}}处违背特征方向",
        ),
        tables=[
            Table.of(
                "features",
                Text(en="Steps against the direction, by feature", zh="各特征违背方向的次数"),
                ("feature", "violations"),
                [one for one in counted if one[1]],
            )
        ],
    )


CHECKS = (
    Check(
        "monotonicity.score",
        Text(en="Does the calibrated risk keep to the declared directions?", zh="校准后风险是否符合声明方向"),
        "violations",
        score,
        ("rows",),
        Needs.NOTHING,
    ),
    Check(
        "monotonicity.reasons",
        Text(en="Do the reasons keep to the declared directions?", zh="原因贡献是否符合声明方向"),
        "violations",
        reasons,
        ("rows",),
        Needs.NOTHING,
    ),
)
