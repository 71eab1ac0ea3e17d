"""A change of the champion, carried out: recorded first, then made, then told to the decision log and to MLflow.

What a death or a registry that is away leaves undone, the next command does: the record before the change, the decision
log and MLflow after it. MLflow is a mirror, and what it says or cannot be told changes no champion.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.errors import ModelRefused, RepayrankError
from features.words import Text
from models.artefact import canonical
from models.challengers import challenger_or_none, withdraw
from models.champions import ConflictingChampion, sync_folder
from models.store import ModelStore
from training.principals import account
from training.promotion import notes
from training.promotion import record as records
from training.promotion.mirror import mirror_champion, mirror_record
from training.promotion.proposal import Proposal
from training.promotion.record import Record

LOCK = ".lock"
Told = Callable[[Text], None]
Post = Callable[[Mapping[str, Any]], object]
"""Leaves an event for the writer of the decision log; the same event twice is written once."""


@dataclass(frozen=True)
class Promoted:
    """A change that was made, and where its record is kept."""

    record: Record
    folder: Path


def promote(
    store: ModelStore,
    proposal: Proposal,
    *,
    at: datetime | None = None,
    post: Post | None = None,
    say: Told = lambda _: None,
) -> Promoted:
    """Make a proposed version the champion, if what served when it was proposed still does.

    Parameters
    ----------
    at : when; now by default
    post : leaves the event for the decision log; None where there is none
    say : takes that it is done, before anybody is told, and what could not be told and waits for the next command

    Raises
    ------
    ConflictingChampion : another change came first; nothing is left of this one
    """
    told = recorded(store, proposal, at or datetime.now(UTC))
    waiting = records.prepared(store, told, proposal.sets)
    try:
        store.promote(
            told.card,
            told.version,
            expected=proposal.expected,
            by=told.by,
            at=datetime.fromisoformat(told.at),
            reason=told.reason,
            record=told.digest,
        )
    except ConflictingChampion:
        records.discarded(waiting)
        raise
    folder = records.placed(waiting, told.generation) or records.folder_of(store, told.card) / str(told.generation)
    say(notes.MADE.filled(number=told.generation, version=told.version))
    if challenger_or_none(store, told.card) == told.version:
        withdraw(store, told.card)  # it serves: there is nothing left that it challenges
    finish(store, told.card, post=post, say=say)
    return Promoted(told, folder)


def recorded(store: ModelStore, proposal: Proposal, at: datetime) -> Record:
    """Return the record of a proposed change."""
    own = proposal.own
    return Record(
        kind=proposal.kind,
        card=proposal.card,
        version=proposal.version,
        before=proposal.expected.version,
        generation=proposal.expected.generation + 1,
        manifest=store.digest(proposal.card, proposal.version) or "",
        by=proposal.by,
        account=account(),
        at=at.astimezone(UTC).isoformat(timespec="microseconds"),
        reason=proposal.reason,
        trained_by=proposal.trained_by,
        validated_by="" if own is None else own.by,
        validation=proposal.validation,
        verdict="" if own is None else own.verdict.value,
        undoes=proposal.undoes,
        undone_by=proposal.undone_by,
        swap_sets=None if proposal.sets is None else records.digest_of(canonical(proposal.sets)),
        portfolio=proposal.portfolio,
        policy=proposal.policy,
        rules=proposal.rules.digest,
    )


def repair(
    store: ModelStore, card: str, *, post: Post | None = None, say: Told = lambda _: None, tell: bool = True
) -> None:
    """Do what an earlier change left undone, because its process died or what it told was away.

    Parameters
    ----------
    tell : tell log and MLflow too; False where a rollback waits, which must not wait for them
    """
    for words in records.settled(store, card):
        say(words)
    if tell:
        finish(store, card, post=post, say=say)


def finish(
    store: ModelStore, card: str, *, post: Post | None = None, say: Told = lambda _: None, always: bool = False
) -> None:
    """Tell the decision log and MLflow of every change that they were not told of.

    A record that does not verify is said and told to nobody; it holds up no other.

    Parameters
    ----------
    always : hold MLflow's alias against what serves even where it was told of every change
    """
    folder = records.folder_of(store, card)
    if not folder.is_dir() and not always:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / LOCK):
        kept = records.records(store, card, lambda error: say(_damaged(error)))
        if post is not None:
            _post(kept, post, say)
        unknown = [(place, told) for place, told in kept if not (place / records.MIRRORED).exists()]
        if unknown or always:
            _mirror(store, card, unknown, say)


def _post(kept: list[tuple[Path, Record]], post: Post, say: Told) -> None:
    for place, told in kept:
        if (place / records.POSTED).exists():
            continue
        try:
            post(told.event())
        except (OSError, RepayrankError) as error:
            kind = str(error.strerror) if isinstance(error, OSError) else error.found
            say(notes.LOG_NOT_TOLD.filled(number=told.generation, kind=kind))
            return
        _marked(place / records.POSTED)


def _mirror(store: ModelStore, card: str, unknown: list[tuple[Path, Record]], say: Told) -> None:
    try:
        for place, told in unknown:
            mirror_record(store, place, told)
            _marked(place / records.MIRRORED)
        words = mirror_champion(store, card)
    except Exception as error:  # whatever a mirror breaks on, what serves is decided
        kind = type(error).__name__  # its text may quote anything
        say(notes.MLFLOW_NOT_TOLD.filled(kind=kind))
        return
    if words is not None:
        say(words)


def _damaged(error: ModelRefused) -> Text:
    return notes.DAMAGED.filled(where=error.where, found=error.found, do=error.do)


def _marked(path: Path) -> None:
    path.touch()
    sync_folder(path.parent)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time tell others what was changed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
