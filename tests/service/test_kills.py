"""The service is killed under load: who was answered is on record, and who was not asks again.

REPAYRANK_SERVICE_KILLS sets how many times it is killed, REPAYRANK_SUPERVISED_KILLS how many times under a supervisor,
and REPAYRANK_SECONDS_BETWEEN_KILLS how often; a release asks for 200, 60 and 10.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator

import pytest
from client_ledger import NOTHING, Ledger, Line, Request, Traffic, require_reconciled
from decision_load import wait_until
from postgresql_server import started
from standing_service import HAS_URL, Standing

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("REPAYRANK_SERVICE_KILLS", "2"))
KILLS = int(os.environ.get("REPAYRANK_SUPERVISED_KILLS", "1"))
BETWEEN_SECONDS = float(os.environ.get("REPAYRANK_SECONDS_BETWEEN_KILLS", "1.5"))
SEED = int(os.environ.get("REPAYRANK_KILL_SEED", "0"))

CALLERS = 16
AS_SHIPPED = 10
"""Of so many starts one is that of the service as it is shipped, which compiles for some seconds."""

MOST_ANSWERED_BETWEEN_KILLS = 300
SUCCEEDS = 0.999
LONGEST_ABSENCE_SECONDS = 90.0

Questions = list[tuple[str, bytes]]


@pytest.fixture
def asked(questions: Questions) -> Iterator[Request]:
    """Yield requests without end, each with a key of its own."""
    chosen = random.Random(SEED)
    return (Request(f"killed-{SEED}-{number}", *chosen.choice(questions)) for number in itertools.count())


def killed_under_load(services: list[Standing], asked: Iterator[Request]) -> Ledger:
    """Return what callers of services on one log were answered while one of them was killed after the other."""
    chosen, ledger = random.Random(SEED), Ledger()
    for service in services:
        service.start()

    def settle(line: Line, request: Request) -> None:
        ledger.settle(line, request)

    addresses = [service.address for service in services]
    traffic = Traffic(asked, settle, services[0].lines_through(*addresses, count=CALLERS))
    for turn in range(1, ROUNDS + 1):
        service = chosen.choice(services)
        wanted = len(ledger.told) + chosen.randint(1, MOST_ANSWERED_BETWEEN_KILLS)
        wait_until(lambda: len(ledger.told) >= wanted or traffic.is_over, LONGEST_ABSENCE_SECONDS)  # noqa: B023
        service.kill()
        service.start(shipped=turn % AS_SHIPPED == 0)
    traffic.end()
    return ledger


def test_whoever_was_answered_is_on_record_once_however_often_the_service_is_killed(
    standing: Callable[..., Standing], asked: Iterator[Request]
) -> None:
    print(f"seed {SEED}")  # noqa: T201
    service = standing()
    ledger = killed_under_load([service], asked)
    assert set(ledger.statuses) <= {200, NOTHING}
    assert ledger.statuses[NOTHING]
    assert service.stop() == 0
    report = require_reconciled(ledger, service.archive(), seed=SEED)
    assert report.signed == report.records
    print(f"{ROUNDS} kills, {report.records} records, {dict(ledger.statuses)}")  # noqa: T201


@pytest.mark.skipif(not HAS_URL, reason="the service keeps its log in SQLite only")
def test_whoever_was_answered_is_on_record_once_with_two_services_on_one_log_in_postgresql(
    standing: Callable[..., Standing], asked: Iterator[Request]
) -> None:
    server = started()
    first = standing(database_url=server.new())
    with first.beside() as second:
        ledger = killed_under_load([first, second], asked)
        assert first.stop() == second.stop() == 0
    require_reconciled(ledger, first.archive(), seed=SEED)
    server.remove()


def test_one_retry_that_waits_until_the_service_is_ready_is_enough_under_a_supervisor(
    standing: Callable[..., Standing], asked: Iterator[Request]
) -> None:
    ledger, service, failed, away = Ledger(), standing(), [], []

    def ask_twice_at_most(line: Line, request: Request) -> None:
        for _ in range(2):
            answer = ledger.send(line, request)
            if answer is not None and answer.status == 200:
                return
            wait_until(lambda: service.readiness() == 200, LONGEST_ABSENCE_SECONDS)
        failed.append(request)

    with service.supervised():
        service.wait_until_ready()
        traffic = Traffic(asked, ask_twice_at_most, service.lines(CALLERS))
        for _ in range(KILLS):
            time.sleep(BETWEEN_SECONDS)
            killed_at = time.monotonic()
            service.kill()
            wait_until(lambda: ledger.is_answered_since(killed_at), LONGEST_ABSENCE_SECONDS)  # noqa: B023
            away.append(ledger.last.ended - killed_at)
        traffic.end()
    line = service.line()
    print(f"{len(failed)} of {traffic.taken} failed; first answer {[round(one, 1) for one in away]} s after the kill")  # noqa: T201
    assert len(failed) <= (1 - SUCCEEDS) * traffic.taken
    for request in failed:
        ledger.settle(line, request)
    assert service.stop() == 0
    require_reconciled(ledger, service.archive(), seed=SEED)
