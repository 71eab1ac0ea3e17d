"""The work list, why its first loan is above its second, and how its first scores come about."""

from __future__ import annotations

import numpy as np

from features.words import Text, written_money
from models.assessment import Assessment
from models.pairwise import Comparison, compare
from models.reasons import Reason
from training import report_words as words
from training.markup import Markup, both, element, joined, name_of
from training.plot_style import GROUP_COLOUR, svg
from training.plot_words import in_words
from training.plots_waterfall import row_names, waterfall
from training.printed_ledger import PrintedLedger, PrintedLine, printed_ledger
from training.report_grounds import status_of
from training.report_layout import caption, drawing, rounded, section, signed, suggested, table
from training.waterfall import waterfall_of

WATERFALLS = 3
"""Loans whose scores are taken apart on the page."""


def work_list(assessment: Assessment, first: int) -> Markup:
    """Return the first loans of the work list as a table."""
    shown = assessment.order[:first]
    heads = tuple(
        head.filled(currency=assessment.currency)
        for head in (
            words.LOAN, words.AMOUNT, words.CHANCE, words.LOSS, words.POINTS, words.WHERE, words.FIRST_REASON,
        )
    )  # fmt: skip
    rows = [_row(assessment, int(case), place, heads) for place, case in enumerate(shown, start=1)]
    return section(
        words.WORK_LIST.filled(count=len(shown)),
        element("p", both(words.WORK_LIST_LEAD), class_="lead"),
        table(heads, rows, class_="worklist", plain=("", "number", "number", "number", "number", "", "")),
    )


def _row(assessment: Assessment, case: int, place: int, heads: tuple[Text, ...]) -> Markup:
    ledger = assessment.ledger
    told = next((reason.text for reason in assessment.reasons(case) if reason.effect == "raises"), words.NO_REASON)
    cells = (
        (joined([element("i", str(place), class_="place"), name_of(assessment.loan_ids[case])]), "who"),
        (joined(written_money(int(ledger.exposure_minor[case]), "")), "number"),
        (joined(f"{assessment.probability[case]:.1%}"), "number"),
        (joined(rounded(float(ledger.expected_loss_minor[case]), "")), "number strong"),
        (joined(f"{assessment.points[case]} {assessment.bands[case]}"), "number"),
        (both(suggested(assessment, assessment.quadrants[case])), "words"),
        (both(told), "words"),
    )
    # On a phone each row becomes a card, and each cell carries the head of its column.
    return element(
        "tr",
        [
            element("td", element("span", both(head), class_="head"), element("span", told, class_="cell"), class_=kind)
            for head, (told, kind) in zip(heads, cells, strict=True)
        ],
    )


def comparison(assessment: Assessment) -> Markup:
    """Return why the first loan of the work list stands above the second, line by line."""
    if len(assessment) < 2:  # noqa: PLR2004 - a pair
        return section(words.COMPARISON, both(words.ONE_LOAN, "p"))
    first, second = (int(case) for case in assessment.order[:2])
    told = compare(assessment, first, second)
    ledger = printed_ledger(told, assessment.catalog)
    return section(
        words.COMPARISON,
        element("p", both(_lead(assessment, told, ledger, first, second)), class_="lead"),
        element("figure", _ledger_table(ledger), _all_lines(ledger), caption(words.LEDGER_CAPTION)),
        element("p", both(_swap(assessment, told, first))),
    )


def _lead(assessment: Assessment, told: Comparison, ledger: PrintedLedger, first: int, second: int) -> Text:
    if told.gap == 0:
        return words.LEVEL.filled(first=told.first, second=told.second)
    expected = assessment.ledger.expected_loss_minor
    return words.ABOVE.filled(
        first=told.first,
        second=told.second,
        more=rounded(float(expected[first]), assessment.currency),
        less=rounded(float(expected[second]), assessment.currency),
        factor=f"{np.exp(told.gap):.3f}",
        gap=signed(ledger.total),
    )


def _swap(assessment: Assessment, told: Comparison, first: int) -> Text:
    now = written_money(int(assessment.ledger.exposure_minor[first]), assessment.currency)
    if told.swap_exposure_minor is None:
        least = written_money(assessment.policy.exposure.least_minor, assessment.currency)
        return words.NO_SWAP.filled(first=told.first, least=least, now=now)
    return words.SWAP.filled(first=told.first, amount=rounded(told.swap_exposure_minor, assessment.currency), now=now)


