"""SIGTERM with a hundred requests in flight: each is answered, all is signed, and what comes later is not lost."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from client_ledger import NOTHING, Ledger, Request, Traffic, require_reconciled
from decision_load import wait_until
from standing_service import Standing

from serving.records.audit import verify
from serving.server import SECONDS_TO_FINISH

pytestmark = pytest.mark.slow

IN_FLIGHT, HALF_SENT = 100, 10
LOANS_EACH = 20
EVERY_SECONDS, LEAVE_SECONDS = 0.02, 2.0
SECONDS_TO_SEND_THE_REST = 4.0
"""Within the time that the service gives a body."""

LAST_ANSWER_TO_EXIT_SECONDS = 5.0
"""Row S8."""


@dataclass(frozen=True)
class Stopped:
    """What was seen of a service that was told to stop.

    Attributes
    ----------
    begun : how many of those in flight were answered before
    held, late : what was asked before and after, by whoever asks once
    readiness : what new connections were told of it from then on, 0 where nobody took them
    seconds : from the signal to the last answer, and from there to the exit
    """

    service: Standing
    begun: int
    held: Ledger
    late: Ledger
    late_requests: list[Request]
    readiness: list[int]
    seconds: tuple[float, float]
    code: int


@pytest.fixture(scope="module")
def stopped(
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request_for: Callable[..., dict[str, Any]],
    overdue_ids: list[str],
    questions: list[tuple[str, bytes]],
) -> Iterator[Stopped]:
    state = tmp_path_factory.mktemp("told") / "state"
    # More than usual are let in, so that no request is told to come again.
    with Standing(home, state, most_in_flight=2 * IN_FLIGHT, leave_seconds=LEAVE_SECONDS) as service:
        service.start()
        held, late, readiness, codes = Ledger(), Ledger(), [], []
        body = json.dumps(request_for(*overdue_ids[:LOANS_EACH])).encode()
        requests = [Request(f"held-{number}", "/v1/rank", body) for number in range(IN_FLIGHT)]
        half_sent = [Request(f"half-sent-{number}", "/v1/rank", body) for number in range(HALF_SENT)]
        arrived, told = threading.Semaphore(0), threading.Event()
        slow = service.lines(HALF_SENT)
        for line in slow:
            line.halfway = lambda: (arrived.release(), told.wait(SECONDS_TO_SEND_THE_REST))
        slow_traffic = Traffic(half_sent, held.send, slow)
        assert all(arrived.acquire(timeout=30.0) for _ in half_sent)
        traffic = Traffic(requests, held.send, service.lines(IN_FLIGHT))
        wait_until(lambda: service.measure("repayrank_in_flight") + len(held.told) >= IN_FLIGHT)
        begun = len(held.told)
        stopping = threading.Thread(target=lambda: codes.append(service.stop(SECONDS_TO_FINISH)))

        def look() -> None:
            while stopping.is_alive():
                readiness.append(service.readiness())
                time.sleep(EVERY_SECONDS)

        looking = threading.Thread(target=look)
        told_at = time.monotonic()
        stopping.start()
        looking.start()
        time.sleep(EVERY_SECONDS)
        told.set()
        late_requests: list[Request] = []
        while stopping.is_alive():
            late_requests.append(Request(f"late-{len(late_requests)}", *questions[len(late_requests) % len(questions)]))
            line = service.line()
            late.send(line, late_requests[-1])
            line.close()
            time.sleep(EVERY_SECONDS)
        ended_at = time.monotonic()
        for one in (traffic, slow_traffic, looking):
            one.join()
        answered_at = max(ledger.last.ended for ledger in (held, late) if ledger.last is not None)
        seconds = answered_at - told_at, ended_at - answered_at
        yield Stopped(service, begun, held, late, late_requests, readiness, seconds, *codes)


def test_every_request_that_was_accepted_is_answered(stopped: Stopped) -> None:
    assert stopped.begun < IN_FLIGHT / 2, "most were answered before it was told to stop"
    assert stopped.held.statuses == {200: IN_FLIGHT + HALF_SENT}
    last, exit_after = stopped.seconds
    left = IN_FLIGHT + HALF_SENT - stopped.begun
    print(f"{left} in flight, the last answered {last:.2f} s after the signal, exit {exit_after:.2f} s later")  # noqa: T201
    print(f"meanwhile: {dict(stopped.late.statuses)}, readiness {sorted(set(stopped.readiness))}")  # noqa: T201


def test_the_process_ends_well_soon_after_the_last_answer(stopped: Stopped) -> None:
    assert stopped.code == 0
    assert stopped.seconds[1] < LAST_ANSWER_TO_EXIT_SECONDS


def test_nothing_is_left_to_write_or_to_sign(stopped: Stopped) -> None:
    place = stopped.service.archive().place
    assert not place.database.with_name(f"{place.database.name}-wal").exists()
    report = verify(place)
    assert report.signed == report.records == len(stopped.held.told) + len(stopped.late.told)


def test_once_it_is_not_ready_it_is_not_ready_again(stopped: Stopped) -> None:
    assert 200 not in list(itertools.dropwhile(lambda status: status == 200, stopped.readiness))


def test_it_says_that_it_is_not_ready_before_it_takes_no_more_connections(stopped: Stopped) -> None:
    assert next(status for status in stopped.readiness if status != 200) == 503
    assert stopped.late.statuses[200], "what comes while it leaves is answered"


def test_what_comes_later_is_refused_without_a_doubt_and_answered_after_the_next_start(stopped: Stopped) -> None:
    assert set(stopped.late.statuses) <= {200, 503, NOTHING}
    service, answered = stopped.service, Ledger()
    service.start()
    line = service.line()
    for request in stopped.late_requests:
        assert answered.settle(line, request).status == 200
    for first in (stopped.held, stopped.late):
        for told in first.told.values():
            answered.settle(line, told.request)
            assert answered.told[told.request.key] == told
    assert service.stop() == 0
    require_reconciled(answered, service.archive(), seed=0)
