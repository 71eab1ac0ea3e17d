"""Carries out the lender's terms: whatever has been kept long enough is ordered to go, its keys are destroyed, it goes.

    order     signed and of record before anything is touched; it names each record, its kind and day, and the policy
    keys      of the subjects of whom no record stays
    rows      all but place and leaf hash
    traces    the files are written anew
    pairs     what a challenger's scores say of them in shadow goes as well (`models.score_pairs`)

Cut off at any moment, the log verifies, and the next run finishes. A record that was ordered to go and is under a legal
hold by now, or that a longer term keeps since, stays. The holds of the vault count, and those that the log tells of: an
older copy of the vault lifts none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from itertools import takewhile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import ConfigurationRefused, DataRefused, UsageError
from models.score_pairs import ScorePairs
from serving.decisions.archive import Archive
from serving.decisions.erasures import NOTHING, Erasures, Settled
from serving.decisions.subject_events import PLACED, RELEASED, said_in, subjects_in
from serving.records.audit import checked_rows, followed_orders, verify
from serving.records.dropping import held_alone
from serving.records.expiry import MOST_SPANS, NEVER_DROPPED, ORDERED, Days, order_record
from serving.records.opening import Place, database_of
from serving.records.store import open_store
from serving.records.tables import Row, Tables, reading, require_log
from serving.records.terms import Terms, day_everywhere, day_of
from serving.subjects.retention import Kept, Plan, planned


@dataclass(frozen=True)
class Expired:
    """What a run did, or would do.

    Attributes
    ----------
    records : dropped, by kind
    held : records whose terms are over, and which a legal hold keeps, by kind
    subjects : keys that were destroyed; of a run that would, keys that go
    left : records that stay
    orders : places of the orders that this run wrote
    erasures : what was settled before of those who were erased
    pairs : rows of scores in shadow that went with their records
    """

    records: Counter[str]
    held: Counter[str]
    subjects: int
    left: int
    orders: tuple[int, ...] = ()
    erasures: Settled = NOTHING
    pairs: int = 0


def previewed(archive: Archive, terms: Terms, today: date) -> Expired:
    """Return what a run would do on a day; nothing is changed, also while a service writes.

    Raises
    ------
    ConfigurationRefused : a kind of record has no term
    DataRefused : a record does not say when it was made
    AuditBroken : the log is not what was written and signed
    """
    _require_its_vault(archive)
    plan = _plan(archive, terms, today)
    return _told(plan, len(plan.subjects))


def expired(archive: Archive, key: Ed25519PrivateKey, terms: Terms, today: date, now: datetime) -> Expired:
    """Drop all that is due, and return what was done.

    Whoever was erased and is back with an older copy of the vault is erased again first.

    Parameters
    ----------
    key : signs the log's checkpoints, and the order
    today : the newest day that has begun all over the Earth (`terms.day_everywhere`), or an earlier one

    Raises
    ------
    ConfigurationRefused : a kind of record has no term, or a challenger is scored in shadow; nothing was dropped
    LogOwned : a service writes to the log; nothing was dropped
    DataRefused : a record does not say when it was made; nothing was dropped
    AuditBroken : the log is not what was written and signed; nothing was dropped
    LogBusy, LogStopped, VaultBusy, VaultStopped : cut off; the next run finishes
    DataRefused : a file of pairs is damaged; all else is dropped, and the next run finishes
    """
    newest = day_everywhere(now)
    if today > newest:
        raise UsageError(
            f"the day {today}, which has not begun everywhere",
            where="the day of the run",
            expected=f"{newest} or an earlier day",
            do="nothing was dropped; to see what will be due, only look",
        )
    _require_its_vault(archive)
    verify(archive.place)
    with open_store(archive.place, key, time.monotonic) as store:
        settled = Erasures(archive, store, lambda: now).settled()
    with ExitStack() as undo:
        # Before anything goes: whoever scores meanwhile could write down what has just been dropped.
        shadows = ScorePairs.all_in(archive.state)
        for one in shadows:
            undo.enter_context(one.held())
        with held_alone(archive.place, key) as log, archive.vault.kept_still():
            plan = _plan(archive, terms, today)
            orders = [
                order_record(archive.place.origin, terms, today, plan.spans[at : at + MOST_SPANS], now, key)
                for at in range(0, len(plan.spans), MOST_SPANS)
            ]
            places = log.write(ORDERED, orders) if orders else []
            destroyed = archive.vault.erase_all(plan.subjects)
            log.drop(plan.runs)
            if log.has_traces:
                # Of a run that was cut off these are the numbers of the rest.
                log.finish({"recorded_at": now.isoformat(), "records": plan.records.total(), "keys": destroyed})
        pairs = _without_pairs(archive.place, shadows)
    verify(archive.place)
    return _told(plan, destroyed, places, settled, pairs)


def _require_its_vault(archive: Archive) -> None:
    if archive.vault.is_new:
        raise ConfigurationRefused(
            "a vault of subjects that was made just now",
            where=f"the decision log {archive.place.origin}",
            expected="the vault with the keys and legal holds of this log",
            do="nothing was dropped; name the folder of the vault, or bring it back from its copy",
        )


def _held_by_log(tables: Tables) -> set[bytes]:
    """Return whom the log tells to be under a legal hold: one that was placed and not released since."""
    return {subject for subject, said in said_in(tables.of_event(PLACED, RELEASED)).items() if said.holds}


def _plan(archive: Archive, terms: Terms, today: date) -> Plan:
    with reading(database_of(archive.place)) as tables:
        require_log(tables, archive.place.origin)
        held = {hold.pseudonym for hold in archive.vault.holds()} | _held_by_log(tables)
        return planned(_kept(tables, archive.place, today), terms, today, held)


def _kept(tables: Tables, place: Place, today: date) -> Iterator[Kept]:
    """Yield the records that are there; where the clock was set back, the newest day before counts."""
    days, following = Days(), followed_orders(tables, place)
    for row in checked_rows(tables, place):
        following.saw(row)
        found = following.named.at(row.sequence)
        if found is not None and row.sequence == found[0].last:
            days.saw(found[0].day)
        if not isinstance(row, Row):
            continue
        event, record = row.entry.asked.event, row.entry.asked.record
        day = day_of(record)
        if day is not None:
            days.saw(day)
        if event in NEVER_DROPPED:
            continue
        if day is None:
            raise DataRefused(
                "a record that does not say when it was made",
                where=f"record {row.sequence}, {event}",
                expected="recorded_at with its zone in every record",
                do="nothing was dropped, and nothing of this log can be until the program that writes it is mended",
            )
        counted = max(day, days.newest(today) or day)
        yield Kept(row.sequence, event, counted, subjects_in(record), found is not None)


def _without_pairs(place: Place, shadows: list[ScorePairs]) -> int:
    """Drop the pairs of every record that is gone, those of a run that was cut off as well; return how many."""
    if not shadows:
        return 0
    with reading(database_of(place)) as tables:
        require_log(tables, place.origin)

        def gone(begin: int, end: int) -> set[int]:
            return {row.sequence for row in takewhile(lambda row: row.sequence < end, tables.gone(begin))}

        return sum(one.drop(place.origin, gone) for one in shadows)


def _told(
    plan: Plan, subjects: int, orders: Sequence[int] = (), erasures: Settled = NOTHING, pairs: int = 0
) -> Expired:
    return Expired(plan.records, plan.held, subjects, plan.left, tuple(orders), erasures, pairs)
