"""Whoever was erased stays erased: when an older copy of the vault brings a key back, the log says whose, and it goes.

The log keeps each erasure under the subject's pseudonym, which is random and never given again: a borrower who comes
back later has another one, and is not touched. Two things are done before a service answers, and by `audit expire`:

    a key that is there again     is destroyed, unless a legal hold is on it, and that is of record
    an order without its outcome  is answered where the key is gone: whoever carried it out was killed before the record

How far the log was read for this is noted in the vault itself. An older copy of the vault has the note of its own day,
so that what came after it is read again, and nothing else is: a start does not go through the whole log. A service at
work moves the note on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

from features.errors import RepayrankError
from serving.decisions.archive import Archive
from serving.decisions.outbox import delivered, outbox_of
from serving.decisions.subject_events import ERASED, ORDERED, PLACED, REFUSED, RELEASED, Said, said_in
from serving.ids import score_ids
from serving.records.anchors import read_last
from serving.records.audit import proof_of
from serving.records.checkpoint import Checkpoint
from serving.records.opening import database_of
from serving.records.store import Store
from serving.records.tables import Row, Tables, reading, require_log, whole_hashes

EVENTS = (ORDERED, REFUSED, ERASED, PLACED, RELEASED)
RECORDS_BETWEEN_NOTES = 100_000
"""Records that a service at work writes before it reads them for this, in a fraction of a second."""


class Settled(NamedTuple):
    """What was done, and what is left.

    Attributes
    ----------
    again : subjects whose keys were there again after their erasure, and were destroyed
    noted : orders whose keys were gone, and which now have their record
    held : subjects who were erased and are there again, and whom a legal hold keeps now
    waiting : orders of which the log tells no outcome, and whose keys are there: nothing was erased
    """

    again: int = 0
    noted: int = 0
    held: int = 0
    waiting: int = 0

    def told(self) -> dict[str, object]:
        """Return the line for the service's log, which names nobody."""
        return {
            "erased again": self.again,
            "erasures put on record": self.noted,
            "erased before and kept by a legal hold": self.held,
            "ordered to be erased and still there": self.waiting,
        }


NOTHING = Settled()


