"""Two services on one log in PostgreSQL: each request is answered once, whichever is asked, and one outlives the other.

REPAYRANK_SHARED_ROUNDS sets how many times a service is killed under load, the two in turn; a release asks for 20.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from postgresql_server import Server, started
from running_services import Callers, Service, Told, audit, home_with_models, wait_until

from features.errors import ConfigurationRefused
from serving.decisions.opening import opened_recorder, place_to_check, subjects_in
from serving.ids import score_ids
from serving.records.opening import database_of
from serving.records.tables import reading
from serving.settings import DEFAULT_LOG_NAME, Settings, records_in
from serving.state import Loaded

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("REPAYRANK_SHARED_ROUNDS", "2"))
SEED = int(os.environ.get("REPAYRANK_SHARED_SEED", "0"))
CALLERS = 4
AT_ONCE = 12
BETWEEN_KILLS = 40
ASKED_AGAIN = 20


class Pair(NamedTuple):
    """Two services on one log, and the tokens with which both are asked."""

    services: list[Service]
    engine: str
    admin: str
    reviewer: str
    home: Path
    url: str

    @property
    def there(self) -> tuple[str, ...]:
        return ("--home", str(self.home), "--database-url", self.url)


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    server = started()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def pair(home: Path, database: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Start both at once where nothing is: one of them makes keys, vault and log."""
    folder, url = tmp_path_factory.mktemp("shared"), database.new()
    state = home_with_models(home, folder / "home")
    both = [Service(state, folder / f"service-{number}.log", url) for number in range(2)]
    with ThreadPoolExecutor(len(both)) as starting:
        list(starting.map(Service.start, both))
    tokens = both[0].child.tokens
    yield Pair(both, tokens["engine"], tokens["admin"], tokens["reviewer"], state, url)
    for service in both:
        service.stop()


def checked(pair: Pair, *words: str) -> Any:
    return json.loads(audit(*words, *pair.there, "--json"))


def signed(service: Service, token: str) -> int:
    """Return how many records the newest checkpoint covers, by what a service says."""
    return int(service.ask("/v1/audit/checkpoint", token).body.split(b"\n")[1])


def test_the_same_request_at_two_services_at_once_is_written_once_and_answered_with_the_same_bytes(
    pair: Pair, request_for: Callable[..., Any], overdue_ids: list[str]
) -> None:
    before = checked(pair, "verify")["records"]
    told: dict[int, list[Told]] = {number: [] for number in range(AT_ONCE)}
    for number, answers in told.items():
        body = json.dumps(request_for(*overdue_ids[number : number + 2])).encode()
        start = threading.Barrier(2)

        def ask(service: Service) -> None:
            start.wait()  # noqa: B023
            answers.append(service.ask("/v1/score", pair.engine, body, f"once-{number}"))  # noqa: B023

        asking = [threading.Thread(target=ask, args=(service,)) for service in pair.services]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert [{answer.status for answer in answers} for answers in told.values()] == [{200}] * AT_ONCE
    assert [len(set(answers)) for answers in told.values()] == [1] * AT_ONCE
    assert len({answers[0].record for answers in told.values()}) == AT_ONCE
    assert checked(pair, "verify")["records"] == before + AT_ONCE


def test_while_the_database_is_away_both_say_so_and_both_go_on_by_themselves_when_it_is_back(
    pair: Pair, database: Server, request_for: Callable[..., Any], overdue_ids: list[str]
) -> None:
    body = json.dumps(request_for(overdue_ids[300])).encode()
    database.stop("immediate")
    try:
        for service in pair.services:
            assert service.ask("/v1/score", pair.engine, body, "while-away").status == 503
            wait_until(lambda: service.ask("/readyz", pair.engine).status == 503)  # noqa: B023
            assert service.ask("/livez", pair.engine).status == 200
            told = service.ask(f"/v1/decisions/{score_ids(1)[0]}", pair.reviewer, reason="a complaint of today")
            assert told.status == 503, "a reviewer's search is no fault of the reviewer's"
            assert not [word for word in (b"socket", b"log@", b"search_path", b"host=") if word in told.body]
    finally:
        database.start()
    up = time.monotonic()
    for service in pair.services:
        wait_until(lambda: service.ask("/readyz", pair.engine).status == 200)  # noqa: B023
    print(f"both ready {time.monotonic() - up:.2f} s after the server was up")  # noqa: T201
    told = {service.ask("/v1/score", pair.engine, body, "while-away") for service in pair.services}
    assert [one.status for one in told] == [200]
    checked(pair, "verify")


def test_neither_service_prints_where_the_log_is(pair: Pair) -> None:
    for service in pair.services:
        assert '"records":"postgresql"' in service.printed()
        assert not [word for word in (pair.url, "postgresql://", "log@", "search_path") if word in service.printed()]
        assert "Traceback" not in service.printed()


