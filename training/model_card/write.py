"""The files of a model card: a page in both languages, and Markdown in English and in Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import UsageError
from models.store import ModelStore
from training.model_card.about import About
from training.model_card.card import ModelCard, model_card
from training.model_card.markdown import markdown
from training.model_card.page import html
from training.model_card.source import source
from training.validation.result import written

PAGE, MARKDOWN, CHINESE = ".html", ".md", ".zh.md"
ENDINGS = (PAGE, MARKDOWN, CHINESE)
NAME = "model_card"
"""What the files are called beside a validation."""


@dataclass(frozen=True)
class Written:
    """The files that were written, with the SHA-256 of each, and the card in them."""

    files: dict[Path, str]
    card: ModelCard


def write_model_card(store: ModelStore, card: str, version: str, about: About, out: Path) -> Written:
    """Write the model card of a version into a file: `NAME.html` as a page, `NAME.md` with `NAME.zh.md` beside it.

    Raises
    ------
    ModelRefused : the version was not validated, a number comes out otherwise than it was signed, or a section is empty
    """
    if out.suffix not in (PAGE, MARKDOWN):
        raise UsageError(
            f"a model card in a file that ends with '{out.suffix}'",
            where="--out",
            expected="FILE.html for a page in both languages, or FILE.md for Markdown",
            do="name such a file",
        )
    told = model_card(source(store, card, version, about))
    return Written({path: written(path, text.encode()) for path, text in _texts(told, out).items()}, told)


def write_beside(store: ModelStore, card: str, version: str, about: About, folder: Path) -> Written:
    """Write the page and the Markdown of a version's card into the folder of its validation; see `write_model_card`."""
    told = model_card(source(store, card, version, about))
    texts = {**_texts(told, folder / f"{NAME}{PAGE}"), **_texts(told, folder / f"{NAME}{MARKDOWN}")}
    return Written({path: written(path, text.encode()) for path, text in texts.items()}, told)


def remove_beside(folder: Path) -> None:
    """Remove the files of a card that stands beside a validation."""
    for ending in ENDINGS:
        (folder / f"{NAME}{ending}").unlink(missing_ok=True)


def _texts(card: ModelCard, out: Path) -> dict[Path, str]:
    if out.suffix == PAGE:
        return {out: html(card)}
    return {out: markdown(card, "en"), out.with_suffix(CHINESE): markdown(card, "zh")}
