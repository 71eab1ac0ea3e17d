"""The log's tables in PostgreSQL, to which several service processes may write, one batch after another.

    sequence    a batch holds a lock of its transaction: nobody else appends until it has ended, and then all see it
    signing     one process holds a lock of its session and signs; when it goes away, another takes over
    alone       all that write share a lock; whoever drops records takes it for itself, so that nobody writes meanwhile
    lasting     fsync, full_page_writes and synchronous_commit are read back before anything is written
    in doubt    a batch whose COMMIT got no answer is ended on the server before anybody looks for its records

The locks are PostgreSQL's advisory locks, named by the log's origin and schema (pg_advisory_lock in
https://www.postgresql.org/docs/current/explicit-locking.html). They belong to a session: a pooler that hands sessions
around by transaction cannot stand in between. One schema holds one log; `options=-csearch_path=...` in the URL names
another schema than the user's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from features.errors import ConfigurationRefused
from serving.records.entry import FORMAT, beginning
from serving.records.errors import LogUnreachable, broken, owned
from serving.records.merkle import Node
from serving.records.postgresql_form import FORMS, SELECT_FORM
from serving.records.postgresql_locks import lock_of
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
)

OLDEST_VERSION = 140000
"""The first that ends another session and waits for it (pg_terminate_backend with a time)."""

ALIVE_SECONDS, UNANSWERED = 5, 2
"""A server whose machine dies after it took a statement sends nothing more: it is missed after 15 seconds, not after
hours."""
LEAST_CONNECT_SECONDS = 2
"""libpq waits no shorter."""

HANGING_SECONDS = 10
"""A batch that does nothing for as long is ended by the server."""

ROWS_AT_ONCE = 512
LOWEST = -(2**63)
LASTING = {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "remote_apply"}}
"""What each setting must be for a commit to last; synchronous_commit may wait for a standby beside."""

SELECT_COLUMNS = "SELECT sequence, leaf, previous, key, body_sha256, event, record, answer FROM records"
SELECT_RECORDS = f"{SELECT_COLUMNS} WHERE sequence >= %s ORDER BY sequence"
SELECT_EVENTS = f"{SELECT_COLUMNS} WHERE sequence >= %s AND event = ANY(%s::text[]) ORDER BY sequence"
SELECT_EXPIRED = "SELECT sequence, leaf FROM expired_records WHERE sequence >= %s ORDER BY sequence"
SELECT_LEAVES = "SELECT leaf FROM records WHERE sequence >= %s AND sequence < %s ORDER BY sequence"
SELECT_ALL_LEAVES = (
    "SELECT leaf FROM (SELECT sequence, leaf FROM records WHERE sequence >= %s AND sequence < %s UNION ALL"
    " SELECT sequence, leaf FROM expired_records WHERE sequence >= %s AND sequence < %s) AS leaves ORDER BY sequence"
)
SELECT_NODES = "SELECT hash FROM subtrees WHERE level = %s AND position >= %s AND position < %s ORDER BY position"
COPY_RECORDS = (
    "COPY records (sequence, leaf, previous, key, body_sha256, event, record, answer) FROM STDIN (FORMAT BINARY)"
)
COPY_TYPES = ("int8", "bytea", "bytea", "text", "bytea", "text", "bytea", "bytea")
FAULTS = (
    (("55P03", "40P01", "40001"), Fault.BUSY),
    (("08", "25P03", "25006", "57P", "53300"), Fault.AWAY),
    (("53",), Fault.FULL),
    (("58",), Fault.DISK),
    (("28", "3F", "42501"), Fault.SHUT),
)
"""Beginnings of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), the first that fits.

