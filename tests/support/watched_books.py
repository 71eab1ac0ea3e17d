"""Decisions of a card over many months, drawn from real borrowers: quiet unless something is planted."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from models.fitted_card import FittedCard
from models.risk_model import Size
from training.cohort import Cohort
from training.fitting import fitted_card
from training.monitoring.outcomes import BAD, GOOD, LINE
from training.monitoring.population import population

SMALL = Size(learning_rate=0.1, max_depth=4, num_leaves=7, min_data_in_leaf=20, lambda_l2=10.0, most_trees=60)
FEATURE = "feature."
CASES_OF_REFERENCE = 4_000


@dataclass(frozen=True)
class Pool:
    """Real borrowers to draw from: their features, scores, and the probabilities that outcomes are drawn with."""

    card: FittedCard
    values: np.ndarray
    log_odds: np.ndarray
    probability: np.ndarray

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        return self.values[chosen]


def small_card(cohort: Cohort) -> FittedCard:
    return fitted_card(cohort, version="1", seed=0, provenance={"portfolio": "taiwan"}, sizes=(SMALL,))


def pool_of(card: FittedCard, cohort: Cohort) -> Pool:
    values = cohort.matrix.of(card.catalog.names).values
    log_odds = card.model.tables_.scores(values)
    return Pool(card, values, log_odds, card.model.calibration_.probability(log_odds))


def with_reference(pool: Pool, random: np.random.Generator, cases: int = CASES_OF_REFERENCE) -> FittedCard:
    """Return the card with a reference drawn from the pool: later months differ from it by chance alone."""
    chosen = random.integers(len(pool.values), size=cases)
    bad = random.random(cases) < pool.probability[chosen]
    told = population(pool.card.catalog, pool.rows(chosen), pool.log_odds[chosen], pool.probability[chosen], bad)
    return replace(pool.card, reference={**pool.card.reference, "population": told.as_dict()})


@dataclass(frozen=True)
class Watched:
    """Decisions of record, as frames, and the lines of outcomes."""

    decisions: pl.DataFrame
    lines: pl.DataFrame


def day_of(month: int, first: date = date(2026, 1, 1)) -> date:
    """Return the last day of a month, counted from 0."""
    number = first.month - 1 + month
    year = first.year + number // 12
    return date(year, number % 12 + 1, calendar.monthrange(year, number % 12 + 1)[1])


def quiet(
    pool: Pool, random: np.random.Generator, *, months: int, loans: int, first: date = date(2026, 1, 1)
) -> Watched:
    """Return months of the same loans, each with the features of a borrower of the pool, drawn anew."""
    decisions, lines = [], []
    for month in range(months):
        chosen = random.integers(len(pool.values), size=loans)
        decisions.append(decided(pool, chosen, day_of(month, first), month))
        known = decisions[-1].get_column("observed_on").dt.offset_by(f"{pool.card.card.window_days}d")
        bad = random.random(loans) < pool.probability[chosen]
        lines.append(lines_of(decisions[-1], bad, known))
    return Watched(pl.concat(decisions), pl.concat(lines))


def decided(pool: Pool, chosen: np.ndarray, day: date, month: int = 0) -> pl.DataFrame:
    card, size = pool.card, len(chosen)
    names = [f"L{number}" for number in range(size)]
    figures = pl.DataFrame(
        {
            "scored_at": [datetime(day.year, day.month, day.day, 12, tzinfo=UTC)] * size,
            "request": np.arange(size, dtype=np.int64),
            "score_id": [f"S{month:05d}-{number:06d}" for number in range(size)],
            "subject": names,
            "card": [card.card.name] * size,
            "version": [card.version] * size,
            "fingerprint": [card.fingerprint] * size,
            "observed_on": [day] * size,
            "log_odds": pool.log_odds[chosen],
            "probability": pool.probability[chosen],
            "treatment": ["call"] * size,
            "tables": [["loans", "statements"]] * size,
            "readable": [True] * size,
            "loan": names,
            "exposure_minor": np.full(size, 100_000, dtype=np.int64),
            "expected_loss_minor": pool.probability[chosen] * 50_000,
            "expected_recovery_minor": (1 - pool.probability[chosen]) * 40_000,
            "currency": ["TWD"] * size,
        }
    )
    return figures.hstack(
        pl.DataFrame(pool.rows(chosen), schema=[FEATURE + name for name in card.catalog.names]).fill_nan(None)
    )


def lines_of(decisions: pl.DataFrame, bad: np.ndarray, known_on: pl.Series | list[date]) -> pl.DataFrame:
    told = decisions.select("score_id").with_columns(
        outcome=pl.Series(np.where(bad, BAD, GOOD)),
        recovered_minor=pl.Series(np.where(bad, 0, 40_000), dtype=pl.Int64),
        known_on=pl.Series(known_on),
    )
    absent = [pl.lit(None, kind).alias(name) for name, kind in LINE.items() if name not in told.columns]
    return told.with_columns(absent).select(*LINE)


def in_month(watched: Watched, month: int, *columns: pl.Expr, first: date = date(2026, 1, 1)) -> Watched:
    """Return the same with some columns changed in one month and all later ones."""
    begin = day_of(month, first) - timedelta(days=day_of(month, first).day - 1)
    later = pl.col("observed_on") >= begin
    changed = [pl.when(later).then(column).otherwise(pl.col(column.meta.output_name())) for column in columns]
    return replace(watched, decisions=watched.decisions.with_columns(changed))
