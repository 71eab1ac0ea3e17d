"""What it costs to put every decision on record: the same service with and without its decision log, asked in turn.

The service's own log: each answer waits until its record is on the disk, sealed for its borrower and chained.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.features import OBSERVED_ON
from benchmarks.http import BODIES, SECONDS, TURNS
from benchmarks.load import load
from benchmarks.made_card import CARD, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from features.portfolios import open_portfolio
from serving.asking import request_of
from serving.child import served

CALLERS = 64
ASKED = 0.7


def results() -> Iterator[Result]:
    """Yield the comparison."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        here = Path(made)
        made_card(here / "home", here / "book")
        tables = open_portfolio(str(here / "book")).tables
        loans = tables.loans.get_column("loan_id").head(BODIES).to_list()
        bodies = [
            json.dumps(request_of(tables, [loan], card=CARD, day=OBSERVED_ON, zone="UTC")).encode() for loan in loans
        ]
        servers = [
            up.enter_context(served(here / "home", here / "with.log")),
            up.enter_context(served(here / "home", here / "without.log", more=["--without-records"])),
        ]
        seen: list[list[float]] = [[], []]
        for turn in range(TURNS + 1):
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
        note = " / ".join(f"{1 / sorted(one)[len(one) // 2]:,.0f}" for one in seen) + " a second"
        yield Result(
            f"HTTP, histories, {CALLERS} callers: every decision on record",
            "the same service without its log",
            ASKED,
            Ratio.of(*seen),
            note,
        )
