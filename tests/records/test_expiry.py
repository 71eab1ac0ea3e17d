"""What goes at the end of its term leaves the log whole, leaves no bytes behind, and nothing goes early."""

from __future__ import annotations

import os
import random
import sqlite3
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from decision_logs import KEY, ORIGIN, change, filled, opened, place_in, write
from expiring_logs import (
    DUE,
    ERASED,
    HELD,
    MONTHS,
    NEW,
    NOW,
    OLD,
    READ,
    RIGHT,
    ROWS,
    SCORE,
    TERMS,
    TODAY,
    Told,
    archive_in,
    exported_unchecked,
    fill,
    gone,
    left,
    noon,
    order,
    over_everywhere,
    slow_last_day,
    terms_of,
    there,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from subject_vaults import MASTER, name

from features.errors import ConfigurationRefused, DataRefused, UsageError
from serving.decisions.archive import Archive
from serving.decisions.expiry import expired, previewed
from serving.decisions.outbox import outbox_of, posted
from serving.decisions.subject_events import subjects_in
from serving.records import alone
from serving.records.audit import continuation, receipt, verify
from serving.records.backup import backup, restore
from serving.records.canonical import canonical_record
from serving.records.dropping import held_alone
from serving.records.errors import Expired, LogBusy, LogOwned
from serving.records.expiry import DONE, ORDERED
from serving.records.export import export, public_pem, receipt_bytes
from serving.records.opening import Place, database_of
from serving.records.tables import reading
from serving.records.terms import day_everywhere
from serving.subjects.vault import open_vault

SEED = int(os.environ.get("REPAYRANK_EXPIRY_SEED", "0"))
CLOCKS = int(os.environ.get("REPAYRANK_EXPIRY_CLOCKS", "8"))
"""Logs whose clock is anywhere; a release asks for 300."""

PAGE, HEADER_BYTES, LEAF_OF_A_TABLE = 4_096, 8, 13
"""Of SQLite's files (https://sqlite.org/fileformat2.html)."""

RUNS = int(os.environ.get("REPAYRANK_EXPIRY_RUNS", "20"))
"""How often records are dropped in nine simulated years; a release asks for 400."""


@pytest.fixture
def archive(place: Place, tmp_path: Path) -> Archive:
    return archive_in(tmp_path, place)


@pytest.fixture
def file_archive(file_place: Place, tmp_path: Path) -> Archive:
    return archive_in(tmp_path, file_place)


def test_what_is_due_goes_and_everything_around_it_verifies_as_before(archive, tmp_path, capsys):
    fill(archive, ROWS)
    note = verify_note(archive.place)
    rows = there(archive.place)
    outcome = expired(archive, KEY, TERMS, TODAY, NOW)
    assert (outcome.records, outcome.subjects, outcome.left) == ({SCORE: 2, READ: 1}, 1, 4)
    assert gone(archive.place) == DUE
    report = verify(archive.place)
    assert (report.records, report.signed, report.expired, report.ordered) == (9, 9, 3, 0)
    assert {at: row for at, row in there(archive.place).items() if at < 7} == {
        at: row for at, row in rows.items() if at not in DUE
    }
    assert [there(archive.place)[at].entry.asked.event for at in (7, 8)] == [ORDERED, DONE]
    pem = tmp_path / "public.pem"
    pem.write_bytes(public_pem(archive.place))
    for at in range(9):
        if at in DUE:
            with pytest.raises(Expired, match=f"record {at}"):
                receipt(archive.place, at)
            continue
        path = tmp_path / f"{at}.json"
        path.write_bytes(receipt_bytes(receipt(archive.place, at)))
        assert alone.main([str(path), "--key", str(pem), "--origin", ORIGIN]) == 0
    assert continuation(archive.place, note).second == 9
    assert export(archive.place, tmp_path / "export") == 9
    capsys.readouterr()
    assert alone.main([str(tmp_path / "export"), "--origin", ORIGIN]) == 0
    assert "3 of them are gone" in capsys.readouterr().out
    with opened(archive.place) as store:
        assert store.size == 9
        assert write(store, 1).sequence == 9
    assert verify(archive.place).records == 10


def verify_note(place: Place) -> bytes:
    with opened(place) as store:
        return store.sign()


def test_a_second_run_finds_nothing_and_writes_nothing(archive):
    fill(archive, ROWS)
    expired(archive, KEY, TERMS, TODAY, NOW)
    before = verify(archive.place)
    again = expired(archive, KEY, TERMS, TODAY, NOW)
    assert (again.records.total(), again.subjects, again.orders) == (0, 0, ())
    assert verify(archive.place) == before


def mixed(count: int) -> list[Told]:
    """Return old records, of which those that are no holds are due, between each other."""
    return [Told(OLD, HELD if at % 3 == 0 else (SCORE, READ)[at % 5 == 0], (at % 20,)) for at in range(count)]


def test_no_bytes_of_what_went_are_left_in_any_file(file_archive, tmp_path):
    told = mixed(150)
    canaries = list(fill(file_archive, told).values())
    assert len(left(tmp_path, canaries)) >= 3 * len(told)
    expired(file_archive, KEY, TERMS, TODAY, NOW)
    goes = [made for made, one in zip(canaries, told, strict=True) if one.kind != HELD]
    assert left(tmp_path, goes) == []
    assert len(left(tmp_path, canaries)) >= 3 * (len(told) - len(goes))
    assert verify(file_archive.place).expired == len(goes) == 100
    assert all(file_archive.vault.pseudonym_of(name(at)) for at in range(20))


def test_a_copy_of_what_went_in_the_unused_part_of_a_page_goes_too(file_archive):
    canaries = list(fill(file_archive, ROWS).values())
    path = file_archive.place.database
    content = path.read_bytes()
    for page in range(PAGE, len(content), PAGE):
        cells = int.from_bytes(content[page + 3 : page + 5], "big")
        begin, end = page + HEADER_BYTES + 2 * cells, page + int.from_bytes(content[page + 5 : page + 7], "big")
        if content[page] == LEAF_OF_A_TABLE and end - begin > 100:
            with path.open("r+b") as stream:
                stream.seek(begin + 10)
                stream.write(canaries[0][0].hex().encode())
            break
    else:
        pytest.fail("no page has room")
    assert verify(file_archive.place).records == len(ROWS)
    expired(file_archive, KEY, TERMS, TODAY, NOW)
    assert left(file_archive.place.folder, [canaries[0]]) == []


def test_no_bytes_of_what_went_are_left_in_the_tables_of_a_server(server, tmp_path):
    archive = archive_in(tmp_path, place_in(tmp_path, server.new()))
    told = mixed(40)
    canaries = list(fill(archive, told).values())
    server.execute("CHECKPOINT")
    goes = [made for made, one in zip(canaries, told, strict=True) if one.kind != HELD]
    assert left(server.data / "base", goes)
    expired(archive, KEY, TERMS, TODAY, NOW)
    server.execute("CHECKPOINT")
    assert left(server.data / "base", goes) == []


def test_keys_go_with_the_last_record_that_they_open(archive):
    fill(archive, ROWS)
    before = {at: archive.vault.pseudonym_of(name(at)) for at in range(4)}
    assert expired(archive, KEY, TERMS, TODAY, NOW).subjects == 1
    after = {at: archive.vault.pseudonym_of(name(at)) for at in range(4)}
    assert {at for at in before if after[at] != before[at]} == {1}
    assert expired(archive, KEY, TERMS, date(2027, 3, 3), noon(2027, 3, 5)).subjects == 1
    assert archive.vault.pseudonym_of(name(0)) is None


def test_a_legal_hold_keeps_all_of_a_record_and_all_of_its_keys(archive):
    fill(archive, ROWS)
    archive.vault.hold(name(2), "case 7", TODAY)
    outcome = expired(archive, KEY, TERMS, TODAY, NOW)
    assert (outcome.records, outcome.held, outcome.subjects) == ({SCORE: 1, READ: 1}, {SCORE: 1}, 0)
    assert gone(archive.place) == {0, 1}
    archive.vault.release(name(2))
    assert expired(archive, KEY, TERMS, TODAY, NOW).records == {SCORE: 1}
    assert archive.vault.pseudonym_of(name(1)) is None


def test_a_record_that_was_ordered_to_go_stays_while_a_hold_or_a_longer_term_keeps_it(archive):
    fill(archive, ROWS)
    order(archive.place, RIGHT)
    assert (verify(archive.place).expired, verify(archive.place).ordered) == (0, 3)
    archive.vault.hold(name(0), "case 7", TODAY)
    longer = terms_of({SCORE: 100, READ: 25, HELD: 84, ERASED: 84})
    assert expired(archive, KEY, longer, TODAY, NOW).records == {}
    assert expired(archive, KEY, TERMS, TODAY, NOW).records == {SCORE: 1}
    assert (verify(archive.place).expired, verify(archive.place).ordered) == (1, 2)
    archive.vault.release(name(0))
    outcome = expired(archive, KEY, TERMS, TODAY, NOW)
    assert (outcome.records, outcome.orders) == ({SCORE: 1, READ: 1}, ())
    assert gone(archive.place) == DUE


def test_a_hold_that_only_the_log_tells_of_keeps_as_well(archive):
    fill(archive, ROWS)
    subject = archive.vault.pseudonym_of(name(0)).hex()
    outbox = outbox_of(archive.state)
    for event, reason in (("placed", "case 7"), ("placed", "case 8"), ("released", "case 7")):
        posted(outbox, f"hold:subject:{event}", {"subject": subject, "reason": reason}, noon(2026, 3, 1))
    terms = terms_of({**MONTHS, "hold:subject:placed": 84})
    outcome = expired(archive, KEY, terms, TODAY, NOW)
    assert (outcome.records, outcome.held) == ({SCORE: 1}, {SCORE: 1, READ: 1})
    posted(outbox, "hold:subject:released", {"subject": subject, "reason": "case 8"}, noon(2026, 3, 1))
    assert expired(archive, KEY, terms, TODAY, NOW).records == {SCORE: 1, READ: 1}
    assert list(outbox.iterdir()) == []


def test_what_nobody_can_read_in_the_outbox_stops_nothing(file_archive):
    fill(file_archive, ROWS)
    outbox_of(file_archive.state).mkdir()
    (outbox_of(file_archive.state) / "0.json").write_bytes(b"{")
    assert expired(file_archive, KEY, TERMS, TODAY, NOW).records.total() == len(DUE)


def test_a_vault_that_was_made_just_now_is_not_taken_for_the_one_of_the_log(file_archive, tmp_path):
    fill(file_archive, ROWS)
    other = replace(file_archive, vault=open_vault(tmp_path / "other", MASTER))
    for run in (lambda: previewed(other, TERMS, TODAY), lambda: expired(other, KEY, TERMS, TODAY, NOW)):
        with pytest.raises(ConfigurationRefused, match="vault"):
            run()
    assert verify(file_archive.place).expired == 0


def test_what_does_not_fit_into_one_order_is_spread_over_several(archive, monkeypatch):
    monkeypatch.setattr("serving.decisions.expiry.MOST_SPANS", 2)
    fill(archive, ROWS)
    assert expired(archive, KEY, TERMS, TODAY, NOW).orders == (7, 8)
    assert verify(archive.place).expired == len(DUE)


def test_a_kind_without_a_term_refuses_the_run_and_nothing_is_dropped(archive):
    fill(archive, [*ROWS, Told(NEW, "model:version:promoted")])
    before = verify(archive.place)
    for run in (previewed, lambda *more: expired(more[0], KEY, *more[1:], NOW)):
        with pytest.raises(ConfigurationRefused, match="model:version:promoted"):
            run(archive, TERMS, TODAY)
    assert verify(archive.place) == before
    assert archive.vault.pseudonym_of(name(1)) is not None


def test_a_record_that_does_not_say_when_refuses_the_run(file_archive):
    fill(file_archive, ROWS)
    filled(file_archive.place, 1)
    with pytest.raises(DataRefused, match="record 7"):
        expired(file_archive, KEY, TERMS, TODAY, NOW)
    assert verify(file_archive.place).expired == 0


def test_nothing_is_dropped_for_a_day_that_has_not_begun_everywhere(file_archive):
    fill(file_archive, ROWS)
    with pytest.raises(UsageError, match="2026-08-04"):
        expired(file_archive, KEY, TERMS, date(2026, 8, 4), NOW)
    assert previewed(file_archive, TERMS, date(2036, 8, 4)).left == 0
    assert verify(file_archive.place).records == len(ROWS)


def test_while_a_service_writes_nothing_is_dropped_and_one_can_still_look(archive):
    fill(archive, ROWS)
    with opened(archive.place):
        with pytest.raises(LogOwned):
            expired(archive, KEY, TERMS, TODAY, NOW)
        assert previewed(archive, TERMS, TODAY).records == {SCORE: 2, READ: 1}
    assert verify(archive.place).expired == 0


def test_while_records_are_dropped_no_service_starts_and_no_hold_is_placed(archive, tmp_path):
    fill(archive, ROWS)
    other = archive_in(tmp_path, archive.place)
    with held_alone(archive.place, KEY), archive.vault.kept_still():
        with pytest.raises((LogOwned, LogBusy)):
            opened(archive.place)
        with pytest.raises(Exception, match="another process"):
            other.vault.hold(name(0), "case 7", TODAY)
    other.vault.hold(name(0), "case 7", TODAY)
    with opened(archive.place) as store:
        assert store.size == len(ROWS)


def test_a_program_that_reads_the_log_keeps_the_traces_until_the_next_run(file_archive, tmp_path):
    canaries = fill(file_archive, [Told(OLD, SCORE, (at,)) for at in range(50)])
    with reading(database_of(file_archive.place)) as tables:
        next(tables.kept(0))
        with pytest.raises(LogBusy):
            expired(file_archive, KEY, TERMS, TODAY, NOW)
    assert verify(file_archive.place).expired == 50
    expired(file_archive, KEY, TERMS, TODAY, NOW)
    assert left(tmp_path, canaries.values()) == []
    assert verify(file_archive.place).records == 52


def test_where_the_clock_was_set_back_a_record_counts_from_the_newest_day_before_it(archive):
    back, ahead = noon(2019, 1, 1), noon(2040, 1, 1)
    fill(archive, [Told(OLD), Told(ahead), Told(NEW, READ), Told(back), Told(NEW)])
    assert expired(archive, KEY, TERMS, TODAY, NOW).records == {SCORE: 1}
    assert gone(archive.place) == {0}
    # The reading goes first; what its day said of the record after it stays known.
    assert expired(archive, KEY, TERMS, date(2028, 5, 1), noon(2028, 5, 3)).records == {READ: 1}
    assert expired(archive, KEY, TERMS, date(2031, 3, 1), noon(2031, 3, 5)).records == {}
    assert expired(archive, KEY, TERMS, date(2031, 3, 2), noon(2031, 3, 5)).records == {SCORE: 2}
    assert gone(archive.place) == {0, 2, 3, 4}


@given(st.data())
@settings(max_examples=CLOCKS, deadline=None)
def test_whatever_the_clock_says_nothing_goes_before_its_own_day_and_the_log_verifies(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("clock")
    archive = archive_in(folder, place_in(folder))
    terms, now = terms_of({SCORE: 3, READ: 1}), noon(2026, 1, 1)
    made: dict[int, Told] = {}
    for _ in range(3):
        stamps = data.draw(st.lists(st.integers(-200, 200), min_size=1, max_size=4))
        told = [Told(now + timedelta(days=at), data.draw(st.sampled_from([SCORE, READ]))) for at in stamps]
        size = verify(archive.place).records if made else 0
        fill(archive, told)
        made |= dict(enumerate(told, start=size))
        now += timedelta(days=data.draw(st.integers(0, 150)))
        expired(archive, KEY, terms, day_everywhere(now), now)
        for at in gone(archive.place):
            assert over_everywhere(made[at].at, terms.months(made[at].kind), now)
    assert alone.main([str(exported_unchecked(archive.place, folder / "export"))]) == 0
    # In the end all goes: no error of the clock keeps a record for longer than the error was.
    now += timedelta(days=550)
    expired(archive, KEY, terms, day_everywhere(now), now)
    assert gone(archive.place) == set(made)


def test_a_backup_restores_what_is_left_and_an_older_one_is_finished_by_the_next_run(tmp_path):
    archive = archive_in(tmp_path, place_in(tmp_path / "lived"))
    canaries = list(fill(archive, ROWS).values())
    order(archive.place, RIGHT)
    backup(archive.place, tmp_path / "before")
    expired(archive, KEY, TERMS, TODAY, NOW)
    backup(archive.place, tmp_path / "after")
    assert left(tmp_path / "after", [canaries[at] for at in DUE]) == []
    for folder, count in (("after", 0), ("before", 3)):
        elsewhere = place_in(tmp_path / f"from-{folder}")
        assert restore(tmp_path / folder, elsewhere).ordered == count
        again = replace(archive, place=elsewhere)
        assert expired(again, KEY, TERMS, TODAY, NOW).records.total() == count
        assert gone(elsewhere) == DUE
        assert left(elsewhere.folder, [canaries[at] for at in DUE]) == []


def test_all_whom_a_record_is_about_are_found_in_it():
    one, two, three = (bytes([at]) * 16 for at in (1, 2, 3))
    record = {
        "subject": one.hex(),
        "shares": [{"subject": two.hex(), "sealed": "subject"}],
        "pieces": [{"subjects": [three.hex(), one.hex()]}],
        "subjects": 3,
        "other": {"subject": None, "subjects": ["x"]},
    }
    assert subjects_in(canonical_record(record)) == {one, two, three}


def test_over_nine_years_nothing_goes_early_and_all_that_is_due_goes(file_archive, tmp_path):
    chosen, begin = random.Random(SEED), noon(2020, 1, 31)
    told: list[Told] = []
    canaries: list[list[bytes]] = []
    places: list[int] = []
    held: set[int] = set()
    days = sorted(chosen.sample(range(9 * 365), RUNS))
    for before, day in zip([-1, *days], days, strict=False):
        made = [
            begin + timedelta(days=at) for at in range(before + 1, day + 1) if at < 4 * 365 and chosen.random() < 0.1
        ]
        about = [tuple(chosen.sample(range(12), chosen.randint(0, 2))) for _ in made]
        new = [Told(at, chosen.choice(sorted(MONTHS)), whom) for at, whom in zip(made, about, strict=True)]
        size = verify(file_archive.place).records if told else 0
        canaries += fill(file_archive, new).values()
        told, places = told + new, [*places, *range(size, size + len(new))]
        for number in [
            one for one in range(12) if file_archive.vault.pseudonym_of(name(one)) and chosen.random() < 0.2
        ]:
            if number in held:
                file_archive.vault.release(name(number))
            else:
                file_archive.vault.hold(name(number), "case 7", day=begin.date())
            held ^= {number}
        now = begin + timedelta(days=day, hours=chosen.randint(0, 23))
        was = gone(file_archive.place)
        expired(file_archive, KEY, TERMS, day_everywhere(now), now)
        goes = {
            place for place, one in zip(places, told, strict=True) if is_due(one, now) and held.isdisjoint(one.about)
        }
        assert gone(file_archive.place) == was | goes, f"seed {SEED}, day {day}"
        stays = {
            number for place, one in zip(places, told, strict=True) for number in one.about if place not in was | goes
        }
        for number in range(12):
            if number in stays:
                assert file_archive.vault.pseudonym_of(name(number)), f"seed {SEED}, day {day}"
    assert held or len(gone(file_archive.place)) == len(told)
    went = [made for place, made in zip(places, canaries, strict=True) if place in gone(file_archive.place)]
    assert len(went) > len(told) / 2
    assert left(tmp_path, went) == []
    kinds = [row.entry.asked.event for row in there(file_archive.place).values()]
    assert verify(file_archive.place).expired == len(went)
    assert kinds.count(ORDERED) <= RUNS


def is_due(one: Told, now: datetime) -> bool:
    # Nothing goes early anywhere, and all goes once its term is over from the first zone to the last.
    day = (one.at + timedelta(hours=14)).date()
    due = slow_last_day(day, MONTHS[one.kind]) < (now - timedelta(hours=12)).date()
    assert not due or over_everywhere(one.at, MONTHS[one.kind], now)
    return due


def test_a_log_of_the_release_before_opens_verifies_and_is_only_changed_when_something_is_to_go(archive):
    fill(archive, ROWS)
    statements = ["DROP TABLE expired_records"]
    statements += ["UPDATE alembic_version SET version_num = 'records_1'"] if archive.place.url else []
    change(archive.place, *statements)
    before = there(archive.place)
    assert verify(archive.place).records == len(ROWS)
    fill(archive, [Told(NEW)])
    assert previewed(archive, TERMS, TODAY).records == {SCORE: 2, READ: 1}
    assert not has_table(archive.place)
    with held_alone(archive.place, KEY):
        assert has_table(archive.place)
    assert {at: row for at, row in there(archive.place).items() if at < len(ROWS)} == before
    assert expired(archive, KEY, TERMS, TODAY, NOW).records == {SCORE: 2, READ: 1}
    assert verify(archive.place).records == len(ROWS) + 3


def has_table(place: Place) -> bool:
    if place.url:
        with psycopg.connect(place.url) as connection:
            return connection.execute("SELECT to_regclass('expired_records') IS NOT NULL").fetchone() == (True,)
    connection = sqlite3.connect(place.database)
    found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'expired_records'").fetchone()
    connection.close()
    return found == (1,)
