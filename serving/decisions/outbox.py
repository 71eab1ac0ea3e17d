"""Events of other programs on their way into the log, which has one writer only: files that the writer picks up.

What the command line does to a subject or a model is of record as well. It leaves a file here; the service writes it
into the log within seconds, or the next program that opens the log does. Each is written once: its name is its key.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from features.errors import ConfigurationRefused, RepayrankError
from serving.ids import score_ids
from serving.records.anchors import sync_folder
from serving.records.canonical import canonical_record
from serving.records.errors import LogBusy, LogStopped
from serving.records.store import Store

Log = Callable[[Mapping[str, object]], None]

SUFFIX = ".json"
FOLDER_MODE = 0o700
SECONDS_BETWEEN_LOOKS = 2.0


def outbox_of(state: Path) -> Path:
    """Return where events wait."""
    return state / "outbox"


def posted(
    folder: Path, event: str, record: Mapping[str, Any], now: datetime | None = None, *, name: str | None = None
) -> Path:
    """Leave an event for the writer of the log; it is on the disk when this returns.

    Parameters
    ----------
    event : source:subject:action
    record : what happened; the time is added
    name : of the file, in order of time; the same event under the same name is written into the log once, however often
        it is left. By default a new one
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    _give(folder, folder.parent)
    told = {**record, "recorded_at": (now or datetime.now(UTC)).isoformat()}
    content = canonical_record({"event": event, "record": told})
    path = folder / f"{name or score_ids(1)[0]}{SUFFIX}"
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    _give(Path(stream.name), folder.parent)
    Path(stream.name).replace(path)
    sync_folder(folder)
    return path


def _give(path: Path, state: Path) -> None:
    """Let the owner of the state have what the superuser made in it: the service could not read it otherwise."""
    if os.geteuid() == 0:
        owner = state.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


class Events:
    """Delivers what others leave, at a start and every few seconds after it.

    A file that nobody can read stays where it is, is said once in the log, and holds up no other.

    Parameters
    ----------
    folder : of `outbox_of`
    log : takes one line for each event that cannot be delivered
    beside : done after each look; it raises nothing
    seconds : between looks
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        log: Log,
        beside: Callable[[], object] | None = None,
        seconds: float = SECONDS_BETWEEN_LOOKS,
    ) -> None:
        self._folder, self._store, self._log, self._seconds = folder, store, log, seconds
        self._beside = beside
        self._said: set[tuple[str, str]] = set()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more; what is left waits for the next start."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                left = delivered(self._folder, self._store)
            except Exception as fault:  # such as a folder of another user: what passes by itself must not end this
                left = {self._folder: fault}
            for path, error in left.items():
                self._say(path, error)
            self._said &= {(path.name, _kind(error)) for path, error in left.items()}
            if self._beside is not None:
                self._beside()
            if self._stopped.wait(self._seconds):
                return

    def _say(self, path: Path, error: Exception) -> None:
        """Log once why an event waits; its name is ours, and its content is not repeated."""
        if (path.name, _kind(error)) not in self._said:
            self._said.add((path.name, _kind(error)))
            self._log({"event waits": path.name, "folder": str(path.parent), "why": _kind(error)})


def delivered(folder: Path, store: Store) -> dict[Path, Exception]:
    """Write what waits into the log, in order of time, and return what stays with the reason of each.

    Raises
    ------
    ConfigurationRefused : what waits cannot be seen
    """
    left: dict[Path, Exception] = {}
    for path in _waiting(folder):
        try:
            content = path.read_bytes()
            plain = json.loads(content)
            digest = hashlib.sha256(content).digest()
            store.write(f"outbox:{path.stem}", digest, plain["event"], plain["record"], b"")
            path.unlink(missing_ok=True)
        except FileNotFoundError:  # another service of the same log delivered it
            continue
        except Exception as error:  # whatever is wrong with one file, the others are delivered
            left[path] = error
            if isinstance(error, LogBusy | LogStopped):
                break  # the others would be told the same
    return left


def waiting(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield event and record of each that waits and can be read, in order of time; refuses as `delivered`."""
    for path in _waiting(folder):
        try:
            plain = json.loads(path.read_bytes())
            told = plain["event"], canonical_record(plain["record"])
        except (OSError, ValueError, KeyError, TypeError, RepayrankError):
            continue  # it is said when it is to be delivered
        yield told


def _waiting(folder: Path) -> list[Path]:
    try:
        # Not Path.glob, for which a folder that may not be read is an empty one.
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:  # nobody has left anything yet
        return []
    except OSError as error:
        raise ConfigurationRefused(
            f"events that cannot be looked at ({error.strerror})",
            where=str(folder),
            expected="a folder of the user that runs the service",
            do="give the folder and its files to that user: what waits in it is not of record until then",
        ) from error


def _kind(error: Exception) -> str:
    """Return what an error is without what it quotes."""
    return str(error) if isinstance(error, RepayrankError) else type(error).__name__
