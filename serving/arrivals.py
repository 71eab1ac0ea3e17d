"""What is wrong with the version that a card's champion file names: in a word, for the alarm and for the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from features.errors import ModelRefused, RepayrankError
from models.champions import UnpromotedChampion
from models.store import ModelStore


class Fault(StrEnum):
    """Why a version is not taken up."""

    UNREADABLE = "unreadable"
    """The champion file or its history is damaged, gone or cannot be read: it cannot be told which version is meant."""
    NOT_PROMOTED = "not_promoted"
    """The file names a version that no change of the history made champion."""
    FILES = "files"
    """The version's files are missing, damaged, unsigned or another's."""
    MODEL = "model"
    """Files as they were signed, of a model that gives other numbers here or ends or holds up whoever loads it."""
    UNFORESEEN = "unforeseen"
    """Anything else, such as memory that ran out."""


@dataclass(frozen=True)
class Naming:
    """One writing of a card's champion file.

    Attributes
    ----------
    version : which it names; None where that cannot be told
    at : when the file was written, in nanoseconds since 1970; None where that cannot be told
    """

    card: str
    version: str | None
    at: int | None


@dataclass(frozen=True)
class Refusal:
    """A version that was named and does not serve.

    Attributes
    ----------
    manifest : SHA-256 of the version's manifest, which names all its files; None where it cannot be read
    goes_on_with : the version that has been answering, and answers
    found : the fault in a sentence, which quotes nothing that was sent
    """

    naming: Naming
    manifest: str | None
    goes_on_with: str
    fault: Fault
    found: str


def looked(store: ModelStore, card: str) -> tuple[Naming, ModelRefused | None]:
    """Return what a card's champion file says, and why that is no version to be taken up, if it is none."""
    at = store.named_at(card)
    try:
        return Naming(card, store.champion(card), at), None
    except UnpromotedChampion as error:
        return Naming(card, error.version, at), error
    except ModelRefused as error:
        return Naming(card, None, at), error


def fault_of(error: Exception, store: ModelStore, naming: Naming) -> Fault:
    """Return in a word what an error says of a version that was named."""
    if isinstance(error, UnpromotedChampion):
        return Fault.NOT_PROMOTED
    if not isinstance(error, RepayrankError):
        return Fault.UNFORESEEN
    if naming.version is None:
        return Fault.UNREADABLE
    try:
        store.verify(naming.card, naming.version)
    except Exception:  # whatever a damaged file makes of its reader
        return Fault.FILES
    return Fault.MODEL


def files_of(store: ModelStore, naming: Naming) -> tuple[tuple[str, int, int], ...]:
    """Return names, sizes and times of a version's files: others than before are looked at again."""
    if naming.version is None:
        return ()
    return tuple(sorted(_stamps(store.folder(naming.card, naming.version))))


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    with suppress(OSError):
        for path in folder.iterdir():
            told = path.stat()
            yield path.name, told.st_size, told.st_mtime_ns
