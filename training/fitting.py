"""Fitting a card: the one public way from a cohort to a model, used by `train` and by every fold of `evaluate`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.catalog import Catalog
from models.artefact import GOLDEN_ROWS
from models.fitted_card import FittedCard
from models.risk_model import Floats, Helpers, RiskModel
from training.cohort import Cohort


def fit(cohort: Cohort, *, seed: int = 0, separable: bool = True, monotone: bool = True) -> RiskModel:
    """Return the model fitted on a cohort: separable by group, monotone by declaration, calibrated.

    Parameters
    ----------
    separable, monotone : False measures what the constraint costs; such a model is never served
    """
    model = RiskModel.of(catalog_of(cohort), seed=seed, separable=separable)
    if not monotone:
        model.set_params(directions=None)
    return model.fit(cohort.matrix.values, cohort.bad, helpers=_helpers(cohort))


def _helpers(cohort: Cohort) -> Helpers | None:
    if cohort.helpers is None:
        return None
    return Helpers(cohort.helpers.matrix.values, cohort.helpers.bad, cohort.card.helper_weight)


def fitted_card(cohort: Cohort, *, version: str, seed: int, provenance: Mapping[str, Any]) -> FittedCard:
    """Return a card fitted on a cohort, with the description of its reference population."""
    features = catalog_of(cohort)
    return FittedCard(
        card=cohort.card,
        version=version,
        model=fit(cohort, seed=seed),
        catalog=features,
        fingerprint=features.fingerprint,
        reference={
            "loans": len(cohort),
            "bad_share": float(cohort.bad.mean()),
            "observed_on": sorted({str(day) for day in cohort.matrix.cases.get_column("observed_on")}),
            "values_sha256": data_hash(cohort),
        },
        provenance={**provenance, "seed": seed},
    )


def catalog_of(cohort: Cohort) -> Catalog:
    """Return the catalog whose features a cohort's columns are."""
    return Catalog(cohort.matrix.features)


def golden_rows(cohort: Cohort) -> Floats:
    """Return feature rows spread evenly over the cohort, as the artefact's known answers."""
    chosen = np.linspace(0, len(cohort) - 1, min(GOLDEN_ROWS, len(cohort))).astype(np.intp)
    return cohort.matrix.values[chosen]


def data_hash(cohort: Cohort) -> str:
    """Return a SHA-256 over the names, values and outcomes that a model was fitted on."""
    told = hashlib.sha256(",".join(feature.name for feature in cohort.matrix.features).encode())
    for part in (cohort, cohort.helpers):
        if part is not None:
            told.update(np.ascontiguousarray(part.matrix.values).tobytes())
            told.update(np.ascontiguousarray(part.bad).tobytes())
    return told.hexdigest()
