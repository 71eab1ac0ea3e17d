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
    matrix, money = catalog().values(history), at_risk(history)
    chosen = np.flatnonzero(card.population(history))
    matrix, money = matrix.rows(chosen), money[chosen]
    bad = _outcomes(portfolio, card, matrix, day)
    if bad.all() or not bad.any():
        raise DataRefused(
            f"all {len(bad)} outcomes alike",
            where=f"portfolio '{portfolio.name}', card '{card.name}', observed on {day}",
            expected="loans that went bad and loans that did not",
            do="check the outcomes and the observation date",
        )
    helpers = None if card.helped_by is None else cohort(portfolio, card_named(card.helped_by), as_of)
    return Cohort(card, matrix, bad, money, helpers)


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
