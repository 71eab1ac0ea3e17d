"""A model card as Markdown, in one language."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.words import Text
from training.model_card.blocks import Drawing, Facts, Grid, Sentence
from training.model_card.card import ModelCard

SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~"})
Said = Callable[[Text], str]


def markdown(card: ModelCard, language: str) -> str:
    """Return the card in `en` or `zh`; the same bytes for the same card."""

    def said(text: Text) -> str:
        return str(text.as_dict()[language]).translate(SPECIAL)

    parts = [f"# {said(card.title)}"]
    for section in card.sections:
        parts.append(f"## {said(section.title)}")
        parts += [_block(block, said) for block in section.blocks if not isinstance(block, Drawing)]
    return "\n\n".join(parts) + "\n"


def _block(block: Sentence | Facts | Grid, said: Said) -> str:
    if isinstance(block, Sentence):
        return said(block.text)
    if isinstance(block, Facts):
        return "\n".join(f"- **{said(row.name)}**: {said(row.told)}" for row in block.rows)
    lines = [_row([said(head) for head in block.heads]), _row(["---"] * len(block.heads))]
    lines += [_row([said(cell) for cell in row]) for row in block.rows]
    return f"### {said(block.title)}\n\n" + "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
