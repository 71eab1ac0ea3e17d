"""One of several promoters wins, none undoes another unseen, and a death leaves one champion and its whole past."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ModelRefused, UsageError
from models import champions
from models.champions import (
    HISTORY,
    LOCK,
    MADE,
    NEXT,
    Champions,
    ConflictingChampion,
    Promotion,
    Standing,
    UnpromotedChampion,
)
from models.store import ModelStore

ROOT = Path(__file__).parents[2]
PROCESSES, THREADS = 4, 5
ROUNDS = int(os.environ.get("REPAYRANK_PROMOTION_ROUNDS", "150"))
SEED = int(os.environ.get("REPAYRANK_PROMOTION_SEED", "0"))
KILLS = int(os.environ.get("REPAYRANK_PROMOTION_KILLS", "12"))

PROMOTERS = """
import json, sys, threading, time
from pathlib import Path
from models.champions import Champions, ConflictingChampion, Standing

folder, first, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
champions = Champions(folder)
print("ready", flush=True)
for line in sys.stdin:
    version, generation, begin = json.loads(line)
    told = [None] * threads

    def promote(place):
        time.sleep(max(0.0, begin - time.monotonic()))
        expected, by = Standing(version, generation), f"promoter {first + place}"
        try:
            made = champions.promote(str(first + place), None, expected=expected, by=by)
            told[place] = [made.generation, made.version]
        except ConflictingChampion:
            told[place] = "lost"

    callers = [threading.Thread(target=promote, args=(place,)) for place in range(threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    print(json.dumps(told), flush=True)
"""

ENDLESS = """
import sys
from pathlib import Path
from models.champions import Champions

champions = Champions(Path(sys.argv[1]))
version = int(sys.argv[2])
while True:
    version += 1
    made = champions.promote(str(version), None, by="endless")
    sys.stdout.write(f"{made.generation} {made.version}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def kept(tmp_path: Path) -> Champions:
    return Champions(tmp_path / "card")


def process(code: str, *arguments: object, **pipes: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        **pipes,
    )


def test_of_twenty_who_expect_the_same_champion_exactly_one_wins_in_every_round(kept: Champions) -> None:
    kept.promote("1", None)
    with ExitStack() as stack:
        started = [
            stack.enter_context(process(PROMOTERS, kept.folder, 100 + 10 * number, THREADS, stdin=subprocess.PIPE))
            for number in range(PROCESSES)
        ]
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        won = []
        for _ in range(ROUNDS):
            now = kept.standing()
            begin = time.monotonic() + 0.01
            for one in started:
                assert one.stdin is not None
                one.stdin.write(f"{json.dumps([now.version, now.generation, begin])}\n")
                one.stdin.flush()
            told: list[Any] = []
            for one in started:
                assert one.stdout is not None
                told += json.loads(one.stdout.readline())
            assert len(told) == PROCESSES * THREADS
            (winner,) = [entry for entry in told if entry != "lost"]
            won.append(winner)
        for one in started:
            assert one.stdin is not None
            one.stdin.close()
    history = kept.history()
    assert [(entry.generation, entry.version) for entry in history[1:]] == [tuple(entry) for entry in won]
    assert [entry.before for entry in history[1:]] == [entry.version for entry in history[:-1]]
    assert all(entry.by == f"promoter {entry.version}" for entry in history[1:])
    assert kept.standing() == Standing(history[-1].version, len(history))


def test_a_version_that_came_back_is_not_taken_for_one_that_never_left(kept: Champions) -> None:
    kept.promote("1", None)
    looked = kept.standing()
    kept.promote("2", None)
    kept.promote("1", None)
    assert kept.standing().version == looked.version
    with pytest.raises(ConflictingChampion, match=r"version 1 \(change 3\) is champion"):
        kept.promote("3", None, expected=looked)
    assert kept.named() == "1"
    assert len(kept.history()) == 3


def test_the_first_champion_can_be_expected_to_be_the_first(kept: Champions) -> None:
    nobody = kept.standing()
    assert nobody == Standing(None, 0)
    kept.promote("1", None, expected=nobody)
    with pytest.raises(ConflictingChampion, match="expected no version"):
        kept.promote("2", None, expected=nobody)


def test_a_conflict_is_a_refusal_of_the_model_and_says_nothing_of_persons(kept: Champions) -> None:
    kept.promote("1", None, by="somebody")
    with pytest.raises(ModelRefused) as refused:
        kept.promote("2", None, expected=Standing("9", 9), by="another")
    assert "somebody" not in str(refused.value)
    assert "another" not in str(refused.value)


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(
        st.one_of(
            st.tuples(st.just("promote"), st.integers(1, 3)),
            st.tuples(st.just("by hand"), st.integers(1, 3)),
            st.tuples(st.just("junk"), st.sampled_from([b"", b"\xff", b"latest", b"9" * 500])),
            st.tuples(st.just("taken away"), st.none()),
            st.tuples(st.just("died"), st.integers(1, 3)),
            st.tuples(st.just("torn"), st.integers(1, 40)),
        ),
        max_size=12,
    )
)
def test_whatever_was_done_by_hand_or_left_undone_the_history_is_a_chain_that_ends_with_the_champion(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, Any]]
) -> None:
    kept = Champions(tmp_path_factory.mktemp("card"))
    generations = [kept.standing().generation]
    for kind, given_ in changes:
        if kind == "promote":
            kept.promote(str(given_), None, expected=kept.standing(), by="a promoter")
        elif kind == "by hand":
            kept.pointer.write_text(f"{given_}\n")
        elif kind == "junk":
            kept.pointer.write_bytes(given_)
        elif kind == "taken away":
            kept.pointer.unlink(missing_ok=True)
        elif kind == "died":  # the line was written, the number not yet replaced
            pointed = kept.pointer.read_bytes() if kept.pointer.exists() else None
            kept.promote(str(given_), None, by="one that died")
            if pointed is None:
                kept.pointer.unlink()
            else:
                kept.pointer.write_bytes(pointed)
        elif (kept.folder / HISTORY).exists():
            with (kept.folder / HISTORY).open("ab") as stream:
                stream.write(b'{"generation":1,"version":"1","before":null}'[:given_])
        generations.append(kept.standing().generation)
    last = kept.promote("7", None)
    history = kept.history()
    assert history[-1] == last
    assert kept.standing() == Standing("7", last.generation)
    assert [entry.generation for entry in history] == list(range(1, len(history) + 1))
    assert [entry.before for entry in history] == [None, *(entry.version for entry in history[:-1])]
    assert generations[0] == 0


