"""Local tokens: only hashes are kept, a slip is told, nothing is lost when many write or one is killed, an end is one.

REPAYRANK_KILL_ROUNDS sets how many times the writer is killed, REPAYRANK_KILL_SEED when.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from itertools import product
from pathlib import Path

import pytest
from access_kit import Clock, House, bearing, eventually, key
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused, UsageError
from serving.access.door import Door
from serving.access.files import LOOK_SECONDS, MOST_BYTES
from serving.access.token_text import CHECK_LENGTH, FORM, Token
from serving.access.tokens import Tokens, create, listed, read_tokens, revoke
from serving.access.why import NotLetIn, Why
from serving.http import Refused
from serving.ids import CROCKFORD

ROUNDS = int(os.environ.get("REPAYRANK_KILL_ROUNDS", "8"))
SEED = int(os.environ.get("REPAYRANK_KILL_SEED", "0"))
WORKER = Path(__file__).parents[1] / "support" / "token_worker.py"
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def worker(*arguments: str, **given: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, str(WORKER), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **given)


def let_in(door: Door, token: bytes) -> bool:
    try:
        door.caller(bearing(token))
    except Refused as error:
        assert error.refusal.status == HTTPStatus.UNAUTHORIZED
        return False
    return True


def shut_out(door: Door, token: bytes) -> bool:
    return not let_in(door, token)


def refused_as(tokens: Tokens, raw: bytes, now: datetime = NOW) -> Why:
    with pytest.raises(NotLetIn) as refused:
        tokens.holder(raw, now)
    return refused.value.why


def test_only_a_hash_of_the_secret_is_kept_and_nothing_shows_the_rest(house: House) -> None:
    created = create(house.file, name="queue", role="engine")
    secret = created.text[30:]
    for path in house.home.rglob("*"):
        if path.is_file():
            assert secret not in path.read_text()
            assert secret[:52] not in path.read_text()
    assert created.entry.sha256 == hashlib.sha256(secret[:52].encode()).hexdigest()
    shown = f"{created!r} {created} {Token.read(created.text.encode())!r} {listed(house.file)!r}"
    assert secret[:52] not in shown
    assert house.file.stat().st_mode & 0o777 == 0o600
    assert house.file.parent.stat().st_mode & 0o777 == 0o700


def test_a_token_is_let_in_from_the_moment_of_its_making_to_the_moment_of_its_end(house: House) -> None:
    created = create(house.file, name="queue", role="reviewer", days=2, now=NOW)
    tokens, raw, end = read_tokens(house.file.read_bytes(), house.file), created.text.encode(), NOW + timedelta(days=2)
    assert tokens.holder(raw, NOW) == created.entry
    assert tokens.holder(raw, end - timedelta(microseconds=1)).role == "reviewer"
    assert refused_as(tokens, raw, end) is Why.EXPIRED
    assert [created.entry.state(at) for at in (NOW, end)] == ["valid", "expired"]


def test_ids_sort_in_the_order_in_which_tokens_were_made(house: House) -> None:
    made = []
    for number in range(5):
        made.append(create(house.file, name=f"n{number}", role="engine").entry.id)
        time.sleep(0.002)
    assert made == sorted(made) == [entry.id for entry in listed(house.file)]


def test_a_name_may_be_given_again_so_that_a_token_can_be_exchanged_with_an_overlap(house: House) -> None:
    old, new = house.token("engine", "queue"), house.token("engine", "queue")
    assert let_in(house.door(), old)
    assert let_in(house.door(), new)
    revoke(house.file, listed(house.file)[0].id)
    assert not let_in(house.door(), old)
    assert let_in(house.door(), new)


def test_a_revoked_token_stays_revoked_since_the_first_time(house: House) -> None:
    created = create(house.file, name="queue", role="engine")
    first = revoke(house.file, created.entry.id, now=NOW)
    assert revoke(house.file, created.entry.id, now=NOW + timedelta(days=1)) == first == listed(house.file)[0]
    assert first.state(NOW) == "revoked"


@given(number=st.integers(0, 2**32), place=st.integers(0), letter=st.sampled_from(CROCKFORD))
def test_any_one_character_that_is_wrong_is_a_slip_whatever_the_token(number: int, place: int, letter: str) -> None:
    text = Token(f"{number:026d}", f"{number:052d}".encode()).text()
    at = place % len(text)
    wrong = text[:at] + letter + text[at + 1 :]
    if wrong != text:
        with pytest.raises(NotLetIn, match="form"):
            Token.read(wrong.encode())


def test_every_single_slip_and_every_exchange_of_neighbours_is_told_from_the_token_alone() -> None:
    for _ in range(20):
        text = Token.new().text()
        slips = {text[:at] + letter + text[at + 1 :] for at, letter in product(range(len(text)), CROCKFORD)}
        slips |= {text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1)}
        slips |= {text[:at] for at in range(len(text))} | {text + "\n", " " + text, text.lower(), text + text}
        for slip in slips - {text}:
            with pytest.raises(NotLetIn, match="form"):
                Token.read(slip.encode())
        assert Token.read(text.encode()).text() == text


def test_a_scanner_finds_a_token_in_a_text_and_nothing_that_only_looks_like_one() -> None:
    text, chance = Token.new().text(), random.Random(0)
    page = f"export TOKEN='{text}' # and {text[:-1]}0 and rr_short"
    found = [match[0] for match in FORM.finditer(page.encode())]
    assert text.encode() in found
    lookalikes = 0
    for _ in range(20_000):
        letters = "".join(chance.choices(CROCKFORD, k=26 + 52 + CHECK_LENGTH))
        try:
            Token.read(f"rr_{letters[:26]}_{letters[26:]}".encode())
        except NotLetIn:
            continue
        lookalikes += 1
    assert lookalikes == 0


def test_a_secret_is_as_long_as_it_says_and_never_the_same() -> None:
    secrets = [int.from_bytes(Token.new().digest()[:4], "big") for _ in range(2_000)]
    assert len(set(secrets)) >= 1_998
    written = [
        sum(CROCKFORD.index(chr(c)) << 5 * at for at, c in enumerate(reversed(Token.new().secret))) for _ in range(500)
    ]
    for bit in range(256):
        ones = sum(number >> bit & 1 for number in written)
        assert 150 < ones < 350, f"bit {bit}"
    assert max(written) < 2**256


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601, 0o610, 0o602, 0o777])
def test_a_file_that_others_can_read_or_change_is_refused_at_a_start_and_in_the_middle(house: House, mode: int) -> None:
    token, clock = house.token("engine"), Clock()
    said: list[object] = []
    door = house.door(clock=clock, log=said.append)
    assert let_in(door, token)
    house.file.chmod(mode)
    with pytest.raises(ConfigurationRefused, match="which others can read or change"):
        house.door()
    with pytest.raises(ConfigurationRefused):
        listed(house.file)
    with pytest.raises(ConfigurationRefused):
        create(house.file, name="x", role="engine")
    clock.at += LOOK_SECONDS
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            door.caller(bearing(token))
        assert refused.value.refusal.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert len(said) == 1
    house.file.chmod(0o600)
    clock.at += LOOK_SECONDS
    assert let_in(door, token)


def test_a_file_of_another_user_is_refused(house: House) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    house.token("engine")
    os.chown(house.file, 12345, -1)
    with pytest.raises(ConfigurationRefused, match="another user"):
        house.door()


@pytest.mark.parametrize("place", ["folder", "pipe", "dangling", "loop", "too large"])
def test_what_is_no_file_is_refused_and_holds_nobody_up(house: House, place: str) -> None:
    if place == "folder":
        house.file.mkdir()
    elif place == "pipe":
        os.mkfifo(house.file, 0o600)
    elif place == "dangling":
        house.file.symlink_to("nowhere")
        assert house.door().told()["tokens"] == 0
        return
    elif place == "loop":
        house.file.symlink_to(house.file.name)
    else:
        house.file.touch(0o600)
        os.truncate(house.file, MOST_BYTES + 1)
    with pytest.raises(ConfigurationRefused):
        house.door()


DAMAGE = [
    lambda plain: "",
    lambda plain: "[" * 100_000,
    lambda plain: json.dumps(plain)[:-9],
    lambda plain: json.dumps({**plain, "format": 2}),
    lambda plain: json.dumps({**plain, "more": 1}),
    lambda plain: json.dumps({"format": 1, "tokens": plain["tokens"] * 2}),
    *(
        lambda plain, change=change: json.dumps({"format": 1, "tokens": [{**plain["tokens"][0], **change}]})
        for change in (
            {"role": "nobody"},
            {"role": "canary-role"},
            {"sha256": ""},
            {"sha256": "0" * 63},
            {"sha256": "A" * 64},
            {"expires_at": None},
            {"expires_at": "2099-01-01T00:00:00"},
            {"revoked_at": 0},
            {"canary-key": 1},
        )
    ),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_lets_nobody_in_and_is_not_quoted(house: House, damage) -> None:
    token, clock = house.token("engine"), Clock()
    door = house.door(clock=clock)
    house.file.write_text(damage(json.loads(house.file.read_text())))
    with pytest.raises(ConfigurationRefused) as refused:
        house.door()
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    clock.at += LOOK_SECONDS
    with pytest.raises(Refused) as told:
        door.caller(bearing(token))
    assert told.value.refusal.status == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_file_that_is_taken_away_lets_nobody_in(house: House) -> None:
    token, clock = house.token("engine"), Clock()
    door = house.door(clock=clock)
    assert let_in(door, token)
    house.file.unlink()
    clock.at += LOOK_SECONDS
    assert not let_in(door, token)


@pytest.mark.parametrize(
    ("name", "role", "days"),
    [
        ("", "engine", 1),
        ("x" * 65, "engine", 1),
        (" x", "engine", 1),
        ("line\nbreak", "engine", 1),
        ("x", "nobody", 1),
        ("x", "root", 1),
        ("x", "engine", 0),
        ("x", "engine", 367),
    ],
)
def test_a_token_that_may_not_be_is_not_made(house: House, name: str, role: str, days: int) -> None:
    with pytest.raises(UsageError):
        create(house.file, name=name, role=role, days=days)
    assert not house.file.exists()


def test_whoever_revokes_a_token_by_its_text_does_not_see_it_again(house: House) -> None:
    token = house.token("engine").decode()
    with pytest.raises(UsageError) as refused:
        revoke(house.file, token)
    assert token not in str(refused.value)


def test_an_unknown_id_costs_what_a_wrong_secret_costs(house: House) -> None:
    tokens = read_tokens(create_many(house), house.file)
    known = Token(next(iter(tokens.known)), Token.new().secret).text().encode()
    unknown = Token.new().text().encode()
    assert refused_as(tokens, known) is refused_as(tokens, unknown) is Why.UNKNOWN

    def seconds(raw: bytes) -> float:
        began = time.thread_time()
        for _ in range(200):
            with suppress(NotLetIn):
                tokens.holder(raw, NOW)
        return time.thread_time() - began

    pairs = [(seconds(known), seconds(unknown)) for _ in range(101)]
    ratio = statistics.median(first / second for first, second in pairs)
    assert 0.9 < ratio < 1.1, f"{ratio:.3f}"


def create_many(house: House) -> bytes:
    for _ in range(20):
        house.token("engine")
    return house.file.read_bytes()


def test_a_door_in_another_process_knows_of_a_revocation_within_a_second(house: House) -> None:
    house.token("reviewer")
    created = create(house.file, name="queue", role="engine")
    watcher = worker("watch", str(house.home), stdin=subprocess.PIPE)
    try:
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        watcher.stdin.write(created.text + "\n")
        watcher.stdin.flush()
        assert watcher.stdout.readline() == "in\n"
        time.sleep(0.3)
        revoke(house.file, created.entry.id)
        revoked_at = time.monotonic()
        status, seen_at = watcher.stdout.readline().split()
        assert int(status) == HTTPStatus.UNAUTHORIZED
        assert float(seen_at) - revoked_at <= 1.0
    finally:
        watcher.kill()
        watcher.wait()


def test_a_door_in_another_thread_knows_of_new_and_revoked_tokens_within_a_second(house: House) -> None:
    door, slow = house.door(), []
    for _ in range(3):
        created = create(house.file, name="queue", role="engine")
        token = created.text.encode()
        slow.append(eventually(partial(let_in, door, token), 1.0))
        thread = threading.Thread(target=revoke, args=(house.file, created.entry.id))
        thread.start()
        slow.append(eventually(partial(shut_out, door, token), 1.0))
        thread.join()
    assert max(slow) <= 1.0


def test_two_changes_in_one_tick_of_the_disks_clock_are_both_seen(house: House) -> None:
    """Equal in length, place and, where the tick is coarse, in time: then only the content tells."""
    first, second = (House(house.home / name) for name in ("first", "second"))
    tokens = [one.token("engine", "queue") for one in (first, second)]
    contents = [one.file.read_bytes() for one in (first, second)]
    house.file.touch(0o600)
    for turn in range(300):
        clock, now = Clock(), turn % 2
        house.file.write_bytes(contents[now])
        door = house.door(clock=clock)
        house.file.write_bytes(contents[1 - now])
        assert let_in(door, tokens[now])
        clock.at += LOOK_SECONDS
        assert let_in(door, tokens[1 - now]), f"turn {turn}"
        assert not let_in(door, tokens[now]), f"turn {turn}"


def test_the_file_is_looked_at_twice_a_second_and_read_only_when_it_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, clock = house.token("engine"), Clock()
    looks, reads, stat, opened = [], [], os.stat, os.open
    door = house.door(clock=clock)
    monkeypatch.setattr(os, "stat", lambda path, *more, **named: looks.append(path) or stat(path, *more, **named))
    monkeypatch.setattr(os, "open", lambda path, *more, **named: reads.append(path) or opened(path, *more, **named))
    for _ in range(1_000):
        clock.at += 0.01
        assert let_in(door, token)
    assert 18 <= looks.count(house.file) <= 20, "ten seconds"
    assert reads == [house.file], "what is unchanged is read once more after the first time, and then no more"


def test_tokens_that_many_processes_create_at_once_are_all_there(house: House) -> None:
    workers = [worker("create", str(house.home), f"w{number}", "15") for number in range(6)]
    told = [line for one in workers for line in one.communicate(timeout=60)[0].split()]
    assert all(one.returncode == 0 for one in workers)
    assert len(told) == 90
    assert {entry.id for entry in listed(house.file)} == set(told)


def test_a_writer_that_is_killed_leaves_a_file_with_all_that_was_told(house: House) -> None:
    chance, told = random.Random(SEED), []
    for number in range(ROUNDS):
        writer = worker("create", str(house.home), f"r{number}", "0")
        assert writer.stdout is not None
        told.append(writer.stdout.readline())
        time.sleep(chance.uniform(0, 0.1))
        writer.kill()
        told += writer.communicate()[0].splitlines(keepends=True)
        kept = {entry.id for entry in listed(house.file)}
        # Without its end a line was cut by the kill, after the token was created.
        assert {line.strip() for line in told if line.endswith("\n")} <= kept, f"seed {SEED}, round {number}"
        assert house.door().told()["tokens"] == len(kept)
    assert len(told) > ROUNDS
    last = create(house.file, name="after", role="engine")
    assert last.entry.id in {entry.id for entry in listed(house.file)}
    assert {path.name for path in house.file.parent.iterdir()} == {"access.toml", "tokens.json", "tokens.lock"}


def test_a_provider_without_its_file_of_keys_keeps_the_service_from_starting(tmp_path: Path) -> None:
    house = House(tmp_path, (key("EdDSA", "one"),))
    house.jwks.unlink()
    with pytest.raises(ConfigurationRefused, match="no such file"):
        house.door()
