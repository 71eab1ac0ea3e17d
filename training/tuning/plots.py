"""Pictures of a tuning: how the best size was come by, and which parameters moved the objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.plot_style import ACCENT, GREY, INK, MUTED, SMALL, blank, name_axes, write_lines
from training.tuning.record import best_so_far
from training.tuning.study import Finished

MARGIN = 0.15
"""Empty space above and below the judged trials, as a share of their range."""


def tuning_history(done: Sequence[Finished], defaults: int) -> Figure:
    """Return the objective of each trial in order, and the best so far; trials given up are marks at the bottom.

    Parameters
    ----------
    done : finished trials in order, at least one of them judged on all splits
    defaults : how many of the first are the release's own sizes
    """
    judged = [(one.number, one.value) for one in done if one.value is not None]
    values = [value for _, value in judged]
    space = (max(values) - min(values)) * MARGIN or abs(max(values)) * MARGIN
    low, high = min(values) - space, max(values) + space
    figure, axes = blank()
    own = [point for point in judged if point[0] <= defaults]
    drawn = [point for point in judged if point[0] > defaults]
    for points, marker, colour in ((own, "D", INK), (drawn, "o", MUTED)):
        numbers, heights = [number for number, _ in points], [height for _, height in points]
        axes.scatter(numbers, heights, marker=marker, color=colour, s=18, linewidth=0)
    given_up = [one.number for one in done if one.value is None]
    axes.scatter(given_up, [low] * len(given_up), marker="|", color=MUTED, s=40)
    course = [(one.number, best) for one, best in zip(done, best_so_far(done), strict=True) if best is not None]
    axes.step(*zip(*course, strict=True), where="post", color=ACCENT, linewidth=2)
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    told = [f"best {max(values):.4f}", f"{len(given_up)} of {len(done)} given up early", "diamonds: default sizes"]
    write_lines(axes, "lower right", told, inset=0.05)
    name_axes(axes, "trial", "objective")
    return figure


def parameter_importance(importance: Mapping[str, float]) -> Figure:
    """Return the share of each parameter in what moved the objective, largest on top."""
    figure, axes = blank()
    names = sorted(importance, key=lambda name: importance[name])
    shares = [importance[name] for name in names]
    axes.barh(names, shares, color=ACCENT, height=0.6)
    for place, share in enumerate(shares):
        axes.text(share, place, f" {share:.0%}", va="center", fontsize=SMALL, color=GREY)
    axes.set_xlim(0, max([*shares, 0.01]) * (1 + MARGIN))
    name_axes(axes, "share of what moved the objective", "")
    return figure
