"""The cases that a version was validated on, scored by it and by the version that serves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from features.catalog import FeatureMatrix
from features.errors import DataRefused
from features.portfolios import Portfolio
from models.assessment import Assessment, assess_matrix
from models.fitted_card import FittedCard
from models.policy import Policy
from models.risk_model import Floats
from models.store import ModelStore
from training.cohort import Cohort
from training.statistics.metrics import Bools
from training.validation.gathering import as_of_own_days, own_cases, own_days
from training.validation.result import Result
from training.validation.standing import evidence_path, folder_of

KEY = ("loan_id", "observed_on")


@dataclass(frozen=True)
class Compared:
    """Two versions on the same cases under one policy. Arrays run over the cases.

    Attributes
    ----------
    before, after : by the version that serves, and by the one that is to
    bad : what became of each case
    unseen : raw log-odds of the second by models that had not seen the case; None where the validation has none
    known_before : of how many cases the first knew the observation date: it may have been fitted on them
    """

    before: Assessment
    after: Assessment
    bad: Bools
    unseen: Floats | None
    known_before: int

    def __len__(self) -> int:
        return len(self.bad)

    @property
    def observed_on(self) -> np.ndarray:
        """The observation date of each case."""
        return self.after.cases.get_column("observed_on").to_numpy().astype("datetime64[D]")


def compared(
    store: ModelStore, champion: FittedCard, challenger: FittedCard, book: Portfolio, own: Result, policy: Policy
) -> Compared:
    """Return both versions on the cases of the challenger's validation.

    Parameters
    ----------
    book : the one that the challenger was fitted and validated on
    own : its validation on its own cases

    Raises
    ------
    DataRefused : the book's cases are not those that the validation was made from
    ModelRefused : the book does not declare a feature that one of the two reads
    """
    fitted_on, held_out = own_cases(replace(book, allocation=challenger.allocation), challenger)
    judged = fitted_on if held_out is None else held_out
    after = assess_matrix(judged.matrix, judged.money, challenger, policy)
    evidence = pl.read_parquet(evidence_path(folder_of(store, own.card, own.version), own))
    _require_same(evidence, judged, after, book)
    before = assess_matrix(_values(champion, challenger, book, judged), judged.money, champion, policy)
    days = np.array(own_days(champion), dtype="datetime64[D]")
    return Compared(
        before=before,
        after=after,
        bad=judged.bad,
        unseen=evidence.get_column("log_odds").to_numpy() if "log_odds" in evidence.columns else None,
        known_before=int(np.isin(judged.observed_on, days).sum()),
    )


def _values(champion: FittedCard, challenger: FittedCard, book: Portfolio, judged: Cohort) -> FeatureMatrix:
    """Return the champion's own features of the cases, as the champion declares them."""
    book.catalog.chosen(champion.catalog.names)
    history = replace(book, allocation=champion.allocation).history(as_of_own_days(book, challenger))
    wanted = _keys(judged.matrix.cases).with_columns(wanted=pl.lit(True))
    marks = _keys(history.cases).join(wanted, on=KEY, how="left", maintain_order="left").get_column("wanted")
    matrix = champion.catalog.values(history.of(marks.fill_null(value=False)))
    assert _keys(matrix.cases).equals(_keys(judged.matrix.cases)), "both histories have the book's cases in its order"
    return matrix


def _keys(cases: pl.DataFrame) -> pl.DataFrame:
    return cases.select(pl.col("loan_id").cast(pl.String), "observed_on")


def _require_same(evidence: pl.DataFrame, judged: Cohort, after: Assessment, book: Portfolio) -> None:
    """Refuse a book whose cases have other dates, outcomes, amounts or scores than those that were validated."""
    pairs = {
        "observed_on": judged.observed_on,
        "bad": judged.bad,
        "exposure_minor": judged.money.get_column("owed_minor").to_numpy(),
        "card_log_odds": after.attribution.log_odds,
    }
    same = evidence.height == len(judged) and all(
        np.array_equal(evidence.get_column(name).to_numpy().astype(values.dtype), values)
        for name, values in pairs.items()
    )
    if not same:
        raise DataRefused(
            "other cases than those that the version was validated on",
            where=f"portfolio '{book.name}'",
            expected="the book that the validation was made from, as it was",
            do="name that book with --portfolio, or validate the version again on this one",
        )
