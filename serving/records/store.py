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

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from threading import Lock, Thread
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import RepayrankError
from serving.records.anchors import read_last, signed_size
from serving.records.callers import Callers, Recorded, Refusal, Waiting, outcome_of
from serving.records.canonical import canonical_record
from serving.records.checkpoint import Checkpoint, signed
from serving.records.entry import Asked, Entry, require_writable
from serving.records.errors import busy, in_doubt, key_reused, stopped
from serving.records.limits import Limits
from serving.records.opening import (
    PAUSE_SECONDS,
    Opened,
    Place,
    database_of,
    first_opened,
    followed,
    make_folders,
    opened_log,
    require_room,
    require_trusted,
)
from serving.records.pulse import Pulse
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

__all__ = ["Clock", "Recorded", "Store", "open_store"]

Clock = Callable[[], float]
"""Returns seconds that never go back, such as time.monotonic."""

PASSING = frozenset({Fault.FULL, Fault.AWAY, Fault.BUSY})
"""Faults that may pass by themselves; a lock that is met at the beginning of a batch needs no opening again."""

MOST_LOOK_SECONDS = 1.0
"""How often one looks whether the files are there still and, where several processes write, at what the others did."""


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
        self._callers = Callers(limits.most_waiting)
        self._begun: list[Waiting] = []
        self._pulse = Pulse(clock, limits.hanging_seconds)
        self._signed_at = self._looked_at = clock()
        self._look_seconds = min(limits.seconds_unsigned, MOST_LOOK_SECONDS)
        self._stopped: str | None = None
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
        or where it lasts, the process should be started again. So it is with a disk or a database that hangs.
        """
        return self._stopped is not None or self._pulse.hangs

    @property
    def patience(self) -> float:
        """After how many seconds the fate of a record that is not written counts as not known."""
        return self._limits.hanging_seconds

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return len(self._callers)

    @property
    def anchored(self) -> tuple[Checkpoint, bytes]:
        """The newest checkpoint that is on the disk, and its note."""
        anchors = self._anchors
        last = None if anchors is None else anchors.last
        return last or read_last(self._place.anchors, self._place.origin, self._place.trusted)

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
        LogStopped : the log has stopped or hangs; from the future also: a batch was cut off, its fate is not known yet
        """
        asked = Asked(key, body_sha256, event, canonical_record(record), answer)
        require_writable(asked)
        if self._pulse.hangs:
            raise in_doubt("a disk or a database that does not answer, or a log that nobody signs")
        return self._callers.hand_in(asked)

    def write(self, key: str, body_sha256: bytes, event: str, record: Mapping[str, Any], answer: bytes) -> Recorded:
        """Write a record and return once it is on the disk; see `submit`."""
        try:
            return self.submit(key, body_sha256, event, record, answer).result(self.patience)
        except TimeoutError:
            raise in_doubt("a disk or a database that does not answer") from None

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
        if before.body_sha256 != body_sha256:
            raise key_reused()
        return Recorded(before.sequence, before.leaf, before.answer)

    def sign(self) -> bytes:
        """Sign a checkpoint over all that is on the disk now, and return its note.

        Where another process signs, its newest is returned, which may cover less.

        Raises
        ------
        LogStopped : the log has stopped
        """
        return self._callers.ask_for_signature().result()

    def close(self) -> None:
        """Write what waits, sign it and let go of the log."""
        self._callers.close()
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
            if self._callers.are_refused:
                raise in_doubt(name_of(error)) from error
        try:
            self._reader.close()
            self._reader = self._database.reader()
            return self._reader.known([key]).get(key)
        except self._database.errors as error:
            raise in_doubt(name_of(error)) from error

    def _run(self) -> None:
        try:
            while not self._is_done():
                pass
        except BaseException as error:  # whatever it was, the state of the disk is not known any more
            self._stop(error)

    def _is_done(self) -> bool:
        """Write and sign until the log is closed; return False after a fault that has passed."""
        try:
            while (batch := self._callers.next(self._limits.most_together, self._idle_seconds)) is not None:
                with self._pulse.at_work():
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

    def _write(self, batch: list[Waiting]) -> None:
        try:
            self._require_files()
            self._connection.begin()
        except BaseException as error:
            if fault_of(self._database, error) is not Fault.BUSY:
                self._callers.put_back(batch)
                raise
            # Here, and only here, nothing can have been written. Those behind are told too: each batch would wait anew.
            told = [*batch, *self._callers.taken()]
            self._callers.tell([(waiting, busy("a lock of another program on the database")) for waiting in told])
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
        self._head, self._begun = head, []
        self._callers.tell(list(zip(batch, outcomes, strict=True)))

    def _placed(self, batch: list[Waiting]) -> tuple[list[Recorded | RepayrankError], list[Row], Head]:
        """Put the new ones of a batch into the open transaction; return what each gets, and the state after it."""
        outcomes: list[Recorded | RepayrankError] = []
        rows: list[Row] = []
        previous = self._head.last_leaf
        known = self._connection.known([waiting.asked.key for waiting in batch])
        for waiting in batch:
            outcome = outcome_of(known.get(waiting.asked.key), waiting.asked)
            if outcome is None:
                entry = Entry(self.size + len(rows), waiting.asked, previous)
                previous = entry.leaf()
                rows.append(Row(entry, previous))
                outcome = Recorded(entry.sequence, previous, waiting.asked.answer)
            outcomes.append(outcome)
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
        unsigned, waited = self._unsigned(), self._clock() - self._signed_at >= self._limits.seconds_unsigned
        return self._callers.want_signature or unsigned >= self._limits.records_unsigned or (unsigned > 0 and waited)

    def _is_due_to_look(self) -> bool:
        return self._clock() - self._looked_at >= self._look_seconds

    def _idle_seconds(self) -> float:
        """Return the seconds until something is due that is none of a record."""
        if self._is_due() or self._is_due_to_look():
            return 0.0
        left = self._signed_at + self._limits.seconds_unsigned - self._clock()
        return min(left, self._look_seconds) if self._unsigned() else self._look_seconds

    def _look(self) -> None:
        """See that the files are there, and what others wrote, to sign it; or take over from one that signed."""
        self._looked_at = self._clock()
        self._require_files()
        if self._anchors is not None and self._database.is_shared:
            self._head = followed(self._connection, self._head, read_head(self._connection))
        elif self._anchors is None and self._database.enter(self._limits.busy_seconds):
            self._take(opened_log(self._database, self._place, self._key, self._limits.busy_seconds))
        if self._anchors is None:
            self._pulse.saw(signed_size(self._place.anchors, self._place.origin, self._place.trusted), self.size)

    def _require_files(self) -> None:
        if self._anchors is not None and self._place.files() != self._files:
            # SQLite would go on writing to a file that has no name any more, and nobody would find the records.
            raise FileNotFoundError("the files of the log are not those that were opened")

    def _take(self, opened: Opened) -> None:
        self._connection, self._anchors, head = opened
        self._pulse.saw(head.tree.size, head.tree.size)
        self._head = followed(self._connection, self._head, head)

    def _sign(self) -> None:
        asked = self._callers.taken_signatures()
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
                refusal = partial(busy, f"a database that cannot be written to ({cause})")
                self._refuse(refusal, of_cut=partial(in_doubt, cause))
            if self._callers.pause(PAUSE_SECONDS):
                raise error
        self._stopped = None
        self._callers.welcome()

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
            if fault_of(self._database, error) in PASSING:
                return False
            raise
        return True

    def _settle(self) -> None:
        """Tell those whose batch was cut off what the log says of their keys, now that nothing of it can still come."""
        known = self._connection.known([waiting.asked.key for waiting in self._begun])
        cause = f"a batch that was cut off ({self._stopped})"
        outcomes = [outcome_of(known.get(waiting.asked.key), waiting.asked) or busy(cause) for waiting in self._begun]
        self._callers.tell(list(zip(self._begun, outcomes, strict=True)))
        self._begun = []

    def _refuse(self, refusal: Refusal, of_cut: Refusal) -> None:
        begun, self._begun = self._begun, []
        self._callers.refuse(refusal, begun, of_cut)

    def _stop(self, error: BaseException) -> None:
        # The connection stays as it is: a rollback or a checkpoint would write to a disk that has just failed.
        self._stopped = name_of(error)
        refusal = partial(stopped, self._stopped)
        self._refuse(refusal, of_cut=refusal)
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
    require_trusted(key, place)
    make_folders(place)
    database = database_of(place, connect)
    with ExitStack() as undo:
        undo.callback(database.leave)
        try:
            opened = first_opened(database, place, key, limits.busy_seconds)
            undo.callback(opened.tables.close)
            if opened.anchors is not None:
                undo.callback(opened.anchors.close)
            store = Store(place, key, database, opened, database.reader(), clock, limits)
        except database.errors as error:
            raise unusable(database, error) from error
        undo.pop_all()
    try:
        store.sign()
    except RepayrankError:
        store.close()
        raise
    return store
