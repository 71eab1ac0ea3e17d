"""A book in buckets: the same numbers as in one piece, the same bytes however often the run was killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.errors import ConfigurationRefused, DataRefused, TablesRefused, UsageError
from features.portfolios import Portfolio, open_portfolio
from features.portfolios.bucketed import buckets, split
from features.portfolios.simulated import write as simulate
from models.assessment import assess_population
from models.policy import default_policy
from models.store import ModelStore
from serving import batch, by_bucket
from serving.by_bucket import Run

BUCKETS = 6
QUIET = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture(scope="module")
def book(taiwan: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real book as a plain folder of Parquet tables."""
    folder = tmp_path_factory.mktemp("plain")
    for name, frame in taiwan.tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def in_buckets(book: Path) -> Path:
    out = book.with_name("buckets")
    assert split(book, out, count=BUCKETS) == BUCKETS
    return out


@pytest.fixture(scope="module")
def asked(home: Path, taiwan: Portfolio) -> Run:
    return Run(ModelStore(home).load("collection", None), default_policy(), taiwan.observed_on, taiwan.zone)


def scored(in_buckets: Path, asked: Run, out: Path, say: Callable[[str], None] = lambda _: None) -> pl.DataFrame:
    by_bucket.run(buckets(str(in_buckets)), asked, out, workers=2, say=say)
    return pl.read_parquet(out)


def in_one_piece(book: Path, asked: Run, *, ranked: bool) -> pl.DataFrame:
    history = open_portfolio(str(book), asked.zone).to_score(asked.as_of)
    return batch.frame(assess_population(history, asked.card, asked.policy), ranked=ranked, history=history)


def test_each_row_of_a_book_is_in_one_bucket_with_all_of_its_borrower(book: Path, in_buckets: Path) -> None:
    owners: set[str] = set()
    for bucket in buckets(str(in_buckets)):
        loans = bucket.open().tables.loans
        assert not owners & set(loans.get_column("borrower_id"))
        owners |= set(loans.get_column("borrower_id"))
    for file in book.glob("*.parquet"):
        together = pl.concat(pl.read_parquet(bucket.folder / file.name) for bucket in buckets(str(in_buckets)))
        whole = pl.read_parquet(file)
        assert together.sort(pl.all()).equals(whole.sort(pl.all())), file.name


def test_the_same_book_gives_the_same_buckets(book: Path, in_buckets: Path, tmp_path: Path) -> None:
    split(book, tmp_path / "again", count=BUCKETS)
    for bucket in buckets(str(in_buckets)):
        for file in bucket.files:
            assert pl.read_parquet(file).equals(pl.read_parquet(tmp_path / "again" / bucket.name / file.name))


def test_scores_are_those_of_the_book_in_one_piece(book: Path, in_buckets: Path, asked: Run, tmp_path: Path) -> None:
    told = scored(in_buckets, asked, tmp_path / "scores.parquet")
    assert told.sort("loan_id").equals(in_one_piece(book, asked, ranked=False).sort("loan_id"))
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_the_order_of_work_is_that_of_the_book_in_one_piece(
    book: Path, in_buckets: Path, asked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_bucket, "ROWS_AT_A_TIME", 700)
    ranked = Run(asked.card, asked.policy, asked.as_of, asked.zone, ranked=True)
    assert scored(in_buckets, ranked, tmp_path / "list.parquet").equals(in_one_piece(book, asked, ranked=True))


def test_a_csv_file_has_one_head_and_one_mark(in_buckets: Path, asked: Run, tmp_path: Path) -> None:
    rows = by_bucket.run(buckets(str(in_buckets)), asked, tmp_path / "scores.csv", workers=1)
    written = (tmp_path / "scores.csv").read_bytes()
    assert written.count(b"\xef\xbb\xbf") == 1
    assert written.count(b"loan_id,observed_on") == 1
    assert pl.read_csv(tmp_path / "scores.csv", infer_schema=False).height == rows


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    in_buckets: Path, asked: Run, home: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    scored(in_buckets, asked, whole)
    command = [sys.executable, "-m", "repayrank", "score", "--portfolio", str(in_buckets), "--card", "collection"]
    command += ["--home", str(home), "--as-of", str(asked.as_of), "--zone", str(asked.zone), "--workers", "1"]
    parts = killed.with_name(killed.name + by_bucket.PARTS)
    made: dict[Path, int] = {}
    for least in (1, 3):
        with subprocess.Popen([*command, "--out", str(killed)], env=QUIET, stderr=subprocess.PIPE) as process:
            until = time.monotonic() + 120
            while len(list(parts.glob("bucket=*.parquet"))) < least and time.monotonic() < until:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert not killed.exists()
        for part, at in made.items():
            assert part.stat().st_mtime_ns == at, "a part that was there was made again"
        made = {part: part.stat().st_mtime_ns for part in parts.glob("bucket=*.parquet")}
        assert least <= len(made) < BUCKETS
    done = subprocess.run([*command, "--out", str(killed)], env=QUIET, capture_output=True, text=True, check=True)
    assert f"{len(made)} of {BUCKETS} buckets were scored before the run was stopped" in done.stderr
    assert hashlib.sha256(killed.read_bytes()).digest() == hashlib.sha256(whole.read_bytes()).digest()
    assert not parts.exists()


