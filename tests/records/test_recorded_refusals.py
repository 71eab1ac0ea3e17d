"""A version that services would not take up is on record once, whichever of them saw it and however often."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from decision_logs import opened

from serving.arrivals import Fault, Naming, Refusal
from serving.decisions.outbox import delivered, outbox_of
from serving.decisions.refused_versions import EVENT, LONGEST, post_refusal, refused_in
from serving.records.audit import verify
from serving.records.opening import Place

CARD = "collection"
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
AT = NOW - timedelta(minutes=5)

REFUSAL = Refusal(
    Naming(CARD, "3", int(AT.timestamp()) * 10**9), "a" * 64, "2", Fault.MODEL, "a model that ends the process"
)


def test_a_refusal_is_on_record_once_whichever_service_saw_it_and_however_often(place: Place, tmp_path: Path) -> None:
    later = (NOW + timedelta(hours=number) for number in range(3))
    with opened(place) as log:
        for now in later:
            post_refusal(tmp_path, REFUSAL, now)
            post_refusal(tmp_path, REFUSAL, now)
            assert len(list(outbox_of(tmp_path).iterdir())) == 1
            assert delivered(outbox_of(tmp_path), log) == {}
        again = replace(REFUSAL, naming=replace(REFUSAL.naming, at=int(NOW.timestamp()) * 10**9))
        other = replace(REFUSAL, goes_on_with="1")  # a service that had not taken 2 up yet
        for refusal in (again, other):
            post_refusal(tmp_path, refusal, NOW + timedelta(hours=9))
        assert delivered(outbox_of(tmp_path), log) == {}
    told = list(refused_in(place))
    assert verify(place).records == len(told) == 3
    assert {one.event for one in told} == {EVENT}
    assert told[0].record == {
        "card": CARD,
        "version": "3",
        "manifest": "a" * 64,
        "fault": "model",
        "found": "a model that ends the process",
        "goes_on_with": "2",
        "recorded_at": AT.isoformat(),
    }


@pytest.mark.parametrize("at", [None, -1, 10**30, int(datetime(2400, 1, 1, tzinfo=UTC).timestamp()) * 10**9])
def test_a_time_that_no_file_has_is_taken_for_now(tmp_path: Path, at: int | None) -> None:
    refusal = replace(REFUSAL, naming=replace(REFUSAL.naming, at=at), found="\x00\ud800" + "9" * 500)
    record = json.loads(post_refusal(tmp_path, refusal, NOW).read_bytes())["record"]
    assert record["recorded_at"] == NOW.isoformat()
    assert record["found"] == f"??{'9' * (LONGEST - 2)}"
