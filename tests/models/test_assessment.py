"""What is at risk, whom a card is for, and which amounts may be compared."""

from __future__ import annotations

from datetime import date

import pytest
from spec_tables import CENTS, book, on

from features.errors import DataRefused
from features.history import History
from models.assessment import assess, assess_population
from models.cards import card_named
from models.exposure import at_risk
from models.policy import default_policy

OWING = "loan | on | balance | state\n L1 | 2026-05-31 | 400 | p\n L1 | 2026-06-30 | 500 | 1"


def owed(day: str, payments: str = "") -> int:
    return int(at_risk(History.as_of(on(day, "L1"), book(OWING, payments))).item(0, "owed_minor"))


def test_what_is_owed_is_the_latest_statement_less_what_was_paid_since():
    payments = "loan | on | amount\n L1 | 2026-06-30 | 70\n L1 | 2026-07-05 | 120\n L1 | 2026-07-06 | 30"
    assert owed("2026-07-05", payments) == (500 - 120) * CENTS
    assert owed("2026-07-10", payments) == (500 - 150) * CENTS
    assert owed("2026-06-30", payments) == 500 * CENTS


def test_who_paid_more_than_was_owed_owes_nothing():
    assert owed("2026-07-10", "loan | on | amount\n L1 | 2026-07-05 | 900") == 0


def test_without_statements_nothing_is_known_to_be_owed():
    tables = book(loans=("L1",))
    assert at_risk(History.as_of(on("2026-07-01", "L1"), tables)).item(0, "owed_minor") == 0


@pytest.mark.parametrize(("day", "belongs"), [("2026-06-30", True), ("2026-09-15", True), ("2026-10-31", False)])
def test_an_account_whose_last_statement_is_old_belongs_to_no_card(day: str, belongs: bool):
    history = History.as_of(on(day, "L1"), book(OWING))
    assert card_named("collection").members(history).tolist() == [belongs]
    assert card_named("behaviour").members(history).tolist() == [False]


def test_loans_in_another_currency_than_the_cards_are_refused(taiwan, collection):
    dollars = taiwan.tables.of_loans(taiwan.tables.loans.get_column("loan_id").head(3))
    history = History.as_of(date(2005, 9, 30), dollars, zone=taiwan.zone)
    import polars as pl

    history.known.loans.get_column("currency")
    foreign = type(history)(
        history.cases,
        type(history.known)(
            loans=history.known.loans.with_columns(currency=pl.lit("USD")),
            statements=history.known.statements,
            payments=history.known.payments,
        ),
    )
    with pytest.raises(DataRefused, match="TWD"):
        assess(foreign, collection, default_policy())


def test_a_book_without_a_loan_of_the_card_is_refused_with_the_reason(taiwan, collection):
    current = taiwan.tables.of_loans(taiwan.tables.loans.get_column("loan_id").slice(2, 3))
    with pytest.raises(DataRefused, match="belongs to the card"):
        assess_population(History.as_of(date(2005, 9, 30), current, zone=taiwan.zone), collection, default_policy())
