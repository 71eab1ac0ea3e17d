"""A lender's own files, described in one: read as it says, or every fault named by file, row and column."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import ConfigurationRefused, DataRefused, TablesRefused
from features.portfolios import Portfolio, open_portfolio
from features.portfolios.portfolio_file import json_schema
from features.words import Unit

PAGE = (Path(__file__).parents[2] / "docs" / "portfolio.md").read_text()
PARTS = re.findall(r"```(csv|toml)\n(.*?)```", PAGE, flags=re.DOTALL)
APPLICANTS = next(text for kind, text in PARTS if kind == "csv")
FILE, PAYMENTS = (
    next(text for kind, text in PARTS if kind == "toml" and table in text)
    for table in ("[outcome]", "[tables.payments]")
)
RECEIPTS = """receipt_no;contract;value_date;eur;from;booked
R1;1;03.02.2024;412.50;own;05.02.2024
R2;9;03.02.2024;1;guar;05.02.2024
"""


@pytest.fixture
def book_of(tmp_path):
    def written(file: str = FILE, applicants: str = APPLICANTS, **others: str) -> Portfolio:
        (tmp_path / "portfolio.toml").write_text(file)
        (tmp_path / "applicants.csv").write_text(applicants)
        for name, text in others.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return open_portfolio(str(tmp_path))

    return written


def values(book: Portfolio) -> dict[str, list[float | None]]:
    frame = book.catalog.values(book.history()).frame()
    return {feature.name: frame.get_column(feature.name).to_list() for feature in book.features}


def faults(error: TablesRefused) -> list[tuple[str, int | None, str | None]]:
    return [(fault.table, fault.row, fault.column) for fault in error.faults]


def test_the_example_of_the_manual_is_read_as_it_says(book_of):
    book = book_of()
    loans = book.tables.loans
    assert loans.get_column("loan_id").to_list() == ["L1", "L2"]
    assert loans.get_column("amount").to_list() == [1_200_000, 800_000]
    assert loans.get_column("applied_on").to_list() == [date(2024, 1, 5), date(2024, 1, 7)]
    assert str(loans.get_column("recorded_at")[0]) == "2024-01-05 04:00:00+00:00"  # noon in Shanghai
    assert book.outcomes is not None
    assert book.outcomes.get_column("bad").to_list() == [False, True]
    assert book.outcomes.get_column("happened_on").to_list() == [date(2025, 1, 4), date(2025, 1, 6)]
    assert values(book) == {
        "debts_to_income": [300 / 4200, 900 / 2600],
        "home": [0.0, 1.0],
        "late_before": [0.0, 2.0],
        "score_elsewhere": [None, 610.0],
        "score_elsewhere_is_minus_9": [1.0, 0.0],
    }


def test_each_application_is_observed_on_its_own_day(book_of):
    assert book_of().history().cases.get_column("observed_on").to_list() == [date(2024, 1, 5), date(2024, 1, 7)]
    assert len(book_of().history(date(2024, 1, 6)).cases) == 1


def test_a_history_beside_the_form_is_mapped_and_rows_about_other_loans_are_left_out(book_of):
    book = book_of(FILE + PAYMENTS, receipts=RECEIPTS)
    assert book.tables.payments is not None
    assert book.tables.payments.rows(named=True)[0] | {"recorded_at": None} == {
        "payment_id": "R1",
        "loan_id": "L1",
        "paid_on": date(2024, 2, 3),
        "amount": 41_250,
        "payer": "borrower",
        "recorded_at": None,
    }
    assert book.tables.payments.height == 1
    assert str(book.tables.payments.get_column("recorded_at")[0]) == "2024-02-05 10:00:00+00:00"


@pytest.mark.parametrize(
    ("good", "spoilt", "place"),
    [
        ("2024-01-07", "07/01/2024", ("loans", 1, "applied_on")),
        ("8000,12", "8000.005,12", ("loans", 1, "amount")),
        ("8000,12", "8000,twelve", ("loans", 1, "term_months")),
        ("2600,900", "much,900", ("facts", 1, "income")),
        ("defaulted", "unheard of", ("outcomes", 1, "result")),
    ],
)
def test_a_value_that_cannot_be_read_is_named_by_row_and_column_and_never_shown(book_of, good, spoilt, place):
    with pytest.raises(TablesRefused) as refusal:
        book_of(applicants=APPLICANTS.replace(good, spoilt))
    assert faults(refusal.value) == [place]
    assert not any(word in str(refusal.value) for word in ("07/01", "8000.005", "twelve", "much", "unheard"))


def test_rows_are_numbered_as_in_the_file_also_when_some_do_not_count(book_of):
    file = FILE.replace(
        'file = "applicants.csv"', 'file = "applicants.csv"\nwhere = [{ column = "id", none_of = ["1"] }]'
    )
    with pytest.raises(TablesRefused) as refusal:
        book_of(file, applicants=APPLICANTS.replace("2024-01-07", "never"))
    assert faults(refusal.value) == [("loans", 1, "applied_on")]


def test_every_fault_of_the_file_is_told_at_once(book_of):
    file = (
        FILE.replace('zone = "Asia/Shanghai"', 'time = "Asia/Shanghai"')
        .replace('group = "willingness"', 'group = "honesty"', 1)
        .replace("per_unit = 100", "per_unit = -1")
    )
    with pytest.raises(ConfigurationRefused) as refusal:
        book_of(file)
    assert "unknown section 'time'" in refusal.value.found
    assert "[features.late_before]" in refusal.value.found


@pytest.mark.parametrize(
    ("good", "spoilt", "said"),
    [
        ("forbidden = []", 'forbidden = ["income"]', "column 'income' is forbidden and is read by a feature"),
        ("protected = []", 'protected = ["home"]', "column 'home' is protected and is read by a feature"),
        ('risk = "falls"', 'risk = "falls"\nratio = ["debts", "income"]', "codes go with a column as it is"),
        ('"-9" =', '"none" =', "a code is a number"),
        ('ratio = ["debts", "income"]', 'ratio = ["debts", "home"]', "column 'home' is read as"),
        ('good = ["paid"]', 'good = ["defaulted"]', "a text stands in two of bad, good, indeterminate"),
        ("[features.home]", "[features.Home]", "small letters"),
        ('en = "home"', 'en = "ho{me"', "braces stand in a reason only"),
        ('ratio = ["debts", "income"]', 'ratio = ["columns", "income"]', "'columns' has a meaning of its own"),
        (
            'borrower_id = { column = "id"',
            'borrower_id = { row = "B", column = "id"',
            "exactly one of column, value, row",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(book_of, good, spoilt, said):
    assert good in FILE
    with pytest.raises(ConfigurationRefused) as refusal:
        book_of(FILE.replace(good, spoilt))
    assert said in refusal.value.found


def test_a_column_that_the_file_does_not_have_is_named_with_those_it_has(book_of):
    with pytest.raises(TablesRefused) as refusal:
        book_of(FILE.replace('term_months = "months"', 'term_months = "duration"'))
    assert "this column in the file, which has id, applied, amount" in str(refusal.value)


def test_a_feature_named_like_one_of_the_releases_is_refused(book_of):
    book = book_of(FILE.replace("[features.home]", "[features.credit_limit]\ncolumn = 'home'"))
    with pytest.raises(ConfigurationRefused, match="features named as the release names its own: credit_limit"):
        _ = book.catalog


def test_words_that_are_left_out_are_listed_and_the_book_can_be_used_all_the_same(book_of):
    book = book_of(FILE.replace('label = { en = "home", zh = "住房" }', 'label = { en = "home" }'))
    assert book.unsaid == ("feature 'home', label: zh",)
    assert values(book)["home"] == [0.0, 1.0]


def test_every_level_on_its_own_and_a_value_that_is_no_level(book_of):
    each = FILE.replace("[features.home]", "[features.home]\neach = true")
    found = values(book_of(each, APPLICANTS.replace(",rented,", ",with parents,")))
    assert (found["home_is_1"], found["home_is_2"]) == ([1.0, 0.0], [0.0, 0.0])
    assert values(book_of(FILE, APPLICANTS.replace(",rented,", ",with parents,")))["home"] == [0.0, None]


def test_a_category_is_said_in_its_own_words(book_of):
    book = book_of()
    home = book.catalog["home"]
    assert home.unit is Unit.CATEGORY
    assert home.written(1.0, "CNY").zh == "租住"


def test_features_without_their_column_are_refused_and_not_scored_as_missing(book_of):
    book = book_of()
    assert book.tables.facts is not None
    history = book.history()
    short = type(history)(
        history.cases, type(history.known)(loans=history.known.loans, facts=history.known.facts.drop("income"))
    )
    with pytest.raises(DataRefused, match="columns that features read and the table has not: income"):
        book.catalog.values(short)


def test_a_file_that_is_not_there_is_refused_by_its_name(book_of):
    with pytest.raises(DataRefused, match=r"forms\.csv: no such file"):
        book_of(FILE.replace("applicants.csv", "forms.csv"))


def test_the_schema_for_editors_takes_the_example_and_refuses_a_strange_key():
    import tomllib

    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json_schema())
    example = tomllib.loads(FILE)
    assert not list(validator.iter_errors(example))
    assert list(validator.iter_errors({**example, "strange": 1}))


def test_one_borrowers_features_are_the_same_alone_as_in_the_book(book_of):
    book = book_of()
    whole = book.catalog.values(book.history()).values
    for place, loan in enumerate(["L1", "L2"]):
        alone = replace(book, tables=book.tables.of_loans(pl.Series([loan])))
        found = alone.catalog.values(alone.history()).values
        assert np.ascontiguousarray(found).tobytes() == whole[place : place + 1].tobytes()
