"""A new champion is taken up while the service answers; when anything is wrong with it, the old one goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import NamedTuple

from features.errors import RepayrankError
from models.pauses import part_time
from models.store import ModelStore
from serving.arrivals import Naming, Refusal, fault_of, files_of, looked
from serving.settings import Settings
from serving.state import Loaded, with_version

SECONDS_TO_STOP = 5.0
SECONDS_OF_A_TURN = 0.0005
"""How long a thread may hold the interpreter while others wait for it, while a version is taken up.

A request gives the interpreter up and takes it back dozens of times, and each time it would wait Python's own 5 ms for
the thread that works out the tables of a whole model: its hundredth answer takes half as long again with them.
"""

SHARE = 0.25
"""Of its time in which the thread reads a model's trees, while one is taken up.

A service that is asked for two thirds of what it can answer has a third left, and every request waits its turn behind
this thread: when it took all of its time, and half a second of it, the hundredth answer took three times as long.
"""

SECONDS_UNTIL_AGAIN, MOST_SECONDS_UNTIL_AGAIN = 10.0, 600.0
"""After which a refused version is tried again though nothing was written: a disk that failed once, memory that ran out
or a machine that was too busy passes, and two services of one log would otherwise answer with two versions. Each time
the wait is twice as long, for a trial costs some seconds of a processor."""


class Watch:
    """Looks now and then whether another version has become a card's champion.

    Parameters
    ----------
    loaded : what the service answers with now
    swap : puts another in its place
    log : told of each version that was taken up or refused, once
    record : puts a refusal on record, once; None where nothing is recorded
    """

    def __init__(
        self,
        loaded: Loaded,
        settings: Settings,
        swap: Callable[[Loaded], None],
        log: Callable[[Mapping[str, object]], None],
        record: Callable[[Refusal], object] | None = None,
    ) -> None:
        self._loaded, self._settings, self._swap, self._log, self._record = loaded, settings, swap, log, record
        self._store = ModelStore(settings.home)
        self._refused: dict[str, _Refused] = {}
        self._unrecorded: dict[Refusal, str] = {}
        """Refusals that are not on record yet, with what was said of it."""
        self._failed = ""
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="champion-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a model that is being tried is given up."""
        self._stopped.set()
        self._thread.join(SECONDS_TO_STOP)

    def refused(self) -> dict[str, bool]:
        """Return for each card whether the version that its champion file names was refused, and another serves."""
        return {card: card in self._refused for card in self._loaded.cards}

    def _run(self) -> None:
        while not self._stopped.wait(self._settings.look_seconds):
            self._look()

    def _look(self) -> None:
        try:
            for card in self._loaded.cards:
                self._look_at(card)
            self._put_on_record()
            self._failed = ""
        except Exception as error:  # whatever it is, the next look comes
            if self._failed != (kind := type(error).__name__):
                self._failed = kind
                self._log({"looks again": "champions", "why": kind})

    def _look_at(self, card: str) -> None:
        naming, error = looked(self._store, card)
        serving = self._loaded.cards[card].version
        if error is None and naming.version == serving:
            self._refused.pop(card, None)
            return
        seen, files = self._refused.get(card), files_of(self._store, naming)
        if seen is not None and seen.is_of(naming, files, named=error is None) and time.monotonic() < seen.again_at:
            return
        if error is None:
            self._take_up(naming, files)
        else:
            self._refuse(naming, files, error, named=False)

    def _take_up(self, naming: Naming, files: object = ()) -> None:
        card, version = naming.card, naming.version
        assert version is not None, "a version that cannot be told is refused before"
        before = self._loaded.cards[card].version
        try:
            with _short_turns(), part_time(SHARE):
                arrived = with_version(self._loaded, self._settings, card, version)
            if self._stopped.is_set():
                return
            self._swap(arrived)
        except Exception as error:  # whatever it is, what has been answering goes on answering
            self._refuse(naming, files, error, named=True)
        else:
            self._loaded = arrived
            self._refused.pop(card, None)
            self._log({"champion": card, "version": version, "before": before})

    def _refuse(self, naming: Naming, files: object, error: Exception, *, named: bool) -> None:
        before = self._refused.get(naming.card)
        why = str(error) if isinstance(error, RepayrankError) else type(error).__name__
        refusal = Refusal(
            naming,
            None if naming.version is None else self._store.digest(naming.card, naming.version),
            self._loaded.cards[naming.card].version,
            fault_of(error, self._store, naming),
            error.found if isinstance(error, RepayrankError) else why,
        )
        wait = SECONDS_UNTIL_AGAIN
        if before is not None and before.is_of(naming, files, named=named):
            wait = min(2 * before.wait, MOST_SECONDS_UNTIL_AGAIN)
        self._refused[naming.card] = _Refused(refusal, files, named, wait, time.monotonic() + wait)
        if before is not None and before.refusal == refusal:
            return  # it was said
        told = {"refused": naming.card, "version": naming.version, "goes_on_with": refusal.goes_on_with}
        self._log({**told, "fault": refusal.fault, "why": why})
        if self._record is not None:
            self._unrecorded[refusal] = ""

    def _put_on_record(self) -> None:
        for refusal, said in list(self._unrecorded.items()):
            try:
                assert self._record is not None, "nothing waits to be recorded"
                self._record(refusal)
                del self._unrecorded[refusal]
            except Exception as error:  # a disk that is full, a folder that is gone: tried again at the next look
                kind = type(error).__name__
                self._unrecorded[refusal] = kind
                if said != kind:
                    self._log({"refusal waits": refusal.naming.card, "version": refusal.naming.version, "why": kind})


class _Refused(NamedTuple):
    refusal: Refusal
    files: object
    """What the version's folder held then."""
    named: bool
    """Whether the champion file named a version that was promoted."""
    wait: float
    again_at: float
    """Seconds until it is tried again, and when that is by the monotonic clock."""

    def is_of(self, naming: Naming, files: object, *, named: bool) -> bool:
        """Return whether nothing was written since."""
        return (self.refusal.naming, self.files, self.named) == (naming, files, named)


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS_OF_A_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
