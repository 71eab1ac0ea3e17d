"""Where the evidence comes from: the signed version, its own cases and its fit repeated, or cases observed later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import lightgbm as lgb
import numpy as np
import polars as pl

from features.errors import DataRefused
from features.portfolios import Portfolio
from features.tables import BORROWER
from models import artefact
from models.calibration import IDENTITY
from models.fitted_card import FittedCard
from models.recovery import RecoveryModel
from models.reference import with_reference
from models.risk_model import RiskModel, Size, inner_folds
from models.store import ModelStore
from models.trial import load_tried
from training.cohort import Cohort, cohort
from training.fitting import data_hash, fit, fit_recovery
from training.splits import kept_from_the_fit
from training.validation.evidence import Evidence, Mode, Refit, Unseen

Told = Callable[[str], None]


def of_own_cases(
    store: ModelStore, card: str, version: str, portfolio: Portfolio, *, say: Told = lambda _: None
) -> Evidence:
    """Return the evidence on the cases that a version was fitted on, its fit repeated.

    Raises
    ------
    ModelRefused : the version does not verify, or the book does not declare a feature that it reads
    DataRefused : the book has no cohort on the version's observation dates
    """
    fitted = load_tried(store, card, version)
    book = replace(portfolio, allocation=fitted.allocation)
    say(f"the {card} card, version {version}: its cases on {_words(own_days(fitted))}")
    seed = int(fitted.provenance.get("seed", 0))
    fitted_on, held_out = own_cases(book, fitted)
    same = data_hash(fitted_on) == fitted.reference["values_sha256"]
    refit: Refit | None = None
    unseen: tuple[Unseen, ...] = ()
    if same:
        say(f"fitting it again on {len(fitted_on):,} cases, {len(fitted.catalog)} features")
        refit = refitted(fitted_on, fitted)
        unseen = _by_folds(fitted_on, refit.model) if held_out is None else _by_the_card(fitted, held_out)
    judged = fitted_on if held_out is None else held_out
    return Evidence(
        card=fitted,
        stored=stored_texts(store, card, version),
        portfolio=book,
        cohort=judged,
        mode=Mode.OWN,
        unseen=unseen,
        same_data=same,
        fitted_on=fitted_on,
        refit=refit,
        protected=_protected(book, judged),
        seed=seed,
    )


def of_later_cases(
    store: ModelStore,
    card: str,
    version: str,
    portfolio: Portfolio,
    *,
    as_of: date | None = None,
    say: Told = lambda _: None,
) -> Evidence:
    """Return the evidence on cases observed after all that a version was fitted on.

    Parameters
    ----------
    as_of : the observation date, in place of the book's own

    Raises
    ------
    ModelRefused : see `of_own_cases`
    DataRefused : there is no later case whose outcome is known
    """
    fitted = load_tried(store, card, version)
    book = replace(portfolio, allocation=fitted.allocation)
    last = max(own_days(fitted))
    book.catalog.chosen(fitted.catalog.names)
    whole = cohort(book, fitted.card, as_of, features=fitted.catalog.names)
    later = np.flatnonzero(whole.observed_on > np.datetime64(last))
    if not len(later):
        raise DataRefused(
            f"no case of the {card} card was observed after {last}",
            where=f"portfolio '{portfolio.name}'",
            expected="cases that are later than those the version was fitted on, with outcomes",
            do="name a later date with --as-of or a newer book, or leave out --new-data to judge it on its own cases",
        )
    judged = whole.rows(later)
    say(f"the {card} card, version {version}: {len(judged):,} cases observed after {last}")
    return Evidence(
        card=fitted,
        stored=stored_texts(store, card, version),
        portfolio=book,
        cohort=judged,
        mode=Mode.LATER,
        unseen=_by_the_card(fitted, judged),
        fitted_on=_own_cases_of(book, fitted),
        protected=_protected(book, judged),
        seed=int(fitted.provenance.get("seed", 0)),
    )


def refitted(fitted_on: Cohort, fitted: FittedCard) -> Refit:
    """Return the fit on a cohort, repeated with the seed and the size that the version says it had."""
    seed, size = int(fitted.provenance.get("seed", 0)), fitted.provenance.get("size")
    recovery = fit_recovery(fitted_on, seed=seed)
    model = fit(fitted_on, seed=seed, sizes=None if size is None else (Size(**size),))
    return Refit(model, recovery, texts_of(model, recovery))


def texts_of(model: RiskModel, recovery: RecoveryModel | None) -> dict[str, str]:
    """Return the trees of a card, by the file that they are stored in."""
    told = {artefact.MODEL: model}
    if recovery is not None:
        parts = (recovery.nothing, recovery.unpaid, recovery.lost)
        told |= dict(zip(artefact.RECOVERY_FILES, parts, strict=True))
    return {name: one.booster_.model_to_string() for name, one in told.items()}


def stored_texts(store: ModelStore, card: str, version: str) -> dict[str, str]:
    """Return the trees of a stored version, by file."""
    contents = artefact.verified(store.folder(card, version), store.trusted_keys(), card=card, version=version)
    names = (artefact.MODEL, *artefact.RECOVERY_FILES)
    return {name: contents[name].decode() for name in names if name in contents}


def own_days(fitted: FittedCard) -> list[date]:
    """Return the observation dates of the cases that a card was fitted on."""
    return [date.fromisoformat(day) for day in fitted.reference["observed_on"]]


def own_cases(book: Portfolio, fitted: FittedCard) -> tuple[Cohort, Cohort | None]:
    """Return the cases that a version was fitted on, and those kept from its fit, or None where none were."""
    seed, share = int(fitted.provenance.get("seed", 0)), float(fitted.provenance.get("hold_out", 0.0))
    return kept_from_the_fit(_on_own_days(book, fitted), share, seed)


def as_of_own_days(book: Portfolio, fitted: FittedCard) -> date | None:
    """Return the date as of which a book has the version's own cases; None for all of the book's dates."""
    days = own_days(fitted)
    return max(days) if book.observe_each else days[0] if len(days) == 1 else None


def _on_own_days(book: Portfolio, fitted: FittedCard) -> Cohort:
    """Return the cases of the version's own observation dates; a book that has grown has more, which are left out."""
    days, as_of = own_days(fitted), as_of_own_days(book, fitted)
    book.catalog.chosen(fitted.catalog.names)
    whole = cohort(book, fitted.card, as_of, features=fitted.catalog.names)
    own = np.isin(whole.observed_on, np.array(days, dtype="datetime64[D]"))
    if own.all():
        return whole
    part = whole.rows(np.flatnonzero(own))
    if part.helpers is None:
        return part
    helping = np.isin(part.helpers.observed_on, np.array(days, dtype="datetime64[D]"))
    return replace(part, helpers=part.helpers.rows(np.flatnonzero(helping)))


