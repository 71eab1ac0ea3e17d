"""What the service scores with: verified cards under one policy, loaded once and never changed while it runs."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from features.catalog import catalog, entry
from features.errors import ConfigurationRefused, ModelRefused
from features.probes import probe_history
from models.assessment import assess
from models.cards import CARDS
from models.fitted_card import FittedCard
from models.policy import Policy, default_policy, read_policy
from models.store import ModelStore
from serving.settings import Settings


@dataclass(frozen=True)
class Loaded:
    """The cards that are answered, by name, and the lender's policy."""

    cards: Mapping[str, FittedCard]
    policy: Policy

    @property
    def names(self) -> tuple[str, ...]:
        """The cards' names."""
        return tuple(self.cards)

    def dictionary(self) -> list[dict[str, object]]:
        """Return the release's features, and those that the lenders of the cards declared themselves."""
        own = {
            (feature.name, feature.definition): feature
            for card in self.cards.values()
            for feature in card.catalog
            if feature.reads
        }
        return [*catalog().dictionary(), *(entry(feature) for feature in own.values())]


def load(settings: Settings) -> Loaded:
    """Return the champions of the store, each verified and tried on the probe borrowers.

    Raises
    ------
    ModelRefused : there is no champion, or one does not verify
    ConfigurationRefused : the policy is not valid
    """
    policy = default_policy() if settings.policy is None else read_policy(settings.policy)
    store = ModelStore(settings.home)
    cards = {name: store.load(name) for name in settings.cards or _with_champion(store)}
    if not cards:
        raise ModelRefused(
            "no card has been trained here",
            where=str(settings.home),
            expected="a model store with at least one champion",
            do="run `repayrank train --portfolio taiwan --card collection` first, or name the store with --home",
        )
    loaded = Loaded(cards, policy)
    for card in cards.values():
        card.model.set_params(threads=1)  # one request's few rows gain nothing from LightGBM's threads
        _warm_up(card, policy)
    # What is loaded stays: the collector need not walk over it again, which would show in the slowest answers.
    gc.collect()
    gc.freeze()
    return loaded


def _with_champion(store: ModelStore) -> list[str]:
    names: list[str] = []
    for name in CARDS:
        with suppress(ModelRefused):
            store.champion(name)
            names.append(name)
    return names


def _warm_up(card: FittedCard, policy: Policy) -> None:
    # A policy may begin after the probe borrowers' day; it is then still good for later ones.
    with suppress(ConfigurationRefused):
        probes = probe_history(card.catalog)
        assess(probes, card, policy).reasons(0)
        # One loan is explained by a loop of its own, which the first request would otherwise wait for.
        first = probes.of(pl.Series([case == 0 for case in range(len(probes.cases))]))
        assess(first, card, policy)
