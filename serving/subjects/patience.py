"""How long callers wait for whoever keeps the vault: one in full, those right after it hardly at all.

Without this, many requests that come while the vault is kept would each wait in full, one behind the other.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from weakref import WeakValueDictionary

from serving.records.anchors import hold
from serving.records.errors import LogOwned
from serving.subjects.errors import busy

BETWEEN_TRIES_SECONDS = 0.002
HURRIED_SECONDS = 0.01
HURRIED_FOR_SECONDS = 10.0
"""For how long nobody waits in full again after one has waited in vain."""

_LOCKS: WeakValueDictionary[tuple[int, int], Lock] = WeakValueDictionary()
_LOCKS_CHANGE = Lock()


class Patience:
    """How long each call may wait; for use by any number of threads.

    Parameters
    ----------
    seconds : in full
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._hurried_until = seconds, float("-inf")

    def deadline(self) -> float:
        """Return until when a call that begins now may wait, in monotonic seconds."""
        now = time.monotonic()
        return now + (HURRIED_SECONDS if now < self._hurried_until else self._seconds)

    def lost(self) -> None:
        """Let those who come now wait hardly at all, because one has waited in vain."""
        now = time.monotonic()
        # Not once more because of those who hardly waited: they would keep each other in a hurry for ever.
        if now >= self._hurried_until:
            self._hurried_until = now + HURRIED_FOR_SECONDS


def milliseconds_until(deadline: float) -> int:
    """Return the time that is left, whole milliseconds."""
    return max(0, int(1_000 * (deadline - time.monotonic())))


def take(lock_file: int, path: Path, deadline: float) -> None:
    """Take a lock that another process may have.

    Raises
    ------
    VaultBusy : it still has it at the deadline, in monotonic seconds
    """
    while True:
        try:
            return hold(lock_file, path)
        except LogOwned:
            if time.monotonic() >= deadline:
                raise busy("a vault that another process writes to") from None
            time.sleep(BETWEEN_TRIES_SECONDS)


def lock_of(file: tuple[int, int]) -> Lock:
    """Return the one lock of this process for a file: SQLite's own locks are not safe from other uses of the file.

    Parameters
    ----------
    file : its device and number
    """
    with _LOCKS_CHANGE:
        return _LOCKS.setdefault(file, Lock())
