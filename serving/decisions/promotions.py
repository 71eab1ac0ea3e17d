"""Changes of a champion in the decision log: left there by the command line, and read by whoever checks the log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.errors import UsageError
from serving.decisions.opening import secrets_in
from serving.decisions.outbox import outbox_of, posted
from serving.ids import named_by
from serving.records.canonical import read_record
from serving.records.opening import Place, database_of
from serving.records.tables import reading

EVENTS = {"promoted": "model:version:promoted", "rolled_back": "model:version:rolled_back"}
"""The events, by the kind of change."""

_NAME, _NUMBER, _DIGEST = re.compile(r"[a-z_]{1,40}"), re.compile(r"[0-9]{1,20}"), re.compile(r"[0-9a-f]{64}")
FORMS: Mapping[str, re.Pattern[str]] = {
    "card": _NAME,
    "version": _NUMBER,
    "manifest": _DIGEST,
    "record": _DIGEST,
    "by": re.compile(r"[^\x00-\x1f]{1,120}"),
    "reason": re.compile(r"[^\x00-\x1f]{1,200}"),
}
OPTIONAL: Mapping[str, re.Pattern[str]] = {"before": _NUMBER, "validation": _DIGEST, "swap_sets": _DIGEST}
"""What has a form where it is told at all."""


@dataclass(frozen=True)
class Change:
    """A change of a champion as the log tells it; `sequence` is the number of its record."""

    sequence: int
    event: str
    record: Mapping[str, Any]


def has_log(state: Path) -> bool:
    """Return whether decisions are recorded here: the first start of a service that records makes the log's keys."""
    return secrets_in(state).is_dir()


def post_promotion(state: Path, told: Mapping[str, Any]) -> Path:
    """Leave a change for the writer of the log; the same change again is the same file, and is written once.

    Raises
    ------
    UsageError : it is told in another form
    """
    faults = [name for name, form in FORMS.items() if not form.fullmatch(str(told.get(name, "")))]
    faults += [name for name, form in OPTIONAL.items() if told.get(name) and not form.fullmatch(str(told[name]))]
    at = _instant(told.get("at"))
    if told.get("kind") not in EVENTS:
        faults.append("kind")
    if at is None:
        faults.append("at")
    if not isinstance(told.get("generation"), int):
        faults.append("generation")
    if faults or at is None:
        raise UsageError(
            f"a change of a champion with {', '.join(faults)} of another form",
            where="what is to be recorded",
            expected="the record of a promotion or a rollback",
            do="correct the call",
        )
    record = {name: value for name, value in told.items() if name not in {"kind", "at"}}
    return posted(outbox_of(state), EVENTS[told["kind"]], record, at, name=named_by(at, told["record"]))


def changes_in(place: Place) -> Iterator[Change]:
    """Yield the changes that a log tells of, in its order; those whose terms are over are not told any more."""
    with reading(database_of(place)) as tables:
        found = list(tables.of_event(*EVENTS.values()))
    for row in found:
        yield Change(row.sequence, row.entry.asked.event, read_record(row.entry.asked.record))


def _instant(told: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
