"""A model card as one self-contained page in both languages."""

from __future__ import annotations

import re

from features.words import Text
from training.markup import Markup, alike, both, element
from training.model_card.blocks import Block, Drawing, Facts, Grid, Section, Sentence
from training.model_card.card import ModelCard
from training.report_layout import caption, drawing, page, table

OVERLINE = Text(en="repayrank model card", zh="模型卡")
FIGURE = re.compile(r"–|-?[0-9][0-9,.]*(e-?[0-9]+)?%?( – -?[0-9][0-9,.]*(e-?[0-9]+)?%?)?")
"""A number or an interval of two."""
LONG = 24
"""Rows beyond which a table is closed until a reader opens it."""


def html(card: ModelCard) -> str:
    """Return the page; the same bytes for the same card."""
    header = element("header", element("p", both(OVERLINE), class_="overline"), element("h1", both(card.title)))
    return page(f"{card.title.en} · {card.title.zh}", [header, *map(_section, card.sections)])


def _section(section: Section) -> Markup:
    return element(
        "section", element("h2", both(section.title)), [_block(one) for one in section.blocks], id=section.key
    )


def _block(block: Block) -> Markup:
    if isinstance(block, Sentence):
        return element("p", alike(block.text))
    if isinstance(block, Facts):
        rows = [element("div", element("dt", alike(row.name)), element("dd", alike(row.told))) for row in block.rows]
        return element("dl", rows, class_="of-card")
    if isinstance(block, Drawing):
        return element("figure", drawing(block.svg, block.text), caption(block.text), class_="of-card")
    return _grid(block)


def _grid(grid: Grid) -> Markup:
    numeric = [bool(grid.rows) and all(_is_figure(row[place]) for row in grid.rows) for place in range(len(grid.heads))]
    kinds = tuple("number" if one else "" for one in numeric)
    rows = [
        element("tr", [element("td", alike(cell), class_=kind) for cell, kind in zip(row, kinds, strict=True)])
        for row in grid.rows
    ]
    built = table(grid.heads, rows, class_="figures", plain=kinds)
    if len(grid.rows) <= LONG:
        return element("figure", element("h4", both(grid.title)), built)
    return element("details", element("summary", both(grid.title)), built)


def _is_figure(text: Text) -> bool:
    return text.en == text.zh and FIGURE.fullmatch(text.en) is not None
