"""The same measure for each part of a book, and the parts that are too small to be judged, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from training.statistics.inputs import TooFew, levels
from training.statistics.metrics import Bools

Measure = TypeVar("Measure")


@dataclass(frozen=True)
class NotJudged:
    """A part of the book that no measure was taken of, and why."""

    cases: int
    why: str


def by_segment(
    segment: npt.ArrayLike, measure: Callable[[Bools], Measure], *, least: int = 1
) -> dict[str, Measure | NotJudged]:
    """Return a measure of each segment, by its name; of a segment that is too small, the reason instead.

    Parameters
    ----------
    segment : the segment of each case; those without one are a segment of their own
    measure : takes the cases of a segment, as a mask over all, and returns the measure or raises `TooFew`
    least : the fewest cases a segment is judged by

    >>> from training.statistics.metrics import discrimination
    >>> bad, score = np.array([True, False, True]), np.array([2.0, 1.0, 3.0])
    >>> told = by_segment(np.array(["A", "A", "B"]), lambda part: discrimination(bad[part], score[part]).auc, least=2)
    >>> told["A"], told["B"].why
    (1.0, '1 case of the 2 that are needed')
    """
    names, places = levels(segment, where="segment")
    return {name: _judge(np.asarray(places == place), measure, least) for place, name in enumerate(names)}


def _judge(part: Bools, measure: Callable[[Bools], Measure], least: int) -> Measure | NotJudged:
    cases = int(part.sum())
    if cases < least:
        return NotJudged(cases, f"{cases} case{'' if cases == 1 else 's'} of the {least} that are needed")
    try:
        return measure(part)
    except TooFew as few:
        return NotJudged(cases, f"{few.found}; expected {few.expected}")
