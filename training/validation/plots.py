"""Pictures of a validation, drawn from what is kept of it: outcomes and scores, or the rows of a finding's tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import roc_curve

from features.declaration import Group
from models.risk_model import Floats
from training import plot_words as words
from training.plot_style import (
    ACCENT,
    GREY,
    GROUP_COLOUR,
    HAIRLINE,
    INK,
    MUTED,
    NORMAL,
    SMALL,
    blank,
    name_axes,
    write_lines,
)
from training.statistics.deciles import decile_table
from training.statistics.intervals import CONFIDENCE, jeffreys
from training.statistics.metrics import Bools
from training.validation.findings import Cell, Figure, Table

Row = tuple[Cell, ...]
MONTHS, LEVEL = 12, 7
"""Months that are named at most, and up to how many their names stand level."""
GRID = 401
"""Places across at which the band of a curve is drawn."""


def roc_with_band(bad: Bools, log_odds: Floats, told: Figure) -> Picture:
    """Return the ROC curve with the band that each of its points lies in.

    At a cut-off the two shares are independent, so a rectangle whose sides are intervals at the square root of the
    confidence holds both with that confidence; the band is what the rectangles cover.

    Parameters
    ----------
    told : the AUC with its interval
    """
    false_alarms, hits, _ = roc_curve(bad, log_odds, drop_intermediate=False)
    good, worse = int((~bad).sum()), int(bad.sum())
    sides = CONFIDENCE**0.5
    left, right = jeffreys(false_alarms * good, np.full(len(hits), good), sides)
    low, high = jeffreys(hits * worse, np.full(len(hits), worse), sides)
    places = np.linspace(0, 1, GRID)
    figure, axes = blank()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    upper, lower = np.interp(places, left, high), np.interp(places, right, low)
    axes.fill_between(places, lower, upper, color=ACCENT, alpha=0.14, linewidth=0)
    axes.plot(*_thinned(false_alarms, hits), color=ACCENT, linewidth=2, solid_capstyle="round")
    write_lines(axes, "lower right", [f"AUC {told.value:.3f}", f"95 %: {told.low:.3f} – {told.high:.3f}"], inset=0.05)
    _shares(axes)
    name_axes(axes, words.GOOD_ABOVE.en, words.BAD_ABOVE.en)
    return figure


def calibration_by_band(table: Table) -> Picture:
    """Return the share that went bad against the probability, band by band, with intervals.

    Parameters
    ----------
    table : bands with `predicted`, `observed`, `low` and `high`
    """
    predicted, observed, low, high = (_numbers(table, name) for name in ("predicted", "observed", "low", "high"))
    figure, axes = blank()
    most = min(1.0, float(max(predicted.max(), high.max())) * 1.08)
    axes.plot([0, most], [0, most], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    reach = np.maximum([observed - low, high - observed], 0)
    axes.errorbar(predicted, observed, yerr=reach, fmt="o", color=ACCENT, markersize=5.5, elinewidth=1.3, capsize=0)
    for place, row in enumerate(table.rows):
        if len(str(row[0])) == 1 and str(row[0]).isalpha():
            axes.annotate(
                str(row[0]), (predicted[place], observed[place]), (7, -10), textcoords="offset points",
                fontsize=SMALL, color=GREY,
            )  # fmt: skip
    axes.set_xlim(-0.02 * most, most)
    axes.set_ylim(-0.02 * most, most)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axis.set_major_locator(MaxNLocator(5))
    axes.grid(color=HAIRLINE, linewidth=0.6, alpha=0.7)
    name_axes(axes, words.PREDICTED_SHARE.en, words.OBSERVED_SHARE.en)
    return figure


def index_by_month(table: Table) -> Picture:
    """Return the stability index of each month; dark is what lies beyond chance."""
    months, psi, beyond = [str(row[0]) for row in table.rows], _numbers(table, "psi"), _numbers(table, "beyond_chance")
    figure, axes = blank(height=3.2)
    places = np.arange(len(months))
    axes.bar(places, psi, width=0.6, color=MUTED, label=words.PSI.en)
    axes.bar(places, beyond, width=0.6, color=ACCENT, label=words.BEYOND.en)
    for place, value in zip(places, psi, strict=True):
        axes.annotate(
            f"{value:.2f}", (place, value), (0, 3), textcoords="offset points", ha="center", fontsize=SMALL, color=INK
        )
    axes.set_ylim(0, max(float(psi.max()) * 1.3, 0.1))
    _months(axes, months)
    axes.legend(loc="upper right", frameon=False, fontsize=SMALL, labelcolor=INK, ncols=2)
    name_axes(axes, "", words.SCORE_PSI.en)
    return figure


def gini_by_month(table: Table) -> Picture:
    """Return the Gini coefficient of each month with its interval; months that are too small have none."""
    months = [str(row[0]) for row in table.rows]
    gini, low, high = (_numbers(table, name) for name in ("gini", "low", "high"))
    figure, axes = blank(height=3.2)
    places = np.arange(len(months))
    reach = np.maximum([gini - low, high - gini], 0)
    axes.axhline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(places, gini, yerr=reach, fmt="o-", color=ACCENT, markersize=5.5, elinewidth=1.3, linewidth=1.2)
    _months(axes, months)
    axes.set_xlim(-0.5, len(months) - 0.5)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.6)
    name_axes(axes, "", words.GINI.en)
    return figure


def by_group(figures: Sequence[Figure], same: float, axis: str) -> Picture:
    """Return the figure of each group with its interval, against the value at which groups are alike.

    Parameters
    ----------
    figures : at least one with a value
    same : 1 for a ratio, 0 for a difference
    """
    told = sorted((one for one in figures if one.value is not None), key=lambda one: one.of, reverse=True)
    figure, axes = blank(height=0.9 + 0.32 * len(told))
    for place, one in enumerate(told):
        value = one.value or 0.0
        low, high = (value if end is None else end for end in (one.low, one.high))
        axes.plot([low, high], [place, place], color=ACCENT, linewidth=1.4, solid_capstyle="butt")
        axes.plot([value], [place], "o", color=ACCENT, markersize=5.5)
    axes.axvline(same, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(told)), [one.of for one in told], fontsize=SMALL)
    axes.set_ylim(-0.6, len(told) - 0.4)
    axes.grid(axis="x", color=HAIRLINE, linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    name_axes(axes, axis, "")
    return figure


def parts_by_tenth(bad: Bools, ability: Floats, willingness: Floats) -> Picture:
    """Return the share that went bad in each tenth of the ability part and of the willingness part, with intervals."""
    figure, axes = blank()
    for shift, group, part in ((-0.09, Group.ABILITY, ability), (0.09, Group.WILLINGNESS, willingness)):
        table = decile_table(bad, part)
        places = np.array([one.number for one in table]) + shift
        observed = np.array([one.observed for one in table])
        reach = np.maximum([[one.observed - one.low, one.high - one.observed] for one in table], 0).T
        axes.errorbar(
            places, observed, yerr=reach, fmt="o-", color=GROUP_COLOUR[group], markersize=4.5, elinewidth=1.2,
            linewidth=1.2, label=group.text.en,
        )  # fmt: skip
    axes.axhline(float(bad.mean()), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xticks(range(1, 11))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.6)
    axes.legend(loc="upper right", frameon=False, fontsize=SMALL, labelcolor=INK)
    name_axes(axes, words.TENTH_OF_PART.en, words.BAD_SHARE.en)
    return figure


def _numbers(table: Table, column: str) -> Floats:
    place = table.columns.index(column)
    return np.array([np.nan if row[place] is None else row[place] for row in table.rows], dtype=np.float64)


def _thinned(across: Floats, upwards: Floats) -> tuple[Floats, Floats]:
    """Return a curve with no more points than a page shows."""
    kept = np.unique(np.linspace(0, len(across) - 1, min(len(across), 4 * GRID)).astype(int))
    return across[kept], upwards[kept]


def _shares(axes: Axes) -> None:
    axes.set_xlim(-0.015, 1.015)
    axes.set_ylim(-0.015, 1.03)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axis.set_major_locator(MaxNLocator(5))
    axes.grid(color=HAIRLINE, linewidth=0.6, alpha=0.7)


def _months(axes: Axes, months: Sequence[str]) -> None:
    step = max(1, len(months) // MONTHS)
    slant = 0 if len(months) <= LEVEL else 45
    axes.set_xticks(range(0, len(months), step), months[::step], fontsize=SMALL, rotation=slant)
    axes.tick_params(axis="x", labelcolor=GREY)
    axes.xaxis.label.set_fontsize(NORMAL)
