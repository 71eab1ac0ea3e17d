"""Books and cards with one fault each: a leak, an unfair proxy, wrong probabilities, a wrong direction.

The faults are planted where they would arise: a leak and a proxy in a column of the lender's own book, wrong
probabilities and a wrong direction in a card that was signed and stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from features.declared import Declaration, Words
from features.portfolios import Portfolio
from features.tables import Tables
from models.calibration import Calibration
from models.cards import card_of
from models.fitted_card import FittedCard
from models.store import ModelStore
from models.trial import has_lived
from training.cohort import Cohort, cohort
from training.fitting import fit, fitted_card, golden_rows

CARD = "collection"
PLANTED = "planted"
KINDS = ("leak", "proxy", "calibration", "direction")
KNOTS = np.linspace(-8.0, 8.0, 33)


@dataclass(frozen=True)
class Case:
    """A stored version with one fault, the book it was fitted on, and which checks may refuse it for that."""

    kind: str
    seed: int
    book: Portfolio
    by: tuple[str, ...]
    words: str


def part_of(book: Portfolio, loans: pl.Series) -> Portfolio:
    """Return some loans of a book, with what became of them and whose they are."""
    assert book.outcomes is not None
    of_loans = pl.col("loan_id").cast(pl.String).is_in(loans.implode())
    tables = book.tables.of_loans(loans)
    owners = tables.loans.get_column("borrower_id").unique().implode()
    protected = None if book.protected is None else book.protected.filter(pl.col("borrower_id").is_in(owners))
    return replace(book, tables=tables, outcomes=book.outcomes.filter(of_loans), protected=protected)


def planted(kind: str, seed: int, book: Portfolio, store: ModelStore) -> Case:
    """Return a case, its version stored as the seed's number."""
    dice = np.random.default_rng([KINDS.index(kind), seed])
    if kind == "leak":
        return _leak(seed, dice, book, store)
    if kind == "proxy":
        return _proxy(seed, dice, book, store)
    if kind == "calibration":
        return _calibration(seed, dice, book, store)
    return _direction(seed, book, store)


def stored(book: Portfolio, store: ModelStore, version: int, seed: int = 0) -> FittedCard:
    """Fit a card on a book, store it and return it."""
    cases = cohort(book, card_of(book, CARD))
    card = fitted_card(cases, version=str(version), seed=seed, provenance={}, declared=book.declared)
    return _kept(card, cases, store)


def _leak(seed: int, dice: np.random.Generator, book: Portfolio, store: ModelStore) -> Case:
    """Add a column that was filled in once the outcome was known: a blurred copy of it, or a field of the bad alone."""
    loans, bad = _outcomes(book)
    if seed % 2:
        filled = float(dice.uniform(0.3, 0.9))
        known = bad & (dice.random(len(bad)) < filled)
        values = np.where(known, dice.normal(50.0, 10.0, len(bad)), np.nan)
        words = f"a field filled for {filled:.0%} of the bad loans alone"
    else:
        blur = float(dice.uniform(0.15, 0.55))
        values = bad + dice.normal(0.0, blur, len(bad))
        words = f"the outcome, blurred by {blur:.2f} of a standard deviation"
    leaking = _with_fact(book, loans, values)
    stored(leaking, store, seed)
    return Case("leak", seed, leaking, ("leakage.",), words)


def _proxy(seed: int, dice: np.random.Generator, book: Portfolio, store: ModelStore) -> Case:
    """Add a column that stands in for a sex, of which more went bad than its habits of paying would say."""
    assert book.protected is not None
    loans, bad = _outcomes(book)
    owners = pl.DataFrame({"borrower_id": loans})  # in this book each loan is its borrower's only one
    sex = owners.join(book.protected, on="borrower_id", how="left", maintain_order="left").get_column("sex")
    one = (sex == ("male" if seed % 2 else "female")).to_numpy()
    mistaken, worse = float(dice.uniform(0.02, 0.12)), float(dice.uniform(0.3, 0.6))
    changed = bad | (one & (dice.random(len(bad)) < worse))
    unequal = _with_outcomes(book, loans, changed)
    shown = np.where(dice.random(len(bad)) < mistaken, ~one, one).astype(np.float64)
    proxied = _with_fact(unequal, loans, shown + dice.normal(0.0, 0.05, len(bad)))
    stored(proxied, store, seed)
    return Case(
        "proxy", seed, proxied, ("fairness.",), f"a column that tells a sex but for {mistaken:.0%}, {worse:.0%} worse"
    )


def _calibration(seed: int, dice: np.random.Generator, book: Portfolio, store: ModelStore) -> Case:
    """Store a card whose probabilities are shifted, too bold or too timid."""
    cases = cohort(book, card_of(book, CARD))
    card = fitted_card(cases, version=str(seed), seed=0, provenance={}, declared=book.declared)
    shift, slope = 0.0, 1.0
    if seed % 2:
        shift = float(dice.choice([-1, 1]) * dice.uniform(0.5, 1.2))
    else:
        slope = float(dice.choice([dice.uniform(0.35, 0.6), dice.uniform(1.7, 2.6)]))
    right = card.model.calibration_.log_odds(KNOTS)
    card.model.calibration_ = Calibration("sigmoid", tuple(KNOTS.tolist()), tuple((shift + slope * right).tolist()))
    _kept(card, cases, store)
    words = f"log-odds times {slope:.2f} plus {shift:.2f}"
    return Case("calibration", seed, book, ("calibration.", "reproducibility.scores", "fairness.calibration"), words)


def _direction(seed: int, book: Portfolio, store: ModelStore) -> Case:
    """Store a card that was fitted without the declared directions."""
    cases = cohort(book, card_of(book, CARD))
    card = fitted_card(cases, version=str(seed), seed=0, provenance={}, declared=book.declared)
    _kept(replace(card, model=fit(cases, seed=seed, monotone=False)), cases, store)
    return Case(
        "direction", seed, book, ("monotonicity.", "reproducibility.scores"), "fitted without the declared directions"
    )


def _kept(card: FittedCard, cases: Cohort, store: ModelStore) -> FittedCard:
    store.save(card, golden_rows(cases))
    has_lived(store, card.card.name, card.version)
    return card


def _outcomes(book: Portfolio) -> tuple[pl.Series, np.ndarray]:
    assert book.outcomes is not None
    told = book.outcomes.sort("loan_id")
    return told.get_column("loan_id").cast(pl.String), told.get_column("bad").to_numpy().astype(np.bool_)


def _with_outcomes(book: Portfolio, loans: pl.Series, bad: np.ndarray) -> Portfolio:
    assert book.outcomes is not None
    told = pl.DataFrame({"loan_id": loans, "now": bad})
    changed = book.outcomes.with_columns(pl.col("loan_id").cast(pl.String)).join(told, on="loan_id", how="left")
    return replace(book, outcomes=changed.with_columns(bad="now").drop("now"))


def _with_fact(book: Portfolio, loans: pl.Series, values: np.ndarray) -> Portfolio:
    """Return a book whose file of facts has one more column, recorded, as it says, with the loan."""
    recorded = book.tables.loans.select(pl.col("loan_id").cast(pl.String), "recorded_at")
    facts = pl.DataFrame({"loan_id": loans, PLANTED: values}).with_columns(pl.col(PLANTED).fill_nan(None))
    frame = recorded.join(facts, on="loan_id", how="left").select("loan_id", "recorded_at", PLANTED)
    declared = {PLANTED: Declaration(group="circumstances", label=Words(en="file reference", zh="档案序号"))}
    return replace(book, tables=Tables(**{**dict(book.tables.items()), "facts": frame}), declared=declared)
