"""A service on one port and one state that is killed, told to stop and started again, as by a supervisor."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from client_ledger import Line

from serving.access.tokens import create, tokens_file
from serving.decisions.archive import Archive
from serving.decisions.opening import opened_archive
from serving.settings import Settings, records_in

WORKER = Path(__file__).with_name("service_worker.py")
SECONDS_TO_START = 120.0
LOOK_SECONDS = 0.02
PORTS = range(20_000, 32_000)
"""Below those that the system gives to callers: one of theirs could otherwise meet itself where the service was."""

HAS_URL = "database_url" in {field.name for field in fields(Settings)}
"""Whether this release can keep its log in PostgreSQL."""

AMPLE = "\n".join(f"[limits.{name}]\nper_second = 1e9\nburst = 1_000_000_000" for name in ("engine", "admin", "failed"))


class Standing:
    """The service, which may be up or down.

    Parameters
    ----------
    home : the model store
    state : a folder for all that the service writes
    settings : others than the usual ones; the service as it is shipped takes none of them but the database's address
    """

    def __init__(self, home: Path, state: Path, **settings: Any) -> None:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.state, self.port, self.starts = state, free_port(), 0
        self.process: subprocess.Popen[bytes] | None = None
        self._home, self._settings = home, settings
        self._engine, self._collector = (
            create(tokens_file(state), name=role, role=role, days=1).text for role in ("engine", "admin")
        )
        (tokens_file(state).parent / "access.toml").write_text(AMPLE)

    def beside(self) -> Standing:
        """Return another service on the same state, as a log in PostgreSQL allows."""
        return Standing(self._home, self.state, **self._settings)

    def line(self, seconds: float = 60.0) -> Line:
        """Return a connection for one caller, who waits for an answer as long as that."""
        return Line(self.address, token=self._engine, seconds=seconds)

    def lines(self, count: int) -> list[Line]:
        """Return connections for so many callers."""
        return [self.line() for _ in range(count)]

    def lines_through(self, *addresses: tuple[str, int], count: int, seconds: float = 60.0) -> list[Line]:
        """Return connections for so many callers on another way, or to several services on one log."""
        return [Line(*addresses, token=self._engine, seconds=seconds) for _ in range(count)]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self.port

    @property
    def log(self) -> Path:
        """The file that holds what the last start printed."""
        return self.state / f"printed-{self.port}-{self.starts}"

    @property
    def is_up(self) -> bool:
        """Whether there is a process."""
        return self.process is not None and self.process.poll() is None

    def begin(self, *, shipped: bool = False) -> None:
        """Start a process and do not wait for it.

        Parameters
        ----------
        shipped : start it as an operator does; otherwise with compiled code that is kept
        """
        self.starts += 1
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                self._command(shipped=shipped),
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def start(self, *, shipped: bool = False) -> float:
        """Start a process, and return the seconds until it was ready."""
        began = time.monotonic()
        self.begin(shipped=shipped)
        self.wait_until_ready()
        return time.monotonic() - began

    def wait_until_ready(self, seconds: float = SECONDS_TO_START) -> None:
        """Return once it says that it is ready."""
        until = time.monotonic() + seconds
        while self.readiness() != 200:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(LOOK_SECONDS)

    def readiness(self) -> int:
        """Return what a new connection is told about readiness, 0 where nobody answers."""
        line = Line(self.address, seconds=5.0)
        answer = line.get("/readyz")
        line.close()
        return 0 if answer is None else answer.status

    def measure(self, name: str) -> float:
        """Return a measure that the service tells of itself."""
        line = Line(self.address, token=self._collector)
        answer = line.get("/metrics")
        line.close()
        assert answer is not None
        (found,) = [text for text in answer.body.decode().splitlines() if text.startswith(f"{name} ")]
        return float(found.partition(" ")[2])

    def kill(self) -> None:
        """End the process and its children at once."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 60.0) -> int:
        """Tell the process to finish, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    def archive(self) -> Archive:
        """Return the log for reading."""
        if "database_url" in self._settings:
            return opened_archive(self._home, self.state, database_url=self._settings["database_url"])
        return opened_archive(self._home, self.state)

    @contextmanager
    def supervised(self, *, shipped: bool = True) -> Iterator[None]:
        """Start it again whenever it ends, and stop it at the end; no more than that is asked of a supervisor."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.is_set():
                if not self.is_up:
                    self.begin(shipped=shipped)
                ended.wait(LOOK_SECONDS)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_up:
            self.kill()

    def _command(self, *, shipped: bool) -> list[str]:
        if not shipped:
            settings = {"home": str(self._home), "state": str(self.state), "port": self.port, **self._settings}
            if "database_url" not in settings:
                settings["records"] = str(records_in(self.state))
            return [sys.executable, str(WORKER), json.dumps(settings)]
        command = [sys.executable, "-m", "serving.server", "--home", str(self._home), "--state", str(self.state)]
        command += ["--port", str(self.port)]
        if "database_url" in self._settings:
            command += ["--database-url", self._settings["database_url"]]
        return command


def free_port() -> int:
    """Return a port on which nobody listens."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
