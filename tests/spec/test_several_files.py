"""A book of several files as core systems write them: rows written twice, payments taken back, faults in each file."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from features.portfolios import Portfolio, open_portfolio

LOANS = """loan,owner,opened,lent
L1,B1,2024-01-01,1000
L2,B2,2024-01-01,2000
"""
FLOWS = """no,loan,day,amount,state,original
F1,L1,2024-02-01,100,ok,
F2,L1,2024-02-01,100,ok,
F3,L1,2024-02-05,-100,reversed,F1
F4,L2,2024-02-01,50,ok,
"""
FILE = """
name = "book"
observe.on = 2024-03-01

[tables.loans]
file = "loans.csv"
{loans}

[tables.loans.columns]
loan_id = "loan"
borrower_id = "owner"
product = {{ value = "instalment" }}
currency = {{ value = "CNY" }}
opened_on = "opened"
amount = "lent"

[tables.payments]
file = "flows.csv"
{payments}

[tables.payments.columns]
payment_id = "no"
loan_id = "loan"
paid_on = "day"
"""


@pytest.fixture
def book_of(tmp_path):
    def written(
        loans: str = "", payments: str = "", *, rows: str = LOANS, flows: str = FLOWS, more: str = ""
    ) -> Portfolio:
        (tmp_path / "portfolio.toml").write_text((FILE + more).format(loans=loans, payments=payments))
        (tmp_path / "loans.csv").write_text(rows)
        (tmp_path / "flows.csv").write_text(flows)
        return open_portfolio(str(tmp_path))

    return written


def paid(book: Portfolio, day: date) -> dict[str, int]:
    known = book.history(day).known.payments
    assert known is not None
    return dict(known.select("payment_id", "amount").sort("payment_id").iter_rows())


def told(refusal: Any) -> str:
    return str(refusal.value)


TWICE = LOANS + "L1,B1,2024-01-01,1000\n"
BY_NAME = 'reversals = { column = "state", values = ["reversed"], of = "original" }'
BY_AMOUNT = 'reversals = { column = "state", values = ["reversed"] }'
BELOW_0 = "reversals = { below_zero = true }"


def test_rows_written_twice_are_refused_with_the_way_out_and_count_once_where_the_table_says_so(book_of):
    with pytest.raises(TablesRefused) as refusal:
        book_of("", BELOW_0, rows=TWICE)
    assert "1 row written twice would count once if the table said distinct = true" in told(refusal)
    book = book_of("distinct = true", BELOW_0, rows=TWICE)
    assert book.tables.loans.get_column("loan_id").to_list() == ["L1", "L2"]
    assert "loans.csv: 1 row written twice, each counted once" in book.not_counted


@pytest.mark.parametrize("how", [BY_NAME, BY_AMOUNT, BELOW_0])
def test_a_payment_counts_until_the_day_on_which_it_was_taken_back(book_of, how):
    book = book_of("", how)
    before, after = paid(book, date(2024, 2, 4)), paid(book, date(2024, 2, 5))
    assert before == {"F1": 100, "F2": 100, "F4": 50}
    assert sorted(after.values()) == [0, 50, 100]
    assert after["F1" if how == BY_NAME else "F2"] == 0
    assert book.not_counted == ("table 'payments': 1 row taken off the payments that they take back",)


def test_a_part_taken_back_leaves_the_rest_of_the_payment(book_of):
    flows = FLOWS.replace("-100,reversed,F1", "-30,reversed,F1") + "F5,L1,2024-02-06,-20,reversed,F1\n"
    book = book_of("", BY_NAME, flows=flows)
    assert [paid(book, date(2024, 2, day))["F1"] for day in (4, 5, 6)] == [100, 70, 50]


def test_a_payment_taken_back_on_its_own_day_never_counted(book_of):
    book = book_of("", BY_NAME, flows=FLOWS.replace("2024-02-05", "2024-02-01"))
    assert paid(book, date(2024, 2, 1)) == {"F1": 0, "F2": 100, "F4": 50}


def test_a_reversal_of_a_payment_that_is_not_there_is_told(book_of):
    book = book_of("", BY_NAME, flows=FLOWS.replace(",F1\n", ",F9\n"))
    assert len(book.doubts) == 1
    assert "1 row should take a payment back that was not found" in book.doubts[0]
    assert paid(book, date(2024, 2, 5)) == {"F1": 100, "F2": 100, "F4": 50}


def test_reversals_that_are_only_left_out_are_told_with_the_payments_that_stay(book_of):
    book = book_of("", 'where = [{ column = "state", one_of = ["ok"] }]')
    assert len(book.doubts) == 1
    assert "rows that look like reversals, 1 of them; for 1 of them a payment" in book.doubts[0]


def test_an_amount_below_0_is_refused_with_the_way_to_tell_a_reversal(book_of):
    with pytest.raises(TablesRefused) as refusal:
        book_of()
    assert "rows that take a payment back are told by [tables.payments.reversals]" in told(refusal)
    with pytest.raises(ConfigurationRefused) as misread:
        book_of("", 'reversals = { values = ["reversed"] }')
    assert "either column with values" in told(misread)


def test_the_faults_of_all_files_are_told_together(book_of):
    with pytest.raises(TablesRefused) as refusal:
        book_of("", BELOW_0, rows=LOANS.replace("2000", "much"), flows=FLOWS.replace("2024-02-05", "yesterday"))
    assert [(fault.table, fault.row, fault.column) for fault in refusal.value.faults] == [
        ("loans", 1, "amount"),
        ("payments", 2, "paid_on"),
    ]
    with pytest.raises(TablesRefused) as broken:
        book_of("", BELOW_0, rows=LOANS.replace("2000", "much"), flows=FLOWS.replace("L1,2024-02-01", "L1,"))
    assert {fault.table for fault in broken.value.faults} == {"loans", "payments"}


FEATURES = """
[tables.facts]
file = "owners.csv"
nulls = ["", "-9"]
formats = { since = ["%Y%m%d", "%Y/%m/%d"] }