def test_killed_at_any_moment_it_leaves_a_champion_and_all_that_it_acknowledged(kept: Champions) -> None:
    seed = SEED
    chosen = random.Random(seed)
    acknowledged: list[tuple[int, str]] = []
    begin = 1000
    for _ in range(KILLS):
        with process(ENDLESS, kept.folder, begin) as running:
            assert running.stdout is not None
            first = running.stdout.readline()
            assert first
            time.sleep(chosen.uniform(0, 0.05))
            running.send_signal(signal.SIGKILL)
            lines = [first, *running.stdout.read().splitlines(keepends=True)]
        told = [line.split() for line in lines if line.endswith("\n")]
        acknowledged += [(int(generation), version) for generation, version in told]
        now = kept.standing()
        assert now.version is not None, f"seed {seed}"
        assert kept.promoted() == now.version, f"seed {seed}"
        # The last one may have become champion unacknowledged.
        assert int(now.version) - int(told[-1][1]) in (0, 1), f"seed {seed}"
        history = {entry.generation: entry.version for entry in kept.history()}
        assert all(history[generation] == version for generation, version in acknowledged), f"seed {seed}"
        begin = int(now.version)
    made = kept.promote("1", None, expected=kept.standing())
    assert made.before == str(begin)
    assert sorted(path.name for path in kept.folder.iterdir()) == sorted(
        {LOCK, HISTORY, MADE, kept.pointer.name} | ({NEXT} if (kept.folder / NEXT).exists() else set())
    )


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_what_is_written_is_synced_before_it_takes_effect(kept: Champions, tmp_path: Path) -> None:
    kept.promote("1", None)
    trace = tmp_path / "trace"
    code = "import sys; from pathlib import Path; from models.champions import Champions; "
    code += "Champions(Path(sys.argv[1])).promote('2', None)"
    calls = "trace=fsync,rename,renameat,renameat2"
    subprocess.run(
        ["strace", "-f", "-y", "-o", str(trace), "-e", calls, sys.executable, "-c", code, str(kept.folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    told = [line for line in trace.read_text().splitlines() if str(kept.folder) in line]
    said = [
        "rename" if "rename" in line else next(name for name in (HISTORY, NEXT, kept.folder.name) if f"{name}>" in line)
        for line in told
    ]
    assert said == [HISTORY, *[NEXT, "rename", kept.folder.name] * 2], "the line, the number, and that it is made"


def test_the_history_says_who_and_when_in_utc_and_which_files(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    folder = store.folder("collection", "1")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(b"{}")
    at = datetime.fromisoformat("2026-03-01T08:00:00+08:00")
    made = store.promote("collection", "1", by="the model team", at=at)
    assert made == Promotion(1, "1", None, store.digest("collection", "1"), "the model team", made.at)
    assert datetime.fromisoformat(made.at) == at.astimezone(UTC)
    assert store.history("collection") == [made]
    assert store.promote("collection", "2").manifest is None
    assert store.history("collection")[-1].before == "1"
    assert store.champion("collection") == "2"
    with pytest.raises(UsageError, match="time zone"):
        store.promote("collection", "1", at=at.replace(tzinfo=None))
    with pytest.raises(ModelRefused, match="not a number"):
        store.promote("collection", "latest")
    assert store.champion("collection") == "2"


def test_a_history_from_before_changes_had_a_reason_is_read_and_goes_on(kept: Champions) -> None:
    kept.folder.mkdir()
    old = '{"generation":1,"version":"1","before":null,"manifest":null,"by":"somebody","at":""}\n'
    (kept.folder / HISTORY).write_text(old)
    kept.pointer.write_text("1\n")
    made = kept.promote("2", None, expected=Standing("1", 1), by="another", reason="an alarm", record="ab12")
    assert kept.history() == [Promotion(1, "1", None, by="somebody"), made]
    assert (made.before, made.reason, made.record) == ("1", "an alarm", "ab12")
    assert (kept.folder / HISTORY).read_text().startswith(old)


def test_a_store_from_before_there_was_a_history_begins_one_with_what_serves(kept: Champions) -> None:
    kept.folder.mkdir()
    kept.pointer.write_text("4\n")
    assert kept.standing() == Standing("4", 1)
    kept.promote("5", None, expected=Standing("4", 1))
    assert [(entry.version, entry.before, entry.by) for entry in kept.history()] == [
        ("4", None, champions.FOUND),
        ("5", "4", ""),
    ]


@pytest.mark.parametrize("damage", [b"{}\n", b"\x00\n", b'{"generation":7,"version":"1","before":null}\n'])
def test_a_damaged_history_changes_no_champion_and_says_what_to_do(kept: Champions, damage: bytes) -> None:
    kept.promote("1", None)
    (kept.folder / HISTORY).write_bytes(damage)
    for call in (kept.history, kept.standing, lambda: kept.promote("2", None)):
        with pytest.raises(ModelRefused, match="take it out of the folder"):
            call()
    assert kept.named() == "1"
    (kept.folder / HISTORY).unlink()
    assert kept.promote("2", None, expected=Standing("1", 1)).before == "1"


def test_another_user_can_read_what_serves(kept: Champions) -> None:
    before = os.umask(0o022)
    try:
        kept.promote("1", None)
    finally:
        os.umask(before)
    assert kept.pointer.stat().st_mode & 0o777 == 0o644


class Killed(BaseException):
    """Stands for the end of a process."""


def killed(*_: object) -> None:
    raise Killed


DEATHS = {"before the number": "_point_to", "before it is noted": "_note_made"}
"""Where a promotion ends, by the step that it does not do any more."""


def made(kept: Champions, version: str, death: str | None = None) -> None:
    """Promote, as far as a process comes that dies on the way."""
    with pytest.MonkeyPatch.context() as patch:
        if death == "before it is noted":
            # The change before it is noted by then: dying there is dying before anything was done.
            kept_of = Champions._point_to
            patch.setattr(
                Champions,
                "_point_to",
                lambda self, wanted: (kept_of(self, wanted), patch.setattr(Champions, "_note_made", killed)),
            )
        elif death is not None:
            patch.setattr(Champions, DEATHS[death], killed)
        try:
            kept.promote(version, None)
        except Killed:
            assert death


def of_an_older_release(kept: Champions, version: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Champions, "_note_made", lambda *_: None)
        kept.promote(version, None)


VERSIONS = st.sampled_from(["1", "2", "3"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("promote"), VERSIONS),
        st.tuples(st.just("before the number"), VERSIONS),
        st.tuples(st.just("before it is noted"), VERSIONS),
        st.tuples(st.just("older release"), VERSIONS),
    ),
    max_size=8,
)


def carried_out(kept: Champions, changes: list[tuple[str, str]]) -> str | None:
    """Return the version that serves after changes of which some die on the way."""
    serves = None
    for kind, version in changes:
        if kind == "promote":
            made(kept, version)
        elif kind == "older release":
            of_an_older_release(kept, version)
        else:
            made(kept, version, kind)
        serves = serves if kind == "before the number" else version
    return serves


@settings(max_examples=150, deadline=None)
@given(changes=CHANGES)
def test_wherever_promotions_die_what_they_left_is_never_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str]]
) -> None:
    kept = Champions(tmp_path_factory.mktemp("card"))
    for length in range(len(changes)):
        serves = carried_out(kept, changes[length : length + 1]) or kept.named()
        assert kept.promoted() == kept.named() == serves
    assert kept.has_any() == (kept.named() is not None)


