"""How often is often: exact to one in a hundred over any time, apart for each holder, and in bounded memory."""

from __future__ import annotations

import random
import statistics
import time
import tracemalloc
from dataclasses import dataclass
from fractions import Fraction
from http import HTTPStatus
from pathlib import Path

import pytest
from access_kit import Clock, House, bearing, key
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused
from serving.access.door import Door
from serving.access.limits import Buckets, Limits, Rate
from serving.access.roles import HOLDERS
from serving.access.rules import rules_of
from serving.access.token_text import Token
from serving.http import Refused

SEED = 20_260_630


@dataclass
class Drops:
    """A bucket that is filled drop by drop, in fractions without rounding."""

    per_second: Fraction
    burst: int
    at: Fraction
    full: Fraction = Fraction(0)
    taken: int = 0

    def __post_init__(self) -> None:
        self.full = Fraction(self.burst)

    def take(self, now: Fraction) -> None:
        self.full = min(Fraction(self.burst), self.full + (now - self.at) * self.per_second)
        self.at = now
        if self.full >= 1:
            self.full -= 1
            self.taken += 1


def status(door: Door, token: bytes) -> int:
    try:
        door.caller(bearing(token))
    except Refused as error:
        assert (error.refusal.status == HTTPStatus.TOO_MANY_REQUESTS) == (error.refusal.code == "too_often")
        return int(error.refusal.status)
    return HTTPStatus.OK


@pytest.mark.parametrize(("per_second", "burst"), [(0.5, 1), (3, 1), (7, 20), (10, 50), (333.3, 10), (1_000, 1_000)])
@pytest.mark.parametrize("load", [1.001, 1.5, 4.0, 50.0])
def test_what_is_let_through_is_exact_over_simulated_time(per_second: float, burst: int, load: float) -> None:
    chance, buckets, rate = random.Random(SEED), Buckets(), Rate(per_second, burst)
    began = now = 1e6
    end, through, exact = began + 2_000 / per_second, 0, Drops(Fraction(per_second), burst, Fraction(now))
    while (now := now + chance.expovariate(per_second * load)) < end:
        through += buckets.take("one", rate, now) == 0
        exact.take(Fraction(now))
    assert abs(through - exact.taken) <= 0.001 * exact.taken, f"seed {SEED}"
    at_most = 2_000 + burst
    assert through <= at_most + 1
    if burst >= 10 and load >= 1.5:
        assert through >= 0.99 * at_most, f"seed {SEED}"


@given(
    steps=st.lists(st.floats(0, 3), max_size=80),
    per_second=st.floats(0.1, 100),
    burst=st.integers(1, 30),
    start=st.floats(0, 1e7),
)
def test_it_agrees_with_a_bucket_that_is_filled_drop_by_drop(
    steps: list[float], per_second: float, burst: int, start: float
) -> None:
    buckets, now, full = Buckets(), start, float(burst)
    for step in steps:
        now += step
        full = min(burst, full + step * per_second)
        wait = buckets.take("one", Rate(per_second, burst), now)
        if abs(full - 1) > 1e-3 * per_second:
            assert (wait == 0) == (full >= 1)
        if wait == 0:
            full -= 1
        else:
            assert wait == pytest.approx((1 - full) / per_second, abs=1e-4)


def test_a_request_at_the_steady_rate_is_never_turned_away() -> None:
    buckets, rate = Buckets(), Rate(3, 1)
    assert {buckets.take("one", rate, 12_345.678 + number / 3) for number in range(10_000)} == {0.0}


def test_whoever_waits_as_long_as_told_is_let_through() -> None:
    buckets, rate, now, chance = Buckets(), Rate(7, 5), 0.0, random.Random(SEED)
    for _ in range(2_000):
        now += chance.uniform(0, 0.2)
        wait = buckets.take("one", rate, now)
        if wait:
            now += wait
            assert buckets.take("one", rate, now) == 0


def test_holders_do_not_share_a_bucket_and_those_that_are_full_are_forgotten_without_a_trace() -> None:
    buckets, rate = Buckets(most=100), Rate(1, 2)
    for number in range(100):
        assert buckets.take(f"holder {number}", rate, 0.0) == 0
    assert buckets.take("one more", rate, 0.0) == pytest.approx(1.0)
    assert buckets.take("holder 0", rate, 0.0) == 0
    assert buckets.take("holder 0", rate, 0.0) == pytest.approx(1.0)
    assert buckets.take("one more", rate, 1.5) == 0
    assert len(buckets) == 100


def test_the_memory_for_any_number_of_holders_is_bounded() -> None:
    buckets, rate = Buckets(), Rate(1_000, 1)
    for number in range(200_000):
        buckets.take(f"holder {number}", rate, number / 1_000)
    assert len(buckets) <= 10_000


