"""What the checks are given: a stored card, the cases that judge it, and scores of models that had not seen them.

A card is judged on its own cases or on later ones. Its own are the cases that it was fitted on: the fit is repeated,
and each case is scored by the model of the fold that it was kept from; cases that were held out of the fit are scored
by the card itself. Later ones are cases observed after all of those, which the card itself has never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from features.declaration import Group
from features.portfolios import Portfolio
from features.words import Text
from models.attribution import Attribution, attribute
from models.fitted_card import FittedCard
from models.recovery import RecoveryModel
from models.risk_model import GROUP_ORDER, Floats, RiskModel
from training.cohort import Cohort
from training.statistics.metrics import Bools

Positions = npt.NDArray[np.intp]


class Mode(StrEnum):
    """Which cases judge a card."""

    OWN = "own cases"
    LATER = "later cases"


@dataclass(frozen=True)
class Unseen:
    """Some of the cases, and a model that had not seen them; `fold` is 0 for the card itself."""

    fold: int
    judged: Positions
    model: RiskModel


@dataclass(frozen=True)
class Refit:
    """The fit, repeated with the version's own seed and settings; `texts` are the trees, by the file they stand in."""

    model: RiskModel
    recovery: RecoveryModel | None
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """A card and what it is judged on. Arrays run over the judged cases.

    Attributes
    ----------
    stored : the trees of the stored version, by file, as they were signed
    cohort : the judged cases, with the card's features in the card's order
    unseen : which model scores which cases; empty where the data are not those that the card was fitted on
    same_data : whether the values are those that the card was fitted on; None on later cases
    fitted_on : the cases that the card was fitted on, where the book has them
    refit : None on later cases, or where the data are others
    protected : attributes of each case's borrower, for the fairness checks alone; None where the book has none
    reference_scores : of later cases: the raw log-odds out of sample of the version's own; None where nobody kept them
    seed : of every sample that a check draws
    columns : figures that checks worked out for each case, by name; they are kept with the evidence
    """

    card: FittedCard
    stored: Mapping[str, str]
    portfolio: Portfolio
    cohort: Cohort
    mode: Mode
    unseen: tuple[Unseen, ...]
    same_data: bool | None = None
    fitted_on: Cohort | None = None
    refit: Refit | None = None
    protected: pl.DataFrame | None = None
    reference_scores: Floats | None = None
    seed: int = 0
    columns: dict[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def values(self) -> Floats:
        """The feature values of the judged cases."""
        return self.cohort.matrix.values

    @property
    def bad(self) -> Bools:
        """What became of them."""
        return self.cohort.bad

    @property
    def exposure(self) -> npt.NDArray[np.int64]:
        """Amounts at risk, in minor units."""
        return self.cohort.money.get_column("owed_minor").to_numpy()

    @property
    def products(self) -> npt.NDArray[np.str_]:
        """The product of each case."""
        return self.cohort.money.get_column("product").cast(pl.String).to_numpy().astype(str)

    @cached_property
    def months(self) -> npt.NDArray[np.str_]:
        """The month of each case's observation date, as 2026-01."""
        return self.cohort.observed_on.astype("datetime64[M]").astype(str)

    @property
    def own(self) -> bool:
        """Whether they are the version's own cases, and not later ones."""
        return self.mode is Mode.OWN

    @property
    def scored(self) -> bool:
        """Whether there are scores of models that had not seen the cases."""
        return bool(self.unseen)

    @cached_property
    def attribution(self) -> Attribution:
        """The judged cases' scores, taken apart, each by the model that had not seen it.

        `base` is the mean of the models' own; what adds up for each case is `bases` and the parts.
        """
        contributions = np.empty_like(self.values)
        parts = {group: np.empty(len(self)) for group in GROUP_ORDER}
        log_odds, error = np.empty(len(self)), 0.0
        for part in self.unseen:
            told = attribute(part.model, self.card.catalog, self.values[part.judged])
            contributions[part.judged], log_odds[part.judged] = told.contributions, told.log_odds
            for group in GROUP_ORDER:
                parts[group][part.judged] = told.parts[group]
            error = max(error, told.error)
        base = float(
            np.average([part.model.base_ for part in self.unseen], weights=[len(p.judged) for p in self.unseen])
        )
        return Attribution(base, contributions, parts, log_odds, error)

    @property
    def parts(self) -> Mapping[Group, Floats]:
        """What each group of features adds to the raw log-odds."""
        return self.attribution.parts

    @cached_property
    def folds(self) -> npt.NDArray[np.int64]:
        """The fold of each case's model; 0 for the card itself."""
        told = np.zeros(len(self), dtype=np.int64)
        for part in self.unseen:
            told[part.judged] = part.fold
        return told

    @cached_property
    def log_odds(self) -> Floats:
        """The raw log-odds of each case, by a model that had not seen it."""
        return self.attribution.log_odds

    @cached_property
    def calibrated(self) -> Floats:
        """The same by the card's own calibration."""
        return self.card.model.calibration_.log_odds(self.log_odds)

    @cached_property
    def probability(self) -> Floats:
        """The probability of each case, by the card's own calibration."""
        return self.card.model.calibration_.probability(self.log_odds)

    @cached_property
    def by_the_card(self) -> Attribution:
        """The judged cases' scores by the stored card itself, taken apart: what borrowers are told."""
        return attribute(self.card.model, self.card.catalog, self.values)

    @cached_property
    def labels(self) -> dict[str, Text]:
        """The features' names in words."""
        return {feature.name: feature.label for feature in self.card.catalog}

    def keep(self, name: str, at: Positions, figures: Floats | Bools) -> None:
        """Keep a figure of some of the cases with the evidence, so that what it is worth can be computed again."""
        told = np.full(len(self), np.nan)
        told[at] = figures
        self.columns[name] = told

    def sample(self, most: int) -> Positions:
        """Return the positions of at most so many cases, spread evenly over the book."""
        return np.unique(np.linspace(0, len(self) - 1, min(most, len(self))).round().astype(np.intp))

    def parts_of(self) -> list[tuple[Bools, Positions]]:
        """Return the outcomes and positions of the cases that one model scored: scores of several do not compare."""
        return [(self.bad[at], at) for at in (np.sort(part.judged) for part in self.unseen)]

    def frame(self) -> pl.DataFrame:
        """Return the judged cases, numbered, with what each figure is computed from; nothing says whose they are."""
        told = self.by_the_card
        known = {
            "case": np.arange(len(self), dtype=np.int64),
            "observed_on": self.cohort.observed_on,
            "product": self.products,
            "bad": self.bad,
            "exposure_minor": self.exposure,
            "recovered_share": self.cohort.recovered,
            "card_log_odds": told.log_odds,
            **{f"card_{group.value}": told.parts[group] for group in Group},
        }
        if self.scored:
            known |= {
                "fold": self.folds,
                "log_odds": self.log_odds,
                **{group.value: self.attribution.parts[group] for group in Group},
                "probability": self.probability,
            }
        return pl.DataFrame({**known, **self.columns}).fill_nan(None)