@settings(max_examples=150, deadline=None)
@given(changes=CHANGES, last=VERSIONS, by_hand=st.sampled_from(["1", "2", "3", "4", None]), died=st.booleans())
def test_a_number_that_nobody_promoted_is_refused_until_somebody_promotes(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, str]],
    last: str,
    by_hand: str | None,
    died: bool,
) -> None:
    kept = Champions(tmp_path_factory.mktemp("card"))
    carried_out(kept, changes)
    made(kept, last)
    if by_hand is None:
        kept.pointer.unlink()
    else:
        kept.pointer.write_text(f"{by_hand}\n")
    if by_hand == last:
        assert kept.promoted() == last
        return
    following = "5"
    if died:  # a promotion that comes to nothing makes nothing of it either
        made(kept, following, "before the number")
    with pytest.raises(UnpromotedChampion, match="repayrank promote --rollback --card card"):
        kept.promoted()
    assert kept.has_any()
    assert kept.standing().version == by_hand
    made(kept, last)
    assert kept.promoted() == last


def test_a_store_without_a_history_serves_what_its_file_says(kept: Champions) -> None:
    assert (kept.promoted(), kept.has_any()) == (None, False)
    kept.folder.mkdir()
    assert (kept.promoted(), kept.has_any()) == (None, False)
    kept.pointer.write_text("4\n")
    assert (kept.promoted(), kept.has_any()) == ("4", True)


