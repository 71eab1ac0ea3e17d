"""A card of a lender's own columns is served from its artefact alone, with the same numbers as the batch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from features.errors import TablesRefused
from features.portfolios import Portfolio, open_portfolio
from models.assessment import Assessment, assess
from models.cards import card_of
from models.policy import default_policy
from models.store import ModelStore
from serving import openapi
from serving import score as scoring
from serving.asking import request_of
from serving.settings import Settings
from serving.state import Loaded
from training.cohort import cohort
from training.fitting import fitted_card, golden_rows

FILE = """
name = "forms"
card = "application"
observe.on = 2026-06-30
[tables.loans]
file = "forms.csv"
[tables.loans.columns]
loan_id = { row = "F" }
borrower_id = { row = "F" }
product = { value = "instalment" }
currency = { value = "CNY" }
amount = { column = "amount", per_unit = 100 }
[outcome]
column = "result"
bad = ["bad"]
good = ["good"]
[features.debts_to_income]
group = "ability"
risk = "rises"
ratio = ["debts", "income"]
label = { en = "debts to income", zh = "负债与收入之比" }
[features.home]
group = "ability"
levels = ["own", "rented"]
label = { en = "home", zh = "住房" }
[features.months_known]
group = "willingness"
months_since = "customer_since"
label = { en = "months a customer", zh = "成为客户的月数" }
[features.bureau]
group = "willingness"
risk = "falls"
codes = { "-9" = { en = "no bureau score", zh = "无征信评分" } }
label = { en = "bureau score", zh = "征信评分" }
"""


@dataclass(frozen=True)
class Served:
    book: Portfolio
    loaded: Loaded
    settings: Settings
    assessed: Assessment


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder: Path = tmp_path_factory.mktemp("forms")
    random = np.random.default_rng(5)
    lines = ["amount,debts,income,home,customer_since,bureau,result"]
    for _ in range(400):
        debts, income, bureau = random.integers(0, 900), random.integers(1000, 9000), random.integers(300, 800)
        chance = 0.2 + 0.6 * (debts / income > 0.1) - 0.2 * (bureau > 600)
        known = random.random() > 0.2
        lines.append(
            f"{random.integers(1000, 90000)},{debts},{income},{random.choice(['own', 'rented', ''])},"
            f"20{random.integers(10, 26)}-0{random.integers(1, 10)}-15,{bureau if known else -9},"
            f"{'bad' if random.random() < chance else 'good'}"
        )
    (folder / "portfolio.toml").write_text(FILE)
    (folder / "forms.csv").write_text("\n".join(lines) + "\n")
    book = open_portfolio(str(folder))
    cases = cohort(book, card_of(book, book.card))
    card = fitted_card(cases, version="1", seed=0, provenance={}, declared=book.declared)
    store = ModelStore(folder / "store")
    store.save(card, golden_rows(cases))
    # As a service has it: from the artefact, without the portfolio file.
    loaded = Loaded({"application": store.load("application", "1")}, default_policy())
    assessed = assess(book.history(), loaded.cards["application"], loaded.policy)
    return Served(book, loaded, Settings(home=folder / "store"), assessed)


def asked(served: Served, *loans: str) -> dict[str, Any]:
    assert served.book.observed_on is not None
    return request_of(
        served.book.tables, list(loans), card="application", day=served.book.observed_on, zone=served.book.zone
    )


def test_the_service_answers_the_very_numbers_of_the_batch(served: Served) -> None:
    body = asked(served, "F001", "F002", "F400")
    told = json.loads(scoring.score(json.dumps(body).encode(), served.loaded, served.settings))["scores"]
    at = {loan: place for place, loan in enumerate(served.assessed.loan_ids)}
    for entry in told:
        assert entry["log_odds"] == served.assessed.attribution.log_odds[at[entry["loan_id"]]]
        assert entry["default_probability"] == served.assessed.probability[at[entry["loan_id"]]]
        assert all(reason["text"]["zh"] for reason in entry["reasons"])


def test_the_document_describes_the_lenders_own_columns(served: Served) -> None:
    document = openapi.document(served.loaded, served.settings)
    validator = Draft202012Validator({**document, "$ref": "#/components/schemas/Request"})
    body = asked(served, "F001", "F002")
    assert not list(validator.iter_errors(body))
    body["tables"]["facts"][0]["income"] = "much"
    assert list(validator.iter_errors(body))
    assert "income" in document["components"]["schemas"]["FactRow"]["properties"]


@pytest.mark.parametrize(
    ("column", "cell"), [("income", "much"), ("income", True), ("home", 7), ("customer_since", "x")]
)
def test_a_fact_of_another_kind_is_refused_by_row_and_column(served: Served, column: str, cell: object) -> None:
    body = asked(served, "F001", "F002")
    body["tables"]["facts"][1][column] = cell
    with pytest.raises(TablesRefused) as refusal:
        scoring.score(json.dumps(body).encode(), served.loaded, served.settings)
    assert [(fault.table, fault.row, fault.column) for fault in refusal.value.faults] == [("facts", 1, column)]


def test_a_column_that_no_feature_reads_is_refused(served: Served) -> None:
    body = asked(served, "F001")
    body["tables"]["facts"][0]["phone"] = "x"
    with pytest.raises(TablesRefused, match="only the columns"):
        scoring.score(json.dumps(body).encode(), served.loaded, served.settings)


def test_the_dictionary_of_the_service_has_the_lenders_features(served: Served) -> None:
    names = [entry["name"] for entry in served.loaded.dictionary()]
    assert names[-5:] == ["debts_to_income", "home", "months_known", "bureau", "bureau_is_minus_9"]


def test_the_probes_tell_declared_features_apart_so_that_the_fingerprint_sees_a_change(served: Served) -> None:
    card = served.loaded.cards["application"]
    golden = json.loads((served.settings.home / "models" / "application" / "1" / "golden.json").read_bytes())
    columns = [place for place, feature in enumerate(card.catalog) if feature.reads]
    for place in columns:
        told = {row[place] for row in golden["values"]}
        assert len(told) > 1, card.catalog.names[place]
