"""A book in a folder is read exactly as it was written, or refused with every fault of every file, and no value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from features.history import History
from features.portfolios import Portfolio, open_portfolio

CANARY = "CANARY-7731"
LOANS = """\
loan_id,borrower_id,product,currency,credit_limit,opened_on,recorded_at
L1,B1,revolving,CNY,3000000,2024-03-11,2024-03-11T09:12:00+08:00
L2,B2,revolving,CNY,,,2025-01-20T08:40:00Z
"""
STATEMENTS = """\
loan_id,statement_on,balance,state,months_overdue,recorded_at
L1,2026-06-30,1384550,overdue,1,2026-06-30T21:00:00+08:00
L2,2026-06-30,-412,paid_in_full,0,2026-06-30T21:00:00+08:00
"""
OUTCOMES = """\
loan_id,happened_on,bad,recorded_at
L1,2026-07-31,TRUE,2026-08-01T09:00:00+08:00
L2,2026-07-31,false,2026-08-01T09:00:00+08:00
"""

Book = Callable[..., Path]


@pytest.fixture
def files(tmp_path: Path) -> Book:
    """Write a book: the good one, with some files changed; None leaves one out, a frame becomes Parquet."""

    def written(**changed: str | bytes | pl.DataFrame | None) -> Path:
        for name, content in {"loans": LOANS, "statements": STATEMENTS, "outcomes": OUTCOMES, **changed}.items():
            if isinstance(content, pl.DataFrame):
                content.write_parquet(tmp_path / f"{name}.parquet")
            elif content is not None:
                (tmp_path / f"{name}.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return written


def opened(folder: Path) -> Portfolio:
    return open_portfolio(str(folder))


def faults(folder: Path) -> dict[tuple[str, int | None, str | None], str]:
    with pytest.raises(TablesRefused) as caught:
        opened(folder)
    told = str(caught.value)
    assert CANARY not in told
    assert not any(word in told for word in ("Int64", "Int16", "Datetime", "Enum", "Boolean", "String"))
    found = {(fault.table, fault.row, fault.column): fault.expected for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults)
    return found


def refused(folder: Path) -> DataRefused:
    with pytest.raises(DataRefused) as caught:
        opened(folder)
    assert not isinstance(caught.value, TablesRefused)
    assert CANARY not in str(caught.value)
    return caught.value


def typed(name: str, folder: Path) -> pl.DataFrame:
    """Return a table of the good book, to be spoilt and sent as Parquet."""
    frame = dict(opened(folder).tables.items())[name]
    for file in folder.iterdir():
        file.unlink()
    return frame


def test_text_is_read_as_the_declared_types(files):
    book = opened(files())
    read = book.tables.loans.select("credit_limit", "opened_on", "recorded_at")
    assert read.row(0) == (3_000_000, date(2024, 3, 11), datetime(2024, 3, 11, 1, 12, tzinfo=UTC))
    assert read.row(1)[:2] == (None, None)
    assert book.tables.statements is not None
    assert book.tables.statements.get_column("balance").to_list() == [1_384_550, -412]
    assert book.outcomes is not None
    assert book.outcomes.get_column("bad").to_list() == [True, False]


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-06-30T21:00:00+08:00", datetime(2026, 6, 30, 13, tzinfo=UTC)),
        ("2026-06-30 21:00:00.250000+0800", datetime(2026, 6, 30, 13, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-06-30t13:00:00z", datetime(2026, 6, 30, 13, tzinfo=UTC)),
        ("2026-06-30T13:00:00", None),
        ("2026-06-30", None),
        ("2026-02-30T13:00:00Z", None),
        ("2026-06-30T25:00:00Z", None),
        ("2026-06-30T13:00:00+99:99", None),
        ("30/06/2026 13:00:00Z", None),
    ],
)
def test_an_instant_needs_its_offset_and_is_kept_to_the_microsecond(files, written, instant):
    folder = files(statements=STATEMENTS.replace("2026-06-30T21:00:00+08:00", written, 1))
    if instant is None:
        assert "with time zone" in faults(folder)["statements", 0, "recorded_at"]
    else:
        read = opened(folder).tables.statements
        assert read is not None
        assert read.get_column("recorded_at")[0] == instant


@pytest.mark.parametrize(
    ("good", "spoilt", "column", "expected"),
    [
        ("1384550", "1384550.99", "balance", "whole number"),
        ("1384550", "1384550.0", "balance", "whole number"),
        ("1384550", "99999999999999999999", "balance", "whole number"),
        ("1384550", "1e6", "balance", "whole number"),
        ("overdue,1", "overdue,1.7", "months_overdue", "whole number from 0 to 99"),
        ("overdue,1", "overdue,true", "months_overdue", "whole number"),
        ("overdue,1", "overdue,40000", "months_overdue", "whole number from 0 to 99"),
        ("overdue,1", f"{CANARY},1", "state", "one of unused"),
        ("L1,2026-06-30", "L1,2026-06-31", "statement_on", "date"),
        ("L1,2026-06-30", "L1,30.06.2026", "statement_on", "date"),
        ("L1,2026-06-30", "L1,2026-06-30T10:00:00Z", "statement_on", "date"),
    ],
)
def test_a_text_that_is_not_exactly_of_its_type_is_one_fault_of_its_row(files, good, spoilt, column, expected):
    found = faults(files(statements=STATEMENTS.replace(good, spoilt, 1)))
    assert set(found) == {("statements", 0, column)}
    assert expected in found["statements", 0, column]


@pytest.mark.parametrize("word", ["1", "yes", "t"])
def test_only_true_and_false_are_truths(files, word):
    assert set(faults(files(outcomes=OUTCOMES.replace("TRUE", word)))) == {("outcomes", 0, "bad")}


@pytest.mark.parametrize(
    ("name", "column", "spoil"),
    [
        ("loans", "credit_limit", pl.col("credit_limit").cast(pl.Float64) + 0.99),
        ("loans", "credit_limit", pl.lit(value=True)),
        ("loans", "recorded_at", pl.col("recorded_at").dt.replace_time_zone(None)),
        ("loans", "opened_on", pl.col("recorded_at")),
        ("loans", "loan_id", pl.lit(7731)),
        ("statements", "months_overdue", pl.lit(1.7)),
        ("statements", "statement_on", pl.col("statement_on").cast(pl.Datetime("us"))),
        ("statements", "recorded_at", pl.lit(date(2026, 6, 30))),
    ],
)
def test_a_column_of_another_type_is_one_fault_not_a_rounding(files, name, column, spoil):
    spoilt = typed(name, files()).with_columns(spoil.alias(column))
    found = faults(files(**{name: spoilt}))
    assert (name, None, column) in found
    assert found[name, None, column].startswith("values of type ")
    assert all(row is None for table, row, _ in found if table == name)


def test_whole_numbers_of_another_width_and_instants_of_another_zone_are_taken_as_they_are(files):
    before = opened(files()).tables.loans
    other = before.with_columns(
        pl.col("credit_limit").cast(pl.UInt32),
        pl.col("product").cast(pl.String),
        pl.col("currency").cast(pl.Categorical),
        pl.col("recorded_at").cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone("Asia/Shanghai"),
        opened_on=None,
    )
    after = opened(files(loans=other)).tables.loans
    assert after.schema == before.schema
    assert after.equals(before.with_columns(opened_on=pl.lit(None, pl.Date)))


def test_a_whole_number_that_does_not_fit_and_a_member_that_is_none_are_faults_by_row(files):
    frame = typed("statements", files())
    spoilt = frame.with_columns(
        months_overdue=pl.Series([1, 70_000]), state=pl.Series(["overdue", CANARY], dtype=pl.Categorical)
    )
    assert set(faults(files(statements=spoilt))) == {
        ("statements", 1, "months_overdue"),
        ("statements", 1, "state"),
    }


def test_faults_of_all_tables_are_told_together_and_each_once(files):
    folder = files(
        loans=LOANS.replace("3000000", "12.99").replace("L2,B2", "L2,"),
        statements=STATEMENTS.replace("-412", CANARY).replace("2026-06-30T21:00:00+08:00", "2026-06-30T21:00:00", 1),
        payments="payment_id,loan_id,paid_on,amount,recorded_at\nP1,L1,2026-06-01,-5,2026-06-01T09:00:00\n",
        outcomes=OUTCOMES.replace("TRUE", "bad"),
    )
    assert list(faults(folder)) == [
        ("loans", 0, "credit_limit"),
        ("loans", 1, "borrower_id"),
        ("statements", 0, "recorded_at"),
        ("statements", 1, "balance"),
        ("payments", 0, "recorded_at"),
        ("payments", 0, "amount"),
        ("outcomes", 0, "bad"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(files):
    assert opened(files(loans="\ufeff" + LOANS)).tables.loans.height == 2


@pytest.mark.parametrize(
    ("content", "found", "do"),
    [
        (b"", "empty", "write the table again"),
        (LOANS.replace("B1", "张三").encode("gbk"), "GBK", "save the file as UTF-8"),
        (LOANS.encode("utf-16"), "another encoding", "save the file as UTF-8"),
        (LOANS + "L3,B3,revolving,CNY,1,2024-03-11,2024-03-11T09:12:00Z,CANARY-7731\n", "lines", "write"),
        (LOANS + 'L3,"CANARY-7731\n', "lines", "write"),
        (LOANS.partition("\n")[2].replace("B1", CANARY), "without any of its columns", "name the columns"),
        (LOANS.replace(",", ";"), "without any of its columns", "name the columns"),
    ],
    ids=["empty", "GBK", "UTF-16", "a line too long", "an open quote", "no header", "semicolons"],
)
def test_a_csv_file_that_cannot_be_read_is_refused_by_its_name(files, content, found, do):
    error = refused(files(loans=content))
    assert error.where.endswith("loans.csv")
    assert found in error.found
    assert do in error.do


def test_a_damaged_parquet_file_is_refused_by_its_name(files):
    folder = files()
    whole = folder / "loans.parquet"
    opened(folder).tables.loans.write_parquet(whole)
    for damaged in (whole.read_bytes()[:-40], b"PAR1", b"", LOANS.encode()):
        whole.write_bytes(damaged)
        assert refused(folder).where == str(whole)


def test_a_folder_named_as_a_file_is_refused(files):
    folder = files(loans=None)
    (folder / "loans.csv").mkdir()
    assert refused(folder).found == "a folder"


def test_an_empty_folder_is_told_which_file_is_missing(tmp_path):
    error = refused(tmp_path)
    assert "loans.parquet or loans.csv" in error.expected
    assert error.where == str(tmp_path)


def test_a_path_with_signs_of_a_pattern_is_read_as_it_is(files, tmp_path):
    folder = files()
    renamed = folder.rename(tmp_path.with_name("book [a]*"))
    assert opened(renamed).tables.loans.height == 2


def test_the_zone_says_which_rows_were_recorded_before_the_day_ended(files):
    late = files(statements=STATEMENTS.replace("21:00:00+08:00", "17:00:00Z"))  # 1 July, 01:00 in Shanghai
    for zone, rows in ((None, 2), ("UTC", 2), ("Asia/Shanghai", 0)):
        book = open_portfolio(str(late), zone)
        known = History.as_of(date(2026, 6, 30), book.tables, zone=book.zone).known.statements
        assert known is not None
        assert known.height == rows, zone


def test_a_built_in_book_keeps_its_zone_unless_another_is_named():
    assert open_portfolio("taiwan").zone == "Asia/Taipei"
    assert open_portfolio("taiwan", "UTC").zone == "UTC"


@pytest.mark.parametrize("zone", ["", "Asia/Nowhere", "+08:00", "../UTC"])
def test_an_unknown_zone_is_refused_before_the_book_is_read(tmp_path, zone):
    with pytest.raises(ConfigurationRefused, match="unknown time zone"):
        open_portfolio(str(tmp_path / "not there"), zone)
