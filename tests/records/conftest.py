"""The two databases that a log may be in; what holds of one holds of the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from decision_logs import place_in
from postgresql_server import Server, started

from serving.records.opening import Place

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = started()
    yield server
    server.remove()


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    return place_in(folder, request.getfixturevalue("server").new() if kind == "postgresql" else None)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request.param, tmp_path, request)


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    """A log in SQLite, for what is about its files."""
    return place_in(tmp_path)
