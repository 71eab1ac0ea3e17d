"""The decision log worked through with a challenger, up to what is signed; live traffic is never touched.

Three ways were weighed (docs/challengers.md). A thread of the service that scores after the answer takes the lock of
the interpreter from the champion's next request, and loses what waits when the service is killed; a queue to another
process costs every request its sending, and a full queue loses decisions or holds up answers. The records hold what was
asked: a process of its own reads them afterwards, and the service does not know of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from features.errors import RepayrankError
from features.words import Text
from models.challengers import challenger, required
from models.fitted_card import FittedCard
from models.score_pairs import Identity, Reached, ScorePairs
from models.store import ModelStore
from models.trial import load_tried
from serving.decisions.archive import Archive
from serving.records.anchors import read_last
from serving.records.audit import row_in_place
from serving.records.entry import beginning
from serving.records.errors import LogAway, broken
from serving.records.opening import database_of
from serving.records.tables import Row, reading, require_log
from serving.shadow import words
from serving.shadow.idle import Courtesy
from serving.shadow.scoring import Scorer
from serving.subjects.errors import VaultBusy

MOST_RECORDS = 256
MOST_BYTES = 2**25
"""Of records that are read together: so much of the log's one state is held at a time."""

Wait = Callable[[], bool]
"""Waits until it is time to look again, and returns whether to go on."""
Say = Callable[[Text], object]


class Step(NamedTuple):
    """What was done at once.

    Attributes
    ----------
    records : of the log that have been worked through now
    left : signed records that wait
    decisions : of the card among those of this step, by what became of them
    """

    records: int
    left: int
    decisions: Counter[str]


@dataclass(frozen=True)
class Shadow:
    """One challenger at work on a log."""

    archive: Archive
    challenger: FittedCard
    courtesy: Courtesy | None = None

    @property
    def pairs(self) -> ScorePairs:
        """Where its pairs are kept."""
        return ScorePairs.of(self.archive.state, self.challenger.card.name, self.challenger.version)

    def steps(self) -> Iterator[Step]:
        """Work through what is signed by now, and yield each step once its pairs last.

        Raises
        ------
        AuditBroken : the log is not the one that was worked on, or is damaged
        ModelRefused, DataRefused : the files of pairs are those of another model, or damaged
        ConfigurationRefused : a policy of a decision is not kept here
        """
        card = self.challenger
        shown = nullcontext if self.courtesy is None else self.courtesy.shown
        scorer = Scorer(self.archive, card, shown)
        identity = Identity(card.card.name, card.version, card.manifest, self.archive.place.origin)
        before = self.pairs.reached(identity)
        while True:
            self._wait()
            rows, after, signed = _following(self.archive, before)
            if after == before:
                return
            found = scorer.pairs(rows)
            self._wait()
            self.pairs.add(found, identity, before, after)
            yield Step(after.records, signed - after.records, Counter(found.get_column("outcome")))
            before = after

    def _wait(self) -> None:
        if self.courtesy is not None:
            self.courtesy.wait()


def shadowed(
    archive: Archive,
    card: str,
    version: str | None,
    *,
    wait: Wait | None,
    say: Say,
    courtesy: Courtesy | None = None,
) -> Generator[tuple[str, Step], None, None]:
    """Score in shadow, and yield each step with the version that it was of.

    Parameters
    ----------
    version : None for whichever challenges: another that takes its place meanwhile is taken up, and begins with the
        first record; once none challenges any more the work ends
    wait : None to end with what is signed by now
    say : told of a challenger that was refused; the one before goes on
    courtesy : shown to other processes; None to work beside them

    Raises
    ------
    ModelRefused : there is no challenger, or it does not verify, or ends the process that loads it
    """
    store = ModelStore(archive.home)
    named = version or required(store, card)
    fitted, refused = load_tried(store, card, named), ""
    while True:
        at_work = Shadow(archive, fitted, courtesy)
        with at_work.pairs.held():
            while True:
                try:
                    for step in at_work.steps():
                        yield fitted.version, step
                except (VaultBusy, LogAway) as busy:
                    if wait is None:
                        raise
                    say(words.LOOKS_AGAIN.filled(why=str(busy)))
                if wait is None or not wait():
                    return
                wanted = version or challenger(store, card)
                if wanted is None:
                    say(words.NONE_ANY_MORE.filled(card=card))
                    return
                if wanted in {fitted.version, refused}:
                    continue
                try:
                    arrived = load_tried(store, card, wanted)
                except RepayrankError as error:
                    refused = wanted
                    say(words.REFUSED.filled(version=wanted, before=fitted.version, why=str(error)))
                else:
                    say(words.IN_PLACE.filled(version=wanted, before=fitted.version))
                    break
        fitted = arrived


def _following(archive: Archive, before: Reached) -> tuple[list[Row], Reached, int]:
    """Return the next signed rows, each following the one before, how far they reach, and how many are signed in all.

    What is not signed yet may be gone after a power cut, and its number taken by another decision.
    """
    place = archive.place
    signed = read_last(place.anchors, place.origin, place.trusted)[0].size
    if signed < before.records:
        raise broken(f"{signed} signed records where {before.records} were worked through", str(place.anchors))
    rows: list[Row] = []
    if signed == before.records:
        return rows, before, signed
    size, dropped, records = 0, before.dropped, before.records
    previous = bytes.fromhex(before.leaf) if records else beginning(place.origin)
    # Read at once and let go: whoever reads on keeps SQLite from tidying up behind the service.
    with reading(database_of(place)) as tables:
        require_log(tables, place.origin)
        for row in tables.rows(records):
            row_in_place(row, records, previous)
            previous = row.leaf
            records += 1
            if isinstance(row, Row):
                rows.append(row)
                size += len(row.entry.asked.record) + len(row.entry.asked.answer)
            else:
                dropped += 1
            if records == signed or len(rows) == MOST_RECORDS or size >= MOST_BYTES:
                break
    if records == before.records:
        raise broken("no records where some are signed", str(place.folder))
    return rows, Reached(records, previous.hex(), dropped), signed
