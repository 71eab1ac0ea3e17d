"""Pictures of a monitoring: plain data go in, a matplotlib figure comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training import plot_words as words
from training.monitoring.drift import SCORE
from training.plot_style import ACCENT, GREY, HAIRLINE, INK, MUTED, NORMAL, PAPER, SMALL, blank, name_axes, write_lines

ALARM, UNKNOWN = "#b3261e", "#eef0f2"
WIDE, LOW, ROW = 7.6, 2.9, 0.24
MOST_NAMED = 12
"""Names that an axis can hold; of more, some are left out."""


def psi_by_month(months: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the index of the scores by month, over what chance makes; months with an alarm of it are red."""
    figure, axes = blank(WIDE, LOW)
    drifts = [month["drifts"].get(SCORE) for month in months]
    for place, (month, drift) in enumerate(zip(months, drifts, strict=True)):
        if drift is not None:
            alarmed = any(alarm["kind"] == "scores" for alarm in month["alarms"])
            axes.bar(place, drift["psi"], width=0.66, color=ALARM if alarmed else ACCENT)
    critical = [np.nan if drift is None else drift["critical"] for drift in drifts]
    axes.plot(range(len(months)), critical, color=INK, linewidth=1.2, marker="_", markersize=11)
    axes.set_ylim(bottom=0)
    _name_places(axes, [month["name"] for month in months])
    name_axes(axes, "", words.SCORE_PSI.en)
    return figure


def psi_of_features(
    names: Sequence[str], labels: Sequence[str], months: Sequence[Mapping[str, Any]], most: float
) -> Figure:
    """Return features by months, darker where the index lies further beyond chance; `most` is the darkest."""
    found = np.array(
        [[month["drifts"].get(name, {}).get("beyond", np.nan) for month in months] for name in names], dtype=np.float64
    )
    figure, axes = blank(WIDE, 1.0 + ROW * len(names))
    scale = LinearSegmentedColormap.from_list("quiet to alarm", [PAPER, "#f4d9b8", "#d98a3d", ALARM])
    colours = scale.with_extremes(bad=UNKNOWN)
    picture = axes.imshow(found, aspect="auto", cmap=colours, vmin=0, vmax=most, interpolation="nearest")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks(np.arange(-0.5, len(months)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(names)), minor=True)
    axes.grid(which="minor", color=HAIRLINE, linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.set_yticks(range(len(names)), labels)
    _name_places(axes, [month["name"] for month in months])
    bar = figure.colorbar(picture, ax=axes, fraction=0.025, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, colors=GREY, length=0)
    bar.set_label(words.INDEX_BEYOND.en, fontsize=SMALL, color=GREY)
    return figure


def bad_by_vintage(vintages: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the share that went bad of each mature vintage, with its interval, and the share foretold."""
    figure, axes = blank()
    _intervals(axes, vintages, "bad_share", "bad")
    axes.plot(range(len(vintages)), [one["expected"] for one in vintages], color=INK, linewidth=1.4)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _name_places(axes, [one["name"] for one in vintages], most=6)
    name_axes(axes, words.VINTAGE.en, words.BAD_SHARE.en)
    return figure


def auc_by_vintage(vintages: Sequence[Mapping[str, Any]], reference: float | None) -> Figure:
    """Return the AUC of each mature vintage with its interval, and that of the reference."""
    figure, axes = blank()
    _intervals(axes, vintages, "auc", "auc")
    if reference is not None:
        axes.axhline(reference, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        write_lines(axes, "upper right", [words.REFERENCE.filled(auc=f"{reference:.3f}").en])
    _name_places(axes, [one["name"] for one in vintages], most=6)
    name_axes(axes, words.VINTAGE.en, words.AUC.en)
    return figure


def money_by_tenth(tenths: Sequence[Mapping[str, Any]], unit: int) -> Figure:
    """Return the money expected and the money that came, tenth by tenth; a unit has so many minor ones."""
    figure, axes = blank(WIDE, LOW)
    places = np.arange(1, len(tenths) + 1)
    for shift, name, colour, label in (
        (-0.2, "expected_minor", MUTED, words.EXPECTED.en),
        (0.2, "collected_minor", ACCENT, words.COLLECTED.en),
    ):
        axes.bar(places + shift, [one[name] / unit for one in tenths], width=0.38, color=colour, label=label)
    axes.set_xticks(places)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, loc="upper right")
    name_axes(axes, words.TENTH_OF_MONEY.en, words.MONEY.en)
    return figure


def churn_by_day(churn: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the share of the first that changed from list to list, and the rank correlation of both lists."""
    figure, axes = blank(WIDE, LOW)
    places = range(len(churn))
    marker = "o" if len(churn) <= MOST_NAMED else None
    axes.plot(
        places,
        [one["changed"] for one in churn],
        color=ACCENT,
        linewidth=1.8,
        marker=marker,
        label=words.CHANGED.en,
    )
    correlation = [np.nan if one["correlation"] is None else one["correlation"] for one in churn]
    axes.plot(places, correlation, color=GREY, linewidth=1.3, marker=marker, markersize=4, label=words.CORRELATION.en)
    axes.set_ylim(min(-0.02, np.nanmin([0.0, *correlation]) - 0.05), 1.03)
    axes.legend(frameon=False, fontsize=SMALL, labelcolor=INK, loc="center right")
    _name_places(axes, [one["after"] for one in churn], most=7)
    name_axes(axes, "", "")
    return figure


def _intervals(axes: Axes, rows: Sequence[Mapping[str, Any]], value: str, name: str) -> None:
    known = [place for place, one in enumerate(rows) if one[value] is not None]
    found = np.array([rows[place][value] for place in known], dtype=np.float64)
    reach = np.array(
        [
            [rows[place][value] - rows[place][f"{name}_low"], rows[place][f"{name}_high"] - rows[place][value]]
            for place in known
        ]
    ).reshape(-1, 2)
    axes.errorbar(
        known, found, yerr=np.maximum(reach.T, 0), fmt="o", color=ACCENT, markersize=5.5, elinewidth=1.3, capsize=0
    )


def _name_places(axes: Axes, names: Sequence[str], most: int = MOST_NAMED) -> None:
    step = max(1, -(-len(names) // most))
    shown = range(len(names) - 1, -1, -step)
    axes.set_xticks(list(shown), [names[place] for place in shown])
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.xaxis.label.set_fontsize(NORMAL)
