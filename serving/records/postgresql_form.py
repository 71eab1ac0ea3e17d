"""What the tables of a log in PostgreSQL must look like, line by line, so that nothing was put in that changes rows."""

from __future__ import annotations

FORM = (
    "expired_records PRIMARY KEY (sequence)",
    "expired_records rp",
    "expired_records.leaf bytea NOT NULL",
    "expired_records.sequence bigint NOT NULL",
    "metadata PRIMARY KEY (name)",
    "metadata rp",
    "metadata.name text NOT NULL",
    "metadata.value bytea NOT NULL",
    "records PRIMARY KEY (sequence)",
    "records UNIQUE (key)",
    "records rp",
    "records.answer bytea NOT NULL",
    "records.body_sha256 bytea NOT NULL",
    "records.event text NOT NULL",
    "records.key text NOT NULL",
    "records.leaf bytea NOT NULL",
    "records.previous bytea NOT NULL",
    "records.record bytea NOT NULL",
    "records.sequence bigint NOT NULL",
    "subtrees PRIMARY KEY (level, position)",
    "subtrees rp",
    "subtrees.hash bytea NOT NULL",
    "subtrees.level bigint NOT NULL",
    "subtrees.position bigint NOT NULL",
)
"""Ordinary tables that are logged (r, p), their columns and constraints, and no trigger, rule or index beside."""

FORMS = (FORM, tuple(line for line in FORM if not line.startswith("expired_records")))
"""A log in which nothing was ever dropped may be one of a release that could not drop."""

SELECT_FORM = """
WITH ours AS (
    SELECT oid, relname::text, relkind, relpersistence, relrowsecurity FROM pg_class
    WHERE oid IN (to_regclass('metadata'), to_regclass('records'), to_regclass('subtrees'),
        to_regclass('expired_records'))
)
SELECT relname || ' ' || relkind::text || relpersistence::text || CASE WHEN relrowsecurity THEN ' secured' ELSE '' END
    FROM ours
UNION ALL
SELECT relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
    || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END || CASE WHEN atthasdef THEN ' default' ELSE '' END
    FROM ours JOIN pg_attribute ON attrelid = ours.oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname || ' ' || replace(pg_get_constraintdef(pg_constraint.oid), '"', '')
    FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype <> 'n'
UNION ALL
SELECT relname || ' trigger' FROM ours JOIN pg_trigger ON tgrelid = ours.oid
UNION ALL
SELECT relname || ' rule' FROM ours JOIN pg_rewrite ON ev_class = ours.oid
UNION ALL
SELECT relname || ' index' FROM ours JOIN pg_index ON indrelid = ours.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
    OR NOT indisvalid OR NOT indisready
"""
