"""What the command line refuses, it refuses before the work, by name and with the right exit code."""

from __future__ import annotations

import errno

import numpy as np
import pytest

import repayrank
from features.errors import UsageError
from training.train_verbs import _require_enough_for


@pytest.fixture
def told(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            repayrank.main(list(words))
        return int(caught.value.code or 0), capsys.readouterr().err

    return run


@pytest.fixture
def no_book(monkeypatch):
    """Make reading a book an error that no refusal can be taken for."""

    def opened(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("features.portfolios.open_portfolio", opened)


@pytest.mark.usefixtures("no_book")
@pytest.mark.parametrize("verb", ["rank", "score"])
def test_an_unknown_card_is_refused_before_the_book_or_a_model_is_read(told, verb):
    code, text = told(verb, "--portfolio", "taiwan", "--card", "mortgage", "--out", "x.csv")
    assert code == 2
    assert "behaviour, collection, all" in text


@pytest.mark.usefixtures("no_book")
@pytest.mark.parametrize("verb", ["rank", "score"])
def test_an_output_that_is_a_folder_is_refused_before_the_book_is_read(told, tmp_path, verb):
    (tmp_path / "list.csv").mkdir()
    code, text = told(verb, "--portfolio", "taiwan", "--out", "list.csv")
    assert code == 11
    assert "found     Is a directory\n  where     list.csv" in text


@pytest.mark.usefixtures("no_book")
@pytest.mark.parametrize(
    "words",
    [
        ("train", "--portfolio", "taiwan"),
        ("rank", "--portfolio", "taiwan", "--out", "x.csv"),
        ("demo", "--no-serve"),
        ("serve",),
    ],
)
def test_a_home_that_is_a_file_is_refused_before_the_work(told, tmp_path, words):
    (tmp_path / "home").write_text("")
    code, text = told(*words, "--home", "home")
    assert code == 11
    assert "found     Not a directory\n  where     home" in text


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_an_unknown_zone_is_refused_in_four_parts(told, verb):
    code, text = told(verb, "--portfolio", "taiwan", "--zone", "Asia/Nowhere")
    assert code == 11
    assert all(f"  {part} " in text for part in ("found", "where", "expected", "do"))
    assert "Asia/Nowhere" in text


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--portfolio", "taiwan", "--seed", "-1"),
        ("evaluate", "--portfolio", "taiwan", "--seed", str(2**31)),
        ("evaluate", "--portfolio", "taiwan", "--folds", "1"),
        ("serve", "--port", "65536"),
        ("demo", "--port", "-1"),
    ],
)
def test_a_number_out_of_its_bounds_is_a_matter_of_usage(told, words):
    assert told(*words)[0] == 2


def test_more_folds_than_loans_of_the_rarer_outcome_are_refused(overdue):
    few = overdue.rows(np.concatenate([np.flatnonzero(overdue.bad)[:30], np.flatnonzero(~overdue.bad)[:50]]))
    _require_enough_for(30, few)
    with pytest.raises(UsageError, match="31 folds for 30 loans"):
        _require_enough_for(31, few)


@pytest.mark.parametrize(
    ("error", "found", "where"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", "a file being read or written"),
        (PermissionError(errno.EACCES, "Permission denied", "b.csv"), "Permission denied", "b.csv"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", ".tmp", None, "out.csv"), "Is a directory", "out.csv"),
    ],
)
def test_what_the_machine_refuses_is_not_called_a_bug(told, monkeypatch, error, found, where):
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("features.portfolios.open_portfolio", fails)
    code, text = told("train", "--portfolio", "taiwan")
    assert code == 11
    assert f"found     {found}\n  where     {where}\n" in text


def test_an_error_of_a_library_that_only_calls_itself_the_machines_is_a_bug(told, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise OSError("CANARY-7731")

    monkeypatch.setattr("features.portfolios.open_portfolio", fails)
    code, text = told("train", "--portfolio", "taiwan")
    assert code == 1
    assert "a bug in repayrank" in text
    assert "CANARY" not in text


def test_a_portfolio_file_that_somebody_may_have_corrected_is_not_written_over(told, tmp_path):
    (tmp_path / "my_book").mkdir()
    (tmp_path / "my_book" / "cartera.csv").write_text("NUM_SOL;MTO_SOL\nA1;7,5\nA2;8,5\n")
    words = ("portfolio", "new", "my_book/cartera.csv", "--out", "my_book/portfolio.toml")
    with pytest.raises(SystemExit) as done:
        repayrank.main(list(words))
    assert not done.value.code
    text = (tmp_path / "my_book" / "portfolio.toml").read_text()
    assert 'file = "cartera.csv"' in text
    code, refusal = told(*words)
    assert code == 11
    assert "File exists" in refusal
    assert (tmp_path / "my_book" / "portfolio.toml").read_text() == text


BOOK = """
name = "book"
observe.on = [2024-01-31, 2024-02-29]

[tables.loans]
file = "loans.csv"

[tables.loans.columns]
product = { value = "instalment" }
currency = { value = "CNY" }
"""


def test_a_card_that_was_never_trained_is_told_with_the_readers_own_book(told, tmp_path):
    (tmp_path / "portfolio.toml").write_text(BOOK)
    (tmp_path / "loans.csv").write_text("loan_id,borrower_id\nL1,B1\n")
    for words in (("rank", "--out", "x.csv"), ("rank", "--out", "x.csv", "--card", "behaviour"),
                  ("report", "--out", "x.html")):  # fmt: skip
        code, text = told(*words, "--portfolio", "portfolio.toml")
        card = "behaviour" if "behaviour" in words else "collection"
        assert code == 12
        assert f"run `repayrank train --portfolio portfolio.toml --card {card}` first" in text
