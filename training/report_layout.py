"""The few shapes that the report's page is built of: sections, tables, captions, drawings and figures of money."""

from __future__ import annotations

from decimal import Decimal

from features.words import Text, written_money
from models.assessment import Assessment
from training import report_words as words
from training.markup import Markup, both, element

HUNDRED = 100


def section(title: Text, *content: Markup) -> Markup:
    """Return a section of the page under its title."""
    return element("section", element("h2", both(title)), *content)


def table(heads: tuple[Text, ...], rows: list[Markup], *, class_: str, plain: tuple[str, ...]) -> Markup:
    """Return a table that scrolls inside itself where the screen is narrow; `plain` holds the class of each head."""
    head = element(
        "tr", [element("th", both(name), scope="col", class_=kind) for name, kind in zip(heads, plain, strict=True)]
    )
    built = element("table", element("thead", head), element("tbody", rows), class_=class_)
    return element("div", built, class_="scroll")


def caption(*sentences: Text) -> Markup:
    """Return a figure's caption, all English sentences first."""
    whole = Text(en=" ".join(one.en for one in sentences), zh="".join(one.zh for one in sentences))
    return element("figcaption", both(whole))


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
