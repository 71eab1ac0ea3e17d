"""`repayrank serve`: one process that answers scores until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from features.compilation import keep_nothing
from features.errors import ConfigurationRefused, RepayrankError
from serving.settings import (
    DATABASE_URL,
    DEFAULT_HOME,
    DEFAULT_LOG_NAME,
    Settings,
    log_chosen,
    require_no_password,
)

SECONDS_TO_FINISH = 30
"""How long requests that have begun may take after the service is told to stop."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that have begun are answered first.

    The front stands before BentoML's application in this process, so that a request meets none of its layers.

    Raises
    ------
    ModelRefused : a card is missing or does not verify
    ConfigurationRefused : the policy is not valid, or the address cannot be listened on
    """
    began = time.perf_counter()
    _take_all_files_allowed()
    keep_nothing()  # what is compiled is kept as pickles, and a service reads none
    with _listening(settings.host, settings.port) as listener:
        import uvicorn

        from serving.access.door import Door
        from serving.decisions.opening import opened_recorder
        from serving.front import ROUTES, to_stderr
        from serving.impatient import protocol
        from serving.leaving import LeavingServer
        from serving.service import front, service
        from serving.state import load

        loaded = load(settings)
        door = Door.of(settings.written_to, ROUTES, to_stderr)
        front.open(loaded, settings, opened_recorder(settings, loaded, to_stderr), door)
        shedding = front.shedding()
        server = LeavingServer(
            uvicorn.Config(
                front.before(service.to_asgi()),
                lifespan="on",
                http=protocol(shedding),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=SECONDS_TO_FINISH,
            ),
            settings.leave_seconds,
        )
        to_stderr(
            {
                "serving": _address(listener),
                "cards": {name: card.version for name, card in front.cards.items()},
                "records": settings.log_told,
                **door.told(),
                "seconds": round(time.perf_counter() - began, 2),
            }
        )
        try:
            with _told_to_stop():
                server.run(sockets=[listener])
        finally:  # Ctrl-C leaves it with an exception
            shedding.tell()


def _take_all_files_allowed() -> None:
    """Let the process hold as many connections as the system allows it to, not as few as it starts with."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Let SIGTERM end the process as a job done: uvicorn finishes, then raises the signal again for others."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the address at once: what is asked while the cards load waits instead of failing."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationRefused(
            f"an address that cannot be listened on ({error.strerror})",
            where=f"--host {host} --port {port}",
            expected="a free port on an address of this machine",
            do="stop what listens there, or choose another port",
        ) from error
    with listener:
        yield listener


BACKLOG = 256


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve as a child process (`serving.child`) or a container does; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.server", description=__doc__)
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--host", default=Settings.host)
    parser.add_argument("--port", type=int, default=Settings.port)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--records", type=Path)
    parser.add_argument("--database-url", help=f"without a password; with one in {DATABASE_URL}")
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--log-name", default=DEFAULT_LOG_NAME)
    parser.add_argument("--leave-seconds", type=float, default=Settings.leave_seconds)
    parser.add_argument("--without-records", action="store_true")
    given = parser.parse_args(arguments)
    try:
        named = given.database_url and require_no_password(given.database_url)
        log = log_chosen(
            given.state or given.home,
            given.records,
            named or os.environ.get(DATABASE_URL),
            without=given.without_records,
        )
        run(
            Settings(
                home=given.home,
                state=given.state,
                policy=given.policy,
                records=log.folder,
                database_url=log.url,
                anchors=given.checkpoints,
                log_name=given.log_name,
                host=given.host,
                port=given.port,
                leave_seconds=given.leave_seconds,
            )
        )
    except RepayrankError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