class _Reached(NamedTuple):
    """How far a log was read: its first records, the leaf hash of the last, and which of them are to be read again."""

    log: str = ""
    records: int = 0
    leaf: str = ""
    open: tuple[int, ...] = ()

    @classmethod
    def of(cls, note: bytes) -> Self:
        """Return what a note in the vault tells; nothing, so that all is read, where it tells something else."""
        try:
            plain = json.loads(note)
            return cls(plain["log"], plain["records"], plain["leaf"], tuple(plain["open"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def note(self) -> bytes:
        """Return what the vault keeps."""
        return json.dumps(self._asdict()).encode()


class _Looked(NamedTuple):
    """What the log says of subjects from the point that was reached before up to the newest checkpoint."""

    before: _Reached
    after: _Reached
    signed: Checkpoint
    said: dict[bytes, Said]


@dataclass
class Erasures:
    """The erasures of one log, which is open for writing.

    Parameters
    ----------
    now : returns the time of day with its zone, for the record
    """

    archive: Archive
    store: Store
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _noted: int = 0

    def settled(self) -> Settled:
        """Write down what other programs left, destroy what is there again, and answer what was not answered.

        Raises
        ------
        AuditBroken : the record of an erasure is not the one that was signed; no key was destroyed
        ConfigurationRefused : what other programs left cannot be seen
        VaultBusy, VaultStopped, VaultBroken : the vault cannot be read or written; the next start finishes
        LogBusy, LogStopped : likewise the log
        """
        delivered(outbox_of(self.archive.state), self.store)
        self.store.sign()
        looked, vault = self._looked(), self.archive.vault
        there = self._there(looked.said)
        back = {one: said.erased for one, said in looked.said.items() if said.erased is not None and one in there}
        self._require_covered(back.values(), looked.signed)
        with vault.kept_still():
            held = {hold.pseudonym for hold in vault.holds()} | {one for one in back if looked.said[one].holds}
            again = {one: row for one, row in back.items() if one not in held}
            vault.erase_all(again)
        there -= set(again)
        waiting = {one: said.ordered for one, said in looked.said.items() if said.ordered is not None}
        answered = {one: row for one, row in waiting.items() if one not in there}
        self._put_on_record({**again, **answered}, orders=answered)
        self._note(looked, there, answered)
        return Settled(len(again), len(answered), len(back) - len(again), len(waiting) - len(answered))

    def follow(self) -> None:
        """Move the note in the vault on where many records came since; nothing is destroyed.

        What cannot be read or written now is left for the next time.
        """
        if self.store.size - self._noted < RECORDS_BETWEEN_NOTES:
            return
        with suppress(RepayrankError):
            looked = self._looked()
            self._note(looked, self._there(looked.said))

    def _looked(self) -> _Looked:
        place, before = self.archive.place, _Reached.of(self.archive.vault.followed())
        # Before the records are read: what is signed meanwhile covers more of them than are seen here.
        signed, _ = read_last(place.anchors, place.origin, place.trusted)
        with reading(database_of(place)) as tables:
            require_log(tables, place.origin)
            if not _is_beginning(before, tables, place.origin, signed.size):
                before = _Reached()
            events = [*_rows_at(tables, before.open)]
            if before.records < signed.size:
                events += tables.of_event(*EVENTS, begin=before.records)
            said = said_in(row for row in events if row.sequence < signed.size)
            after = _Reached(place.origin, signed.size, _leaf(tables, signed.size))
        return _Looked(before, after, signed, said)

    def _there(self, subjects: Collection[bytes]) -> set[bytes]:
        return {one for one, key in self.archive.vault.keys_of(subjects).items() if key is not None}

    def _require_covered(self, rows: Collection[Row], signed: Checkpoint) -> None:
        """Refuse what nobody signed: a key that is destroyed is gone for good.

        Raises
        ------
        AuditBroken : one of the rows is not the one that was signed
        """
        if rows:
            with reading(database_of(self.archive.place)) as tables:
                for row in rows:
                    proof_of(tables, row, signed)

    def _put_on_record(self, rows: Mapping[bytes, Row], orders: Collection[bytes]) -> None:
        """Write down who is erased now, and by which record it was to be; each order gets one answer."""
        for subject, row in rows.items():
            name = f"erasure:{row.sequence if subject in orders else score_ids(1)[0]}"
            record = {
                "subject": subject.hex(),
                "reason": json.loads(row.entry.asked.record).get("reason"),
                "follows": row.sequence,
                "recorded_at": self.now().isoformat(),
            }
            self.store.write(name, hashlib.sha256(name.encode()).digest(), ERASED, record, b"")

    def _note(self, looked: _Looked, there: set[bytes], answered: Collection[bytes] = ()) -> None:
        """Keep in the vault how far the log was read; what is not settled is read again the next time."""
        left: set[int] = set()
        for subject, said in looked.said.items():
            if said.ordered is not None and subject not in answered:
                left.add(said.ordered.sequence)
            if said.erased is not None and subject in there:
                left |= {row.sequence for row in (said.erased, *said.holds.values())}
        after = looked.after._replace(open=tuple(sorted(left)))
        if after != looked.before:
            self.archive.vault.note_followed(after.note())
        self._noted = after.records


def _rows_at(tables: Tables, places: Iterable[int]) -> Iterator[Row]:
    """Yield the rows of these places that were not dropped."""
    for place in places:
        row = next(tables.kept(place), None)
        if row is not None and row.sequence == place:
            yield row


def _is_beginning(before: _Reached, tables: Tables, origin: str, signed: int) -> bool:
    """Return whether a log begins with the records that were read, and is neither another one nor an older copy."""
    return before.log == origin and 0 < before.records <= signed and _leaf(tables, before.records) == before.leaf


def _leaf(tables: Tables, size: int) -> str:
    """Return the leaf hash of the last of the first records, or nothing where there is none."""
    return whole_hashes(tables, tables.hashes(0, size - 1, size), 1, size - 1)[0].hex() if size else ""
