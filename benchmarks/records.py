"""What it costs to put every decision on record: the same service with and without its decision log, asked in turn.

The service's own log: each answer waits until its record is on the disk, sealed for its borrower and chained. How many
requests share a sync of the disk is counted, since a figure of this disk says little of another. Then the log alone on
a disk that takes 2 ms for each sync, as networked block storage does: records together against each by itself.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.features import OBSERVED_ON
from benchmarks.http import BODIES, SECONDS, TURNS
from benchmarks.load import load
from benchmarks.made_card import CARD, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from features.portfolios import open_portfolio
from serving.asking import request_of
from serving.child import Child, served
from serving.records.limits import Limits
from serving.records.opening import Place
from serving.records.sqlite import SqliteTables, connect_writer
from serving.records.store import Store, open_store

CALLERS = 64
ASKED = 0.7
SYNC_SECONDS = 0.002
ASKED_TOGETHER = 4
"""Times the records a second of one commit each: 2,000 where these can be 500 at most."""
RECORD = {"format": "made up", "sealed": "x" * 1_500}
ANSWER = b"y" * 1_500


def results() -> Iterator[Result]:
    """Yield the comparisons."""
    yield _service()
    yield _slow_disk()


def _service() -> Result:
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        here = Path(made)
        made_card(here / "home", here / "book")
        tables = open_portfolio(str(here / "book")).tables
        loans = tables.loans.get_column("loan_id").head(BODIES).to_list()
        bodies = [
            json.dumps(request_of(tables, [loan], card=CARD, day=OBSERVED_ON, zone="UTC")).encode() for loan in loans
        ]
        servers = [
            up.enter_context(served(here / "home", here / "with.log", roles=("engine", "admin"))),
            up.enter_context(served(here / "home", here / "without.log", more=["--without-records"])),
        ]
        seen: list[list[float]] = [[], []]
        commits, records = 0.0, 0.0
        for turn in range(TURNS + 1):
            before = _counted(servers[0])
            for place in (0, 1) if turn % 2 else (1, 0):
                child = servers[place]
                told = load(
                    f"{child.address}/v1/score",
                    bodies,
                    callers=CALLERS,
                    seconds=SECONDS,
                    token=child.tokens["engine"],
                )
                if turn:  # the first warms
                    seen[place].append(1 / told.per_second)
            if turn:
                after = _counted(servers[0])
                commits, records = commits + after[0] - before[0], records + after[1] - before[1]
        note = " / ".join(f"{1 / sorted(one)[len(one) // 2]:,.0f}" for one in seen) + " a second"
        note += f"; {commits / records:.3f} syncs a request"
        return Result(
            f"HTTP, histories, {CALLERS} callers: every decision on record",
            "the same service without its log",
            ASKED,
            Ratio.of(*seen),
            note,
        )


def _counted(child: Child) -> tuple[float, float]:
    """Return how often the log has been committed, each time with one sync, and how many records it has."""
    asked = urllib.request.Request(  # noqa: S310 - an address of our own making
        f"{child.address}/metrics", headers={"authorization": f"Bearer {child.tokens['admin']}"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
        text = answer.read().decode()
    found = [
        re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for name in ("repayrank_record_commits", "repayrank_records")
    ]
    return tuple(float(one[1]) for one in found if one)  # type: ignore[return-value]


def _slow_disk() -> Result:
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        together, alone = (
            up.enter_context(_slow_log(Path(made) / name, limits))
            for name, limits in (("together", Limits()), ("alone", Limits(most_together=1)))
        )
        seen: list[list[float]] = [[], []]
        for turn in range(TURNS + 1):
            for place in (0, 1) if turn % 2 else (1, 0):
                per_second = _written((together, alone)[place], f"{turn}-{place}")
                if turn:
                    seen[place].append(1 / per_second)
        middle = [1 / sorted(one)[len(one) // 2] for one in seen]
        shared = together.commits / together.size
        return Result(
            f"the log alone, {CALLERS} callers, a disk that takes {1e3 * SYNC_SECONDS:.0f} ms to sync",
            "each record committed by itself",
            ASKED_TOGETHER,
            Ratio.of(*seen),
            f"{middle[0]:,.0f} / {middle[1]:,.0f} records a second; {shared:.3f} syncs a record",
        )


def _slow_log(folder: Path, limits: Limits) -> Store:
    key = Ed25519PrivateKey.generate()
    place = Place(folder / "log", folder / "checkpoints.txt", "benchmark/decisions", (key.public_key(),))
    return open_store(place, key, time.monotonic, limits, connect=_slow)


def _slow(path: Path, busy_seconds: float) -> SqliteTables:
    tables = connect_writer(path, busy_seconds)
    commit = tables.commit

    def late() -> None:
        commit()
        time.sleep(SYNC_SECONDS)  # as a sync does, it lets others work meanwhile

    tables.commit = late  # type: ignore[method-assign]
    return tables


def _written(store: Store, name: str) -> float:
    """Return the records a second that callers get written, each waiting for its own before the next."""
    began = time.perf_counter()
    counts = [0] * CALLERS

    def call(caller: int) -> None:
        while time.perf_counter() - began < SECONDS:
            store.write(f"{name}-{caller}-{counts[caller]}", bytes(32), "score:loan:created", RECORD, ANSWER)
            counts[caller] += 1

    callers = [threading.Thread(target=call, args=(caller,)) for caller in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return sum(counts) / (time.perf_counter() - began)
