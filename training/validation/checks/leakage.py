"""Does a feature know the outcome? An honest one is weak: what tells nearly all was written down afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.catalog import Catalog
from features.words import Text
from models.attribution import families
from models.calibration import Floats
from models.risk_model import RiskModel, inner_folds
from training.checking.leakage import MOST_LEVELS, auc, only_outcome
from training.statistics.metrics import Bools, discrimination
from training.statistics.paired import Difference, auc_difference
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule

FOLDS = 2
SHOWN = 20
"""Features that a table lists; the rest tell less."""

STATE = Text(
    en="a state in which nearly all went bad holds {value} of the bad cases: {of}",
    zh="某状态下几乎全部为坏样本，占坏样本的{value}：{of}",
)
NO_STATE = Text(en="in no state of a feature nearly all went bad", zh="没有特征状态几乎全部为坏样本")


def alone(evidence: Evidence, rule: Rule) -> Finding:
    """Return how well the most telling feature, or whether it is known, tells bad loans from good."""
    told = aucs_alone(evidence, rule.count("cases"))
    order = np.argsort([-one for one in told], kind="stable")
    names, shares = evidence.card.catalog.names, gain_shares(evidence)
    best = int(order[0])
    return rule.finding(
        [Figure("auc_alone", told[best], of=names[best])],
        Text(en="{of} alone tells bad loans from good with an AUC of {value}", zh="单独使用{of}区分好坏的AUC为{value}"),
        names=evidence.labels,
        more=[Figure("gain_share", float(shares[best]), of=names[best])],
        tables=[
            Table.of(
                "features",
                Text(
                    en="The features that tell most alone, and their share of the gain",
                    zh="单独区分力最强的特征及其增益占比",
                ),
                ("feature", "auc_alone", "gain_share"),
                [(names[place], told[place], shares[place]) for place in order[:SHOWN]],
            )
        ],
    )


def one_outcome(evidence: Evidence, rule: Rule) -> Finding:
    """Return the largest share of all bad cases that one state of a feature holds, with almost no good case in it.

    States that stand almost only with the good ones are listed: of an honest card there are some where few go bad.
    """
    at = evidence.sample(rule.count("cases"))
    bad = evidence.bad[at]
    found = [
        (feature.name, *sign)
        for feature, values in zip(evidence.card.catalog, evidence.values[at].T, strict=True)
        for sign in _one_outcome(values, bad)
    ]
    of_bad = [(name, cases / int(bad.sum())) for name, _, outcome, cases in found if outcome == "bad"]
    figures = [Figure("share_of_bad", min(share, 1.0), of=name) for name, share in of_bad]
    return rule.finding(
        figures or [Figure("share_of_bad", 0.0)],
        STATE if figures else NO_STATE,
        names=evidence.labels,
        more=[Figure("features", float(len({name for name, *_ in found})))],
        tables=[
            Table.of(
                "states",
                Text(en="States that stand almost only with one outcome", zh="几乎只对应一种结果的状态"),
                ("feature", "state", "outcome", "cases"),
                found,
            )
        ],
    )


def dominance(evidence: Evidence, rule: Rule) -> Finding:
    """Return how much better the family of features with the largest gain orders loans than all others together."""
    most, trees = rule.count("cases"), rule.count("trees")
    catalog, shares = evidence.card.catalog, gain_shares(evidence)
    columns = families(catalog)
    best = max(columns, key=lambda family: float(shares[columns[family]].sum()))
    others = np.setdiff1d(np.arange(len(catalog)), columns[best])
    if not len(others):
        return rule.unjudged(Text(en="the card has one family of features only", zh="该评分卡只有一组特征"))
    sides = Sides(evidence, evidence.sample(most), trees)
    told = sides.difference(columns[best], others)
    return rule.finding(
        [Figure("auc_above_others", told.auc, told.low, told.high, of=best)],
        Text(
            en="{of} alone orders loans better than all else by {value} AUC", zh="{of}单独的AUC比其余特征合计高{value}"
        ),
        names={best: catalog.features[columns[best][0]].label},
        more=[Figure("gain_share", float(shares[columns[best]].sum()), of=best)],
    )


def too_good(evidence: Evidence, rule: Rule) -> Finding:
    """Return the AUC out of sample, which no honest card brings near to 1."""
    told = np.mean([discrimination(bad, evidence.log_odds[at]).auc for bad, at in evidence.parts_of()])
    return rule.finding(
        [Figure("auc", float(told))],
        Text(en="out of sample the card reaches an AUC of {value}", zh="样本外AUC为{value}"),
    )


@dataclass(frozen=True)
class Sides:
    """Models on some of the features, each judged on the half of the cases that it had not seen."""

    evidence: Evidence
    at: npt.NDArray[np.intp]
    trees: int

    def difference(self, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> Difference:
        """Return how much better one set of columns orders the cases than another."""
        bad = self.evidence.bad[self.at]
        parts = []
        for fit_on, judged in inner_folds(np.empty((len(bad), 0)), bad, None, FOLDS, self.evidence.seed):
            told = [self._scores(columns, fit_on, judged) for columns in (first, second)]
            parts.append((bad[judged], *told))
        return auc_difference(parts)

    def _scores(
        self, columns: npt.NDArray[np.intp], fit_on: npt.NDArray[np.intp], judged: npt.NDArray[np.intp]
    ) -> Floats:
        values, bad = self.evidence.values[self.at][:, columns], self.evidence.bad[self.at]
        model = small_model(self.evidence.card.catalog, columns, trees=self.trees, seed=self.evidence.seed)
        return model.fit(values[fit_on], bad[fit_on]).log_odds(values[judged])


def small_model(catalog: Catalog, columns: npt.NDArray[np.intp], *, trees: int, seed: int) -> RiskModel:
    """Return an unfitted model of some columns that grows so many trees, without a search for their number."""
    from models.risk_model import SIZES

    chosen = Catalog(tuple(catalog.features[column] for column in columns))
    size = replace(SIZES[1], learning_rate=FAST, feature_fraction=1.0, most_trees=4 * trees)
    # Without inner folds a quarter of the most is grown.
    return RiskModel.of(chosen, sizes=(size,), inner_folds=1, seed=seed)


FAST = 0.1
"""The learning rate of models that are only compared with each other."""


def aucs_alone(evidence: Evidence, most: int) -> list[float]:
    """Return the AUC of each feature alone, 0.5 to 1: of its values in either direction, or of whether it is known."""
    at = evidence.sample(most)
    bad = evidence.bad[at]
    return [max(auc(values, bad), auc(np.isnan(values).astype(np.float64), bad)) for values in evidence.values[at].T]


def gain_shares(evidence: Evidence) -> Floats:
    """Return each feature's share of what the trees of the card gained by it."""
    gains = np.asarray(evidence.card.model.booster_.feature_importance("gain"), dtype=np.float64)
    return gains / gains.sum() if gains.sum() > 0 else gains


