"""Callers that hand in decisions until they are told to end, each again under its key until it is acknowledged."""

from __future__ import annotations

import threading
import time

from decision_logs import answer, body, opened, write

from serving.records.audit import verify
from serving.records.errors import LogBusy, LogStopped
from serving.records.opening import Place
from serving.records.store import Store

PAUSE_SECONDS = 0.01


class Load:
    """Threads with numbers of their own.

    Attributes
    ----------
    told : sequence of each number that was acknowledged
    refused : what callers got instead
    longest : seconds that a caller waited at most
    told_at : when the last was acknowledged
    """

    def __init__(self, *stores: Store, threads: int = 8, first: int = 0) -> None:
        self.told: dict[int, int] = {}
        self.refused: list[Exception] = []
        self.longest, self.told_at, self.threads = 0.0, 0.0, threads
        self._stores, self._ended = stores, threading.Event()
        self._working = [threading.Thread(target=self._work, args=(first + at,)) for at in range(threads)]
        for thread in self._working:
            thread.start()

    def _work(self, number: int) -> None:
        turn = number
        while not self._ended.is_set():
            begun = time.monotonic()
            turn += 1  # a caller comes back to any of the processes
            try:
                self.told[number] = write(self._stores[turn % len(self._stores)], number).sequence
                number += self.threads
                self.told_at = time.monotonic()
            except (LogBusy, LogStopped) as refusal:
                self.refused.append(refusal)
                time.sleep(PAUSE_SECONDS)
            self.longest = max(self.longest, time.monotonic() - begun)

    def end(self) -> None:
        self._ended.set()
        for thread in self._working:
            thread.join()


def require_each_once(place: Place, told: dict[int, int], threads: int) -> None:
    """Check that what was acknowledged is there, in its place, and nothing beside what callers had under way."""
    with opened(place) as store:
        for number, sequence in told.items():
            found = store.answered(f"key-{number}", body(number))
            assert found is not None, f"record {number} was acknowledged and is lost"
            assert (found.sequence, found.answer) == (sequence, answer(number))
    assert len(set(told.values())) == len(told)
    assert len(told) <= verify(place).records <= len(told) + threads


def wait_until(holds, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.005)
