"""The signed orders by which records leave the log at the end of their terms, and the check that nothing left without.

    {"format":"repayrank-expiry/1","origin":"collections.example/decisions","policy":"format = 1 ..",
     "policy_sha256":"..","recorded_at":"2033-02-02T01:00:00+00:00","records":42,"signature":"..",
     "spans":[["score:loan:created",0,41,"2026-01-31"]],"today":"2033-02-01"}

A span is a run of records of one kind, with the day from which the term of its last is counted. An order is itself a
record, and is never dropped. A record may be gone only when an order names it, the log's key signed the order, a signed
checkpoint covers it, and by the policy in it the term was over. Days only rise along the log: where the clock was set
back, a record counts as made on the newest day before it, so that it does not leave early.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import ConfigurationRefused
from serving.records.canonical import canonical_record, read_record
from serving.records.errors import AuditBroken, broken
from serving.records.tables import Gone, Row, Tables
from serving.records.terms import Terms, day_everywhere, day_of, terms_from

ORDERED, DONE = "expire:records:ordered", "expire:records:done"
NEVER_DROPPED = frozenset({ORDERED, DONE})
FORMAT = "repayrank-expiry/1"
MOST_SPANS = 4_096
"""Spans in one order, some 250 kB; more are spread over several."""


class Span(NamedTuple):
    """A run of records of one kind that are to be dropped.

    Attributes
    ----------
    first, last : their places, both included
    day : from which the term of the last is counted
    """

    kind: str
    first: int
    last: int
    day: date


@dataclass(frozen=True)
class Order:
    """An order that the log's key signed, and that keeps to its own policy.

    Attributes
    ----------
    sequence : its place in the log
    today : the day on which it was given
    """

    sequence: int
    today: date
    spans: tuple[Span, ...]


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    origin: str
    policy: str
    policy_sha256: str
    recorded_at: datetime
    records: int
    signature: str
    spans: tuple[tuple[str, int, int, date], ...]
    today: date


class Days:
    """The different days that records were made on, up to some place in the log."""

    def __init__(self) -> None:
        self._days: list[date] = []

    def saw(self, day: date) -> None:
        """Add a day."""
        at = bisect_right(self._days, day)
        if at == 0 or self._days[at - 1] != day:
            self._days.insert(at, day)

    def newest(self, today: date) -> date | None:
        """Return the newest day that is not after today; a later one is an error of the clock."""
        at = bisect_right(self._days, today)
        return self._days[at - 1] if at else None


class Named:
    """Which orders name which records."""

    def __init__(self, orders: Iterable[Order]) -> None:
        """Put the orders of one log together.

        Raises
        ------
        AuditBroken : two of them name the same record
        """
        self._spans = sorted(((span, order) for order in orders for span in order.spans), key=_first)
        for (span, order), (later, other) in pairwise(self._spans):
            if later.first <= span.last:
                second = max(order.sequence, other.sequence)
                raise broken(f"a second order to drop record {later.first}", f"record {second}")
        self._firsts = [span.first for span, _ in self._spans]

    def __bool__(self) -> bool:
        return bool(self._spans)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the records that they name."""
        return frozenset(span.kind for span, _ in self._spans)

    def at(self, sequence: int) -> tuple[Span, Order] | None:
        """Return the span that a record is in and the order that has it, or None where no order names it."""
        at = bisect_right(self._firsts, sequence)
        return self._spans[at - 1] if at and sequence <= self._spans[at - 1][0].last else None


class Following:
    """Goes along a log from its first row, and refuses what is gone and was not to go."""

    def __init__(self, named: Named) -> None:
        self.gone: Counter[str] = Counter()
        """Records that were dropped, by kind."""
        self.waiting = 0
        """Records that are ordered to go and are still there."""
        self.named, self._days = named, Days()

    def saw(self, row: Row | Gone) -> None:
        """Look at the next row.

        Raises
        ------
        AuditBroken : it was dropped and no signed order names it, or an order names it that may not
        """
        if isinstance(row, Gone):
            self.gone[self.kind_of(row)] += 1
        if not self.named:
            return
        found = self.named.at(row.sequence)
        if isinstance(row, Row):
            self._kept(row, found)
        if found is not None and row.sequence == found[0].last:
            span, order = found
            newest = self._days.newest(order.today)
            if newest is not None and newest > span.day:
                raise _early(order, span.last)
            self._days.saw(span.day)

    def kind_of(self, gone: Gone) -> str:
        """Return what a record was that was dropped.

        Raises
        ------
        AuditBroken : no signed order names it
        """
        found = self.named.at(gone.sequence)
        if found is None:
            raise _without_order(gone.sequence)
        return found[0].kind

    def _kept(self, row: Row, found: tuple[Span, Order] | None) -> None:
        day = day_of(row.entry.asked.record)
        if found is not None:
            span, order = found
            if row.entry.asked.event != span.kind or day is None or day > span.day:
                raise _early(order, row.sequence)
            self.waiting += 1
        if day is not None:
            self._days.saw(day)


