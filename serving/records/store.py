"""The writer of the decision log: a decision is answered only when it is on the disk, and written only once.

Requests hand in what is to be written and wait. One thread writes everything that waits in one transaction, so that a
hundred requests wait for one sync of the disk instead of a hundred. What is promised:

    acknowledged            the record is there, whatever happens to the process or the power
    not acknowledged        it may or may not be there; the same request with the same key tells
    an error of the disk    ends all writing until the log is opened again, for a failed write may have reached the disk
    no space, or a          end writing until they have passed: the log is then opened again as at a start, and those
    database that is away   whose batch was cut off are told by their keys what became of it

After SQLite's own advice (https://sqlite.org/atomiccommit.html) and what PostgreSQL does after a failed sync
(https://wiki.postgresql.org/wiki/Fsync_Errors).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Lock, Thread
from typing import Any, NamedTuple, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import ConfigurationRefused, RepayrankError
from serving.records.anchors import read_last
from serving.records.canonical import canonical_record
from serving.records.checkpoint import Checkpoint, signed
from serving.records.entry import Asked, Entry, require_writable
from serving.records.errors import KeyReused, LogBusy, LogStopped, busy, in_doubt, key_reused, stopped
from serving.records.limits import Limits
from serving.records.opening import Opened, Place, database_of, followed, opened_log, require_room
from serving.records.sqlite import Connect, connect_writer
from serving.records.tables import (
    Database,
    Fault,
    Head,
    Known,
    Row,
    Tables,
    fault_of,
    head_values,
    name_of,
    read_head,
    unusable,
)

Clock = Callable[[], float]
"""Returns seconds that never go back, such as time.monotonic."""

FOLDER_MODE = 0o700
PASSING = frozenset({Fault.FULL, Fault.AWAY})
"""Faults that may pass by themselves."""

PAUSE_SECONDS = 0.1
"""Between two attempts to open the log again."""

MOST_LOOK_SECONDS = 1.0
"""Of a log that several processes write to: how often one looks at what the others did."""


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
        opened: Opened,
        reader: Tables,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self.commits = 0
        self._place, self._key, self._clock, self._limits = place, key, clock, limits
        self._database, self._reader, self._files = database, reader, place.files()
        self._connection, self._anchors, self._head = opened
        self._reading = Lock()
        self._changed = Condition()
        self._queue: deque[_Waiting] = deque()
        self._by_key: dict[str, _Waiting] = {}
        self._signatures: list[Future[bytes]] = []
        self._begun: list[_Waiting] = []
        self._signed_at = self._looked_at = clock()
        self._look_seconds = min(limits.seconds_unsigned, MOST_LOOK_SECONDS)
        self._closing = False
        self._stopped: str | None = None
        self._refusal: Callable[[], RepayrankError] | None = None
        self._writer = Thread(target=self._run, name="decision-log", daemon=True)
        self._writer.start()

    @property
    def size(self) -> int:
        """How many records are on the disk; of a log that others write to as well, when it was last looked at."""
        return self._head.tree.size

    @property
    def is_stopped(self) -> bool:
        """Whether an error has ended all writing: the process should not be ready.

        It ends by itself when a full disk has space again or a database that was away is back. After any other error,
        or where it lasts, the process should be started again.
        """
        return self._stopped is not None

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return len(self._by_key)

    @property
    def anchored(self) -> tuple[Checkpoint, bytes]:
        """The newest checkpoint that is on the disk, and its note."""
        anchors = self._anchors
        if anchors is None:
            return read_last(self._place.anchors, self._place.origin, self._place.trusted)
        assert anchors.last is not None  # opening wrote one
        return anchors.last

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
        LogBusy : as much waits as may, or the database is full or away; nothing was written
        LogStopped : the log has stopped, or, from the future, a batch was cut off and its fate is not known yet
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
            before = self._found(key)
        if before is None:
            return None
        outcome = _outcome(before, body_sha256)
        if isinstance(outcome, KeyReused):
            raise outcome
        return outcome

    def sign(self) -> bytes:
        """Sign a checkpoint over all that is on the disk now, and return its note.

        Where another process signs, its newest is returned, which may cover less.

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
        # The writer's connection last: it puts the write-ahead log into the file.
        self._reader.close()
        self._let_go()
        self._database.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found(self, key: str) -> Known | None:
        try:
            return self._reader.known([key]).get(key)
        except self._database.errors as error:
            if fault_of(self._database, error) is not Fault.AWAY:
                raise stopped(name_of(error)) from error
            if self._refusal is not None:
                raise in_doubt(name_of(error)) from error
        try:
            self._reader.close()
            self._reader = self._database.reader()
            return self._reader.known([key]).get(key)
        except self._database.errors as error:
            raise in_doubt(name_of(error)) from error

    def _require_running(self) -> None:
        if self._refusal is not None:
            raise self._refusal()
        if self._closing:
            raise stopped("it is being closed")

    def _run(self) -> None:
        try:
            while not self._is_done():
                pass
        except BaseException as error:  # whatever it was, the state of the disk is not known any more
            self._stop(error)

    def _is_done(self) -> bool:
        """Write and sign until the log is closed; return False after a fault that has passed."""
        try:
            while (batch := self._next()) is not None:
                if batch:
                    self._write(batch)
                if self._is_due_to_look():
                    self._look()
                if self._is_due():
                    self._sign()
            self._sign()
        except BaseException as error:
            if fault_of(self._database, error) not in PASSING:
                raise
            self._outlast(error)
            return False
        return True

    def _next(self) -> list[_Waiting] | None:
        """Return what is to be written now, nothing where a signature is due, or None when all is done."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                if self._is_due() or self._is_due_to_look():
                    return []
                left = self._signed_at + self._limits.seconds_unsigned - self._clock()
                wait = max(left, 0.0) if self._unsigned() else None
                self._changed.wait(
                    min(wait or self._look_seconds, self._look_seconds) if self._database.is_shared else wait
                )
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.most_together))]

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            if self._anchors is not None and self._place.files() != self._files:
                # SQLite would go on writing to a file that has no name any more, and nobody would find the records.
                raise FileNotFoundError("the files of the log are not those that were opened")
            self._connection.begin()
        except BaseException as error:
            if fault_of(self._database, error) is not Fault.BUSY:
                with self._changed:
                    self._queue.extendleft(reversed(batch))
                raise
            # Nothing has begun, so here, and only here, nothing can have been written.
            self._tell([(waiting, busy("a lock of another program on the database")) for waiting in batch])
            return
        self._begun = batch
        if self._database.is_shared:
            self._head = followed(self._connection, self._head, read_head(self._connection))
        outcomes, rows, head = self._placed(batch)
        if rows:
            self._connection.commit()
            self.commits += 1
        else:
            self._connection.rollback()
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

    def _unsigned(self) -> int:
        """Return how many records this process has to sign."""
        return 0 if self._anchors is None else self.size - self.anchored[0].size

    def _is_due(self) -> bool:
        unsigned = self._unsigned()
        waited = self._clock() - self._signed_at >= self._limits.seconds_unsigned
        return bool(self._signatures) or unsigned >= self._limits.records_unsigned or (unsigned > 0 and waited)

    def _is_due_to_look(self) -> bool:
        return self._database.is_shared and self._clock() - self._looked_at >= self._look_seconds

    def _look(self) -> None:
        """See what others wrote, to sign it; or whether the one that signs has gone, to take over."""
        self._looked_at = self._clock()
        if self._anchors is not None:
            self._head = followed(self._connection, self._head, read_head(self._connection))
        elif self._database.enter(self._limits.busy_seconds):
            self._take(opened_log(self._database, self._place, self._key, self._limits.busy_seconds))

    def _take(self, opened: Opened) -> None:
        self._connection, self._anchors, head = opened
        self._head = followed(self._connection, self._head, head)

    def _sign(self) -> None:
        with self._changed:
            asked, self._signatures = self._signatures, []
        try:
            if self._anchors is not None and self._unsigned():
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
        self._begun = []
        with self._changed:
            for waiting, _ in outcomes:
                del self._by_key[waiting.asked.key]
        for waiting, outcome in outcomes:
            if isinstance(outcome, Recorded):
                waiting.told.set_result(outcome)
            else:
                waiting.told.set_exception(outcome)

    def _outlast(self, error: BaseException) -> None:
        """Open the log again as often as it takes for a fault to pass.

        Raises
        ------
        BaseException : a fault that does not pass, or this one where the log is being closed meanwhile
        """
        since, self._stopped = self._clock(), name_of(error)
        while not self._has_passed(fault_of(self._database, error)):
            if self._clock() - since >= self._limits.busy_seconds:
                cause = self._stopped
                self._refuse_all(
                    partial(busy, f"a database that cannot be written to ({cause})"), begun=partial(in_doubt, cause)
                )
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, PAUSE_SECONDS):
                    raise error
        with self._changed:
            self._stopped = self._refusal = None

    def _has_passed(self, fault: Fault) -> bool:
        try:
            if fault is Fault.FULL and not self._begun:
                require_room(self._place)
            self._let_go()
            self._take(opened_log(self._database, self._place, self._key, self._limits.busy_seconds))
            self._settle()
            if fault is Fault.FULL:
                require_room(self._place)
            if self._is_due():
                self._sign()
        except BaseException as error:
            if fault_of(self._database, error) in {*PASSING, Fault.BUSY}:
                return False
            raise
        return True

    def _settle(self) -> None:
        """Tell those whose batch was cut off what the log says of their keys, now that nothing of it can still come."""
        known = self._connection.known([waiting.asked.key for waiting in self._begun])
        cut = busy(f"a batch that was cut off ({self._stopped})")
        self._tell(
            [
                (
                    waiting,
                    _outcome(known[key], waiting.asked.body_sha256) if (key := waiting.asked.key) in known else cut,
                )
                for waiting in self._begun
            ]
        )

    def _refuse_all(self, refusal: Callable[[], RepayrankError], begun: Callable[[], RepayrankError]) -> None:
        """Refuse all that wait and from now on all that come; those of a batch that was cut off may be written."""
        with self._changed:
            self._refusal = refusal
            cut, self._begun = self._begun, []
            left, self._queue, self._by_key = list(self._queue), deque(), {}
            asked, self._signatures = self._signatures, []
        for waiting in cut:
            waiting.told.set_exception(begun())
        for waiting in left:
            waiting.told.set_exception(refusal())
        for told in asked:
            told.set_exception(refusal())

    def _stop(self, error: BaseException) -> None:
        # The connection stays as it is: a rollback or a checkpoint would write to a disk that has just failed.
        with self._changed:
            self._stopped = name_of(error)
        refusal = partial(stopped, self._stopped)
        self._refuse_all(refusal, begun=refusal)
        if self._database.is_shared:
            self._let_go()  # others go on

    def _let_go(self) -> None:
        self._connection.close()
        if self._anchors is not None:
            self._anchors.close()
            self._anchors = None


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
    ConfigurationRefused : the key is not trusted, or the database cannot keep what is promised or be reached
    LogBusy, LogStopped : another program keeps a lock on it, or the disk fails
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
    for folder in (place.anchors.parent,) if place.url else (place.folder, place.anchors.parent):
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    database = database_of(place, connect)
    try:
        opened = _opened(database, place, key, limits)
        store = Store(place, key, database, opened, database.reader(), clock, limits)
    except database.errors as error:
        database.leave()
        raise unusable(database, error) from error
    except BaseException:
        database.leave()
        raise
    try:
        store.sign()
    except LogStopped:
        store.close()
        raise
    return store


def _opened(database: Database, place: Place, key: Ed25519PrivateKey, limits: Limits) -> Opened:
    for _ in range(int(limits.busy_seconds / PAUSE_SECONDS) if database.is_shared else 0):
        with suppress(LogBusy):  # of several processes that start at once, one makes the log
            return opened_log(database, place, key, limits.busy_seconds)
        time.sleep(PAUSE_SECONDS)
    return opened_log(database, place, key, limits.busy_seconds)


def _outcome(before: Known, body_sha256: bytes) -> Recorded | KeyReused:
    if before.body_sha256 != body_sha256:
        return key_reused()
    return Recorded(before.sequence, before.leaf, before.answer)
