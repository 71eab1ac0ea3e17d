"""Which records have been kept for as long as the lender's terms say, and by no hold for longer, and whose keys go.

A record is due on the day after its last (`serving.records.terms`), unless somebody whom it is about is under a legal
hold: then all of it stays. A subject's key opens all of its records, so that it stays as long as any of them does, and
goes with the last. Nothing is due early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from serving.records.expiry import NEVER_DROPPED, Span
from serving.records.terms import Terms


class Kept(NamedTuple):
    """A record that the log has.

    Attributes
    ----------
    sequence : its place
    kind : its event
    day : from which its term runs
    subjects : pseudonyms of all whom it is about
    is_ordered : whether an earlier order names it, which was not carried out to its end
    """

    sequence: int
    kind: str
    day: date
    subjects: frozenset[bytes] = frozenset()
    is_ordered: bool = False


@dataclass
class Plan:
    """What is to go.

    Attributes
    ----------
    records : how many, by kind
    runs : the first and the last place of each run of them
    spans : those that are still to be ordered
    subjects : whose keys go with them
    held : records whose terms are over, and which a legal hold keeps, by kind
    left : records that stay
    """

    records: Counter[str] = field(default_factory=Counter)
    runs: list[tuple[int, int]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    subjects: set[bytes] = field(default_factory=set)
    held: Counter[str] = field(default_factory=Counter)
    left: int = 0

    def goes(self, record: Kept) -> None:
        """Add a record, later ones after earlier ones."""
        sequence, kind, day, subjects, is_ordered = record
        self.records[kind] += 1
        self.subjects |= subjects
        if self.runs and self.runs[-1][1] + 1 == sequence:
            self.runs[-1] = (self.runs[-1][0], sequence)
        else:
            self.runs.append((sequence, sequence))
        if is_ordered:
            return
        if self.spans and (self.spans[-1].kind, self.spans[-1].last + 1) == (kind, sequence):
            self.spans[-1] = self.spans[-1]._replace(last=sequence, day=day)
        else:
            self.spans.append(Span(kind, sequence, sequence, day))


def planned(records: Iterable[Kept], terms: Terms, today: date, held: Collection[bytes]) -> Plan:
    """Return what is to go today.

    Parameters
    ----------
    records : all that the log has, in order; a subject of which some are left out may lose its key too early
    held : pseudonyms under a legal hold

    Raises
    ------
    ConfigurationRefused : a kind of record has no term; nothing is to go then
    """
    plan, stay, keeping = Plan(), set[bytes](), frozenset(held)
    for record in records:
        if record.kind in NEVER_DROPPED:
            continue
        is_over = terms.last_day(record.kind, record.day) < today
        if is_over and keeping.isdisjoint(record.subjects):
            plan.goes(record)
            continue
        plan.held[record.kind] += is_over
        plan.left += 1
        stay |= record.subjects
    plan.subjects -= stay
    plan.held = +plan.held
    return plan
