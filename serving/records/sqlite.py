"""The log's tables in one SQLite file, with the settings under which a committed decision survives a power cut.

Write-ahead log with synchronous=FULL: a commit returns after its sync (https://sqlite.org/pragma.html). Only the
writer's connection moves the write-ahead log into the file: with two that did, the releases before 3.51.3 could corrupt
it (https://sqlite.org/wal.html). Deleted content is overwritten (secure_delete), and what a page that was rearranged
may keep of it in its unused part goes when the file is written anew.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from features.errors import ConfigurationRefused
from serving.records.anchors import hold, sync_folder
from serving.records.entry import FORMAT, beginning
from serving.records.errors import broken, busy, unwritable
from serving.records.merkle import Node
from serving.records.tables import (
    Fault,
    Gone,
    Known,
    Row,
    Tables,
    beginning_of,
    columns,
    gone_of,
    in_order,
    row_of,
    unreadable,
)

EXPIRED = "CREATE TABLE expired_records (sequence INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT"
SCHEMA = (
    EXPIRED,
    "CREATE TABLE metadata (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE records (sequence INTEGER PRIMARY KEY, leaf BLOB NOT NULL, previous BLOB NOT NULL,"
    " key TEXT NOT NULL UNIQUE, body_sha256 BLOB NOT NULL, event TEXT NOT NULL, record BLOB NOT NULL,"
    " answer BLOB NOT NULL) STRICT",
    "CREATE TABLE subtrees (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,"
    " PRIMARY KEY (level, position)) STRICT, WITHOUT ROWID",
)
FORMS = (SCHEMA, SCHEMA[1:])
"""A log in which nothing was ever dropped may be one of a release that could not drop."""

INSERT_RECORD = (
    "INSERT INTO records (sequence, leaf, previous, key, body_sha256, event, record, answer)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT_COLUMNS = "SELECT sequence, leaf, previous, key, body_sha256, event, record, answer FROM records"
SELECT_RECORDS = f"{SELECT_COLUMNS} WHERE sequence >= ? ORDER BY sequence"
SELECT_EVENTS = SELECT_RECORDS.replace(" ORDER", " AND event IN (SELECT value FROM json_each(?)) ORDER")
SELECT_EXPIRED = "SELECT sequence, leaf FROM expired_records WHERE sequence >= ? ORDER BY sequence"
SELECT_LEAVES = "SELECT leaf FROM records WHERE sequence >= ? AND sequence < ? ORDER BY sequence"
SELECT_ALL_LEAVES = (
    "SELECT leaf FROM (SELECT sequence, leaf FROM records WHERE sequence >= ?1 AND sequence < ?2 UNION ALL"
    " SELECT sequence, leaf FROM expired_records WHERE sequence >= ?1 AND sequence < ?2) ORDER BY sequence"
)
SELECT_NODES = "SELECT hash FROM subtrees WHERE position >= ? AND position < ? AND level = ? ORDER BY position"
TEMPORARY = "SQLITE_TMPDIR"
LOWEST = -(2**63)
OWNER_ONLY = 0o600
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

FAULTS = {
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR: Fault.DISK,
    sqlite3.SQLITE_CANTOPEN: Fault.SHUT,
    sqlite3.SQLITE_READONLY: Fault.SHUT,
    sqlite3.SQLITE_PERM: Fault.SHUT,
}
PRIMARY_CODE = 0xFF
"""The part of SQLite's extended error codes that names the kind (https://sqlite.org/rescode.html)."""


