"""The few shapes that a page is built of: the page itself, sections, tables, captions, drawings, figures of money."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from importlib.resources import files

from features.words import Text, written_money
from models.assessment import Assessment
from training import report_words as words
from training.markup import CHINESE, ENGLISH, Markup, alike, both, element

HUNDRED = 100
POLICY_OF_THE_PAGE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Told to the browser: the page may load nothing from anywhere."""


def page(title: str, body: Iterable[Markup]) -> str:
    """Return one self-contained HTML page, with the switch between languages; the same bytes for the same body."""
    style = files("training").joinpath("report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY_OF_THE_PAGE}">'),
        element("title", title),
        element("style", Markup(style)),
    )
    # The switch is three radio buttons in front of the page: CSS hides the other language, there is no script.
    switch = [
        Markup(f'<input type="radio" name="language" id="{key}"{" checked" if key == "both" else ""}>')
        for key in words.LANGUAGES
    ]
    labels = element(
        "nav",
        [element("label", label, for_=key) for key, label in words.LANGUAGES.items()],
        aria_label="Language 语言",
    )
    whole = element("html", head, element("body", switch, labels, element("main", list(body))), lang=ENGLISH)
    return f"<!doctype html>\n{whole}\n"


def section(title: Text, *content: Markup) -> Markup:
    """Return a section of the page under its title."""
    return element("section", element("h2", both(title)), *content)


def table(heads: tuple[Text, ...], rows: list[Markup], *, class_: str, plain: tuple[str, ...]) -> Markup:
    """Return a table that scrolls inside itself where the screen is narrow; `plain` holds the class of each head."""
    head = element(
        "tr", [element("th", alike(name), scope="col", class_=kind) for name, kind in zip(heads, plain, strict=True)]
    )
    built = element("table", element("thead", head), element("tbody", rows), class_=class_)
    return element("div", built, class_="scroll")


def caption(*sentences: Text, in_picture: Text | None = None) -> Markup:
    """Return a figure's caption, all English sentences first.

    Parameters
    ----------
    in_picture : what stands in a picture, in Chinese alone: whoever reads English reads it in the picture
    """
    told: list[Markup] = []
    if sentences:
        told.append(both(Text(en=" ".join(one.en for one in sentences), zh="".join(one.zh for one in sentences))))
    if in_picture is not None:
        told.append(element("span", in_picture.zh, lang=CHINESE, class_="in-picture"))
    return element("figcaption", told)


def drawing(picture: str, said: Text) -> Markup:
    """Return an SVG element that a screen reader announces with a sentence."""
    return element("div", Markup(picture), class_="drawing", role="img", aria_label=f"{said.en} {said.zh}")


def signed(figure: Decimal) -> str:
    """Return a figure with its sign and all its digits, in characters that a spreadsheet reads as a number."""
    return f"{figure:+f}" if figure else f"{abs(figure):f}"


def rounded(minor: float, currency: str) -> str:
    """Return an estimated amount in whole currency units: its minor units would pretend to be known."""
    return written_money(round(minor / HUNDRED) * HUNDRED, currency)


def suggested(assessment: Assessment, quadrant: str) -> Text:
    """Return a quadrant's name with the step that the policy suggests for it."""
    told = assessment.policy.treatment(assessment.model.card.name, quadrant)
    return words.WHERE_TOLD.filled(quadrant=told.name, step=told.text)
