"""The log's tables in one SQLite file, with the settings under which a committed decision survives a power cut.

    records     one row a decision, in order
    subtrees    every eighth level of inner nodes of the tree: a proof reads some hundred hashes, not all
    metadata    format, name, number of records, peaks of the tree and the last leaf: a start reads these, not all rows

Write-ahead log with synchronous=FULL: a commit returns after its sync (https://sqlite.org/pragma.html). Only the
writer's connection moves the write-ahead log into the file: with two that did, the releases before 3.51.3 could corrupt
it (https://sqlite.org/wal.html). Deleted content is overwritten (secure_delete).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from features.errors import ConfigurationRefused, RepayrankError
from serving.records.entry import FORMAT, Asked, Entry, beginning
from serving.records.errors import broken
from serving.records.merkle import HASH_BYTES, KEPT_LEVELS, Node, Nodes, Tree, folded

SCHEMA = (
    "CREATE TABLE metadata (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE records (sequence INTEGER PRIMARY KEY, leaf BLOB NOT NULL, previous BLOB NOT NULL,"
    " key TEXT NOT NULL UNIQUE, body_sha256 BLOB NOT NULL, event TEXT NOT NULL, record BLOB NOT NULL,"
    " answer BLOB NOT NULL) STRICT",
    "CREATE TABLE subtrees (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,"
    " PRIMARY KEY (level, position)) STRICT, WITHOUT ROWID",
)
INSERT_RECORD = (
    "INSERT INTO records (sequence, leaf, previous, key, body_sha256, event, record, answer)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT_RECORDS = (
    "SELECT sequence, leaf, previous, key, body_sha256, event, record, answer FROM records"
    " WHERE sequence >= ? ORDER BY sequence"
)
SIZE = re.compile(rb"0|[1-9][0-9]{0,17}")
FULL = 2
MEBIBYTE = 2**20
WAL_BYTES_KEPT = 64 * MEBIBYTE
SETTINGS: tuple[tuple[str, str | int, str | int], ...] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", FULL),
    ("secure_delete", "ON", 1),
    ("fullfsync", "ON", 1),
    ("checkpoint_fullfsync", "ON", 1),
    ("mmap_size", 0, 0),
    ("journal_size_limit", WAL_BYTES_KEPT, WAL_BYTES_KEPT),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
)
"""Name, what is asked for, and what must be read back: a setting that was not taken is one that is not there."""


OF_THE_DISK = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
OF_THE_USER = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
PRIMARY_CODE = 0xFF
"""The part of SQLite's extended error codes that names the kind (https://sqlite.org/rescode.html)."""

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite and Python raise over a damaged file; damage can make text that is not UTF-8, even within a message."""


@dataclass(frozen=True)
class Head:
    """The state of the log between two batches."""

    tree: Tree
    last_leaf: bytes


class Row(NamedTuple):
    """A row as it was read: the entry, and the leaf hash that stands beside it."""

    entry: Entry
    leaf: bytes


def connect_writer(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Return the one connection that writes, for use by one thread at a time.

    Parameters
    ----------
    busy_seconds : how long a statement waits for a lock that another program holds

    Raises
    ------
    sqlite3.Error : the file cannot be opened
    """
    return sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read, for use by one thread at a time.

    Raises
    ------
    AuditBroken : there is no such file
    ConfigurationRefused : this user may not look
    """
    try:
        found = path.is_file()
    except OSError as error:
        raise unreadable(error, path) from error
    if not found:
        raise broken("no database", str(path))
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    for pragma in ("query_only = ON", "wal_autocheckpoint = 0", "trusted_schema = OFF", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def name_of(error: BaseException) -> str:
    """Return the name of an error's code; its message may quote what was to be written."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def is_busy(error: BaseException) -> bool:
    """Return whether another program held a lock for longer than the connection waits."""
    return _primary(error) == sqlite3.SQLITE_BUSY


def is_of_the_disk(error: BaseException) -> bool:
    """Return whether the disk or its file system failed, which says nothing of what is written there."""
    return _primary(error) in OF_THE_DISK


def unreadable(error: BaseException, path: Path) -> RepayrankError:
    """Return the refusal for what is raised on reading: rights that this user does not have, or damage."""
    if isinstance(error, PermissionError) or _primary(error) in OF_THE_USER:
        return ConfigurationRefused(
            f"a database that this user cannot read ({name_of(error)})",
            where=str(path),
            expected="the right to read it and to make SQLite's files beside it",
            do="check it as the user that writes it, or check an export",
        )
    return broken(f"a database that cannot be read ({name_of(error)})", str(path))


def _primary(error: BaseException) -> int:
    code = getattr(error, "sqlite_errorcode", None)
    return code & PRIMARY_CODE if isinstance(code, int) else sqlite3.SQLITE_ERROR


