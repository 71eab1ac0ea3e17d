"""Versions that a service would not take up, in the decision log: which, why, and what went on answering instead."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from serving.arrivals import Fault, Refusal
from serving.decisions.outbox import outbox_of, posted
from serving.ids import named_by
from serving.records.canonical import canonical_record, read_record
from serving.records.opening import Place, database_of
from serving.records.tables import reading

EVENT = "model:version:refused"
LONGEST = 200
"""Characters of what was found: a sentence of ours, in which a number may be as long as a file says."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RefusedVersion:
    """A refusal as the log tells it; `sequence` is the number of its record."""

    sequence: int
    event: str
    record: dict[str, Any]


def post_refusal(state: Path, refusal: Refusal, now: datetime) -> Path:
    """Leave a refusal for the writer of the log.

    It is recorded as of the moment when the champion file was written. So all services of a log, and one that was
    started again, leave the same file for the same refusal, and it is written once.
    """
    naming = refusal.naming
    at = _instant(naming.at, now)
    record = {
        "card": naming.card,
        "version": _short(naming.version),
        "manifest": refusal.manifest,
        "fault": Fault(refusal.fault).value,
        "found": _short(refusal.found),
        "goes_on_with": refusal.goes_on_with,
    }
    digest = hashlib.sha256(canonical_record({**record, "at": at.isoformat()})).hexdigest()
    return posted(outbox_of(state), EVENT, record, at, name=named_by(at, digest))


def refused_in(place: Place) -> Iterator[RefusedVersion]:
    """Yield the refusals that a log tells of, in its order; those whose terms are over are not told any more."""
    with reading(database_of(place)) as tables:
        found = list(tables.of_event(EVENT))
    for row in sorted(found, key=lambda row: row.sequence):
        yield RefusedVersion(row.sequence, row.entry.asked.event, read_record(row.entry.asked.record))


def _instant(nanoseconds: int | None, now: datetime) -> datetime:
    """Return the time of a file, and now where it has none that can be: one to come would keep the record longer."""
    if nanoseconds is None or nanoseconds < 0:
        return now
    try:
        return min(EPOCH + timedelta(microseconds=nanoseconds // 1000), now)
    except OverflowError:
        return now


def _short(text: str | None) -> str | None:
    if text is None:
        return None
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:LONGEST]