def _own_cases_of(book: Portfolio, fitted: FittedCard) -> Cohort | None:
    """Return the cases that the version was fitted on, where a newer book still has them."""
    try:
        return _on_own_days(book, fitted)
    except DataRefused:
        return None


def _by_folds(fitted_on: Cohort, model: RiskModel) -> tuple[Unseen, ...]:
    values, bad = fitted_on.matrix.values, fitted_on.bad
    folds = inner_folds(values, bad, fitted_on.borrowers, len(model.fold_boosters_), model.seed)
    return tuple(
        Unseen(number, judged, _of_fold(model, booster, fitted_on, fit_on))
        for number, (booster, (fit_on, judged)) in enumerate(zip(model.fold_boosters_, folds, strict=True), start=1)
    )


def _of_fold(model: RiskModel, booster: lgb.Booster, fitted_on: Cohort, fit_on: np.ndarray) -> RiskModel:
    counted = with_reference(booster, fitted_on.matrix.values[fit_on])
    return RiskModel.fitted(counted, IDENTITY, model.groups or (), model.directions or ())


def _by_the_card(fitted: FittedCard, judged: Cohort) -> tuple[Unseen, ...]:
    return (Unseen(0, np.arange(len(judged)), fitted.model),)


def _protected(book: Portfolio, judged: Cohort) -> pl.DataFrame | None:
    """Return the protected attributes of each case's borrower, and nothing that says who it is."""
    if book.protected is None:
        return None
    owners = pl.DataFrame({BORROWER: judged.money.get_column(BORROWER)})
    rows = book.protected.unique(BORROWER, keep="last")
    return owners.join(rows, on=BORROWER, how="left", maintain_order="left").drop(BORROWER)


def _words(days: list[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{len(days)} dates from {min(days)} to {max(days)}"
