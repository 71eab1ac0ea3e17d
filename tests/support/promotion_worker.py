"""Processes that promote: many at once, or one that dies at a chosen point of its way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from models.champions import Champions, ConflictingChampion
from models.store import ModelStore
from serving.decisions.promotions import post_promotion
from training.promotion import promote as promoting
from training.promotion import record as records
from training.promotion.promote import promote
from training.promotion.proposal import Proposal

DEATHS: Mapping[str, tuple[Any, str]] = {
    "before the change": (ModelStore, "promote"),
    "between the line of the history and the number": (Champions, "_point_to"),
    "before the record is in its place": (records, "placed"),
    "before anybody is told": (promoting, "finish"),
    "after the log's event, before it is noted": (promoting, "_marked"),
    "before MLflow is told": (promoting, "_mirror"),
    "between the run in MLflow and the alias": (promoting, "mirror_champion"),
}
"""Where a process dies: instead of a call that it would make there."""
WITHOUT_EFFECT = ("before the change", "between the line of the history and the number")
KILLED = 9


def one_of_many(store: ModelStore, proposal: Proposal, together: Barrier, won: Any, state: Path) -> None:
    """Promote at the same moment as others do, and tell who won."""
    promoting._mirror = lambda *_: None
    together.wait()
    try:
        promote(store, proposal, post=partial(post_promotion, state))
        won.put((proposal.by, "won"))
    except ConflictingChampion as refused:
        won.put((proposal.by, refused.found))


def dying(store: ModelStore, proposal: Proposal, where: str, state: Path) -> None:
    """Promote and die on the way."""
    of, name = DEATHS[where]
    setattr(of, name, lambda *_, **__: os._exit(KILLED))
    promote(store, proposal, post=partial(post_promotion, state))
