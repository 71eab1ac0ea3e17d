"""What is kept of a change of the champion: who, when, why, on which validation, and what it changed for whom; signed.

    HOME/promotions/CARD/GENERATION/promotion.json     the change, as the history of champions counts it
    HOME/promotions/CARD/GENERATION/promotion.sig      Ed25519 signature by the store's key
    HOME/promotions/CARD/GENERATION/swap_sets.json     who goes up and who goes down, and why; its SHA-256 is signed
    HOME/promotions/CARD/GENERATION/posted, mirrored   empty: it was left for the decision log; MLflow was told
    HOME/promotions/CARD/GENERATION/void               empty: the process died before the change took effect
    HOME/promotions/CARD/.prepared/                    records of changes that are being made

A record is written whole before the change is made, and the change's line in the history names it by its SHA-256: so a
death leaves either a change with its record or neither.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from features.errors import ModelRefused
from features.words import Text
from models.artefact import canonical, read_whole
from models.champions import FOUND, Promotion, sync_folder
from models.store import ModelStore
from training.promotion.notes import NO_EFFECT, PUT_IN_PLACE
from training.validation.result import written

FORMAT = "repayrank-promotion/1"
PROMOTIONS, PREPARED = "promotions", ".prepared"
RECORD, SIGNATURE, SWAP_SETS = "promotion.json", "promotion.sig", "swap_sets.json"
POSTED, MIRRORED, VOID = "posted", "mirrored", "void"


class Kind(StrEnum):
    """How a version became champion."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Record:
    """One change of a champion, and what it was decided on.

    Attributes
    ----------
    version, before, generation : what serves from then on, what served, and the number of the change
    manifest : SHA-256 of the version's manifest
    by, account, at, reason : who, by the name that was said and by the operating system's; when (UTC); and why
    trained_by, validated_by : the other principals; "" where a version that goes back was never validated
    validation, verdict : SHA-256 of the result of its validation on its own cases, and what that says; "" where none is
    undoes, undone_by : of a rollback: the change that it undoes, and whose that was
    swap_sets : SHA-256 of the file; None where there is none
    portfolio, policy : the book and SHA-256 of the score policy of the swap sets
    rules : SHA-256 of the rules of promotion
    """

    kind: Kind
    card: str
    version: str
    before: str | None
    generation: int
    manifest: str
    by: str
    account: str
    at: str
    reason: str
    trained_by: str
    validated_by: str
    validation: str
    verdict: str
    undoes: int | None
    undone_by: str
    swap_sets: str | None
    portfolio: str
    policy: str
    rules: str

    def to_bytes(self) -> bytes:
        """Return what is written and signed."""
        return canonical({**asdict(self), "kind": self.kind.value, "format": FORMAT})

    @property
    def digest(self) -> str:
        """The SHA-256 of what is written, by which the history names it."""
        return digest_of(self.to_bytes())

    def event(self) -> dict[str, Any]:
        """Return what the decision log is told."""
        return {**asdict(self), "kind": self.kind.value, "record": self.digest}


def parsed(raw: bytes) -> Record | None:
    """Return the record in bytes that were written by `to_bytes`; None where they are none."""
    try:
        plain = json.loads(raw)
        if plain.pop("format") != FORMAT:
            return None
        return Record(**{**plain, "kind": Kind(plain["kind"])})
    except (ValueError, TypeError, KeyError):
        return None


def folder_of(store: ModelStore, card: str) -> Path:
    """Return where the records of a card are kept."""
    return store.root / PROMOTIONS / card


def prepared(store: ModelStore, record: Record, swap_sets: Mapping[str, Any] | None) -> Path:
    """Write a record of a change that has not been made yet, durably, and return its folder."""
    waiting = folder_of(store, record.card) / PREPARED
    folder = waiting / f"{record.generation}-{secrets.token_hex(8)}"
    raw = record.to_bytes()
    if swap_sets is not None:
        written(folder / SWAP_SETS, canonical(swap_sets))
    written(folder / SIGNATURE, store.sign(raw))
    written(folder / RECORD, raw)  # last: what has it is whole
    for made in (waiting, waiting.parent, waiting.parent.parent, store.root):
        sync_folder(made)
    return folder


def discarded(folder: Path) -> None:
    """Take away a record whose change was not made."""
    shutil.rmtree(folder, ignore_errors=True)


