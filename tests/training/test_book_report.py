"""A lender gets the report of its own book: of the loans it ranks, or of loans that the card has not seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from raw_books import FILE, made_rows, write

from features.portfolios import Portfolio
from models.assessment import assess_population
from models.cards import card_of
from models.policy import default_policy
from training.book_report import report_judged, report_ranking
from training.cohort import cohort
from training.fitting import fitted_card
from training.report_words import NOT_KNOWN_YET

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Portfolio:
    return write(tmp_path_factory.mktemp("book"), made_rows(300, seed=4), FILE + '[split]\nby = "folds"\n')


def test_a_judged_report_tells_what_became_of_loans_that_were_not_fitted_on(book: Portfolio, tmp_path: Path) -> None:
    told: list[str] = []
    out = tmp_path / "report.html"
    judged = report_judged(out, book, card_of(book, book.card), default_policy(), say=told.append)
    page = out.read_text()
    assert judged == 100
    assert "200 loans, to judge it on 100 others" in told[0]
    assert "judged on 100 loans" in page
    assert NOT_KNOWN_YET.en not in page
    assert "formal demand" not in page


def test_a_ranking_tells_nothing_of_outcomes_and_names_many_days_by_the_first_and_the_last(
    book: Portfolio, tmp_path: Path
) -> None:
    cases = cohort(book, card_of(book, book.card))
    card = fitted_card(cases, version="1", seed=0, provenance={}, declared=book.declared, raw=book.raw)
    report_ranking(
        tmp_path / "report.html", assess_population(book.history(), card, default_policy()), source=book.source
    )
    page = (tmp_path / "report.html").read_text()
    assert NOT_KNOWN_YET.en in page
    days = card.reference["observed_on"]
    assert f"{days[0]} – {days[-1]}" in page
    assert ", ".join(days[:3]) not in page


def test_the_verb_refuses_another_kind_of_file_before_it_reads_the_book(tmp_path: Path) -> None:
    words = ["report", "--portfolio", "nowhere", "--out", "report.pdf"]
    told = subprocess.run(
        [sys.executable, str(ROOT / "repayrank.py"), *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert told.returncode == 2
    assert ".html" in told.stderr


def test_many_observation_dates_are_not_written_into_one_parameter() -> None:
    from training.tracking import _days

    days = [f"2020-01-{day:02d}" for day in range(1, 32)] * 50
    assert len(json.dumps(_days(days))) < 100
    assert _days(["2020-01-01"]) == {"as_of": "2020-01-01", "as_of_count": 1}
