"""MLflow is shown what serves and how it came to: the alias of the champion, and a run for every change.

What records runs is imported when there is something to tell: a rollback must not wait for it.
"""

from __future__ import annotations

from pathlib import Path

from features.words import Text
from models.store import ModelStore
from training.principals import TRAINED_BY
from training.promotion import record as records
from training.promotion.notes import NOT_IN_MLFLOW
from training.promotion.record import Record


def mirror_record(store: ModelStore, folder: Path, told: Record) -> None:
    """Log a change as a run under the one that trained the version, with its swap sets as a table; once."""
    import polars as pl

    from training.tracking import Tracker

    files = [
        path for name in (records.RECORD, records.SIGNATURE, records.SWAP_SETS) if (path := folder / name).exists()
    ]
    trained = str(store.provenance(told.card, told.version).get("run", ""))
    tags = {
        "card": told.card,
        "card_version": told.version,
        "before": told.before or "",
        "generation": str(told.generation),
        "promoted_by": told.by,
        TRAINED_BY: told.trained_by,
        "validated_by": told.validated_by,
        "reason": told.reason,
        "at": told.at,
        "manifest_sha256": told.manifest,
        "validation_sha256": told.validation,
        "swap_sets_sha256": told.swap_sets or "",
        "record_sha256": told.digest,
    }
    sets = records.swap_sets(folder)
    tables = (
        {} if sets is None else {name: pl.DataFrame(sets[name], infer_schema_length=None) for name in ("sets", "why")}
    )
    Tracker(store.root / "mlflow").record_promotion(
        told.card, kind=told.kind.value, trained=trained, tags=tags, files=files, tables=tables
    )


def mirror_champion(store: ModelStore, card: str) -> Text | None:
    """Give the version that serves the champion's alias, and return in words what could not be done, if anything."""
    from training.tracking import Tracker

    version = store.champion(card)
    if Tracker(store.root / "mlflow").mirror(card, version):
        return None
    return NOT_IN_MLFLOW.filled(version=version)
