"""Another program locks a database of the service, or takes it away: callers are told so soon, and it is seen.

REPAYRANK_LOCK_SECONDS sets how long a lock is held; a release asks for 30.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from client_ledger import Ledger, Line, Request, Traffic, require_reconciled
from decision_load import wait_until
from standing_service import Standing

pytestmark = pytest.mark.slow

LOCK_SECONDS = float(os.environ.get("REPAYRANK_LOCK_SECONDS", "5"))
CALLERS = 24
LONGEST_WAIT_SECONDS = 4.0
"""The limit of waiting (row D5: 2 s), with some room for a machine that is busy."""

BACK_SECONDS = 1.0
NOTICED_SECONDS = 5.0
"""Row D6."""

Questions = list[tuple[str, bytes]]


@pytest.mark.parametrize("database", ["decisions/records.sqlite", "subjects/subjects.sqlite"])
def test_while_another_program_holds_a_database_nobody_waits_long_and_afterwards_it_goes_on(
    standing: Callable[..., Standing], questions: Questions, database: str
) -> None:
    ledger, service = Ledger(), standing()
    service.start()
    # What was answered before is asked again too: it needs the databases as well.
    before = [Request(f"before-{number}", *questions[number % len(questions)]) for number in range(40)]
    line = Line(service.address, service.token)
    for request in before:
        ledger.settle(line, request)
    new = (Request(f"new-{number}", *questions[number % len(questions)]) for number in itertools.count())
    asked = itertools.chain.from_iterable(zip(itertools.cycle(before), new, strict=False))
    refused, taken = [], {}

    def ask(line: Line, request: Request) -> None:
        taken[request.key] = request
        answer = ledger.send(line, request)
        if answer is not None and answer.status != 200:
            refused.append((answer.code, answer.headers.get("retry-after")))
            time.sleep(0.05)

    with closing(sqlite3.connect(service.state / database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        traffic = Traffic(service.address, service.token, asked, ask, callers=CALLERS)
        time.sleep(LOCK_SECONDS)
        answered = len(ledger.told)
        other.execute("ROLLBACK")
    freed = time.monotonic()
    wait_until(lambda: len(ledger.told) > answered, BACK_SECONDS)
    back = time.monotonic() - freed
    assert answered == len(before), "nothing new is answered that is not on record"
    traffic.end()
    longest = max(seconds for status in (200, 503) for seconds in ledger.seconds(status))
    print(f"{dict(ledger.statuses)}, longest {longest:.2f} s, back after {back:.2f} s")  # noqa: T201
    # One key is asked by several at a time, so that some meet: 409.
    assert set(ledger.statuses) <= {200, 409, 503}
    assert {code for code, _ in refused} - {"running"} == {"log_busy"}
    assert all(int(again or 0) >= 1 for _, again in refused)
    assert longest < LONGEST_WAIT_SECONDS
    for request in taken.values():
        assert ledger.settle(line, request).status == 200
    assert service.stop() == 0
    require_reconciled(ledger, service.archive(), seed=0)


def test_a_log_that_is_taken_away_is_noticed_although_nobody_asks(
    standing: Callable[..., Standing], questions: Questions
) -> None:
    ledger, service = Ledger(), standing()
    service.start()
    line = Line(service.address, service.token)
    ledger.settle(line, Request("before", *questions[0]))
    (service.state / "decisions" / "records.sqlite").unlink()
    wait_until(lambda: service.readiness() == 503, NOTICED_SECONDS)
    refused = Line(service.address, service.token).post(Request("after", *questions[1]))
    assert refused is not None
    assert (refused.status, refused.code) == (503, "log_stopped")
    assert service.stop() == 0
    # It is not taken for a new log at the next start.
    service.begin(shipped=True)
    assert service.process.wait(120) == 13
    assert not Path(service.state / "decisions" / "records.sqlite").exists()
