"""A file that decides who is let in: read only when nobody else could meddle with it, and read again when it changes.

Looking costs one `stat`, at most every half second; nothing is read for a request. What cannot be read lets nobody in:
an older content that goes on would bring back a token that was revoked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from features.errors import ConfigurationRefused

T = TypeVar("T")

SECRET = 0o077
"""What group and others may not do with a file of hashes: anything."""
PUBLIC = 0o022
"""What group and others may not do with a file of public keys or settings: write."""

LOOK_SECONDS = 0.5
MOST_BYTES = 8 * 2**20
"""Far above what ten thousand tokens take; a larger file is another file."""

Signature = tuple[int, ...]


def read_guarded(path: Path, forbidden: int) -> bytes:
    """Return a file's bytes.

    Parameters
    ----------
    forbidden : permission bits of which none may be set, `SECRET` or `PUBLIC`

    Raises
    ------
    FileNotFoundError : there is no such file
    ConfigurationRefused : others could read or change it, or it cannot be read
    """
    try:
        # Without O_NONBLOCK a pipe in the file's place would hold the service up for ever.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:  # noqa: PTH123 - a descriptor
            _require_guarded(os.fstat(stream.fileno()), path, forbidden)
            raw = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(
            f"a file that cannot be read ({error.strerror})", path, "a file that this user can read"
        ) from error
    if len(raw) > MOST_BYTES:
        raise _refused("a file that is too large", path, f"at most {MOST_BYTES} bytes")
    return raw


class Watched(Generic[T]):
    """The content of a file as it is now, to within half a second.

    Parameters
    ----------
    path : the file
    read : makes the content of its bytes; raises ConfigurationRefused when they are not right
    missing : the content when there is no such file; None where there has to be one
    forbidden : permission bits of which none may be set
    clock : monotonic seconds
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[bytes], T],
        *,
        missing: T | None,
        forbidden: int,
        clock: Callable[[], float],
    ) -> None:
        self._path, self._read, self._missing, self._forbidden, self._clock = path, read, missing, forbidden, clock
        self._look_at = float("-inf")
        self._signature: Signature | None = None
        self._settled = False
        self._found: T | ConfigurationRefused = _refused("nothing yet", path, "a look")

    def now(self) -> T:
        """Return the content.

        Raises
        ------
        ConfigurationRefused : it cannot be used; also each time after, until the file has changed
        """
        at = self._clock()
        if at >= self._look_at:
            self._look_at = at + LOOK_SECONDS
            self._look()
        if isinstance(self._found, ConfigurationRefused):
            # Without what an earlier raise left behind, which would grow with each request.
            raise self._found.with_traceback(None)
        return self._found

    def _look(self) -> None:
        signature = _signature(self._path)
        unchanged = signature == self._signature
        if unchanged and self._settled:
            return
        # A file that was written twice within one tick of the file system's clock looks as after the first time: what
        # is new is read once more at the next look, when that tick has passed.
        self._settled = unchanged
        self._signature = signature
        try:
            self._found = self._read(read_guarded(self._path, self._forbidden))
        except FileNotFoundError:
            missing = _refused("no such file", self._path, "a file that this user can read")
            self._found = missing if self._missing is None else self._missing
        except ConfigurationRefused as error:
            self._found = error


def _signature(path: Path) -> Signature | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a path's own is slower
    except OSError:
        return None
    return (
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_mode,
        found.st_uid,
    )


def _require_guarded(found: os.stat_result, path: Path, forbidden: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refused("something that is not a file", path, "a file")
    if found.st_uid not in {0, os.geteuid()}:
        raise _refused("a file of another user", path, "a file of the service's own user, or of root")
    if found.st_mode & forbidden:
        mode = 0o666 & ~forbidden
        raise ConfigurationRefused(
            f"a file with mode {stat.S_IMODE(found.st_mode):04o}, which others can {_can(forbidden)}",
            where=str(path),
            expected=f"mode {mode:04o} at most",
            do=f"chmod {mode:o} the file, and look whether what stands in it is yours",
        )


def _can(forbidden: int) -> str:
    return "read or change" if forbidden == SECRET else "change"


def _refused(found: str, path: Path, expected: str) -> ConfigurationRefused:
    return ConfigurationRefused(found, where=str(path), expected=expected, do="correct the file named")
