"""Whose keys may be gone: whoever was ordered to be erased. Any other key that is gone was lost or taken away.

Without this an old copy of the vault, or a row that somebody deleted from it, would pass for an erasure, and the audit
that is to find destroyed evidence would be content.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from serving.decisions.archive import Archive
from serving.decisions.outbox import outbox_of, waiting
from serving.decisions.subject_events import ERASED, ORDERED, subjects_in
from serving.records.expiry import Following
from serving.records.tables import Tables


@dataclass(frozen=True)
class Orders:
    """Who was ordered to be erased, as the log and what waits to be written into it tell.

    Attributes
    ----------
    subjects : their pseudonyms
    some_expired : whether orders were dropped at the end of their terms: then it cannot be told of anybody
    """

    subjects: Collection[bytes]
    some_expired: bool = False

    def explain(self, subject: bytes) -> bool:
        """Return whether the key of a subject may be gone."""
        return self.some_expired or subject in self.subjects


def orders_of(archive: Archive, tables: Tables, following: Following) -> Orders:
    """Return who was ordered to be erased.

    Parameters
    ----------
    tables : the log
    following : its orders to drop records
    """
    said = [row.entry.asked.record for row in tables.of_event(ORDERED, ERASED)]
    said += [record for event, record in waiting(outbox_of(archive.state)) if event in {ORDERED, ERASED}]
    return Orders(
        {one for record in said for one in subjects_in(record)}, not following.named.kinds.isdisjoint({ORDERED, ERASED})
    )
