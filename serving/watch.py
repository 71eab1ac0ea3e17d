"""A new champion is taken up while the service answers; when anything is wrong with it, the old one goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread

from features.errors import RepayrankError
from models.pauses import part_time
from serving.settings import Settings
from serving.state import Loaded, changed, with_version

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


class Watch:
    """Looks now and then whether another version has become a card's champion.

    Parameters
    ----------
    loaded : what the service answers with now
    swap : puts another in its place
    log : told of each version that was taken up or refused, once
    """

    def __init__(
        self,
        loaded: Loaded,
        settings: Settings,
        swap: Callable[[Loaded], None],
        log: Callable[[Mapping[str, object]], None],
    ) -> None:
        self._loaded, self._settings, self._swap, self._log = loaded, settings, swap, log
        self._refused: set[tuple[str, str]] = set()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="champion-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a model that is being tried is given up."""
        self._stopped.set()
        self._thread.join(SECONDS_TO_STOP)

    def _run(self) -> None:
        while not self._stopped.wait(self._settings.look_seconds):
            wanted = changed(self._loaded, self._settings)
            # A version that was refused is looked at again only after another has been champion.
            self._refused &= set(wanted.items())
            for card, version in wanted.items():
                if (card, version) not in self._refused:
                    self._take_up(card, version)

    def _take_up(self, card: str, version: str) -> None:
        before = self._loaded.cards[card].version
        try:
            with _short_turns(), part_time(SHARE):
                arrived = with_version(self._loaded, self._settings, card, version)
        except RepayrankError as error:
            self._refuse(card, version, before, str(error))
        except Exception as error:  # whatever it is, what has been answering goes on answering
            self._refuse(card, version, before, type(error).__name__)
        else:
            if not self._stopped.is_set():
                self._loaded = arrived
                self._swap(arrived)
                self._log({"champion": card, "version": version, "before": before})

    def _refuse(self, card: str, version: str, before: str, why: str) -> None:
        self._refused.add((card, version))
        self._log({"refused": card, "version": version, "goes_on_with": before, "why": why})


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS_OF_A_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
