"""The files of the batch verbs: whole or not there, safe in a spreadsheet, exact in Parquet."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from made_books import drawn

from features import table_files
from features.errors import UsageError
from features.history import History
from features.portfolios import taiwan
from models.assessment import Assessment
from serving import batch


@pytest.fixture(scope="module")
def rows(assessed: Assessment) -> pl.DataFrame:
    return batch.frame(assessed, ranked=True)


def test_a_ranked_file_is_in_order_of_work(rows: pl.DataFrame, assessed: Assessment) -> None:
    assert rows.get_column("rank").to_list() == list(range(1, len(assessed) + 1))
    assert rows.get_column("priority").is_sorted(descending=True)


def test_an_unranked_file_keeps_the_order_of_the_book(assessed: Assessment) -> None:
    scored = batch.frame(assessed, ranked=False)
    assert "rank" not in scored.columns
    assert scored.get_column("loan_id").to_list() == assessed.loan_ids


def test_contributions_are_added_when_asked_for_and_sum_to_the_parts(assessed: Assessment) -> None:
    told = batch.frame(assessed, ranked=False, contributions=True)
    names = [name for name in told.columns if name.startswith("contribution_")]
    assert len(names) == len(assessed.catalog)
    total = told.select(pl.sum_horizontal(names)).to_series() + told.get_column("base")
    assert np.allclose(total.to_numpy(), told.get_column("log_odds").to_numpy(), atol=1e-9)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_numbers_read_back_from_a_file_are_the_same_bits(rows: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    table_files.write(rows, path)
    back = pl.read_parquet(path) if suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    for name in ("default_probability", "log_odds", "ability", "priority", "expected_loss_minor"):
        assert back.get_column(name).to_list() == rows.get_column(name).to_list(), name
    assert back.get_column("reason_1_zh").to_list() == rows.get_column("reason_1_zh").to_list()


def test_a_csv_opens_with_a_byte_order_mark(rows: pl.DataFrame, tmp_path: Path) -> None:
    table_files.write(rows.head(1), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_looks_like_a_formula_is_not_one_in_a_csv(start: str, tmp_path: Path) -> None:
    rows = pl.DataFrame({"loan_id": [f"{start}1+1", "L1", None], "priority": [-1.5, 2.0, 3.0]})
    table_files.write(rows, tmp_path / "out.csv")
    table_files.write(rows, tmp_path / "out.parquet")
    back = pl.read_csv(tmp_path / "out.csv", schema_overrides={"loan_id": pl.String})
    assert back.get_column("loan_id").to_list()[:2] == [f"'{start}1+1", "L1"]
    assert back.get_column("priority").to_list() == [-1.5, 2.0, 3.0]
    assert pl.read_parquet(tmp_path / "out.parquet").equals(rows)


def test_a_file_that_fails_midway_leaves_the_one_before(
    rows: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.parquet"
    path.write_bytes(b"before")

    def broken(_: pl.DataFrame, stream: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setitem(table_files.WRITERS, ".parquet", broken)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="disk full"):
        table_files.write(rows, path)
    assert path.read_bytes() == b"before"
    assert [found.name for found in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize("name", ["out.xlsx", "out", "nowhere/out.csv"])
def test_a_path_that_cannot_be_written_is_refused_before_the_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        table_files.require_writable(tmp_path / name)


def test_each_reason_in_the_file_says_in_words_whether_it_raises_or_lowers_the_risk(assessed: Assessment) -> None:
    rows = batch.frame(assessed, ranked=False)
    most = assessed.policy.reasons.raising + assessed.policy.reasons.lowering
    words = {
        "en": {"raises": "raises the risk", "lowers": "lowers the risk"},
        "zh": {"raises": "提高风险", "lowers": "降低风险"},
    }
    for case in (0, 1, len(assessed) // 2):
        told = assessed.reasons(case)
        for place in range(most):
            for language in ("en", "zh"):
                said = rows.get_column(f"reason_{place + 1}_effect_{language}")[case]
                assert said == (words[language][told[place].effect] if place < len(told) else None)


def test_a_work_list_says_whose_loan_it_is_and_how_much_is_overdue_since_when() -> None:
    history = History.as_of(
        date(2024, 4, 29),
        drawn(
            instalments="""
    loan_id | schedule | number | due_on     | principal | interest | costs | recorded_at
    --------+----------+--------+------------+-----------+----------+-------+------------
    L1      | 0        | 1      | 2024-02-29 | 100       | 0        | 0     | 2024-01-01
    L1      | 0        | 2      | 2024-03-31 | 100       | 0        | 0     | 2024-01-01
    L1      | 0        | 3      | 2024-04-30 | 100       | 0        | 0     | 2024-01-01
    """,
            payments="payment_id | loan_id | paid_on | amount | payer | recorded_at\n"
            "P1 | L1 | 2024-04-01 | 130 | borrower | 2024-04-01",
        ),
    )
    told = batch.standing_of(history.cases, history)
    assert told["days_past_due"].to_list() == [29]
    assert told["arrears_minor"].to_list() == [70]
    assert told["product"].to_list() == ["instalment"]
    assert len(told["borrower_id"]) == 1


def test_what_a_collector_asks_first_stands_first(assessed: Assessment) -> None:
    known = History.as_of(date(2005, 9, 30), taiwan.book().tables, zone="Asia/Taipei")
    told = batch.frame(assessed, ranked=True, history=known)
    assert told.columns[:7] == [
        "rank", "loan_id", "observed_on", "borrower_id", "product", "days_past_due", "arrears_minor"
    ]  # fmt: skip
    assert told.get_column("borrower_id").null_count() == 0
    assert told.get_column("loan_id").to_list() == batch.frame(assessed, ranked=True).get_column("loan_id").to_list()