def test_parts_of_other_data_another_day_or_other_columns_are_made_again(
    book: Path, asked: Run, tmp_path: Path
) -> None:
    split(book, tmp_path / "buckets", count=2)
    first, second = buckets(str(tmp_path / "buckets"))
    names = {by_bucket._part(first, asked, tmp_path).path.name}
    for other in (
        Run(asked.card, asked.policy, asked.as_of, "UTC"),
        Run(asked.card, asked.policy, None, asked.zone),
        Run(asked.card, asked.policy, asked.as_of, asked.zone, contributions=True),
    ):
        names.add(by_bucket._part(first, other, tmp_path).path.name)
    assert len(names) == 4
    before = [by_bucket._part(bucket, asked, tmp_path).path.name for bucket in (first, second)]
    loans = first.folder / "loans.parquet"
    pl.read_parquet(loans).with_columns(credit_limit=pl.col("credit_limit") + 1).write_parquet(loans)
    after = [by_bucket._part(bucket, asked, tmp_path).path.name for bucket in (first, second)]
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_fault_in_one_bucket_is_told_with_its_folder_and_the_other_parts_stay(
    book: Path, asked: Run, tmp_path: Path
) -> None:
    split(book, tmp_path / "buckets", count=3)
    found = buckets(str(tmp_path / "buckets"))
    broken = found[-1].folder / "loans.parquet"
    whole = broken.read_bytes()
    pl.read_parquet(broken).with_columns(currency=pl.lit("yuan")).write_parquet(broken)
    out = tmp_path / "scores.parquet"
    with pytest.raises(TablesRefused, match="bucket=00002"):
        by_bucket.run(found, asked, out, workers=1)
    assert not out.exists()
    assert len(list((tmp_path / "scores.parquet.parts").iterdir())) == 2
    broken.write_bytes(whole)
    said: list[str] = []
    by_bucket.run(found, asked, out, workers=1, say=said.append)
    assert said[0] == "2 of 3 buckets were scored before the run was stopped"
    assert out.exists()


def test_what_is_not_a_part_is_left_where_it_is_and_half_a_part_is_taken_away(
    in_buckets: Path, asked: Run, tmp_path: Path
) -> None:
    parts = tmp_path / "scores.parquet.parts"
    parts.mkdir()
    (parts / "notes.txt").write_text("mine")
    (parts / ".bucket=00000-0123.parquet.x1y2").write_text("half")
    (parts / "bucket=00000-0123456789abcdef.parquet").write_text("of another model")
    scored(in_buckets, asked, tmp_path / "scores.parquet")
    assert [path.name for path in parts.iterdir()] == ["notes.txt"]


def test_a_file_that_a_bucket_lacks_is_refused_for_nobody_would_see_that_it_counts_as_unknown(
    book: Path, tmp_path: Path
) -> None:
    split(book, tmp_path / "buckets", count=2)
    (tmp_path / "buckets" / "bucket=00001" / "payments.parquet").unlink()
    with pytest.raises(DataRefused, match=r"payments\.parquet"):
        buckets(str(tmp_path / "buckets"))


def test_a_described_book_is_split_with_its_file_and_a_table_without_rows_is_empty_and_not_absent(
    tmp_path: Path,
) -> None:
    simulate(60, 0, tmp_path / "made")
    assert split(tmp_path / "made", tmp_path / "buckets", count=20) == 20
    whole = open_portfolio(str(tmp_path / "made"), outcomes=False)
    found = [bucket.open() for bucket in buckets(str(tmp_path / "buckets"))]
    assert {bucket.zone for bucket in found} == {whole.zone}
    for bucket in found:
        assert [name for name, _ in bucket.tables.items()] == [name for name, _ in whole.tables.items()]
    for name, frame in whole.tables.items():
        assert sum(dict(bucket.tables.items())[name].height for bucket in found) == frame.height
    assert any(bucket.tables.security.is_empty() for bucket in found if bucket.tables.security is not None)


def test_a_folder_that_is_there_is_not_written_over(book: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder that is there"):
        split(book, tmp_path, count=2)


def test_a_payment_of_a_loan_that_nobody_lent_is_refused_and_nothing_is_left_behind(book: Path, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    for file in book.glob("*.parquet"):
        pl.read_parquet(file).write_parquet(strange / file.name)
    payments = pl.read_parquet(strange / "payments.parquet")
    pl.concat([payments, payments.head(1).with_columns(loan_id=pl.lit("nobody's"))]).write_parquet(
        strange / "payments.parquet"
    )
    with pytest.raises(DataRefused, match="1 rows of loans or borrowers"):
        split(strange, tmp_path / "out", count=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["strange"]


def test_text_files_are_not_split(book: Path, tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    pl.read_parquet(book / "loans.parquet").write_csv(tmp_path / "text" / "loans.csv")
    with pytest.raises(ConfigurationRefused, match="not Parquet"):
        split(tmp_path / "text", tmp_path / "out", count=2)


def test_progress_says_how_many_loans_a_second_and_how_long_the_rest_takes(
    in_buckets: Path, asked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_bucket, "SECONDS_BETWEEN_WORDS", 0.0)
    said: list[str] = []
    scored(in_buckets, asked, tmp_path / "scores.parquet", said.append)
    assert len(said) == BUCKETS + 1
    assert said[0].startswith(f"1 of {BUCKETS} buckets: ")
    assert " loans read, " in said[0]
    assert said[0].endswith(" left")
    assert " left" not in said[BUCKETS - 1]