def order_record(
    origin: str, terms: Terms, today: date, spans: Sequence[Span], now: datetime, key: Ed25519PrivateKey
) -> dict[str, object]:
    """Return an order as the log takes it.

    Parameters
    ----------
    today : the newest day that has begun everywhere; `terms.day_everywhere`
    key : the one that signs the log's checkpoints
    """
    plain = {
        "format": FORMAT,
        "origin": origin,
        "policy": terms.text,
        "policy_sha256": terms.digest,
        "recorded_at": now.isoformat(),
        "records": sum(span.last - span.first + 1 for span in spans),
        "spans": [[kind, first, last, day.isoformat()] for kind, first, last, day in spans],
        "today": today.isoformat(),
    }
    signature = key.sign(canonical_record(plain))
    return {**plain, "signature": base64.b64encode(signature).decode()}


def orders_in(tables: Tables, origin: str, trusted: Iterable[Ed25519PublicKey]) -> list[Order]:
    """Return all orders of a log, in order.

    Raises
    ------
    AuditBroken : one is none, is not signed, or breaks its own policy
    """
    keys = tuple(trusted)
    return [read_order(row, origin, keys) for row in tables.of_event(ORDERED)]


def read_order(row: Row, origin: str, trusted: Iterable[Ed25519PublicKey]) -> Order:
    """Return the order in a row.

    Raises
    ------
    AuditBroken : it is none, is not signed, or breaks its own policy
    """
    try:
        plain = read_record(row.entry.asked.record)
        written = msgspec.convert(plain, _Written)
        terms = terms_from(written.policy.encode(), where="the policy of an order")
        signature = base64.b64decode(str(plain.pop("signature")), validate=True)
    except (AuditBroken, ConfigurationRefused, msgspec.ValidationError, binascii.Error, ValueError):
        raise _damaged(row, "an order to drop records that cannot be read") from None
    if written.format != FORMAT or written.origin != origin or not _is_signed(signature, plain, trusted):
        raise _damaged(row, "an order to drop records that the log's key did not sign")
    order = Order(row.sequence, written.today, tuple(Span(*span) for span in written.spans))
    why = _fault(order, written, terms)
    if why:
        raise _damaged(row, why)
    return order


def _fault(order: Order, written: _Written, terms: Terms) -> str:
    """Return what is wrong with an order by its own words, or nothing."""
    if terms.digest != written.policy_sha256:
        return "an order to drop records whose policy is not the one that it names"
    if written.recorded_at.tzinfo is None or order.today > day_everywhere(written.recorded_at):
        return "an order to drop records that was given before its day"
    if sum(span.last - span.first + 1 for span in order.spans) != written.records:
        return "an order to drop another number of records than it says"
    for before, span in pairwise((Span("", -1, -1, date.min), *order.spans)):
        if not before.last < span.first <= span.last < order.sequence or span.day < before.day:
            return f"an order to drop records that are not in order, at record {span.first}"
        if (
            span.kind in NEVER_DROPPED
            or terms.months(span.kind) is None
            or terms.last_day(span.kind, span.day) >= order.today
        ):
            return f"an order to drop record {span.last}, which must still be kept by its own policy"
    return ""


def _is_signed(signature: bytes, plain: dict[str, object], trusted: Iterable[Ed25519PublicKey]) -> bool:
    content = canonical_record(plain)
    for key in trusted:
        try:
            key.verify(signature, content)
        except InvalidSignature:
            continue
        return True
    return False


def _first(entry: tuple[Span, Order]) -> int:
    return entry[0].first


def _without_order(sequence: int) -> AuditBroken:
    return broken("a record that was dropped without a signed order", f"record {sequence}")


def _early(order: Order, sequence: int) -> AuditBroken:
    return broken(
        f"an order to drop record {sequence}, which is of another kind or day than it says", f"record {order.sequence}"
    )


def _damaged(row: Row, found: str) -> AuditBroken:
    return broken(found, f"record {row.sequence}")
