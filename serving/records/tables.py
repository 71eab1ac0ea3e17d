"""What the log asks of a database, so that SQLite and PostgreSQL keep the same log and each is one module.

    records            one row a decision, in order
    expired_records    of each record whose term is over its place and leaf hash; made when it is first needed
    subtrees           every eighth level of inner nodes of the tree: a proof reads some hundred hashes, not all
    metadata           format, name, number of records, peaks of the tree and the last leaf, which a start reads instead
                       of all rows

A `Database` is where the tables are: it opens them and knows what its errors mean. `Tables` are one open connection,
for one thread at a time. Either raises what its driver raises, which is among `Database.errors`.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from heapq import merge
from typing import NamedTuple, Protocol

from features.errors import RepayrankError
from serving.records.entry import FORMAT, Asked, Entry
from serving.records.errors import LogAway, LogUnreachable, broken, busy, stopped
from serving.records.merkle import HASH_BYTES, KEPT_LEVELS, Node, Nodes, Tree, folded

SIZE = re.compile(rb"0|[1-9][0-9]{0,17}")
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class Fault(Enum):
    """What an error of a database means for the log."""

    BUSY = auto()
    """Another program holds a lock; nothing was written."""
    FULL = auto()
    """There is no space; it may return."""
    AWAY = auto()
    """The database cannot be reached, or went away: a commit under way may have been made."""
    DISK = auto()
    """The disk failed, which says nothing of what is written there."""
    SHUT = auto()
    """This user may not read or write there."""
    OTHER = auto()
    """Damage, or something unforeseen."""


@dataclass(frozen=True)
class Head:
    """The state of the log between two batches."""

    tree: Tree
    last_leaf: bytes


class Row(NamedTuple):
    """A row as it was read: the entry, and the leaf hash that stands beside it."""

    entry: Entry
    leaf: bytes

    @property
    def sequence(self) -> int:
        """The record's place."""
        return self.entry.sequence


class Gone(NamedTuple):
    """What is left of a record that was dropped at the end of its term: the log's hashes are made with its leaf."""

    sequence: int
    leaf: bytes


class Known(NamedTuple):
    """What was written before under a key."""

    body_sha256: bytes
    sequence: int
    leaf: bytes
    answer: bytes


class Tables(Protocol):
    """The tables of a log through one connection."""

    where: str
    """For errors."""

    def begin(self) -> None:
        """Begin to write, alone among all writers."""

    def freeze(self) -> None:
        """See one state of the log in all that is read from here on."""

    def commit(self) -> None:
        """End with what was written, and return once it lasts."""

    def rollback(self) -> None:
        """End without it."""

    def close(self) -> None:
        """Let go of the connection."""

    def require_form(self) -> None:
        """Refuse tables of another form; a trigger that was put in is another form."""

    def require_sound(self) -> None:
        """Refuse damage beside the rows, such as an index that leads elsewhere."""

    def metadata(self) -> dict[str, object]:
        """Return what is kept under each name."""

    def known(self, keys: list[str]) -> dict[str, Known]:
        """Return what was written before under any of the keys."""

    def rows(self, begin: int | None = None) -> Iterator[Row | Gone]:
        """Yield the rows in order of their sequence, dropped ones too, from one on or from the lowest there is."""

    def kept(self, begin: int) -> Iterator[Row]:
        """Yield the rows that were not dropped in order of their sequence, from one on."""

    def gone(self, begin: int) -> Iterator[Gone]:
        """Yield what is left of the rows that were dropped, in order of their sequence, from one on."""

    def of_event(self, *events: str, begin: int = 0) -> Iterator[Row]:
        """Yield the rows of some events in order of their sequence, after looking at all rows from one on."""

    def hashes(self, level: int, begin: int, end: int) -> list[object]:
        """Return the leaves (level 0) or the nodes of a kept level from position `begin` up to `end`, in order."""

    def subtrees(self) -> Iterator[tuple[object, ...]]:
        """Yield level, position and hash of the inner nodes that are kept, in order."""

    def write_rows(self, rows: list[Row], kept: list[Node]) -> None:
        """Add rows and the inner nodes that became whole with them."""

    def write_metadata(self, values: dict[str, bytes]) -> None:
        """Put values under their names."""

    def drop(self, first: int, last: int) -> None:
        """Keep of the rows between two places, both included, the leaf alone."""

    def overwrite_dropped(self) -> None:
        """Leave no bytes of dropped rows in the tables' files; outside of a transaction.

        Raises
        ------
        LogBusy : somebody reads the log
        """


