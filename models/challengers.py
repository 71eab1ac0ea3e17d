"""Which version of a card is scored beside the one that serves, and answered to nobody.

    challenger          the number of that version, in the card's folder beside the number that serves

It is written as the champion's is: readers see the old number or the new one, whole. Whoever names a version has seen
it verified and loaded by a child process that lived; whoever loads it verifies it again. No decision hangs on the
number, so it has no history of its own: every pair of scores says which version it is of (`models.score_pairs`).
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from features.errors import ModelRefused
from models.champions import LONGEST, READABLE, is_number, sync_folder
from models.store import ModelStore
from models.trial import load_tried

CHALLENGER = "challenger"


def challenger(store: ModelStore, card: str) -> str | None:
    """Return the version that challenges the champion of a card, or None where none does.

    Raises
    ------
    ModelRefused : the file holds no version number
    """
    path = _pointer(store, card)
    try:
        with path.open("rb") as stream:
            named = stream.read(LONGEST).decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    if not is_number(named):
        raise ModelRefused(
            "a challenger that is not a version number",
            where=str(path),
            expected="the number of a version that is there",
            do=f"run `repayrank challenge --card {card} --version VERSION`, or end it with --stop",
        )
    return named


def required(store: ModelStore, card: str) -> str:
    """Return the version that challenges the champion of a card.

    Raises
    ------
    ModelRefused : none does
    """
    named = challenger(store, card)
    if named is None:
        raise ModelRefused(
            f"no version that challenges the {card} card",
            where=str(store.root),
            expected="a challenger, to be scored beside the champion",
            do=f"run `repayrank challenge --card {card} --version VERSION`, or name one with --version",
        )
    return named


def challenge(store: ModelStore, card: str, version: str) -> str | None:
    """Let a version challenge the champion of its card, durably, and return the one that did before.

    Raises
    ------
    ModelRefused : it serves already, does not verify, or ends the process that loads it; nothing was changed
    """
    if version == store.champion(card):
        raise ModelRefused(
            f"version {version}, which serves already",
            where=f"the {card} card",
            expected="another version than the champion: one does not challenge itself",
            do="name a version that was trained since",
        )
    load_tried(store, card, version)
    before = challenger_or_none(store, card)
    pointer = _pointer(store, card)
    with NamedTemporaryFile(dir=pointer.parent, prefix=f".{CHALLENGER}.", delete=False) as stream:
        stream.write(f"{version}\n".encode())
        stream.flush()
        os.fchmod(stream.fileno(), READABLE & ~_mask())
        os.fsync(stream.fileno())
    Path(stream.name).replace(pointer)
    sync_folder(pointer.parent)
    return before


def withdraw(store: ModelStore, card: str) -> str | None:
    """Let no version challenge the champion of a card any more, and return the one that did; its pairs stay."""
    before, pointer = challenger_or_none(store, card), _pointer(store, card)
    pointer.unlink(missing_ok=True)
    if pointer.parent.is_dir():
        sync_folder(pointer.parent)
    return before


def challenger_or_none(store: ModelStore, card: str) -> str | None:
    """Return what challenges now; a file that cannot be read as a version is replaced, not held against the caller."""
    try:
        return challenger(store, card)
    except ModelRefused:
        return None


def _pointer(store: ModelStore, card: str) -> Path:
    return store.root / "models" / card / CHALLENGER


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
