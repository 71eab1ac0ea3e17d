"""A PostgreSQL server of the tests' own, started from the system's binaries in a folder that goes away with it.

It listens on a Unix socket alone. PostgreSQL refuses to run as root: tests that do start it as postgres or nobody.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest

PORT = 5432
NEEDED = ("initdb", "pg_ctl", "postgres")
NUMBERS = count()


def binaries() -> Path | None:
    """Return the folder of the server's programs, or None where there is none."""
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found]
    with suppress(OSError, subprocess.CalledProcessError):
        asked = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(asked.stdout.strip()))
    return next((folder for folder in folders if all((folder / name).exists() for name in NEEDED)), None)


def unprivileged() -> str | None:
    """Return the user to run a server as, or None where the tests' own will do."""
    if os.geteuid():
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


class Server:
    """A server that can be stopped as by a power cut and started again."""

    def __init__(self, programs: Path) -> None:
        self._programs, self._user = programs, unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="log-server-", dir="/tmp"))
        self.data, self.sockets = self.folder / "data", self.folder / "sockets"
        self.sockets.mkdir()
        if self._user:
            for path in (self.folder, self.sockets):
                shutil.chown(path, self._user)
        self.folder.chmod(0o755)
        self.sockets.chmod(0o777)
        self._run("initdb", "-D", str(self.data), "-U", "log", "--auth=trust", "-E", "UTF8", "--locale=C")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = ''\nunix_socket_directories = '{self.sockets}'\nport = {PORT}\n")
        self.start()

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "server.log"), "-w", "-t", "60", "start")

    def stop(self, how: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", how, "-w", "stop")

    def url(self, schema: str = "public", sockets: Path | None = None) -> str:
        where = f"postgresql://log@/postgres?host={sockets or self.sockets}&port={PORT}"
        return f"{where}&options=-csearch_path%3D{schema}"

    def new(self) -> str:
        """Return the URL of a schema without a log."""
        name = f"log_{next(NUMBERS)}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.url(name)

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, *arguments]
        # pg_ctl leaves the server behind with the outputs that it was given: a pipe would never end.
        subprocess.run(
            command,
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )


def started() -> Server:
    """Return a server, or skip the test where there are no binaries."""
    programs = binaries()
    if programs is None:
        pytest.skip("needs PostgreSQL's server programs: initdb, pg_ctl and postgres on the PATH or by pg_config")
    return Server(programs)
