"""Events that other programs leave are written once, whichever of several services of a log picks them up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from decision_logs import opened

from serving.decisions.outbox import delivered, posted
from serving.records.opening import Place
from serving.records.store import Store

EVENT = "model:champion:promoted"


@pytest.fixture
def left(tmp_path: Path) -> list[Path]:
    return [posted(tmp_path / "outbox", EVENT, {"number": number}) for number in range(20)]


@pytest.fixture
def opened_store(file_place: Place) -> Iterator[Store]:
    with opened(file_place) as store:
        yield store


def test_an_event_that_another_service_delivers_meanwhile_is_no_fault(left: list[Path], opened_store: Store) -> None:
    told: list[dict[Path, Exception]] = []
    services = [threading.Thread(target=lambda: told.append(delivered(left[0].parent, opened_store))) for _ in range(4)]
    for service in services:
        service.start()
    for service in services:
        service.join()
    assert told == [{}] * len(services)
    assert not list(left[0].parent.iterdir())
    assert opened_store.size == len(left)


def test_an_event_that_went_between_looking_and_reading_is_no_fault(left: list[Path], opened_store: Store) -> None:
    left[3].unlink()
    left[3].symlink_to("nowhere")  # listed, and not there when it is read
    assert delivered(left[0].parent, opened_store) == {}
    assert opened_store.size == len(left) - 1


def test_an_event_that_cannot_be_read_is_told_and_holds_up_no_other(left: list[Path], opened_store: Store) -> None:
    left[3].write_bytes(b"{")
    assert list(delivered(left[0].parent, opened_store)) == [left[3]]
    assert opened_store.size == len(left) - 1
