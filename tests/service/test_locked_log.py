"""Another program locks a database of the service, or takes it away: callers are told so soon, and it is seen.

REPAYRANK_LOCK_SECONDS sets how long a lock is held; a release asks for 30.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from client_ledger import PAUSE_SECONDS, Answer, Ledger, Line, Request, Traffic, require_reconciled
from decision_load import wait_until
from standing_service import Standing

pytestmark = pytest.mark.slow

LOCK_SECONDS = float(os.environ.get("REPAYRANK_LOCK_SECONDS", "5"))
CALLERS = 24
ANSWERED_BEFORE = 40
LONGEST_WAIT_SECONDS = 4.0
"""The limit of waiting (row D5: 2 s), with some room for a machine that is busy."""

BACK_SECONDS = 1.0
NOTICED_SECONDS = 5.0
"""Row D6."""

Questions = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def service(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with Standing(home, tmp_path_factory.mktemp("locked") / "state") as started:
        started.start()
        yield started


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.parametrize("database", ["decisions/records.sqlite", "subjects/subjects.sqlite"])
def test_while_another_program_holds_a_database_nobody_waits_long_and_afterwards_it_goes_on(
    service: Standing, ledger: Ledger, questions: Questions, database: str
) -> None:
    # What was answered before is asked again too: it needs the databases as well.
    before = [Request(f"{database}-before-{at}", *questions[at % len(questions)]) for at in range(ANSWERED_BEFORE)]
    line = service.line()
    for request in before:
        ledger.settle(line, request)
    known = len(ledger.told)
    new = (Request(f"{database}-new-{at}", *questions[at % len(questions)]) for at in itertools.count())
    asked = itertools.chain.from_iterable(zip(itertools.cycle(before), new, strict=False))
    taken: dict[str, Request] = {}
    refused: list[Answer] = []
    waited: list[float] = []

    def ask(line: Line, request: Request) -> None:
        taken[request.key] = request
        began = time.monotonic()
        answer = ledger.send(line, request)
        waited.append(time.monotonic() - began)
        assert answer is not None
        if answer.status != 200:
            refused.append(answer)
            time.sleep(PAUSE_SECONDS)

    with closing(sqlite3.connect(service.state / database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        traffic = Traffic(asked, ask, service.lines(CALLERS))
        time.sleep(LOCK_SECONDS)
        answered = len(ledger.told)
        other.execute("ROLLBACK")
    freed = time.monotonic()
    wait_until(lambda: len(ledger.told) > answered, BACK_SECONDS)
    back = time.monotonic() - freed
    traffic.end()
    told = Counter(answer.code for answer in refused)
    print(f"{len(waited)} asked, refused {dict(told)}, longest {max(waited):.2f} s, back after {back:.2f} s")  # noqa: T201
    assert answered == known, "nothing new is answered that is not on record"
    # A key that is asked by two at a time is told so.
    assert set(told) - {"running"} == {"log_busy"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert max(waited) < LONGEST_WAIT_SECONDS
    for request in taken.values():
        assert ledger.settle(line, request).status == 200
    require_reconciled(ledger, service.archive(), seed=0)


def test_a_log_that_is_taken_away_is_noticed_although_nobody_asks(service: Standing, questions: Questions) -> None:
    assert service.readiness() == 200
    (service.state / "decisions" / "records.sqlite").unlink()
    wait_until(lambda: service.readiness() == 503, NOTICED_SECONDS)
    refused = service.line().post(Request("after", *questions[1]))
    assert refused is not None
    assert (refused.status, refused.code) == (503, "log_stopped")
    assert service.stop() == 0
