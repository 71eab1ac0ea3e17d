"""The part of the monitoring page about what came of it: vintages, money, and rolls from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.words import Text, minor_digits
from training.markup import Markup, both, element
from training.monitoring import plots, words
from training.monitoring.rolls import GONE
from training.monitoring.vintages import State
from training.picture import pictured
from training.report_layout import caption, section, table


def vintages(told: Mapping[str, Any]) -> Markup:
    """Return what became of each month's loans."""
    rows = told["vintages"]
    lead = words.VINTAGES_LEAD.filled(days=told["window_days"], share=f"{told['policy']['known_share']:.0%}")
    if not any(one["known"] for one in rows):
        return section(words.VINTAGES, element("p", both(lead), class_="lead"), element("p", both(words.NO_OUTCOMES)))
    mature = [one for one in rows if one["bad_share"] is not None]
    quality = told["reference"]["quality"]
    pictures = []
    if mature:
        reference = None if quality is None else quality["auc"][0]
        pictures = [
            ("level", plots.bad_by_vintage(mature), words.LEVEL_CAPTION),
            ("order", plots.auc_by_vintage(mature, reference), words.AUC_CAPTION),
        ]
    drawn = [pictured(name, picture, said) for name, picture, said in pictures]
    heads = (
        words.VINTAGE, words.LOANS, words.STATE, words.KNOWN, words.FORETOLD_HEAD, words.WENT_BAD, words.AUC, words.KS,
        words.IN_THE_LARGE, words.SLOPE,
    )  # fmt: skip
    kinds = ("", "number", "words", *("number",) * 7)
    return section(
        words.VINTAGES,
        element("p", both(lead), class_="lead"),
        *([element("div", drawn, class_="pair")] if drawn else []),
        table(heads, [_vintage(one) for one in reversed(rows)], class_="figures", plain=kinds),
    )


def _vintage(one: Mapping[str, Any]) -> Markup:
    figures = (
        _share(one["expected"]),
        _share(one["bad_share"]),
        _interval(one, "auc"),
        _interval(one, "ks"),
        _plain(one["in_the_large"], "+.2f"),
        _plain(one["slope"], ".2f"),
    )
    return element(
        "tr",
        element("td", one["name"]),
        element("td", f"{one['loans']:,}", class_="number"),
        element("td", both(State(one["state"]).text), class_="words"),
        element("td", f"{one['known'] / one['loans']:.0%}", class_="number"),
        [element("td", figure, class_="number") for figure in figures],
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _plain(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _interval(one: Mapping[str, Any], name: str) -> str:
    if one[name] is None:
        return "–"
    return f"{one[name]:.3f} ({one[f'{name}_low']:.3f}–{one[f'{name}_high']:.3f})"


def money(told: Mapping[str, Any]) -> Markup:
    """Return the money expected against the money that came."""
    tenths, currency = told["money"], told["currency"]
    if not tenths or not currency:  # amounts of several currencies have no sum
        return section(words.MONEY, element("p", both(words.NO_MONEY)))
    unit = 10 ** minor_digits(currency)
    said = words.MONEY_CAPTION.filled(currency=currency)
    heads = (words.TENTH, words.LOANS, words.EXPECTED, words.COLLECTED, words.RATIO)
    rows = [
        element(
            "tr",
            element("td", str(one["number"])),
            [
                element("td", figure, class_="number")
                for figure in (
                    f"{one['loans']:,}",
                    f"{one['expected_minor'] / unit:,.0f}",
                    f"{one['collected_minor'] / unit:,.0f}",
                    f"{one['collected_minor'] / one['expected_minor']:.2f}" if one["expected_minor"] else "–",
                )
            ],
        )
        for one in tenths
    ]
    return section(
        words.MONEY,
        pictured("money", plots.money_by_tenth(tenths, unit), said),
        table(heads, rows, class_="figures", plain=("", *("number",) * 4)),
    )


def rolls(told: Mapping[str, Any]) -> Markup:
    """Return the latest rolls, held against what was foretold, and their matrix."""
    if not told["rolls"]:
        return section(words.ROLLS, element("p", both(words.NO_ROLLS)))
    watched = [one for one in told["rolls"] if one["month"][:7] <= told["month"]] or told["rolls"]
    last = watched[-1]
    heads = (words.STAGE, words.BEFORE, words.FORECAST, words.ACTUAL)
    rows = [_stage(last, place, name) for place, name in enumerate(last["stages"])]
    said = words.ROLLS_CAPTION.filled(month=last["month"])
    shares = [
        element(
            "tr",
            element("td", both(_named(name)), class_="words"),
            [element("td", _share(share), class_="number") for share in last["shares"][place]],
        )
        for place, name in enumerate(last["stages"])
        if last["before"][place]
    ]
    columns = (words.STAGE, *(_named(name) for name in last["stages"]))
    return section(
        words.ROLLS,
        element("figure", table(heads, rows, class_="figures", plain=("", *("number",) * 3)), caption(said)),
        element(
            "figure",
            table(columns, shares, class_="figures", plain=("words", *("number",) * len(last["stages"]))),
            caption(words.MATRIX_CAPTION),
        ),
    )


def _stage(rolled: Mapping[str, Any], place: int, name: str) -> Markup:
    foretold: Markup | str = both(words.NO_FORECAST)
    if rolled["expected"] is not None:
        expected, low, high = (rolled[key][place] for key in ("expected", "low", "high"))
        foretold = f"{expected:,.0f} ({low:,.0f}–{high:,.0f})"
    return element(
        "tr",
        element("td", both(_named(name)), class_="words"),
        element("td", f"{rolled['before'][place]:,}", class_="number"),
        element("td", foretold, class_="number"),
        element("td", f"{rolled['actual'][place]:,}", class_="number"),
    )


def _named(stage: str) -> Text:
    return words.GONE if stage == GONE else Text(en=stage, zh=stage)
