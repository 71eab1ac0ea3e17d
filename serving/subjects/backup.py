"""A copy of the vault, checked key by key, which lies apart from every copy of the log.

Whoever has both and the operator's secrets can read what was decided about whom. Whoever is erased after the copy was
made is still in it: let copies expire within the time that borrowers are promised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from features.errors import UsageError
from serving.records.backup import whole_folder
from serving.records.opening import DATABASE as LOG
from serving.records.tables import name_of
from serving.subjects.errors import UNREADABLE, broken
from serving.subjects.subject import Row, Secret, secret_of
from serving.subjects.vault import DATABASE, Vault


class Copied(NamedTuple):
    """What is in a copy: subjects, each with a key that opens, and legal holds."""

    subjects: int
    holds: int


def backup(vault: Vault, master: bytes, folder: Path, logs: Iterable[Path]) -> Copied:
    """Copy the vault into a new folder, also while services use it, and return what was checked of the copy.

    Parameters
    ----------
    master : the operator's secret of the vault
    logs : folders of the log and of its copies

    Raises
    ------
    UsageError : the folder is there already, or lies together with a log
    VaultBroken : a key in the copy does not open
    ConfigurationRefused : the copy cannot be written
    """
    require_apart(folder, logs)
    with whole_folder(folder) as unfinished:
        vault.copy(unfinished / DATABASE)
        return _checked(unfinished / DATABASE, secret_of(master))


def require_apart(folder: Path, logs: Iterable[Path]) -> None:
    """Refuse a folder for the vault's copy that holds a log, or that a log's folder holds.

    Raises
    ------
    UsageError : it does, or it is
    """
    ours = folder.resolve()
    around = {ours, *ours.parents}
    others = [log.resolve() for log in logs]
    if any(log in around or ours in log.parents for log in others) or any((one / LOG).exists() for one in around):
        raise UsageError(
            "a copy of the vault together with a log",
            where=str(folder),
            expected="a folder that is in no copy of the log, and has none in it",
            do="name a folder elsewhere: with both in one hand, what is erased could be read again",
        )


def require_no_vault(folder: Path) -> None:
    """Refuse a folder for a log's copy that lies in a folder with a vault, or is one.

    Raises
    ------
    UsageError : it does, or it is
    """
    ours = folder.resolve()
    if any((one / DATABASE).exists() for one in (ours, *ours.parents)):
        raise UsageError(
            "a copy of the log together with a vault",
            where=str(folder),
            expected="a folder that is in no copy of the vault, nor in the vault's own",
            do="name a folder elsewhere: with both in one hand, what is erased could be read again",
        )


def _checked(path: Path, secret: Secret) -> Copied:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            if copy.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
                raise broken("a database file that is damaged")
            subjects = 0
            for row in copy.execute("SELECT lookup, pseudonym, sealed_key FROM subjects"):
                secret.opened(Row._make(row))
                subjects += 1
            (holds,) = copy.execute("SELECT count(*) FROM holds").fetchone()
    except UNREADABLE as error:
        raise broken(f"a database that cannot be read ({name_of(error)})") from error
    return Copied(subjects, holds)
