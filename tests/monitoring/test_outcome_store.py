"""Outcomes are kept once, in one order, and never twice in different ways."""

from __future__ import annotations

from datetime import date
from itertools import count, permutations
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from training.monitoring.outcome_sources import by_score_id, from_file
from training.monitoring.outcomes import BAD, GOOD, INDETERMINATE, OutcomeStore, first_known

DECISIONS = pl.DataFrame(
    {
        "score_id": [f"S{number}" for number in range(1, 7)],
        "loan_id": ["L1", "L2", "L3", "L1", "L2", "L2"],
        "observed_on": [date(2026, 1, 31)] * 3 + [date(2026, 2, 28)] * 3,
    }
)
HEAD = "score_id,bad,recovered_minor,known_on"
FILES = {
    "first.csv": f"{HEAD}\nS1,true,0,2026-03-05\nS2,false,1200,2026-03-05\n",
    "second.csv": f"{HEAD}\nS2,false,1200,2026-03-05\nS4,indeterminate,,2026-04-01\nS5,false,,2026-04-01\n",
    "third.csv": f"{HEAD}\nS5,,900,2026-05-01\nS1,true,0,2026-03-05\n",
}


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def loaded(home: Path, *files: Path) -> OutcomeStore:
    store = OutcomeStore(home, "collection")
    for file in files:
        by = DECISIONS if not by_score_id(file) else DECISIONS.drop("loan_id")
        store.add(from_file(file, by).rows, where=str(file))
    return store


def contents(store: OutcomeStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.folder.glob("*.csv"))}


def test_files_in_any_order_and_twice_leave_the_same_bytes(tmp_path: Path):
    files = [written(tmp_path, name, text) for name, text in FILES.items()]
    told = {
        str(contents(loaded(tmp_path / f"home-{place}", *order, *order)))
        for place, order in enumerate(permutations(files))
    }
    assert len(told) == 1
    assert sorted(contents(loaded(tmp_path / "again", *files))) == ["2026-01.csv", "2026-02.csv"]


def test_loading_again_adds_nothing_and_says_so(tmp_path: Path):
    file = written(tmp_path, "first.csv", FILES["first.csv"])
    store, rows = loaded(tmp_path, file), from_file(file, DECISIONS.drop("loan_id")).rows
    before = contents(store)
    added = store.add(rows, where="file")
    assert (added.new, added.known) == (0, 2)
    assert contents(store) == before


def test_what_is_said_later_joins_what_was_said_before(tmp_path: Path):
    store = loaded(tmp_path, *(written(tmp_path, name, text) for name, text in FILES.items()))
    told = {row["score_id"]: row for row in first_known(store.read()).to_dicts()}
    assert set(told) == {"S1", "S2", "S4", "S5"}
    assert (told["S5"]["outcome"], told["S5"]["recovered_minor"]) == (GOOD, 900)
    assert told["S5"]["known_on"] == date(2026, 4, 1)  # the day on which the outcome was known, not the amount
    assert told["S4"]["outcome"] == INDETERMINATE
    assert told["S1"]["outcome"] == BAD


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("S1,false,0,2026-03-05", "bad"),
        ("S1,true,5,2026-03-05", "recovered_minor"),
        ("S1,,5,2026-06-01", "recovered_minor"),
    ],
)
def test_another_outcome_of_the_same_decision_is_refused_by_its_row_and_never_by_its_value(
    tmp_path: Path, line: str, column: str
):
    store = loaded(tmp_path, written(tmp_path, "first.csv", FILES["first.csv"]))
    before = contents(store)
    spoilt = written(tmp_path, "spoilt.csv", f"{HEAD}\nS4,false,77,2026-04-01\n{line}\n")
    with pytest.raises(TablesRefused) as refused:
        loaded(tmp_path, spoilt)
    assert [(fault.row, fault.column) for fault in refused.value.faults] == [(1, column)]
    assert not {"S1", "2026-03-05", "77"} & set(str(refused.value).replace("'", " ").split())
    assert contents(store) == before, "nothing of a file that is refused is kept"


def test_two_outcomes_of_one_decision_in_one_file_are_refused(tmp_path: Path):
    file = written(tmp_path, "both.csv", f"{HEAD}\nS1,true,0,2026-03-05\nS1,false,0,2026-03-06\n")
    with pytest.raises(TablesRefused) as refused:
        loaded(tmp_path, file)
    assert [(fault.row, fault.column) for fault in refused.value.faults] == [(1, "bad")]
    assert not contents(OutcomeStore(tmp_path, "collection"))


