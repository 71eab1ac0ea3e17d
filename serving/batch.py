"""The file that a batch run writes: one row per loan, with the very numbers that the service would answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from features.history import CASE, History
from models.assessment import Assessment, mixed_currencies
from models.reasons import EFFECTS, NO_REASON
from models.risk_model import GROUP_ORDER


def frame(
    assessment: Assessment, *, ranked: bool, contributions: bool = False, history: History | None = None
) -> pl.DataFrame:
    """Return the assessment as one flat table.

    Parameters
    ----------
    history : what was known of the loans: it tells each one's borrower, product and arrears; without, they are left out
    ranked : rows in order of work, with `rank` in front; else in the order of the cases
    contributions : add `value_FEATURE` and `contribution_FEATURE` for every feature of the model

    Raises
    ------
    DataRefused : a ranking of loans with more than one currency
    """
    facts = _facts(assessment)
    if history is not None:
        first = {name: facts.pop(name) for name in ("loan_id", "observed_on")}
        facts = {**first, **standing_of(assessment.cases, history), **facts}
    rows = pl.DataFrame({**facts, **_reasons(assessment), **_notes(assessment), **_model(assessment)})
    if contributions:
        rows = rows.hstack(_features(assessment))
    if ranked:
        rows = rows[assessment.order].with_row_index("rank", offset=1)
    return rows


def require_one_currency(found: Iterable[str]) -> None:
    """Refuse a ranking of loans with more than one currency.

    Raises
    ------
    DataRefused : amounts cannot be compared
    """
    several = sorted(set(found))
    if len(several) > 1:
        raise mixed_currencies(len(several))


def _facts(assessment: Assessment) -> dict[str, Any]:
    ledger, attribution = assessment.ledger, assessment.attribution
    treatments = [assessment.treatment(case) for case in range(len(assessment))]
    recovered = assessment.expected_recovery_minor
    return {
        "loan_id": assessment.cases.get_column("loan_id"),
        "observed_on": assessment.cases.get_column("observed_on"),
        "default_probability": assessment.probability,
        "points": assessment.points,
        "band": pl.Series(assessment.bands, dtype=pl.String),
        "base": np.full(len(assessment), attribution.base),
        **{group.value: assessment.part(group) for group in GROUP_ORDER},
        "log_odds": attribution.log_odds,
        "calibrated_log_odds": assessment.calibrated_log_odds,
        "quadrant": pl.Series(assessment.quadrants, dtype=pl.String),
        "quadrant_en": pl.Series([entry.name_en for entry in treatments], dtype=pl.String),
        "quadrant_zh": pl.Series([entry.name_zh for entry in treatments], dtype=pl.String),
        "treatment": pl.Series([entry.rung for entry in treatments], dtype=pl.String),
        "treatment_en": pl.Series([entry.en for entry in treatments], dtype=pl.String),
        "treatment_zh": pl.Series([entry.zh for entry in treatments], dtype=pl.String),
        "currency": pl.Series(assessment.currencies, dtype=pl.String),
        "owed_minor": assessment.owed_minor,
        "exposure_minor": ledger.exposure_minor,
        "expected_loss_minor": ledger.expected_loss_minor,
        "priority": ledger.priority,
        "chance": ledger.chance,
        "exposure": ledger.exposure,
        "loss_share": ledger.loss_share,
        "loss_share_status": pl.Series(assessment.loss_share_status, dtype=pl.String),
        "expected_recovery_minor": (
            pl.Series([None] * len(assessment), dtype=pl.Float64) if recovered is None else recovered
        ),
    }


def standing_of(cases: pl.DataFrame, history: History) -> dict[str, pl.Series]:
    """Return what a collector asks first: whose loan it is, of what kind, since when it is overdue and with how much.

    Days past due and arrears are those of the schedule in force; null for a loan without instalments, or of which no
    payments are known.
    """
    key = ["loan_id", "observed_on"]
    told = history.cases.join(history.known.loans.select(CASE, "borrower_id", "product"), on=CASE, how="left")
    if history.instalments is not None and history.known.payments is not None:
        late = pl.col("overdue")
        days = (pl.col("observed_on") - pl.col("due_on")).dt.total_days()
        arrears = history.instalments.group_by(CASE).agg(
            days_past_due=days.filter(late).max().fill_null(0),
            arrears_minor=pl.col("unpaid").filter(late).sum(),
        )
        told = told.join(arrears, on=CASE, how="left")
    else:
        unknown = pl.lit(None, pl.Int64)
        told = told.with_columns(days_past_due=unknown, arrears_minor=unknown)
    rows = cases.select(key).join(told, on=key, how="left", maintain_order="left")
    product = rows.get_column("product").cast(pl.String)
    return {
        "borrower_id": rows.get_column("borrower_id"),
        "product": product,
        "days_past_due": rows.get_column("days_past_due"),
        "arrears_minor": rows.get_column("arrears_minor"),
    }


def _reasons(assessment: Assessment) -> dict[str, Any]:
    told = assessment.told
    columns: dict[str, Any] = {}
    for place in range(told.told_by.shape[1]):
        texts, which = told.texts(place)
        # A text states a fact and no verdict: what it does to the risk stands before it.
        effect = np.where(which == NO_REASON, NO_REASON, told.totals[:, place] > 0)
        effects = [EFFECTS["lowers"], EFFECTS["raises"]]
        for name, words, of_each in (
            (f"reason_{place + 1}_effect", effects, effect),
            (f"reason_{place + 1}", texts, which),
        ):
            # The marker for no reason is below 0, which no index can be, and so becomes null.
            index = pl.Series(of_each, dtype=pl.Int64).cast(pl.UInt32, strict=False)
            columns[f"{name}_en"] = pl.Series([one.en for one in words], dtype=pl.String).gather(index)
            columns[f"{name}_zh"] = pl.Series([one.zh for one in words], dtype=pl.String).gather(index)
    return columns


def _notes(assessment: Assessment) -> dict[str, Any]:
    """Return the notes of each loan in one cell for each language, null where there are none."""
    told = assessment.notes
    return {
        "notes_en": pl.Series(
            ["; ".join(note.en for note in notes) if notes else None for notes in told], dtype=pl.String
        ),
        "notes_zh": pl.Series(
            ["；".join(note.zh for note in notes) if notes else None for notes in told], dtype=pl.String
        ),
    }


def _model(assessment: Assessment) -> dict[str, Any]:
    told = {
        **{f"model_{name}": value for name, value in assessment.model.identity().items()},
        "policy_version": assessment.policy.version,
        "policy_digest": assessment.policy.digest,
    }
    return {name: pl.Series([value] * len(assessment), dtype=pl.String) for name, value in told.items()}


def _features(assessment: Assessment) -> pl.DataFrame:
    names = assessment.catalog.names
    values = pl.DataFrame(assessment.values, schema=[f"value_{name}" for name in names]).fill_nan(None)
    contributions = pl.DataFrame(
        assessment.attribution.contributions, schema=[f"contribution_{name}" for name in names]
    )
    return values.hstack(contributions)
