"""A card that has been fitted: the model, the features it reads, the version it goes by and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from features.catalog import Catalog
from features.declared import Declaration, Kind, declared_facts, kinds_of
from features.delinquency import LAWFUL, Allocation
from features.portfolios.raw import AS_DECLARED, RawRows
from features.schemas import Table
from models.cards import Card
from models.reasons import Families
from models.recovery import RecoveryModel
from models.risk_model import RiskModel


@dataclass(frozen=True)
class FittedCard:
    """What scores loans: immutable, and the same wherever it runs.

    `reference` describes the population the model was fitted on: rows, share of bad loans, observation date.
    `provenance` is what the artefact records of its making: data hash, seed, library versions, training run.
    `declared` are the features that the lender declared itself; they are in the catalog, and a service that has never
    seen the lender's portfolio file makes them from here; `raw` is how the facts they read come out of the lender's own
    rows. `allocation` is how payments meet what is due. `recovery`
    expects what comes back of each loan; without it the loss share is the policy's.
    """

    card: Card
    version: str
    model: RiskModel
    catalog: Catalog
    fingerprint: str
    reference: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    allocation: Allocation = LAWFUL
    recovery: RecoveryModel | None = None
    raw: RawRows = AS_DECLARED

    @cached_property
    def families(self) -> Families:
        """The families of features, from which reasons are chosen."""
        return Families.of(self.catalog)

    @cached_property
    def feature_names(self) -> frozenset[str]:
        """The names of the features that the card reads."""
        return frozenset(self.catalog.names)

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The lender's own facts that features are declared on, and what each holds."""
        return kinds_of(self.declared)

    @cached_property
    def facts(self) -> type[Table] | None:
        """The declaration of the lender's own facts, or None."""
        return declared_facts(self.kinds) if self.kinds else None

    @cached_property
    def sent(self) -> dict[str, Kind]:
        """The columns of the lender's own rows that the facts come from, and what each holds."""
        return self.raw.columns(self.kinds)

    @cached_property
    def needed(self) -> dict[str, tuple[str, ...]]:
        """Those of the columns sent that the card's own features read, each with the facts it is needed for."""
        found: dict[str, list[str]] = {}
        for fact in dict.fromkeys(column for feature in self.catalog for column, _ in feature.reads):
            for column in self.raw.behind(fact):
                found.setdefault(column, []).append(fact)
        return {column: tuple(facts) for column, facts in found.items()}

    @property
    def manifest(self) -> str:
        """The SHA-256 of the manifest that names all of the card's files; empty where it was never saved."""
        return str(self.provenance.get("manifest_sha256", ""))

    def summary(self) -> dict[str, Any]:
        """Return what a model team asks of a card that serves: what it was fitted on, and how it was made."""
        return {
            **self.identity(),
            "title": self.card.title.as_dict(),
            "features": len(self.catalog),
            "fitted_on": _plain(self.reference),
            "made": _plain(self.provenance),
        }

    def identity(self) -> dict[str, str]:
        """Return what an answer says of its model."""
        return {"name": self.card.name, "version": self.version, "fingerprint": self.fingerprint}


def _plain(told: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """Return what can be said in a word or a number; the rest stays in the artefact."""
    return {name: value for name, value in told.items() if isinstance(value, str | int | float | bool)}
