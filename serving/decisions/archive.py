"""A log of decisions with what opens it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.records.opening import Place
from serving.subjects.vault import Vault


@dataclass(frozen=True)
class Archive:
    """What is needed to read decisions.

    Attributes
    ----------
    home : the model store, whose versions a replay loads
    state : where policies are kept and events of other programs wait
    """

    place: Place
    vault: Vault
    home: Path
    state: Path
