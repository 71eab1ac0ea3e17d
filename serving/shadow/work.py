"""`repayrank shadow` at work: how far it has come is told, and SIGTERM or Ctrl-C ends it between two steps."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

from models.challengers import required
from models.score_pairs import Outcome, ScorePairs
from models.store import ModelStore
from models.terminal import say_both
from serving.decisions.archive import Archive
from serving.shadow import words
from serving.shadow.following import shadowed
from serving.shadow.idle import Courtesy, ServiceRunning


def work(
    archive: Archive, card: str, version: str | None, *, every: float | None, beside: bool = False
) -> dict[str, Any]:
    """Score in shadow and return what was done, by the version that did it last.

    Parameters
    ----------
    every : seconds between looks for new decisions, until the process is told to end; None for one look
    beside : work at the lowest priority also while other processes of the machine run

    Raises
    ------
    ModelRefused : there is no challenger, or it cannot be used
    AuditBroken : the log is not what was written
    """
    done: Counter[str] = Counter()
    last = version or required(ModelStore(archive.home), card)
    say_both(words.BEGINS.filled(card=card))
    with _told_to_end() as ended:

        def wait() -> bool:
            return not ended.wait(every)

        courtesy = None if beside else Courtesy(ended.is_set, ServiceRunning(archive.place.lock), say=say_both)
        steps = shadowed(archive, card, version, wait=None if every is None else wait, say=say_both, courtesy=courtesy)
        for at, step in steps:
            if at != last:
                done, last = Counter(), at
            done += step.decisions
            say_both(
                words.STEP.filled(
                    version=at,
                    records=words.records(step.records),
                    left=f"{step.left:,}",
                    decisions=words.decisions(done),
                )
            )
            if ended.is_set():
                break
        steps.close()
    told = ScorePairs.of(archive.state, card, last)
    return {
        "card": card,
        "version": last,
        "decisions": {outcome.value: done[outcome.value] for outcome in Outcome},
        "records": told.records,
        "folder": str(told.folder),
    }


@contextmanager
def _told_to_end() -> Iterator[Event]:
    """Yield what is set by SIGTERM and by Ctrl-C."""
    ended = Event()

    def end(_: int, __: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
