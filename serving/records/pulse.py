"""Whether the log still moves: a disk that hangs says nothing, so that somebody has to look at the clock.

Two things are watched. The writer is at a piece of work, a batch, a signature or the opening after a fault, for longer
than any takes that ends well. Or another process signs, and signs no more: then decisions would be acknowledged over
which nothing is signed, and whoever holds the log could cut them off without anybody's noticing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Pulse:
    """The signs of life of one log; asked by all threads, told by the writer's.

    Parameters
    ----------
    clock : seconds that never go back
    most_seconds : for so long nothing may move
    """

    def __init__(self, clock: Callable[[], float], most_seconds: float) -> None:
        self._clock, self._most = clock, most_seconds
        self._at_work_since: float | None = None
        self._signed = 0
        self._unsigned_since: float | None = None

    @property
    def hangs(self) -> bool:
        """Whether nothing has moved for too long; it ends by itself when something does."""
        # Taken once each: the writer may take them away meanwhile.
        return any(
            since is not None and self._clock() - since > self._most
            for since in (self._at_work_since, self._unsigned_since)
        )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Say that a piece of work has begun, and at the end that it is done."""
        self._at_work_since = self._clock()
        try:
            yield
        finally:
            self._at_work_since = None

    def saw(self, signed: int, size: int) -> None:
        """Say how many records another process has signed, of how many that are known here."""
        if signed >= size:
            self._unsigned_since = None
        elif signed > self._signed or self._unsigned_since is None:
            self._unsigned_since = self._clock()
        self._signed = signed
