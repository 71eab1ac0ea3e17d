"""A store with a champion and two challengers, and the log of a service that was really asked."""

from __future__ import annotations

import http.client
import json
import math
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from features.portfolios import Portfolio
from models.fitted_card import FittedCard
from models.risk_model import RiskModel, Size
from models.store import ModelStore
from models.trial import has_lived
from serving.asking import request_of
from serving.child import Child, served
from serving.decisions.archive import Archive
from serving.decisions.opening import opened_archive, opened_recorder
from serving.decisions.recorder import Asked as Asking
from serving.decisions.recorder import Given
from serving.front import SCORED
from serving.settings import Settings, records_in
from serving.state import load
from training.cohort import Cohort
from training.fitting import golden_rows, probe_rows

CARD = "collection"
FEWER = 9
"""Features of the challenger that reads some of the champion's alone."""

Question = tuple[str, dict[str, Any]]


def small_model(cohort: Cohort, names: tuple[str, ...], catalog: Any) -> RiskModel:
    size = Size(0.1, 4, 15, 40, 1.0, 1.0, 1.0, 63, 160)
    model = RiskModel.of(catalog, sizes=(size,), inner_folds=1, seed=3)
    return model.fit(cohort.matrix.of(names).values, cohort.bad)


@pytest.fixture(scope="session")
def models(collection: FittedCard, overdue: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose version 1 serves; 2 has other trees, 3 other trees on some of the features."""
    home = tmp_path_factory.mktemp("models")
    store = ModelStore(home)
    store.save(collection, golden_rows(overdue))
    names = collection.catalog.names
    other = replace(collection, version="2", model=small_model(overdue, names, collection.catalog), recovery=None)
    store.save(other, golden_rows(overdue))
    fewer = collection.catalog.chosen(names[:FEWER])
    third = replace(
        collection,
        version="3",
        catalog=fewer,
        fingerprint=fewer.fingerprint,
        model=small_model(overdue, names[:FEWER], fewer),
        recovery=None,
    )
    store.save(third, probe_rows(fewer).values)
    store.promote(CARD, "1")
    for version in ("1", "2", "3"):
        has_lived(store, CARD, version)
    return home


@pytest.fixture(scope="session")
def questions(taiwan: Portfolio, overdue: Cohort, collection: FittedCard) -> list[Question]:
    """Return what is asked, of each kind of request; every loan is in several."""
    names = collection.catalog.names
    values = overdue.matrix.of(names).values
    loans = [str(loan) for loan in overdue.matrix.cases.get_column("loan_id")][:60]

    def history(*chosen: str) -> dict[str, Any]:
        return request_of(taiwan.tables, list(chosen), card=CARD, day=taiwan.observed_on, zone=taiwan.zone)

    def ready(*cases: int) -> dict[str, Any]:
        rows = [
            {
                "loan_id": loans[case],
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
        return {"card": CARD, "observation_date": str(taiwan.observed_on), "rows": rows}

    asked: list[Question] = []
    for at in range(0, 48, 4):
        asked += [
            ("/v1/score", history(*loans[at : at + 3])),
            ("/v1/rank", history(*loans[at : at + 6])),
            ("/v1/score/features", ready(at, at + 1, at, at + 2)),
            ("/v1/score", history(loans[at + 1])),
        ]
    return asked


@dataclass(frozen=True)
class Asked:
    """A home with a log, and what each question was answered."""

    home: Path
    questions: list[Question]
    answers: list[list[dict[str, Any]]]

    @property
    def store(self) -> ModelStore:
        return ModelStore(self.home)

    @property
    def ids(self) -> list[str]:
        return [entry["score_id"] for answer in self.answers for entry in answer]

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        return {entry["score_id"]: entry for answer in self.answers for entry in answer}

    def archive(self) -> Archive:
        return opened_archive(self.home)


def ask(child: Child, path: str, plain: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(str(urlsplit(child.address).netloc), timeout=120)
    headers = {
        "authorization": f"Bearer {child.tokens['engine']}",
        "idempotency-key": str(uuid.uuid4()),
        "content-type": "application/json",
    }
    try:
        connection.request("POST", path, json.dumps(plain).encode(), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="session")
def asking() -> Callable[..., tuple[int, dict[str, Any]]]:
    return ask


def recorded(home: Path, *questions: Question, state: Path | None = None) -> list[list[dict[str, Any]]]:
    """Return what a service in this process answers, and leave the decisions on record and signed."""
    settings = Settings(home=home, state=state, records=records_in(state or home))
    loaded = load(settings)
    recorder = opened_recorder(settings, loaded, print)
    assert recorder is not None
    answers = []
    for path, plain in questions:
        asked = Asking(json.dumps(plain).encode(), str(uuid.uuid4()), "tester", "engine")

        def compute(bodies: Sequence[bytes], path: str = path) -> list[Any]:
            return SCORED[path][0](bodies, loaded, settings)

        (given,) = recorder.answers(path, [asked], compute)
        assert isinstance(given, Given), given
        assert given.written is not None
        given.written.result()
        answers.append(next(iter(json.loads(given.answer).values())))
    recorder.close()
    return answers


@pytest.fixture(scope="session")
def recording() -> Callable[..., list[list[dict[str, Any]]]]:
    return recorded


@pytest.fixture(scope="session")
def logged(models: Path, questions: list[Question], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Return a home whose service was asked every question, and stopped; it is only copied."""
    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(models, home)
    answers = []
    with served(home, home.parent / "log") as child:
        for path, plain in questions:
            status, told = ask(child, path, plain)
            assert status == 200, told
            answers.append(next(iter(told.values())))
    return Asked(home, questions, answers)


@pytest.fixture
def asked(logged: Asked, tmp_path: Path) -> Iterator[Asked]:
    """Yield a copy of the home, with its log, that a test may spoil."""
    home = tmp_path / "home"
    shutil.copytree(logged.home, home)
    yield replace(logged, home=home)
