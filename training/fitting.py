"""Fitting a card: the one public way from a cohort to a model, used by `train` and by every fold of `evaluate`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from features.catalog import Catalog, FeatureMatrix
from features.declared import Declaration
from features.delinquency import LAWFUL, Allocation
from features.portfolios.raw import AS_DECLARED, RawRows
from features.probes import probe_history
from features.words import Unit
from models.cards import Card, Population
from models.fitted_card import FittedCard
from models.recovery import RecoveryModel, teaches
from models.risk_model import Floats, Helpers, RiskModel, Size, inner_folds, sizes_for
from training.cohort import Cohort, catalog_of
from training.monitoring.population import population
from training.statistics.paired import Difference, auc_difference

ANY_DEPTH = -1
"""What LightGBM calls trees that may be as deep as their leaves allow."""
NEARLY_ALL = (1, 99)
LEAST_KNOWN = 100
"""Known values of which a percentile is nobody's own."""
COLLECTION = "collection"
"""The card that expects recoveries whatever population a lender gives it."""


def fit(
    cohort: Cohort,
    *,
    seed: int = 0,
    sizes: Sequence[Size] | None = None,
    separable: bool = True,
    monotone: bool = True,
    shallow: bool = True,
) -> RiskModel:
    """Return the model fitted on a cohort: separable by group, monotone by declaration, calibrated.

    Parameters
    ----------
    sizes : those to choose from by inner folds; None: the release's own
    separable, monotone, shallow : False measures what the constraint costs: that groups are kept apart, that declared
        directions hold, that trees are no deeper than their tables can be; such a model is never served
    """
    chosen = tuple(sizes or sizes_for(len(cohort)))
    if not shallow:
        chosen = tuple(replace(size, max_depth=ANY_DEPTH) for size in chosen)
    model = RiskModel.of(catalog_of(cohort), sizes=chosen, seed=seed, separable=separable)
    if not monotone:
        model.set_params(directions=None)
    return model.fit(cohort.matrix.values, cohort.bad, helpers=helpers_of(cohort), borrowers=cohort.borrowers)


def against_any_depth(cohort: Cohort, model: RiskModel) -> Difference:
    """Return how much better a fitted model's out-of-fold scores are than those of trees of any depth, on its folds.

    The bound on depth keeps the tables small that every score is explained from (`models.pattern_tables`).
    """
    assert model.out_of_fold_ is not None, "cohorts with both outcomes have enough cases for folds"
    values, bad = cohort.matrix.values, cohort.bad
    free = model.out_of_fold(
        replace(model.size_, max_depth=ANY_DEPTH), values, bad, helpers=helpers_of(cohort), borrowers=cohort.borrowers
    )
    folds = inner_folds(values, bad, cohort.borrowers, model.inner_folds, model.seed)
    return auc_difference([(bad[judged], model.out_of_fold_[judged], free[judged]) for _, judged in folds])


def helpers_of(cohort: Cohort) -> Helpers | None:
    """Return the loans of another card that help to grow the trees of a cohort's, or None."""
    if cohort.helpers is None:
        return None
    return Helpers(cohort.helpers.matrix.values, cohort.helpers.bad, cohort.card.helper_weight)


def learns_recoveries(card: Card) -> bool:
    """Return whether a card is one of loans in collection, which alone learns what comes back."""
    return card.population is Population.OVERDUE or card.name == COLLECTION


def fit_recovery(cohort: Cohort, *, seed: int = 0) -> RecoveryModel | None:
    """Return the model of what comes back, or None: the policy's loss share then stays.

    Only a card of loans in collection has one, and only where enough recovered shares are known.
    """
    if not learns_recoveries(cohort.card) or not teaches(cohort.recovered, cohort.bad):
        return None
    return RecoveryModel.fit(
        catalog_of(cohort), cohort.matrix.values, cohort.recovered, cohort.bad, borrowers=cohort.borrowers, seed=seed
    )


