"""Which numbers of a lender's column look like codes: reasons why there is no number."""

from __future__ import annotations

from features.portfolios.draft_columns import Column

LOW_CODES = (*range(-9, 0), *range(-99, -95), *range(-999, -995), -9999)
HIGH_CODES = (*range(96, 100), *range(996, 1000), *range(9996, 10000), *range(99996, 100000))
"""Numbers that often stand for a reason why there is no number."""
REPEATS = 3
"""Rows that hold a code at least."""
GAP = 0.25
"""Distance of a high code from the other numbers, at least, as a share of their range."""


def codes_in(column: Column) -> list[int]:
    """Return numbers at the edge of the range that repeat and look like codes, in order."""
    if column.numbers is None:
        return []
    counts = dict(column.numbers.drop_nulls().value_counts(name="rows").iter_rows())
    low = [code for code in LOW_CODES if counts.get(float(code), 0) >= REPEATS]
    rest = sorted(number for number in counts if number not in set(map(float, low)))
    if low and (not rest or rest[0] < 0):
        low, rest = [], sorted(counts)
    high = [code for code in HIGH_CODES if counts.get(float(code), 0) >= REPEATS]
    real = [number for number in rest if number not in set(map(float, high))]
    if high and real:
        gap = max(2.0, GAP * (real[-1] - real[0]))
        high = [code for code in high if code - real[-1] >= gap] if real[-1] < min(high) else []
    return sorted([*low, *(high if real else [])])
