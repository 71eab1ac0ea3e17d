"""Loops over the rows of one case after another; each fills `out`, one number per case.

`starts` holds the first row of each case and, last, the number of rows; `mark` says which rows count. The loops are
compiled (`features.compilation`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

NOTHING = -1
"""Stands for no row."""


def count(starts: Any, mark: Any, out: Any) -> None:
    """Count rows with a mark."""
    for case in range(len(starts) - 1):
        counted = 0
        for row in range(starts[case], starts[case + 1]):
            counted += mark[row]
        out[case] = counted


def total(starts: Any, value: Any, mark: Any, out: Any) -> None:
    """Add up values, in their order."""
    for case in range(len(starts) - 1):
        summed = value.dtype.type(0)
        for row in range(starts[case], starts[case + 1]):
            if mark[row]:
                summed += value[row]
        out[case] = summed


def first(starts: Any, mark: Any, out: Any) -> None:
    """Find the first marked row."""
    for case in range(len(starts) - 1):
        out[case] = NOTHING
        for row in range(starts[case], starts[case + 1]):
            if mark[row]:
                out[case] = row
                break


def last(starts: Any, mark: Any, back: int, out: Any) -> None:
    """Find the last marked row, or one so many before it."""
    for case in range(len(starts) - 1):
        out[case], left = NOTHING, back
        for row in range(starts[case + 1] - 1, starts[case] - 1, -1):
            if mark[row]:
                if left == 0:
                    out[case] = row
                    break
                left -= 1


def greatest(starts: Any, value: Any, mark: Any, sign: int, out: Any) -> None:
    """Find a marked row of the greatest value, of the least where `sign` is -1."""
    for case in range(len(starts) - 1):
        best = NOTHING
        for row in range(starts[case], starts[case + 1]):
            if mark[row] and (best == NOTHING or sign * value[row] > sign * value[best]):
                best = row
        out[case] = best


def distinct(starts: Any, value: Any, known: Any, mark: Any, out: Any) -> None:
    """Count different values; rows without a value have one in common."""
    for case in range(len(starts) - 1):
        begin, end = starts[case], starts[case + 1]
        seen = np.empty(end - begin, value.dtype)
        several, missing = 0, 0
        for row in range(begin, end):
            if mark[row]:
                if known[row]:
                    seen[several] = value[row]
                    several += 1
                else:
                    missing = 1
        seen = np.sort(seen[:several])
        different = missing
        for place in range(several):
            if place == 0 or seen[place] != seen[place - 1]:
                different += 1
        out[case] = different


def after_last(starts: Any, value: Any, mark: Any, out: Any) -> None:
    """Count marked rows after the last of them that is not 0."""
    for case in range(len(starts) - 1):
        counted = 0
        for row in range(starts[case + 1] - 1, starts[case] - 1, -1):
            if mark[row]:
                if value[row] != 0:
                    break
                counted += 1
        out[case] = counted


def head(starts: Any, mark: Any, most: int, out: Any) -> None:
    """Mark the first so many marked rows."""
    for case in range(len(starts) - 1):
        left = most
        for row in range(starts[case], starts[case + 1]):
            if mark[row] and left > 0:
                out[row] = True
                left -= 1
