"""Over HTTP: our service against `mlflow models serve` and BentoML with pandas and shap, on the same trees.

All servers run at once and are asked in turn, by callers on the same two cores. Ours has its validation, limits and
metrics on. Before anything is timed, every server's log-odds are checked to be the same within 1e-9.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import obvious
from benchmarks.features import OBSERVED_ON
from benchmarks.load import Load, load
from benchmarks.made_card import CARD, features_of, made_card
from benchmarks.result import Result
from benchmarks.turns import Ratio
from features.portfolios import open_portfolio
from models.attribution import ADDITIVITY_BOUND
from serving.asking import request_of
from serving.child import Child, answers, served, stop

PORTS = {"mlflow": 5801, "bento": 5802}
SECONDS, TURNS = 4.0, 3
BODIES = 64
FULL_HISTORY = 24
SECONDS_TO_START = 180


@dataclass(frozen=True)
class Server:
    """Where rows of one kind go, as that server wants them, and how its answer tells the log-odds."""

    url: str
    bodies: list[bytes]
    log_odds: Callable[[Any], float]
    token: str = ""


def results() -> Iterator[Result]:
    """Yield the comparisons."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as up:
        here = Path(made)
        card = made_card(here / "home", here / "book")
        model = here / "model"
        model.mkdir()
        card.model.booster_.save_model(model / obvious.MODEL)
        (model / obvious.NAMES).write_text(json.dumps(list(card.catalog.names)))
        ours = up.enter_context(served(here / "home", here / "ours.log", more=["--without-records"]))
        bento = up.enter_context(_bento(model, here / "bento.log"))
        mlflow = up.enter_context(_mlflow(model, here / "pyfunc", here / "mlflow.log"))
        yield from _ready_features(here / "book", list(card.catalog.names), ours, bento, mlflow)
        yield from _histories(here / "book", ours, bento)


def _ready_features(folder: Path, names: list[str], ours: Child, bento: str, mlflow: str) -> Iterator[Result]:
    matrix = features_of(folder).rows(np.arange(BODIES))
    rows = [
        {name: None if np.isnan(value) else value for name, value in zip(names, row, strict=True)}
        for row in matrix.values.tolist()
    ]
    loan = {"product": "instalment", "currency": "CNY", "owed_minor": 100_000}
    servers = {
        "ours": Server(
            f"{ours.address}/v1/score/features",
            [
                _json(
                    {
                        "card": CARD,
                        "observation_date": OBSERVED_ON.isoformat(),
                        "rows": [{"loan_id": f"L{place}", **loan, "features": row}],
                    }
                )
                for place, row in enumerate(rows)
            ],
            lambda told: told["scores"][0]["log_odds"],
            ours.tokens["engine"],
        ),
        "BentoML, pandas and shap.TreeExplainer": Server(
            f"{bento}/score", [_json({"features": row}) for row in rows], lambda told: told["log_odds"]
        ),
        "`mlflow models serve`, pyfunc with shap": Server(
            f"{mlflow}/invocations",
            [_json({"dataframe_split": {"columns": names, "data": [list(row.values())]}}) for row in rows],
            lambda told: told["predictions"][0]["log_odds"],
        ),
    }
    _check_equal(servers)
    seen = _turns(servers, (1, 8, 32))
    what = "HTTP, one row of ready features"
    for other, asked in (("`mlflow models serve`, pyfunc with shap", (100, 60)), (_BENTO, (30, 20))):
        yield _faster(f"{what}: requests a second, 8 callers", other, asked[0], seen, 8)
        yield _sooner(f"{what}: middle request, 1 caller", other, asked[1], seen, 1, "p50")
        yield _sooner(f"{what}: hundredth request, 1 caller", other, 15, seen, 1, "p99")
        yield _sooner(f"{what}: hundredth request, 32 callers", other, 15, seen, 32, "p99")


