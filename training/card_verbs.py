"""`repayrank card`: the model card of a version, in English and Chinese, from what is stored of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.errors import UsageError
from models.verb_options import DEFAULT_HOME, HomeOption, VersionOption, require_card, require_folder, say, tell


def card(
    card: Annotated[str, typer.Option("--card", help="The card, such as `collection`.")] = "",
    version: VersionOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="FILE.html: a page in both languages; FILE.md: Markdown, FILE.zh.md beside it."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    about: Annotated[
        Path | None,
        typer.Option("--about", help="Your own sentences: purpose, limits of use, owner; neutral ones by default."),
    ] = None,
    show_about: Annotated[
        bool, typer.Option("--show-about", help="Print the neutral sentences, to copy and change, and end.")
    ] = False,
) -> None:
    """Write the model card of a validated version; every number in it is worked out anew from what is stored.

    Refused where a number comes out otherwise than it was signed, where a section would be empty, and for a version
    that was not validated.

    Example: `repayrank card --card collection --version 3 --out collection-3.html`
    """
    from models.store import ModelStore
    from training.model_card.about import default_bytes, read_about
    from training.model_card.write import write_model_card

    if show_about:
        tell(default_bytes().decode().rstrip("\n"))
        return
    for given, option, expected in (
        (card, "--card", "the card whose version is described"),
        (out, "--out", "the file to write: FILE.html or FILE.md"),
    ):
        if not given:
            raise UsageError("nothing given", where=option, expected=expected, do=f"add {option}")
    assert out is not None
    require_card(card)
    require_folder(home)
    words = read_about(about)
    store = ModelStore(home)
    done = write_model_card(store, card, version or store.champion(card), words, out)
    for path, digest in done.files.items():
        say(f"{path}: SHA-256 {digest}")
    tell(f"{done.card.title.en}: {len(done.card.sections)} sections, {', '.join(map(str, done.files))}")
