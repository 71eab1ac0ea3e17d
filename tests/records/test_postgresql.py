"""A log in PostgreSQL: the same bytes as in SQLite, several writers, and a server or a way to it that goes away."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cutting_proxy import MODES, Proxy
from decision_load import Load, require_each_once, wait_until
from decision_logs import EVENT, KEY, NEVER, answer, body, change, filled, opened, place_in, record, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgresql_server import PORT, Server

from features.errors import ConfigurationRefused, RepayrankError
from serving.records.audit import verify
from serving.records.errors import AuditBroken, LogBusy, LogStopped
from serving.records.limits import Limits
from serving.records.opening import Place, database_of
from serving.records.schema import METADATA
from serving.records.store import open_store
from serving.records.tables import reading

CUTS = int(os.environ.get("REPAYRANK_CUTS", "1000"))
"""Connections cut around a COMMIT, or as many as fit into the seconds; a release asks for 10,000."""

CUT_SECONDS = float(os.environ.get("REPAYRANK_CUT_SECONDS", "40"))
FEWEST_CUTS = CUTS // 40

RESTARTS = int(os.environ.get("REPAYRANK_RESTARTS", "3"))
SEED = int(os.environ.get("REPAYRANK_CUT_SEED", "0"))
SHARE = 0.3
BACK_SECONDS = 1.0
"""Row D7: the first record is acknowledged within this time after the server is up."""

WRITER = Path(__file__).parents[1] / "support" / "decision_writer.py"
ROW_NUMBERS = {("modify_nullable", None, table, "sequence") for table in ("records", "expired_records")}
PROCESSES = 4
PASSWORD = "not-to-be-told"


@pytest.fixture
def shared(server: Server, tmp_path: Path) -> Place:
    return place_in(tmp_path, server.new())


def test_the_tables_of_both_databases_are_those_that_are_described(shared, tmp_path):
    filled(shared, 1)
    in_file = place_in(tmp_path / "file")
    filled(in_file, 1)
    for url in (f"sqlite:///{in_file.database}", shared.url.replace("postgresql:", "postgresql+psycopg:")):
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            options = {"compare_type": True, "compare_server_default": True}
            differences = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
            # SQLite calls the number of a row nullable, which it can never be.
            assert [one for one in differences if one[0][:4] not in ROW_NUMBERS] == []
        engine.dispose()


@given(st.lists(st.tuples(st.from_regex(r"[!-~]{1,255}", fullmatch=True), st.text(), st.binary()), max_size=30))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_databases_keep_the_same_bytes_and_sign_the_same_roots(server, tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("same")
    places = place_in(folder / "file"), place_in(folder / "server", server.new())
    for place in places:
        with opened(place, NEVER) as store:
            for key, text, told in drawn:
                try:
                    store.write(key, body(0), EVENT, {"text": text}, told)
                except RepayrankError as refusal:
                    assert "U+0000" in refusal.found or "surrogate" in refusal.found
    kept = []
    for place in places:
        with reading(database_of(place)) as tables:
            kept.append((list(tables.rows()), tables.metadata(), list(tables.subtrees()), place.anchors.read_bytes()))
    assert kept[0] == kept[1]


def test_a_database_that_does_not_keep_what_is_committed_is_refused(server, shared):
    for weaker in ("off", "local", "remote_write"):
        careless = replace(shared, url=f"{shared.url}%20-csynchronous_commit%3D{weaker}")
        with pytest.raises(ConfigurationRefused, match="synchronous_commit"):
            opened(careless)
    for name in ("fsync", "full_page_writes"):
        server.execute(f"ALTER SYSTEM SET {name} = off", "SELECT pg_reload_conf()")
        try:
            wait_until(lambda: setting(shared, name) == "off")  # noqa: B023
            with pytest.raises(ConfigurationRefused, match=name):
                opened(shared)
        finally:
            server.execute(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
        wait_until(lambda: setting(shared, name) == "on")  # noqa: B023
    filled(shared, 1)


def setting(place: Place, name: str) -> str:
    with psycopg.connect(place.url) as connection:
        return connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]


def test_a_setting_that_is_weakened_from_outside_does_not_weaken_an_open_log(server, shared):
    with opened(shared) as store:
        server.execute("ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        try:
            wait_until(lambda: setting(shared, "synchronous_commit") == "off")
            write(store, 0)
            assert store._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        finally:
            server.execute("ALTER SYSTEM RESET synchronous_commit", "SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://log:{PASSWORD}@127.0.0.1:1/log",
        f"postgresql://log:{PASSWORD}@[/log",
        f"mysql://log:{PASSWORD}@127.0.0.1/log",
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_telling_the_password(tmp_path, url):
    with pytest.raises(ConfigurationRefused) as refusal:
        opened(place_in(tmp_path, url))
    assert PASSWORD not in str(refusal.value)
    assert PASSWORD not in repr(place_in(tmp_path, "postgresql://log:{PASSWORD}@h/log"))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE records SET UNLOGGED",
        "ALTER TABLE records DROP CONSTRAINT records_key_key",
        "ALTER TABLE records ALTER COLUMN answer DROP NOT NULL",
        "CREATE RULE r AS ON INSERT TO records DO INSTEAD NOTHING",
        "ALTER TABLE records ENABLE ROW LEVEL SECURITY",
        "CREATE INDEX i ON records (event)",
        "UPDATE alembic_version SET version_num = 'records_0'",
    ],
)
def test_tables_of_another_form_are_refused(shared, statement):
    filled(shared, 1)
    change(shared, statement)
    with pytest.raises((AuditBroken, ConfigurationRefused)):
        opened(shared)


def test_several_writers_share_a_log_and_one_of_them_signs(shared):
    limits = Limits(seconds_unsigned=0.2, most_together=16)
    stores = [opened(shared, limits) for _ in range(3)]
    load = Load(*stores, threads=12)
    wait_until(lambda: len(load.told) > 500)
    load.end()
    assert not load.refused
    assert [store._anchors is not None for store in stores] == [True, False, False]
    assert sum(store.commits for store in stores) <= len(load.told)
    assert all(store.commits for store in stores)
    # What the others wrote is signed by the one that signs, within the time.
    write(stores[1], 10**6)
    wait_until(lambda: stores[2].anchored[0].size == len(load.told) + 1, 5.0)
    first, second = (store.write("same", body(1), EVENT, record(1), told) for store, told in zip(stores, (b"1", b"2")))  # noqa: B905
    assert first == second
    for store in stores:
        store.close()
    require_each_once(shared, load.told, load.threads + 2)


def test_another_takes_over_signing_when_the_one_that_signs_is_closed(shared):
    limits = Limits(seconds_unsigned=0.2)
    first, second = opened(shared, limits), opened(shared, limits)
    write(first, 0)
    first.close()
    write(second, 1)
    wait_until(lambda: second.anchored[0].size == 2, 5.0)
    assert second._anchors is not None
    second.close()
    assert verify(shared).signed == 2


def test_whoever_takes_over_signing_refuses_a_log_that_is_not_the_one_that_was_signed(shared):
    limits = Limits(seconds_unsigned=0.2)
    first, second = opened(shared, limits), opened(shared, NEVER)
    for number in range(5):
        write(first, number)
    signed = shared.anchors.read_bytes()
    first.close()
    change(shared, "UPDATE records SET leaf = zeroblob(32) WHERE sequence = 2")
    wait_until(lambda: second.is_stopped, 5.0)
    with pytest.raises(LogStopped, match="AuditBroken"):
        write(second, 9)
    second.close()
    assert shared.anchors.read_bytes().startswith(signed)


def test_a_log_that_others_set_back_while_it_is_open_stops(shared):
    with opened(shared, NEVER) as store:
        for number in range(5):
            write(store, number)
        change(
            shared, "DELETE FROM records WHERE sequence = 4", "UPDATE metadata SET value = x'34' WHERE name = 'size'"
        )
        with pytest.raises(LogStopped, match="AuditBroken"):
            write(store, 9)


def test_processes_that_start_at_once_make_one_log(shared):
    start, stores = threading.Barrier(4), []

    def begin() -> None:
        start.wait()
        stores.append(opened(shared))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 4
    assert len({write(store, number).sequence for number, store in enumerate(stores)}) == 4
    for store in stores:
        store.close()
    assert verify(shared).records == 4


def test_processes_that_are_killed_leave_signing_and_writing_to_the_others(shared, tmp_path):
    chosen, told = random.Random(SEED), {}
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    with opened(shared, Limits(seconds_unsigned=0.2)) as here:
        writers = []
        for at in range(PROCESSES):
            output = tmp_path / f"told-{at}"
            command = [sys.executable, str(WRITER), str(shared.folder.parent), str(at * 10**6), "4", shared.url]
            with output.open("wb") as stream:
                writers.append((subprocess.Popen(command, stdout=stream, env=environment), output))
        for writer, output in writers:
            lines = chosen.randint(1, 300)
            wait_until(lambda: output.read_bytes().count(b"\n") > lines, 60)  # noqa: B023
            writer.kill()
            writer.wait()
            write(here, -len(told) - 1)
            for line in output.read_bytes().split(b"\n")[:-1]:
                number, sequence = map(int, line.split())
                told[number] = sequence
        assert not here.is_stopped
    require_each_once(shared, told, PROCESSES * (4 + 1))


@pytest.mark.slow
def test_a_connection_that_is_cut_around_its_commit_loses_and_doubles_nothing(server, shared, tmp_path_factory):
    print(f"seed {SEED}")  # noqa: T201
    folder = tmp_path_factory.mktemp("way")
    proxy = Proxy(folder, server.sockets / f".s.PGSQL.{PORT}", SEED, SHARE)
    through = replace(shared, url=shared.url.replace(str(server.sockets), str(folder)))
    with opened(through, Limits()) as store, opened(through, Limits()) as other:
        load = Load(store, other)
        proxy.cutting = True
        begun = time.monotonic()
        wait_until(lambda: sum(proxy.cuts.values()) >= CUTS or time.monotonic() - begun > CUT_SECONDS, 2 * CUT_SECONDS)
        print(f"{sum(proxy.cuts.values())} of {CUTS} cuts in {time.monotonic() - begun:.0f} s")  # noqa: T201
        proxy.cutting = False
        load.end()
        wait_until(lambda: not store.is_stopped and not other.is_stopped)
    proxy.close()
    assert set(proxy.cuts) == set(MODES)
    assert sum(proxy.cuts.values()) > FEWEST_CUTS
    require_each_once(shared, load.told, load.threads)


def test_a_server_that_is_stopped_at_once_under_load_loses_nothing_and_is_written_to_soon_after(server, shared):
    with opened(shared, Limits()) as store:
        load, waited = Load(store), []
        for _ in range(RESTARTS):
            before = len(load.told)
            wait_until(lambda: len(load.told) > before + 50)  # noqa: B023
            server.stop("immediate")
            server.start()
            up = time.monotonic()
            wait_until(lambda: load.told_at > up)  # noqa: B023
            waited.append(load.told_at - up)
        load.end()
    assert max(waited) < BACK_SECONDS
    require_each_once(shared, load.told, load.threads)


def test_callers_of_a_server_that_stays_away_are_told_so_in_time_and_it_goes_on_by_itself(server, shared):
    limits = Limits(busy_seconds=1.0)
    with opened(shared, limits) as store:
        first = write(store, 0)
        server.stop("immediate")
        try:
            begun = time.monotonic()
            with pytest.raises(LogBusy):
                write(store, 1)
            assert time.monotonic() - begun < 3 * limits.busy_seconds
            begun = time.monotonic()
            with pytest.raises(LogBusy):
                write(store, 1)
            assert time.monotonic() - begun < 0.5
            assert store.is_stopped
            with pytest.raises(LogStopped, match="now"):
                store.answered("key-0", body(0))
        finally:
            server.start()
        wait_until(lambda: not store.is_stopped, BACK_SECONDS)
        assert store.answered("key-0", body(0)) == first
        assert write(store, 1).sequence == 1
    require_each_once(shared, {0: 0, 1: 1}, 0)


def test_a_log_whose_server_is_away_can_be_closed(server, shared):
    store = opened(shared)
    write(store, 0)
    server.stop("immediate")
    try:
        future = store.submit("key-1", body(1), EVENT, record(1), answer(1))
        store.close()
        assert isinstance(future.exception(), LogBusy | LogStopped)
    finally:
        server.start()
    require_each_once(shared, {0: 0}, 0)


def test_a_process_that_hangs_within_a_batch_does_not_keep_the_others_from_writing_for_ever(shared, monkeypatch):
    from serving.records import postgresql

    monkeypatch.setattr(postgresql, "HANGING_SECONDS", 1)
    with opened(shared) as hanging, open_store(shared, KEY, time.monotonic, Limits(busy_seconds=5)) as other:
        write(hanging, 0)
        hanging._connection.begin()
        assert write(other, 1).sequence == 1
        assert write(hanging, 2).sequence == 2