def _histories(folder: Path, ours: Child, bento: str) -> Iterator[Result]:
    tables = open_portfolio(str(folder)).tables
    counted = tables.instalments.group_by("loan_id", maintain_order=True).agg(due=(_due()).sum())  # type: ignore[union-attr]
    loans = counted.filter(counted["due"] == FULL_HISTORY).get_column("loan_id").head(BODIES).to_list()
    asked = [request_of(tables, [loan], card=CARD, day=OBSERVED_ON, zone="UTC") for loan in loans]
    servers = {
        "ours": Server(
            f"{ours.address}/v1/score",
            [_json(one) for one in asked],
            lambda told: told["scores"][0]["log_odds"],
            ours.tokens["engine"],
        ),
        _BENTO_HISTORY: Server(
            f"{bento}/score_history",
            [_json({"observation_date": one["observation_date"], "tables": one["tables"]}) for one in asked],
            lambda told: told[0]["log_odds"],
        ),
    }
    _check_equal(servers)
    seen = _turns(servers, (1, 32))
    what = f"HTTP, one borrower with {FULL_HISTORY} months of history"
    yield _sooner(f"{what}: middle request, 1 caller", _BENTO_HISTORY, 15, seen, 1, "p50")
    yield _faster(f"{what}: requests a second, 32 callers", _BENTO_HISTORY, 40, seen, 32)


_BENTO = "BentoML, pandas and shap.TreeExplainer"
_BENTO_HISTORY = "BentoML, pandas features, scikit-learn pipeline and shap.TreeExplainer"


def _due() -> Any:
    import polars as pl

    return pl.col("due_on") <= OBSERVED_ON


def _json(plain: object) -> bytes:
    return json.dumps(plain).encode()


def _check_equal(servers: dict[str, Server]) -> None:
    for place in range(0, BODIES, 8):
        told = {name: server.log_odds(_asked(server, place)) for name, server in servers.items()}
        if max(told.values()) - min(told.values()) > ADDITIVITY_BOUND:
            raise AssertionError(f"log-odds differ: {told}")


def _asked(server: Server, place: int) -> Any:
    request = urllib.request.Request(  # noqa: S310 - an address of our own making
        server.url,
        server.bodies[place % len(server.bodies)],
        {"content-type": "application/json", "authorization": f"Bearer {server.token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


def _turns(servers: dict[str, Server], callers: tuple[int, ...]) -> dict[tuple[str, int], list[Load]]:
    """Ask all servers in turn, the order reversed every other time."""
    seen: dict[tuple[str, int], list[Load]] = {}
    for turn in range(TURNS + 1):
        for count in callers:
            for name in list(servers)[:: 1 if turn % 2 else -1]:
                told = load(
                    servers[name].url,
                    servers[name].bodies,
                    callers=count,
                    seconds=SECONDS,
                    token=servers[name].token,
                )
                if turn:  # the first warms
                    seen.setdefault((name, count), []).append(told)
    return seen


def _sooner(
    what: str, other: str, asked: float, seen: dict[tuple[str, int], list[Load]], callers: int, which: str
) -> Result:
    ours, theirs = ([getattr(told, which) for told in seen[name, callers]] for name in ("ours", other))
    return Result(what, other, asked, Ratio.of(ours, theirs))


def _faster(what: str, other: str, asked: float, seen: dict[tuple[str, int], list[Load]], callers: int) -> Result:
    ours, theirs = ([1 / told.per_second for told in seen[name, callers]] for name in ("ours", other))
    note = f"{1 / sorted(ours)[len(ours) // 2]:,.0f} / {1 / sorted(theirs)[len(theirs) // 2]:,.0f} a second"
    return Result(what, other, asked, Ratio.of(ours, theirs), note)


@contextmanager
def _bento(model: Path, log: Path) -> Iterator[str]:
    command = ["bentoml", "serve", "benchmarks.obvious_bento:Obvious", "--port", str(PORTS["bento"])]
    with _up(command, log, PORTS["bento"], "/readyz", {obvious.FOLDER: str(model)}) as address:
        yield address


@contextmanager
def _mlflow(model: Path, out: Path, log: Path) -> Iterator[str]:
    subprocess.run([sys.executable, "-m", "benchmarks.obvious_mlflow", str(model), str(out)], check=True)  # noqa: S603
    port = str(PORTS["mlflow"])
    command = ["mlflow", "models", "serve", "-m", str(out), "-p", port, "--env-manager", "local", "-w", "1"]
    with _up(command, log, PORTS["mlflow"], "/ping", {}) as address:
        yield address


@contextmanager
def _up(command: list[str], log: Path, port: int, ready: str, more: dict[str, str]) -> Iterator[str]:
    quiet = {"BENTOML_DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(Path.cwd())}
    program = str(Path(sys.executable).parent / command[0])
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603
            [program, *command[1:]],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **quiet, **path, **more},
            start_new_session=True,
        )
    try:
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + SECONDS_TO_START
        while not answers(address + ready):
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.5)
        yield address
    finally:
        stop(process)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
