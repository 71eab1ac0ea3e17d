"""The service as a child process, up for as long as a demonstration or a test needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from features.errors import ConfigurationRefused
from serving.access.tokens import create, tokens_file
from serving.settings import DATABASE_URL

SECONDS_TO_START = 180.0
"""On a machine that has other work to do; a service that ends before is noticed at once."""

SECONDS_TO_STOP = 40.0
SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True)
class Child:
    """A running service: its address, its process and the file that holds all it printed.

    `tokens` are those that were made for it, by role.
    """

    address: str
    process: subprocess.Popen[bytes]
    log: Path
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)


@contextmanager
def served(
    home: Path,
    log: Path,
    *,
    port: int = 0,
    policy: Path | None = None,
    roles: Sequence[str] = ("engine",),
    database_url: str | None = None,
    more: Sequence[str] = (),
) -> Iterator[Child]:
    """Start the service, wait until it is ready, and stop it at the end.

    Parameters
    ----------
    home : the model store
    log : receives all that the service prints
    port : 0 takes a free one
    roles : for each a token is made that is good for a day
    database_url : of a log in PostgreSQL; one in our own environment is not for the child
    more : further arguments of `python -m serving.server`

    Raises
    ------
    ConfigurationRefused : the service ended, or was not ready in time; the log tells why
    """
    command = [sys.executable, "-P", "-m", "serving.server", "--home", str(home), "--port", str(port)]
    command += [*([] if policy is None else ["--policy", str(policy)]), *more]
    tokens = {role: create(tokens_file(home), name="demonstration", role=role, days=1).text for role in roles}
    ours = str(Path(__file__).parents[1])
    environment = {name: value for name, value in os.environ.items() if name != DATABASE_URL}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH")]))}
    environment |= {DATABASE_URL: database_url} if database_url else {}
    with log.open("wb") as stream:
        # Its own session: Ctrl-C in the terminal reaches the parent alone, which then stops the child in good order.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        yield Child(ready(process, log), process, log, tokens)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Tell a process to finish, wait until it has, and return its exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until a service that prints into a log answers as ready; return its address.

    Raises
    ------
    ConfigurationRefused : it ended, or was not ready in time
    """
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        address = _address(log)
        if address is not None and answers(f"{address}/readyz"):
            return address
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise ConfigurationRefused(
        "the service did not become ready",
        where=str(log),
        expected="a service that answers GET /readyz",
        do="read the log named above",
    )


def _address(log: Path) -> str | None:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith('{"serving":') and line.endswith("}"):
            return str(json.loads(line)["serving"])
    return None


def answers(url: str) -> bool:
    """Return whether a URL of this machine answers 200."""
    try:
        # No proxy: the address is this machine's own.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def asked_of(child: Child, path: str, body: bytes) -> dict[str, Any]:
    """Return the service's answer to a JSON body."""
    request = urllib.request.Request(  # noqa: S310 - an address of our own making
        f"{child.address}{path}",
        data=body,
        headers={
            "content-type": "application/json",
            "authorization": f"Bearer {child.tokens['engine']}",
            "idempotency-key": str(uuid.uuid4()),
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS_TO_STOP) as answer:  # noqa: S310
        told: dict[str, Any] = json.loads(answer.read())
    return told
