"""A decision by its id, without an index that could be wrong: ids tell their time, and the log is in order of time.

A clock that was set back, or an id whose request waited, is found by looking at every record.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

from serving.decisions.errors import no_such_decision
from serving.decisions.record import EVENT, decision_record
from serving.ids import milliseconds
from serving.records import database
from serving.records.canonical import read_record
from serving.records.database import Row
from serving.records.opening import Place

NEAR = 2_000
"""Records before and after the likely place that are looked at before all others."""


def find(place: Place, score_id: str) -> tuple[Row, dict[str, Any], int]:
    """Return the row that holds a decision, its record, and the decision's place in it.

    Raises
    ------
    NoSuchDecision : there is none
    AuditBroken : the log is damaged
    """
    at = milliseconds(score_id)
    if at is None:
        raise no_such_decision()
    needle = f'"score_id":"{score_id}"'.encode()
    with closing(database.connect_reader(place.database)) as connection:
        connection.execute("BEGIN")
        size = connection.execute("SELECT count(*) FROM records").fetchone()[0]
        likely = _first_not_before(connection, place, size, at)
        near = max(0, likely - NEAR)
        for begin, end in ((near, likely + NEAR), (0, size)):
            for row in _rows(connection, place, begin, end):
                if row.entry.asked.event == EVENT and needle in row.entry.asked.record:
                    record = decision_record(row.entry.asked.record)
                    ids = [decision["score_id"] for decision in record["decisions"]]
                    if score_id in ids:
                        return row, record, ids.index(score_id)
    raise no_such_decision()


def decisions(place: Place) -> list[int]:
    """Return the numbers of all records of decisions, which are not all that a log has."""
    with closing(database.connect_reader(place.database)) as connection:
        found = connection.execute("SELECT sequence FROM records WHERE event = ? ORDER BY sequence", (EVENT,))
        return [sequence for (sequence,) in found]


def _rows(connection: Any, place: Place, begin: int, end: int) -> Iterator[Row]:
    for row in database.read_rows(connection, place.database, begin):
        if row.entry.sequence >= end:
            return
        yield row


def _first_not_before(connection: Any, place: Place, size: int, at: int) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _time(connection, place, middle) < at:
            low = middle + 1
        else:
            high = middle
    return low


def _time(connection: Any, place: Place, sequence: int) -> int:
    """Return when a record was written, in milliseconds; every event of the log says so in the same words."""
    row = next(database.read_rows(connection, place.database, sequence))
    said = decision_time(row.entry.asked.record)
    return int(said.timestamp() * 1_000)


def decision_time(record: bytes) -> datetime:
    """Return when a record was made."""
    return datetime.fromisoformat(read_record(record)["recorded_at"])
