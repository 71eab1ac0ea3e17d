"""What callers notice when another version of the card is promoted every few seconds: nothing may fail or be mixed.

One service is asked with promotions and without, in turn. Two versions with other trees take each other's place as fast
as the service notices; every answer must be, in all its parts, that of one of them, computed beside it in this process.
Then two services share the store: from each promotion until both answer with the version that was promoted.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from benchmarks.features import OBSERVED_ON
from benchmarks.http import BODIES
from benchmarks.load import Load, load
from benchmarks.made_card import CARD, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from features.portfolios import open_portfolio
from models.policy import default_policy
from models.store import ModelStore
from models.trial import has_lived
from serving.asking import request_of
from serving.child import Child, asked_of, served
from serving.found import SCORES
from serving.score import scored
from serving.settings import Settings
from serving.state import Loaded

VERSIONS = ("1", "2")
SEEDS = {"1": 2, "2": 3}
CALLERS = 32
"""Enough that a request seldom waits for one of them to be free."""
SHARE = 0.7
"""Of what a service answers to as many callers who ask again at once: it is rarely promoted to one that is overrun."""
SECONDS, SECONDS_AT_PEAK, SECONDS_OF_BOTH, TURNS = 8.0, 3.0, 36.0, 4
ASKED = 1 / 1.5
"""The slowest answers may take half as long again while versions change."""
ASKED_SECONDS = 5.0
"""By then every process of the service has to answer with the version that was promoted."""
SECONDS_TO_ARRIVE = 60.0
PATH = "/v1/score"
Entry = dict[str, Any]


@dataclass
class Heard:
    """What the callers of one service heard.

    Attributes
    ----------
    entries : the body that was sent, and what its answer says of the loan
    asked_last : when the newest request was sent that a version has answered
    """

    entries: list[tuple[int, Entry]] = field(default_factory=list)
    asked_last: dict[str, float] = field(default_factory=dict)

    def __call__(self, sent: int, asked: float, answer: bytes) -> None:
        """Keep an answer."""
        (entry,) = orjson.loads(answer)[SCORES]
        self.entries.append((sent, entry))
        version = entry["model"]["version"]
        self.asked_last[version] = max(asked, self.asked_last.get(version, asked))


@dataclass(frozen=True)
class Service:
    """A running service, the requests it gets and what their answers are by each version."""

    child: Child
    bodies: list[bytes]
    expected: dict[str, list[Entry]]

    @property
    def memory(self) -> int:
        """The bytes of memory that the process holds."""
        status = Path(f"/proc/{self.child.process.pid}/status").read_text()
        return 1_024 * int(status.partition("VmRSS:")[2].split()[0])

    def load(self, callers: int, seconds: float, per_second: float | None = None, heard: Heard | None = None) -> Load:
        """Return what callers saw."""
        url, token = f"{self.child.address}{PATH}", self.child.tokens["engine"]
        return load(url, self.bodies, callers=callers, seconds=seconds, token=token, per_second=per_second, heard=heard)

    def wrong(self, heard: Heard) -> int:
        """Return how many answers are in any part not those of the version that they name."""
        return sum(
            _without_id(entry) != self.expected[entry["model"]["version"]][sent] for sent, entry in heard.entries
        )


@dataclass
class Seen:
    """What was seen of one service in the windows of one kind."""

    loads: list[Load] = field(default_factory=list)
    requests: int = 0
    swaps: int = 0

    @property
    def per_second(self) -> float:
        """The requests answered a second."""
        return statistics.median(one.per_second for one in self.loads)


def results() -> Iterator[Result]:
    """Yield the comparisons."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        here = Path(made)
        home = here / "home"
        store = ModelStore(home)
        for version in VERSIONS:
            made_card(home, here / f"book-{version}", version=version, seed=SEEDS[version])
            has_lived(store, CARD, version)  # as `train` does, and `promote` before a version may serve
        plain = _requests(here / "book-1")
        expected = _expected(store, plain)
        bodies = [json.dumps(one).encode() for one in plain]
        first = Service(up.enter_context(served(home, here / "first.log")), bodies, expected)
        yield _while_versions_change(store, first)
        # One log has one writer; what the second does not record, it does not do in less time.
        second = up.enter_context(served(home, here / "second.log", more=["--without-records"]))
        yield _until_both_answer(store, [first, Service(second, bodies, expected)])


def _requests(folder: Path) -> list[dict[str, Any]]:
    tables = open_portfolio(str(folder)).tables
    loans = tables.loans.get_column("loan_id").head(BODIES).to_list()
    return [request_of(tables, [loan], card=CARD, day=OBSERVED_ON, zone="UTC") for loan in loans]


