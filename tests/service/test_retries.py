"""A request may be sent as often as its caller likes, whoever is killed or cut off meanwhile: it is decided once.

REPAYRANK_RETRIED_REQUESTS sets how many keys are sent one to five times each, REPAYRANK_HTTP_CUTS how many connections
are cut around a request; a release asks for 300,000 and 10,000.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_ledger import NOTHING, Ledger, Line, Request, Traffic, require_reconciled
from cutting_http_proxy import MODES, HttpProxy
from decision_load import wait_until
from standing_service import SECONDS_TO_START, Standing

pytestmark = pytest.mark.slow

KEYS = int(os.environ.get("REPAYRANK_RETRIED_REQUESTS", "400"))
CUTS = int(os.environ.get("REPAYRANK_HTTP_CUTS", "300"))
SEED = int(os.environ.get("REPAYRANK_RETRY_SEED", "0"))

CALLERS = 16
MOST_TIMES = 5
WITH_ANOTHER_BODY = 0.3
MIXED_TOGETHER = 32
"""Keys whose sendings are shuffled among each other, so that some of them meet."""

CUT_SHARE = 0.5
PATIENCE_SECONDS, HELD_SECONDS = 1.0, 1.5
CUT_SECONDS_EACH = 0.5
"""Longest time that a cut may take in the mean."""

Questions = list[tuple[str, bytes]]


def keyed(questions: Questions, seed: int, prefix: str) -> Iterator[Request]:
    """Yield requests without end, each with a key of its own."""
    chosen = random.Random(seed)
    for number in itertools.count():
        yield Request(f"{prefix}-{seed}-{number}", *chosen.choice(questions))


def retried(requests: list[Request], questions: Questions, chosen: random.Random) -> Iterator[Request]:
    """Yield each request one to five times, some of them with another body under the same key between."""
    for begin in range(0, len(requests), MIXED_TOGETHER):
        sendings = []
        for request in requests[begin : begin + MIXED_TOGETHER]:
            sendings += [request] * chosen.randint(1, MOST_TIMES)
            if chosen.random() < WITH_ANOTHER_BODY:
                others = [question for question in questions if question != (request.path, request.body)]
                sendings += [Request(request.key, *chosen.choice(others))] * chosen.randint(1, 2)
        chosen.shuffle(sendings)
        yield from sendings


@pytest.fixture(scope="module")
def service(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with Standing(home, tmp_path_factory.mktemp("retried") / "state") as started:
        started.start()
        yield started


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


def test_a_request_that_is_sent_again_and_again_is_decided_once_also_across_a_kill(
    service: Standing, ledger: Ledger, questions: Questions
) -> None:
    print(f"seed {SEED}")  # noqa: T201
    chosen, before = random.Random(SEED), len(ledger.told)
    requests = list(itertools.islice(keyed(questions, SEED, "retried"), KEYS))
    old, half = requests[: KEYS // 2], KEYS // 2
    # What was answered before the kill comes again after it, among what is new.
    again = [*requests[half:], *chosen.sample(old, len(old) // 4)]
    chosen.shuffle(again)
    sendings = itertools.chain(retried(old, questions, chosen), retried(again, questions, chosen))

    def send(line: Line, request: Request) -> None:
        if ledger.send(line, request) is None:
            wait_until(lambda: service.readiness() == 200, SECONDS_TO_START)

    traffic = Traffic(sendings, send, service.lines(CALLERS))
    wait_until(lambda: len(ledger.told) - before >= half // 2 or traffic.is_over, 1e9)
    service.kill()
    service.start()
    traffic.join()
    statuses = ledger.statuses.copy()
    # One after another, nothing else is at work: the answer is there, or the key was another body's.
    line = service.line()
    for request in requests:
        settled = ledger.settle(line, request)
        assert settled.status == 200 or settled.code == "key_reused"
    assert ledger.statuses[409] == statuses[409]
    assert set(ledger.statuses) <= {200, 409, 422, NOTHING}
    assert ledger.statuses[409] and ledger.statuses[422]
    assert len(ledger.told) == before + KEYS
    require_reconciled(ledger, service.archive(), seed=SEED)
    print(f"{sum(ledger.statuses.values())} sendings of {KEYS} keys: {dict(ledger.statuses)}")  # noqa: T201


def test_a_connection_that_is_cut_around_its_request_doubles_nothing_and_the_answer_is_given_again(
    service: Standing, ledger: Ledger, questions: Questions
) -> None:
    print(f"seed {SEED}")  # noqa: T201
    before = ledger.statuses.copy()
    proxy = HttpProxy(service.address, SEED, CUT_SHARE, HELD_SECONDS)

    def settle(line: Line, request: Request) -> None:
        ledger.settle(line, request)

    lines = service.lines_through(proxy.address, count=CALLERS, seconds=PATIENCE_SECONDS)
    traffic = Traffic(keyed(questions, SEED, "cut"), settle, lines)
    wait_until(lambda: sum(proxy.cuts.values()) >= CUTS or traffic.is_over, 60 + CUTS * CUT_SECONDS_EACH)
    proxy.cutting = False
    traffic.end()
    proxy.close()
    seen = ledger.statuses - before
    assert set(proxy.cuts) == set(MODES)
    assert set(seen) <= {200, 409, NOTHING}
    line = service.line()
    for told in random.Random(SEED).sample(list(ledger.told.values()), min(100, len(ledger.told))):
        answer = ledger.send(line, told.request)
        assert answer is not None
        assert answer.status == 200
    require_reconciled(ledger, service.archive(), seed=SEED)
    print(f"{sum(proxy.cuts.values())} cuts of {traffic.taken} requests: {dict(seen)}")  # noqa: T201
    assert service.stop() == 0
