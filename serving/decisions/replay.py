"""A decision computed anew from its record alone, and compared with what was answered, to the bit.

Rows that were sent come from the record, the model from its version and fingerprint, the policy from its digest. What
has been erased since cannot be computed any more; the rest of the same request still can. A key that is gone though
nobody ordered an erasure is a loss, and a fault. What was dropped at the end of its term is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from features.errors import RepayrankError
from features.words import counted
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.lost_keys import Orders, orders_of
from serving.decisions.pieces import pieces
from serving.decisions.policies import policies_in
from serving.decisions.record import (
    EVENT,
    OpenedPiece,
    Part,
    decision_record,
    entries,
    opened_answer,
    opened_part,
    pseudonyms_in,
)
from serving.decisions.shares import put_together
from serving.found import Found, written
from serving.records.audit import checked_rows, followed_orders, row_at
from serving.records.opening import database_of
from serving.records.tables import Row, reading, require_log
from serving.score import ranked, scored, scored_ready
from serving.settings import Settings
from serving.state import Loaded

WORK = {"/v1/score": scored, "/v1/score/features": scored_ready, "/v1/rank": ranked}
NO_LIMITS = Settings(most_loans=2**31)
"""A record was a request once: what it may hold was decided then."""


NO_MODEL = "none, their terms being over"
"""In place of the model of a record of which nothing but a hash is left."""


class Verdict(StrEnum):
    """What a replay showed."""

    EQUAL = "equal"
    ERASED = "erased"
    EXPIRED = "expired"
    DIFFERS = "differs"
    IMPOSSIBLE = "impossible"
    LOST = "lost"
    """A key is gone, and the log tells of no erasure."""


@dataclass(frozen=True)
class Replayed:
    """The outcome of one record.

    Attributes
    ----------
    decisions : how many loans were computed anew
    erased : how many could not be, because their borrowers were erased
    why : what differs, or why it could not be computed; empty where all is equal
    """

    sequence: int
    verdict: Verdict
    decisions: int
    erased: int
    model: str
    why: str = ""


def replayed_all(archive: Archive, wanted: Iterable[int] | None = None) -> Iterator[Replayed]:
    """Yield the outcome of each record of a decision; `wanted` are their numbers, None for all.

    Raises
    ------
    AuditBroken : a record is not what was written
    """
    cards = Cards(archive.home, policies_in(archive.state))
    with reading(database_of(archive.place)) as tables:
        require_log(tables, archive.place.origin)
        following = followed_orders(tables, archive.place)
        orders = orders_of(archive, tables, following)
        rows = checked_rows(tables, archive.place) if wanted is None else (row_at(tables, one) for one in wanted)
        for row in rows:
            if isinstance(row, Row):
                if row.entry.asked.event == EVENT:
                    yield replayed(archive, row, cards, orders)
            elif following.kind_of(row) == EVENT:
                yield Replayed(row.sequence, Verdict.EXPIRED, 0, 0, NO_MODEL)


def replayed(archive: Archive, row: Row, cards: Cards, orders: Orders) -> Replayed:
    """Return the outcome of one record.

    Raises
    ------
    AuditBroken : the record has another form
    """
    record = decision_record(row.entry.asked.record)
    key, log = row.entry.asked.key, archive.place.origin
    model = "{name} {version}".format_map(record["model"])
    keys = {pseudonym: archive.vault.key_of(pseudonym) for pseudonym in _pseudonyms(record, row)}
    gone = sum(keys[bytes.fromhex(decision["subject"])] is None for decision in record["decisions"])
    kept = len(record["decisions"]) - gone

    lost = sum(key is None and not orders.explain(pseudonym) for pseudonym, key in keys.items())

    def outcome(verdict: Verdict, why: str = "") -> Replayed:
        return Replayed(row.entry.sequence, verdict, kept, gone, model, why)

    if lost:
        return outcome(Verdict.LOST, f"{counted(lost, 'key')} gone from the vault, and no erasure of record")
    try:
        answer = opened_answer(row.entry.asked.answer, keys, log, key)
        parts = _parts(record, keys, log, key)
        if not kept:
            return outcome(Verdict.ERASED)
        anew = _computed(record, parts, answer, cards.of(record))
    except RepayrankError as error:
        return outcome(Verdict.IMPOSSIBLE, str(error))
    why = _difference(anew, record, answer, parts, whole=gone == 0)
    return outcome(Verdict.DIFFERS, why) if why else outcome(Verdict.EQUAL)


def _pseudonyms(record: Mapping[str, Any], row: Row) -> set[bytes]:
    return {bytes.fromhex(share["subject"]) for share in record["shares"]} | pseudonyms_in(row.entry.asked.answer)


def _parts(record: Mapping[str, Any], keys: Mapping[bytes, bytes | None], log: str, log_key: str) -> list[Part]:
    parts = []
    for share in record["shares"]:
        pseudonym = bytes.fromhex(share["subject"])
        key = keys[pseudonym]
        if key is not None:
            parts.append(opened_part(share["sealed"], key, pseudonym, log, log_key))
    return parts


def _computed(record: Mapping[str, Any], parts: list[Part], answer: list[OpenedPiece], loaded: Loaded) -> Found:
    order = [entry["loan_id"] for entry in entries(answer).values()]
    plain = put_together(record["asked"], [part.share for part in parts], order)
    found = WORK[record["route"]](plain, loaded, NO_LIMITS)
    return found if record["full"] else found.without_contributions()


def _difference(
    anew: Found, record: Mapping[str, Any], answer: list[OpenedPiece], parts: list[Part], *, whole: bool
) -> str:
    """Return in words what is not equal, or nothing."""
    ids = [decision["score_id"] for decision in record["decisions"]]
    if whole:
        named = [{**entry, "score_id": number} for entry, number in zip(anew.entries, ids, strict=True)]
        again = replace(anew, entries=named)
        same = [piece.content for piece in pieces(again)] == [piece.content for piece in answer]
        if not same:
            return "the answer"
    # Loans that are left stand in the order in which they stood.
    elif [_alone(entry) for entry in entries(answer).values()] != [_alone(entry) for entry in anew.entries]:
        return "an entry of the answer"
    details = {place: detail for part in parts for place, detail in part.details.items()}
    for place, case in zip(entries(answer), anew.cases, strict=True):
        detail = details[place]
        if not _same_bits(detail.values, anew.assessment.values[case]):
            return "a feature"
        if not _same_bits(detail.contributions, anew.assessment.attribution.contributions[case]):
            return "a contribution"
    return ""


def _alone(entry: Mapping[str, Any]) -> bytes:
    """Return an entry without what depends on other loans or on the time of day."""
    return written({name: value for name, value in entry.items() if name not in {"score_id", "priority", "above_next"}})


def _same_bits(one: Any, other: Any) -> bool:
    # A value that is not known is NaN, which has one form here and equals itself.
    return bool(np.array_equal(one, other, equal_nan=True))
