"""The loans a card is fitted or judged on: its population on the observation date, with what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from features.catalog import FeatureMatrix, catalog
from features.errors import DataRefused
from features.history import History
from features.portfolios import Portfolio, observation_date
from models.assessment import at_risk
from models.cards import Card, card_named

LEAST_OF_EACH = 20
"""Fewer bad or good loans teach nothing that a fold could confirm."""


@dataclass(frozen=True)
class Cohort:
    """Cases of one card with their outcomes.

    `bad` is the outcome of each case; `money` has its product, currency and amount at risk. `helpers` are the cases of
    the card that helps this one (`Card.helped_by`), when it names one.
    """

    card: Card
    matrix: FeatureMatrix
    bad: npt.NDArray[np.bool_]
    money: pl.DataFrame
    helpers: Cohort | None = None

    def __len__(self) -> int:
        return len(self.bad)

    def rows(self, chosen: npt.NDArray[np.intp]) -> Cohort:
        """Return some of the cases, with all the helpers."""
        return Cohort(self.card, self.matrix.rows(chosen), self.bad[chosen], self.money[chosen], self.helpers)


def cohort(portfolio: Portfolio, card: Card, as_of: date | None = None) -> Cohort:
    """Return the card's cohort on the observation date.

    An outcome counts when it happened after the observation date and within the card's performance window. Loans of
    the population without one are refused, not left out: their window has not ended, or the outcome was not sent.

    Raises
    ------
    DataRefused : outcomes are missing for the population, or all are alike
    """
    day = observation_date(portfolio, as_of)
    history = History.as_of(day, portfolio.tables, zone=portfolio.zone)
    members = history.of(pl.Series(card.population(history)))
    matrix, money = catalog().values(members), at_risk(members)
    _require_one_currency(portfolio, money)
    bad = _outcomes(portfolio, card, matrix, day)
    fewer = int(min(bad.sum(), (~bad).sum()))
    if fewer < LEAST_OF_EACH:
        raise DataRefused(
            f"{len(bad)} loans, of which only {fewer} have the rarer outcome",
            where=f"portfolio '{portfolio.name}', card '{card.name}', observed on {day}",
            expected=f"at least {LEAST_OF_EACH} loans that went bad and {LEAST_OF_EACH} that did not",
            do="check the outcomes and the observation date, or wait for more loans",
        )
    return Cohort(card, matrix, bad, money, _helpers(portfolio, card, as_of))


def _require_one_currency(portfolio: Portfolio, money: pl.DataFrame) -> None:
    found = money.get_column("currency").n_unique()
    if found > 1:
        raise DataRefused(
            f"{found} currencies in one cohort",
            where=f"portfolio '{portfolio.name}', table 'loans', column 'currency'",
            expected="one currency: a card's thresholds are amounts of money",
            do="fit a card for each currency, or convert the amounts first",
        )


def _helpers(portfolio: Portfolio, card: Card, as_of: date | None) -> Cohort | None:
    """Return the cases of the card that helps, or None: a book without them, or without their outcomes, is complete."""
    if card.helped_by is None:
        return None
    try:
        return cohort(portfolio, card_named(card.helped_by), as_of)
    except DataRefused:
        return None


def _outcomes(portfolio: Portfolio, card: Card, matrix: FeatureMatrix, day: date) -> npt.NDArray[np.bool_]:
    if portfolio.outcomes is None:
        raise DataRefused(
            "no outcomes", where=f"portfolio '{portfolio.name}'", expected="table 'outcomes'", do="add the table"
        )
    window_end = day + timedelta(days=card.window_days)
    judged = (
        portfolio.outcomes.filter(pl.col("happened_on") > day, pl.col("happened_on") <= window_end)
        .group_by("loan_id")
        .agg(pl.col("bad").any())
    )
    told = matrix.cases.join(judged, on="loan_id", how="left", maintain_order="left").get_column("bad")
    if told.null_count():
        raise DataRefused(
            f"{told.null_count()} of {len(told)} loans have no outcome",
            where=f"portfolio '{portfolio.name}', card '{card.name}', performance window to {window_end}",
            expected="the outcome of every loan of the population, within the performance window",
            do="wait until the window has ended, send the missing outcomes, or observe an earlier date",
        )
    return told.to_numpy()
