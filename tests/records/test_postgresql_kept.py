"""A log in PostgreSQL in its operator's hands: an auditor may only read it, and the server's own tools copy it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from decision_load import Load, require_each_once, wait_until
from decision_logs import filled, opened, place_in, write
from postgresql_server import Server, binaries

from features.errors import ConfigurationRefused, RepayrankError
from serving.records.audit import receipt, verify
from serving.records.errors import AuditBroken
from serving.records.limits import Limits
from serving.records.opening import Place


@pytest.fixture
def shared(server: Server, tmp_path: Path) -> Place:
    return place_in(tmp_path, server.new())


def test_an_auditor_who_may_read_the_tables_verifies_and_can_change_nothing(server, shared):
    filled(shared, 5)
    schema = shared.url.rpartition("%3D")[2]
    auditor = replace(shared, url=shared.url.replace("log@", "auditor@"))
    server.execute("CREATE ROLE auditor LOGIN", f"GRANT USAGE ON SCHEMA {schema} TO auditor")
    elsewhere = replace(shared, url=shared.url.replace(schema, "public"))
    server.execute(f"REVOKE USAGE ON SCHEMA {schema} FROM auditor")
    try:
        for shut_out in (auditor, elsewhere):  # neither is a log that was tampered with
            with pytest.raises(ConfigurationRefused, match="without the tables of a log"):
                verify(shut_out)
        server.execute(f"GRANT USAGE ON SCHEMA {schema} TO auditor")
        with pytest.raises(ConfigurationRefused, match="cannot read"):
            verify(auditor)
        tables = ", ".join(f"{schema}.{table}" for table in ("metadata", "records", "subtrees", "expired_records"))
        server.execute(f"GRANT SELECT ON {tables} TO auditor")
        assert verify(auditor) == verify(shared)
        assert receipt(auditor, 2) == receipt(shared, 2)
        for statement in ("DELETE FROM records", "UPDATE metadata SET value = NULL", "DROP TABLE subtrees"):
            with psycopg.connect(auditor.url) as theirs, pytest.raises(psycopg.errors.InsufficientPrivilege):
                theirs.execute(statement.encode())
        # Nor can a service be run with these rights.
        with pytest.raises(RepayrankError):
            opened(auditor)
    finally:
        server.execute("DROP OWNED BY auditor", "DROP ROLE auditor")
    assert verify(shared).records == 5


def test_a_copy_by_pg_dump_of_a_log_in_use_verifies_and_goes_on(server, shared, tmp_path):
    programs = binaries()
    assert programs is not None
    programs = (programs / "initdb").resolve().parent
    if not all((programs / name).exists() for name in ("pg_dump", "pg_restore")):
        pytest.skip("needs pg_dump and pg_restore beside the server's programs")
    copy = replace(place_in(tmp_path / "copy"), url=shared.url.replace("/postgres?", "/restored?"))
    copy.anchors.parent.mkdir(parents=True)
    with opened(shared, Limits(seconds_unsigned=0.05)) as store:
        load = Load(store)
        wait_until(lambda: len(load.told) > 300)
        before = dict(load.told)
        shutil.copyfile(shared.anchors, copy.anchors)
        dump = [programs / "pg_dump", "--format=custom", f"--file={tmp_path / 'log.dump'}", shared.url]
        subprocess.run([*map(str, dump), f"--schema={shared.url.rpartition('%3D')[2]}"], check=True)
        wait_until(lambda: len(load.told) > len(before) + 300)
        load.end()
    server.execute("CREATE DATABASE restored")
    plain = copy.url.partition("&options")[0]
    subprocess.run([str(programs / "pg_restore"), f"--dbname={plain}", str(tmp_path / "log.dump")], check=True)
    report = verify(copy)
    assert report.records >= len(before)
    require_each_once(copy, before, report.records)
    with opened(copy) as store:
        assert write(store, 10**6).sequence == report.records
    # A copy that is older than the checkpoints beside it is refused: what it lacks is not lost unseen.
    with pytest.raises(AuditBroken, match=r"where \d+ were signed"):
        opened(replace(copy, anchors=shared.anchors))
