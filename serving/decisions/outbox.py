"""Events of other programs on their way into the log, which has one writer only: files that the writer picks up.

What the command line does to a subject or a model is of record as well. It leaves a file here; the service writes it
into the log within seconds, or the next program that opens the log does. Each is written once: its name is its key.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from features.errors import RepayrankError
from serving.ids import score_ids
from serving.records.anchors import sync_folder
from serving.records.canonical import canonical_record
from serving.records.store import Store

SUFFIX = ".json"
FOLDER_MODE = 0o700


def outbox_of(state: Path) -> Path:
    """Return where events wait."""
    return state / "outbox"


def posted(folder: Path, event: str, record: Mapping[str, Any], now: datetime | None = None) -> Path:
    """Leave an event for the writer of the log; it is on the disk when this returns.

    Parameters
    ----------
    event : source:subject:action
    record : what happened; the time is added
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    told = {**record, "recorded_at": (now or datetime.now(UTC)).isoformat()}
    content = canonical_record({"event": event, "record": told})
    path = folder / f"{score_ids(1)[0]}{SUFFIX}"
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).replace(path)
    sync_folder(folder)
    return path


class Events:
    """Delivers what others leave, at a start and every few seconds after it.

    Parameters
    ----------
    folder : of `outbox_of`
    seconds : between looks
    """

    def __init__(self, folder: Path, store: Store, seconds: float = 2.0) -> None:
        self._folder, self._store, self._seconds = folder, store, seconds
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more; what is left waits for the next start."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # What the log cannot take now, or nobody can read, stays where it is.
            with suppress(RepayrankError, OSError, ValueError, KeyError):
                delivered(self._folder, self._store)
            if self._stopped.wait(self._seconds):
                return


def delivered(folder: Path, store: Store) -> int:
    """Write what waits into the log, in order of time, and return how many events that were.

    Raises
    ------
    LogBusy, LogStopped : the log takes nothing now; what is left waits on
    """
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    for path in paths:
        content = path.read_bytes()
        plain = json.loads(content)
        store.write(f"outbox:{path.stem}", hashlib.sha256(content).digest(), plain["event"], plain["record"], b"")
        path.unlink()
    return len(paths)
