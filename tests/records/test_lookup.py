"""A decision is found by its id in either database, and what reads rows may look others up meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from decision_logs import EVENT, opened

from serving.decisions.errors import NoSuchDecision
from serving.decisions.lookup import find, sampled
from serving.decisions.record import FORMAT
from serving.ids import score_ids
from serving.records.audit import row_at
from serving.records.opening import Place, database_of
from serving.records.tables import reading


@pytest.fixture
def ids(place: Place) -> list[str]:
    told = score_ids(12)
    with opened(place) as store:
        for at in range(0, len(told), 3):
            record = {
                "format": FORMAT,
                "recorded_at": datetime.now(UTC).isoformat(),
                "decisions": [{"score_id": one} for one in told[at : at + 3]],
            }
            store.write(told[at], bytes(32), EVENT, record, b"")
    return told


def test_each_decision_is_found_and_no_other(place: Place, ids: list[str]) -> None:
    for number, one in enumerate(ids):
        row, record, at = find(place, one)
        assert (row.sequence, record["decisions"][at]["score_id"]) == (number // 3, one)
    with pytest.raises(NoSuchDecision):
        find(place, score_ids(1)[0])
    assert sampled(place, 10, 0) == [0, 1, 2, 3]


def test_rows_are_looked_up_while_others_are_read(place: Place, ids: list[str]) -> None:
    with reading(database_of(place)) as tables:
        seen = [(row.sequence, row_at(tables, 3 - row.sequence).sequence) for row in tables.rows()]
        events = [(row.sequence, next(tables.of_event(EVENT)).sequence) for row in tables.of_event(EVENT)]
    assert seen == [(at, 3 - at) for at in range(len(ids) // 3)]
    assert events == [(at, 0) for at in range(len(ids) // 3)]
