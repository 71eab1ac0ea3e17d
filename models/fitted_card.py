"""A card that has been fitted: the model, the features it reads, the version it goes by and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.catalog import Catalog
from models.cards import Card
from models.risk_model import RiskModel


@dataclass(frozen=True)
class FittedCard:
    """What scores loans: immutable, and the same wherever it runs.

    `reference` describes the population the model was fitted on: rows, share of bad loans, observation date.
    `provenance` is what the artefact records of its making: data hash, seed, library versions, training run.
    """

    card: Card
    version: str
    model: RiskModel
    catalog: Catalog
    fingerprint: str
    reference: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def identity(self) -> dict[str, str]:
        """Return what an answer says of its model."""
        return {"name": self.card.name, "version": self.version, "fingerprint": self.fingerprint}
