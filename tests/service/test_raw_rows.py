"""A lender's rows, sent as they stand in its files, score over HTTP as they do in the batch: to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from raw_books import FILE, NUMBERS, TEXTS, Row, made_rows, write

from features.errors import TablesRefused
from features.portfolios import Portfolio, open_portfolio
from models.assessment import Assessment, assess
from models.cards import card_of
from models.policy import default_policy
from models.store import ModelStore
from serving import openapi, own_columns, requests
from serving import score as scoring
from serving.batch import frame
from serving.settings import Settings
from serving.state import Loaded
from training.cohort import cohort
from training.fitting import fitted_card, golden_rows


def as_number(text: str) -> float | str | None:
    """Return a number as JSON writes it; a text for nothing stays what it is."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text if text.strip() else None


def as_day(text: str) -> str:
    try:
        return datetime.strptime(text, "%d/%m/%Y").date().isoformat()  # noqa: DTZ007
    except ValueError:
        return text


def raw_facts(row: Row) -> dict[str, Any]:
    """Return a row of the lender's file as it sends it: numbers as numbers, days as days, and nothing worked out."""
    return {
        **{column: as_number(row[column]) for column in NUMBERS},
        **{column: row[column] for column in TEXTS},
        "FEC_ALTA": as_day(row["FEC_ALTA"]),
    }


def request(rows: list[Row], book: Portfolio) -> dict[str, Any]:
    loans = {loan["loan_id"]: loan for loan in book.tables.loans.iter_rows(named=True)}
    chosen = [loans[row["NUM_SOL"]] for row in rows]
    return {
        "card": "application",
        "observation_date": chosen[0]["applied_on"].isoformat(),
        "time_zone": book.zone,
        "tables": {
            "loans": [
                {name: cell.isoformat() if isinstance(cell, date) else cell for name, cell in loan.items()}
                for loan in chosen
            ],
            "facts": [
                {"loan_id": loan["loan_id"], "recorded_at": loan["recorded_at"].isoformat(), **raw_facts(row)}
                for loan, row in zip(chosen, rows, strict=True)
            ],
        },
    }


