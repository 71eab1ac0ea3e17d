"""The decisions of record as tables: who was scored when and how, for whoever watches whether the scores still hold.

Read in the order of the log, some thousand decisions at a time. Figures are in clear; loans, amounts and feature values
are sealed, and missing where the borrower was erased. No frame names a borrower: a loan stands under a pseudonym that
two of its decisions share. The log is followed as it is read: a record that was changed ends it.

    scored_at, request     when the decision was recorded, and the number of its record
    score_id, subject      the decision's id and its borrower's pseudonym
    card, version, fingerprint, manifest
    observed_on, log_odds (raw), calibrated_log_odds, probability, points, band, quadrant, treatment
    ability, willingness, circumstances
    place                  in a ranking, 1 first; missing where loans were scored
    tables                 the tables that were sent, by name; "features" where features came ready
    readable               false where the borrower was erased; the columns below are then missing
    loan                   the loan's pseudonym
    exposure_minor, expected_loss_minor, expected_recovery_minor, currency
    feature.NAME           the value that the card read
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from features.declaration import Group
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.policies import policies_in
from serving.decisions.record import EVENT, Detail, decision_record, entries, opened_answer, opened_part, pseudonyms_in
from serving.records.audit import checked_rows, followed_orders
from serving.records.opening import database_of
from serving.records.tables import Row, reading, require_log

FEATURE = "feature."
"""Before the name of a feature that is a column."""
READY = "features"
"""In place of the tables' names where features came ready."""
BATCH = 5_000
KEYS_KEPT = 100_000
PSEUDONYM_LENGTH = 32

TOLD = {
    "scored_at": pl.Datetime("us", "UTC"),
    "request": pl.Int64(),
    "score_id": pl.String(),
    "subject": pl.String(),
    "card": pl.String(),
    "version": pl.String(),
    "fingerprint": pl.String(),
    "manifest": pl.String(),
    "observed_on": pl.Date(),
    "log_odds": pl.Float64(),
    "calibrated_log_odds": pl.Float64(),
    "probability": pl.Float64(),
    "points": pl.Int64(),
    "band": pl.String(),
    "quadrant": pl.String(),
    "treatment": pl.String(),
    **{group.value: pl.Float64() for group in Group},
    "place": pl.Int64(),
    "tables": pl.List(pl.String()),
    "readable": pl.Boolean(),
    "loan": pl.String(),
    "exposure_minor": pl.Int64(),
    "expected_loss_minor": pl.Float64(),
    "expected_recovery_minor": pl.Float64(),
    "currency": pl.String(),
}
LOAN_ID = {"loan_id": pl.String()}


@dataclass
class Count:
    """What was met while decisions were read: those of the card, those of them that were erased, and what is gone."""

    decisions: int = 0
    erased: int = 0
    expired_requests: int = 0
    other_cards: int = 0


def decisions(
    archive: Archive, card: str, count: Count | None = None, *, loan_ids: bool = False, sealed: bool = True
) -> Iterator[pl.DataFrame]:
    """Yield the decisions of a card, in order, each frame of one version; `feature.` columns are that version's.

    Parameters
    ----------
    count : is told what was met
    loan_ids : with the column `loan_id`, for whoever joins what the lender says of its loans; never to be kept
    sealed : False reads no sealed column, and needs neither keys nor models

    Raises
    ------
    AuditBroken : a record is not what was written
    ModelRefused : a version that decided is not here any more
    """
    told = count or Count()
    reader = _Reader(archive, Cards(archive.home, policies_in(archive.state)), told, loan_ids=loan_ids, sealed=sealed)
    with reading(database_of(archive.place)) as tables:
        require_log(tables, archive.place.origin)
        following = followed_orders(tables, archive.place)
        for row in checked_rows(tables, archive.place):
            if not isinstance(row, Row):
                told.expired_requests += following.kind_of(row) == EVENT
                continue
            if row.entry.asked.event != EVENT:
                continue
            record = decision_record(row.entry.asked.record)
            if record["model"]["name"] != card:
                told.other_cards += len(record["decisions"])
                continue
            ready = reader.add(row, record)
            if ready is not None:
                yield ready
        last = reader.taken()
        if last is not None:
            yield last


