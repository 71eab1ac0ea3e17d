"""One quiet look for every picture: the colours of the three groups, the type, and how a picture becomes SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from features.declaration import Group

INK, GREY, HAIRLINE, PAPER = "#1c2733", "#687380", "#d9dee3", "#ffffff"
ACCENT, MUTED = "#0f6e67", "#aab4be"
GROUP_COLOUR = {Group.ABILITY: "#0072b2", Group.WILLINGNESS: "#d55e00", Group.CIRCUMSTANCES: "#6b7280"}
"""Blue and vermilion of Okabe and Ito (2008), told apart by colour-blind readers, and grey for what is neither."""
GROUP_TINT = {Group.ABILITY: "#cfe4f1", Group.WILLINGNESS: "#f8dfcc", Group.CIRCUMSTANCES: "#e2e5e9"}

SMALL, NORMAL = 8.5, 9.5
"""Type sizes in points. Pictures are about five inches wide, so that they can still be read on a phone."""
LINE_HEIGHT = 12.0
WIDTH, HEIGHT = 5.0, 3.9
RASTER_DPI = 200
"""Clouds of points are drawn as an image inside the SVG: thousands of vector circles would make the page slow."""


def blank(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return an empty figure, in inches, with one axes in the common look."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER, dpi=RASTER_DPI)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(HAIRLINE)
    axes.tick_params(labelsize=SMALL, colors=GREY, length=0, pad=5)
    axes.set_axisbelow(True)
    return figure, axes


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Write what the axes count."""
    axes.set_xlabel(x, fontsize=NORMAL, color=INK, labelpad=7)
    axes.set_ylabel(y, fontsize=NORMAL, color=INK, labelpad=7)


def svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element to put into HTML: the same bytes for the same figure.

    Parameters
    ----------
    name : letters that make the element's ids unique on the page
    """
    stream = io.StringIO()
    # Text stays text: it takes the page's font, can be searched, and is small.
    with mpl.rc_context({"svg.hashsalt": "repayrank", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True, dpi=RASTER_DPI)
    element = stream.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r' xmlns(:xlink)?="[^"]*"', "", element)
    element = re.sub(r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1>", element)
    return re.sub(r'( id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", element).strip()


def moved(figure: float) -> str:
    """Return a contribution with its sign and two decimals; what rounds to nothing has no sign."""
    return f"{figure:+.2f}" if round(figure, 2) else "0.00"


def write_lines(axes: Axes, corner: str, lines: Sequence[str], inset: float = 0.02) -> None:
    """Write lines of small type into a corner of the axes, such as `lower right`.

    Each line is a text of its own: the page sets them in another font than matplotlib measures with, and a block
    would lose its right edge.
    """
    upwards, across = corner.split()
    bottom = upwards == "lower"
    for place, line in enumerate(reversed(lines) if bottom else lines):
        axes.annotate(
            line, (inset if across == "left" else 1 - inset, inset if bottom else 1 - inset), xycoords="axes fraction",
            xytext=(0, place * LINE_HEIGHT * (1 if bottom else -1)), textcoords="offset points",
            ha=across, va="bottom" if bottom else "top", fontsize=SMALL, color=INK,
            bbox={"facecolor": PAPER, "alpha": 0.85, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