def test_what_the_command_line_does_to_a_borrower_is_on_record_once_and_holds_at_both_services(
    pair: Pair, request_for: Callable[..., Any], overdue_ids: list[str]
) -> None:
    plain = request_for(overdue_ids[200])
    asked = ("/v1/score", pair.engine, json.dumps(plain).encode(), "to-be-erased")
    assert [service.ask(*asked).status for service in pair.services] == [200, 200]
    whom = ("--borrower", plain["tables"]["loans"][0]["borrower_id"], "--home", str(pair.home))
    for number in range(5):
        audit("hold", *whom, "--reason", f"order {number}")
        audit("release", *whom, "--reason", f"order {number}")
    audit("erase", *whom, "--reason", "the borrower asked")
    assert [service.ask(*asked).status for service in pair.services] == [410, 410]
    place = place_to_check(pair.home, None, None, DEFAULT_LOG_NAME, pair.url, None)

    def events() -> Counter[str]:
        with reading(database_of(place)) as tables:
            return Counter(row.entry.asked.event for row in tables.rows())

    expected = {"hold:subject:placed": 5, "hold:subject:released": 5, "erase:subject:ordered": 1}
    wait_until(lambda: events()["erase:subject:done"] > 0)
    assert {name: events()[name] for name in [*expected, "erase:subject:done"]} == {**expected, "erase:subject:done": 1}
    checked(pair, "verify")


def test_a_service_that_is_killed_leaves_answering_and_signing_to_the_other_and_nothing_is_lost_or_doubled(
    pair: Pair, request_for: Callable[..., Any], overdue_ids: list[str]
) -> None:
    print(f"seed {SEED}")  # noqa: T201
    before = checked(pair, "verify")["records"]
    callers = Callers(
        pair.services, pair.engine, [json.dumps(request_for(loan)).encode() for loan in overdue_ids[:50]], CALLERS, SEED
    )
    for number in range(ROUNDS):
        killed, left = number % 2, 1 - number % 2
        wait_until(lambda: min(callers.told_by) > BETWEEN_KILLS)
        pair.services[killed].kill()
        at = time.monotonic()
        after = max(int(told.record) for told in list(callers.told.values()))
        callers.told_by = [0, 0]
        wait_until(lambda: signed(pair.services[left], pair.admin) > after)  # noqa: B023
        print(f"signed by the other {time.monotonic() - at:.2f} s after")  # noqa: T201
        wait_until(lambda: callers.told_by[left] > BETWEEN_KILLS)  # noqa: B023
        if number + 1 < ROUNDS:
            pair.services[killed].start()
    callers.end()
    records = [int(told.record) for told in callers.told.values()]
    assert len(set(records)) == len(records)
    whole = checked(pair, "verify")["records"]
    # A request whose connection was cut may be on record, unanswered.
    assert before + len(records) <= whole <= before + len(records) + CALLERS
    for number in random.Random(SEED).sample(sorted(callers.told), ASKED_AGAIN):
        assert callers.again(number, left) == callers.told[number]
    replayed = checked(pair, "replay", "--sample", str(ASKED_AGAIN))
    assert (replayed["equal"], replayed["differs"], replayed["impossible"]) == (ASKED_AGAIN, 0, 0)


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Settings:
    kept = home_with_models(home, tmp_path / "home")
    if request.param == "sqlite":
        return Settings(home=kept, records=records_in(kept))
    return Settings(home=kept, database_url=request.getfixturevalue("database").new())


@pytest.fixture
def used(own: Settings, loaded: Loaded) -> Settings:
    """Return the settings of a service with a log that has a record."""
    recorder = opened_recorder(own, loaded, lambda _: None)
    assert recorder is not None
    recorder.store.write("key", bytes(32), "test:log:begun", {"recorded_at": "2026-01-01T00:00:00+00:00"}, b"")
    recorder.close()
    return own


def test_a_log_whose_vault_is_gone_is_refused_however_often_and_no_other_vault_is_made(
    used: Settings, loaded: Loaded
) -> None:
    shutil.rmtree(subjects_in(used.home))
    for _ in range(2):
        with pytest.raises(ConfigurationRefused, match="no vault of subjects"):
            opened_recorder(used, loaded, lambda _: None)
    assert not subjects_in(used.home).exists()


@pytest.mark.parametrize("while_in_use", [False, True])
def test_a_service_with_another_state_is_told_that_the_log_is_not_its_own(
    home: Path, database: Server, loaded: Loaded, tmp_path: Path, while_in_use: bool
) -> None:
    first = Settings(home=home_with_models(home, tmp_path / "home"), database_url=database.new())
    recorder = opened_recorder(first, loaded, lambda _: None)
    assert recorder is not None
    if not while_in_use:
        recorder.close()
    other = replace(first, home=home_with_models(home, tmp_path / "other"))
    for _ in range(2):
        with pytest.raises(ConfigurationRefused, match="a state folder from which nothing was written") as refusal:
            opened_recorder(other, loaded, lambda _: None)
    assert "log@" not in str(refusal.value)
    if while_in_use:
        recorder.close()
    again = opened_recorder(first, loaded, lambda _: None)
    assert again is not None
    again.close()
