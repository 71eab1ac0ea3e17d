"""What the log says of the people it is about: whom a record names, who was erased, and whom the law keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from serving.records.tables import Row
from serving.subjects.subject import PSEUDONYM_BYTES

SUBJECT, SUBJECTS = "subject", "subjects"
ORDERED, REFUSED, ERASED = "erase:subject:ordered", "erase:subject:refused", "erase:subject:done"
PLACED, RELEASED = "hold:subject:placed", "hold:subject:released"

PSEUDONYM = re.compile(rf"[0-9a-f]{{{2 * PSEUDONYM_BYTES}}}")


@dataclass
class Said:
    """What events say of one subject.

    Attributes
    ----------
    ordered : the newest order to erase it, where neither a refusal nor an erasure answers it
    erased : the newest record that it was erased
    holds : of each legal hold that was not released since, by its reason, the record that placed it
    """

    ordered: Row | None = None
    erased: Row | None = None
    holds: dict[object, Row] = field(default_factory=dict)

    def saw(self, row: Row) -> None:
        """Take in a later event."""
        event, reason = row.entry.asked.event, json.loads(row.entry.asked.record).get("reason")
        if event == PLACED:
            self.holds[reason] = row
        elif event == RELEASED:
            self.holds.pop(reason, None)
        elif event == ORDERED:
            self.ordered = row
        elif event == REFUSED:
            self.ordered = None
        elif event == ERASED:
            self.ordered, self.erased = None, row


def said_in(events: Iterable[Row]) -> dict[bytes, Said]:
    """Return what events say, in the order of the log, by the pseudonym of each subject.

    A hold is on all whom its record names; an erasure is of the one that its record is about.
    """
    told: dict[bytes, Said] = {}
    for row in events:
        record = row.entry.asked.record
        for subject in subjects_in(record) if row.entry.asked.event in {PLACED, RELEASED} else _subject_of(record):
            told.setdefault(subject, Said()).saw(row)
    return told


def subjects_in(record: bytes) -> frozenset[bytes]:
    """Return the pseudonyms of all whom a record is about: whatever it says under `subject` or `subjects`."""
    found: set[bytes] = set()
    open_: list[Any] = [json.loads(record)]
    while open_:
        value = open_.pop()
        if isinstance(value, list):
            open_ += value
        elif isinstance(value, dict):
            open_ += value.values()
            several = value.get(SUBJECTS)
            named = [value.get(SUBJECT), *(several if isinstance(several, list) else ())]
            found |= {bytes.fromhex(one) for one in named if isinstance(one, str) and PSEUDONYM.fullmatch(one)}
    return frozenset(found)


def _subject_of(record: bytes) -> list[bytes]:
    named = json.loads(record).get(SUBJECT)
    return [bytes.fromhex(named)] if isinstance(named, str) and PSEUDONYM.fullmatch(named) else []