class _Reader:
    """Decisions of one version that wait to become a frame."""

    def __init__(self, archive: Archive, cards: Cards, count: Count, *, loan_ids: bool, sealed: bool) -> None:
        self._archive, self._cards, self._count, self._sealed = archive, cards, count, sealed
        self._with_ids = loan_ids
        self._schema = TOLD | (LOAN_ID if loan_ids else {})
        self._rows: list[dict[str, Any]] = []
        self._values: list[Any] = []
        self._names: tuple[str, ...] = ()
        self._key_of = lru_cache(maxsize=KEYS_KEPT)(self._read_key)

    def add(self, row: Row, record: Mapping[str, Any]) -> pl.DataFrame | None:
        """Take a record's decisions in, and return a frame where one is full or another version begins."""
        names = self._cards.of(record).cards[record["model"]["name"]].catalog.names if self._sealed else ()
        ready = self.taken() if self._rows and (names != self._names or len(self._rows) >= BATCH) else None
        self._names = names
        details, answered = self._opened(row, record) if self._sealed else ({}, {})
        for place, decision in enumerate(record["decisions"]):
            entry, detail = answered.get(place), details.get(place)
            readable = entry is not None and detail is not None
            self._count.decisions += 1
            self._count.erased += self._sealed and not readable
            self._rows.append(self._row(row, record, decision, entry if readable else None))
            self._values.append(detail.values if readable and detail is not None else np.full(len(names), np.nan))
        return ready

    def taken(self) -> pl.DataFrame | None:
        """Return what waits as a frame, or None where nothing does."""
        if not self._rows:
            return None
        frame = pl.DataFrame(self._rows, schema=self._schema)
        if self._names:
            columns = [f"{FEATURE}{name}" for name in self._names]
            frame = frame.hstack(pl.DataFrame(np.array(self._values), schema=columns).fill_nan(None))
        self._rows, self._values = [], []
        return frame

    def _read_key(self, pseudonym: bytes) -> bytes | None:
        return self._archive.vault.key_of(pseudonym)

    def _opened(self, row: Row, record: Mapping[str, Any]) -> tuple[dict[int, Detail], dict[int, dict[str, Any]]]:
        """Return the values and the answers of those decisions that can still be read, by place."""
        asked, log = row.entry.asked, self._archive.place.origin
        details: dict[int, Detail] = {}
        for share in record["shares"]:
            pseudonym = bytes.fromhex(share["subject"])
            key = self._key_of(pseudonym)
            if key is not None:
                details |= opened_part(share["sealed"], key, pseudonym, log, asked.key).details
        keys = {one: self._key_of(one) for one in pseudonyms_in(asked.answer)}
        return details, entries(opened_answer(asked.answer, keys, log, asked.key))

    def _row(
        self, row: Row, record: Mapping[str, Any], decision: Mapping[str, Any], entry: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        told = {
            "scored_at": datetime.fromisoformat(record["recorded_at"]).astimezone(UTC),
            "request": row.sequence,
            "card": record["model"]["name"],
            "version": record["model"]["version"],
            "fingerprint": record["model"]["fingerprint"],
            "manifest": record["model"]["manifest_sha256"],
            "observed_on": date.fromisoformat(decision["observation_date"]),
            "probability": decision["default_probability"],
            "place": decision.get("priority"),
            "tables": sorted(record["asked"].get("tables", [READY])),
            "readable": entry is not None,
        }
        told = {**{name: decision.get(name) for name in self._schema}, **told}
        if entry is not None:
            told |= {
                "loan": _pseudonym(bytes.fromhex(decision["subject"]), entry["loan_id"]),
                "exposure_minor": entry["exposure"]["amount_minor"],
                "currency": entry["exposure"]["currency"],
                "expected_loss_minor": entry["ledger"]["expected_loss_minor"],
                "expected_recovery_minor": entry["ledger"]["expected_recovery_minor"],
            }
            told |= {"loan_id": entry["loan_id"]} if self._with_ids else {}
        return told


def _pseudonym(subject: bytes, loan_id: str) -> str:
    """Return what two decisions about a loan share; a borrower's pseudonym is random, and so is this."""
    return hashlib.sha256(subject + loan_id.encode()).hexdigest()[:PSEUDONYM_LENGTH]
