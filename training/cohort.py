"""The loans a card is fitted or judged on: its population on the observation dates, with what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from features.catalog import Catalog, FeatureMatrix
from features.errors import DataRefused
from features.portfolios import Portfolio
from models.cards import Card, card_of
from models.exposure import at_risk
from models.risk_model import Floats
from training.outcomes import Outcomes, marks, outcomes, with_ended_windows

LEAST_OF_EACH = 20
"""Fewer bad or good loans teach nothing that a fold could confirm."""


@dataclass(frozen=True)
class Cohort:
    """Cases of one card with their outcomes.

    Attributes
    ----------
    bad : outcome of each case; indeterminate ones are left out, and counted in `counts`
    money : each case's product, currency, amount at risk and borrower
    recovered : share of the amount at risk that was paid within the window, 0 to 1; NaN where nobody knows
    helpers : the cases of the card that helps this one (`Card.helped_by`), when it names one
    left_out : in words, the cases whose performance window has not ended; "" when there are none
    """

    card: Card
    matrix: FeatureMatrix
    bad: npt.NDArray[np.bool_]
    money: pl.DataFrame
    recovered: Floats
    counts: Mapping[str, int] = field(default_factory=dict)
    helpers: Cohort | None = None
    left_out: str = ""

    def __len__(self) -> int:
        return len(self.bad)

    @property
    def borrowers(self) -> npt.NDArray[np.str_]:
        """The borrower of each case."""
        return self.money.get_column("borrower_id").to_numpy().astype(str)

    @property
    def observed_on(self) -> npt.NDArray[np.datetime64]:
        """The observation date of each case."""
        return self.matrix.cases.get_column("observed_on").to_numpy().astype("datetime64[D]")

    def rows(self, chosen: npt.NDArray[np.intp]) -> Cohort:
        """Return some of the cases, with the helpers but those of borrowers that are left out, or of later days."""
        part = replace(
            self,
            matrix=self.matrix.rows(chosen),
            bad=self.bad[chosen],
            money=self.money[chosen],
            recovered=self.recovered[chosen],
        )
        if self.helpers is None or not len(part):
            return part
        left_out = np.setdiff1d(self.borrowers, part.borrowers)
        in_time = self.helpers.observed_on <= part.observed_on.max()
        kept = np.flatnonzero(in_time & ~np.isin(self.helpers.borrowers, left_out))
        whole = len(kept) == len(self.helpers)
        return part if whole else replace(part, helpers=self.helpers.rows(kept))

    def features(self, names: tuple[str, ...]) -> Cohort:
        """Return the same cases with some of the features."""
        helpers = None if self.helpers is None else self.helpers.features(names)
        return replace(self, matrix=self.matrix.of(names), helpers=helpers)


def cohort(
    portfolio: Portfolio, card: Card, as_of: date | None = None, *, features: tuple[str, ...] | None = None
) -> Cohort:
    """Return the card's cohort on the book's observation dates, or on one day.

    Its features are those of the book's catalog that tell at least two of its cases apart: what a lender does not send
    takes no part in its card, and what is alike for all teaches nothing.

    Parameters
    ----------
    features : the names of the features it has instead

    Raises
    ------
    DataRefused : outcomes are missing for the population, none of its windows has ended, or all are alike
    """
    found = _with_every_feature(portfolio, card, as_of)
    helpers = _helpers(portfolio, card, as_of)
    return replace(found, helpers=helpers).features(telling_features(found.matrix) if features is None else features)


def _with_every_feature(portfolio: Portfolio, card: Card, as_of: date | None) -> Cohort:
    history = portfolio.history(as_of)
    ended = with_ended_windows(portfolio, card, history.of(pl.Series(card.members(history))))
    members = ended.members
    told = outcomes(portfolio, card, members)
    decided = told.bad.is_not_null()
    judged = members.of(decided) if told.bad.null_count() else members
    matrix, money = portfolio.catalog.values(judged), at_risk(judged)
    _require_one_currency(portfolio, money)
    bad = marks(told.bad.drop_nulls())
    fewer = int(min(bad.sum(), (~bad).sum()))
    if fewer < LEAST_OF_EACH:
        raise DataRefused(
            f"{len(bad)} loans, of which only {fewer} have the rarer outcome",
            where=f"portfolio '{portfolio.name}', card '{card.name}', observed on {_days(matrix)}",
            expected=f"at least {LEAST_OF_EACH} loans that went bad and {LEAST_OF_EACH} that did not",
            do="check the outcomes and the observation date, or wait for more loans",
        )
    return Cohort(card, matrix, bad, money, _recovered(told, decided, money), told.counts, left_out=ended.left_out)


def telling_features(matrix: FeatureMatrix) -> tuple[str, ...]:
    """Return the names of the features that are not alike for all cases, in catalog order; missing is a value too."""
    if not len(matrix):
        return ()
    alike = ((matrix.values == matrix.values[0]) | (np.isnan(matrix.values) & np.isnan(matrix.values[0]))).all(axis=0)
    return tuple(matrix.features[column].name for column in np.flatnonzero(~alike))


def catalog_of(cohort: Cohort) -> Catalog:
    """Return the catalog whose features a cohort's columns are."""
    return Catalog(cohort.matrix.features)


def _days(matrix: FeatureMatrix) -> str:
    days = sorted({str(day) for day in matrix.cases.get_column("observed_on")})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else "no day"


def _recovered(told: Outcomes, decided: pl.Series, money: pl.DataFrame) -> Floats:
    received = told.recovered_minor.filter(decided).cast(pl.Float64).to_numpy()
    owed = money.get_column("owed_minor").to_numpy().astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(owed > 0, received / owed, np.nan)
    return np.asarray(np.clip(share, 0.0, 1.0))


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
    """Return the cases of the card that helps, or None: a book without them, or without their outcomes, is complete.

    Only where outcomes were sent: those are one question asked of all loans. Worked out, the two cards' outcomes are
    two questions.
    """
    if card.helped_by is None or portfolio.outcomes is None:
        return None
    try:
        return _with_every_feature(portfolio, card_of(portfolio, card.helped_by), as_of)
    except DataRefused:
        return None
