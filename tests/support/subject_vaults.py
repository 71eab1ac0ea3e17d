"""Vaults for tests: a master key of nobody, made-up names, and a search for what an erasure must not leave."""

from __future__ import annotations

import base64
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from serving.subjects.subject import Name, Row, secret_of
from serving.subjects.vault import DATABASE, Vault, open_vault

MASTER = bytes(range(1, 33))
SECRET = secret_of(MASTER)
WORKER = Path(__file__).with_name("subject_worker.py")
SHORTEST = 8
"""Bytes of a secret by which it is found; shorter pieces are elsewhere by chance."""


def name(number: int) -> Name:
    return Name("borrower", f"{610_000_000 + number}")


def names(*numbers: int) -> list[Name]:
    return [name(number) for number in numbers]


def opened(folder: Path, **more) -> Vault:
    return open_vault(folder, MASTER, **more)


def connected(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / DATABASE, isolation_level=None)


def row_of(folder: Path, whom: Name) -> Row:
    """Return what the file has of a subject."""
    connection = connected(folder)
    found = connection.execute("SELECT * FROM subjects WHERE lookup = ?", (SECRET.lookup(whom),)).fetchone()
    connection.close()
    return Row(*found)


def require_whole(folder: Path) -> None:
    connection = connected(folder)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def secrets_of(row: Row) -> dict[str, bytes]:
    """Return all that must be gone of a row, in pieces: a part that was left is as bad as the whole."""
    data_key = SECRET.opened(row)
    whole = {**row._asdict(), "data_key": data_key}
    return {
        f"{what} {at}": value[at : at + SHORTEST]
        for what, value in whole.items()
        for at in range(0, len(value) - SHORTEST + 1, SHORTEST // 2)
    }


def written_ways(value: bytes) -> Iterator[bytes]:
    """Yield a value as it is, as hex and percent code, and as base64 at each of the places it can begin."""
    yield value
    percent = "".join(f"%{byte:02x}" for byte in value)
    yield from (percent.encode(), percent.upper().encode())
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + value)
        inner = encoded[-(-shift * 8 // 6) : (shift + len(value)) * 8 // 6]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def traces(folder: Path, secrets: dict[str, bytes]) -> list[str]:
    """Return which of the values are in which file of the folder, in any way of writing."""
    return [
        f"{what} in {path.name}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for content in [path.read_bytes()]
        for what, value in secrets.items()
        if any(way in content for way in written_ways(value))
    ]


def worker(*arguments: object, before: Iterable[str] = (), output: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    with output.open("wb") as stream:
        return subprocess.Popen(
            [*before, sys.executable, str(WORKER), *map(str, arguments)],
            stdout=stream,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[Path]:
    """Mount a disk of its own; skips the test where this user may not."""
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)], check=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("this user cannot mount a small disk")
    try:
        yield folder
    finally:
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "-l", str(folder)], check=True)
