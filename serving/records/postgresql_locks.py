"""The numbers by which processes that write to one log in PostgreSQL keep out of each other's way."""

from __future__ import annotations

import hashlib

import psycopg
from psycopg.rows import TupleRow

from serving.records.entry import FORMAT


def lock_of(purpose: str, origin: str, connection: psycopg.Connection[TupleRow]) -> int:
    """Return the number of a lock: the first 8 bytes of a hash of its purpose and of the log's name and schema."""
    found = connection.execute("SELECT current_schema()").fetchone()
    digest = hashlib.sha256(f"{FORMAT}\n{purpose}\n{origin}\n{found}\n".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