def _one_outcome(values: Floats, bad: Bools) -> Iterator[tuple[str, str, int]]:
    known = ~np.isnan(values)
    states = {"known": known, "missing": ~known, "0": known & (values == 0), "other than 0": known & (values != 0)}
    levels = np.unique(values[known])
    if len(levels) <= MOST_LEVELS:
        states |= {f"level {place} of {len(levels)}": values == level for place, level in enumerate(levels, start=1)}
    for state, members in states.items():
        outcome = only_outcome(members, bad)
        if outcome is not None:
            yield state, outcome, int(members.sum())


CHECKS = (
    Check(
        "leakage.alone",
        Text(en="Does a single feature tell nearly all?", zh="单个特征是否几乎决定结果"),
        "auc_alone",
        alone,
        ("cases",),
        needs=Needs.NOTHING,
    ),
    Check(
        "leakage.one_outcome",
        Text(en="Does a state of a feature stand with one outcome only?", zh="特征的某种状态是否只对应一种结果"),
        "share_of_bad",
        one_outcome,
        ("cases",),
        needs=Needs.NOTHING,
    ),
    Check(
        "leakage.dominance",
        Text(en="Is one family of features better than all others?", zh="单组特征是否优于其余全部"),
        "auc_above_others",
        dominance,
        ("cases", "trees"),
        Needs.NOTHING,
    ),
    Check(
        "leakage.too_good",
        Text(en="Is the card too good to be true?", zh="评分卡是否好得不真实"),
        "auc",
        too_good,
    ),
)
