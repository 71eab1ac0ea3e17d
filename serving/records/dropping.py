"""Drops records whose time is over: an order of record first, signed and on the disk, then the rows, then their traces.

Whoever drops has the log to itself: a decision that another process was about to write could be about a borrower whose
key is being destroyed. Cut off at any moment, the log verifies, and the next run finishes what was ordered.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serving.ids import score_ids
from serving.records.anchors import Anchors
from serving.records.canonical import canonical_record
from serving.records.checkpoint import Checkpoint, signed
from serving.records.entry import Asked, Entry
from serving.records.errors import LogOwned, owned
from serving.records.expiry import DONE
from serving.records.limits import Limits
from serving.records.opening import PAUSE_SECONDS, Opened, Place, database_of, opened_log
from serving.records.tables import Database, Head, Row, head_values, unusable

ROWS_TOGETHER = 1_000
"""Rows that are dropped in one transaction."""

TRACES = "traces"
YES, NO = b"yes", b"no"
"""Whether bytes of dropped rows may be left in the files: noted with the first row that is dropped."""


class Alone:
    """A log that nobody else writes to; made by `held_alone`."""

    def __init__(self, place: Place, key: Ed25519PrivateKey, opened: Opened, anchors: Anchors) -> None:
        self._place, self._key, self._anchors = place, key, anchors
        self._tables, _, self._head = opened

    def write(self, event: str, records: Sequence[Mapping[str, Any]]) -> list[int]:
        """Write events, sign them, and return their places once both are on the disk."""
        rows: list[Row] = []
        previous = self._head.last_leaf
        for name, record in zip(score_ids(len(records)), records, strict=True):
            content = canonical_record(record)
            asked = Asked(f"expire:{name}", hashlib.sha256(content).digest(), event, content, b"")
            entry = Entry(self._head.tree.size + len(rows), asked, previous)
            previous = entry.leaf()
            rows.append(Row(entry, previous))
        tree, kept = self._head.tree.grown(row.leaf for row in rows)
        head = Head(tree, previous)
        self._tables.begin()
        self._tables.write_rows(rows, kept)
        self._tables.write_metadata(head_values(head))
        self._tables.commit()
        self._head = head
        self.sign()
        return [row.sequence for row in rows]

    def sign(self) -> None:
        """Sign what is not signed yet."""
        size = self._head.tree.size
        if self._anchors.last is None or self._anchors.last[0].size < size:
            checkpoint = Checkpoint(self._place.origin, size, self._head.tree.root())
            self._anchors.append(checkpoint, signed(checkpoint, self._key))

    def drop(self, runs: Iterable[tuple[int, int]]) -> None:
        """Drop rows, each run from its first to its last, some together at a time."""
        for together in _packed(runs):
            self._tables.begin()
            self._tables.write_metadata({TRACES: YES})
            for first, last in together:
                self._tables.drop(first, last)
            self._tables.commit()

    @property
    def has_traces(self) -> bool:
        """Whether bytes of dropped rows may be left in the files."""
        return self._tables.metadata().get(TRACES) == YES

    def finish(self, done: Mapping[str, Any]) -> None:
        """Leave no bytes of dropped rows in the files, and write down that it is done.

        Raises
        ------
        LogBusy : somebody reads the log; the rows are dropped, and the next run finishes
        """
        self._tables.overwrite_dropped()
        self.write(DONE, [done])
        self._tables.begin()
        self._tables.write_metadata({TRACES: NO})
        self._tables.commit()


@contextmanager
def held_alone(place: Place, key: Ed25519PrivateKey) -> Iterator[Alone]:
    """Yield a log for dropping, with all of it signed.

    Raises
    ------
    LogOwned : another process writes to it, such as a service
    LogBusy, LogStopped : another program keeps a lock on it, or the disk fails
    AuditBroken : it is not the log that was signed
    """
    database, busy_seconds = database_of(place), Limits().busy_seconds
    with ExitStack() as undo:
        undo.callback(database.leave)
        try:
            opened = opened_log(database, place, key, busy_seconds)
            undo.callback(opened.tables.close)
            if opened.anchors is None:
                raise owned(database.where)
            undo.callback(opened.anchors.close)
            _require_alone(database, busy_seconds)
            database.make_room_for_dropped(opened.tables)
            alone = Alone(place, key, opened, opened.anchors)
            alone.sign()
            yield alone
        except database.errors as error:
            raise unusable(database, error) from error


def _require_alone(database: Database, seconds: float) -> None:
    """Keep all other writers out; a server lets go of the locks of a session a moment after it has ended."""
    for _ in range(int(seconds / PAUSE_SECONDS) if database.is_shared else 0):
        with suppress(LogOwned):
            return database.require_alone()
        time.sleep(PAUSE_SECONDS)
    return database.require_alone()


def _packed(runs: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield the runs, long ones cut, as many together as are dropped at a time."""
    together, room = [], ROWS_TOGETHER
    for first, end in runs:
        begin = first
        while begin <= end:
            last = min(end, begin + room - 1)
            together.append((begin, last))
            room -= last - begin + 1
            begin = last + 1
            if not room:
                yield together
                together, room = [], ROWS_TOGETHER
    if together:
        yield together