A server that only reads (25006) has become a standby: the one that writes is looked for as if it were away.
"""


class Session(NamedTuple):
    """What tells a session of the server from any other, also from a later one with the same number."""

    pid: int
    begun: str


class PostgresTables(psycopg.Connection[TupleRow]):
    """A session; what is said of `serving.records.tables.Tables` holds."""

    where: str
    sequencing: int
    _can_drop: bool | None = None
    _streams = 0

    def begin(self) -> None:
        """Begin to write once whoever wrote before has ended."""
        self.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        try:
            # A statement of its own: the next sees what was committed while this one waited.
            self.execute("SELECT pg_advisory_xact_lock(%s)", [self.sequencing])
        except errors.LockNotAvailable:
            self.rollback()
            raise

    def freeze(self) -> None:
        """See one state of the log from here on."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def require_form(self) -> None:
        """Refuse other tables, triggers, rules, and tables that a crash would empty.

        Raises
        ------
        AuditBroken : there are some
        LogUnreachable : there are none that this user may see
        """
        form = tuple(sorted(line for (line,) in self.execute(SELECT_FORM)))
        if not form:
            raise LogUnreachable(
                "a database without the tables of a log, or whose schema this user may not use",
                where=self.where,
                expected="the schema of the log in the search path, and the right to use it (GRANT USAGE)",
                do="correct the URL (`?options=-csearch_path%3DSCHEMA`) or let the owner grant the right",
            )
        if form not in FORMS:
            raise broken("tables of another form", self.where, expected=f"the tables of {FORMAT}")

    def require_sound(self) -> None:
        """Refuse an index that finds other records than there are.

        Raises
        ------
        AuditBroken : it does
        """
        seen = []
        for by_index, by_rows in (("on", "off"), ("off", "on")):
            for name, value in (("enable_indexonlyscan", by_index), ("enable_indexscan", by_index)):
                self.execute("SELECT set_config(%s, %s, true)", [name, value])
            for name in ("enable_seqscan", "enable_bitmapscan"):
                self.execute("SELECT set_config(%s, %s, true)", [name, by_rows])
            seen.append(self.execute("SELECT count(*) FROM records WHERE key >= ''").fetchone())
        if seen[0] != seen[1]:
            raise broken("an index of the database that does not lead to its records", self.where)

    def metadata(self) -> dict[str, object]:
        """Return what is kept under each name."""
        return dict(self.execute("SELECT name, value FROM metadata", binary=True).fetchall())

    def known(self, keys: list[str]) -> dict[str, Known]:
        """Return what was written before under any of the keys."""
        found = self.execute(
            "SELECT key, body_sha256, sequence, leaf, answer FROM records WHERE key = ANY(%s::text[])",
            [keys],
            binary=True,
        )
        return {key: Known(*values) for key, *values in found}

    def rows(self, begin: int | None = None) -> Iterator[Row | Gone]:
        """Yield the rows in order of their sequence, dropped ones too, within a transaction."""
        first = LOWEST if begin is None else begin
        return in_order(self.kept(first), self.gone(first))

    def kept(self, begin: int) -> Iterator[Row]:
        """Yield the rows that were not dropped in order of their sequence, within a transaction."""
        return (row_of(values, self.where) for values in self._streamed(SELECT_RECORDS, begin))

    def gone(self, begin: int) -> Iterator[Gone]:
        """Yield what is left of the rows that were dropped, within a transaction."""
        found = self._streamed(SELECT_EXPIRED, begin) if self._may_have_dropped() else iter(())
        return (gone_of(values, self.where) for values in found)

    def of_event(self, *events: str, begin: int = 0) -> Iterator[Row]:
        """Yield the rows of some events, from one on, within a transaction."""
        return (row_of(values, self.where) for values in self._streamed(SELECT_EVENTS, begin, [*events]))

    def hashes(self, level: int, begin: int, end: int) -> list[object]:
        """Return leaves, or nodes of a kept level."""
        if level:
            found = self.execute(SELECT_NODES, [level, begin, end], binary=True)
        elif self._may_have_dropped():
            found = self.execute(SELECT_ALL_LEAVES, [begin, end, begin, end], binary=True)
        else:
            found = self.execute(SELECT_LEAVES, [begin, end], binary=True)
        return [value for (value,) in found]

    def subtrees(self) -> Iterator[tuple[object, ...]]:
        """Yield the inner nodes that are kept."""
        yield from self.execute("SELECT level, position, hash FROM subtrees ORDER BY level, position", binary=True)

    def write_rows(self, rows: list[Row], kept: list[Node]) -> None:
        """Add rows and inner nodes."""
        with self.cursor() as cursor:
            with cursor.copy(COPY_RECORDS) as copy:
                copy.set_types(COPY_TYPES)
                for row in rows:
                    copy.write_row(columns(row))
            if kept:
                cursor.executemany("INSERT INTO subtrees (level, position, hash) VALUES (%s, %s, %s)", kept)

    def write_metadata(self, values: dict[str, bytes]) -> None:
        """Put values under their names."""
        self.execute(
            "INSERT INTO metadata (name, value) SELECT * FROM unnest(%s::text[], %s::bytea[])"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [list(values), list(values.values())],
        )

    def drop(self, first: int, last: int) -> None:
        """Keep the leaf alone of the rows between two places."""
        between = "FROM records WHERE sequence BETWEEN %s AND %s"
        self.execute(f"INSERT INTO expired_records (sequence, leaf) SELECT sequence, leaf {between}", [first, last])
        self.execute(f"DELETE {between}", [first, last])

    def overwrite_dropped(self) -> None:
        """Write the table anew; the server's own write-ahead log and backups go by their own rules."""
        self.execute("VACUUM FULL records")

    def _streamed(self, query: str, *values: int | list[str]) -> Iterator[TupleRow]:
        # A name of its own: whoever goes through the rows may look up another one on the way.
        self._streams += 1
        with self.cursor(f"stream_{self._streams}", binary=True) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(query, values)

    def _may_have_dropped(self) -> bool:
        if self._can_drop is None:
            self._can_drop = self.execute("SELECT to_regclass('expired_records') IS NOT NULL").fetchone() == (True,)
        return self._can_drop