def settled(store: ModelStore, card: str) -> list[Text]:
    """Put every record of a change that was made into its place, and return what had been left undone, in words.

    What was prepared for a change that another took is taken away; one that may still be made stays where it is.
    """
    waiting = folder_of(store, card) / PREPARED
    found = sorted(waiting.glob("*-*")) if waiting.is_dir() else []
    if not found:
        return []
    standing = store.standing(card)  # before the history: lines that are newer belong to changes being made
    history = store.history(card)
    by_record = {line.record: line for line in history if line.record}
    said = []
    for folder in found:
        line = by_record.get(_digest(folder))
        if line is None:
            if _generation(folder) <= standing.generation:
                discarded(folder)
        elif line.generation <= standing.generation:
            void = _undone(line, history, standing.version, standing.generation)
            if placed(folder, line.generation, void=void):
                words = NO_EFFECT if void else PUT_IN_PLACE
                said.append(words.filled(number=line.generation, version=str(line.version)))
    return said


def placed(folder: Path, generation: int, *, void: bool = False) -> Path | None:
    """Move a record to where it is looked for, and return that place; None where another process has done it."""
    place = folder.parents[1] / str(generation)
    with suppress(FileNotFoundError):  # another process is at it
        if void:
            (folder / VOID).touch()
            sync_folder(folder)
        if place.exists() and _digest(place) != _digest(folder):
            place = place.with_name(f"{generation}_{_digest(folder)[:8]}")  # of a history that was begun anew
        folder.rename(place)
        sync_folder(place.parent)
        return place
    return None


def records(
    store: ModelStore, card: str, damaged: Callable[[ModelRefused], None] | None = None
) -> list[tuple[Path, Record]]:
    """Return the records of all changes that took effect, oldest first, each with its folder.

    Parameters
    ----------
    damaged : takes what is wrong with one that does not verify, which is then left out; None: it is raised

    Raises
    ------
    ModelRefused : one is damaged, or no trusted key has signed it
    """
    kept = []
    for path in folder_of(store, card).glob("*"):
        if path.name.partition("_")[0].isdecimal() and not (path / VOID).exists():
            try:
                kept.append((path, read(store, path)))
            except ModelRefused as error:
                if damaged is None:
                    raise
                damaged(error)
    return sorted(kept, key=lambda one: (one[1].at, one[1].generation))


def took_effect(store: ModelStore, card: str) -> list[Promotion]:
    """Return the changes of a card's champion that had an effect, oldest first; see `settled`.

    Raises
    ------
    ModelRefused : a line of the history is damaged
    """
    void = {_digest(path.parent) for path in folder_of(store, card).glob(f"*/{VOID}")}
    kept: list[Promotion] = []
    for line in store.history(card):
        nothing_changed = line.by == FOUND and bool(kept) and kept[-1].version == line.version
        if not nothing_changed and (not line.record or line.record not in void):
            kept.append(line)
    return kept


def read(store: ModelStore, folder: Path) -> Record:
    """Return the record in a folder, once its signature holds and its swap sets are those that it names.

    Raises
    ------
    ModelRefused : they are not
    """
    try:
        raw, signature = read_whole(folder / RECORD), read_whole(folder / SIGNATURE)
        sets = read_whole(folder / SWAP_SETS) if (folder / SWAP_SETS).exists() else None
    except OSError as error:
        raise _refused(folder, f"a record that cannot be read ({error.strerror})") from error
    told = parsed(raw)
    if told is None or not store.vouched(raw, signature):
        raise _refused(folder, "a record that no trusted key has signed, or of another form")
    if told.swap_sets != (None if sets is None else digest_of(sets)):
        raise _refused(folder, "swap sets that are not those of the record")
    return told


def swap_sets(folder: Path) -> dict[str, Any] | None:
    """Return the swap sets in the folder of a record, which `read` holds against it; None where there are none."""
    path = folder / SWAP_SETS
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_bytes())
    return told


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of what is written."""
    return hashlib.sha256(content).hexdigest()


def _undone(line: Promotion, history: list[Promotion], version: str | None, generation: int) -> bool:
    """Return whether the process died between the line of a change and the change: what served before went on."""
    if line.generation == len(history):
        return generation > line.generation and version == line.before
    following = history[line.generation]
    return following.by == FOUND and following.version == line.before


def _digest(folder: Path) -> str:
    try:
        return digest_of((folder / RECORD).read_bytes())
    except OSError:
        return ""


def _generation(folder: Path) -> int:
    number = folder.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _refused(folder: Path, found: str) -> ModelRefused:
    return ModelRefused(
        found,
        where=str(folder),
        expected="the record of a change as it was signed",
        do="restore the folder from a copy, or put it aside: which version serves does not depend on it",
    )
