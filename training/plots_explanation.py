"""Pictures of why: what drives the scores of a book, where its borrowers stand, and how one score comes about."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy.special import logit
from scipy.stats import rankdata

from features.declaration import Feature, Group
from models.assessment import Assessment
from models.calibration import Calibration
from models.policy import CutOffs
from models.quadrants import quadrants
from models.risk_model import GROUP_ORDER, Floats
from training.metrics import Bools
from training.plot_style import (
    ACCENT,
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
from training.waterfall import Part, Step, waterfall_of

MOST_POINTS = 3000
"""Loans drawn in a cloud of points, spread evenly over the book; more only hide each other."""
MOST_FEATURES = 15
LABEL_COLUMN = 178
"""Width of the names beside a waterfall, in points."""
PROBABILITY_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def quadrant_plot(ability: Floats, willingness: Floats, bad: Bools | None, cut_offs: CutOffs) -> Figure:
    """Return each loan by its two group scores, with the share of loans, and of bad ones, in each quadrant.

    Parameters
    ----------
    ability, willingness : group contributions in log-odds; positive raises risk
    bad : outcome of each loan, or None when it is not known
    """
    figure, axes = blank(height=4.4)
    drawn = _spread(len(ability))
    outcomes = np.zeros(len(ability), dtype=np.bool_) if bad is None else bad
    for outcome, colour, label in ((False, MUTED, "stayed good"), (True, INK, "went bad")):
        some = drawn[outcomes[drawn] == outcome]
        axes.scatter(
            ability[some], willingness[some], s=5, color=colour, alpha=0.5, linewidths=0, rasterized=True, label=label
        )
    axes.axvline(cut_offs.ability_cut_off, color=ACCENT, linewidth=1)
    axes.axhline(cut_offs.willingness_cut_off, color=ACCENT, linewidth=1)
    axes.margins(0.06, 0.16)
    _write_quadrants(axes, quadrants(ability, willingness, cut_offs), bad)
    if bad is not None:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=SMALL,
            labelcolor=INK, markerscale=2.2, handletextpad=0.2,
        )  # fmt: skip
    name_axes(axes, "ability: contribution to log-odds (right: less able)", "willingness (up: less willing)")
    return figure


def _write_quadrants(axes: Axes, where: list[str], bad: Bools | None) -> None:
    names = np.array(where)
    for quadrant, across, upwards in (
        ("able_willing", "left", "bottom"),
        ("unable_willing", "right", "bottom"),
        ("able_unwilling", "left", "top"),
        ("unable_unwilling", "right", "top"),
    ):
        members = names == quadrant
        told = f"{quadrant.replace('_', ', ')}\n{members.mean():.0%} of loans"
        if bad is not None and members.any():
            told += f", {bad[members].mean():.0%} bad"
        axes.text(
            0.02 if across == "left" else 0.98, 0.02 if upwards == "bottom" else 0.98, told,
            transform=axes.transAxes, ha=across, va=upwards, fontsize=SMALL, color=INK, linespacing=1.4,
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2.5},
        )  # fmt: skip


def shap_summary(assessment: Assessment, most: int = MOST_FEATURES) -> Figure:
    """Return the features that move scores most: one dot for each loan, coloured by group, darker for higher values.

    Features are in order of their mean absolute contribution, which stands on the right. The contributions are the
    model's own exact TreeSHAP values, in log-odds; the picture is drawn here rather than by `shap`, whose import
    takes seconds and whose colours cannot show the groups.
    """
    contributions = assessment.attribution.contributions
    size = np.abs(contributions).mean(axis=0) if len(contributions) else np.zeros(contributions.shape[1])
    ranked = [int(column) for column in np.argsort(-size, kind="stable") if size[column] > 0][:most]
    figure, axes = blank(width=WIDTH * 1.2, height=0.8 + 0.27 * max(len(ranked), 1))
    drawn = _spread(len(assessment))
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, column in enumerate(ranked):
        feature = assessment.catalog.features[column]
        _swarm(axes, -place, contributions[drawn, column], assessment.values[drawn, column], feature)
        axes.text(
            1.01, -place, f"{size[column]:.3f}", transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL,
            color=INK,
        )  # fmt: skip
    _name_rows(axes, [assessment.catalog.features[column] for column in ranked])
    axes.set_ylim(-len(ranked) + 0.4, 0.6)
    axes.grid(axis="x", color=HAIRLINE, linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.text(
        1.01, 1.0, "mean", transform=axes.transAxes, fontsize=SMALL, color=GREY, va="bottom"
    )
    name_axes(axes, "contribution to log-odds (right raises risk)", "")
    return figure


def _name_rows(axes: Axes, features: list[Feature]) -> None:
    axes.set_yticks([-place for place in range(len(features))])
    names = axes.set_yticklabels([feature.label.en for feature in features], fontsize=SMALL)
    for name, feature in zip(names, features, strict=True):
        name.set_color(GROUP_COLOUR[feature.group])
        name.set_parse_math(False)


def _swarm(axes: Axes, place: float, shifts: Floats, values: Floats, feature: Feature) -> None:
    shade = LinearSegmentedColormap.from_list(feature.group, [GROUP_TINT[feature.group], GROUP_COLOUR[feature.group]])
    known = ~np.isnan(values)
    level = np.full(len(values), np.nan)
    level[known] = (rankdata(values[known]) - 0.5) / max(known.sum(), 1)
    colours = shade(np.nan_to_num(level))
    colours[~known] = (1, 1, 1, 1)
    axes.scatter(
        shifts, place + _spread_out(shifts), s=5, c=colours, rasterized=True,
        linewidths=np.where(known, 0, 0.3), edgecolors=GREY,
    )  # fmt: skip


def _spread_out(shifts: Floats, height: float = 0.38, bins: int = 120) -> Floats:
    """Return vertical places that keep dots apart: within a narrow column, alternately above and below the line."""
    if not len(shifts) or shifts.min() == shifts.max():
        return np.linspace(-height, height, len(shifts)) if len(shifts) > 1 else np.zeros(len(shifts))
    column = np.minimum(((shifts - shifts.min()) / (shifts.max() - shifts.min()) * bins).astype(int), bins - 1)
    order = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[order], np.arange(bins))
    within = np.empty(len(shifts))
    within[order] = np.arange(len(shifts)) - starts[column[order]]
    side = np.where(within % 2 == 0, 1, -1) * np.ceil(within / 2)
    fullest = max(int(np.bincount(column).max()) / 2, 1.0)
    return np.asarray(side / fullest * height * min(1.0, fullest / 12))


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
    figure, axes = blank(width=WIDTH * 1.2, height=0.9 + 0.24 * rows)
    _anchor(axes, 0, told.base, "average loan", f"{moved(told.base)}, {told.base_probability:.1%}", rows)
    row = 1
    for part in told.parts:
        row = _draw_part(axes, part, row)
    _anchor(axes, row, told.log_odds, "this loan", f"{moved(told.log_odds)}, {told.probability:.1%}", rows)
    axes.set_ylim(rows - 0.3, -0.8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    # Room for the figures that stand beside the bars.
    reach = [told.base, *(end for part in told.parts for step in (part.whole, *part.steps) for end in (step.start, step.end))]
    width = max(max(reach) - min(reach), 1.0)
    axes.set_xlim(min(reach) - 0.16 * width, max(max(reach) + 0.16 * width, told.log_odds + 0.5 * width))
    name_axes(axes, "log-odds (right: more risk)", "")
    _probability_axis(axes, assessment.model.model.calibration_)
    return figure


def _anchor(axes: Axes, row: int, at: float, label: str, figures: str, rows: int) -> None:
    axes.plot([at, at], [row, rows - 0.3] if row == 0 else [row - 0.55, row], color=MUTED, linewidth=0.8, zorder=0)
    axes.plot([at], [row], marker="D", color=INK, markersize=5, gid="score" if row else "base")
    _label(axes, row, label, INK, weight="bold")
    axes.annotate(
        figures, (at, row), (8, 0), textcoords="offset points", va="center", fontsize=NORMAL, color=INK, weight="bold"
    )


def _draw_part(axes: Axes, part: Part, row: int) -> int:
    colour = GROUP_COLOUR[part.group]
    rows = 1 + len(part.steps)
    _bar(axes, part.whole, row, 0.8, GROUP_TINT[part.group], gid=f"part-{part.group}")
    _label(axes, row, part.whole.label.en, colour, weight="bold")
    _figure(axes, part.whole, row, colour, weight="bold")
    for place, step in enumerate(part.steps, start=row + 1):
        _bar(axes, step, place, 0.5, colour, gid=f"step-{part.group}-{place - row}")
        _label(axes, place, step.label.en, GREY, indent=9)
        _figure(axes, step, place, GREY)
    axes.plot([part.whole.end] * 2, [row, row + rows], color=MUTED, linewidth=0.8, zorder=0)
    return row + rows


def _bar(axes: Axes, step: Step, row: int, height: float, colour: str, *, gid: str) -> None:
    axes.barh(row, step.move, left=step.start, height=height, color=colour, linewidth=0)[0].set_gid(gid)


def _label(axes: Axes, row: int, words: str, colour: str, *, weight: str = "normal", indent: float = 0) -> None:
    axes.annotate(
        words, (0, row), (indent - LABEL_COLUMN, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        va="center", fontsize=NORMAL if weight == "bold" else SMALL, color=colour, weight=weight, parse_math=False,
        annotation_clip=False,
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
    above.set_xlabel("probability", fontsize=SMALL, color=GREY, labelpad=5)


def legend_of_groups() -> dict[Group, str]:
    """Return the colour of each group, in the model's order."""
    return {group: GROUP_COLOUR[group] for group in GROUP_ORDER}


def _spread(loans: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, loans - 1, min(loans, MOST_POINTS)).astype(np.intp)
