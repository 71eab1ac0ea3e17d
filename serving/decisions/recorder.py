"""The way into the log: nothing is answered before it is written, and a repeated request gets its first answer again.

What the caller sends as its key is kept as a keyed hash, and so is the digest of the body: neither tells anybody who
reads the log what was sent.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from features.errors import RepayrankError
from serving.arrivals import Refusal
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.disks import Disks
from serving.decisions.errors import erased
from serving.decisions.outbox import Events, Log, outbox_of
from serving.decisions.reading import explained
from serving.decisions.record import (
    EVENT,
    Context,
    Sealed,
    opened_answer,
    pseudonyms_in,
    sealed_record,
)
from serving.decisions.refused_versions import post_refusal
from serving.decisions.shares import Share, shares
from serving.found import Found
from serving.records.store import Recorded, Store
from serving.subjects.subject import Name, Subject

Now = Callable[[], datetime]
"""Returns the time of day with its zone: what a record tells, by which nothing is ordered."""


@dataclass(frozen=True)
class Asked:
    """A request that may be recorded.

    Attributes
    ----------
    key : what the caller sent as its idempotency key; empty where nothing is recorded
    caller, role : who asks
    full : whether the caller is answered the contribution of each reason; an engine is not, for it could rebuild the
        model from them
    """

    body: bytes
    key: str = ""
    caller: str = ""
    role: str = ""
    full: bool = True

    def form(self, found: Found) -> Found:
        """Return what was found in the form that this caller is answered."""
        return found if self.full else found.without_contributions()


class Given(NamedTuple):
    """What a request gets.

    Attributes
    ----------
    answer : bytes to be sent, once `written` is done
    written : None where nothing is recorded, or all is
    sequence : the record's number where it was there before
    kept : the answer as the log has it; another one in `written` is that of a request that was quicker
    """

    answer: bytes
    written: Future[Recorded] | None = None
    sequence: int | None = None
    kept: bytes = b""


class _Named(NamedTuple):
    key: str
    digest: bytes


class Recorder:
    """Writes decisions into a log, and shows them to their reviewers.

    Parameters
    ----------
    secret : 32 bytes that turn callers' keys and bodies into what the log shows
    release : version of this software
    log : takes one line for each event of another program that cannot be written down
    beside : done every few seconds beside the answers; it raises nothing
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        cards: Cards,
        secret: bytes,
        release: str,
        log: Log,
        now: Now | None = None,
        beside: Callable[[], object] | None = None,
    ) -> None:
        self.store, self._archive, self._cards = store, archive, cards
        self._secret, self._release = secret, release
        self._now = now or _utc_now
        self._vault, self._log = archive.vault, archive.place.origin
        place = archive.place
        self.disks = Disks([archive.state, place.anchors.parent, *([] if place.url else [place.folder])], log)
        """Where is written, and how much room there is."""
        self._events = Events(outbox_of(archive.state), store, log, partial(self._look_around, beside))

    @property
    def is_stopped(self) -> bool:
        """Whether nothing can be recorded until the process is started again."""
        return self.store.is_stopped or self._vault.is_stopped

    def _look_around(self, beside: Callable[[], object] | None) -> None:
        self.disks.look()
        if beside is not None:
            beside()

    def explained(self, score_id: str, *, reader: str, role: str, reason: str) -> dict[str, Any]:
        """Return a decision for its reviewer; see `serving.decisions.reading`."""
        return explained(
            self._archive,
            self._cards,
            self.store,
            score_id,
            reader=reader,
            role=role,
            reason=reason,
            now=self._now(),
        )

    def refused_version(self, refusal: Refusal) -> None:
        """Leave for the log that a version was not taken up; see `serving.decisions.refused_versions`."""
        post_refusal(self._archive.state, refusal, self._now())

    def name(self, asked: Asked) -> str:
        """Return the key under which the log holds a request."""
        return hmac.digest(self._secret, f"key\0{asked.caller}\0{asked.key}".encode(), "sha256").hex()

    def answers(
        self, route: str, asked: Sequence[Asked], compute: Callable[[list[bytes]], Sequence[Found | Exception]]
    ) -> list[Given | Exception]:
        """Return what each request gets, its first answer or a new one on its way to the disk, or why it gets none.

        Parameters
        ----------
        compute : takes bodies and returns what is found for each
        """
        named = [_Named(self.name(one), self._digest(route, one.body)) for one in asked]
        given: dict[int, Given | Exception] = {}
        for place, name in enumerate(named):
            before = self._before(name)
            if before is not None:
                given[place] = before
        new = [place for place in range(len(asked)) if place not in given]
        found = dict(zip(new, compute([asked[place].body for place in new]), strict=True)) if new else {}
        given |= {place: outcome for place, outcome in found.items() if isinstance(outcome, Exception)}
        computed = {place: outcome for place, outcome in found.items() if isinstance(outcome, Found)}
        cuts = {place: shares(outcome.plain) for place, outcome in computed.items()}
        try:
            subjects = self._subjects(cuts.values())
        except RepayrankError as error:
            return [given.get(place, error) for place in range(len(asked))]
        for place, outcome in computed.items():
            form = asked[place].form(outcome)
            kept = sealed_record(form, cuts[place], self._context(route, asked[place], named[place]), subjects)
            given[place] = self._handed_in(form, kept, named[place])
        return [given[place] for place in range(len(asked))]

    def close(self) -> None:
        """Write what waits, sign it and let go of the log and the keys."""
        self._events.stop()
        self.store.close()
        self._vault.close()

    def told(self, given: Given, recorded: Recorded, asked: Asked) -> bytes:
        """Return the bytes to be sent now that they are on the disk: those of whichever request was written first."""
        if recorded.answer == given.kept:
            return given.answer
        return self.first_answer(recorded, self.name(asked))

    def first_answer(self, recorded: Recorded, log_key: str) -> bytes:
        """Return the bytes of an answer as they were sent.

        Raises
        ------
        Erased : a borrower whom it was about has been erased
        """
        keys = {pseudonym: self._vault.key_of(pseudonym) for pseudonym in pseudonyms_in(recorded.answer)}
        parts = [piece.content for piece in opened_answer(recorded.answer, keys, self._log, log_key)]
        if None in parts:
            raise erased()
        return b"".join(part for part in parts if part is not None)

    def _before(self, name: _Named) -> Given | Exception | None:
        try:
            recorded = self.store.answered(name.key, name.digest)
            return None if recorded is None else Given(self.first_answer(recorded, name.key), None, recorded.sequence)
        except RepayrankError as error:
            return error

    def _subjects(self, cuts: Iterable[Mapping[Name, Share]]) -> Mapping[Name, Subject]:
        names = list(dict.fromkeys(name for cut in cuts for name in cut))
        return dict(zip(names, self._vault.subjects(names), strict=True)) if names else {}

    def _handed_in(self, found: Found, kept: Sealed, name: _Named) -> Given | Exception:
        try:
            written = self.store.submit(name.key, name.digest, EVENT, kept.record, kept.answer)
        except RepayrankError as error:
            return error
        return Given(found.answer(), written, kept=kept.answer)

    def _context(self, route: str, asked: Asked, name: _Named) -> Context:
        return Context(self._log, name.key, self._now(), route, asked.caller, asked.role, asked.full, self._release)

    def _digest(self, route: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, b"body\0" + route.encode() + b"\0" + body, "sha256")


def _utc_now() -> datetime:
    return datetime.now(UTC)
