"""A database file in which nothing is left of what was deleted, nor in what SQLite keeps to undo a change.

SQLite overwrites deleted rows with zeros (secure_delete, https://sqlite.org/pragma.html#pragma_secure_delete). Three
things are left to do here:

    the rollback journal   holds pages as they were before a change, and outlives it: it stays a file, so that its
                           blocks are not given back with their content (journal_mode=PERSIST), and is overwritten
    moved rows             a page that was rearranged can keep a copy in its unused part, which secure_delete passes
                           over. Seen with rows of varying length, not with rows that are all as long as each other:
                           the file is searched after each erasure, and written anew if anything is found
    a killed process       leaves a journal that SQLite deletes as it opens the file: it is overwritten even then

No write-ahead log: several processes write now and then, and with two of them the releases before 3.51.3 could corrupt
it (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from features.errors import ConfigurationRefused

OWNER_ONLY = 0o600
MEBIBYTE = 2**20
CACHED_KIBIBYTES = 64 * 1_024
JOURNAL_BYTES_KEPT = MEBIBYTE // 16
EXTRA, IN_MEMORY = 3, 2
SETTINGS: tuple[tuple[str, str | int, str | int], ...] = (
    ("journal_mode", "PERSIST", "persist"),
    ("synchronous", "EXTRA", EXTRA),
    ("secure_delete", "ON", 1),
    ("temp_store", "MEMORY", IN_MEMORY),
    ("fullfsync", "ON", 1),
    ("mmap_size", 0, 0),
    ("journal_size_limit", -1, -1),
    ("cache_size", -CACHED_KIBIBYTES, -CACHED_KIBIBYTES),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
)
"""Name, what is asked for, and what must be read back: a setting that was not taken is one that is not there."""


def journal_of(path: Path) -> Path:
    """Return where SQLite keeps what undoes a change."""
    return path.with_name(f"{path.name}-journal")


def connected(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Return a connection to the file, new and empty where there is none, whose deleted content is overwritten.

    The caller keeps all other processes from writing meanwhile.

    Parameters
    ----------
    busy_seconds : how long a statement waits for a lock of a program that does not keep to that

    Raises
    ------
    ConfigurationRefused : a setting is not taken
    sqlite3.Error, OSError : the file cannot be used
    """
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))
    # Taken before SQLite looks, which undoes what a killed process left and deletes the journal with its content.
    with _opened(journal_of(path), os.O_RDWR) as journal:
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            for name, asked, expected in SETTINGS:
                connection.execute(f"PRAGMA {name} = {asked}").fetchall()
                found = connection.execute(f"PRAGMA {name}").fetchone()
                if found is None or found[0] != expected:
                    raise ConfigurationRefused(
                        f"a database that does not take the setting {name}",
                        where=str(path),
                        expected=f"{name} = {expected}",
                        do="keep the vault on a local disk",
                    )
            # Makes sure that nothing is left to undo before the journal goes.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            if journal is not None:
                _overwrite(journal)
        except BaseException:
            connection.close()
            raise
    return connection


def overwrite_journal(path: Path) -> None:
    """Fill the rollback journal with zeros and return once they are on the disk.

    The caller keeps all other processes from writing meanwhile.

    Raises
    ------
    OSError : they may not be
    """
    with _opened(journal_of(path), os.O_RDWR) as journal:
        if journal is not None:
            _overwrite(journal)


def write_anew(connection: sqlite3.Connection, path: Path) -> None:
    """Write all that is in the file once more, and nothing else."""
    connection.execute("VACUUM")
    overwrite_journal(path)


def copy(connection: sqlite3.Connection, path: Path) -> None:
    """Write the database into a new file, which is not on the disk yet when this returns.

    The caller keeps all other processes from writing meanwhile: they need not wait for the disk as well.

    Raises
    ------
    ConfigurationRefused : it cannot be written
    OSError : likewise
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY))
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as target:
            for pragma in ("synchronous = OFF", "journal_mode = OFF"):
                target.execute(f"PRAGMA {pragma}")
            connection.backup(target)
    except sqlite3.Error as error:
        raise ConfigurationRefused(
            f"a copy that cannot be written ({error.sqlite_errorname})",
            where=str(path),
            expected="a disk that can be written and has space",
            do="make space, or name a folder elsewhere",
        ) from error


def is_left(path: Path, parts: Sequence[bytes]) -> bool:
    """Return whether any of the byte strings is anywhere in the file.

    Closing a file lets go of all locks that the process has on it (fcntl(2)): the caller keeps every connection of this
    process idle meanwhile.

    Raises
    ------
    OSError : it cannot be read
    """
    longest = max(map(len, parts))
    before = b""
    with path.open("rb", buffering=0) as stream:
        while content := stream.read(MEBIBYTE):
            window = before + content
            if any(part in window for part in parts):
                return True
            before = window[-longest + 1 :]
    return False


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int | None]:
    try:
        file = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file
    finally:
        os.close(file)


def _overwrite(file: int) -> None:
    size, zeros, at = os.fstat(file).st_size, bytes(MEBIBYTE), 0
    while at < size:
        at += os.pwrite(file, zeros[: size - at], at)
    os.fsync(file)
    if size > JOURNAL_BYTES_KEPT:
        os.ftruncate(file, JOURNAL_BYTES_KEPT)
        os.fsync(file)
