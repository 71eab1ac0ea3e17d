"""Why one loan stands above another, as a table whose printed figures add up to the last printed digit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from features.catalog import Catalog
from features.declaration import Group
from features.words import Text
from models.pairwise import Comparison
from models.priority import LINES
from models.risk_model import GROUP_ORDER

LEAST_DIGITS, MOST_DIGITS = 5, 15
SHOWN = 4
"""Lines shown one by one in each section of the short table."""
MONEY = Text(en="money", zh="金额")


@dataclass(frozen=True)
class PrintedLine:
    """One line: what it says, and its figure exactly as printed."""

    text: Text
    figure: Decimal


@dataclass(frozen=True)
class Section:
    """Lines that speak of one group, largest first, or of money (`group` is None)."""

    group: Group | None
    lines: tuple[PrintedLine, ...]

    @property
    def title(self) -> Text:
        """Return the section's name."""
        return MONEY if self.group is None else self.group.text

    @property
    def sum(self) -> Decimal:
        """Return the sum of the printed lines."""
        return sum((line.figure for line in self.lines), Decimal(0))

    def short(self, most: int = SHOWN) -> tuple[PrintedLine, ...]:
        """Return the largest lines, and all smaller ones as one line."""
        if len(self.lines) <= most + 1:
            return self.lines
        rest = self.lines[most:]
        told = Text(en=f"{len(rest)} smaller lines", zh=f"其余{len(rest)}项")
        return (*self.lines[:most], PrintedLine(told, sum((line.figure for line in rest), Decimal(0))))


@dataclass(frozen=True)
class PrintedLedger:
    """A comparison as printed: the sections and `rounding` add up to `total`, in decimal arithmetic.

    Each line and the total are rounded on their own, so every printed figure is true; `rounding` is what that
    leaves, as in any set of accounts.
    """

    sections: tuple[Section, ...]
    rounding: Decimal
    total: Decimal


def printed_ledger(comparison: Comparison, catalog: Catalog) -> PrintedLedger:
    """Return a comparison with every figure rounded to the same number of decimals.

    There are five decimals, and more where two loans stand so close that five would not show their distance.
    """
    digits = _digits(comparison.gap)
    groups = {feature.name: feature.group for feature in catalog}
    lines = sorted(comparison.lines, key=lambda line: -abs(line.difference))
    printed = {line.name: PrintedLine(line.text, _rounded(line.difference, digits)) for line in lines}
    sections = tuple(
        Section(group, tuple(printed[name] for name in printed if _group_of(name, groups) is group))
        for group in (*GROUP_ORDER, None)
    )
    total = _rounded(comparison.gap, digits)
    filled = tuple(section for section in sections if section.lines)
    return PrintedLedger(filled, total - _sum(filled), total)


def _group_of(name: str, groups: dict[str, Group]) -> Group | None:
    return None if name in LINES else groups[name]


def _sum(sections: Iterable[Section]) -> Decimal:
    return sum((section.sum for section in sections), Decimal(0))


def _digits(gap: float) -> int:
    if gap == 0:
        return LEAST_DIGITS
    two_figures = 1 - math.floor(math.log10(abs(gap)))
    return min(max(LEAST_DIGITS, two_figures), MOST_DIGITS)


def _rounded(value: float, digits: int) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-digits))
