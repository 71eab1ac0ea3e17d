"""Each person's pseudonym and key: the log shows the one and is read with the other; to erase a person destroys both.

The pseudonym and the key are random, made when a subject is first seen. Nothing in the log was derived from an id, so
after the erasure nobody can find out whom its records were about, not even with the master key (crypto-shredding).
What is promised:

    returned   a subject's key is on the disk before a decision can be written under it, whoever is killed
    one        a name has one pseudonym and one key, however many threads and processes ask at once
    erased     once `erase` returns, lookup, pseudonym and sealed key are in no file of the vault's folder
    held       nothing is erased that is under a legal hold

What this cannot reach: copies of the folder, snapshots of the file system, blocks that a flash disk has put aside.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, Self

from features.errors import DataRefused
from serving.records.anchors import sync_folder
from serving.records.tables import name_of
from serving.subjects import erasable, tables
from serving.subjects.errors import (
    UNREADABLE,
    WHERE,
    VaultBroken,
    VaultBusy,
    broken,
    busy,
    held_by_law,
    refusal,
    refusal_to_open,
    stopped,
    unknown,
)
from serving.subjects.holds import Hold
from serving.subjects.patience import Patience, lock_of, milliseconds_until, take
from serving.subjects.reasons import require_reason
from serving.subjects.subject import KEY_BYTES, PSEUDONYM_BYTES, Name, Row, Secret, Subject, secret_of

Column = Literal["lookup", "pseudonym"]

DATABASE, LOCK = "subjects.sqlite", "subjects.lock"
MADE = b"a vault was made here\n"
FOLDER_MODE = 0o700
OWNER_ONLY = 0o600
BUSY_SECONDS = 1.5

ASKED_TOGETHER = 5_000
"""Of at most 32,766 values in one statement (https://sqlite.org/limits.html)."""


class Erased(NamedTuple):
    """A subject that is no more; what the log has under the pseudonym cannot be read again."""

    pseudonym: bytes


class Vault:
    """An open vault; made by `open_vault`, for use by any number of threads.

    Attributes
    ----------
    is_new : whether there was none before; with a log that has records, it is another than the one they need
    """

    def __init__(
        self,
        folder: Path,
        secret: Secret,
        connection: sqlite3.Connection,
        lock_file: int,
        busy_seconds: float,
        held: ExitStack,
        *,
        is_new: bool,
    ) -> None:
        self.is_new = is_new
        self._path, self._lock_path = folder / DATABASE, folder / LOCK
        self._secret, self._connection, self._lock_file = secret, connection, lock_file
        self._busy_seconds, self._held = busy_seconds, held
        self._files = self._files_now()
        self._alone = lock_of(self._files[0])
        self._patience = Patience(busy_seconds)
        self._stopped: str | None = None
        self._still = False

    @property
    def is_stopped(self) -> bool:
        """Whether an error has ended all use, or will: the process should not be ready, and be started again."""
        with suppress(OSError):
            return self._stopped is not None or self._files_now() != self._files
        return True

    def subjects(self, names: Sequence[Name]) -> list[Subject]:
        """Return the subjects of the names, in their order; those that are new are made together, and kept for good.

        Raises
        ------
        DataRefused : an id is empty or is not text
        VaultBusy : there are new ones, and nothing can be written now
        VaultStopped, VaultBroken : they cannot be known
        """
        lookups = [self._secret.lookup(name) for name in names]
        with self._using() as deadline:
            found = self._opened(self._rows("lookup", sorted(set(lookups))))
            new = [lookup for lookup in dict.fromkeys(lookups) if lookup not in found]
            if new:
                found |= self._made(new, deadline)
        return [found[lookup] for lookup in lookups]

    def key_of(self, pseudonym: bytes) -> bytes | None:
        """Return the key for what the log has under a pseudonym, or None where it is erased or never was.

        Raises
        ------
        VaultBusy, VaultStopped, VaultBroken : it cannot be known
        """
        return self.keys_of([pseudonym])[pseudonym]

    def keys_of(self, pseudonyms: Collection[bytes]) -> dict[bytes, bytes | None]:
        """Return what `key_of` does of each pseudonym, asked for together."""
        with self._using():
            found = self._opened(self._rows("pseudonym", sorted(pseudonyms)))
        known = {subject.pseudonym: subject.key for subject in found.values()}
        return {pseudonym: known.get(pseudonym) for pseudonym in pseudonyms}

    def pseudonym_of(self, name: Name) -> bytes | None:
        """Return under what pseudonym the log has a subject, or None where it is erased or never was.

        Raises
        ------
        VaultBusy, VaultStopped, VaultBroken : it cannot be known
        """
        lookup = self._secret.lookup(name)
        with self._using():
            found = self._opened(self._rows("lookup", [lookup]))
        return found[lookup].pseudonym if found else None

    def erase(self, name: Name) -> Erased:
        """Destroy a subject's key and all that leads from the name to its pseudonym.

        Raises
        ------
        HeldByLaw : a legal hold is on it; nothing was erased
        SubjectUnknown : there is no such subject
        VaultBusy : nothing was erased
        VaultStopped : it may be erased, and traces may be left in the files until the vault is opened again
        """
        with self._using() as deadline, self._writing(deadline):
            with self._changing():
                row = self._known(self._secret.lookup(name))
                held = self._holds_of(row.pseudonym)
                if held:
                    raise held_by_law(len(held))
                self._connection.execute("DELETE FROM subjects WHERE lookup = ?", (row.lookup,))
                was_cut_short = tables.begin_erasure(self._connection)
            with self._lasting(may_come_again=False):
                erasable.overwrite_journal(self._path)
                if was_cut_short or erasable.is_left(self._path, row.parts()):
                    erasable.write_anew(self._connection, self._path)
                    if erasable.is_left(self._path, row.parts()):
                        raise OSError("an erased row is still in the file")
                tables.end_erasure(self._connection)
        return Erased(row.pseudonym)

    def erase_all(self, pseudonyms: Collection[bytes]) -> int:
        """Destroy the subjects that are there, as at the end of their terms, all or none; return how many were.

        The file is written anew instead of searched for each of them.

        Raises
        ------
        HeldByLaw : a legal hold is on some of them; nothing was erased
        VaultBusy, VaultStopped : as `erase`
        """
        if not pseudonyms:
            return 0
        asked = [(pseudonym,) for pseudonym in sorted(pseudonyms)]
        with self._using() as deadline, self._writing(deadline):
            with self._changing():
                held = {pseudonym for (pseudonym,) in self._connection.execute("SELECT pseudonym FROM holds")}
                if held.intersection(pseudonyms):
                    raise held_by_law(len(held.intersection(pseudonyms)))
                erased = self._connection.executemany("DELETE FROM subjects WHERE pseudonym = ?", asked).rowcount
                tables.begin_erasure(self._connection)
            with self._lasting(may_come_again=False):
                erasable.overwrite_journal(self._path)
                erasable.write_anew(self._connection, self._path)
                tables.end_erasure(self._connection)
        return max(erased, 0)

    @contextmanager
    def kept_still(self) -> Iterator[None]:
        """Let no other process write until this is done, so that no hold is placed on whom it is about to erase.

        Raises
        ------
        VaultBusy : another process is writing
        """
        with self._writing(time.monotonic() + self._busy_seconds):
            self._still = True
            try:
                yield
            finally:
                self._still = False

    def hold(self, name: Name, reason: str, day: date) -> None:
        """Put a subject under a legal hold, besides those it is under; one with the same reason keeps its first day.

        Parameters
        ----------
        reason : such as the number of a case, one line, without the person's id

        Raises
        ------
        SubjectUnknown : there is no such subject
        UsageError : the reason cannot be written
        VaultBusy, VaultStopped : it may not be done
        """
        require_reason(reason, [name.id])
        lookup = self._secret.lookup(name)
        with self._using() as deadline, self._writing(deadline), self._changing():
            pseudonym = self._known(lookup).pseudonym
            self._connection.execute(
                "INSERT INTO holds (pseudonym, reason, day) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (pseudonym, reason, day.isoformat()),
            )

    def release(self, name: Name, reason: str | None = None) -> None:
        """Lift the hold that has this reason; without one, the only hold that there is.

        Raises
        ------
        SubjectUnknown : there is no such subject
        DataRefused : there is no such hold, or there are several and no reason is named
        VaultBusy, VaultStopped : it may not be done
        """
        lookup = self._secret.lookup(name)
        with self._using() as deadline, self._writing(deadline), self._changing():
            pseudonym = self._known(lookup).pseudonym
            meant = [held for held in self._holds_of(pseudonym) if reason in {None, held}]
            if len(meant) != 1:
                raise DataRefused(
                    f"{len(meant)} legal holds that this may mean",
                    where=WHERE,
                    expected="one",
                    do="nothing was released; name the reason of the hold as it was given",
                )
            self._connection.execute("DELETE FROM holds WHERE pseudonym = ? AND reason = ?", (pseudonym, meant[0]))

    def holds(self) -> list[Hold]:
        """Return all legal holds, by day.

        Raises
        ------
        VaultBusy, VaultStopped, VaultBroken : they cannot be known
        """
        with self._using(), self._lasting():
            found = self._connection.execute("SELECT pseudonym, reason, day FROM holds ORDER BY day, reason").fetchall()
        return [Hold(pseudonym, reason, date.fromisoformat(day)) for pseudonym, reason, day in found]

    def followed(self) -> bytes:
        """Return what `note_followed` kept last, empty where nothing was; refuses as `holds` does."""
        with self._using(), self._lasting():
            return tables.followed(self._connection)

    def note_followed(self, note: bytes) -> None:
        """Keep with the keys, and so in each copy, how far the log's erasures are carried out; refuses as `hold`."""
        with self._using() as deadline, self._writing(deadline), self._changing():
            tables.note_followed(self._connection, note)

    def copy(self, path: Path) -> None:
        """Write all that the vault has now into a new file, which is not synced; those who are erased later stay in it.

        Raises
        ------
        ConfigurationRefused : it cannot be written
        VaultBusy, VaultStopped : the vault cannot be read now
        """
        with self._using() as deadline, self._writing(deadline):
            erasable.copy(self._connection, path)

    def close(self) -> None:
        """Let go of the vault."""
        with self._alone:
            self._stopped = self._stopped or "it is closed"
            self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _known(self, lookup: bytes) -> Row:
        rows = self._rows("lookup", [lookup])
        self._opened(rows)
        if not rows:
            raise unknown()
        return rows[0]

    def _holds_of(self, pseudonym: bytes) -> list[str]:
        found = self._connection.execute("SELECT reason FROM holds WHERE pseudonym = ?", (pseudonym,)).fetchall()
        return [reason for (reason,) in found]

    def _rows(self, column: Column, values: Sequence[bytes]) -> list[Row]:
        found: list[Row] = []
        with self._lasting():
            for begin in range(0, len(values), ASKED_TOGETHER):
                asked = values[begin : begin + ASKED_TOGETHER]
                marks = ",".join("?" * len(asked))
                select = f"SELECT lookup, pseudonym, sealed_key FROM subjects WHERE {column} IN ({marks})"  # noqa: S608
                found += map(Row._make, self._connection.execute(select, asked))
        return found

    def _opened(self, rows: Iterable[Row]) -> dict[bytes, Subject]:
        return {row.lookup: Subject(row.pseudonym, self._secret.opened(row)) for row in rows}

    def _made(self, lookups: Sequence[bytes], deadline: float) -> dict[bytes, Subject]:
        """Make those of the subjects that another process has not made since, in one transaction."""
        with self._writing(deadline), self._changing():
            found = self._opened(self._rows("lookup", lookups))
            new = {
                lookup: Subject(secrets.token_bytes(PSEUDONYM_BYTES), secrets.token_bytes(KEY_BYTES))
                for lookup in lookups
                if lookup not in found
            }
            rows = [self._secret.sealed(lookup, subject) for lookup, subject in new.items()]
            self._connection.executemany(
                "INSERT INTO subjects (lookup, pseudonym, sealed_key) VALUES (?, ?, ?)", sorted(rows)
            )
        return found | new

    @contextmanager
    def _using(self) -> Iterator[float]:
        """Take the vault for this thread; yields until when it may wait for other processes."""
        deadline = self._patience.deadline()
        if not self._alone.acquire(timeout=self._busy_seconds):
            raise busy("a vault that other threads use")
        try:
            if self._stopped is not None:
                raise stopped(self._stopped)
            with self._lasting():
                # SQLite would go on with a file that has no name any more, and its keys would be lost.
                if self._files_now() != self._files:
                    raise FileNotFoundError("the files of the vault are not those that were opened")
                self._connection.execute(f"PRAGMA busy_timeout = {milliseconds_until(deadline)}")
            yield deadline
        except VaultBusy:
            self._patience.lost()
            raise
        finally:
            self._alone.release()

    @contextmanager
    def _writing(self, deadline: float) -> Iterator[None]:
        """Keep all other processes from writing, and from overwriting the journal."""
        if self._still:
            yield
            return
        take(self._lock_file, self._lock_path, deadline)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Run the statements within as one change that is on the disk afterwards, or not at all."""
        with self._lasting():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        with self._lasting(may_come_again=False):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _lasting(self, *, may_come_again: bool = True) -> Iterator[None]:
        """Tell apart what may come again, what is damaged, and an error of the disk; the last two end all use."""
        try:
            yield
        except (OSError, *UNREADABLE) as error:
            refused = refusal(error)
            if isinstance(refused, VaultBusy) and may_come_again:
                raise refused from error
            self._stopped = name_of(error)
            raise (refused if isinstance(refused, VaultBroken) else stopped(self._stopped)) from error

    def _files_now(self) -> list[tuple[int, int]]:
        found = [os.stat(path) for path in (self._path, self._lock_path)]  # noqa: PTH116 - a path's own is slower
        return [(status.st_dev, status.st_ino) for status in found]


def open_vault(folder: Path, master: bytes, busy_seconds: float = BUSY_SECONDS) -> Vault:
    """Return the vault in a folder of its own; a new one where there never was one.

    Parameters
    ----------
    folder : belongs to no backup that the decision log is in
    master : 32 random bytes, the operator's secret
    busy_seconds : how long a call may wait for others

    Raises
    ------
    ConfigurationRefused : the folder cannot be written, or the vault was made with another master key
    VaultBusy : another process is at it
    VaultBroken : the file is not one of a vault, or was taken away
    VaultStopped : the disk fails
    """
    secret = secret_of(master)
    path, lock_path = folder / DATABASE, folder / LOCK
    with ExitStack() as undo:
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            lock_file = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
            undo.callback(os.close, lock_file)
            take(lock_file, lock_path, time.monotonic() + busy_seconds)
            is_marked = bool(os.pread(lock_file, 1, 0))
            if is_marked and not (path.exists() and path.stat().st_size):
                raise broken("no database where one was made", expected="the vault's file, or a copy of it")
            connection = erasable.connected(path, busy_seconds)
            undo.callback(connection.close)
            is_new = tables.made_or_checked(connection, path, secret.mark)
            if not is_marked:
                os.pwrite(lock_file, MADE, 0)
                os.fsync(lock_file)
                sync_folder(folder)
            fcntl.flock(lock_file, fcntl.LOCK_UN)
            return Vault(folder, secret, connection, lock_file, busy_seconds, undo.pop_all(), is_new=is_new)
        except (OSError, *UNREADABLE) as error:
            raise refusal_to_open(error, folder) from error
