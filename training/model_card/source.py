"""What a model card is written from: the signed version, its kept validations and the history of who served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from models import artefact
from models.champions import Promotion
from models.fitted_card import FittedCard
from models.store import ModelStore
from training.model_card.about import About
from training.promotion.record import took_effect
from training.validation.findings import Figure, Finding, Table
from training.validation.kept import Kept, kept
from training.validation.policy import Rule
from training.validation.remade import remade
from training.validation.result import PROTECTED, RESULT, Result
from training.validation.standing import LATER, folder_of


class Nothing(Exception):
    """What a section would be told from is not there."""


@dataclass(frozen=True)
class Source:
    """What is told in a card.

    Attributes
    ----------
    kept : the validation on the version's own cases
    again : its findings that were worked out anew from the evidence, and came out the same
    later : validations on later cases, oldest first, each with its AUC worked out anew where it has one
    served : every change that made the version the champion
    files : SHA-256 of the version's files, as its signed manifest says
    hashes : SHA-256 of the validation's files
    """

    kept: Kept
    again: Mapping[str, Finding]
    later: tuple[tuple[Result, Finding | None], ...]
    served: tuple[Promotion, ...]
    files: Mapping[str, str]
    hashes: Mapping[str, str]
    about: About

    @property
    def card(self) -> FittedCard:
        """The version."""
        return self.kept.card

    @property
    def result(self) -> Result:
        """The validation on its own cases, as it was signed."""
        return self.kept.result

    def finding(self, check: str) -> Finding:
        """Return a finding, worked out anew where that can be done; `Nothing` where nobody made it."""
        found = self.again.get(check) or self.result.finding(check)
        if found is None:
            raise Nothing(f"a validation without '{check}'")
        return found

    def rule(self, check: str) -> Rule:
        """Return the section of a check in the policy that the version was validated by."""
        return self.kept.policy.rules[check]

    def figure(self, check: str, name: str) -> Figure | None:
        """Return a figure of a finding; None where the check was not judged."""
        return self.finding(check).figure(name)

    def table(self, check: str, name: str) -> Table | None:
        """Return a table of a finding; None where the check was not judged."""
        return next((table for table in self.finding(check).tables if table.name == name), None)


def source(store: ModelStore, card: str, version: str, about: About) -> Source:
    """Return what the card of a version is written from, once every figure that can be has come out again.

    Raises
    ------
    ModelRefused : it was not validated, something is not what was signed, or a figure comes out otherwise
    """
    own = kept(store, card, version)
    folder = folder_of(store, card, version)
    contents = artefact.verified(store.folder(card, version), store.trusted_keys(), card=card, version=version)
    protected = folder / PROTECTED
    return Source(
        kept=own,
        again=remade(own),
        later=tuple(
            _later(kept(store, card, version, path.parent)) for path in sorted(folder.glob(f"{LATER}*/{RESULT}"))
        ),
        served=tuple(change for change in took_effect(store, card) if change.version == version),
        files=json.loads(contents[artefact.MANIFEST])["sha256"],
        hashes={
            RESULT: hashlib.sha256(artefact.read_whole(folder / RESULT)).hexdigest(),
            **({PROTECTED: hashlib.sha256(artefact.read_whole(protected)).hexdigest()} if protected.exists() else {}),
        },
        about=about,
    )


def _later(judged: Kept) -> tuple[Result, Finding | None]:
    return judged.result, remade(judged).get("discrimination.auc")