class SqliteTables(sqlite3.Connection):
    """A connection to the file; what is said of `serving.records.tables.Tables` holds."""

    where: str
    _can_drop: bool | None = None

    def begin(self) -> None:
        """Begin to write; the lock is the file's."""
        self.execute("BEGIN IMMEDIATE")

    def freeze(self) -> None:
        """See one state of the log from here on."""
        self.execute("BEGIN")

    def require_form(self) -> None:
        """Refuse other tables, and triggers.

        Raises
        ------
        AuditBroken : there are some
        """
        found = self.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
        if tuple(statement for (statement,) in found) not in FORMS:
            raise broken("tables of another form", self.where, expected=f"the tables of {FORMAT}")

    def require_sound(self) -> None:
        """Refuse a file that is damaged beside its rows.

        Raises
        ------
        AuditBroken : it is
        """
        # The rows can be whole while the index that finds a repeated request leads elsewhere.
        if self.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
            raise broken("a database file that is damaged beside its records", self.where)

    def metadata(self) -> dict[str, object]:
        """Return what is kept under each name."""
        return dict(self.execute("SELECT name, value FROM metadata").fetchall())

    def known(self, keys: list[str]) -> dict[str, Known]:
        """Return what was written before under any of the keys."""
        found = self.execute(
            "SELECT key, body_sha256, sequence, leaf, answer FROM records"
            " WHERE key IN (SELECT value FROM json_each(?))",
            (json.dumps(keys),),
        )
        return {key: Known(*values) for key, *values in found}

    def rows(self, begin: int | None = None) -> Iterator[Row | Gone]:
        """Yield the rows in order of their sequence, dropped ones too."""
        first = LOWEST if begin is None else begin
        return in_order(self.kept(first), self.gone(first))

    def kept(self, begin: int) -> Iterator[Row]:
        """Yield the rows that were not dropped, in order of their sequence."""
        for values in self.execute(SELECT_RECORDS, (begin,)):
            yield row_of(values, self.where)

    def gone(self, begin: int) -> Iterator[Gone]:
        """Yield what is left of the rows that were dropped."""
        if self._may_have_dropped():
            for values in self.execute(SELECT_EXPIRED, (begin,)):
                yield gone_of(values, self.where)

    def of_event(self, *events: str, begin: int = 0) -> Iterator[Row]:
        """Yield the rows of some events, from one on."""
        for values in self.execute(SELECT_EVENTS, (begin, json.dumps(events))):
            yield row_of(values, self.where)

    def hashes(self, level: int, begin: int, end: int) -> list[object]:
        """Return leaves, or nodes of a kept level."""
        if level:
            found = self.execute(SELECT_NODES, (begin, end, level))
        else:
            found = self.execute(SELECT_ALL_LEAVES if self._may_have_dropped() else SELECT_LEAVES, (begin, end))
        return [value for (value,) in found]

    def subtrees(self) -> Iterator[tuple[object, ...]]:
        """Yield the inner nodes that are kept."""
        yield from self.execute("SELECT level, position, hash FROM subtrees ORDER BY level, position")

    def write_rows(self, rows: list[Row], kept: list[Node]) -> None:
        """Add rows and inner nodes."""
        self.executemany(INSERT_RECORD, [columns(row) for row in rows])
        if kept:
            self.executemany("INSERT INTO subtrees (level, position, hash) VALUES (?, ?, ?)", kept)

    def write_metadata(self, values: dict[str, bytes]) -> None:
        """Put values under their names."""
        self.executemany(
            "INSERT INTO metadata (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            values.items(),
        )

    def drop(self, first: int, last: int) -> None:
        """Keep the leaf alone of the rows between two places."""
        between = "FROM records WHERE sequence BETWEEN ? AND ?"
        self.execute(f"INSERT INTO expired_records (sequence, leaf) SELECT sequence, leaf {between}", (first, last))
        self.execute(f"DELETE {between}", (first, last))

    def overwrite_dropped(self) -> None:
        """Write the file anew, then move all of the write-ahead log into it.

        Raises
        ------
        LogBusy : somebody reads the log
        """
        with _temporary_files_in(Path(self.where).parent):
            self.execute("VACUUM")
        reads_on, *_ = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if reads_on:
            raise busy("a program that reads the log, so that its write-ahead log could not be emptied")

    def make_room_for_dropped(self) -> None:
        """Make the table of dropped rows where there is none."""
        if not self._may_have_dropped():
            self.execute(EXPIRED)
            self._can_drop = True

    def _may_have_dropped(self) -> bool:
        if self._can_drop is None:
            asked = "SELECT count(*) FROM sqlite_schema WHERE name = 'expired_records'"
            self._can_drop = self.execute(asked).fetchone() == (1,)
        return self._can_drop


Connect = Callable[[Path, float], SqliteTables]


