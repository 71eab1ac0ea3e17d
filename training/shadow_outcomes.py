"""What became of the loans behind decisions, and which decisions a version may not be judged on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import polars as pl

from features.errors import DataRefused, ModelRefused
from features.portfolios.reading import rows_of
from models.store import ModelStore

SCORE_ID, BAD, AMOUNT = "score_id", "bad", "amount_minor"
COLUMNS = {SCORE_ID: pl.String(), BAD: pl.Boolean(), AMOUNT: pl.Int64()}

SAID = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": None, "indeterminate": None}
"""How an outcome may be written as text, as in `outcomes load`; empty for neither."""


def read_outcomes(path: Path) -> pl.DataFrame:
    """Return the outcomes in a Parquet or CSV file, where an outcome is one of `SAID`; see `checked`.

    Raises
    ------
    DataRefused : it cannot be read; or see `checked`
    """
    rows = rows_of(path, f"{SCORE_ID}, {BAD} and maybe {AMOUNT}")
    if BAD in rows.columns and rows.schema[BAD] == pl.String:
        try:
            rows = rows.with_columns(pl.col(BAD).fill_null("").str.to_lowercase().replace_strict(SAID))
        except pl.exceptions.InvalidOperationError as error:
            raise _of_another_kind(rows.columns, str(path)) from error
    return checked(rows, where=str(path))


def checked(outcomes: pl.DataFrame, *, where: str = "outcomes") -> pl.DataFrame:
    """Return outcomes with the columns `score_id`, `bad` (empty: neither good nor bad) and maybe `amount_minor`.

    Raises
    ------
    DataRefused : a decision has two outcomes, or a column is missing or of another kind
    """
    missing = [name for name in (SCORE_ID, BAD) if name not in outcomes.columns]
    if missing:
        raise DataRefused(
            f"no column {' and no column '.join(missing)}",
            where=where,
            expected=f"{SCORE_ID}, {BAD} and, where it is known, {AMOUNT}",
            do="name the columns so",
        )
    present = {name: kind for name, kind in COLUMNS.items() if name in outcomes.columns}
    try:
        told = outcomes.select(pl.col(name).cast(kind) for name, kind in present.items()).unique(maintain_order=True)
    except pl.exceptions.PolarsError as error:
        raise _of_another_kind(present, where) from error
    twice = told.height - told.get_column(SCORE_ID).n_unique()
    if twice:
        raise DataRefused(
            f"{twice} decisions with two outcomes",
            where=where,
            expected="one outcome for each decision",
            do="give the last that is known of each",
        )
    return told


def _of_another_kind(present: Iterable[str], where: str) -> DataRefused:
    return DataRefused(
        "a column of another kind",
        where=where,
        expected=", ".join(f"{name} as {kind}" for name, kind in COLUMNS.items() if name in present),
        do="write the columns so; an outcome is true, false or empty",
    )


def kept_outcomes(home: Path, card: str) -> pl.DataFrame | None:
    """Return what `outcomes load` has kept of a card's decisions; None where it kept nothing."""
    from training.monitoring import outcomes

    lines = outcomes.OutcomeStore(home, card).read()
    if lines.is_empty():
        return None
    known = {outcomes.BAD: True, outcomes.GOOD: False}
    return (
        outcomes.first_known(lines)
        .filter(pl.col("outcome").is_not_null())
        .select(SCORE_ID, pl.col("outcome").replace_strict(known, default=None, return_dtype=pl.Boolean).alias(BAD))
    )


def last_seen(store: ModelStore, card: str, versions: Iterable[str]) -> dict[str, date | None]:
    """Return the last observation date that each version was fitted on; None where it is not here or does not say."""
    return {version: _last(store, card, version) for version in versions}


def _last(store: ModelStore, card: str, version: str) -> date | None:
    try:
        days = store.load(card, version).reference.get("observed_on", [])
    except ModelRefused:
        return None
    return max(map(date.fromisoformat, days), default=None)