@dataclass(frozen=True)
class Served:
    rows: list[Row]
    book: Portfolio
    loaded: Loaded
    assessed: Assessment

    def score(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = json.loads(scoring.score(json.dumps(body).encode(), self.loaded, Settings()))[
            "scores"
        ]
        return told

    def values(self, body: dict[str, Any]) -> list[str]:
        """Return the features of the first loan, each number to the bit."""
        read = requests.read(json.dumps(body).encode(), self.loaded.cards, most_loans=1)
        values = self.loaded.cards["application"].catalog.values(read.history).values
        return [float(value).hex() for value in values[0]]

    def first(self, **changed: Any) -> dict[str, Any]:
        body = request(self.rows[:1], self.book)
        body["tables"]["facts"][0].update(changed)
        return body


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("cartera")
    rows = made_rows(250, seed=3)
    rows[0] |= {"ING_MEN": "9000,5", "GTO_MEN": "4000,25", "CUOTA": "1200", "ANT_NEG": "3", "TIP_VIV": "A1"}
    rows[0] |= {"NIV_EST": "E2", "FEC_ALTA": "01/02/2015", "BURO_SC": "600"}
    book = write(folder, rows)
    cases = cohort(book, card_of(book, book.card))
    card = fitted_card(cases, version="1", seed=0, provenance={}, declared=book.declared, raw=book.raw)
    store = ModelStore(folder / "store")
    store.save(card, golden_rows(cases))
    loaded = Loaded({"application": store.load("application", "1")}, default_policy())
    return Served(rows, book, loaded, assess(book.history(), loaded.cards["application"], loaded.policy))


def test_every_row_sent_as_it_stands_in_the_file_scores_as_in_the_batch_to_the_bit(served: Served) -> None:
    written = {row["loan_id"]: row for row in frame(served.assessed, ranked=False, contributions=True).to_dicts()}
    noted = 0
    for row in served.rows:
        told = served.score(request([row], served.book))[0]
        expected = written[row["NUM_SOL"]]
        for name in ("log_odds", "default_probability", "calibrated_log_odds", "points", "quadrant"):
            assert told[name] == expected[name], (row["NUM_SOL"], name)
        for group in ("ability", "willingness", "circumstances"):
            assert told[group]["contribution"] == expected[group]
        assert ("; ".join(note["en"] for note in told["notes"]) or None) == expected["notes_en"]
        assert ("；".join(note["zh"] for note in told["notes"]) or None) == expected["notes_zh"]
        noted += bool(told["notes"])
    assert 40 < noted < 245


def test_what_a_row_needs_travels_in_the_signed_card_and_not_in_the_lenders_file(served: Served) -> None:
    card = served.loaded.cards["application"]
    assert card.raw == served.book.raw
    assert set(card.sent) == {*NUMBERS, *TEXTS, "FEC_ALTA"}
    assert card.needed["GTO_MEN"] == ("CARGA",)


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.one_of(st.floats(-1e9, -1e-9), st.floats(1e-9, 1e300), st.just(0.0)), min_size=5, max_size=5),
    texts=st.lists(st.sampled_from(["A1", "A2", "A9", "n/a", "-9", "-9,0", "007", ""]), min_size=2, max_size=2),
    day=st.dates(date(1900, 1, 1), date(2100, 1, 1)),
)
def test_facts_made_of_any_row_are_those_that_the_file_gives(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float], texts: list[str], day: date
) -> None:
    row = made_rows(1, seed=0)[0]
    row |= {column: repr(number).replace(".", ",") for column, number in zip(NUMBERS, numbers, strict=True)}
    row |= dict(zip(TEXTS, texts, strict=True)) | {"FEC_ALTA": day.strftime("%d/%m/%Y").rjust(10, "0")}
    book = write(tmp_path_factory.mktemp("one"), [row])
    assert book.tables.facts is not None
    sent = pl.DataFrame(
        {
            "loan_id": ["S0"],
            "recorded_at": book.tables.facts.get_column("recorded_at"),
            **{column: [number] for column, number in zip(NUMBERS, numbers, strict=True)},
            **{column: [text] for column, text in zip(TEXTS, texts, strict=True)},
            "FEC_ALTA": [day],
        }
    )
    kinds = {"CARGA": "number", "ING_MEN": "number", "ANT_NEG": "number", "TIP_VIV": "text", "NIV_EST": "text"}
    kinds |= {"FEC_ALTA": "date", "BURO_SC": "number"}
    made, faults = book.raw.facts(sent, kinds)  # type: ignore[arg-type]
    assert not faults
    assert made.equals(book.tables.facts.select(made.columns))


@pytest.mark.parametrize(
    ("column", "cell", "same_as"),
    [
        ("ING_MEN", -9, None),
        ("ING_MEN", "n/a", None),
        ("TIP_VIV", "n/a", None),
        ("TIP_VIV", "-9,00", None),
        ("FEC_ALTA", "n/a", None),
    ],
)
def test_a_code_or_a_text_for_nothing_counts_as_nothing(
    served: Served, column: str, cell: object, same_as: object
) -> None:
    told = served.values(served.first(**{column: cell}))
    assert told == served.values(served.first(**{column: same_as})) != served.values(served.first())


def test_every_row_gives_the_features_of_the_batch_to_the_bit(served: Served) -> None:
    place = {loan: case for case, loan in enumerate(served.assessed.loan_ids)}
    for row in served.rows[::5]:
        expected = [float(value).hex() for value in served.assessed.values[place[row["NUM_SOL"]]]]
        assert served.values(request([row], served.book)) == expected


def test_a_column_that_a_computed_one_needs_is_asked_for_by_its_name(served: Served) -> None:
    body = served.first()
    del body["tables"]["facts"][0]["GTO_MEN"]
    with pytest.raises(TablesRefused) as refusal:
        served.score(body)
    fault = refusal.value.faults[0]
    assert (fault.table, fault.row, fault.column) == ("facts", 0, "GTO_MEN")
    assert "CARGA is worked out from it" in fault.expected


def test_a_card_of_own_columns_is_not_asked_without_them(served: Served) -> None:
    body = served.first()
    del body["tables"]["facts"]
    with pytest.raises(TablesRefused, match="this table to be there, for the card reads"):
        served.score(body)