class SqliteDatabase:
    """A SQLite file and the lock beside it; what is said of `serving.records.tables.Database` holds."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeDecodeError)
    """Damage can make text that is not UTF-8, even within a message."""

    is_shared = False

    def __init__(self, path: Path, lock: Path, origin: str, connect: Connect) -> None:
        self.where = str(path)
        self._path, self._lock, self._origin, self._connect = path, lock, origin, connect
        self._held: int | None = None

    def enter(self, busy_seconds: float) -> bool:
        """Take the lock, which one writer holds, and return that it signs.

        Raises
        ------
        LogOwned : another process has it
        ConfigurationRefused : nothing can be written there
        """
        if self._held is None:
            try:
                lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
            except OSError as error:
                raise unwritable(str(self._lock), error) from error
            try:
                hold(lock, self._lock)
            except BaseException:
                os.close(lock)
                raise
            self._held = lock
        return True

    def require_alone(self) -> None:
        """Nobody else could write: the lock is held."""

    def make_room_for_dropped(self, tables: Tables) -> None:
        """Make the table of dropped rows where there is none."""
        assert isinstance(tables, SqliteTables)
        tables.make_room_for_dropped()

    def leave_signing(self) -> None:
        """Nobody else could sign."""

    def leave(self) -> None:
        """Let go of the lock."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def is_new(self) -> bool:
        """Return whether there is no file yet."""
        return not self._path.exists()

    def writer(self, busy_seconds: float) -> SqliteTables:
        """Return the one connection that writes.

        Raises
        ------
        ConfigurationRefused : a setting was not taken, as on a file system that cannot share memory
        """
        if self.is_new():
            # Before SQLite makes it: the files beside it, which hold the newest records, get the same mode.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        tables = self._connect(self._path, busy_seconds)
        try:
            require_durable(tables)
            if not tables.execute("SELECT name FROM sqlite_schema").fetchall():
                create(tables, self._origin)
                sync_folder(self._path.parent)
        except BaseException:
            tables.close()
            raise
        return tables

    def reader(self) -> SqliteTables:
        """Return a connection that can only read.

        Raises
        ------
        AuditBroken : there is no such file
        ConfigurationRefused : this user may not look
        """
        try:
            found = self._path.is_file()
        except OSError as error:
            raise unreadable(self, error) from error
        if not found:
            raise broken("no database", self.where)
        tables = _connected(f"{self._path.resolve().as_uri()}?mode=ro", self._path, uri=True)
        for pragma in ("query_only = ON", "wal_autocheckpoint = 0", "trusted_schema = OFF", "mmap_size = 0"):
            tables.execute(f"PRAGMA {pragma}")
        return tables

    def fault(self, error: BaseException) -> Fault:
        """Return what an error of SQLite means."""
        code = getattr(error, "sqlite_errorcode", None)
        return FAULTS.get(code & PRIMARY_CODE, Fault.OTHER) if isinstance(code, int) else Fault.OTHER


def connect_writer(path: Path, busy_seconds: float) -> SqliteTables:
    """Return the one connection that writes, for use by one thread at a time.

    Parameters
    ----------
    busy_seconds : how long a statement waits for a lock that another program holds

    Raises
    ------
    sqlite3.Error : the file cannot be opened
    """
    return _connected(path, path, timeout=busy_seconds)


def require_durable(tables: SqliteTables) -> None:
    """Set what makes a commit durable and read it back.

    Raises
    ------
    ConfigurationRefused : a setting was not taken
    """
    for name, asked, expected in SETTINGS:
        tables.execute(f"PRAGMA {name} = {asked}").fetchall()
        found = tables.execute(f"PRAGMA {name}").fetchone()
        if found is None or found[0] != expected:
            raise ConfigurationRefused(
                f"a database that does not take the setting {name}",
                where=tables.where,
                expected=f"{name} = {expected}",
                do="keep the log on a local disk",
            )


def copy_database(tables: Tables, path: Path) -> None:
    """Write the state that a reader sees into a new file, which needs no other beside it, and return once it lasts."""
    assert isinstance(tables, SqliteTables)
    with closing(_connected(path, path)) as copy:
        path.chmod(OWNER_ONLY)
        copy.execute("PRAGMA synchronous = EXTRA")
        tables.backup(copy)
        # As one file: the write-ahead log that the original has beside it is in it.
        copy.execute("PRAGMA journal_mode = DELETE")


def create(tables: SqliteTables, origin: str) -> None:
    """Make the tables of an empty log, all or none."""
    tables.begin()
    for statement in SCHEMA:
        tables.execute(statement)
    tables.write_metadata(beginning_of(origin, beginning(origin)))
    tables.commit()


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let SQLite put what it writes meanwhile beside the log, where there is room and nobody else reads."""
    before = os.environ.get(TEMPORARY)
    os.environ[TEMPORARY] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[TEMPORARY]
        else:
            os.environ[TEMPORARY] = before


def _connected(name: str | Path, path: Path, *, uri: bool = False, timeout: float = 5.0) -> SqliteTables:
    tables = sqlite3.connect(
        name, timeout=timeout, isolation_level=None, check_same_thread=False, uri=uri, factory=SqliteTables
    )
    tables.where = str(path)
    return tables