class PostgresDatabase:
    """A log's tables on a server; what is said of `serving.records.tables.Database` holds."""

    errors: tuple[type[Exception], ...] = (psycopg.Error, UnicodeDecodeError)
    is_shared = True

    def __init__(self, url: str, origin: str) -> None:
        """Take the URL apart, without going there.

        Raises
        ------
        ConfigurationRefused : it is none
        """
        try:
            named = conninfo_to_dict(url)
        except psycopg.Error:
            raise ConfigurationRefused(
                "an address of a database that cannot be read",
                where=f"the decision log {origin}",
                expected="postgresql://user@host:5432/database",
                do="correct it; characters of a password may need %-encoding",
            ) from None
        # Without the user and the password.
        self.where = "postgresql://{host}:{port}/{dbname}".format(**{"host": "", "port": "", "dbname": ""} | named)
        self._url, self._origin = url, origin
        self._writer: PostgresTables | None = None
        self._before: Session | None = None

    def enter(self, busy_seconds: float) -> bool:
        """Open the session that writes, where it is not open, and return whether it is the one that signs.

        Raises
        ------
        ConfigurationRefused : the server cannot keep what is promised
        """
        if self._writer is None or self._writer.closed:
            self._writer = self._opened(busy_seconds)
        lock = lock_of("signature", self._origin, self._writer)
        found = self._writer.execute("SELECT pg_try_advisory_lock(%s)", [lock]).fetchone()
        return found == (True,)

    def require_alone(self) -> None:
        """Keep other sessions from writing; those of releases that could not drop do not keep to it.

        Raises
        ------
        LogOwned : there is one
        """
        assert self._writer is not None
        lock = lock_of("writers", self._origin, self._writer)
        if self._writer.execute("SELECT pg_try_advisory_lock(%s)", [lock]).fetchone() != (True,):
            raise owned(self.where)

    def make_room_for_dropped(self, tables: Tables) -> None:
        """Take the steps of the migration that are left."""
        assert isinstance(tables, PostgresTables)
        _migrate(self._url, tables.sequencing, self._origin)
        tables._can_drop = True

    def leave_signing(self) -> None:
        """Let another session sign."""
        assert self._writer is not None
        self._writer.execute("SELECT pg_advisory_unlock_all()")
        self._share(self._writer)

    def leave(self) -> None:
        """Close the session that writes."""
        if self._writer is not None:
            self._writer.close()

    def is_new(self) -> bool:
        """Return whether there are no tables yet."""
        assert self._writer is not None
        return self._writer.execute("SELECT to_regclass('metadata')").fetchone() == (None,)

    def writer(self, busy_seconds: float) -> PostgresTables:
        """Return the session that writes; where there are no tables, with those that the newest migration makes.

        Raises
        ------
        ConfigurationRefused : the tables are those of another release
        """
        from serving.records.migrations import VERSION_TABLE, steps  # SQLAlchemy takes a while to import

        assert self._writer is not None
        if self.is_new():
            _migrate(self._url, self._writer.sequencing, self._origin)
        if self._writer.execute("SELECT to_regclass(%s)", [VERSION_TABLE]).fetchone() != (None,):
            found = self._writer.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()  # noqa: S608 - ours
            # Tables of an earlier release serve until something is to be dropped.
            if found not in [[(step,)] for step in steps()]:
                raise ConfigurationRefused(
                    "tables of another release",
                    where=self.where,
                    expected=f"migration {' or '.join(steps())}",
                    do="run the release that made them, or migrate them with this one while nothing writes",
                )
        return self._writer

    def reader(self) -> PostgresTables:
        """Return a session for reading."""
        tables = self._connected(LEAST_CONNECT_SECONDS, target_session_attrs="any")
        tables.execute("SET default_transaction_read_only = on")
        return tables

    def fault(self, error: BaseException) -> Fault:
        """Return what an error of PostgreSQL or of the way to it means."""
        state = getattr(error, "sqlstate", None)
        if state is None:
            lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            return Fault.AWAY if lost else Fault.OTHER
        return next((fault for beginnings, fault in FAULTS if state.startswith(beginnings)), Fault.OTHER)

    def _opened(self, busy_seconds: float) -> PostgresTables:
        tables = self._connected(busy_seconds, target_session_attrs="read-write")
        try:
            self._require_lasting(tables)
            milliseconds = str(math.ceil(1000 * busy_seconds))
            for name, value in (
                ("lock_timeout", milliseconds),
                # A process that hangs in the middle of a batch must not keep all others from writing.
                ("idle_in_transaction_session_timeout", str(1000 * HANGING_SECONDS)),
                # It would also end the wait for a standby, which counts as a commit and is none there.
                ("statement_timeout", "0"),
            ):
                tables.execute("SELECT set_config(%s, %s, false)", [name, value])
            self._share(tables)
            if self._before is not None:
                tables.execute(
                    "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
                    " WHERE pid = %s AND backend_start::text = %s",
                    [math.ceil(1000 * busy_seconds), *self._before],
                )
            own = tables.execute(
                "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            ).fetchone()
            assert own is not None
            self._before = Session(*own)
        except BaseException:
            tables.close()
            raise
        return tables

    def _share(self, tables: PostgresTables) -> None:
        """Be one of several that write, unless one is alone."""
        tables.execute("SELECT pg_advisory_lock_shared(%s)", [lock_of("writers", self._origin, tables)])

    def _connected(self, seconds: float, target_session_attrs: str) -> PostgresTables:
        tables = PostgresTables.connect(
            self._url,
            autocommit=True,
            client_encoding="utf8",
            application_name="decision log",
            connect_timeout=max(LEAST_CONNECT_SECONDS, math.ceil(seconds)),
            tcp_user_timeout=math.ceil(1000 * seconds),
            keepalives_idle=ALIVE_SECONDS,
            keepalives_interval=ALIVE_SECONDS,
            keepalives_count=UNANSWERED,
            target_session_attrs=target_session_attrs,
        )
        tables.where, tables.sequencing = self.where, lock_of("sequence", self._origin, tables)
        return tables

    def _require_lasting(self, tables: PostgresTables) -> None:
        if tables.info.server_version < OLDEST_VERSION:
            raise ConfigurationRefused(
                "a server of an older release",
                where=self.where,
                expected="PostgreSQL 14 or newer",
                do="upgrade it",
            )
        for name, allowed in LASTING.items():
            found = tables.execute("SELECT current_setting(%s)", [name]).fetchone()
            if found is None or found[0] not in allowed:
                raise ConfigurationRefused(
                    f"a database with another setting of {name}",
                    where=self.where,
                    expected=f"{name} = {' or '.join(sorted(allowed))}",
                    do="correct the server's, the database's or the role's settings, or the URL",
                )
        # Kept for this session, so that nobody weakens it from outside while it lasts.
        tables.execute("SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)")


def _migrate(url: str, lock: int, origin: str) -> None:
    """Make the tables or those that are missing, all or none; nothing where another process has made them meanwhile."""
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.exc import DBAPIError

    from serving.records.migrations import migrate
    from serving.records.schema import METADATA_TABLE

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url),
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
    )
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            migrate(connection)
            if connection.execute(METADATA_TABLE.select()).first() is None:
                values = beginning_of(origin, beginning(origin))
                connection.execute(
                    METADATA_TABLE.insert(), [{"name": name, "value": value} for name, value in values.items()]
                )
    except DBAPIError as error:
        raise error.orig or error from None