def fitted_card(
    cohort: Cohort,
    *,
    version: str,
    seed: int,
    provenance: Mapping[str, Any],
    sizes: Sequence[Size] | None = None,
    declared: Mapping[str, Declaration] | None = None,
    allocation: Allocation = LAWFUL,
    raw: RawRows = AS_DECLARED,
) -> FittedCard:
    """Return a card fitted on a cohort, with the description of its reference population.

    Parameters
    ----------
    sizes : the sizes of the trees to choose from; None: the release's own
    declared : the lender's own features, which travel with the card
    allocation : how payments met what was due in the cohort's history
    raw : how the facts that own features read come out of the lender's rows
    """
    features, recovery = catalog_of(cohort), fit_recovery(cohort, seed=seed)
    model = fit(cohort, seed=seed, sizes=sizes)
    return FittedCard(
        card=cohort.card,
        version=version,
        model=model,
        catalog=features,
        fingerprint=features.fingerprint,
        reference={
            "loans": len(cohort),
            "bad_share": float(cohort.bad.mean()),
            "currency": cohort.money.get_column("currency").unique().item(),
            "observed_on": sorted({str(day) for day in cohort.matrix.cases.get_column("observed_on")}),
            "outcomes": dict(cohort.counts),
            "helpers": 0 if cohort.helpers is None else len(cohort.helpers),
            "values_sha256": data_hash(cohort),
            **({"own_ranges": ranges} if (ranges := own_ranges(cohort)) else {}),
            **({} if recovery is None else {"recovered": _recovered(cohort)}),
            "population": _population(cohort, model),
        },
        provenance={**provenance, "seed": seed, "size": asdict(model.size_)},
        declared=declared or {},
        allocation=allocation,
        recovery=recovery,
        raw=raw,
    )


def own_ranges(cohort: Cohort) -> dict[str, list[float]]:
    """Return between which figures nearly all known values of the lender's own numbers lie, by feature.

    The 1st and the 99th percentile, of enough loans that the figures are nobody's.
    """
    found: dict[str, list[float]] = {}
    for feature, values in zip(cohort.matrix.features, cohort.matrix.values.T, strict=True):
        known = values[~np.isnan(values)]
        if feature.reads and feature.unit not in {Unit.YES_NO, Unit.CATEGORY} and len(known) >= LEAST_KNOWN:
            found[feature.name] = [float(bound) for bound in np.percentile(known, NEARLY_ALL)]
    return found


def _recovered(cohort: Cohort) -> dict[str, Any]:
    """Return what describes the recovered shares that a recovery model was fitted on."""
    return {
        "loans": int((~np.isnan(cohort.recovered)).sum()),
        "mean_share": float(np.nanmean(cohort.recovered)),
        "sha256": hashlib.sha256(np.ascontiguousarray(cohort.recovered).tobytes()).hexdigest(),
    }


def _population(cohort: Cohort, model: RiskModel) -> dict[str, Any]:
    """Return what later cases are held against: values in bins, and how good the scores out of sample were."""
    raw = model.out_of_fold_
    probability = None if raw is None else model.calibration_.probability(raw)
    return population(cohort.matrix.features, cohort.matrix.values, raw, probability, cohort.bad).as_dict()


def golden_rows(cohort: Cohort) -> Floats:
    """Return the artefact's known answers: feature rows of the made-up probe borrowers, of nobody in the cohort."""
    return probe_rows(catalog_of(cohort)).values


def probe_rows(features: Catalog) -> FeatureMatrix:
    """Return features of the made-up probe borrowers, for whatever shows rows outside the lender's own tables."""
    return features.values(probe_history(features))


def data_hash(cohort: Cohort) -> str:
    """Return a SHA-256 over the names, values and outcomes that a model was fitted on."""
    told = hashlib.sha256(",".join(feature.name for feature in cohort.matrix.features).encode())
    for part in (cohort, cohort.helpers):
        if part is not None:
            told.update(np.ascontiguousarray(part.matrix.values).tobytes())
            told.update(np.ascontiguousarray(part.bad).tobytes())
    return told.hexdigest()
