"""Long work beside a service that answers pauses now and then: the interpreter is one, and callers come first."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

SECONDS_OF_WORK = 0.003
"""Between two pauses, at least: shorter ones would cost more than they give."""
WHOLE = 1.0
_share: ContextVar[float] = ContextVar("share", default=WHOLE)
T = TypeVar("T")


@contextmanager
def part_time(share: float) -> Iterator[None]:
    """Let what `with_pauses` meets in this thread have a share of its time, above 0 and at most 1."""
    before = _share.set(share)
    try:
        yield
    finally:
        _share.reset(before)


def with_pauses(pieces: Iterable[T]) -> Iterator[T]:
    """Yield the pieces of a long work, and rest between them as long as the thread's share asks for; most have all."""
    rest = 1 / _share.get() - 1
    began = time.thread_time()
    for piece in pieces:
        yield piece
        if rest and (worked := time.thread_time() - began) >= SECONDS_OF_WORK:
            time.sleep(rest * worked)
            began = time.thread_time()
