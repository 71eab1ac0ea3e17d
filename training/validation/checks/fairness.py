"""Are like borrowers treated alike whoever they are? The protected attributes are read here and nowhere else.

A group is compared with the largest one of its attribute. Favoured are the cases of least risk, as many as the policy
says: what the lender does with them, and what the law of its country asks, is the lender's to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from features.portfolios.protected_names import of_a_name
from features.words import Text
from models.risk_model import inner_folds
from training.checking.leakage import auc
from training.statistics.auc import Auc
from training.statistics.groups import GroupCalibration, calibration_within, proxy
from training.statistics.impact import Impact, adverse_impact
from training.statistics.inputs import MISSING
from training.statistics.metrics import Bools
from training.statistics.opportunity import Opportunity, equal_opportunity
from training.statistics.segments import NotJudged
from training.validation.check import Check, Needs
from training.validation.checks.leakage import FOLDS, gain_shares, small_model
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding, Table
from training.validation.policy import Rule
from training.validation.scored import Scored

AGE = "age_years"
FEW = "too few cases"
GROUPING = ("younger_below", "older_from", "least_cell")
ATTRIBUTES = {
    "sex": Text(en="sex", zh="性别"),
    "age": Text(en="age", zh="年龄"),
    "education": Text(en="education", zh="教育程度"),
    "marital_status": Text(en="marital status", zh="婚姻状况"),
}
Told = TypeVar("Told")
Groups = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Attribute:
    """One protected attribute: the group of each case, and the largest of them, which the others are compared with."""

    name: str
    groups: Groups

    @property
    def reference(self) -> str:
        """The largest group whose name is known."""
        names, counts = np.unique(self.groups[self.groups != MISSING], return_counts=True)
        return str(names[counts.argmax()])

    @property
    def others(self) -> list[str]:
        """The other groups, in order of their names."""
        return [str(name) for name in np.unique(self.groups) if name not in (self.reference, MISSING)]


def attributes(evidence: Scored, rule: Rule) -> Iterator[Attribute]:
    """Yield the protected attributes in which the judged cases differ; ages in three bands."""
    assert evidence.protected is not None, "see Needs.PROTECTED"
    for column in evidence.protected.get_columns():
        banded = _age_bands(column, rule) if column.name == AGE else column.cast(pl.String)
        groups = banded.fill_null(MISSING).to_numpy().astype(str)
        if len(np.unique(groups[groups != MISSING])) > 1:
            yield Attribute(column.name.removesuffix("_years"), groups)


def inputs(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many features are named as a protected attribute, or read a column that is."""
    found = [
        (feature.name, word)
        for feature in evidence.card.catalog
        for name in (feature.name, *(column for column, _ in feature.reads))
        if (word := of_a_name(name)) is not None
    ]
    return rule.finding(
        [Figure("features", float(len({name for name, _ in found})))],
        Text(en="{value} features are named as a protected attribute", zh="{value}个特征以受保护属性命名"),
        tables=[
            Table.of(
                "features",
                Text(en="Features named as a protected attribute", zh="以受保护属性命名的特征"),
                ("feature", "word"),
                found,
            )
        ],
    )


def impact(evidence: Scored, rule: Rule) -> Finding:
    """Return each group's share of favoured cases over that of the largest group."""
    favoured = favoured_cases(evidence, rule)
    return _by_group(
        evidence,
        rule,
        lambda one: adverse_impact(favoured, one.groups, reference=one.reference, least=rule.count("least_cell")),
        lambda told: Figure("ratio", told.ratio, told.low, told.high) if isinstance(told, Impact) else None,
        Text(
            en="{of}: favoured {value} times as often as the largest group",
            zh="{of}：受益比例为最大群体的{value}倍",
        ),
    )


def opportunity(evidence: Scored, rule: Rule) -> Finding:
    """Return each group's share of favoured cases among the good ones, less that of the largest group."""
    favoured = favoured_cases(evidence, rule)
    return _by_group(
        evidence,
        rule,
        lambda one: equal_opportunity(
            ~evidence.bad, favoured, one.groups, reference=one.reference, least=rule.count("least_cell")
        ),
        lambda told: (
            Figure("difference", told.difference, told.low, told.high) if isinstance(told, Opportunity) else None
        ),
        Text(
            en="{of}: of those who pay, favoured more often than in the largest group by {value}",
            zh="{of}：履约者受益比例较最大群体高{value}",
        ),
    )