def _ledger_table(ledger: PrintedLedger) -> Markup:
    rows: list[Markup] = []
    for part in ledger.sections:
        rows.append(_ledger_row(PrintedLine(part.title, part.sum), kind=f"part {part.group or 'money'}"))
        rows += [_ledger_row(line, kind="line") for line in part.short()]
    if ledger.rounding:
        rows.append(_ledger_row(PrintedLine(words.ROUNDING, ledger.rounding), kind="part"))
    rows.append(_ledger_row(PrintedLine(words.TOTAL, ledger.total), kind="total"))
    return table((words.LINE, words.DIFFERENCE, words.FACTOR), rows, class_="ledger", plain=("", "number", "number"))


def _ledger_row(line: PrintedLine, *, kind: str) -> Markup:
    return element(
        "tr",
        element("td", both(line.text)),
        element("td", signed(line.figure), class_="number"),
        element("td", f"{np.exp(float(line.figure)):.3f}", class_="number quiet"),
        class_=kind,
    )


def _all_lines(ledger: PrintedLedger) -> Markup:
    lines = [line for part in ledger.sections for line in part.lines]
    rows = [_ledger_row(line, kind="line") for line in lines]
    return element(
        "details",
        element("summary", both(words.ALL_LINES.filled(count=len(lines)))),
        table((words.LINE, words.DIFFERENCE, words.FACTOR), rows, class_="ledger", plain=("", "number", "number")),
    )


def cases(assessment: Assessment) -> Markup:
    """Return how the first scores come about: a waterfall, the reasons in words, and the money."""
    shown = assessment.order[:WATERFALLS]
    return section(
        words.CASES.filled(count=len(shown)),
        element("p", both(words.WATERFALL_CAPTION), class_="lead"),
        *[_case(assessment, int(case), place) for place, case in enumerate(shown, start=1)],
    )


def _case(assessment: Assessment, case: int, place: int) -> Markup:
    facts = (
        suggested(assessment, assessment.quadrants[case]),
        words.POINTS_BAND.filled(points=str(assessment.points[case]), band=assessment.bands[case]),
    )
    reasons = assessment.reasons(case)
    told = element(
        "div",
        element("h3", element("i", str(place), class_="place"), name_of(assessment.loan_ids[case])),
        element("p", both(_equation(assessment, case)), class_="equation"),
        element("ul", [element("li", both(fact)) for fact in facts], class_="facts"),
        *[
            _reason_list(reasons, effect, title)
            for effect, title in (("raises", words.RAISES), ("lowers", words.LOWERS))
        ],
        class_="told",
    )
    said = words.WATERFALL_SAID.filled(loan=assessment.loan_ids[case])
    drawn = waterfall(assessment, case)
    named = in_words(drawn, rows=row_names(waterfall_of(assessment, case)))
    picture = element("figure", drawing(svg(drawn, f"waterfall{place}"), said), caption(in_picture=named))
    return element("article", told, picture, class_="case")


def _equation(assessment: Assessment, case: int) -> Text:
    ledger = assessment.ledger
    return words.EQUATION.filled(
        chance=f"{assessment.probability[case]:.1%}",
        amount=written_money(int(ledger.exposure_minor[case]), assessment.currency),
        share=f"{np.exp(ledger.loss_share[case]):.0%}",
        status=status_of(assessment.loss_share_status[case]),
        loss=rounded(float(ledger.expected_loss_minor[case]), assessment.currency),
    )


def _reason_list(reasons: list[Reason], effect: str, title: Text) -> Markup:
    chosen = [reason for reason in reasons if reason.effect == effect]
    if not chosen:
        return Markup("")
    items = [
        element(
            "li",
            element(
                "span",
                f"{reason.contribution:+.2f}",
                class_="number",
                style=f"color:{GROUP_COLOUR[reason.feature.group]}",
            ),
            element("span", both(reason.text), class_="words"),
        )
        for reason in chosen
    ]
    return joined([element("h4", both(title)), element("ol", items, class_="reasons")])
