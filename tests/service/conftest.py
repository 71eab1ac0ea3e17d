"""A store with one signed card, a real server on it, and ways to ask it."""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from postgresql_server import Server, started
from standing_service import Standing

from features.portfolios import Portfolio
from models.fitted_card import FittedCard
from models.store import ModelStore
from models.trial import TRIED
from serving.child import Child, served
from serving.decisions.archive import Archive
from serving.decisions.opening import opened_archive, opened_recorder
from serving.front import Front
from serving.settings import Settings, records_in
from serving.state import Loaded, load
from training.cohort import Cohort
from training.fitting import golden_rows

ROLES = ("engine", "modeller", "reviewer", "admin")
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Told:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def plain(self) -> Any:
        return json.loads(self.body)

    @property
    def faults(self) -> set[tuple[str, int | None, str | None]]:
        return {(fault["table"], fault["row"], fault["column"]) for fault in self.plain["error"]["faults"]}


def ask(
    child: Child,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    role: str = "engine",
) -> Told:
    """Ask a server with a token of a role, and a key of its own; `headers` take the place of all of them."""
    connection = http.client.HTTPConnection(str(urlsplit(child.address).netloc), timeout=120)
    if headers is None:
        headers = {"authorization": f"Bearer {child.tokens[role]}", "idempotency-key": str(uuid.uuid4())}
        headers |= JSON if body else {}
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return Told(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="session")
def asking() -> Callable[..., Told]:
    return ask


@pytest.fixture(scope="session")
def home(collection: FittedCard, overdue: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    store = ModelStore(folder)
    store.save(collection, golden_rows(overdue))
    store.promote("collection", "1")
    return folder


@pytest.fixture(scope="session")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with served(home, tmp_path_factory.mktemp("server") / "log", roles=ROLES) as child:
        yield child


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    return Settings(home=home)


@pytest.fixture(scope="session")
def loaded(settings: Settings) -> Loaded:
    return load(settings)


@pytest.fixture
def lines() -> list[Mapping[str, object]]:
    return []


@pytest.fixture
def front(loaded: Loaded, settings: Settings, lines: list[Mapping[str, object]]) -> Iterator[Front]:
    opened = Front(log=lines.append)
    opened.open(loaded, settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def in_process() -> Callable[..., Told]:
    """Ask a front without a socket; `messages` are what the caller's connection delivers."""

    def told(
        front: Front,
        method: str,
        path: str,
        *messages: dict[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        sent: list[Any] = []
        waiting = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            while not waiting:
                await asyncio.sleep(3600)
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        given = [(name.encode(), value.encode()) for name, value in (JSON if headers is None else headers).items()]
        scope = {"type": "http", "method": method, "path": path, "headers": given}
        asyncio.run(front(scope, receive, send))
        if not sent:
            return Told(0, {}, b"")
        return Told(
            sent[0]["status"],
            {name.decode(): value.decode() for name, value in sent[0]["headers"]},
            b"".join(message["body"] for message in sent[1:]),
        )

    return told


def rows(frame: Any) -> list[dict[str, Any]]:
    return [
        {name: cell.isoformat() if hasattr(cell, "isoformat") else cell for name, cell in row.items()}
        for row in frame.to_dicts()
    ]


@pytest.fixture(scope="session")
def request_for(taiwan: Portfolio) -> Callable[..., dict[str, Any]]:
    """Return the request for some loans of the Taiwan book."""
    import polars as pl

    def request(*loan_ids: str) -> dict[str, Any]:
        chosen = taiwan.tables.of_loans(pl.Series(loan_ids, dtype=pl.String))
        return {
            "card": "collection",
            "observation_date": str(taiwan.observed_on),
            "time_zone": taiwan.zone,
            "tables": {name: rows(frame) for name, frame in chosen.items()},
        }

    return request


@pytest.fixture(scope="session")
def overdue_ids(overdue: Cohort) -> list[str]:
    return [str(loan) for loan in overdue.matrix.cases.get_column("loan_id")]


@pytest.fixture
def good(request_for: Callable[..., dict[str, Any]], overdue_ids: list[str]) -> dict[str, Any]:
    """Return a request for three overdue loans that a test may spoil."""
    return request_for(*overdue_ids[:3])


@pytest.fixture(scope="session")
def questions(
    overdue: Cohort, collection: FittedCard, request_for: Callable[..., dict[str, Any]], overdue_ids: list[str]
) -> list[tuple[str, bytes]]:
    """Return paths with bodies that are quickly answered, of each kind that is recorded; no two are the same."""
    names = collection.catalog.names
    values, cases = overdue.matrix.of(names).values, range(120)
    ready = [
        {
            "loan_id": overdue_ids[case],
            "product": "revolving",
            "currency": "TWD",
            "owed_minor": 1_000 + case,
            "features": {
                name: None if math.isnan(value) else value
                for name, value in zip(names, values[case].tolist(), strict=True)
            },
        }
        for case in cases
    ]
    day = request_for(overdue_ids[0])["observation_date"]
    asked: list[tuple[str, Any]] = [
        (
            "/v1/score/features",
            {"card": "collection", "observation_date": day, "rows": ready[case : case + 1 + case % 3]},
        )
        for case in cases
    ]
    asked += [("/v1/score", request_for(*overdue_ids[case : case + 1 + case % 2])) for case in range(0, 60, 2)]
    asked += [("/v1/rank", request_for(*overdue_ids[case : case + 3])) for case in range(0, 60, 6)]
    random.Random(0).shuffle(asked)
    return [(path, json.dumps(plain).encode()) for path, plain in asked]


@pytest.fixture
def standing(home: Path, tmp_path: Path) -> Iterator[Callable[..., Standing]]:
    """Make services that are down, each with a state of its own; what is up at the end is killed."""
    made: list[Standing] = []

    def make(**settings: Any) -> Standing:
        made.append(Standing(home, tmp_path / f"state-{len(made)}", **settings))
        return made[-1]

    yield make
    for service in made:
        if service.is_up:
            service.kill()


@pytest.fixture
def recording(home: Path, tmp_path: Path) -> Settings:
    kept = tmp_path / "home"
    kept.mkdir()
    (kept / "models").symlink_to(home / "models")
    (kept / "keys").mkdir(mode=0o700)
    (kept / "keys" / "trusted").symlink_to(home / "keys" / "trusted")
    # What a process has loaded and lived is not tried again for each test.
    (home / TRIED).mkdir(exist_ok=True)
    (kept / TRIED).symlink_to(home / TRIED)
    return Settings(home=kept, records=records_in(kept))


@pytest.fixture
def recorded(recording: Settings, loaded: Loaded, lines: list[Any]) -> Iterator[Front]:
    opened = Front(log=lines.append)
    opened.open(loaded, recording, opened_recorder(recording, loaded, lines.append))
    yield opened
    opened.close()


@pytest.fixture
def archive(recording: Settings) -> Callable[[], Archive]:
    return lambda: opened_archive(recording.home)


@pytest.fixture
def post(in_process: Callable[..., Any]) -> Callable[..., Any]:
    def posted(front: Front, path: str, plain: Any, key: str) -> Any:
        body = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
        message = {"type": "http.request", "body": body, "more_body": False}
        return in_process(front, "POST", path, message, headers={**JSON, "idempotency-key": key})

    return posted


@pytest.fixture(scope="session")
def database() -> Iterator[Server]:
    """Yield a PostgreSQL in which a test has a database of its own."""
    running = started()
    yield running
    running.remove()
