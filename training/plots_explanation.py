"""Pictures of why: what drives the scores of a book, and where its borrowers stand in ability and willingness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy.stats import rankdata

from features.declaration import Feature, Group
from models.assessment import Assessment
from models.policy import CutOffs
from models.quadrants import quadrants
from models.risk_model import GROUP_ORDER, Floats
from training import plot_words as words
from training.plot_style import (
    ACCENT,
    GREY,
    GROUP_COLOUR,
    GROUP_TINT,
    HAIRLINE,
    INK,
    MUTED,
    SMALL,
    WIDTH,
    blank,
    name_axes,
    write_lines,
)
from training.statistics.metrics import Bools

MOST_POINTS = 3000
"""Loans drawn in a cloud of points, spread evenly over the book; more only hide each other."""
MOST_FEATURES = 15


def quadrant_plot(
    ability: Floats,
    willingness: Floats,
    bad: Bools | None,
    cut_offs: CutOffs,
    names: Mapping[str, str] | None = None,
) -> Figure:
    """Return each loan by its two group scores, with the share of loans, and of bad ones, in each quadrant.

    Parameters
    ----------
    ability, willingness : group contributions in log-odds; positive raises risk
    bad : outcome of each loan, or None when it is not known
    names : what the quadrants are called; by default their codes
    """
    figure, axes = blank(height=4.4)
    drawn = _spread(len(ability))
    outcomes = np.zeros(len(ability), dtype=np.bool_) if bad is None else bad
    for outcome, colour, label in ((False, MUTED, words.STAYED_GOOD.en), (True, INK, words.WENT_BAD.en)):
        some = drawn[outcomes[drawn] == outcome]
        axes.scatter(
            ability[some], willingness[some], s=5, color=colour, alpha=0.5, linewidths=0, rasterized=True, label=label
        )
    axes.axvline(cut_offs.ability_cut_off, color=ACCENT, linewidth=1)
    axes.axhline(cut_offs.willingness_cut_off, color=ACCENT, linewidth=1)
    axes.margins(0.06, 0.16)
    _write_quadrants(axes, quadrants(ability, willingness, cut_offs), bad, names or {})
    if bad is not None:
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=SMALL,
            labelcolor=INK, markerscale=2.2, handletextpad=0.2,
        )  # fmt: skip
    if names is None:
        name_axes(axes, words.ABILITY.en, words.WILLINGNESS.en)
    else:
        name_axes(axes, words.ABILITY_RISK.en, words.WILLINGNESS_RISK.en)
    return figure


def _write_quadrants(axes: Axes, where: list[str], bad: Bools | None, names: Mapping[str, str]) -> None:
    found = np.array(where)
    for quadrant, corner in (
        ("able_willing", "lower left"),
        ("unable_willing", "lower right"),
        ("able_unwilling", "upper left"),
        ("unable_unwilling", "upper right"),
    ):
        members = found == quadrant
        told = words.OF_LOANS.filled(share=f"{members.mean():.0%}")
        if bad is not None and members.any():
            told = words.OF_LOANS_BAD.filled(share=f"{members.mean():.0%}", bad=f"{bad[members].mean():.0%}")
        write_lines(axes, corner, [names.get(quadrant, quadrant.replace("_", ", ")), told.en])


def shap_summary(assessment: Assessment, most: int = MOST_FEATURES) -> Figure:
    """Return the features that move scores most: one dot for each loan, coloured by group, darker for higher values.

    Features are in order of their mean absolute contribution, which stands on the right. The contributions are the
    model's own exact TreeSHAP values, in log-odds; the picture is drawn here rather than by `shap`, whose import
    takes seconds and whose colours cannot show the groups.
    """
    contributions = assessment.attribution.contributions
    size = _mean_size(contributions)
    ranked = _ranked(size, most)
    figure, axes = blank(width=WIDTH * 1.45, height=0.8 + 0.27 * max(len(ranked), 1))
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
    axes.text(1.01, 1.0, words.MEAN_SIZE.en, transform=axes.transAxes, fontsize=SMALL, color=GREY, va="bottom")
    name_axes(axes, words.CONTRIBUTION.en, "")
    return figure


def summed_up(assessment: Assessment, most: int = MOST_FEATURES) -> list[Feature]:
    """Return the features whose rows `shap_summary` draws, from the top."""
    return [assessment.catalog.features[at] for at in _ranked(_mean_size(assessment.attribution.contributions), most)]


def _mean_size(contributions: Floats) -> Floats:
    return np.abs(contributions).mean(axis=0) if len(contributions) else np.zeros(contributions.shape[1])


def _ranked(size: Floats, most: int) -> list[int]:
    return [int(column) for column in np.argsort(-size, kind="stable") if size[column] > 0][:most]


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
        linewidths=np.where(known, 0.0, 0.3).tolist(), edgecolors=GREY,
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


def legend_of_groups() -> dict[Group, str]:
    """Return the colour of each group, in the model's order."""
    return {group: GROUP_COLOUR[group] for group in GROUP_ORDER}


def _spread(loans: int) -> npt.NDArray[np.intp]:
    return np.linspace(0, loans - 1, min(loans, MOST_POINTS)).astype(np.intp)
