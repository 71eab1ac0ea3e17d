"""Those who wait for their records: each key once, each told what became of it, and refused at once when it must be.

Threads of requests hand in and wait; the writer's thread takes, tells and refuses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition
from typing import NamedTuple

from features.errors import RepayrankError
from serving.records.entry import Asked
from serving.records.errors import KeyReused, busy, key_reused, stopped
from serving.records.tables import Known

Refusal = Callable[[], RepayrankError]
"""Returns a new error for each who is refused."""


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
class Waiting:
    """A record that is to be written, and whom it is told to."""

    asked: Asked
    told: Future[Recorded] = field(default_factory=Future)


def outcome_of(before: Known | None, asked: Asked) -> Recorded | KeyReused | None:
    """Return what a request gets that was written before; None where it was not."""
    if before is None:
        return None
    if before.body_sha256 != asked.body_sha256:
        return key_reused()
    return Recorded(before.sequence, before.leaf, before.answer)


class Callers:
    """All who wait, for records or for a signature."""

    def __init__(self, most: int) -> None:
        """Let no more than `most` wait for records."""
        self._most = most
        self._changed = Condition()
        self._queue: deque[Waiting] = deque()
        self._by_key: dict[str, Waiting] = {}
        self._signatures: list[Future[bytes]] = []
        self._refusal: Refusal | None = None
        self._closing = False

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def are_refused(self) -> bool:
        """Whether all who come are refused."""
        return self._refusal is not None

    @property
    def want_signature(self) -> bool:
        """Whether somebody waits for a signature."""
        return bool(self._signatures)

    def hand_in(self, asked: Asked) -> Future[Recorded]:
        """Return what tells when a record is on the disk, and cannot be cancelled; the same for the same key.

        Raises
        ------
        KeyReused : a record with this key and another body is waiting
        LogBusy, LogStopped : as much waits as may, or all are refused
        """
        with self._changed:
            self._require_open()
            first = self._by_key.get(asked.key)
            if first is not None:
                if first.asked.body_sha256 != asked.body_sha256:
                    raise key_reused()
                return first.told
            if len(self._by_key) >= self._most:
                raise busy(f"{self._most} records that wait")
            waiting = Waiting(asked)
            # A caller that hangs up must not take away the outcome of another that waits for the same record.
            waiting.told.set_running_or_notify_cancel()
            self._queue.append(waiting)
            self._by_key[asked.key] = waiting
            self._changed.notify()
        return waiting.told

    def ask_for_signature(self) -> Future[bytes]:
        """Return what tells of the next signature.

        Raises
        ------
        LogBusy, LogStopped : all are refused
        """
        told: Future[bytes] = Future()
        with self._changed:
            self._require_open()
            self._signatures.append(told)
            self._changed.notify()
        return told

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def next(self, most: int, idle: Callable[[], float]) -> list[Waiting] | None:
        """Return what is to be written now, nothing where something else is due, or None when all is done.

        Parameters
        ----------
        idle : returns the seconds until something else is due
        """
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                seconds = idle()
                if seconds <= 0:
                    return []
                self._changed.wait(seconds)
            return [self._queue.popleft() for _ in range(min(len(self._queue), most))]

    def taken(self) -> list[Waiting]:
        """Return all whose turn has not come; they stand in no line any more, and are to be told."""
        with self._changed:
            left, self._queue = list(self._queue), deque()
        return left

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether nobody is let in any more, as soon as it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, seconds)

    def put_back(self, batch: list[Waiting]) -> None:
        """Let those of a batch that has not begun wait on, before all others."""
        with self._changed:
            self._queue.extendleft(reversed(batch))

    def tell(self, outcomes: list[tuple[Waiting, Recorded | RepayrankError]]) -> None:
        """Tell each of a batch what became of its record."""
        with self._changed:
            for waiting, _ in outcomes:
                del self._by_key[waiting.asked.key]
        for waiting, outcome in outcomes:
            if isinstance(outcome, Recorded):
                waiting.told.set_result(outcome)
            else:
                waiting.told.set_exception(outcome)

    def taken_signatures(self) -> list[Future[bytes]]:
        """Return those who wait for a signature; they wait no more in here."""
        with self._changed:
            taken, self._signatures = self._signatures, []
        return taken

    def refuse(self, refusal: Refusal, cut: list[Waiting], of_cut: Refusal) -> None:
        """Refuse all who wait and from now on all who come; those of a batch that was cut off in their own way."""
        with self._changed:
            self._refusal = refusal
            left, self._queue, self._by_key = list(self._queue), deque(), {}
        for waiting in cut:
            waiting.told.set_exception(of_cut())
        for waiting in left:
            waiting.told.set_exception(refusal())
        for told in self.taken_signatures():
            told.set_exception(refusal())

    def welcome(self) -> None:
        """Refuse no more."""
        with self._changed:
            self._refusal = None

    def _require_open(self) -> None:
        if self._refusal is not None:
            raise self._refusal()
        if self._closing:
            raise stopped("it is being closed")
