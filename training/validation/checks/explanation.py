"""Are the reasons the model's own, and are they the same tomorrow, for a like borrower, after another training?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from features.catalog import Catalog
from features.words import Text, Unit
from models.attribution import attribute, distance_from_lightgbm, families
from models.risk_model import Floats, RiskModel
from training.statistics.agreement import Overlap, deletion_area, deletions, reason_overlap
from training.statistics.metrics import Bools
from training.validation.check import Check, Needs
from training.validation.evidence import Evidence
from training.validation.findings import Figure, Finding
from training.validation.policy import Rule
from training.validation.scored import Scored

FOUR = 4
"""Reasons that are compared: as many as a borrower is told at most."""
HALF = 0.5
FALL, FALL_OF_ANOTHER = "deletion_fall", "deletion_fall_of_another"
FIRST_STAYS, FOUR_STAY = "perturbed_first_stays", "perturbed_four_stay"
AFTER_TRAINING, SHARED, APART = "reasons_after_training", "reasons_shared", "distance"
"""Columns of the evidence."""
Places = npt.NDArray[np.int64]


def exact_sum(evidence: Evidence, rule: Rule) -> Finding:
    """Return the largest distance between a score and the sum of its parts, over every case."""
    told = evidence.by_the_card
    error = max(told.error, distance_from_lightgbm(evidence.card.model, told, evidence.values))
    return rule.finding(
        [Figure("error", error)],
        Text(
            en=f"base and contributions miss the score of none of {len(evidence):,} cases by more than {{value}}",
            zh=f"{len(evidence):,}个样本中，基准与贡献之和与评分最大相差{{value}}",
        ),
    )


def deletion(evidence: Evidence, rule: Rule) -> Finding:
    """Return in what share of cases the score falls when the first reason's facts are replaced by others' facts.

    The facts of each other family are replaced as well, one drawn for each case: what a reason says matters more than
    what no reason says. A fact is replaced by those of several borrowers drawn from the book, and the mean is taken.
    """
    model, catalog = evidence.card.model, evidence.card.catalog
    at = evidence.sample(rule.count("cases"))
    base = evidence.values[at]
    dice, others = np.random.default_rng(evidence.seed), rule.count("replacements")
    totals = family_totals(catalog, attribute(model, catalog, base).contributions)
    first = np.argmax(totals, axis=1)
    raised = np.flatnonzero(totals[np.arange(len(base)), first] > 0)
    at, base, totals, first = at[raised], base[raised], totals[raised], first[raised]
    drawn = (first + dice.integers(1, max(totals.shape[1], 2), len(first))) % totals.shape[1]
    before = model.tables_.scores(base)
    falls = [np.zeros(len(base)), np.zeros(len(base))]
    columns = list(families(catalog).values())
    for _ in range(others):
        borrowed = evidence.values[dice.integers(0, len(evidence), len(base))]
        for place, chosen in enumerate((first, drawn)):
            replaced = base.copy()
            for family in np.unique(chosen):
                rows = np.flatnonzero(chosen == family)
                replaced[np.ix_(rows, columns[family])] = borrowed[np.ix_(rows, columns[family])]
            falls[place] += (before - model.tables_.scores(replaced)) / others
    for name, fall in zip((FALL, FALL_OF_ANOTHER), falls, strict=True):
        evidence.keep(name, at, fall)
    by_reasons, by_lot = _areas(evidence, evidence.sample(rule.count("whole_orders")))
    told = deletion_kept(evidence, rule)
    return replace(told, figures=(*told.figures, Figure("area_by_reasons", by_reasons), Figure("area_by_lot", by_lot)))


def deletion_kept(evidence: Scored, rule: Rule) -> Finding:
    """Return the same, but for the areas, from how far each score fell."""
    of_first, of_drawn = (known(evidence, name) for name in (FALL, FALL_OF_ANOTHER))
    return rule.finding(
        [Figure("share_that_falls", float((of_first > 0).mean()))],
        Text(
            en="replacing the facts of the first reason lowers the risk in {value} of the cases",
            zh="替换首要原因的事实后，风险下降的样本占{value}",
        ),
        more=[
            Figure("mean_fall", float(of_first.mean())),
            Figure("mean_fall_of_another", float(of_drawn.mean())),
            Figure("cases", float(len(of_first))),
        ],
    )


def perturbed_first(evidence: Evidence, rule: Rule) -> Finding:
    """Return in what share of cases the first reason stays when every figure is changed a little."""
    evidence.keep(FIRST_STAYS, *_stays(evidence, rule, lambda told: told.first_of_case))
    return perturbed_first_kept(evidence, rule)


def perturbed_first_kept(evidence: Scored, rule: Rule) -> Finding:
    """Return the same, from which of the first reasons stayed."""
    return rule.finding(
        [Figure("share_that_stays", float(known(evidence, FIRST_STAYS).mean()))],
        Text(
            en=f"the first reason stays in {{value}} of the cases when each figure moves by {rule['by']:.1%}",
            zh=f"各数值变动{rule['by']:.1%}时，首要原因不变的样本占{{value}}",
        ),
    )


def perturbed_four(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many of the first four reasons stay when every figure is changed a little."""
    evidence.keep(FOUR_STAY, *_stays(evidence, rule, lambda told: told.of_case))
    return perturbed_four_kept(evidence, rule)


