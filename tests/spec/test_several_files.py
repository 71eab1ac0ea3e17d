"""A book of several files as core systems write them: rows written twice, payments taken back, faults in each file."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from features.errors import ConfigurationRefused, TablesRefused
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
    def written(loans: str = "", payments: str = "", *, rows: str = LOANS, flows: str = FLOWS) -> Portfolio:
        (tmp_path / "portfolio.toml").write_text(FILE.format(loans=loans, payments=payments))
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
    assert "table 'loans': 1 row written twice, each counted once" in book.not_counted


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
