"""The picture of how one score comes about, from the average loan through three parts to this loan."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import logit

from features.words import Text
from models.assessment import Assessment
from models.calibration import Calibration
from training import plot_words as words
from training.plot_style import (
    GREY,
    GROUP_COLOUR,
    GROUP_TINT,
    HAIRLINE,
    INK,
    MUTED,
    NORMAL,
    PAPER,
    SMALL,
    WIDTH,
    blank,
    moved,
    name_axes,
)
from training.waterfall import Part, Step, Waterfall, waterfall_of

LEAST_COLUMN, MOST_COLUMN, INDENT = 100.0, 185.0, 9.0
"""Width of the names beside the bars, and how far features stand in, in points."""
POINTS_PER_LETTER = 4.7
"""Width of a letter of small type, with some room, in the fonts that a page is likely to use."""
PROBABILITY_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def waterfall(assessment: Assessment, case: int) -> Figure:
    """Return how one score comes about: base, three parts, and in each its largest reason families.

    Wide pale bars are the parts, narrow dark bars what they are made of; the scale below is in log-odds, the one
    above in calibrated probability.

    Parameters
    ----------
    case : position of the case
    """
    told = waterfall_of(assessment, case)
    rows = 2 + sum(1 + len(part.steps) for part in told.parts)
    figure, axes = blank(width=WIDTH * 1.1, height=0.9 + 0.24 * rows)
    _name_rows(axes, told)
    _anchor(axes, 0, told.base, f"{moved(told.base)}, {told.base_probability:.1%}", rows)
    row = 1
    for part in told.parts:
        row = _draw_part(axes, part, row)
    _anchor(axes, row, told.log_odds, f"{moved(told.log_odds)}, {told.probability:.1%}", rows)
    axes.set_ylim(rows - 0.3, -0.8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    # Room for the figures that stand beside the bars.
    reach = [
        told.base,
        *(end for part in told.parts for step in (part.whole, *part.steps) for end in (step.start, step.end)),
    ]
    width = max(max(reach) - min(reach), 1.0)
    axes.set_xlim(min(reach) - 0.16 * width, max(max(reach) + 0.16 * width, told.log_odds + 0.42 * width))
    name_axes(axes, words.LOG_ODDS.en, "")
    _probability_axis(axes, assessment.model.model.calibration_)
    return figure


def _anchor(axes: Axes, row: int, at: float, figures: str, rows: int) -> None:
    axes.plot([at, at], [row, rows - 0.3] if row == 0 else [row - 0.55, row], color=MUTED, linewidth=0.8, zorder=0)
    axes.plot([at], [row], marker="D", color=INK, markersize=5, gid="score" if row else "base")
    axes.annotate(
        figures, (at, row), (8, 0), textcoords="offset points", va="center", fontsize=NORMAL, color=INK, weight="bold"
    )


def _draw_part(axes: Axes, part: Part, row: int) -> int:
    colour = GROUP_COLOUR[part.group]
    rows = 1 + len(part.steps)
    _bar(axes, part.whole, row, 0.8, GROUP_TINT[part.group], gid=f"part-{part.group}")
    _figure(axes, part.whole, row, colour, weight="bold")
    for place, step in enumerate(part.steps, start=row + 1):
        _bar(axes, step, place, 0.5, colour, gid=f"step-{part.group}-{place - row}")
        _figure(axes, step, place, GREY)
    axes.plot([part.whole.end] * 2, [row, row + rows], color=MUTED, linewidth=0.8, zorder=0)
    return row + rows


def _bar(axes: Axes, step: Step, row: int, height: float, colour: str, *, gid: str) -> None:
    axes.barh(row, step.move, left=step.start, height=height, color=colour, linewidth=0)[0].set_gid(gid)


def row_names(told: Waterfall) -> list[Text]:
    """Return what the rows of a waterfall are called, from the top."""
    parts = [step.label for part in told.parts for step in (part.whole, *part.steps)]
    return [words.AVERAGE_LOAN, *parts, words.THIS_LOAN]


def _name_rows(axes: Axes, told: Waterfall) -> None:
    looks = [(INK, True)]
    for part in told.parts:
        looks += [(GROUP_COLOUR[part.group], True), *[(GREY, False)] * len(part.steps)]
    looks.append((INK, True))
    names = [(name.en, *look) for name, look in zip(row_names(told), looks, strict=True)]
    column = min(max(POINTS_PER_LETTER * max(len(name) for name, _, _ in names), LEAST_COLUMN), MOST_COLUMN)
    for row, (name, colour, bold) in enumerate(names):
        # Names stand left of the bars, their own left edges in line.
        axes.annotate(
            name, (0, row), (-column if bold else INDENT - column, 0), xycoords=axes.get_yaxis_transform(),
            textcoords="offset points", va="center", fontsize=NORMAL if bold else SMALL, color=colour,
            weight="bold" if bold else "normal", parse_math=False, annotation_clip=False,
        )  # fmt: skip


def _figure(axes: Axes, step: Step, row: int, colour: str, *, weight: str = "normal") -> None:
    right = step.move >= 0
    axes.annotate(
        moved(step.move), (step.end, row), (4 if right else -4, 0), textcoords="offset points", va="center",
        ha="left" if right else "right", fontsize=SMALL, color=colour, weight=weight,
        bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
    )  # fmt: skip


def _probability_axis(axes: Axes, calibration: Calibration) -> None:
    # A calibration rises strictly, so that it read backwards is one too.
    backwards = Calibration(calibration.kind, calibration.calibrated, calibration.raw)
    ticks = backwards.log_odds(logit(np.array(PROBABILITY_TICKS)))
    low, high = axes.get_xlim()
    above = axes.secondary_xaxis("top")
    shown: list[tuple[float, float]] = []
    for at, probability in zip(ticks, PROBABILITY_TICKS, strict=True):
        # Ticks that would touch are left out.
        if low < at < high and (not shown or at - shown[-1][0] > (high - low) / 9):
            shown.append((float(at), probability))
    above.set_xticks([at for at, _ in shown], [f"{probability:.0%}" for _, probability in shown])
    above.tick_params(labelsize=SMALL, colors=GREY, length=3, color=HAIRLINE)
    above.spines["top"].set_color(HAIRLINE)
    above.set_xlabel(words.PROBABILITY.en, fontsize=SMALL, color=GREY, labelpad=5)