def test_a_history_that_was_begun_anew_is_not_measured_by_the_old_one(kept: Champions) -> None:
    for version in ("1", "2", "3"):
        kept.promote(version, None)
    (kept.folder / HISTORY).unlink()
    assert kept.promoted() == "3"
    made(kept, "1", "before the number")
    assert kept.promoted() == "3"


@pytest.mark.parametrize("way", ["a folder", "a pipe", "a link to nothing", "no number", "other bytes"])
def test_a_champion_that_is_no_file_is_not_taken_for_none(tmp_path: Path, way: str) -> None:
    store = ModelStore(tmp_path)
    store.promote("collection", "1")
    pointer = tmp_path / "models" / "collection" / "champion"
    pointer.unlink()
    {
        "a folder": pointer.mkdir,
        "a pipe": lambda: os.mkfifo(pointer),
        "a link to nothing": lambda: pointer.symlink_to("nowhere"),
        "no number": lambda: pointer.write_text("latest\n"),
        "other bytes": lambda: pointer.write_bytes(b"\xff"),
    }[way]()
    assert store.has_champion("collection")
    assert not store.has_champion("behaviour")
    with pytest.raises(ModelRefused, match=r"models/collection/champion: .*--rollback --card collection"):
        store.champion("collection")


def test_a_champion_that_may_not_be_read_is_refused_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(tmp_path)
    store.promote("collection", "1")

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "CANARY/champion")

    monkeypatch.setattr(Champions, "named", forbidden)
    assert store.has_champion("collection")
    with pytest.raises(ModelRefused, match=r"CANARY/champion: .*Permission denied"):
        store.champion("collection")


def test_a_full_disk_after_the_change_does_not_unmake_it(kept: Champions, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.promote("1", None)
    put = Champions._put

    def full(self: Champions, path: Path, line: bytes) -> None:
        if path.name == MADE:
            raise OSError(28, "No space left on device")
        put(self, path, line)

    monkeypatch.setattr(Champions, "_put", full)
    assert kept.promote("2", None).generation == 2
    assert kept.promoted() == "2"
