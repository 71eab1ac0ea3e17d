"""The card of the comparisons over HTTP and of a whole book: 400 trees of 31 leaves on features of a made-up book."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.features import OBSERVED_ON, write_book
from features.catalog import FeatureMatrix, catalog
from features.history import History
from features.portfolios import open_portfolio
from features.probes import probe_history
from models.cards import CARDS
from models.fitted_card import FittedCard
from models.risk_model import RiskModel, Size
from models.store import ModelStore

LOANS, TREES = 20_000, 400
SIZE = Size(
    learning_rate=0.05,
    max_depth=6,
    num_leaves=31,
    min_data_in_leaf=50,
    lambda_l2=1.0,
    feature_fraction=1.0,
    bagging_fraction=1.0,
    max_bin=255,
    most_trees=4 * TREES,  # without inner folds a quarter of the most is grown
)
CARD = "all"


def features_of(folder: Path) -> FeatureMatrix:
    """Return the features that the tables of a made-up book can give."""
    matrix = catalog().values(History.as_of(OBSERVED_ON, open_portfolio(str(folder)).tables))
    given = ~np.isnan(matrix.values).all(axis=0)
    return matrix.of(tuple(feature.name for feature, there in zip(matrix.features, given, strict=True) if there))


def made_card(home: Path, folder: Path, *, version: str = "1", seed: int = 2) -> FittedCard:
    """Fit the card on a made-up book, written into a folder, with made-up outcomes; store, promote and return it.

    Parameters
    ----------
    seed : of the outcomes; the book and with it the features of another version are the same
    """
    write_book(folder, LOANS, seed=1)
    matrix = features_of(folder)
    rng = np.random.default_rng(seed)
    known = np.nan_to_num(matrix.values)
    scaled = (known - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-9)
    odds = scaled @ rng.normal(scale=0.3, size=len(matrix.features)) + scaled[:, 0] * scaled[:, 5] - 2
    chosen = catalog().chosen(feature.name for feature in matrix.features)
    model = RiskModel.of(chosen, sizes=(SIZE,), inner_folds=1, seed=0)
    card = FittedCard(
        card=CARDS[CARD],
        version=version,
        model=model.fit(matrix.values, rng.random(len(matrix)) < 1 / (1 + np.exp(-odds))),
        catalog=chosen,
        fingerprint=chosen.fingerprint,
        reference={"currency": "CNY"},
    )
    store = ModelStore(home)
    store.save(card, chosen.values(probe_history(chosen.features)).values)
    store.promote(CARD, version)
    return store.load(CARD)