def test_each_holder_has_the_rate_of_its_role_and_is_told_when_to_come_again(tmp_path: Path) -> None:
    clock, house = (
        Clock(),
        House(tmp_path, (key("EdDSA", "one"),), limits="[limits.engine]\nper_second = 5\nburst = 20"),
    )
    noisy, quiet, person = house.token("engine"), house.token("engine"), house.token("reviewer")
    door = house.door(clock=clock)
    seen = []
    for _ in range(10_000):
        clock.at += 0.01
        seen.append(status(door, noisy))
    assert seen.count(HTTPStatus.OK) == pytest.approx(100 * 5 + 20, rel=0.01)
    assert set(seen) == {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}
    assert status(door, quiet) == status(door, person) == HTTPStatus.OK
    while status(door, noisy) == HTTPStatus.OK:
        pass
    with pytest.raises(Refused) as refused:
        door.caller(bearing(noisy))
    assert dict(refused.value.refusal.headers) == {b"retry-after": b"1"}
    clock.at += 1
    assert status(door, noisy) == HTTPStatus.OK


def test_ten_thousand_bad_tokens_slow_nobody_and_take_no_memory(tmp_path: Path) -> None:
    house = House(tmp_path, (key("EdDSA", "one"),), limits="[limits.engine]\nper_second = 1e9\nburst = 1_000_000_000")
    clock, good = Clock(), house.token("engine")
    attacked, quiet = house.door(clock=clock), house.door()
    bad = [Token.new().text().encode() for _ in range(10_000)]
    for token in bad[:100]:
        status(attacked, token)
    tracemalloc.start()
    seen = []
    for token in bad:
        clock.at += 0.001
        seen.append(status(attacked, token))
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 400_000, "ten thousand results in a list take 80 kB"
    # Ten seconds at 10 a second; the burst of 100 had been used up.
    assert seen.count(HTTPStatus.UNAUTHORIZED) == pytest.approx(100, abs=1)
    assert seen.count(HTTPStatus.TOO_MANY_REQUESTS) == len(bad) - seen.count(HTTPStatus.UNAUTHORIZED)
    assert sum(attacked.failures.values()) == len(bad) + 100
    pairs = [(seconds(attacked, good), seconds(quiet, good)) for _ in range(41)]
    ratio = statistics.median(slow / before for slow, before in pairs)
    assert ratio < 1.2, f"{ratio:.2f}"


def seconds(door: Door, token: bytes) -> float:
    """Return the time of this thread alone: what else the machine does meanwhile does not count."""
    began = time.thread_time()
    for _ in range(200):
        assert status(door, token) == HTTPStatus.OK
    return time.thread_time() - began


def test_after_too_many_failures_a_good_token_is_still_let_in_and_none_at_all_is_still_told_so(tmp_path: Path) -> None:
    house = House(tmp_path, limits="[limits.failed]\nper_second = 0.01\nburst = 1")
    good, door = house.token("admin"), house.door(clock=Clock())
    assert status(door, b"rr_bad") == HTTPStatus.UNAUTHORIZED
    assert status(door, b"rr_bad") == HTTPStatus.TOO_MANY_REQUESTS
    assert status(door, good) == HTTPStatus.OK
    with pytest.raises(Refused) as refused:
        door.caller([])
    assert refused.value.refusal.status == HTTPStatus.UNAUTHORIZED
    with pytest.raises(Refused) as refused:
        door.caller(bearing(b"rr_bad"))
    assert dict(refused.value.refusal.headers) == {b"retry-after": b"100"}


def test_every_role_that_a_token_can_carry_has_a_rate() -> None:
    assert set(Limits().by_role()) == set(HOLDERS)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("[limits.engine]\nper_second = 0\nburst = 1", "lets nothing through"),
        ("[limits.engine]\nper_second = inf\nburst = 1", "lets nothing through"),
        ("[limits.engine]\nper_second = nan\nburst = 1", "lets nothing through"),
        ("[limits.engine]\nper_second = 1\nburst = 0", "lets nothing through"),
        ("[limits.engine]\nper_second = 1", "burst"),
        ("[limits.nobody]\nper_second = 1\nburst = 1", "a name that is none of"),
        ("[limit.engine]\nper_second = 1\nburst = 1", "unknown section 'limit'"),
        ("limits = 1", "section 'limits'"),
        ("[", "Expected|Unclosed|Invalid"),
        ("jwt = 1", "section 'jwt'"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'", "jwks"),
        ("[jwt]\nissuer = ''\naudience = 'b'\njwks = 'c'", "not empty"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'\njwks = 'c'\nalgorithms = ['HS256']", "algorithms are some of"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'\njwks = 'c'\nalgorithms = ['none']", "algorithms are some of"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'\njwks = 'c'\nalgorithms = []", "algorithms are some of"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'\njwks = 'c'\nleeway_seconds = 301", "leeway_seconds is 0 to 300"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'\njwks = 'c'\nlongest_seconds = inf", "longest_seconds"),
        ("[jwt]\nissuer = 'a'\naudience = 'b'\njwks = 'c'\nrole = 'x'", "unknown field"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(tmp_path: Path, written: str, fault: str) -> None:
    house = House(tmp_path, limits=written)
    with pytest.raises(ConfigurationRefused, match=fault):
        rules_of(house.home)


def test_rules_that_others_can_change_are_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    (house.home / "access" / "access.toml").chmod(0o664)
    with pytest.raises(ConfigurationRefused, match="which others can change"):
        rules_of(house.home)
