"""The promises that every feature makes are checked on a lender's own loans, and a feature that breaks one is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features import promise_checks
from features.catalog import Catalog, catalog
from features.declaration import Feature, Group, Risk
from features.errors import DataRefused, UsageError
from features.history import CASE, History
from features.portfolios import Portfolio, described, open_portfolio
from features.promise_checks import check_promises
from features.views import Payments, Statements, View
from features.words import Text, Unit

LOANS = 24


@pytest.fixture(scope="module")
def part() -> Portfolio:
    """A small part of the Taiwan book."""
    book = open_portfolio("taiwan")
    return replace(
        book, tables=book.tables.of_loans(book.tables.loans.get_column("loan_id").gather_every(1200).head(LOANS))
    )


class WholeBook(View):
    """The statements with what no feature may know: how many rows there are in the whole book."""

    @classmethod
    def query(cls, history: History) -> pl.LazyFrame | None:
        statements = Statements.query(history)
        return None if statements is None else statements.with_columns(in_book=pl.len())


def planted(view: type[View], formula: Callable[..., pl.Expr], unit: Unit = Unit.NUMBER, **more: Any) -> Catalog:
    """Return a catalog of one sound feature and one that was made to break a promise."""
    said = Text(en="planted: {value}", zh="种下：{value}")
    broken = Feature(
        "planted", Group.CIRCUMSTANCES, unit, Risk.FREE, "planted", said, said, said, "", view, formula, **more
    )
    return Catalog((catalog().features[0], broken))


def test_the_taiwan_book_keeps_every_promise(part: Portfolio):
    said: list[str] = []
    assert check_promises(part, said.append) == []
    assert f"{len(catalog())} features of portfolio 'taiwan' on {LOANS} cases of {LOANS} borrowers" in said[0]
    assert "2005-09-30" in said[0]
    assert said[-1].startswith(f"{len(catalog())} features, {LOANS} loans and ")
    assert said[-1].endswith("values checked: every promise is kept")
    assert sum("kept" in line for line in said) == 6


@pytest.mark.parametrize(
    ("view", "formula", "words"),
    [
        (Statements, lambda _: pl.col(CASE).last(), "the order of rows"),
        (WholeBook, lambda _: pl.col("in_book").last(), "a borrower alone"),
        (WholeBook, lambda _: pl.col("in_book").last(), "second observation date"),
    ],
)
def test_a_feature_that_reads_rows_beyond_its_own_is_named(
    part: Portfolio, view: type[View], formula: Callable[..., pl.Expr], words: str
):
    found = check_promises(part, features=planted(view, formula))
    assert any(line.startswith("feature 'planted': ") and words in line for line in found)
    assert all("'planted'" in line for line in found)


@pytest.mark.parametrize(
    ("value", "unit", "more", "words"),
    [
        (1.5, Unit.SHARE, {}, "a value is outside 0 to 1, for unit share"),
        (-1.0, Unit.COUNT, {}, "a value is outside 0 and above, for unit count"),
        (float("inf"), Unit.NUMBER, {}, "a value is not finite"),
        (2.0, Unit.CATEGORY, {"levels": (Text("a", "甲"), Text("b", "乙"))}, "a value is outside 0 to 1"),
        (0.5, Unit.CATEGORY, {"levels": (Text("a", "甲"), Text("b", "乙"))}, "a value is no level"),
        (9.0, Unit.COUNT, {"capped_at": 8}, "a value is outside 0 to 8"),
    ],
)
def test_a_value_that_cannot_be_is_named(part: Portfolio, value: float, unit: Unit, more: dict[str, Any], words: str):
    given = planted(Payments, lambda _: pl.lit(value) + 0 * pl.col("amount").len(), unit, **more)
    found = check_promises(part, features=given)
    assert len(found) == 1
    assert found[0].startswith(f"feature 'planted': {words}")


def test_no_borrowers_value_is_told(part: Portfolio):
    given = planted(Payments, lambda _: 0.5 + 0 * pl.col("amount").len() + 987_123, Unit.SHARE)
    assert "987" not in " ".join(check_promises(part, features=given))


def test_the_rows_that_are_added_would_be_seen_if_they_had_been_recorded_in_time(
    part: Portfolio, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(promise_checks, "AFTER", "-1d")
    found = [line for line in check_promises(part) if "recorded after" in line]
    assert len(found) > 20
    assert any("of table statements" in line for line in found)
    assert any("of table payments" in line for line in found)


def test_a_book_with_its_own_features_observed_at_each_application_keeps_every_promise(tmp_path: Path):
    lines = ["id,customer,applied,wage,region,calls,since,bad"]
    lines += [
        f"C{row:02d},K{row // 2:02d},2024-0{row % 9 + 1}-15,{900 + row},{'north' if row % 3 else 'south'},"
        f"{-9 if row % 5 == 0 else row % 7},20{row:02d}-01-31,{row % 2}"
        for row in range(20)
    ]
    (tmp_path / "credits.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "portfolio.toml").write_text(
        """
name = "credits"
[observe]
each = "applied_on"
[tables.loans]
file = "credits.csv"
[tables.loans.columns]
loan_id = "id"
borrower_id = "customer"
product = { value = "instalment" }
currency = { value = "CNY" }
applied_on = "applied"
[features.wage]
group = "ability"
unit = "money"
per_unit = 100
[features.region]
group = "circumstances"
levels = ["south", "north"]
[features.calls]
group = "willingness"
unit = "count"
codes = { "-9" = {} }
[features.since]
group = "circumstances"
months_since = "since"
"""
    )
    said: list[str] = []
    book = described.book(tmp_path / "portfolio.toml")
    assert check_promises(book, said.append) == []
    assert f"{len(catalog()) + 5} features, 20 loans" in said[-1]
    assert "on 20 cases of 10 borrowers, observed from 2024-01-15 to 2024-09-15" in said[0]


def test_the_sample_is_the_same_each_time_and_holds_whole_borrowers(part: Portfolio, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(promise_checks, "MOST_LOANS", 10)
    loans = part.tables.loans.with_columns(
        borrower_id=pl.col("loan_id").rank("ordinal").cast(pl.Int64) // 3
    ).with_columns(pl.col("borrower_id").cast(pl.String))
    book = replace(part, tables=replace(part.tables, loans=loans))
    first, second = promise_checks._sample(book, None), promise_checks._sample(book, None)
    assert first.cases.equals(second.cases)
    assert 5 <= first.cases.height <= 10
    shuffled = replace(book, tables=replace(book.tables, loans=loans.reverse()))
    assert promise_checks._sample(shuffled, None).cases.equals(first.cases)
    owners = first.cases.get_column("borrower_id").unique().implode()
    assert loans.filter(pl.col("borrower_id").is_in(owners)).height == first.cases.height


def test_without_a_day_or_a_loan_there_is_nothing_to_check(part: Portfolio):
    with pytest.raises(UsageError):
        check_promises(replace(part, observed_on=None))
    with pytest.raises(DataRefused):
        check_promises(part, as_of=date(1999, 1, 1))
