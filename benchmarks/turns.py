"""A against B, in turn: on a machine that others use too, only a ratio taken minute by minute means anything."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Done = TypeVar("Done")


@dataclass(frozen=True)
class Ratio:
    """How many times as long B took as A: the median over turns, the least and the most; seconds are colour."""

    median: float
    least: float
    most: float
    a_seconds: float
    b_seconds: float
    turns: int

    @classmethod
    def of(cls, a: Sequence[float], b: Sequence[float]) -> Ratio:
        """Return the ratio of what B took to what A took, turn by turn."""
        ratios = [long / short for short, long in zip(a, b, strict=True)]
        middle = statistics.median
        return cls(middle(ratios), min(ratios), max(ratios), middle(a), middle(b), len(ratios))


def timed(work: Callable[[], Done]) -> tuple[Done, float]:
    """Return what some work gives, and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def in_turn(a: Callable[[], object], b: Callable[[], object], *, turns: int = 7, share_of_b: float = 1.0) -> Ratio:
    """Run A and B alternately and return how many times as long B takes.

    Parameters
    ----------
    share_of_b : the share of the work that one call of `b` does, where all of it would take too long
    """
    a(), b()
    took: list[tuple[float, float]] = []
    for turn in range(turns):
        first, second = (a, b) if turn % 2 == 0 else (b, a)
        times = {}
        for work in (first, second):
            began = time.perf_counter()
            work()
            times[work] = time.perf_counter() - began
        took.append((times[a], times[b] / share_of_b))
    return Ratio.of([short for short, _ in took], [long for _, long in took])
