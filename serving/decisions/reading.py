"""A decision as its reviewer reads it: what was answered, why, feature by feature, and the proof that it is on record.

Reading is of record too: who read, whose decision and for what reason is written into the log before anything is shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from features.declaration import Feature
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.errors import erased
from serving.decisions.lookup import find
from serving.decisions.record import Part, entries, opened_answer, opened_part, pseudonyms_in
from serving.decisions.shares import ids_in
from serving.ids import score_ids
from serving.records.audit import proof_of
from serving.records.opening import Place, database_of
from serving.records.store import Store
from serving.records.tables import Row, reading
from serving.subjects.reasons import NamesSomebody, require_nameless

EVENT = "read:decision:explained"
REFUSED = "read:decision:refused"
"""Nothing was shown, for the reason had an id in it; it is not kept."""


def explained(
    archive: Archive, cards: Cards, store: Store, score_id: str, *, reader: str, role: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Return a decision with the contribution of every feature; that it was read is on the disk when this returns.

    The proof leads from the entry to the root of the checkpoint. Both are None for a record that no checkpoint covers
    yet, which one does within a second.

    Parameters
    ----------
    reader, role, reason : who reads it, and why

    Raises
    ------
    NoSuchDecision : no decision has this id
    Erased : its borrower was erased
    NamesSomebody : the reason has an id of the borrower in it, which would stay in the log
    AuditBroken : the record is not the one that was signed
    LogBusy, LogStopped : the reading cannot be recorded now
    ModelRefused : the version that decided is not here any more, or does not verify
    """
    row, record, place = find(archive.place, score_id)
    proof, note = _proof(archive.place, row, store)
    pseudonym = bytes.fromhex(record["decisions"][place]["subject"])
    part, entry = _part(archive, row, record, pseudonym, place)
    told = {
        "recorded_at": now.isoformat(),
        "reader": reader,
        "role": role,
        "score_id": score_id,
        "subject": pseudonym.hex(),
        "decided": row.entry.sequence,
    }
    write = partial(store.write, f"read:{score_ids(1)[0]}", hashlib.sha256(score_id.encode()).digest())
    try:
        require_nameless(reason, ids_in(part.share), "the reason of this reading")
    except NamesSomebody:
        # The refusal tells that the decision is about whom the reason names.
        write(REFUSED, told, b"")
        raise
    detail, catalog = part.details[place], cards.of(record).cards[record["model"]["name"]].catalog
    write(EVENT, {**told, "reason": reason}, b"")
    return {
        "decision": entry,
        "record": row.entry.sequence,
        "leaf": row.leaf.hex(),
        "entry": row.entry.line().decode(),
        "proof": proof,
        "checkpoint": note,
        "figures": {name: record[name] for name in ("recorded_at", "route", "caller", "role", "release")},
        "explanation": [
            _line(feature, value, contribution)
            for feature, value, contribution in zip(
                catalog.features, detail.values.tolist(), detail.contributions.tolist(), strict=True
            )
        ],
    }


def _proof(place: Place, row: Row, store: Store) -> tuple[list[str] | None, str | None]:
    """Return the hashes from a row to the root of the newest checkpoint, and its note; None of both if not covered.

    The record itself is in no answer: it tells figures of the other borrowers of its request.
    """
    checkpoint, note = store.anchored
    if checkpoint.size <= row.sequence:
        return None, None
    # A state of the log that is not older than the checkpoint.
    with reading(database_of(place)) as tables:
        return [step.hex() for step in proof_of(tables, row, checkpoint)], note.decode()


def _part(
    archive: Archive, row: Row, record: Mapping[str, Any], pseudonym: bytes, place: int
) -> tuple[Part, dict[str, Any]]:
    asked, log = row.entry.asked, archive.place.origin
    keys = {one: archive.vault.key_of(one) for one in pseudonyms_in(asked.answer) | {pseudonym}}
    key = keys[pseudonym]
    if key is None:
        raise erased()
    share = next(share for share in record["shares"] if share["subject"] == pseudonym.hex())
    part = opened_part(share["sealed"], key, pseudonym, log, asked.key)
    return part, entries(opened_answer(asked.answer, keys, log, asked.key))[place]


def _line(feature: Feature, value: float, contribution: float) -> dict[str, Any]:
    return {
        "feature": feature.name,
        "group": feature.group.value,
        "unit": feature.unit.value,
        "label": feature.label.as_dict(),
        "value": None if value != value else value,  # noqa: PLR0124 - NaN: not known
        "contribution": contribution,
    }
