"""The tables of the decision log as SQLAlchemy describes them: what the migrations must lead to, on either database.

Nothing reads or writes through this: `sqlite` and `postgresql` speak to their drivers. Tests compare both with it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

METADATA = MetaData()
NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite's INTEGER has 64 bits."""

METADATA_TABLE = Table(
    "metadata",
    METADATA,
    Column("name", Text(), primary_key=True),
    Column("value", LargeBinary(), nullable=False),
)
RECORDS = Table(
    "records",
    METADATA,
    Column("sequence", NUMBER, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary(), nullable=False),
    Column("previous", LargeBinary(), nullable=False),
    Column("key", Text(), nullable=False),
    Column("body_sha256", LargeBinary(), nullable=False),
    Column("event", Text(), nullable=False),
    Column("record", LargeBinary(), nullable=False),
    Column("answer", LargeBinary(), nullable=False),
    UniqueConstraint("key"),
)
EXPIRED_RECORDS = Table(
    "expired_records",
    METADATA,
    Column("sequence", NUMBER, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary(), nullable=False),
)
SUBTREES = Table(
    "subtrees",
    METADATA,
    Column("level", NUMBER, primary_key=True, autoincrement=False),
    Column("position", NUMBER, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(), nullable=False),
)
