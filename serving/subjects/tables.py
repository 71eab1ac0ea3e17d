"""The vault's three tables: who is known, what the law keeps, and what file this is.

subjects   where a name is found, its pseudonym, and its data key, sealed under the operator's master key
holds      pseudonym, reason and day of each legal hold
metadata   the form of the file, a mark of the master key, whether an erasure is under way, and how far the log's
           erasures are carried out
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from features.errors import ConfigurationRefused
from serving.subjects import erasable
from serving.subjects.errors import broken
from serving.subjects.subject import FORMAT

SCHEMA = (
    "CREATE TABLE holds (pseudonym BLOB NOT NULL, reason TEXT NOT NULL, day TEXT NOT NULL,"
    " PRIMARY KEY (pseudonym, reason)) STRICT, WITHOUT ROWID",
    "CREATE TABLE metadata (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    # All rows are as long as each other: a page that is rearranged then keeps no copy of a row in its unused part.
    "CREATE TABLE subjects (lookup BLOB PRIMARY KEY, pseudonym BLOB NOT NULL UNIQUE, sealed_key BLOB NOT NULL)"
    " STRICT, WITHOUT ROWID",
)
UNFINISHED = ("unfinished", b"erasure")
"""In the metadata from the change that erases until nothing is left of it: a start finishes what was cut short."""

FOLLOWED = "followed"


def made_or_checked(connection: sqlite3.Connection, path: Path, mark: bytes) -> bool:
    """Return whether the tables had to be made; those that are there have the right form and key.

    An erasure that was cut short is finished.

    Raises
    ------
    VaultBroken : the tables are others
    ConfigurationRefused : they were made with another master key
    """
    is_new = not connection.execute("SELECT name FROM sqlite_schema").fetchall()
    if is_new:
        connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            connection.execute(statement)
        kept = {"format": FORMAT, "mark": mark}
        connection.executemany("INSERT INTO metadata (name, value) VALUES (?, ?)", kept.items())
        connection.execute("COMMIT")
        return True
    found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").fetchall()
    if tuple(statement for (statement,) in found) != SCHEMA:
        raise broken("tables of another form", expected="the tables of a vault")
    kept = dict(connection.execute("SELECT name, value FROM metadata").fetchall())
    if kept.get("format") != FORMAT:
        raise broken("a file of another format", expected="a vault of this release or before")
    if kept.get("mark") != mark:
        # All lookups would fail, and every subject would get a second pseudonym.
        raise ConfigurationRefused(
            "a vault that was made with another master key",
            where=str(path),
            expected="the master key of this vault",
            do="name the key that was made for it",
        )
    if UNFINISHED[0] in kept:
        erasable.write_anew(connection, path)
        end_erasure(connection)
    return False


def begin_erasure(connection: sqlite3.Connection) -> bool:
    """Note, within the change that erases, that traces may be left; return whether that was noted before."""
    is_new = connection.execute("INSERT INTO metadata (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", UNFINISHED)
    return is_new.rowcount == 0


def end_erasure(connection: sqlite3.Connection) -> None:
    """Note that no traces are left."""
    connection.execute("DELETE FROM metadata WHERE name = ?", UNFINISHED[:1])


def followed(connection: sqlite3.Connection) -> bytes:
    """Return the note of how far the log's erasures are carried out, empty where there is none."""
    found = connection.execute("SELECT value FROM metadata WHERE name = ?", (FOLLOWED,)).fetchone()
    return bytes(found[0]) if found else b""


def note_followed(connection: sqlite3.Connection, note: bytes) -> None:
    """Keep a note of how far the log's erasures are carried out."""
    connection.execute(
        "INSERT INTO metadata (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (FOLLOWED, note),
    )