class Database(Protocol):
    """Where the tables of a log are."""

    errors: tuple[type[Exception], ...]
    """What its driver raises, also over damage."""

    where: str
    """For errors; never a password."""

    is_shared: bool
    """Whether other processes may write to it too; one of them signs."""

    def enter(self, busy_seconds: float) -> bool:
        """Make sure that nobody writes who must not, and return whether this process is the one that signs.

        Again after the writer's tables were closed; in one that does not sign, also to take over from one that ended.

        Parameters
        ----------
        busy_seconds : how long to wait for a lock that another program holds

        Raises
        ------
        LogOwned : another process writes to it
        ConfigurationRefused : the database cannot keep what is promised
        """

    def require_alone(self) -> None:
        """Keep all other writers out until `leave`.

        Raises
        ------
        LogOwned : there is one
        """

    def make_room_for_dropped(self, tables: Tables) -> None:
        """Make the table of dropped rows in a log that does not have it yet, or nothing."""

    def leave_signing(self) -> None:
        """Let another process sign."""

    def leave(self) -> None:
        """Let others in."""

    def is_new(self) -> bool:
        """Return whether there are no tables yet."""

    def writer(self, busy_seconds: float) -> Tables:
        """Return the tables for writing, with settings that last; new ones where there are none."""

    def reader(self) -> Tables:
        """Return the tables for reading alone.

        Raises
        ------
        AuditBroken : there are none
        ConfigurationRefused : this user may not look
        """

    def fault(self, error: BaseException) -> Fault:
        """Return what one of its errors means."""


def fault_of(database: Database, error: BaseException) -> Fault:
    """Return what an error means, whether a database or a file raised it."""
    if isinstance(error, PermissionError):
        return Fault.SHUT
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return Fault.FULL
    return database.fault(error) if isinstance(error, database.errors) else Fault.OTHER


def name_of(error: BaseException) -> str:
    """Return the name of an error's code; its message may quote what was to be written."""
    number = error.errno if isinstance(error, OSError) else None
    return getattr(error, "sqlite_errorname", None) or errno.errorcode.get(number or 0) or type(error).__name__


def unreadable(database: Database, error: BaseException) -> RepayrankError:
    """Return the refusal for what is raised on reading: no way to it, no rights, or damage."""
    fault = fault_of(database, error)
    if fault is Fault.AWAY:
        return LogAway(
            f"a database that cannot be reached ({name_of(error)})",
            where=database.where,
            expected="a server that answers, and an address, user and password that it takes",
            do="start it, or correct the URL",
        )
    if fault is Fault.SHUT:
        return LogUnreachable(
            f"a database that this user cannot read ({name_of(error)})",
            where=database.where,
            expected="the right to read it and, of SQLite, to make its files beside it",
            do="check it as the user that writes it, or check an export",
        )
    return broken(f"a database that cannot be read ({name_of(error)})", database.where)


def unusable(database: Database, error: BaseException) -> RepayrankError:
    """Return the refusal for what is raised at a start: busy, a disk that fails, or damage."""
    fault = fault_of(database, error)
    if fault is Fault.BUSY:
        return busy("a lock of another program on the database")
    if fault in {Fault.DISK, Fault.FULL, Fault.SHUT}:
        return stopped(name_of(error))
    return unreadable(database, error)


@contextmanager
def reading(database: Database) -> Iterator[Tables]:
    """Yield the tables of a log, to read one state of it.

    Raises
    ------
    AuditBroken : it cannot be read
    ConfigurationRefused : this user cannot read it
    """
    try:
        with ExitStack() as undo:
            tables = database.reader()
            undo.callback(tables.close)
            tables.freeze()
            yield tables
    except database.errors as error:
        raise unreadable(database, error) from error


