"""Room on the disks that a service writes to: whoever runs it is told before one is full, and not when it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Log = Callable[[Mapping[str, object]], None]

LEAST_FREE = 0.1
"""Share of a disk below which it is said."""


class Disks:
    """The disks under some folders.

    Parameters
    ----------
    folders : what is written to; one that is not there takes no part
    log : told once when one has too little room, and once when all have enough again
    """

    def __init__(self, folders: Iterable[Path], log: Log) -> None:
        self._folders, self._log, self._is_low = tuple(folders), log, False

    @property
    def free(self) -> float:
        """The share that is free of the fullest of them, for this user: 0 to 1."""
        return min(map(_free, self._folders), default=1.0)

    def look(self) -> None:
        """Say it in the log when the room has become too little, or is enough again."""
        free = self.free
        if (free < LEAST_FREE) != self._is_low:
            self._is_low = not self._is_low
            self._log({"disk": "fills up" if self._is_low else "has room again", "free": round(free, 3)})


def _free(folder: Path) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 1.0
    return found.f_bavail / found.f_blocks if found.f_blocks else 1.0
