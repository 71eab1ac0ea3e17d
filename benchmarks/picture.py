"""The table of the comparisons as a picture: how many times as fast, what was asked, and how far turns lay apart."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from benchmarks.result import Result

WIDTH, HEIGHT_OF_A_BAR = 9.5, 0.42
LETTERS = 62
MET, SHORT, ASKED = "#2f6f8f", "#c9803a", "#444444"


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture of some comparisons, the first on top."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 7.5, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(WIDTH, 1.0 + HEIGHT_OF_A_BAR * len(results)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for place, result in enumerate(results):
            seen = result.ratio
            colour = MET if seen.median >= result.asked else SHORT
            axes.barh(place, seen.median - 1, height=0.62, color=colour, left=1)
            axes.plot([seen.least, seen.most], [place, place], color="black", linewidth=0.8)
            axes.plot(result.asked, place, marker="|", markersize=11, markeredgewidth=1.6, color=ASKED)
            axes.text(max(seen.most, result.asked) * 1.12, place, f"{seen.median:.3g}x", va="center")
        axes.set_yticks(
            range(len(results)),
            [textwrap.fill(f"{result.what}\nagainst {_plain(result.against)}", LETTERS) for result in results],
        )
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.axvline(1, color="black", linewidth=0.6)
        axes.xaxis.set_major_formatter(lambda times, _: f"{times:g}x")
        axes.set_xlabel(
            "times as fast as the other way, median of turns (line: least to most; tick: asked; orange: short of it)"
        )
        figure.savefig(path, dpi=140)


def _plain(words: str) -> str:
    return words.replace("`", "")