def require_log(tables: Tables, origin: str) -> None:
    """Refuse a database of another form or log.

    Raises
    ------
    AuditBroken : the tables, the format or the log's name are others
    """
    tables.require_form()
    kept = tables.metadata()
    if (kept.get("format"), kept.get("origin")) != (FORMAT.encode(), origin.encode()):
        raise broken("a database of another format or log", tables.where, expected=f"{FORMAT} of the log {origin}")


def beginning_of(origin: str, last_leaf: bytes) -> dict[str, bytes]:
    """Return the metadata of a log without records."""
    return {"format": FORMAT.encode(), "origin": origin.encode(), **head_values(Head(Tree(), last_leaf))}


def head_values(head: Head) -> dict[str, bytes]:
    """Return the state of the log as its metadata; it belongs into the transaction of the records it is about."""
    return {
        "size": str(head.tree.size).encode(),
        "peaks": b"".join(head.tree.peaks),
        "last_leaf": head.last_leaf,
    }


def read_head(tables: Tables) -> Head:
    """Return the state of the log.

    Raises
    ------
    AuditBroken : the metadata are damaged
    """
    kept = tables.metadata()
    size, peaks, last = (kept.get(name) for name in ("size", "peaks", "last_leaf"))
    if not (isinstance(size, bytes) and isinstance(peaks, bytes) and isinstance(last, bytes) and SIZE.fullmatch(size)):
        raise broken("metadata that are not whole", tables.where)
    count = int(size)
    if len(peaks) != HASH_BYTES * count.bit_count() or len(last) != HASH_BYTES:
        raise broken("metadata that do not fit together", tables.where)
    hashes = tuple(peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES))
    return Head(Tree(count, hashes), last)


def stored_nodes(tables: Tables) -> Nodes:
    """Return the subtrees of the log, read from the leaves and from the levels that are kept."""

    def node(level: int, position: int) -> bytes:
        base = level - level % KEPT_LEVELS
        count = 1 << level - base
        begin = position * count
        hashes = tables.hashes(base, begin, begin + count)
        return folded(whole_hashes(tables, hashes, count, position << level))

    return node


def whole_hashes(tables: Tables, found: list[object], count: int, first: int) -> list[bytes]:
    """Return hashes as they were read once all are there.

    Raises
    ------
    AuditBroken : one is missing or none; `first` is the record from which on
    """
    hashes = [value for value in found if isinstance(value, bytes)]
    if not len(hashes) == len(found) == count:
        raise broken("records or inner nodes that are missing", f"{tables.where}, from record {first} on")
    return hashes


def columns(row: Row) -> tuple[int, bytes, bytes, str, bytes, str, bytes, bytes]:
    """Return a row's values in the order of the columns."""
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


def in_order(kept: Iterator[Row], gone: Iterator[Gone]) -> Iterator[Row | Gone]:
    """Yield the rows of two tables, each in order, as one."""
    both: list[Iterator[Row | Gone]] = [kept, gone]
    return merge(*both, key=_place)


def gone_of(values: tuple[object, ...], where: str) -> Gone:
    """Return a dropped row from its place and leaf.

    Raises
    ------
    AuditBroken : a value of another kind than was written
    """
    sequence, leaf = values
    if not isinstance(sequence, int) or not isinstance(leaf, bytes) or len(leaf) != HASH_BYTES:
        raise broken("a value of another kind than was written", f"{where}, record {sequence}")
    return Gone(sequence, leaf)


def row_of(values: tuple[object, ...], where: str) -> Row:
    """Return a row from values in the order of the columns.

    Raises
    ------
    AuditBroken : a value of another kind than was written
    """
    sequence, leaf, previous, key, body, event, record, answer = values
    if not (
        isinstance(sequence, int)
        and type(leaf) is type(previous) is type(body) is type(record) is type(answer) is bytes
        and type(key) is type(event) is str
    ):
        raise broken("a value of another kind than was written", f"{where}, record {sequence}")
    return Row(Entry(sequence, Asked(key, body, event, record, answer), previous), leaf)


def _place(row: Row | Gone) -> int:
    return row.sequence