def perturbed_four_kept(evidence: Scored, rule: Rule) -> Finding:
    """Return the same, from how many reasons of each case stayed."""
    return rule.finding(
        [Figure("overlap", float(known(evidence, FOUR_STAY).mean()))],
        Text(
            en=f"{{value}} of the first four reasons stay when each figure moves by {rule['by']:.1%}",
            zh=f"各数值变动{rule['by']:.1%}时，前四项原因保留{{value}}",
        ),
    )


def seeds(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many of the first four reasons are the same after other trainings: other seeds, borrowers redrawn."""
    assert evidence.refit is not None, "see Needs.FIT"
    assert evidence.fitted_on is not None, "it was fitted on them"
    catalog, fitted = evidence.card.catalog, evidence.refit.model
    at = evidence.sample(rule.count("cases"))
    base = evidence.values[at]
    before = family_totals_of(evidence.card.model, catalog, base)
    size = replace(fitted.size_, most_trees=4 * fitted.trees_)  # without inner folds a quarter of the most is grown
    for number in range(1, rule.count("trainings") + 1):
        dice = np.random.default_rng(evidence.seed + number)
        rows = dice.integers(0, len(evidence.fitted_on), min(len(evidence.fitted_on), rule.count("fitted_on")))
        model = RiskModel.of(catalog, sizes=(size,), inner_folds=1, seed=evidence.seed + number)
        model.fit(evidence.fitted_on.matrix.values[rows], evidence.fitted_on.bad[rows])
        told = reason_overlap(before, family_totals_of(model, catalog, base), FOUR)
        evidence.keep(f"{AFTER_TRAINING}_{number}", at, told.of_case)
    return seeds_kept(evidence, rule)


def seeds_kept(evidence: Scored, rule: Rule) -> Finding:
    """Return the same, from how many reasons of each case each training left as they were."""
    numbers = range(1, rule.count("trainings") + 1)
    found = [float(known(evidence, f"{AFTER_TRAINING}_{number}").mean()) for number in numbers]
    return rule.finding(
        [Figure("overlap", float(np.mean(found)))],
        Text(
            en=f"{{value}} of the first four reasons are the same after {len(found)} other trainings",
            zh=f"另行训练{len(found)}次后，前四项原因相同的占{{value}}",
        ),
        more=[Figure("least", min(found))],
    )


def neighbours(evidence: Evidence, rule: Rule) -> Finding:
    """Return how many of the first four reasons two nearly identical borrowers share."""
    catalog = evidence.card.catalog
    among = evidence.sample(rule.count("among"))
    asked, nearest, apart = _nearest(evidence, among, rule.count("cases"))
    close = np.argsort(apart, kind="stable")[: max(1, round(len(apart) * rule["closest_share"]))]
    told = [family_totals_of(evidence.card.model, catalog, evidence.values[at[close]]) for at in (asked, nearest)]
    evidence.keep(SHARED, asked[close], reason_overlap(told[0], told[1], FOUR).of_case)
    evidence.keep(APART, asked[close], apart[close])
    return neighbours_kept(evidence, rule)


def neighbours_kept(evidence: Scored, rule: Rule) -> Finding:
    """Return the same, from how many reasons each pair shares."""
    shared = known(evidence, SHARED)
    return rule.finding(
        [Figure("overlap", float(shared.mean()))],
        Text(
            en=f"{{value}} of the first four reasons are shared by {len(shared):,} pairs of nearly identical borrowers",
            zh=f"{len(shared):,}对近似借款人的前四项原因有{{value}}相同",
        ),
        more=[Figure("mean_distance", float(known(evidence, APART).mean()))],
    )


def known(evidence: Scored, name: str) -> Floats:
    """Return a figure of the cases that were asked for it, as the evidence keeps it."""
    told = evidence.columns[name]
    return np.asarray(told[~np.isnan(told)])


def _areas(evidence: Evidence, at: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Return the areas under the score as all facts are replaced one by one: in the reasons' order, and by lot."""
    model, values = evidence.card.model, evidence.values[at]
    told = attribute(model, evidence.card.catalog, values).contributions
    lot = np.random.default_rng(evidence.seed).random(told.shape)
    usual = np.array([np.nan if np.isnan(column).mean() > HALF else np.nanmedian(column) for column in values.T])
    by_reasons, by_lot = (
        deletion_area(np.array([model.tables_.scores(rows) for rows in deletions(values, order, usual)]))
        for order in (told, lot)
    )
    return by_reasons, by_lot


def family_totals(catalog: Catalog, contributions: Floats) -> Floats:
    """Return the contribution of each family: cases x families, in the families' order."""
    return np.column_stack([contributions[:, columns].sum(axis=1) for columns in families(catalog).values()])


def family_totals_of(model: RiskModel, catalog: Catalog, values: Floats) -> Floats:
    """Return what each family adds to each case's score."""
    return family_totals(catalog, attribute(model, catalog, values).contributions)


def _stays(
    evidence: Evidence, rule: Rule, chosen: Callable[[Overlap], Floats | Bools]
) -> tuple[npt.NDArray[np.intp], Floats | Bools]:
    """Return which cases were moved a little, and what of their reasons stayed."""
    model, catalog = evidence.card.model, evidence.card.catalog
    at = evidence.sample(rule.count("cases"))
    base = evidence.values[at]
    sides = np.random.default_rng(evidence.seed).choice([-1.0, 1.0], base.shape)
    measured = np.array([feature.unit not in (Unit.CATEGORY, Unit.YES_NO) for feature in catalog])
    moved = base * (1 + np.where(measured, rule["by"], 0.0) * sides)
    return at, chosen(
        reason_overlap(family_totals_of(model, catalog, base), family_totals_of(model, catalog, moved), FOUR)
    )


def _nearest(evidence: Evidence, among: npt.NDArray[np.intp], most: int) -> tuple[Places, Places, Floats]:
    """Return some cases, the nearest case of another borrower for each, and how far apart the two are.

    Features are compared by their ranks, 0 to 1; known and unknown are as far apart as can be.
    """
    values, owners = evidence.values[among], evidence.cohort.borrowers[among]
    ranks = np.column_stack([_ranks(column) for column in values.T]).astype(np.float32)
    asked = np.unique(np.linspace(0, len(among) - 1, min(most, len(among))).round().astype(np.intp))
    nearest, apart = np.empty(len(asked), dtype=np.int64), np.empty(len(asked))
    for place, case in enumerate(asked):
        distance = np.abs(ranks - ranks[case]).mean(axis=1)
        distance[owners == owners[case]] = np.inf
        nearest[place] = int(np.argmin(distance))
        apart[place] = distance[nearest[place]]
    kept = np.isfinite(apart)
    return among[asked[kept]], among[nearest[kept]], apart[kept]


def _ranks(column: Floats) -> Floats:
    known = ~np.isnan(column)
    told = np.full(len(column), -1.0)
    _, place = np.unique(column[known], return_inverse=True)
    told[known] = place / max(int(place.max(initial=0)), 1)
    return told


CHECKS = (
    Check(
        "explanation.exact_sum",
        Text(en="Do the parts add up to the score?", zh="各部分之和是否等于评分"),
        "error",
        exact_sum,
        needs=Needs.NOTHING,
    ),
    Check(
        "explanation.deletion",
        Text(en="Does the score fall when the first reason is taken away?", zh="去除首要原因后评分是否下降"),
        "share_that_falls",
        deletion,
        ("cases", "replacements", "whole_orders"),
        Needs.NOTHING,
    ),
    Check(
        "explanation.perturbed_first",
        Text(en="Does the first reason stay when figures move a little?", zh="数值微变时首要原因是否不变"),
        "share_that_stays",
        perturbed_first,
        ("cases", "by"),
        Needs.NOTHING,
    ),
    Check(
        "explanation.perturbed_four",
        Text(en="Do the first four reasons stay when figures move a little?", zh="数值微变时前四项原因是否不变"),
        "overlap",
        perturbed_four,
        ("cases", "by"),
        Needs.NOTHING,
    ),
    Check(
        "explanation.seeds",
        Text(en="Are the reasons the same after another training?", zh="重新训练后原因是否相同"),
        "overlap",
        seeds,
        ("cases", "trainings", "fitted_on"),
        Needs.FIT,
    ),
    Check(
        "explanation.neighbours",
        Text(en="Do nearly identical borrowers get the same reasons?", zh="近似借款人的原因是否相同"),
        "overlap",
        neighbours,
        ("cases", "among", "closest_share"),
        Needs.NOTHING,
    ),
)
