"""Long work takes the share of its time that it was given, and all of it where nobody waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from models import pauses
from models.pauses import part_time, with_pauses

PIECES = 40
SECONDS_OF_A_PIECE = 0.002


def worked(pieces: Iterator[int]) -> float:
    """Return the seconds of the processor that it took to go through the pieces, each of which is some work."""
    began = time.thread_time()
    for _ in pieces:
        until = time.thread_time() + SECONDS_OF_A_PIECE
        while time.thread_time() < until:
            pass
    return time.thread_time() - began


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(pauses, "time", SimpleNamespace(sleep=found.append, thread_time=time.thread_time))
    return found


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_it_rests_as_long_as_its_share_asks_for(slept: list[float], share: float):
    with part_time(share):
        took = worked(with_pauses(range(PIECES)))
    assert min(slept) >= (1 / share - 1) * pauses.SECONDS_OF_WORK
    assert took / (took + sum(slept)) == pytest.approx(share, rel=0.1)  # of the last pieces some is left unrested


@pytest.mark.parametrize("before", [None, 1.0])
def test_work_that_nobody_waits_behind_never_rests(slept: list[float], before: float | None):
    with ExitStack() as given:
        if before:
            given.enter_context(part_time(before))
        worked(with_pauses(range(PIECES)))
    with pytest.raises(RuntimeError), part_time(0.1):
        raise RuntimeError
    worked(with_pauses(range(PIECES)))
    assert slept == []


def test_the_pieces_come_as_they_are(slept: list[float]):
    with part_time(0.5):
        assert list(with_pauses("abc")) == list("abc")
        assert list(with_pauses([])) == []
