"""`repayrank shadow` at work: how far it has come is told, and SIGTERM or Ctrl-C ends it between two steps."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

from models.score_pairs import Outcome, ScorePairs
from serving.decisions.archive import Archive
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
    last = version
    _say(f"scores the {card} card in shadow; ends with SIGTERM or Ctrl-C")
    with _told_to_end() as ended:

        def wait() -> bool:
            return not ended.wait(every)

        courtesy = None if beside else Courtesy(ended.is_set, ServiceRunning(archive.place.lock), say=_say)
        steps = shadowed(archive, card, version, wait=None if every is None else wait, say=_say, courtesy=courtesy)
        for at, step in steps:
            if at != last:
                done, last = Counter(), at
            done += step.decisions
            _say(f"version {at}: {step.records:,} records worked through, {step.left:,} left; {_counted(done)}")
            if ended.is_set():
                break
        steps.close()
    told = ScorePairs.of(archive.state, card, last) if last else None
    return {
        "card": card,
        "version": last,
        "decisions": {outcome.value: done[outcome.value] for outcome in Outcome},
        "records": told.records if told else 0,
        "folder": str(told.folder) if told else None,
    }


def _counted(done: Counter[str]) -> str:
    told = ", ".join(
        f"{count:,} {WORDS[Outcome(name)]}" for name, count in sorted(done.items()) if name != Outcome.SCORED
    )
    return f"{done[Outcome.SCORED]:,} decisions scored" + (f" ({told})" if told else "")


WORDS = {
    Outcome.ERASED: "of borrowers who were erased",
    Outcome.OWN: "that it had decided itself",
    Outcome.OTHER_FEATURES: "on ready features that it does not read",
    Outcome.REFUSED: "that it takes no part in",
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


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
