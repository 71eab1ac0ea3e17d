"""How the vault of subjects refuses: what the law keeps, is not known, is not done now, or does not hold."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from features.errors import ConfigurationRefused, DataRefused, RepayrankError
from serving.records.sqlite import PRIMARY_CODE
from serving.records.tables import name_of

OF_THE_DISK = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
OF_THE_USER = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite and Python raise over a damaged file."""

WHERE = "the vault of subjects"
FOR_NOW = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
"""Errors that may pass, and that come before anything lasts: another program's lock, a full disk, one set read-only."""

TAMPERED = 13
"""The exit code for kept things that are not what was written; the decision log's errors have the same."""


class HeldByLaw(DataRefused):
    """A subject is to be erased while a legal hold is on it; nothing was erased."""


class SubjectUnknown(DataRefused):
    """The vault has no such subject: it was never seen, or it is erased."""


class VaultBusy(RepayrankError):
    """The vault writes nothing at the moment; nothing was changed, and the same call may come again."""


class VaultStopped(RepayrankError):
    """The vault has stopped after an error of the disk: what was under way may or may not be done.

    Only opening it again tells which, because a failed write may still have reached the disk.
    """


class VaultBroken(RepayrankError):
    """The vault is not what was written: a key that does not open in its row, other tables, or a file that is gone."""

    exit_code = TAMPERED


class SealBroken(RepayrankError):
    """Sealed content does not open: another key, another place, or changed bytes. Which of them is not told."""

    exit_code = TAMPERED


def held_by_law(holds: int) -> HeldByLaw:
    """Return the error for a subject that must be kept."""
    return HeldByLaw(
        f"a subject under {holds} legal hold{'s' if holds != 1 else ''}",
        where=WHERE,
        expected="a subject that no legal hold keeps",
        do="nothing was erased; release its holds first, once whoever placed them agrees",
    )


def unknown() -> SubjectUnknown:
    """Return the error for a subject that the vault does not have."""
    return SubjectUnknown(
        "a subject that is not known",
        where=WHERE,
        expected="a subject that was seen and is not erased",
        do="check its kind and id; where both are right it was never seen, or is erased already",
    )


def busy(found: str) -> VaultBusy:
    """Return the error for what was not done, and of which nothing was written."""
    return VaultBusy(
        found,
        where=WHERE,
        expected="a vault that can be written",
        do="nothing was changed; try again after a second",
    )


def stopped(cause: str) -> VaultStopped:
    """Return the error for what only a new start can tell."""
    return VaultStopped(
        f"a vault that has stopped ({cause})",
        where=WHERE,
        expected="a vault that reads and writes",
        do="it may or may not be done; start again, then make the same call again",
    )


def broken(found: str, *, expected: str = "the vault as it was written") -> VaultBroken:
    """Return the error for something that does not hold."""
    return VaultBroken(
        found,
        where=WHERE,
        expected=expected,
        do="keep all files as they are, restore the last copy of the vault beside them and compare the two",
    )


def refusal(error: Exception) -> RepayrankError:
    """Return how to refuse after an error, where all of its change was undone."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & PRIMARY_CODE
    if code in FOR_NOW:
        return busy(f"a database that takes no change ({name_of(error)})")
    if isinstance(error, OSError) or code in OF_THE_DISK:
        return stopped(name_of(error))
    return broken(f"a database that cannot be read ({name_of(error)})")


def refusal_to_open(error: Exception, folder: Path) -> RepayrankError:
    """Return how to refuse after an error while the vault was opened."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & PRIMARY_CODE
    if isinstance(error, OSError) or code in OF_THE_USER:
        return ConfigurationRefused(
            f"a vault that cannot be opened for writing ({getattr(error, 'strerror', None) or name_of(error)})",
            where=str(folder),
            expected="a folder in which this process can read and write",
            do="let this process write there, or name another folder",
        )
    return refusal(error)
