"""What a challenger said of a decision in shadow leaves with its record, and nothing else of the pairs changes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from decision_logs import KEY, ORIGIN
from expiring_logs import DUE, NOW, ROWS, TERMS, TODAY, archive_in, fill, gone
from polars.testing import assert_frame_equal

from features.errors import ConfigurationRefused, DataRefused
from models.score_pairs import FIGURES, SCHEMA, Identity, Outcome, Reached, ScorePairs
from serving.decisions.archive import Archive
from serving.decisions.expiry import expired, previewed
from serving.records.audit import verify
from serving.records.opening import Place

OURS = Identity("collection", "2", "m" * 64, ORIGIN)
CUTS = [(0, 3), (3, 5), (5, 7)]
"""Records of each file."""


@pytest.fixture
def archive(place: Place, tmp_path: Path) -> Archive:
    return archive_in(tmp_path, place)


def rows(begin: int, end: int) -> pl.DataFrame:
    """Return two decisions of each record."""
    figures = {name: 571 if kind == pl.Int64 else "C" if kind == pl.String else 0.5 for name, kind in FIGURES.items()}
    told = [
        {
            "score_id": f"CANARY{record}-{number}",
            "record": record,
            "scored_at": datetime(2026, 3, 1, tzinfo=UTC),
            "subject": f"{record:032x}",
            "observation_date": date(2026, 3, 1),
            "policy": "p",
            "outcome": Outcome.SCORED.value,
            "champion": "1",
            **{f"{whose}_{name}": value for whose in ("champion", "challenger") for name, value in figures.items()},
        }
        for record in range(begin, end)
        for number in range(2)
    ]
    return pl.DataFrame(told, schema=SCHEMA)


def shadowed(archive: Archive, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> ScorePairs:
    """Return the pairs of all records of the log, in several files."""
    monkeypatch.setattr("models.score_pairs.MOST_ROWS", 1)
    pairs = ScorePairs.of(archive.state, identity.card, identity.version)
    for begin, end in CUTS:
        pairs.add(rows(begin, end), identity, Reached(begin, "aa", 0), Reached(end, "bb", 0))
    return pairs


def files(pairs: ScorePairs) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in pairs.folder.glob("*.parquet")}


def test_rows_leave_with_their_records_and_how_far_the_work_has_come_stays(archive, monkeypatch):
    fill(archive, ROWS)
    pairs = shadowed(archive, OURS, monkeypatch)
    before, reached, whole = files(pairs), pairs.reached(OURS), pairs.read()
    assert previewed(archive, TERMS, TODAY).pairs == 0
    assert expired(archive, KEY, TERMS, TODAY, NOW).pairs == 2 * len(DUE)
    stays = whole.filter(~pl.col("record").is_in(sorted(DUE)))
    assert_frame_equal(pairs.read(), stays)
    assert (pairs.reached(OURS), set(files(pairs))) == (reached, set(before))
    # A file without such a record is not touched.
    changed = {name for name, content in files(pairs).items() if content != before[name]}
    assert changed == {"000000000000-000000000003.parquet", "000000000003-000000000005.parquet"}
    pairs.add(rows(7, 9), OURS, pairs.reached(OURS), Reached(9, "cc", 1))
    assert pairs.reached(OURS) == Reached(9, "cc", 1)
    assert_frame_equal(pairs.read(), pl.concat([stays, rows(7, 9)]))
    assert expired(archive, KEY, TERMS, TODAY, NOW).pairs == 0


def test_a_file_of_which_all_rows_went_still_tells_how_far_the_work_has_come(archive, monkeypatch):
    fill(archive, [ROWS[0], ROWS[1], ROWS[0]])
    pairs = shadowed(archive, OURS, monkeypatch)
    assert expired(archive, KEY, TERMS, TODAY, NOW).pairs == 6
    assert pairs.reached(OURS) == Reached(7, "bb", 0)
    assert_frame_equal(pairs.read(), pl.concat([rows(3, 7)]))


def test_while_a_challenger_is_scored_nothing_is_dropped(archive, monkeypatch):
    fill(archive, ROWS)
    pairs = shadowed(archive, OURS, monkeypatch)
    before = files(pairs)
    with pairs.held(), pytest.raises(ConfigurationRefused, match="scores in shadow"):
        expired(archive, KEY, TERMS, TODAY, NOW)
    assert (gone(archive.place), files(pairs)) == (set(), before)
    assert expired(archive, KEY, TERMS, TODAY, NOW).pairs == 2 * len(DUE)


def test_a_run_that_was_cut_off_before_the_pairs_or_found_them_damaged_is_finished_by_the_next(archive, monkeypatch):
    fill(archive, ROWS)
    pairs = shadowed(archive, OURS, monkeypatch)
    whole = pairs.folder / "000000000003-000000000005.parquet"
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataRefused, match="pairs of scores"):
        expired(archive, KEY, TERMS, TODAY, NOW)
    assert gone(archive.place) == DUE
    verify(archive.place)
    whole.write_bytes(content)
    assert expired(archive, KEY, TERMS, TODAY, NOW).pairs > 0
    assert DUE.isdisjoint(pairs.read().get_column("record"))


def test_pairs_of_another_log_stay(archive, monkeypatch):
    fill(archive, ROWS)
    pairs = shadowed(archive, OURS._replace(log="another.example/decisions"), monkeypatch)
    before = files(pairs)
    assert expired(archive, KEY, TERMS, TODAY, NOW).pairs == 0
    assert files(pairs) == before
