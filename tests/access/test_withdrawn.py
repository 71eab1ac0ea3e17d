"""Signed tokens that were withdrawn: refused at once and by nobody else's doing, and whoever was not meant goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from access_kit import Clock, House, Key, bearing, claims, key
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.errors import ConfigurationRefused, UsageError
from serving.access.door import Door
from serving.access.files import LOOK_SECONDS
from serving.access.tokens import create, listed, read_tokens, revoke, withdraw, withdrawn
from serving.access.why import Why
from serving.access.withdrawn import LONGEST, By, Withdrawal, Withdrawals
from serving.http import Refused
from serving.token_verbs import token_app

LEEWAY = 30
"""Seconds, as the settings have them unless they say something else."""


@pytest.fixture(scope="module")
def signer() -> Key:
    return key("EdDSA", "one")


@pytest.fixture
def house(tmp_path: Path, signer: Key) -> House:
    return House(tmp_path, (signer,))


def let_in(door: Door, token: bytes) -> bool:
    before = door.failures[Why.REVOKED]
    try:
        door.caller(bearing(token))
    except Refused as error:
        assert error.refusal.code == "no_valid_token"
        assert door.failures[Why.REVOKED] == before + 1
        return False
    return True


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_one_signed_token_is_withdrawn_by_its_id_and_no_other(house: House, signer: Key) -> None:
    clock = Clock()
    door = house.door(clock=clock)
    stolen, other, without = (signer.signed(claims("admin", jti=one)) for one in ("a-1", "a-2", None))
    assert all(let_in(door, token) for token in (stolen, other, without))
    withdraw(house.file, By.ID, "a-1")
    clock.at += LOOK_SECONDS
    assert [let_in(door, token) for token in (stolen, other, without)] == [False, True, True]


def test_a_subject_is_let_in_again_with_what_it_is_given_later(house: House, signer: Key) -> None:
    now, local = int(time.time()), house.token("engine", "queue")
    withdraw(house.file, By.SUBJECT, "queue", now=ago(100))
    door = house.door()
    for given_at, expected in ((now - 1_000, False), (now - 100, False), (now - 100 + LEEWAY + 2, True), (now, True)):
        token = signer.signed(claims("engine", sub="queue", iat=given_at, nbf=now - 2_000))
        assert let_in(door, token) is expected, given_at
    assert not let_in(door, signer.signed(claims("engine", sub="queue", iat=None))), "may be one of those"
    assert let_in(door, signer.signed(claims("engine", sub="another", iat=now - 1_000)))
    assert let_in(door, local), "a local token of the same name is another"


def test_withdrawing_again_reaches_further_and_an_earlier_time_does_not_reach_back(house: House, signer: Key) -> None:
    for at in (ago(500), ago(100), ago(900)):
        withdraw(house.file, By.SUBJECT, "queue", now=at)
    token = signer.signed(claims("engine", sub="queue", iat=int(time.time()) - 200))
    assert not let_in(house.door(), token)
    assert len(withdrawn(house.file)) == 3, "each stays on record"


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1_000)), max_size=6),
    st.sampled_from("abc"),
    st.none() | st.integers(0, 1_100),
)
def test_a_subjects_token_is_refused_exactly_if_one_withdrawal_is_not_before_it(told, subject, given_at) -> None:
    start = datetime(2026, 6, 30, tzinfo=UTC)
    entries = [Withdrawal(By.SUBJECT, name, start + timedelta(seconds=at)) for name, at in told]
    plain = {"sub": subject} if given_at is None else {"sub": subject, "iat": start.timestamp() + given_at}
    expected = any(name == subject and (given_at is None or given_at <= at + LEEWAY) for name, at in told)
    assert Withdrawals.of(entries).hold(plain, LEEWAY) is expected


def test_making_and_revoking_local_tokens_keeps_what_was_withdrawn_and_the_reverse(house: House) -> None:
    first = create(house.file, name="queue", role="engine").entry
    one = withdraw(house.file, By.ID, "a-1")
    create(house.file, name="queue", role="engine")
    revoke(house.file, first.id)
    two = withdraw(house.file, By.SUBJECT, "somebody")
    assert withdrawn(house.file) == (one, two)
    assert [entry.revoked_at is not None for entry in listed(house.file)] == [True, False]


def test_a_file_of_an_earlier_release_is_read_and_written_as_before_until_something_is_withdrawn(house: House) -> None:
    create(house.file, name="queue", role="engine")
    assert set(json.loads(house.file.read_text())) == {"format", "tokens"}
    withdraw(house.file, By.ID, "a-1")
    assert set(json.loads(house.file.read_text())) == {"format", "tokens", "withdrawn"}


@pytest.mark.parametrize(
    "one",
    [
        {"by": "iss", "value": "x", "at": "2026-06-30T12:00:00Z"},
        {"by": "jti", "value": "", "at": "2026-06-30T12:00:00Z"},
        {"by": "jti", "value": 1, "at": "2026-06-30T12:00:00Z"},
        {"by": "sub", "value": "x" * (LONGEST + 1), "at": "2026-06-30T12:00:00Z"},
        {"by": "sub", "value": "x", "at": "2026-06-30T12:00:00"},
        {"by": "sub", "value": "canary"},
        {"by": "sub", "value": "canary", "at": "2026-06-30T12:00:00Z", "until": 1},
    ],
)
def test_a_damaged_withdrawal_lets_nobody_in_and_is_not_quoted(house: House, signer: Key, one: dict) -> None:
    local, signed, clock = house.token("engine"), signer.signed(claims()), Clock()
    door = house.door(clock=clock)
    written = {**json.loads(house.file.read_text()), "withdrawn": [one]}
    house.file.write_text(json.dumps(written))
    with pytest.raises(ConfigurationRefused) as refused:
        read_tokens(house.file.read_bytes(), house.file)
    assert "canary" not in str(refused.value)
    clock.at += LOOK_SECONDS
    for token in (local, signed):
        with pytest.raises(Refused) as closed:
            door.caller(bearing(token))
        assert closed.value.refusal.code == "closed"


def test_a_file_that_is_gone_lets_in_no_signed_token_until_it_is_made_anew(house: House, signer: Key) -> None:
    token, clock = signer.signed(claims(jti="a-1")), Clock()
    door = house.door(clock=clock)
    assert let_in(door, token), "a house in which no token was ever made needs no file"
    withdraw(house.file, By.ID, "a-2")
    house.file.unlink()
    for one in (door, house.door(clock=clock)):
        clock.at += LOOK_SECONDS
        with pytest.raises(Refused) as closed:
            one.caller(bearing(token))
        assert closed.value.refusal.code == "closed"
    withdraw(house.file, By.ID, "a-3")
    clock.at += LOOK_SECONDS
    assert let_in(door, token)


@pytest.mark.parametrize("value", ["", "x" * (LONGEST + 1), "line\nbreak", "nul\0"])
def test_what_no_id_can_be_is_refused_without_being_repeated(house: House, value: str) -> None:
    with pytest.raises(UsageError) as refused:
        withdraw(house.file, By.ID, value)
    assert not value or value not in str(refused.value)
    assert not house.file.exists()


def test_a_door_in_another_process_refuses_a_withdrawn_token_within_a_second(house: House, signer: Key) -> None:
    worker = Path(__file__).parents[1] / "support" / "token_worker.py"
    watcher = subprocess.Popen(
        [sys.executable, str(worker), "watch", str(house.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    try:
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        watcher.stdin.write(signer.signed(claims("engine", jti="a-1")).decode() + "\n")
        watcher.stdin.flush()
        assert watcher.stdout.readline() == "in\n"
        withdraw(house.file, By.ID, "a-1")
        at = time.monotonic()
        status, seen_at = watcher.stdout.readline().split()
        assert int(status) == HTTPStatus.UNAUTHORIZED
        assert float(seen_at) - at <= 1.0
    finally:
        watcher.kill()
        watcher.wait()


def test_the_command_withdraws_and_lists_what_it_withdrew(house: House, signer: Key) -> None:
    home = ["--home", str(house.home)]
    run = CliRunner().invoke
    assert run(token_app, ["revoke", "--jti", "a-1", *home]).exit_code == 0
    assert run(token_app, ["revoke", "--subject", "somebody", *home]).exit_code == 0
    told = run(token_app, ["list", *home]).output
    assert "signed, jti a-1" in told
    assert "signed, sub somebody" in told
    door = house.door()
    assert not let_in(door, signer.signed(claims(jti="a-1")))
    assert not let_in(door, signer.signed(claims(sub="somebody")))


@pytest.mark.parametrize("words", [[], ["01K5", "--jti", "x"], ["--jti", "x", "--subject", "y"]])
def test_the_command_asks_for_exactly_one_token(house: House, words: list[str]) -> None:
    result = CliRunner().invoke(token_app, ["revoke", *words, "--home", str(house.home)])
    assert isinstance(result.exception, UsageError)
    assert not house.file.exists()
