"""What a challenger that is scored in shadow costs the champion: the same service with and without it, in turn.

The scorer follows the log of the service that is asked, on the same cores, with what they leave it. Before each burst
of requests there is a pause, in which it catches up; where the service is measured without it, it is held still.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.features import OBSERVED_ON
from benchmarks.http import BODIES
from benchmarks.load import Load, load
from benchmarks.made_card import CARD, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from features.portfolios import open_portfolio
from features.probes import probe_history
from models.score_pairs import ScorePairs
from models.store import ModelStore
from serving.asking import request_of
from serving.child import Child, served

CHALLENGER = "2"
SECONDS, PAUSE_SECONDS, TURNS = 8.0, 4.0, 3
CALLERS = (1, 32)
ASKED = 1 / 1.05
"""The champion's slowest answers may take 5 % longer."""
SECONDS_TO_BEGIN = 60.0


def results() -> Iterator[Result]:
    """Yield the comparisons."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        here = Path(made)
        card = replace(made_card(here / "home", here / "book"), version=CHALLENGER)
        golden = card.catalog.values(probe_history(card.catalog.features)).values
        ModelStore(here / "home").save(card, golden)
        bodies = _bodies(here / "book")
        child = up.enter_context(served(here / "home", here / "log"))
        load(f"{child.address}/v1/score", bodies, callers=8, seconds=SECONDS, token=child.tokens["engine"])
        scorer = up.enter_context(_scorer(here))
        pairs = ScorePairs.of(here / "home", CARD, CHALLENGER)
        for callers in CALLERS:
            beside, alone, done = _turns(child, bodies, callers, scorer, pairs)
            yield from _told(callers, beside, alone, done)


def _bodies(folder: Path) -> list[bytes]:
    tables = open_portfolio(str(folder)).tables
    loans = tables.loans.get_column("loan_id").head(BODIES).to_list()
    return [json.dumps(request_of(tables, [loan], card=CARD, day=OBSERVED_ON, zone="UTC")).encode() for loan in loans]


@contextmanager
def _scorer(here: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the process that scores in shadow, once it is up, held still."""
    command = [sys.executable, "-m", "repayrank", "shadow", "--card", CARD, "--version", CHALLENGER]
    with (here / "shadow.log").open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, "--home", str(here / "home"), "--every", "0.5"], stdout=said, stderr=said
        )
    try:
        until = time.monotonic() + SECONDS_TO_BEGIN
        while b"in shadow" not in (here / "shadow.log").read_bytes():
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError((here / "shadow.log").read_text())
            time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.wait()


def _turns(
    child: Child, bodies: list[bytes], callers: int, scorer: subprocess.Popen[bytes], pairs: ScorePairs
) -> tuple[list[Load], list[Load], float]:
    """Return what callers saw with the scorer beside them and without it, and how many records it did a second."""
    seen: dict[bool, list[Load]] = {True: [], False: []}
    done = 0
    for turn in range(TURNS + 1):
        for works in (True, False) if turn % 2 else (False, True):
            before = pairs.records
            os.kill(scorer.pid, signal.SIGCONT if works else signal.SIGSTOP)
            time.sleep(PAUSE_SECONDS)
            told = load(
                f"{child.address}/v1/score", bodies, callers=callers, seconds=SECONDS, token=child.tokens["engine"]
            )
            os.kill(scorer.pid, signal.SIGSTOP)
            if turn:  # the first warms
                seen[works].append(told)
                done += pairs.records - before
    return seen[True], seen[False], done / (TURNS * (SECONDS + PAUSE_SECONDS))


def _told(callers: int, beside: list[Load], alone: list[Load], done: float) -> Iterator[Result]:
    who = "1 caller" if callers == 1 else f"{callers} callers"
    what = f"HTTP, histories on record, {who}, a challenger scored in shadow"
    against = "the same service alone"
    note = f"{done:,.0f} records a second scored in shadow, pauses included"
    slowest = Ratio.of([one.p99 for one in beside], [one.p99 for one in alone])
    yield Result(f"{what}: hundredth request", against, ASKED, slowest, note)
    each = Ratio.of([1 / one.per_second for one in beside], [1 / one.per_second for one in alone])
    rates = " / ".join(f"{1 / seconds:,.0f}" for seconds in (each.a_seconds, each.b_seconds))
    yield Result(f"{what}: requests a second", against, ASKED, each, f"{rates} a second")
