"""Whether probabilities mean the same in each group, and whether the features give the group away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import UsageError
from training.statistics.auc import Auc, auc
from training.statistics.bands import Band, band_table
from training.statistics.inputs import TooFew, levels, outcomes, probabilities
from training.statistics.intervals import CONFIDENCE
from training.statistics.recalibration import Recalibration, recalibration
from training.statistics.segments import NotJudged, by_segment


@dataclass(frozen=True)
class GroupCalibration:
    """Expected and observed bad cases of a group, and the slope of its calibration where that can be found."""

    band: Band
    recalibration: Recalibration | NotJudged


def calibration_within(
    bad: npt.ArrayLike, probability: npt.ArrayLike, group: npt.ArrayLike, *, least: int, confidence: float = CONFIDENCE
) -> dict[str, GroupCalibration | NotJudged]:
    """Return the calibration within each group; groups with fewer cases than the least are told as not judged."""
    told = outcomes(bad, where="calibration within groups")
    p = probabilities(probability, len(told), where="calibration within groups")
    names, places = levels(group, len(told), where="calibration within groups, group")

    def measure(part: npt.NDArray[np.bool_]) -> GroupCalibration:
        band = band_table(told[part], p[part], places[part], confidence=confidence)[0]
        try:
            fitted: Recalibration | NotJudged = recalibration(told[part], p[part])
        except TooFew as few:
            fitted = NotJudged(band.cases, f"{few.found}; expected {few.expected}")
        return GroupCalibration(band, fitted)

    return by_segment(np.array(names)[places], measure, least=least)


def proxy(group: npt.ArrayLike, out_of_fold: Mapping[str, npt.ArrayLike], *, least: int) -> dict[str, Auc | NotJudged]:
    """Return how well the features give away that a case is of a group: one half is not at all, 1 is always.

    Parameters
    ----------
    out_of_fold : for each group, the probability of being of it that a model of the features gave each case without
        having seen it; a model that has seen the case finds a proxy where there is none
    least : the fewest cases of a group, and of all others, that it is judged by
    """
    names, places = levels(group, where="proxy, group")
    judged: dict[str, Auc | NotJudged] = {}
    for name, predicted in out_of_fold.items():
        if name not in names:
            raise UsageError(
                f"predictions of a group '{name}' that no case is of",
                where="proxy",
                expected="groups of the column",
                do="predict the groups there are",
            )
        member = places == names.index(name)
        fewer = int(min(member.sum(), len(member) - member.sum()))
        if fewer < least:
            judged[name] = NotJudged(fewer, f"{fewer} cases of the {least} that are needed in it and outside it")
        else:
            judged[name] = auc(member, predicted)
    return judged
