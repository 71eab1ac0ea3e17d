"""The writer of the decision log: a decision is answered only when it is on the disk, and written only once.

Requests hand in what is to be written and wait. One thread writes everything that waits in one transaction, so that a
hundred requests wait for one sync of the disk instead of a hundred. What is promised:

    acknowledged            the record is there, whatever happens to the process or the power
    not acknowledged        it may or may not be there; the same request with the same key tells
    an error of the disk    ends all writing until the log is opened again, for a failed write may have reached the disk

After SQLite's own advice (https://sqlite.org/atomiccommit.html) and what PostgreSQL does after a failed sync
(https://wiki.postgresql.org/wiki/Fsync_Errors).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import ConfigurationRefused, RepayrankError
from serving.records.anchors import Anchors
from serving.records.canonical import canonical_record
from serving.records.checkpoint import Checkpoint, signed
from serving.records.entry import Asked, Entry, require_writable
from serving.records.errors import KeyReused, LogStopped, busy, key_reused, stopped
from serving.records.limits import Limits
from serving.records.merkle import EMPTY_ROOT
from serving.records.opening import Place, database_of, require_same_age, require_whole
from serving.records.sqlite import Connect, connect_writer
from serving.records.tables import Database, Fault, Head, Known, Row, Tables, fault_of, head_values, name_of, unusable

Clock = Callable[[], float]
"""Returns seconds that never go back, such as time.monotonic."""

FOLDER_MODE = 0o700


class Recorded(NamedTuple):
    """What a caller gets once its record is on the disk.

    Attributes
    ----------
    sequence : the record's place, counted from 0: the leaf index of its proof
    leaf : its leaf hash, which the tree's proofs lead from
    answer : the bytes to answer with; of a repeated request those of the first
    """

    sequence: int
    leaf: bytes
    answer: bytes


@dataclass(slots=True)
class _Waiting:
    asked: Asked
    told: Future[Recorded] = field(default_factory=Future)


class Store:
    """An open log with its only writer; made by `open_store`."""

    def __init__(
        self,
        place: Place,
        key: Ed25519PrivateKey,
        database: Database,
        anchors: Anchors,
        tables: Tables,
        reader: Tables,
        head: Head,
        clock: Clock,
        limits: Limits,
        held: ExitStack,
    ) -> None:
        self.commits = 0
        self._place, self._key, self._clock, self._limits = place, key, clock, limits
        self._database, self._anchors, self._head, self._held = database, anchors, head, held
        self._connection, self._reader, self._files = tables, reader, place.files()
        self._reading = Lock()
        self._changed = Condition()
        self._queue: deque[_Waiting] = deque()
        self._by_key: dict[str, _Waiting] = {}
        self._signatures: list[Future[bytes]] = []
        self._signed_at = clock()
        self._closing = False
        self._stopped: str | None = None
        self._writer = Thread(target=self._run, name="decision-log", daemon=True)
        self._writer.start()

    @property
    def size(self) -> int:
        """How many records are on the disk."""
        return self._head.tree.size

    @property
    def is_stopped(self) -> bool:
        """Whether an error has ended all writing: the process should not be ready, and be started again."""
        return self._stopped is not None

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return len(self._by_key)

    @property
    def anchored(self) -> tuple[Checkpoint, bytes]:
        """The newest checkpoint that is on the disk, and its note."""
        assert self._anchors.last is not None  # opening wrote one
        return self._anchors.last

    def submit(
        self, key: str, body_sha256: bytes, event: str, record: Mapping[str, Any], answer: bytes
    ) -> Future[Recorded]:
        """Hand in a record; the future tells when it is on the disk, and cannot be cancelled.

        Parameters
        ----------
        key : the caller's idempotency key, 1 to 255 visible ASCII characters
        body_sha256 : digest of the request's body
        event : source:subject:action, such as score:loan:created
        answer : what the caller will be answered

        Raises
        ------
        UsageError, DataRefused : it cannot be written down
        KeyReused : a record with this key and another body is waiting; the future raises it when one is written
        LogBusy : as much waits as may; nothing was written
        LogStopped : the log has stopped
        """
        asked = Asked(key, body_sha256, event, canonical_record(record), answer)
        require_writable(asked)
        with self._changed:
            self._require_running()
            first = self._by_key.get(key)
            if first is not None:
                if first.asked.body_sha256 != body_sha256:
                    raise key_reused()
                return first.told
            if len(self._by_key) >= self._limits.most_waiting:
                raise busy(f"{self._limits.most_waiting} records that wait")
            waiting = _Waiting(asked)
            # A caller that hangs up must not take away the outcome of another that waits for the same record.
            waiting.told.set_running_or_notify_cancel()
            self._queue.append(waiting)
            self._by_key[key] = waiting
            self._changed.notify()
        return waiting.told

    def write(self, key: str, body_sha256: bytes, event: str, record: Mapping[str, Any], answer: bytes) -> Recorded:
        """Write a record and return once it is on the disk; see `submit`."""
        return self.submit(key, body_sha256, event, record, answer).result()

    def answered(self, key: str, body_sha256: bytes) -> Recorded | None:
        """Return what a request got before, or None where it is not on the disk: it may still be waiting.

        Raises
        ------
        KeyReused : the key was used for another body
        LogStopped : the log cannot be read
        """
        with self._reading:
            try:
                before = self._reader.known([key]).get(key)
            except self._database.errors as error:
                raise stopped(name_of(error)) from error
        if before is None:
            return None
        outcome = _outcome(before, body_sha256)
        if isinstance(outcome, KeyReused):
            raise outcome
        return outcome

    def sign(self) -> bytes:
        """Sign a checkpoint over all that is on the disk now, and return its note.

        Raises
        ------
        LogStopped : the log has stopped
        """
        told: Future[bytes] = Future()
        with self._changed:
            self._require_running()
            self._signatures.append(told)
            self._changed.notify()
        return told.result()

    def close(self) -> None:
        """Write what waits, sign it and let go of the log."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._writer.join()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_running(self) -> None:
        if self._stopped is not None:
            raise stopped(self._stopped)
        if self._closing:
            raise stopped("it is being closed")

    def _run(self) -> None:
        try:
            while (batch := self._next()) is not None:
                if batch:
                    self._write(batch)
                if self._is_due():
                    self._sign()
            self._sign()
        except BaseException as error:  # whatever it was, the state of the disk is not known any more
            self._stop(error)

    def _next(self) -> list[_Waiting] | None:
        """Return what is to be written now, nothing where a signature is due, or None when all is done."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                if self._is_due():
                    return []
                unsigned = self.size > self.anchored[0].size
                left = self._signed_at + self._limits.seconds_unsigned - self._clock()
                self._changed.wait(max(left, 0.0) if unsigned else None)
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.most_together))]

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            if self._place.files() != self._files:
                # SQLite would go on writing to a file that has no name any more, and nobody would find the records.
                raise FileNotFoundError("the files of the log are not those that were opened")
            self._connection.begin()
        except BaseException as error:
            if fault_of(self._database, error) is not Fault.BUSY:
                self._fail(batch)
                raise
            # Nothing has begun, so here, and only here, nothing can have been written.
            self._tell([(waiting, busy("a lock of another program on the database")) for waiting in batch])
            return
        try:
            outcomes, rows, head = self._placed(batch)
            if rows:
                self._connection.commit()
                self.commits += 1
            else:
                self._connection.rollback()
        except BaseException:
            self._fail(batch)
            raise
        self._head = head
        self._tell(list(zip(batch, outcomes, strict=True)))

    def _placed(self, batch: list[_Waiting]) -> tuple[list[Recorded | RepayrankError], list[Row], Head]:
        """Put the new ones of a batch into the open transaction; return what each gets, and the state after it."""
        outcomes: list[Recorded | RepayrankError] = []
        rows: list[Row] = []
        previous = self._head.last_leaf
        known = self._connection.known([waiting.asked.key for waiting in batch])
        for waiting in batch:
            before = known.get(waiting.asked.key)
            if before is None:
                entry = Entry(self.size + len(rows), waiting.asked, previous)
                previous = entry.leaf()
                rows.append(Row(entry, previous))
                outcomes.append(Recorded(entry.sequence, previous, waiting.asked.answer))
            else:
                outcomes.append(_outcome(before, waiting.asked.body_sha256))
        tree, kept = self._head.tree.grown(row.leaf for row in rows)
        head = Head(tree, previous)
        if rows:
            self._connection.write_rows(rows, kept)
            self._connection.write_metadata(head_values(head))
        return outcomes, rows, head

    def _is_due(self) -> bool:
        unsigned = self.size - self.anchored[0].size
        waited = self._clock() - self._signed_at >= self._limits.seconds_unsigned
        return bool(self._signatures) or unsigned >= self._limits.records_unsigned or (unsigned > 0 and waited)

    def _sign(self) -> None:
        with self._changed:
            asked, self._signatures = self._signatures, []
        try:
            if self.size > self.anchored[0].size:
                checkpoint = Checkpoint(self._place.origin, self.size, self._head.tree.root())
                self._anchors.append(checkpoint, signed(checkpoint, self._key))
            self._signed_at = self._clock()
        except BaseException:
            for told in asked:
                told.set_exception(stopped("a checkpoint could not be written"))
            raise
        for told in asked:
            told.set_result(self.anchored[1])

    def _tell(self, outcomes: list[tuple[_Waiting, Recorded | RepayrankError]]) -> None:
        with self._changed:
            for waiting, _ in outcomes:
                del self._by_key[waiting.asked.key]
        for waiting, outcome in outcomes:
            if isinstance(outcome, Recorded):
                waiting.told.set_result(outcome)
            else:
                waiting.told.set_exception(outcome)

    def _fail(self, batch: list[_Waiting]) -> None:
        """Keep those of a batch that failed among the ones that `_stop` tells."""
        with self._changed:
            self._queue.extendleft(reversed(batch))

    def _stop(self, error: BaseException) -> None:
        # The connection stays as it is: a rollback or a checkpoint would write to a disk that has just failed.
        with self._changed:
            self._stopped = name_of(error)
            left, self._queue, self._by_key = list(self._queue), deque(), {}
            asked, self._signatures = self._signatures, []
        for waiting in left:
            waiting.told.set_exception(stopped(self._stopped))
        for told in asked:
            told.set_exception(stopped(self._stopped))


def open_store(
    place: Place,
    key: Ed25519PrivateKey,
    clock: Clock,
    limits: Limits | None = None,
    connect: Connect = connect_writer,
) -> Store:
    """Return the log, opened for writing; a new one where there is none.

    Parameters
    ----------
    key : signs the checkpoints; its public key is one of those that the place trusts
    connect : opens the writer's connection to a SQLite file

    Raises
    ------
    LogOwned : another process writes to it
    ConfigurationRefused : the key is not trusted, or the disk cannot keep what is promised
    AuditBroken : the log is not the one that was signed: changed, cut off or put back to an older copy
    """
    limits = limits or Limits()
    if key.public_key().public_bytes_raw() not in {public.public_bytes_raw() for public in place.trusted}:
        raise ConfigurationRefused(
            "a signing key that the log does not trust",
            where=f"the decision log {place.origin}",
            expected="a key whose public half is among the trusted ones",
            do="put the public key among the trusted ones first",
        )
    for folder in (place.folder, place.anchors.parent):
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    database = database_of(place, connect)
    with ExitStack() as undo:
        database.hold(undo)
        anchors = undo.enter_context(Anchors(place.anchors, place.origin, place.trusted))
        require_same_age(database, place, anchors, is_new=database.is_new())
        if anchors.last is None:
            # Before the database: from then on a database without checkpoints is one whose checkpoints were taken.
            first = Checkpoint(place.origin, 0, EMPTY_ROOT)
            anchors.append(first, signed(first, key))
        assert anchors.last is not None
        try:
            tables = database.writer(limits.busy_seconds)
            undo.callback(tables.close)
            # Rows of a writer that was killed may be visible and not yet synced: this commit syncs them too.
            tables.begin()
            head = require_whole(tables, place, anchors.last[0])
            tables.write_metadata(head_values(head))
            tables.commit()
        except database.errors as error:
            raise unusable(database, error) from error
        reader = database.reader()
        undo.callback(reader.close)
        store = Store(place, key, database, anchors, tables, reader, head, clock, limits, undo.pop_all())
    try:
        store.sign()
    except LogStopped:
        store.close()
        raise
    return store


def _outcome(before: Known, body_sha256: bytes) -> Recorded | KeyReused:
    if before.body_sha256 != body_sha256:
        return key_reused()
    return Recorded(before.sequence, before.leaf, before.answer)
