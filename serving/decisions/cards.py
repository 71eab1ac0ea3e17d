"""The models and policies of old decisions: each version loaded and verified once, when a record first names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from features.errors import ModelRefused
from models.fitted_card import FittedCard
from models.store import ModelStore
from serving.decisions.policies import kept_policy
from serving.state import Loaded

Load = Callable[[ModelStore, str, str | None], FittedCard]
MOST_KEPT = 8
"""Versions kept in memory: some 30 MB each."""


class Cards:
    """Versions of cards by the identity that a record names.

    Parameters
    ----------
    home : the model store
    policies : of `policies_in`
    load : how a version is loaded; a service lets a child process try it first (`models.trial`)
    """

    def __init__(self, home: Path, policies: Path, load: Load = ModelStore.load) -> None:
        self._home, self._policies, self._load = home, policies, load
        self._kept = lru_cache(maxsize=MOST_KEPT)(self._loaded)

    def of(self, record: Mapping[str, Any]) -> Loaded:
        """Return the card and the policy of a record.

        Raises
        ------
        ModelRefused : the version is not here, does not verify, or is another one under the same number
        ConfigurationRefused : the policy is not kept here
        """
        model = record["model"]
        return self._kept(model["name"], model["version"], model["manifest_sha256"], record["policy"]["digest"])

    def _loaded(self, name: str, version: str, manifest: str, digest: str) -> Loaded:
        card = self._load(ModelStore(self._home), name, version)
        if card.manifest != manifest:
            raise ModelRefused(
                "another model under the same number",
                where=f"version {version} of the {name} card",
                expected="the model whose manifest the record names",
                do="put the version that decided back from a copy",
            )
        card.model.set_params(threads=1)
        return Loaded({name: card}, kept_policy(self._policies, digest))