def test_what_is_worked_out_is_not_sent(served: Served) -> None:
    with pytest.raises(TablesRefused, match="nothing: it is worked out from CUOTA and LIBRE") as refusal:
        served.score(served.first(CARGA=1.0))
    assert len(refusal.value.faults) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"TIP_VIV": "A9"}, "dwelling: the value is none of those the card knows"),
        ({"NIV_EST": "E9"}, "education: the value is none of those the card knows"),
        ({"FEC_ALTA": "2031-10-23"}, "time as a client: -"),
        ({"ANT_NEG": -500}, "years in business: -500 is not possible"),
        ({"ING_MEN": -500}, "income: MXN -500 is far from what the card was fitted on"),
        ({"ING_MEN": 900_050}, "income: MXN 900,050 is far from what the card was fitted on"),
    ],
)
def test_a_strange_category_and_an_impossible_figure_are_noted(
    served: Served, changed: dict[str, Any], words: str
) -> None:
    assert not served.score(served.first())[0]["notes"]
    notes = served.score(served.first(**changed))[0]["notes"]
    assert len(notes) == 1
    assert words in notes[0]["en"]


def test_a_loan_without_a_row_of_facts_is_noted(served: Served) -> None:
    day = date.fromisoformat(served.first()["observation_date"])
    body = request(served.rows[:1], served.book)
    body["tables"]["loans"].append({**body["tables"]["loans"][0], "loan_id": "other"})
    told = served.score(body)
    assert not told[0]["notes"]
    assert ["own facts" in note["en"] for note in told[1]["notes"]] == [True], day


def test_a_parquet_file_is_read_by_the_same_rules(tmp_path: Path, served: Served) -> None:
    columns: dict[str, Callable[[str], Any]] = dict.fromkeys((*NUMBERS, "MTO_SOL"), as_number)
    rows = [{name: columns.get(name, str)(cell) for name, cell in row.items()} for row in served.rows]
    for row in rows:
        row.update({name: None if isinstance(row[name], str) else row[name] for name in columns})
        row["FEC_ALTA"] = None if row["FEC_ALTA"] == "n/a" else date.fromisoformat(as_day(row["FEC_ALTA"]))
    pl.DataFrame(rows).write_parquet(tmp_path / "cartera.parquet")
    (tmp_path / "portfolio.toml").write_text(FILE.replace("cartera.csv", "cartera.parquet"))
    book = open_portfolio(str(tmp_path))
    assert book.tables.facts is not None and served.book.tables.facts is not None
    assert book.tables.facts.equals(served.book.tables.facts)


def document_of(served: Served) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(openapi.document(served.loaded, Settings())))
    return told


def test_the_example_of_a_card_is_described_by_the_document_and_answered_without_a_note(served: Served) -> None:
    body = own_columns.example(served.loaded.cards["application"])
    document = document_of(served)
    Draft202012Validator({**document, "$ref": "#/components/schemas/Request"}).validate(body)
    told = served.score(body)
    assert told[0]["notes"] == []
    Draft202012Validator({**document, "$ref": "#/components/schemas/Score"}).validate(told[0])
    content = document["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]["application"]["value"] == body


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("ING_MEN", ["income (收入)", "in units of the currency, not minor units", "LIBRE", "n/a, -9.0"]),
        ("TIP_VIV", ["dwelling (住房)", "one of A1 (own), A2 (rents)"]),
        ("BURO_SC", ["bureau score", "-8: no file at the bureau"]),
        ("ANT_NEG", ["98: years not stated", "not known: 99", "unit: count"]),
        ("FEC_ALTA", ["a day written YYYY-MM-DD", "time as a client"]),
        ("GTO_MEN", ["CARGA is worked out from it"]),
    ],
)
def test_the_document_says_of_each_own_column_what_the_declaration_says(
    served: Served, column: str, words: list[str]
) -> None:
    row = document_of(served)["components"]["schemas"]["FactRow"]
    told = row["properties"][column]["description"]
    for word in words:
        assert word in told or word == "LIBRE", (word, told)
    assert column in row["required"]
    assert "as the lender declares it" not in told
    assert set(row["properties"]) == {"loan_id", "recorded_at", *NUMBERS, *TEXTS, "FEC_ALTA"}


def test_a_value_of_money_in_an_answer_says_that_it_is_in_minor_units(served: Served) -> None:
    told = [reason for row in served.rows[:20] for reason in served.score(request([row], served.book))[0]["reasons"]]
    money = {reason["value_in"] for reason in told if reason["unit"] == "money"}
    assert money == {"minor units of MXN"}
    assert all(reason["value_in"] == reason["unit"] for reason in told if reason["unit"] != "money")
