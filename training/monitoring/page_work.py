"""The part of the monitoring page about people: how the work list changes, and how often they decide otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.words import Text
from training.markup import Markup, both, element
from training.monitoring import plots, words
from training.picture import pictured
from training.report_layout import section, table

LISTS_SHOWN = 14


def work(told: Mapping[str, Any]) -> Markup:
    """Return how much of the work list changes from one list to the next."""
    churn = told["churn"]
    if not churn:
        return section(words.WORK, element("p", both(words.NO_CHURN)))
    said = words.CHURN_CAPTION.filled(share=f"{told['policy']['first_share']:.0%}")
    heads = (words.FROM, words.TO, words.CHANGED, words.BOTH, words.CORRELATION)
    rows = [
        element(
            "tr",
            element("td", one["before"]),
            element("td", one["after"]),
            [
                element("td", figure, class_="number")
                for figure in (
                    f"{one['changed']:.0%}",
                    f"{one['both']:,}",
                    "–" if one["correlation"] is None else f"{one['correlation']:.2f}",
                )
            ],
        )
        for one in reversed(churn[-LISTS_SHOWN:])
    ]
    return section(
        words.WORK,
        pictured("churn", plots.churn_by_day(churn), said),
        table(heads, rows, class_="figures", plain=("", "", *("number",) * 3)),
    )


def overrides(told: Mapping[str, Any]) -> Markup:
    """Return how often people decided otherwise, or that nobody says."""
    found = told["overrides"]
    if not found:
        return section(words.OVERRIDES, element("p", both(words.NO_OVERRIDES)))
    tables = [_table(words.MONTH_HEAD, found["month"]), _table(words.SUGGESTED, found["treatment"])]
    return section(words.OVERRIDES, element("div", tables, class_="pair"))


def _table(head: Text, rows: list[Mapping[str, Any]]) -> Markup:
    built = [
        element(
            "tr",
            element("td", one["of"]),
            element("td", f"{one['decisions']:,}", class_="number"),
            element(
                "td",
                f"{one['overridden'] / one['decisions']:.1%} ({one['low']:.1%}–{one['high']:.1%})",
                class_="number",
            ),
        )
        for one in rows
    ]
    return table((head, words.DECISIONS, words.RATE), built, class_="figures", plain=("", "number", "number"))
