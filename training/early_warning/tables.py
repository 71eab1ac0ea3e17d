"""The tables of early warning: every loan with what moved its score, and the alerts in order of work."""

from __future__ import annotations

import numpy as np
import polars as pl

from models.reasons import EFFECTS
from models.risk_model import GROUP_ORDER
from training.early_warning.alerts import Alerts
from training.early_warning.two_dates import Standing, TwoDates


def changes_table(told: TwoDates, found: Alerts) -> pl.DataFrame:
    """Return one row per loan that was scored at either date.

    `standing` tells loans scored at both dates from those that are new, fell overdue or left; of these only one of the
    two probabilities is there, and no change.
    """
    moved, first, last = told.change, told.first.day, told.last.day
    size = len(moved)
    rank, waits = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
    rank[found.chosen], waits[found.waiting] = np.arange(1, len(found.chosen) + 1), True
    both = pl.DataFrame(
        {
            "loan_id": pl.Series(moved.after.loan_ids, dtype=pl.String),
            "standing": Standing.BOTH.value,
            "standing_en": Standing.BOTH.text.en,
            "standing_zh": Standing.BOTH.text.zh,
            "from": first,
            "to": last,
            "default_probability_before": moved.before.probability,
            "default_probability": moved.after.probability,
            "rise": moved.rise,
            "points_before": moved.before.points,
            "points": moved.after.points,
            "band_before": pl.Series(moved.before.bands, dtype=pl.String),
            "band": pl.Series(moved.after.bands, dtype=pl.String),
            "log_odds_before": moved.before.attribution.log_odds,
            "log_odds": moved.after.attribution.log_odds,
            "change": moved.log_odds,
            **{f"change_{group.value}": moved.parts[group] for group in GROUP_ORDER},
            "currency": pl.Series(moved.after.currencies, dtype=pl.String),
            "owed_minor_before": moved.before.owed_minor,
            "owed_minor": moved.after.owed_minor,
            "value_minor": found.value,
            "alert": rank > 0,
            "waiting": waits,
            "rank": pl.Series(rank).replace(0, None),
        }
    )
    scored_first = pl.col("scored_on") == first
    others = told.others.select(
        "loan_id",
        "standing",
        "standing_en",
        "standing_zh",
        pl.lit(first).alias("from"),
        pl.lit(last).alias("to"),
        default_probability_before=pl.when(scored_first).then("default_probability"),
        default_probability=pl.when(~scored_first).then("default_probability"),
        owed_minor_before=pl.when(scored_first).then("owed_minor"),
        owed_minor=pl.when(~scored_first).then("owed_minor"),
        alert=pl.lit(value=False),
        waiting=pl.lit(value=False),
    )
    return _identified(pl.concat([both, others], how="diagonal"), found)


def alerts_table(told: TwoDates, found: Alerts, changes: pl.DataFrame) -> pl.DataFrame:
    """Return the alerts in order of work, each with the rules that hold and what moved its score.

    Parameters
    ----------
    changes : the table of all changes, whose rows these are
    """
    rows = changes.filter("alert").sort("rank")
    moved = told.change
    reasons = [moved.reasons(case) for case in found.chosen.tolist()]
    said = [found.words(case) for case in found.chosen.tolist()]
    columns = {
        "rules_en": pl.Series([one.en for one in said], dtype=pl.String),
        "rules_zh": pl.Series([one.zh for one in said], dtype=pl.String),
    }
    rules = moved.after.policy.reasons
    for place in range(rules.raising + rules.lowering):
        at = [one[place] if place < len(one) else None for one in reasons]
        effects = [None if one is None else EFFECTS[one.effect] for one in at]
        for name, texts in (
            (f"reason_{place + 1}_effect", effects),
            (f"reason_{place + 1}", [None if one is None else one.text for one in at]),
        ):
            columns[f"{name}_en"] = pl.Series([None if text is None else text.en for text in texts], dtype=pl.String)
            columns[f"{name}_zh"] = pl.Series([None if text is None else text.zh for text in texts], dtype=pl.String)
    front = ["rank", *(name for name in rows.columns if name not in {"rank", "alert", "waiting"})]
    return rows.select(front).hstack(pl.DataFrame(columns))


def _identified(rows: pl.DataFrame, found: Alerts) -> pl.DataFrame:
    assessment = found.change.after
    return rows.with_columns(
        **{f"model_{name}": pl.lit(value) for name, value in assessment.model.identity().items()},
        policy_version=pl.lit(assessment.policy.version),
        alert_policy_version=pl.lit(found.policy.version),
        alert_policy_digest=pl.lit(found.policy.digest),
    )
