"""Why scores move when another version serves: exact differences of what each feature contributes.

The distance of two calibrated log-odds is that of the two reference populations, that of the two calibrations, and for
each feature the difference of its contributions; a feature that a version does not read contributes nothing to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.declaration import Group
from features.errors import ModelRefused
from models.assessment import Assessment
from models.attribution import ADDITIVITY_BOUND
from models.risk_model import GROUP_ORDER, Floats
from training.promotion.compared import Compared
from training.promotion.swap_sets import moved, placed
from training.promotion.words import View

BASE, CALIBRATION, GROUP, FEATURE, TOTAL = "base", "calibration", "group", "feature", "total"
SCHEMA = {
    "view": pl.String,
    "move": pl.String,
    "cases": pl.Int64,
    "kind": pl.String,
    "name": pl.String,
    "group": pl.String,
    "difference": pl.Float64,
}


@dataclass(frozen=True)
class Lines:
    """The differences between two versions, case by case: they add up to `total`.

    Attributes
    ----------
    features : names, in the order of the columns of `differences`; those of the second version, then those that
        only the first reads
    base : the difference of the two references, the same for all cases
    """

    features: tuple[str, ...]
    groups: tuple[Group, ...]
    base: float
    calibration: Floats
    differences: Floats
    total: Floats

    @property
    def error(self) -> float:
        """The largest distance of the sum of the lines from the difference of the scores."""
        added = self.base + self.calibration + self.differences.sum(axis=1)
        return float(np.max(np.abs(added - self.total), initial=0.0))


def lines(of: Compared) -> Lines:
    """Return the differences of two versions on the same cases.

    Raises
    ------
    ModelRefused : they do not add up to the difference of the scores
    """
    group_of = {feature.name: feature.group for told in (of.before, of.after) for feature in told.catalog}
    names = tuple(dict.fromkeys((*of.after.catalog.names, *of.before.catalog.names)))
    told = Lines(
        features=names,
        groups=tuple(group_of[name] for name in names),
        base=of.after.attribution.base - of.before.attribution.base,
        calibration=_calibrated(of.after) - _calibrated(of.before),
        differences=_contributions(of.after, names) - _contributions(of.before, names),
        total=of.after.calibrated_log_odds - of.before.calibrated_log_odds,
    )
    if not told.error <= ADDITIVITY_BOUND:
        raise ModelRefused(
            f"differences of contributions miss the difference of the scores by {told.error:.3g}",
            where="swap sets",
            expected=f"a distance of at most {ADDITIVITY_BOUND:g}",
            do="do not promote this version; train it again and report the case",
        )
    return told


def why(of: Compared, *, first_share: float) -> pl.DataFrame:
    """Return the mean of each line over the cases of each move, by band and into the first part of the work list.

    Columns: `view`, `move`, `cases`, `kind` (base, calibration, group, feature, total), `name`, `group`, `difference`
    in log-odds, positive where the second version sees more risk. Base, calibration and features add up to the total;
    so do base, calibration and groups.
    """
    told, before, after = lines(of), placed(of.before), placed(of.after)
    rows: list[tuple[object, ...]] = []
    for view in (View.BAND, View.FIRST):
        moves = moved(before, after, view, first_share=first_share)
        for move in np.unique(moves).tolist():
            rows += _rows(told, (view.value, move), moves == move)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(told: Lines, key: tuple[str, str], chosen: np.ndarray) -> list[tuple[object, ...]]:
    head = (*key, int(chosen.sum()))
    means = told.differences[chosen].mean(axis=0)
    groups = np.array([group.value for group in told.groups])
    return [
        (*head, BASE, BASE, None, told.base),
        (*head, CALIBRATION, CALIBRATION, None, float(told.calibration[chosen].mean())),
        *((*head, GROUP, group.value, group.value, float(means[groups == group.value].sum())) for group in GROUP_ORDER),
        *(
            (*head, FEATURE, name, group, float(mean))
            for name, group, mean in zip(told.features, groups.tolist(), means, strict=True)
        ),
        (*head, TOTAL, TOTAL, None, float(told.total[chosen].mean())),
    ]


def _calibrated(told: Assessment) -> Floats:
    """Return how far calibration moves each score."""
    return told.calibrated_log_odds - told.attribution.log_odds


def _contributions(told: Assessment, names: tuple[str, ...]) -> Floats:
    """Return contributions under a wider list of names; nothing where the version has no such feature."""
    column = {name: place for place, name in enumerate(told.catalog.names)}
    wide = np.zeros((len(told), len(names)))
    for place, name in enumerate(names):
        if name in column:
            wide[:, place] = told.attribution.contributions[:, column[name]]
    return wide
