"""The two databases that a log may be in; what holds of one holds of the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from decision_logs import KINDS, place_in, place_of
from postgresql_server import Server, started

from serving.records.opening import Place


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = started()
    yield server
    server.remove()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request.param, tmp_path, request)


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    """A log in SQLite, for what is about its files."""
    return place_in(tmp_path)