def test_outcomes_by_loan_and_day_are_those_of_every_decision_about_it(tmp_path: Path):
    text = "loan_id,observed_on,bad,known_on\nL2,2026-02-28,yes,2026-04-01\nL9,2026-02-28,no,2026-04-01\n"
    file = written(tmp_path, "loans.csv", text)
    sent = from_file(file, DECISIONS)
    assert sent.rows.get_column("score_id").to_list() == ["S5", "S6"]
    assert sent.without_decision == 1
    kept = contents(loaded(tmp_path, file))
    assert all(b"L2" not in raw for raw in kept.values()), "no loan is named on the disk"


def test_a_parquet_file_is_read_as_a_csv_file_is(tmp_path: Path):
    csv = written(tmp_path, "first.csv", FILES["first.csv"])
    pl.DataFrame(
        {
            "score_id": ["S1", "S2"],
            "bad": [True, False],
            "recovered_minor": [0, 1200],
            "known_on": [date(2026, 3, 5)] * 2,
        }
    ).write_parquet(tmp_path / "first.parquet")
    assert contents(loaded(tmp_path / "a", csv)) == contents(loaded(tmp_path / "b", tmp_path / "first.parquet"))


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (f"{HEAD}\nS1,perhaps,0,2026-03-05\n", [(0, "bad")]),
        (f"{HEAD}\nS1,true,-5,2026-03-05\n", [(0, "recovered_minor")]),
        (f"{HEAD}\nS1,true,1.5,2026-03-05\n", [(0, "recovered_minor")]),
        (f"{HEAD}\nS1,true,0,5 March\n", [(0, "known_on")]),
        (f"{HEAD}\nS1,true,0,\n", [(0, "known_on")]),
        (f"{HEAD}\n,true,0,2026-03-05\n", [(0, "score_id")]),
        (f"{HEAD}\nS2,true,0,2026-03-05\nS1,true,0,2025-12-01\n", [(1, "known_on")]),
        (f"{HEAD}\nS1,,,2026-03-05\n", [(0, "bad")]),
        ("score_id,treatment,known_on\nS1,Called Mr Smith,2026-03-05\n", [(0, "treatment")]),
    ],
)
def test_values_that_are_none_are_refused_by_row_and_column(tmp_path: Path, text: str, faults: list[tuple[int, str]]):
    with pytest.raises(TablesRefused) as refused:
        from_file(written(tmp_path, "spoilt.csv", text), DECISIONS.drop("loan_id"))
    assert [(fault.row, fault.column) for fault in refused.value.faults] == faults
    assert not any(word in str(refused.value) for word in ("perhaps", "Smith", "-5", "1.5", "5 March"))


def test_a_file_without_the_day_needs_one(tmp_path: Path):
    file = written(tmp_path, "dayless.csv", "score_id,bad\nS1,true\n")
    with pytest.raises(DataRefused, match="known_on"):
        from_file(file, DECISIONS.drop("loan_id"))
    assert from_file(file, DECISIONS.drop("loan_id"), known_on=date(2026, 4, 1)).rows.item(0, "known_on") == date(
        2026, 4, 1
    )


def test_a_file_of_the_store_that_was_cut_is_refused(tmp_path: Path):
    store = loaded(tmp_path, written(tmp_path, "first.csv", FILES["first.csv"]))
    path = store.folder / "2026-01.csv"
    path.write_bytes(path.read_bytes().replace(b"2026-03-05", b"soon"))
    with pytest.raises(ConfigurationRefused, match="2026-01"):
        store.read()


def test_what_is_kept_is_for_its_owner_alone(tmp_path: Path):
    store = loaded(tmp_path, written(tmp_path, "first.csv", FILES["first.csv"]))
    assert {path.stat().st_mode & 0o077 for path in (store.folder, *store.folder.glob("*"))} == {0}


LINES = st.lists(
    st.tuples(st.sampled_from(["S1", "S2", "S4", "S6"]), st.booleans(), st.sampled_from(["2026-03-05", "2026-06-01"])),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(lines=LINES, cut=st.integers(0, 8))
def test_however_a_file_is_cut_in_two_the_same_is_kept_or_both_are_refused(tmp_path_factory, lines, cut):
    folder, homes = tmp_path_factory.mktemp("cut"), count()

    def kept(*parts) -> dict[str, bytes] | str:
        store = OutcomeStore(folder / f"home-{next(homes)}", "collection")
        for number, part in enumerate(parts):
            if not part:
                continue
            text = "score_id,bad,known_on\n" + "".join(f"{one},{bad},{day}\n" for one, bad, day in part)
            try:
                store.add(from_file(written(folder, f"{number}.csv", text), DECISIONS.drop("loan_id")).rows, where="f")
            except TablesRefused:
                return "refused"
        return contents(store)

    assert kept(lines) == kept(lines[:cut], lines[cut:]) == kept(lines[cut:], lines[:cut])
