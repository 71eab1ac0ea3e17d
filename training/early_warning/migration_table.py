"""The migration as a table, a row for each product, category and category a period later; and as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from training.early_warning.book_state import STATE_NAMES, STATES
from training.early_warning.forecasting import BookMigration, ProductMigration, last_observed
from training.early_warning.migrating import Missed, NplForecast, rolled_down
from training.statistics.migration import Roll


def migration_table(told: BookMigration) -> pl.DataFrame:
    """Return one row per product, state before and state after, with loans, money and shares of both."""
    rows = [
        {
            "product": one.product,
            "from": told.dates[0],
            "to": told.dates[-1],
            "steps": len(told.dates) - 1,
            "before": before,
            "before_en": STATE_NAMES[before].en,
            "before_zh": STATE_NAMES[before].zh,
            "after": after,
            "after_en": STATE_NAMES[after].en,
            "after_zh": STATE_NAMES[after].zh,
            "loans": int(one.moves.cases[row, column]),
            "owed_minor": int(one.moves.amount[row, column]),
            "share_of_loans": _share(one.moves.cases[row, column], one.moves.cases[row].sum()),
            "share_of_money": _share(one.moves.amount[row, column], one.moves.amount[row].sum()),
            "currency": one.currency,
            "policy_version": told.policy.version,
            "policy_digest": told.policy.digest,
        }
        for one in told.products
        for row, before in enumerate(STATES)
        for column, after in enumerate(STATES)
        if one.moves.cases[row].sum()
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def plain(told: BookMigration) -> dict[str, Any]:
    """Return the migration as plain data for other programs; money in minor units, shares from 0 to 1."""
    return {
        "portfolio": told.portfolio,
        "dates": [str(day) for day in told.dates],
        "forecast_for": str(told.next_on),
        "policy": {"version": told.policy.version, "digest": told.policy.digest},
        "is_not": "the bank's risk classification, an accounting statement or a default under another regime",
        "left_out_unknown": told.unknown,
        "cards": {
            card.card.name: {"version": card.version, "fitted_up_to": last_observed(card)} for card in told.cards
        },
        "states": list(STATES),
        "products": [_product(one) for one in told.products],
    }


def _product(one: ProductMigration) -> dict[str, Any]:
    rolls = rolled_down(one.moves)
    return {
        "product": one.product,
        "currency": one.currency,
        "rule": {
            "from": str(one.rule.valid_from),
            "starts_days": list(one.rule.starts),
            "status": one.rule.status,
            "source": one.rule.source,
            "in_force_on_all_dates": one.rule_in_force,
        },
        "moves": {"loans": one.moves.cases.tolist(), "owed_minor": np.rint(one.moves.amount).astype(int).tolist()},
        "rolled_down": {
            name: {"loans": roll.cases, "share_of_money": roll.share, "low": roll.low, "high": roll.high}
            for name, roll in rolls.items()
            if isinstance(roll, Roll)
        },
        "loans": one.loans.astype(int).tolist(),
        "owed_minor": np.rint(one.held).astype(int).tolist(),
        "npl_ratio_first": one.ratio_first,
        "npl_ratio": one.ratio,
        "by_matrix": None if one.markov is None else _forecast(one.markov),
        "why_no_forecast": one.why_not or None,
        "by_scores": None if one.scores is None else _forecast(one.scores),
        "came": None
        if one.came is None
        else {
            "day": str(one.came.day),
            "owed_minor": np.rint(one.came.held).astype(int).tolist(),
            "npl_ratio": one.came.ratio,
            "npl_ratio_whole_book": one.came.whole_book,
            "by_matrix": _missed(one.came.markov),
            "by_scores": None if one.came.scores is None else _missed(one.came.scores),
            "surprise_saved_by_scores": None
            if one.came.surprise is None
            else {"mean": one.came.surprise[0], "low": one.came.surprise[1].low, "high": one.came.surprise[1].high},
        },
    }


def _forecast(told: NplForecast) -> dict[str, Any]:
    return {
        "owed_minor": np.rint(told.expected).astype(int).tolist(),
        "low": np.rint(told.low).astype(int).tolist(),
        "high": np.rint(told.high).astype(int).tolist(),
        "npl_ratio": told.ratio,
        "npl_ratio_low": told.ratio_bounds.low,
        "npl_ratio_high": told.ratio_bounds.high,
    }


def _missed(told: Missed) -> dict[str, Any]:
    return {
        "npl_ratio_error": told.ratio_error,
        "inside_bounds": told.inside,
        "misplaced_share_of_money": told.misplaced,
        "mean_surprise": float(told.loss.mean()),
    }


def _share(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None