def _expected(store: ModelStore, plain: list[dict[str, Any]]) -> dict[str, list[Entry]]:
    """Return what each version answers to each request; no two may answer one alike, or a mixture would not show."""
    found: dict[str, list[Entry]] = {}
    for version in VERSIONS:
        loaded = Loaded({CARD: store.load(CARD, version)}, default_policy())
        answers = (scored(one, loaded, Settings()).without_contributions().answer() for one in plain)
        found[version] = [_without_id(orjson.loads(answer)[SCORES][0]) for answer in answers]
    for one, other in zip(*found.values(), strict=True):
        alike = [part for part in ("log_odds", "ability", "willingness", "reasons") if one[part] == other[part]]
        assert not {"log_odds", "reasons"} & set(alike), f"both versions give the same {alike}"
    return found


def _without_id(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name != "score_id"}


def _while_versions_change(store: ModelStore, service: Service) -> Result:
    seen = {True: Seen(), False: Seen()}
    held = []
    for turn in range(TURNS + 1):
        per_second = SHARE * service.load(CALLERS, SECONDS_AT_PEAK).per_second
        for changing in (True, False) if turn % 2 else (False, True):
            loads, heard, took = _window(store, [service], SECONDS, per_second, changing=changing)
            wrong = service.wrong(heard[0])
            assert not wrong, f"{wrong} of {len(heard[0].entries)} answers are those of no version"
            held.append(service.memory)
            if turn:  # the first warms
                seen[changing].loads += loads
                seen[changing].requests += len(heard[0].entries)
                seen[changing].swaps += len(took)
    swaps, quiet = seen[True], seen[False]
    return Result(
        f"HTTP, histories on record, {100 * SHARE:.0f} % of the peak, another version promoted again and again: "
        "hundredth request",
        "the same service left alone",
        ASKED,
        Ratio.of([one.p99 for one in swaps.loads], [one.p99 for one in quiet.loads]),
        f"{swaps.swaps} changes, one in {TURNS * SECONDS / swaps.swaps:.1f} s; of {swaps.requests:,} answers 0 failed, "
        f"0 mixed or of another version than they name; {swaps.per_second:,.0f} / {quiet.per_second:,.0f} a second; "
        f"memory {held[1] / 1e6:,.0f} MB after the first turn, {held[-1] / 1e6:,.0f} after the last",
    )


def _until_both_answer(store: ModelStore, services: list[Service]) -> Result:
    services[1].load(CALLERS, SECONDS_AT_PEAK)  # the first is warm
    per_second = SHARE * services[0].load(CALLERS, SECONDS_AT_PEAK).per_second
    _, heard, took = _window(store, services, SECONDS_OF_BOTH, per_second, changing=True)
    wrong = sum(service.wrong(one) for service, one in zip(services, heard, strict=True))
    assert not wrong, f"{wrong} answers are those of no version"
    return Result(
        f"HTTP, {100 * SHARE:.0f} % of the peak: from a promotion until each of 2 services has answered with it",
        f"{ASKED_SECONDS:.0f} seconds",
        1,
        Ratio.of([max(took)], [ASKED_SECONDS]),
        f"the slowest of {len(took)}, {statistics.median(took):.1f} s in the middle; a promotion followed as soon "
        "as the one before was there",
    )


def _window(
    store: ModelStore, services: list[Service], seconds: float, per_second: float, *, changing: bool
) -> tuple[list[Load], list[Heard], list[float]]:
    """Return what callers saw and heard of each service, and the seconds that each promotion took to reach all.

    Parameters
    ----------
    per_second : requests to all services together
    """
    heard = [Heard() for _ in services]
    took: list[float] = []
    with ThreadPoolExecutor(len(services)) as pool:
        callers = [
            pool.submit(service.load, CALLERS // len(services), seconds, per_second / len(services), one)
            for service, one in zip(services, heard, strict=True)
        ]
        while changing and not all(one.done() for one in callers):
            took.append(_promoted(store, services, heard, callers))
        return [one.result() for one in callers], heard, took


def _promoted(store: ModelStore, services: list[Service], heard: list[Heard], callers: list[Future[Load]]) -> float:
    """Promote the version that does not serve; return the seconds until it has answered a request at each service."""
    (version,) = set(VERSIONS) - {store.champion(CARD)}
    store.promote(CARD, version)
    began = time.perf_counter()
    while not all(one.asked_last.get(version, began) > began for one in heard):
        assert time.perf_counter() - began < SECONDS_TO_ARRIVE, f"version {version} never answered"
        time.sleep(0.01)
        for service, one, caller in zip(services, heard, callers, strict=True):
            if caller.done():  # nobody asks any more, but the change must not reach into what is measured next
                caller.result()
                now = time.perf_counter()
                one(0, now, orjson.dumps(asked_of(service.child, PATH, service.bodies[0])))
    return time.perf_counter() - began