def calibration(evidence: Scored, rule: Rule) -> Finding:
    """Return the share that went bad over the probability, in each group."""

    def ratio(told: GroupCalibration | NotJudged) -> Figure | None:
        if isinstance(told, NotJudged):
            return None
        band = told.band
        return Figure("ratio", band.observed / band.predicted, band.low / band.predicted, band.high / band.predicted)

    return _by_group(
        evidence,
        rule,
        lambda one: calibration_within(evidence.bad, evidence.probability, one.groups, least=rule.count("least_cell")),
        ratio,
        Text(en="{of}: {value} times as many went bad as expected", zh="{of}：实际坏账为预期的{value}倍"),
    )


def proxy_together(evidence: Evidence, rule: Rule) -> Finding:
    """Return how well all features of the card together tell each group."""
    at = evidence.sample(rule.count("cases"))

    def told(one: Attribute) -> dict[str, Auc | NotJudged]:
        groups, least = one.groups[at], rule.count("least_cell")
        enough = [name for name in one.others if least <= int((groups == name).sum()) <= len(groups) - least]
        predicted = {name: _out_of_fold(evidence, at, groups == name, rule.count("trees")) for name in enough}
        few = {
            name: NotJudged(int((groups == name).sum()), f"fewer than {least} cases in it or outside it")
            for name in one.others
            if name not in enough
        }
        return {**proxy(groups, predicted, least=least), **few}

    def figure(found: Auc | NotJudged) -> Figure | None:
        return None if isinstance(found, NotJudged) else Figure("auc", found.value, *found.interval())

    return _by_group(
        evidence,
        rule,
        told,
        figure,
        Text(
            en="{of}: all features together tell the group with an AUC of {value}",
            zh="{of}：全部特征识别该群体的AUC为{value}",
        ),
    )


def proxy_alone(evidence: Evidence, rule: Rule) -> Finding:
    """Return how well a single feature that the card uses tells each group, at most."""
    used = np.flatnonzero(gain_shares(evidence) >= rule["least_gain_share"])
    catalog = evidence.card.catalog
    at = evidence.sample(rule.count("cases"))
    values = evidence.values[at]

    def told(one: Attribute) -> dict[str, tuple[float, str] | NotJudged]:
        found: dict[str, tuple[float, str] | NotJudged] = {}
        groups, least = one.groups[at], rule.count("least_cell")
        for name in one.others:
            member = groups == name
            if not least <= int(member.sum()) <= len(member) - least:
                found[name] = NotJudged(int(member.sum()), f"fewer than {least} cases in it or outside it")
                continue
            alone = [_tells(values[:, column], member) for column in used]
            best = int(np.argmax(alone))
            found[name] = (alone[best], catalog.names[used[best]])
        return found

    def figure(found: tuple[float, str] | NotJudged) -> Figure | None:
        return None if isinstance(found, NotJudged) else Figure("auc", found[0])

    if not len(used):
        return rule.unjudged(Text(en="the card uses no feature that much", zh="没有达到增益占比的特征"))
    return _by_group(
        evidence,
        rule,
        told,
        figure,
        Text(
            en="{of}: one feature alone tells the group with an AUC of {value}",
            zh="{of}：单个特征识别该群体的AUC为{value}",
        ),
        note=lambda found: "" if isinstance(found, NotJudged) else found[1],
    )


def favoured_cases(evidence: Scored, rule: Rule) -> Bools:
    """Return the cases of least risk, as many as the policy says."""
    order = np.argsort(evidence.log_odds, kind="stable")
    favoured = np.zeros(len(order), dtype=np.bool_)
    favoured[order[: round(len(order) * rule["favoured_share"])]] = True
    return favoured