[tables.facts.columns]
borrower_id = "owner"
{recorded}

[tables.borrowers]
file = "owners.csv"
nulls = ["", "-9"]

[tables.borrowers.columns]
borrower_id = "owner"
monthly_income = "income"

[features.lent]
group = "circumstances"

[features.job]
group = "ability"
levels = ["clerk", "driver"]

[features.in_the_job]
group = "ability"
months_since = "since"
"""
OWNERS = """owner,job,since,income,told
B1,driver,20200301,5000,2024-01-10
B2,-9,2021/03/01,-9,2024-02-20
B9,clerk,20200101,1,2024-01-10
"""


def own_values(book: Portfolio, day: date) -> dict[str, list[float | None]]:
    frame = book.catalog.values(book.history(day)).frame()
    return {feature.name: frame.get_column(feature.name).round(1).to_list() for feature in book.features}


@pytest.fixture
def of_owners(book_of, tmp_path):
    def written(recorded: str = "", owners: str = OWNERS) -> Portfolio:
        (tmp_path / "owners.csv").write_text(owners)
        more = FEATURES.replace("{recorded}", recorded).replace("{", "{{").replace("}", "}}")
        return book_of("", f"{BELOW_0}\n", more=more)

    return written


def test_features_read_the_customers_file_and_the_loans_file_without_joining_them(of_owners):
    book = of_owners()
    assert own_values(book, date(2024, 3, 1)) == {
        "lent": [1000, 2000],
        "job": [1, None],
        "in_the_job": [48.0, 36.0],
    }
    assert book.raw.of_loans == ("lent",)
    assert book.raw.columns({"lent": "number", "job": "text"}) == {"lent": "number", "job": "text"}


def test_what_a_customers_file_says_counts_from_its_recording_on(of_owners):
    book = of_owners('recorded_at = "told"')
    assert own_values(book, date(2024, 1, 9))["job"] == [None, None]
    assert own_values(book, date(2024, 1, 9))["lent"] == [1000, 2000]
    assert own_values(book, date(2024, 1, 10))["job"] == [1, None]
    assert own_values(book, date(2024, 2, 20))["in_the_job"] == [47.7, 35.7]


def test_a_borrower_who_stands_twice_in_the_customers_file_is_a_fault_of_its_row(of_owners):
    with pytest.raises(TablesRefused) as refusal:
        of_owners(owners=OWNERS + "B1,clerk,20200301,1,2024-01-10\n")
    assert ("facts", 3, "one row only for each borrower_id and recorded_at") in [
        (fault.table, fault.row, fault.expected) for fault in refusal.value.faults
    ]


def test_a_statement_of_means_without_a_day_gives_its_income_and_no_age(of_owners):
    book = of_owners()
    known = book.history(date(2024, 3, 1)).known.borrowers
    assert known is not None
    assert known.get_column("monthly_income").to_list() == [5000, None]
    names = ["days_since_income_evidence", "income_change"]
    frame = book.catalog.values(book.history(date(2024, 3, 1))).frame()
    assert frame.select(names).null_count().row(0) == (2, 2)


def test_days_written_in_several_ways_are_read_by_the_first_that_fits(book_of):
    flows = FLOWS.replace("F1,L1,2024-02-01", "F1,L1,20240201").replace("F4,L2,2024-02-01", "F4,L2,2024/02/01")
    written = f'{BELOW_0}\nformat = ["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"]'
    assert paid(book_of("", written, flows=flows), date(2024, 2, 1)) == {"F1": 100, "F2": 100, "F4": 50}
    with pytest.raises(TablesRefused) as refusal:
        book_of("", written, flows=flows.replace("2024/02/01", "1 Feb"))
    assert "a day written as %Y-%m-%d or %Y%m%d or %Y/%m/%d" in told(refusal)


def test_a_row_that_is_sent_is_read_as_each_file_would_be(of_owners):
    book = of_owners()
    known = book.history(date(2024, 3, 1)).known.facts
    sent = pl.DataFrame(
        {
            "loan_id": ["L1", "L2"],
            "recorded_at": known.get_column("recorded_at"),
            "lent": [1000.0, 2000.0],
            "job": ["driver", "-9"],
            "since": [date(2020, 3, 1), date(2021, 3, 1)],
        }
    )
    read, faults = book.raw.facts(sent, {"lent": "number", "job": "text", "since": "date"})
    assert not faults
    assert read.drop("recorded_at").equals(known.select("loan_id", "lent", "job", "since"))
    assert book.raw.says_nothing("-9")


def test_all_files_that_are_not_there_are_told_together(book_of, tmp_path):
    book_of("", BELOW_0)
    for name in ("loans.csv", "flows.csv"):
        (tmp_path / name).unlink()
    with pytest.raises(DataRefused) as refusal:
        open_portfolio(str(tmp_path))
    assert refusal.value.found == "no such files: loans.csv, flows.csv"
