"""Pictures of how well scores separate bad loans from good ones, and how well probabilities match what happened."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import roc_curve

from models.risk_model import Floats
from training import plot_words as words
from training.plot_style import ACCENT, GREY, HAIRLINE, INK, MUTED, NORMAL, SMALL, blank, name_axes, write_lines
from training.statistics.deciles import Money, decile_table
from training.statistics.metrics import Bools, discrimination
from training.statistics.worked import captured_money


def roc_and_ks(bad: Bools, log_odds: Floats) -> Figure:
    """Return the ROC curve; KS is its largest height above the diagonal, and drawn there.

    Parameters
    ----------
    bad : outcome of each loan, both outcomes present
    log_odds : a score that rises with risk
    """
    false_alarms, hits, _ = roc_curve(bad, log_odds)
    told, best = discrimination(bad, log_odds), int(np.argmax(hits - false_alarms))
    figure, axes = blank()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.fill_between(false_alarms, hits, false_alarms, color=ACCENT, alpha=0.08, linewidth=0)
    axes.plot(false_alarms, hits, color=ACCENT, linewidth=2, solid_capstyle="round")
    x, top = false_alarms[best], hits[best]
    axes.plot([x, x], [x, top], color=INK, linewidth=1.4, marker="o", markersize=4)
    axes.annotate(
        f"KS {told.ks:.3f}",
        (x, (x + top) / 2),
        (7, 0),
        textcoords="offset points",
        fontsize=NORMAL,
        color=INK,
        va="center",
    )
    axes.text(0.97, 0.06, f"AUC {told.auc:.3f}", ha="right", fontsize=NORMAL + 3, color=ACCENT)
    _unit_square(axes)
    name_axes(axes, words.GOOD_ABOVE.en, words.BAD_ABOVE.en)
    return figure


def calibration_by_decile(bad: Bools, probability: Floats) -> Figure:
    """Return the share that went bad against the mean probability, for each tenth of the loans.

    Bars are 95 % Wilson intervals: where one crosses the diagonal, chance alone explains the distance.

    Parameters
    ----------
    probability : calibrated probability of the bad outcome
    """
    table = decile_table(bad, probability)
    predicted = np.array([one.predicted for one in table])
    observed = np.array([one.observed for one in table])
    reach = np.array([[one.observed - one.low, one.high - one.observed] for one in table]).T
    figure, axes = blank()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(
        predicted, observed, yerr=np.maximum(reach, 0), fmt="o", color=ACCENT, markersize=5.5, elinewidth=1.3, capsize=0
    )
    means = (
        words.MEAN_PREDICTED.filled(share=f"{probability.mean():.1%}"),
        words.OBSERVED.filled(share=f"{bad.mean():.1%}"),
    )
    write_lines(axes, "lower right", [mean.en for mean in means], inset=0.04)
    _unit_square(axes)
    name_axes(axes, words.PREDICTED_SHARE.en, words.OBSERVED_SHARE.en)
    return figure


def lift_by_decile(bad: Bools, log_odds: Floats) -> Figure:
    """Return how many times more often each tenth went bad than all loans together, riskiest tenth first."""
    lifts = [one.lift for one in decile_table(bad, log_odds)]
    figure, axes = blank()
    places = np.arange(1, len(lifts) + 1)
    axes.bar(places, lifts, width=0.72, color=[ACCENT if lift > 1 else MUTED for lift in lifts])
    axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    for place, lift in zip(places, lifts, strict=True):
        axes.annotate(
            f"{lift:.2f}", (place, lift), (0, 3), textcoords="offset points", ha="center", fontsize=SMALL, color=INK
        )
    axes.annotate(
        words.ALL_LOANS.en,
        (len(lifts) + 0.45, 1),
        (0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=SMALL,
        color=GREY,
    )
    axes.set_xticks(places)
    axes.set_ylim(0, max(lifts) * 1.12)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    name_axes(axes, words.TENTH.en, words.LIFT.en)
    return figure


def captured_money_by_decile(bad: Bools, priority: Floats, exposure_minor: Money, probability: Floats) -> Figure:
    """Return the share of the money that went bad which the first loans hold, for four ways of ordering them.

    The orders are the work list, the amount alone, the probability alone, and chance.

    Parameters
    ----------
    priority : log of the expected loss; the work list's order
    exposure_minor : amounts at risk in minor units
    """
    shares = np.linspace(0, 1, 101)
    exposure = exposure_minor.astype(np.float64)
    figure, axes = blank()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label=words.AT_RANDOM.en)
    for label, ranking, colour, line, width in (
        (words.BY_PROBABILITY.en, probability, GREY, (0, (1, 1.5)), 1.5),
        (words.BY_AMOUNT.en, exposure, GREY, "-", 1.3),
        (words.WORK_LIST.en, priority, ACCENT, "-", 2.2),
    ):
        captured = captured_money(bad, ranking, exposure_minor, shares)
        axes.plot(shares, captured, color=colour, linewidth=width, linestyle=line, label=label)
    tenth = np.array([0.1])
    first = float(captured_money(bad, priority, exposure_minor, tenth)[0])
    axes.plot(tenth, [first], "o", color=ACCENT, markersize=6)
    axes.annotate(
        f"{first:.0%}", (0.1, first), (-7, 3), textcoords="offset points", ha="right", fontsize=NORMAL, color=ACCENT,
        weight="bold",
    )  # fmt: skip
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", frameon=False, fontsize=SMALL, labelcolor=INK)
    _unit_square(axes)
    name_axes(axes, words.SHARE_WORKED.en, words.SHARE_OF_BAD_MONEY.en)
    return figure


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.015, 1.015)
    axes.set_ylim(-0.015, 1.03)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axis.set_major_locator(MaxNLocator(5))
    axes.grid(color=HAIRLINE, linewidth=0.6, alpha=0.7)
