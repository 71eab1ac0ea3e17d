"""Services that run as processes, callers who ask them until they are told to end, and verbs that look at the log."""

from __future__ import annotations

import http.client
import io
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

import repayrank
from serving.child import Child, served

SECONDS = 60.0
COME_AGAIN = (409, 503)


class Told(NamedTuple):
    status: int
    record: str
    body: bytes


def headers_of(token: str, key: str = "", reason: str = "") -> dict[str, str]:
    headers = {"authorization": f"Bearer {token}"} | ({"x-repayrank-reason": reason} if reason else {})
    return headers | ({"idempotency-key": key, "content-type": "application/json"} if key else {})


class Service:
    """One of the services, which may be killed and started again."""

    def __init__(self, home: Path, log: Path, url: str | None = None) -> None:
        self._home, self._url, self._log, self._stack = home, url, log, ExitStack()
        self.child: Child

    def start(self) -> None:
        child = served(self._home, self._log, roles=("engine", "admin", "reviewer"), database_url=self._url)
        self.child = self._stack.enter_context(child)

    def kill(self) -> None:
        self.child.process.kill()
        self.child.process.wait()
        self.stop()

    def stop(self) -> None:
        self._stack.close()

    def printed(self) -> str:
        return self._log.read_text()

    def ask(self, path: str, token: str, body: bytes | None = None, key: str = "", reason: str = "") -> Told:
        connection = http.client.HTTPConnection(str(urlsplit(self.child.address).netloc), timeout=SECONDS)
        try:
            connection.request("POST" if key else "GET", path, body, headers_of(token, key, reason))
            answer = connection.getresponse()
            return Told(answer.status, answer.getheader("repayrank-record", ""), answer.read())
        finally:
            connection.close()


def home_with_models(home: Path, folder: Path) -> Path:
    """Return a home with the models of all tests, and nothing else of theirs."""
    folder.mkdir()
    (folder / "models").symlink_to(home / "models")
    (folder / "keys").mkdir(mode=0o700)
    (folder / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    return folder


def audit(*words: str) -> str:
    """Return what a verb of the command line prints."""
    with redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as done:
        repayrank.main(["audit", *words])
    assert not done.value.code
    return printed.getvalue()


def spoken(log: Path, word: str) -> list[dict[str, Any]]:
    """Return the lines of a service's log that tell of something."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if word in line]


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.02)


def key_of(number: int) -> str:
    return f"caller-{number}"


class Callers:
    """Threads that ask any of the services, each again under its key until it is answered.

    Attributes
    ----------
    told : what each number was answered
    told_by : how many answers each service gave
    refused : answers after which nobody should come again
    """

    def __init__(self, services: Sequence[Service], token: str, bodies: list[bytes], count: int, seed: int) -> None:
        self.told: dict[int, Told] = {}
        self.told_by = [0] * len(services)
        self.refused: list[Told] = []
        self._services, self._token, self._bodies = services, token, bodies
        self._count, self._seed, self._ended = count, seed, threading.Event()
        self._working = [threading.Thread(target=self._work, args=(number,)) for number in range(count)]
        for thread in self._working:
            thread.start()

    def again(self, number: int, at: int) -> Told:
        body = self._bodies[number % len(self._bodies)]
        return self._services[at].ask("/v1/score", self._token, body, key_of(number))

    def _work(self, number: int) -> None:
        chosen = random.Random(self._seed + number)
        while not self._ended.is_set():
            at = chosen.randrange(len(self._services))
            try:
                told = self.again(number, at)
            except (OSError, http.client.HTTPException):
                continue  # killed meanwhile: whether it was written, the next answer under the key tells
            if told.status == 200:
                self.told[number] = told
                self.told_by[at] += 1
                number += self._count
            elif told.status not in COME_AGAIN:
                self.refused.append(told)

    def end(self) -> None:
        self._ended.set()
        for thread in self._working:
            thread.join()
        assert not self.refused, self.refused[0]
