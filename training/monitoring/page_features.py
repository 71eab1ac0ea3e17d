"""The part of the monitoring page about borrowers: months, features, and the form in which they reach the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.words import Text
from training.markup import Markup, both, element
from training.monitoring import plots, words
from training.monitoring.drift import SCORE
from training.picture import pictured
from training.report_layout import section, table

FEATURES_DRAWN, MONTHS_DRAWN, FEATURES_LISTED = 20, 24, 15
MOST_SAID = 3


def percent(share: float) -> str:
    """Return a share as a policy states it: 0.005 is no 0 %."""
    return f"{100 * share:g}%"


def month_list(told: Mapping[str, Any]) -> Markup:
    """Return the index of the scores by month, and what was found in each."""
    months = told["months"][-MONTHS_DRAWN:]
    drawn = any(SCORE in month["drifts"] for month in months)
    said = words.PSI_CAPTION.filled(share=percent(told["policy"]["false_alarm"]))
    figure = [pictured("psi", plots.psi_by_month(months), said)] if drawn else []
    heads = (words.MONTH_HEAD, words.LOANS, words.PSI, words.MOST, words.TESTS, words.SAID)
    rows = [_without_decisions(name, one) for name, one in reversed(_later(told))]
    rows += [_month(month, told["labels"]) for month in reversed(told["months"])]
    kinds = ("", "number", "number", "words", "number", "words")
    return section(
        words.MONTHS,
        element("p", both(words.MONTHS_LEAD), class_="lead"),
        *figure,
        table(heads, rows, class_="figures", plain=kinds),
    )


def _later(told: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the months in which vintages matured and nothing was scored."""
    named = {month["month"] for month in told["months"]}
    return [(name, one) for name, one in told["judged"].items() if name not in named]


def _without_decisions(name: str, judged: Mapping[str, Any]) -> Markup:
    said = _said(judged["alarms"], words.NOTHING)
    return _row(name, "–", "–", both(words.NONE), str(judged["tests"]), said)


def _month(month: Mapping[str, Any], labels: Mapping[str, Any]) -> Markup:
    score, drifts = month["drifts"].get(SCORE), {k: v for k, v in month["drifts"].items() if k != SCORE}
    most = max(drifts.values(), key=lambda one: one["beyond"], default=None)
    moved = words.NONE
    if most is not None:
        label = Text(**labels[most["of"]])
        moved = Text(en=f"{label.en} ({most['psi']:.2f})", zh=f"{label.zh}（{most['psi']:.2f}）")
    quiet = words.BASELINE if month["stands_in"] else words.NOTHING if month["judged"] else words.NOT_ENOUGH
    psi = "–" if score is None else f"{score['psi']:.3f}"
    return _row(
        month["name"], f"{month['cases']:,}", psi, both(moved), str(month["tests"]), _said(month["alarms"], quiet)
    )


def _said(alarms: list[Mapping[str, Any]], otherwise: Text) -> list[Markup]:
    told = [element("div", both(Text(**alarm["words"]))) for alarm in alarms[:MOST_SAID]]
    if len(alarms) > MOST_SAID:
        told.append(element("div", f"+ {len(alarms) - MOST_SAID}"))
    return told or [both(otherwise)]


def _row(name: str, loans: str, psi: str, moved: Markup, tests: str, said: list[Markup]) -> Markup:
    return element(
        "tr",
        element("td", name),
        element("td", loans, class_="number"),
        element("td", psi, class_="number"),
        element("td", moved, class_="words"),
        element("td", tests, class_="number"),
        element("td", said, class_="words"),
    )


def features(told: Mapping[str, Any]) -> Markup:
    """Return where features moved, and by how much in the month watched."""
    months = [month for month in told["months"][-MONTHS_DRAWN:] if month["drifts"]]
    names = {name for month in months for name in month["drifts"]} - {SCORE}
    if not names:
        return section(words.FEATURES, element("p", both(words.NO_FEATURES)))
    furthest = {name: max(month["drifts"].get(name, {"beyond": 0.0})["beyond"] for month in months) for name in names}
    chosen = sorted(names, key=lambda name: (-furthest[name], name))[:FEATURES_DRAWN]
    labels = [Text(**told["labels"][name]) for name in chosen]
    said = words.HEAT_CAPTION.filled(shown=len(chosen), all=len(names))
    most = max(0.25, 2.5 * told["policy"]["moved_by"])
    picture = plots.psi_of_features(chosen, [_short(label.en) for label in labels], months, most)
    watched = [month for month in months if month["month"] == told["month"]] or months[-1:]
    last = {name: one for name, one in watched[-1]["drifts"].items() if name != SCORE}
    listed = sorted(last.values(), key=lambda one: (-one["beyond"], one["of"]))[:FEATURES_LISTED]
    heads = (words.FEATURE, words.CSI, words.BEYOND, words.MISSING_NOW, words.MISSING_BEFORE)
    rows = [
        element(
            "tr",
            element("td", both(Text(**told["labels"][one["of"]])), class_="words"),
            [
                element("td", figure, class_="number")
                for figure in (
                    f"{one['psi']:.3f}",
                    f"{one['beyond']:.3f}",
                    f"{one['missing']:.1%}",
                    f"{one['missing_before']:.1%}",
                )
            ],
        )
        for one in listed
    ]
    return section(
        words.FEATURES,
        pictured("features", picture, said, rows=labels),
        element("h4", watched[-1]["name"]),
        table(heads, rows, class_="figures", plain=("words", *("number",) * 4)),
    )


MOST_LETTERS = 46


def _short(label: str) -> str:
    return label if len(label) <= MOST_LETTERS else f"{label[: MOST_LETTERS - 1].rstrip()}…"


def forms(told: Mapping[str, Any]) -> Markup:
    """Return the code that computed the features and the tables that were sent, of the latest months."""
    rows = [
        element(
            "tr",
            element("td", form["month"]),
            element("td", ", ".join(f"{name} ({count:,})" for name, count in form["fingerprints"].items())),
            element("td", ", ".join(f"{name} {share:.0%}" for name, share in form["tables"].items()), class_="words"),
        )
        for form in reversed(told["forms"][-MONTHS_DRAWN:])
    ]
    heads = (words.MONTH_HEAD, words.FINGERPRINTS, words.TABLES)
    return section(words.FORM, table(heads, rows, class_="figures", plain=("", "", "words")))
