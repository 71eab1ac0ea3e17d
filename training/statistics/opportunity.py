"""Whether those who deserve it are favoured as often in one group as in another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import UsageError
from training.statistics.inputs import levels, outcomes
from training.statistics.intervals import CONFIDENCE, Interval, wilson
from training.statistics.segments import NotJudged
from training.statistics.shares import Counted, counted, reference_of


@dataclass(frozen=True)
class Opportunity:
    """A group's share of favoured cases among those who deserve it, less the reference group's, with its bounds."""

    group: Counted
    reference: Counted
    difference: float
    low: float
    high: float

    @property
    def interval(self) -> Interval:
        """The bounds between which the true difference lies."""
        return Interval(self.low, self.high)


def equal_opportunity(
    deserving: npt.ArrayLike,
    favoured: npt.ArrayLike,
    group: npt.ArrayLike,
    *,
    reference: str,
    least: int,
    confidence: float = CONFIDENCE,
) -> dict[str, Opportunity | NotJudged]:
    """Return the equal opportunity difference of every group but the reference.

    Parameters
    ----------
    deserving : whether the case turned out to deserve it: repaid, cured by itself
    favoured : whether it got it
    least : the fewest deserving cases a group is judged by; smaller groups are told as not judged

    References: Hardt, Price and Srebro (2016), NeurIPS, for the measure.
    """
    told = outcomes(deserving, where="equal opportunity")
    got = outcomes(favoured, where="equal opportunity")
    names, _ = levels(group, len(told), where="equal opportunity, group")
    if len(got) != len(told):
        raise UsageError(
            f"{len(told)} and {len(got)} cases",
            where="equal opportunity",
            expected="columns that tell of the same cases",
            do="give columns of the same length",
        )
    found = counted(got[told], np.asarray(group)[told], where="equal opportunity")
    if reference in names and reference not in found:
        return {name: NotJudged(0, "nobody of the reference group deserves it") for name in names if name != reference}
    base, why = reference_of(found, reference, least)
    judged: dict[str, Opportunity | NotJudged] = {}
    for name in names:
        one = found.get(name)
        if name == reference:
            continue
        if one is None or base is None or one.cases < least:
            cases = 0 if one is None else one.cases
            judged[name] = NotJudged(cases, why or f"{cases} deserving cases of the {least} that are needed")
        else:
            judged[name] = Opportunity(one, base, one.share - base.share, *difference_interval(one, base, confidence))
    return judged


def difference_interval(first: Counted, second: Counted, confidence: float = CONFIDENCE) -> Interval:
    """Return the bounds of the difference of two independent shares, first less second.

    Wilson's bounds of both, joined by the square-and-add rule; they stay within -1 and 1 and exist where a count is
    none or all.

    References: Newcombe (1998), Statistics in Medicine 17:873, method 10.
    """
    one, two = (wilson(counts.found, counts.cases, confidence) for counts in (first, second))
    down = np.hypot(first.share - one.low, two.high - second.share)
    up = np.hypot(one.high - first.share, second.share - two.low)
    difference = first.share - second.share
    return Interval(float(difference - down), float(difference + up))
