"""The scores that a version had on its own cases, kept by its validation: what later scores are held to."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import polars as pl

from features.errors import ModelRefused
from models.store import ModelStore
from training.validation.evidence import Evidence, Mode
from training.validation.standing import evidence_path, folder_of, read


def with_reference_scores(store: ModelStore, evidence: Evidence) -> Evidence:
    """Return evidence on later cases with the out-of-sample scores of the version's own; without them as it is.

    They are taken from the validation of the version on its own cases, if its signature holds.
    """
    if evidence.mode is Mode.OWN:
        return evidence
    folder = folder_of(store, evidence.card.card.name, evidence.card.version)
    with contextlib.suppress(ModelRefused):
        path = evidence_path(folder, read(store, evidence.card.card.name, evidence.card.version, folder))
        frame = pl.read_parquet(path)
        if "log_odds" in frame.columns:
            return replace(evidence, reference_scores=frame.get_column("log_odds").to_numpy())
    return evidence
