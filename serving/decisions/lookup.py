"""A decision by its id, without an index that could be wrong: ids tell their time, and the log is in order of time.

A clock that was set back, or an id whose request waited, is found by looking at every record. Of a record that was
dropped nothing tells its ids: what is asked for is taken to be gone where records of its time were dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from random import Random
from typing import Any

from serving.decisions.errors import expired, no_such_decision
from serving.decisions.record import EVENT, decision_record
from serving.ids import milliseconds
from serving.records.audit import row_at
from serving.records.canonical import read_record
from serving.records.errors import Expired
from serving.records.opening import Place, database_of
from serving.records.tables import Row, Tables, read_head, reading

NEAR = 2_000
"""Records before and after the likely place that are looked at before all others."""

SLACK = 60_000
"""Milliseconds by which an id may be older than its record: a request that waits longer is not answered."""


def find(place: Place, score_id: str) -> tuple[Row, dict[str, Any], int]:
    """Return the row that holds a decision, its record, and the decision's place in it.

    Raises
    ------
    NoSuchDecision : there is none
    Expired : records of its time were dropped at the end of their terms
    AuditBroken : the log is damaged
    """
    at = milliseconds(score_id)
    if at is None:
        raise no_such_decision()
    needle = f'"score_id":"{score_id}"'.encode()
    with reading(database_of(place)) as tables:
        size = read_head(tables).tree.size
        likely = _first_not_before(tables, size, at)
        for begin, end in ((max(0, likely - NEAR), likely + NEAR), (0, size)):
            for row in _rows(tables, begin, end):
                if row.entry.asked.event == EVENT and needle in row.entry.asked.record:
                    record = decision_record(row.entry.asked.record)
                    ids = [decision["score_id"] for decision in record["decisions"]]
                    if score_id in ids:
                        return row_at(tables, row.sequence), record, ids.index(score_id)
        if _dropped_around(tables, size, at):
            raise expired()
    raise no_such_decision()


def sampled(place: Place, count: int, seed: int) -> list[int]:
    """Return the numbers of records of decisions, chosen at random; fewer where there are not as many."""
    with reading(database_of(place)) as tables:
        size = read_head(tables).tree.size
        chosen: list[int] = []
        for sequence in Random(seed).sample(range(size), size):
            if len(chosen) == count:
                break
            with suppress(Expired):
                if row_at(tables, sequence).entry.asked.event == EVENT:
                    chosen.append(sequence)
    return sorted(chosen)


def _rows(tables: Tables, begin: int, end: int) -> Iterator[Row]:
    return takewhile(lambda row: row.sequence < end, tables.kept(begin))


def _first_not_before(tables: Tables, size: int, at: int) -> int:
    """Return the first record that was made at a time or after it, in milliseconds, if the clock never went back."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        row = next(tables.kept(middle), None)
        if row is not None and _made_at(row).timestamp() * 1_000 < at:
            low = row.sequence + 1
        else:
            high = middle
    return low


def _dropped_around(tables: Tables, size: int, at: int) -> bool:
    """Return whether a record that was dropped may be of a time: it lies between records of before and of after."""
    gone = next(tables.gone(_first_not_before(tables, size, at - SLACK)), None)
    after = next(tables.kept(_first_not_before(tables, size, at + SLACK)), None)
    return gone is not None and (after is None or gone.sequence < after.sequence)


def _made_at(row: Row) -> datetime:
    """Return when a record was made; every event of the log says so in the same words."""
    return datetime.fromisoformat(read_record(row.entry.asked.record)["recorded_at"])
