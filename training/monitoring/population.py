"""The population that later cases are held against: how many cases had which values, and how good their scores were.

Counts in bins, no rows: it travels with a fitted card, and tells of nobody. Bins are tenths of the known values; states
of a category are bins of their own. A feature that fewer than `LEAST_KNOWN` cases had is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.declaration import Feature
from features.words import Unit
from models.risk_model import Floats
from training.statistics.auc import auc
from training.statistics.bins import LevelBins, NumberBins, level_bins, number_bins
from training.statistics.deciles import DECILES
from training.statistics.inputs import TooFew
from training.statistics.metrics import Bools
from training.statistics.recalibration import recalibration

FORMAT = 1
LEAST_KNOWN = 100
"""Known values of which a tenth is nobody's own."""
STATES = frozenset({Unit.CATEGORY, Unit.YES_NO})
"""Units of which each value is a state, not an amount."""
QUARTERS = (25, 50, 75)


@dataclass(frozen=True)
class Column:
    """What a feature, or the score, was like.

    Attributes
    ----------
    bins : of the known values; the last bin is of those without one
    counts : cases in each bin
    once : of states, how many cases had one that no other case had: about how often a new one may turn up by chance
    magnitude : the quartiles of the sizes of those values that are not 0, or nothing
    """

    bins: NumberBins | LevelBins
    counts: tuple[int, ...]
    once: int = 0
    magnitude: tuple[float, ...] = ()

    @property
    def cases(self) -> int:
        """How many cases there were."""
        return sum(self.counts)

    @property
    def missing(self) -> int:
        """How many of them had no value."""
        return self.counts[-1]

    @property
    def is_ordered(self) -> bool:
        """Whether neighbouring bins are like each other."""
        return isinstance(self.bins, NumberBins)

    def as_dict(self) -> dict[str, Any]:
        """Return the column as plain data."""
        told: dict[str, Any] = {"counts": list(self.counts)}
        if isinstance(self.bins, NumberBins):
            return {**told, "edges": list(self.bins.edges), "magnitude": list(self.magnitude)}
        return {**told, "states": list(self.bins.levels), "once": self.once}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Column:
        """Return the column written by `as_dict`."""
        counts = tuple(plain["counts"])
        if "states" in plain:
            return cls(LevelBins(tuple(plain["states"])), counts, once=plain["once"])
        return cls(NumberBins(tuple(plain["edges"])), counts, magnitude=tuple(plain["magnitude"]))


@dataclass(frozen=True)
class Estimate:
    """A figure and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Quality:
    """How good scores were: what later outcomes are held against.

    `in_the_large` and `slope` are those of the calibration (0 and 1 where the probabilities are right).
    """

    bad_share: float
    auc: Estimate
    in_the_large: Estimate
    slope: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        told = {name: getattr(self, name) for name in ("auc", "in_the_large", "slope")}
        return {"bad_share": self.bad_share, **{name: [one.value, one.error] for name, one in told.items()}}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Quality:
        """Return the figures written by `as_dict`."""
        told = {name: Estimate(*plain[name]) for name in ("auc", "in_the_large", "slope")}
        return cls(plain["bad_share"], **told)


@dataclass(frozen=True)
class Population:
    """A population.

    Attributes
    ----------
    cases : how many cases it had
    score : the raw log-odds; None where nobody knows them out of sample
    quality : None where outcomes were too few, or are not known
    """

    cases: int
    features: Mapping[str, Column]
    score: Column | None = None
    quality: Quality | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the population as plain data, which JSON can hold."""
        return {
            "format": FORMAT,
            "cases": self.cases,
            "features": {name: column.as_dict() for name, column in self.features.items()},
            "score": None if self.score is None else self.score.as_dict(),
            "quality": None if self.quality is None else self.quality.as_dict(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Population:
        """Return the population written by `as_dict`."""
        return cls(
            plain["cases"],
            {name: Column.from_dict(column) for name, column in plain["features"].items()},
            None if plain["score"] is None else Column.from_dict(plain["score"]),
            None if plain["quality"] is None else Quality.from_dict(plain["quality"]),
        )


def population(
    features: Iterable[Feature],
    values: Floats,
    log_odds: Floats | None = None,
    probability: Floats | None = None,
    bad: Bools | None = None,
) -> Population:
    """Return the population of some cases.

    Parameters
    ----------
    values : cases x features, NaN for "cannot know"
    log_odds, probability : of each case, by models that had not seen it; None where there are none
    bad : what became of them
    """
    columns = {
        feature.name: found
        for feature, told in zip(features, values.T, strict=True)
        if (found := column_of(told, states=feature.unit in STATES)) is not None
    }
    score = None if log_odds is None else column_of(log_odds)
    quality = None if log_odds is None or probability is None or bad is None else quality_of(bad, log_odds, probability)
    return Population(len(values), columns, score, quality)


def column_of(values: Floats, *, states: bool = False) -> Column | None:
    """Return the column of a feature's values; None where too few are known."""
    known = values[~np.isnan(values)]
    if len(known) < LEAST_KNOWN:
        return None
    if states:
        _, counts = np.unique(known, return_counts=True)
        levels = level_bins(values)
        return Column(levels, tuple(levels.counts(values).tolist()), once=int((counts == 1).sum()))
    numbers = number_bins(values, DECILES)
    return Column(numbers, tuple(numbers.counts(values).tolist()), magnitude=magnitude_of(known))


def magnitude_of(known: Floats) -> tuple[float, ...]:
    """Return the quartiles of the sizes of known values that are not 0; nothing where they are too few."""
    sizes = np.abs(known[known != 0])
    return tuple(np.percentile(sizes, QUARTERS).tolist()) if len(sizes) >= LEAST_KNOWN else ()


def quality_of(bad: Bools, log_odds: Floats, probability: Floats) -> Quality | None:
    """Return how good scores are; None where one outcome is too rare to tell."""
    try:
        order, level = auc(bad, log_odds), recalibration(bad, probability)
    except TooFew:
        return None
    return Quality(
        bad_share=float(bad.mean()),
        auc=Estimate(order.value, float(np.sqrt(order.variance))),
        in_the_large=Estimate(level.in_the_large.value, level.in_the_large.standard_error),
        slope=Estimate(level.slope.value, level.slope.standard_error),
    )
