"""A disk or a database that hangs says nothing: who waits is told in time, who comes is refused, and on it goes."""

from __future__ import annotations

import threading
import time

import pytest
from decision_load import wait_until
from decision_logs import KINDS, answer, body, opened, place_of, record
from hypothesis import given
from hypothesis import strategies as st

from serving.records.audit import verify
from serving.records.errors import LogStopped
from serving.records.limits import Limits
from serving.records.pulse import Pulse

EVENT = "score:loan:created"
SHORT = Limits(hanging_seconds=2.0, seconds_unsigned=0.1)


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    return place_of(request.param, tmp_path, request)


class Gate:
    """Something that does not return until it is let go."""

    def __init__(self, through):
        self._through, self.reached, self._open = through, threading.Event(), threading.Event()

    def __call__(self, *given):
        self.reached.set()
        self._open.wait(30)
        return self._through(*given)

    def let_go(self) -> None:
        self._open.set()


def handed_in(store, number):
    return store.submit(f"key-{number}", body(number), EVENT, record(number), answer(number))


@pytest.mark.parametrize("piece", ["begin", "commit"])
def test_a_batch_that_hangs_stops_the_log_until_it_ends(place, monkeypatch, piece):
    with opened(place, SHORT) as store:
        assert handed_in(store, 0).result(20).sequence == 0
        gate = Gate(getattr(store._connection, piece))
        monkeypatch.setattr(store._connection, piece, gate, raising=False)
        first = handed_in(store, 1)
        assert gate.reached.wait(20)
        wait_until(lambda: store.is_stopped, 20)
        with pytest.raises(LogStopped):
            handed_in(store, 2)
        assert not first.done(), "nobody knows what became of it"
        monkeypatch.undo()
        gate.let_go()
        assert first.result(20).sequence == 1
        wait_until(lambda: not store.is_stopped, 20)
        assert handed_in(store, 1).result(20) == first.result()
        assert handed_in(store, 2).result(20).sequence == 2
    assert verify(place).records == 3


def test_whoever_waits_for_a_record_waits_no_longer_than_it_takes_to_know_that_it_hangs(place, monkeypatch):
    with opened(place, SHORT) as store:
        gate = Gate(store._connection.commit)
        monkeypatch.setattr(store._connection, "commit", gate, raising=False)
        began = time.monotonic()
        with pytest.raises(LogStopped):
            store.write("key-1", body(1), EVENT, record(1), answer(1))
        assert time.monotonic() - began >= SHORT.hanging_seconds
        monkeypatch.undo()
        gate.let_go()
        wait_until(lambda: store.size == 1 and not store.is_stopped, 20)
        assert store.write("key-1", body(1), EVENT, record(1), b"another").answer == answer(1)


def test_a_signature_that_hangs_stops_the_log_until_it_ends(place, monkeypatch):
    with opened(place, SHORT) as store:
        gate = Gate(store._anchors.append)
        monkeypatch.setattr(store._anchors, "append", gate)
        assert handed_in(store, 0).result(20).sequence == 0
        assert gate.reached.wait(20)
        wait_until(lambda: store.is_stopped, 20)
        gate.let_go()
        wait_until(lambda: not store.is_stopped, 20)
        assert handed_in(store, 1).result(20).sequence == 1
    assert verify(place).signed == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sqlite"])
def test_while_the_process_that_signs_hangs_no_other_acknowledges_what_nobody_signs(
    kind, tmp_path, request, monkeypatch
):
    place = place_of(kind, tmp_path, request)
    with opened(place, SHORT) as signer, opened(place, SHORT) as other:
        assert handed_in(other, 0).result(20).sequence == 0
        gate = Gate(signer._anchors.append)
        monkeypatch.setattr(signer._anchors, "append", gate)
        assert handed_in(other, 1).result(20).sequence == 1
        assert gate.reached.wait(20)
        wait_until(lambda: other.is_stopped, 20)
        with pytest.raises(LogStopped):
            handed_in(other, 2)
        gate.let_go()
        wait_until(lambda: not other.is_stopped, 20)
        assert handed_in(other, 2).result(20).sequence == 2
    assert verify(place).records == 3


@given(st.lists(st.tuples(st.floats(0, 9), st.sampled_from(["moves", "rests", "all"])), max_size=12))
def test_the_log_hangs_exactly_when_records_wait_for_a_signature_and_none_came_for_too_long(steps):
    now, moved, signed, size = 0.0, None, 0, 0
    pulse = Pulse(lambda: now, 10)
    for seconds, what in steps:
        now += seconds
        assert pulse.hangs == (moved is not None and now - moved > 10)
        size += 5
        signed = size if what == "all" else signed + (what == "moves")
        moved = None if what == "all" else now if what == "moves" or moved is None else moved
        pulse.saw(signed, size)


@given(st.floats(0, 100), st.booleans())
def test_work_hangs_exactly_while_it_lasts_longer_than_it_may(seconds, ends):
    now = 0.0
    pulse = Pulse(lambda: now, 10)
    with pulse.at_work():
        now = seconds
        assert pulse.hangs == (seconds > 10)
    assert not pulse.hangs
    if ends:
        with pytest.raises(ValueError, match="x"), pulse.at_work():
            raise ValueError("x")
        now += 100
        assert not pulse.hangs
