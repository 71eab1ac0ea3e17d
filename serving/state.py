"""What the service scores with: verified cards under one policy; a new champion takes the old one's place whole."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import polars as pl

from features.catalog import catalog, entry
from features.errors import ConfigurationRefused, ModelRefused
from features.probes import probe_history
from models.assessment import assess
from models.cards import CARDS
from models.fitted_card import FittedCard
from models.policy import Policy, default_policy, read_policy
from models.store import ModelStore
from models.trial import load_tried
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
    ModelRefused : there is no champion, or one does not verify, cannot be told or was promoted by nobody
    ConfigurationRefused : the policy is not valid
    """
    policy = default_policy() if settings.policy is None else read_policy(settings.policy)
    store = ModelStore(settings.home)
    # A card whose champion cannot be told is not left out: whoever asks for it would learn of it first.
    names = settings.cards or [name for name in CARDS if store.has_champion(name)]
    cards = {name: _card(store, name, policy) for name in names}
    if not cards:
        raise ModelRefused(
            "no card has been trained here",
            where=str(settings.home),
            expected="a model store with at least one champion",
            do="run `repayrank train --portfolio taiwan --card collection` first, or name the store with --home",
        )
    loaded = Loaded(cards, policy)
    # What is loaded stays: the collector need not walk over it again, which would show in the slowest answers.
    gc.collect()
    gc.freeze()
    return loaded


def with_version(loaded: Loaded, settings: Settings, card: str, version: str) -> Loaded:
    """Return what is loaded with another version of one card, verified and tried; the other cards stay.

    Raises
    ------
    ModelRefused : it does not verify, or ends the process that loads it
    """
    arrived = _card(ModelStore(settings.home), card, loaded.policy, version)
    return replace(loaded, cards={**loaded.cards, card: arrived})


def _card(store: ModelStore, name: str, policy: Policy, version: str | None = None) -> FittedCard:
    card = load_tried(store, name, version)
    card.model.set_params(threads=1)  # one request's few rows gain nothing from LightGBM's threads
    _warm_up(card, policy)
    return card


def _warm_up(card: FittedCard, policy: Policy) -> None:
    # A policy may begin after the probe borrowers' day; it is then still good for later ones.
    with suppress(ConfigurationRefused):
        probes = probe_history(card.catalog)
        assess(probes, card, policy).reasons(0)
        # One loan is explained by a loop of its own, which the first request would otherwise wait for.
        first = probes.of(pl.Series([case == 0 for case in range(len(probes.cases))]))
        assess(first, card, policy)
