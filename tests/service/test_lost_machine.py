"""A machine that is lost: copies made while it served take its place on an empty one, as docs/records.md tells."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_services import Callers, Service, audit, headers_of, home_with_models, key_of, wait_until

from serving.access.door import Door
from serving.decisions.opening import opened_recorder, secrets_in, subjects_in
from serving.decisions.policies import policies_in
from serving.front import ROUTES, Front
from serving.settings import Settings, records_in
from serving.state import Loaded

pytestmark = pytest.mark.slow

BEFORE, AFTER, AGAIN = 60, 60, 20
CALLERS = 4
SEED = 0


def test_a_service_goes_on_from_its_copies_and_gives_the_same_bytes_for_all_that_was_answered_before_them(
    home: Path,
    tmp_path: Path,
    request_for: Callable[..., Any],
    overdue_ids: list[str],
    loaded: Loaded,
    in_process: Callable[..., Any],
) -> None:
    lived = home_with_models(home, tmp_path / "lived")
    first = Service(lived, tmp_path / "first.log")
    first.start()
    try:
        token = first.child.tokens["engine"]
        bodies = [json.dumps(request_for(loan)).encode() for loan in overdue_ids[:50]]
        callers = Callers([first], token, bodies, CALLERS, SEED)
        wait_until(lambda: len(callers.told) > BEFORE)
        before, begun = dict(callers.told), time.monotonic()
        copied = audit("backup", str(tmp_path / "log"), "--subjects", str(tmp_path / "keys"), "--home", str(lived))
        print(f"copied and verified under load in {time.monotonic() - begun:.2f} s: {copied}")  # noqa: T201
        wait_until(lambda: len(callers.told) > len(before) + AFTER)
        callers.end()
    finally:
        first.stop()
    # Of the lost machine there is what its operator kept elsewhere.
    empty = home_with_models(home, tmp_path / "empty")
    shutil.copytree(secrets_in(lived), secrets_in(empty))
    shutil.copytree(policies_in(lived), policies_in(empty))
    shutil.copytree(lived / "access", empty / "access")
    shutil.rmtree(lived)
    audit("restore", str(tmp_path / "log"), "--home", str(empty))
    subjects_in(empty).mkdir(mode=0o700)
    shutil.copy(tmp_path / "keys" / "subjects.sqlite", subjects_in(empty))
    there = Settings(home=empty, records=records_in(empty))
    second = Front(log=lambda _: None)
    second.open(loaded, there, opened_recorder(there, loaded, lambda _: None), Door.of(empty, ROUTES, lambda _: None))

    def again(number: int) -> tuple[int, bytes]:
        message = {"type": "http.request", "body": bodies[number % len(bodies)], "more_body": False}
        told = in_process(second, "POST", "/v1/score", message, headers=headers_of(token, key_of(number)))
        return told.status, told.body

    for number in random.Random(SEED).sample(sorted(before), AGAIN):
        assert again(number) == (200, before[number].body)
    assert again(10**6)[0] == 200
    second.close()
    words = ("--home", str(empty), "--json")
    assert json.loads(audit("verify", *words))["records"] > len(before)
    replayed = json.loads(audit("replay", "--sample", str(AGAIN), *words))
    assert (replayed["equal"], replayed["differs"], replayed["impossible"]) == (AGAIN, 0, 0)
