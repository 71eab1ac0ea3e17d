"""The built-in book is the published one, and its protected attributes stay out of every feature."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.history import History
from features.portfolios import open_portfolio, taiwan

ORIGINAL = Path(__file__).parents[3] / "shared/data/uci_taiwan_credit_card/UCI_Credit_Card.csv.gz"
PAST = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")


@pytest.fixture(scope="module")
def book():
    return open_portfolio("taiwan")


@pytest.mark.skipif(not ORIGINAL.exists(), reason="the original file is not beside the repository")
def test_every_number_of_the_book_is_that_of_the_original_file():
    original = pl.read_csv(ORIGINAL, infer_schema=False).cast(pl.Float64)
    columns = {
        "customer": "ID", "limit": "LIMIT_BAL", "sex": "SEX", "education": "EDUCATION", "marriage": "MARRIAGE",
        "age": "AGE",
        "default_10": "default.payment.next.month",
        **{f"status_{9 - k}": name for k, name in enumerate(PAST)},
        **{f"bill_{9 - k}": f"BILL_AMT{k + 1}" for k in range(6)},
        **{f"paid_{9 - k}": f"PAY_AMT{k + 1}" for k in range(6)},
    }  # fmt: skip
    ours = taiwan.raw()
    assert set(ours.columns) == set(columns)
    for name, theirs in columns.items():
        assert ours.get_column(name).cast(pl.Float64).to_list() == original.get_column(theirs).to_list(), name


def test_the_book_has_30_000_customers_of_whom_6_636_defaulted(book):
    assert book.tables.loans.height == 30_000
    assert book.tables.statements.height == 180_000
    assert book.outcomes.get_column("bad").sum() == 6_636


def test_no_money_is_lost_between_the_source_and_the_tables(book):
    raw = taiwan.raw()
    paid = sum(int(raw.get_column(f"paid_{month}").sum()) for month in range(4, 10))
    billed = sum(int(raw.get_column(f"bill_{month}").sum()) for month in range(4, 10))
    assert book.tables.payments.get_column("amount").sum() == paid * 100
    assert book.tables.statements.get_column("balance").sum() == billed * 100


def test_every_payment_reaches_the_ledger(book):
    ledger = History.as_of(date(2005, 9, 30), book.tables, zone=book.zone).statements
    assert ledger is not None
    assert ledger.get_column("paid").sum() == book.tables.payments.get_column("amount").sum()


def test_protected_attributes_are_in_no_table_that_a_feature_may_read(book):
    columns = {column for _, frame in book.tables.items() for column in frame.columns}
    assert not columns & {"sex", "age", "age_years", "education", "marriage", "marital_status"}
    assert book.protected.columns == ["borrower_id", "sex", "age_years", "education", "marital_status"]


def test_the_attribution_travels_with_the_data():
    text = Path(taiwan.__file__).with_name("ATTRIBUTION.md").read_text()
    assert "CC BY 4.0" in text
    assert "Yeh" in text