def _by_group(
    evidence: Scored,
    rule: Rule,
    measure: Callable[[Attribute], dict[str, Told]],
    figure: Callable[[Told], Figure | None],
    words: Text,
    note: Callable[[Told], str] = lambda _: "",
) -> Finding:
    """Return the finding on every group; those too small to be judged are named, and their shares are not told."""
    figures: list[Figure] = []
    names: dict[str, Text] = {}
    rows: list[tuple[Any, ...]] = []
    for one in attributes(evidence, rule):
        for group, told in measure(one).items():
            if group == MISSING:
                continue
            cases = int((one.groups == group).sum())
            found = figure(told)
            if found is None:
                rows.append((one.name, group, one.reference, None, None, None, None, FEW))  # not even how many
                continue
            of = f"{one.name} {group}"
            figures.append(Figure(found.name, found.value, found.low, found.high, of=of))
            names[of] = _said(one.name, group)
            rows.append((one.name, group, one.reference, cases, found.value, found.low, found.high, note(told)))
    table = Table.of(
        "groups",
        Text(en="By group; those too small are named and not shown", zh="按群体；样本过小者仅列名"),
        ("attribute", "group", "compared_with", "cases", rule.figure, "low", "high", "note"),
        rows,
    )
    if not figures:
        return rule.unjudged(Text(en="no group has enough cases", zh="没有样本量足够的群体"), tables=[table])
    return rule.finding(figures, words, names=names, tables=[table])


def _said(attribute: str, group: str) -> Text:
    label = ATTRIBUTES.get(attribute, Text(en=attribute, zh=attribute))
    return Text(en=f"{label.en} {group}", zh=f"{label.zh}（{group}）")


def _out_of_fold(evidence: Evidence, at: npt.NDArray[np.intp], member: Bools, trees: int) -> npt.NDArray[np.float64]:
    """Return how likely each case is of a group, by a model of the card's features that had not seen it."""
    values, columns = evidence.values[at], np.arange(len(evidence.card.catalog))
    told = np.empty(len(at))
    for fit_on, judged in inner_folds(values, member, evidence.cohort.borrowers[at], FOLDS, evidence.seed):
        model = small_model(evidence.card.catalog, columns, trees=trees, seed=evidence.seed)
        # Whatever direction a feature has for the risk, it may have another for the group.
        model.set_params(directions=None)
        told[judged] = model.fit(values[fit_on], member[fit_on]).log_odds(values[judged])
    return told


def _tells(values: npt.NDArray[np.float64], member: Bools) -> float:
    return max(auc(values, member), auc(np.isnan(values).astype(np.float64), member))


def _age_bands(ages: pl.Series, rule: Rule) -> pl.Series:
    younger, older = rule.count("younger_below"), rule.count("older_from")
    frame = pl.DataFrame({"age": ages})
    banded = (
        pl.when(pl.col("age").is_null())
        .then(None)
        .when(pl.col("age") < younger)
        .then(pl.lit(f"below {younger}"))
        .when(pl.col("age") >= older)
        .then(pl.lit(f"{older} and over"))
        .otherwise(pl.lit(f"{younger} to {older - 1}"))
    )
    return frame.select(banded).to_series()


CHECKS = (
    Check(
        "fairness.inputs",
        Text(en="Is a protected attribute among the features?", zh="特征中是否含受保护属性"),
        "features",
        inputs,
        needs=Needs.NOTHING,
    ),
    Check(
        "fairness.adverse_impact",
        Text(en="Are groups favoured alike?", zh="各群体受益比例是否相近"),
        "ratio",
        impact,
        (*GROUPING, "favoured_share"),
        Needs.PROTECTED,
    ),
    Check(
        "fairness.equal_opportunity",
        Text(en="Are those who pay favoured alike?", zh="各群体履约者受益是否相近"),
        "difference",
        opportunity,
        (*GROUPING, "favoured_share"),
        Needs.PROTECTED,
    ),
    Check(
        "fairness.calibration",
        Text(en="Does a probability mean the same in every group?", zh="各群体的概率含义是否一致"),
        "ratio",
        calibration,
        GROUPING,
        Needs.PROTECTED,
    ),
    Check(
        "fairness.proxy_together",
        Text(en="Do the features together give a group away?", zh="全部特征是否暴露群体"),
        "auc",
        proxy_together,
        (*GROUPING, "cases", "trees"),
        Needs.PROTECTED,
    ),
    Check(
        "fairness.proxy",
        Text(en="Does one feature stand in for a group?", zh="是否有特征代替群体"),
        "auc",
        proxy_alone,
        (*GROUPING, "cases", "least_gain_share"),
        Needs.PROTECTED,
    ),
)
