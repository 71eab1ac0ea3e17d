"""Decision logs for tests: a key of nobody, a place in a temporary folder, and records of made-up decisions."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import time
import uuid
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serving.records.limits import Limits
from serving.records.opening import Place
from serving.records.store import Recorded, Store, open_store

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "test.example/decisions"
EVENT = "score:loan:created"
NEVER = Limits(seconds_unsigned=1e9, records_unsigned=10**9)
"""Signs only when asked, and at the start and the end."""


KINDS = ("sqlite", "postgresql")
TRIGGER = "CREATE TRIGGER t AFTER INSERT ON records BEGIN UPDATE records SET answer = x'00'; END"
TRIGGER_IN_POSTGRESQL = """
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE records SET answer = NULL; RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON records FOR EACH ROW EXECUTE FUNCTION f()
"""


def place_in(folder: Path, url: str | None = None) -> Place:
    return Place(folder / "log", folder / "anchors" / "checkpoints.txt", ORIGIN, (KEY.public_key(),), url)


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """Return an empty place in one of the kinds of database."""
    return place_in(folder, request.getfixturevalue("server").new() if kind == "postgresql" else None)


def opened(place: Place, limits: Limits = NEVER, **more) -> Store:
    return open_store(place, KEY, time.monotonic, limits, **more)


def body(number: int) -> bytes:
    return hashlib.sha256(f"body {number}".encode()).digest()


def record(number: int) -> dict[str, object]:
    return {"subject": f"hmac:{number:04x}", "log_odds": number / 7, "reasons": ["broken_promise_share_6m"]}


def answer(number: int) -> bytes:
    return f'{{"score_id":"S{number}"}}'.encode()


def write(store: Store, number: int) -> Recorded:
    return store.write(f"key-{number}", body(number), EVENT, record(number), answer(number))


def filled(place: Place, count: int, begin: int = 0) -> None:
    with opened(place) as store:
        told = [
            store.submit(f"key-{number}", body(number), EVENT, record(number), answer(number))
            for number in range(begin, begin + count)
        ]
        for future in told:
            future.result()


def copied(place: Place, folder: Path) -> Place:
    other = place_in(folder, copy_of(place.url) if place.url else None)
    if place.url is None:
        shutil.copytree(place.folder, other.folder)
    other.anchors.parent.mkdir(parents=True)
    shutil.copyfile(place.anchors, other.anchors)
    return other


def copy_of(url: str) -> str:
    """Return the URL of a copy of a log in a schema of its own."""
    name = f"copy_{uuid.uuid4().hex}"
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        for table in ("metadata", "records", "expired_records", "subtrees", "alembic_version"):
            connection.execute(f"CREATE TABLE {name}.{table} (LIKE {table} INCLUDING ALL)")
            connection.execute(f"INSERT INTO {name}.{table} SELECT * FROM {table}")  # noqa: S608
    return f"{url.partition('&options=')[0]}&options=-csearch_path%3D{name}"


def change(place: Place, *statements: str) -> None:
    """Run SQL that is written for SQLite on the log, as somebody who can reach its database."""
    if place.url is None:
        connection = sqlite3.connect(place.database, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return
    with psycopg.connect(place.url, autocommit=True) as connection_:
        for statement in statements:
            spoken = TRIGGER_IN_POSTGRESQL if statement == TRIGGER else statement
            spoken = re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", spoken)
            spoken = re.sub(r"zeroblob\((\d+)\)", r"decode(repeat('00', \1), 'hex')", spoken)
            spoken = re.sub(r"CAST\(('.*?') AS BLOB\)", r"convert_to(\1, 'UTF8')", spoken)
            connection_.execute(spoken.encode())


def put_back(older: Place, place: Place) -> Place:
    """Return the log with its database replaced by an older one."""
    if place.url is None:
        older.database.replace(place.database)
        return place
    return replace(place, url=older.url)