def require_durable(connection: sqlite3.Connection, path: Path) -> None:
    """Set what makes a commit durable and read it back.

    Raises
    ------
    ConfigurationRefused : a setting was not taken, as on a file system that cannot share memory
    """
    for name, asked, expected in SETTINGS:
        connection.execute(f"PRAGMA {name} = {asked}").fetchall()
        found = connection.execute(f"PRAGMA {name}").fetchone()
        if found is None or found[0] != expected:
            raise ConfigurationRefused(
                f"a database that does not take the setting {name}",
                where=str(path),
                expected=f"{name} = {expected}",
                do="keep the log on a local disk",
            )


def create(connection: sqlite3.Connection, origin: str) -> None:
    """Make the tables of an empty log, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    given = {"format": FORMAT.encode(), "origin": origin.encode()}
    connection.executemany("INSERT INTO metadata (name, value) VALUES (?, ?)", given.items())
    write_head(connection, Head(Tree(), beginning(origin)))
    connection.execute("COMMIT")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether the file has no table yet."""
    return not connection.execute("SELECT name FROM sqlite_schema").fetchall()


def require_schema(connection: sqlite3.Connection, path: Path, origin: str) -> None:
    """Refuse a database of another form or log; a trigger that was put in is another form.

    Raises
    ------
    AuditBroken : the tables, the format or the log's name are others
    """
    found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
    if tuple(statement for (statement,) in found) != SCHEMA:
        raise broken("tables of another form", str(path), expected=f"the tables of {FORMAT}")
    kept = dict(connection.execute("SELECT name, value FROM metadata WHERE name IN ('format', 'origin')").fetchall())
    if kept != {"format": FORMAT.encode(), "origin": origin.encode()}:
        raise broken("a database of another format or log", str(path), expected=f"{FORMAT} of the log {origin}")


def write_head(connection: sqlite3.Connection, head: Head) -> None:
    """Put the state of the log into the metadata, within the transaction of the records it is about."""
    connection.executemany(
        "INSERT INTO metadata (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [
            ("size", str(head.tree.size).encode()),
            ("peaks", b"".join(head.tree.peaks)),
            ("last_leaf", head.last_leaf),
        ],
    )


def read_head(connection: sqlite3.Connection, path: Path) -> Head:
    """Return the state of the log.

    Raises
    ------
    AuditBroken : the metadata are damaged
    """
    kept = dict(connection.execute("SELECT name, value FROM metadata").fetchall())
    size, peaks, last = (kept.get(name) for name in ("size", "peaks", "last_leaf"))
    if not (isinstance(size, bytes) and isinstance(peaks, bytes) and isinstance(last, bytes) and SIZE.fullmatch(size)):
        raise broken("metadata that are not whole", str(path))
    count = int(size)
    if len(peaks) != HASH_BYTES * count.bit_count() or len(last) != HASH_BYTES:
        raise broken("metadata that do not fit together", str(path))
    hashes = tuple(peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES))
    return Head(Tree(count, hashes), last)


def write_rows(connection: sqlite3.Connection, rows: list[Row], kept: list[Node]) -> None:
    """Add rows and the inner nodes that became whole with them."""
    connection.executemany(INSERT_RECORD, [_columns(row) for row in rows])
    if kept:
        connection.executemany("INSERT INTO subtrees (level, position, hash) VALUES (?, ?, ?)", kept)


def read_rows(connection: sqlite3.Connection, path: Path, begin: int | None = None) -> Iterator[Row]:
    """Yield the rows in order of their sequence, from one on or from the lowest there is.

    Raises
    ------
    AuditBroken : a row holds values of another kind than were written
    """
    lowest = -(2**63) if begin is None else begin
    for sequence, leaf, previous, key, body, event, record, answer in connection.execute(SELECT_RECORDS, (lowest,)):
        if not (
            type(leaf) is type(previous) is type(body) is type(record) is type(answer) is bytes
            and type(key) is type(event) is str
        ):
            raise broken("a value of another kind than was written", f"{path}, record {sequence}")
        yield Row(Entry(sequence, Asked(key, body, event, record, answer), previous), leaf)


def stored_nodes(connection: sqlite3.Connection, path: Path) -> Nodes:
    """Return the subtrees of the log, read from the leaves and from the levels that are kept."""

    def node(level: int, position: int) -> bytes:
        base = level - level % KEPT_LEVELS
        count = 1 << level - base
        begin = position * count
        found = connection.execute(
            "SELECT leaf FROM records WHERE sequence >= ? AND sequence < ? ORDER BY sequence"
            if base == 0
            else "SELECT hash FROM subtrees WHERE position >= ? AND position < ? AND level = ? ORDER BY position",
            (begin, begin + count) if base == 0 else (begin, begin + count, base),
        ).fetchall()
        hashes = [value for (value,) in found]
        if len(hashes) != count or not all(isinstance(value, bytes) for value in hashes):
            raise broken("records or inner nodes that are missing", f"{path}, from record {position << level} on")
        return folded(hashes)

    return node


def _columns(row: Row) -> tuple[int, bytes, bytes, str, bytes, str, bytes, bytes]:
    entry, asked = row.entry, row.entry.asked
    return (
        entry.sequence,
        row.leaf,
        entry.previous,
        asked.key,
        asked.body_sha256,
        asked.event,
        asked.record,
        asked.answer,
    )
