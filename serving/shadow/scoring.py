"""What a challenger says of decisions of record: rebuilt as they were asked, scored, and set beside what was answered.

The rows that were sent are taken from the record as a replay takes them, which needs the secrets that a replay needs.
The card alone is another one; the policy is that of the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from features.declaration import Feature
from features.errors import ConfigurationRefused, ModelRefused, RepayrankError
from models.assessment import Assessment
from models.fitted_card import FittedCard
from models.priority import order
from models.score_pairs import FIGURES, SCHEMA, Outcome
from serving import ready
from serving.decisions.archive import Archive
from serving.decisions.cards import Cards
from serving.decisions.policies import kept_policy, policies_in
from serving.decisions.record import (
    EVENT,
    decision_record,
    entries,
    opened_answer,
    opened_part,
    pseudonyms_in,
)
from serving.decisions.replay import NO_LIMITS
from serving.decisions.shares import put_together
from serving.records.tables import Row
from serving.state import Loaded
from serving.together import assessed, kind

RANKED = "/v1/rank"
MOST_TOGETHER = 16
"""Requests that are computed together: fewer than the service takes, so that others are looked at more often."""
Figures = dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """A request whose rows can be read, whole or in part.

    Attributes
    ----------
    places : those of its loans that are left among its decisions, in order
    """

    pairs: list[Figures]
    places: list[int]
    plain: Mapping[str, Any]
    loaded: Loaded
    is_ranked: bool


class Scorer:
    """Scores decisions of one card with its challenger.

    Parameters
    ----------
    archive : the log and what opens it
    challenger : as `models.trial.load_tried` returns it
    courtesy : entered for what is computed, while no lock is held
    """

    def __init__(
        self, archive: Archive, challenger: FittedCard, courtesy: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._courtesy = courtesy
        challenger.model.set_params(threads=1)
        self._archive, self._challenger = archive, challenger
        self._policies = policies_in(archive.state)
        self._champions = Cards(archive.home, self._policies)
        self._loaded: dict[str, Loaded] = {}

    def pairs(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Return one row for each decision of the card in some records (see `models.score_pairs.SCHEMA`).

        Raises
        ------
        AuditBroken, SealBroken : a record is not what was written
        VaultBusy, VaultStopped : the keys cannot be had now
        ConfigurationRefused : a policy of a decision is not kept here
        """
        records = [(row, decision_record(row.entry.asked.record)) for row in rows if row.entry.asked.event == EVENT]
        ours = [(row, record) for row, record in records if record["model"]["name"] == self._challenger.card.name]
        keys = self._archive.vault.keys_of({one for row, record in ours for one in _pseudonyms(row, record)})
        with self._courtesy():
            return self._found(ours, keys)

    def _found(self, ours: list[tuple[Row, dict[str, Any]]], keys: Mapping[bytes, bytes | None]) -> pl.DataFrame:
        found: list[Figures] = []
        asked: list[_Asked] = []
        for row, record in ours:
            pairs = [_answered(row, record, decision) for decision in record["decisions"]]
            found += pairs
            asked += self._asked(row, record, keys, pairs)
        histories = [one for one in asked if ready.ROWS not in one.plain]
        for alike in _grouped(histories, lambda one: (id(one.loaded), kind(one.plain, id(one)))):
            self._score(alike, lambda members: assessed([one.plain for one in members], members[0].loaded, NO_LIMITS))
        features = [one for one in asked if ready.ROWS in one.plain]
        for alike in _grouped(features, lambda one: (id(one.loaded), one.plain["observation_date"])):
            self._score(alike, _assessed_ready)
        return pl.DataFrame(found, schema=SCHEMA, orient="row")

    def _asked(
        self,
        row: Row,
        record: Mapping[str, Any],
        keys: Mapping[bytes, bytes | None],
        pairs: list[Figures],
    ) -> Iterator[_Asked]:
        """Yield the request of a record unless nothing of it is to be scored; then its decisions say why."""
        if record["model"]["manifest_sha256"] == self._challenger.manifest:
            _become(pairs, Outcome.OWN)
            return
        log, log_key = self._archive.place.origin, row.entry.asked.key
        left = entries(opened_answer(row.entry.asked.answer, keys, log, log_key))
        _become([pair for place, pair in enumerate(pairs) if place not in left], Outcome.ERASED)
        if not left:
            return
        shares = []
        for share in record["shares"]:
            pseudonym = bytes.fromhex(share["subject"])
            if (key := keys[pseudonym]) is not None:
                shares.append(opened_part(share["sealed"], key, pseudonym, log, log_key).share)
        places = sorted(left)
        plain = put_together(record["asked"], shares, [left[place]["loan_id"] for place in places])
        readable = self._readable(plain, record)
        if readable is None:
            _become([pairs[place] for place in places], Outcome.OTHER_FEATURES)
            return
        is_ranked = record["route"] == RANKED
        if is_ranked:
            for rank, place in enumerate(places, start=1):
                pairs[place]["champion_place"] = rank
        yield _Asked(pairs, places, readable, self._under(record["policy"]["digest"]), is_ranked)

    def _readable(self, plain: Mapping[str, Any], record: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a request that the challenger can read; None where ready features may not be those it reads."""
        if ready.ROWS not in plain or record["model"]["fingerprint"] == self._challenger.fingerprint:
            return plain
        try:
            champion = self._champions.of(record).cards[record["model"]["name"]]
        except (ModelRefused, ConfigurationRefused):
            return None
        known = {feature.name: _meaning(feature) for feature in champion.catalog}
        if any(known.get(feature.name) != _meaning(feature) for feature in self._challenger.catalog):
            return None
        names = self._challenger.catalog.names
        rows = [{**row, "features": {name: row["features"][name] for name in names}} for row in plain[ready.ROWS]]
        return {**plain, ready.ROWS: rows}

    def _under(self, digest: str) -> Loaded:
        """Return the challenger with the policy of a decision."""
        if digest not in self._loaded:
            policy = kept_policy(self._policies, digest)
            self._loaded[digest] = Loaded({self._challenger.card.name: self._challenger}, policy)
        return self._loaded[digest]

    def _score(self, asked: list[_Asked], assess: Callable[[list[_Asked]], Assessment]) -> None:
        """Put the challenger's figures into the pairs of requests; what it refuses together it is asked alone."""
        try:
            assessment = assess(asked)
        except Exception as error:
            if len(asked) > 1:
                for one in asked:
                    self._score([one], assess)
            elif isinstance(error, RepayrankError):
                _become([asked[0].pairs[place] for place in asked[0].places], Outcome.REFUSED)
            else:
                raise
            return
        begin = 0
        for one in asked:
            end = begin + len(one.places)
            _put(one, assessment, range(begin, end))
            begin = end


def _pseudonyms(row: Row, record: Mapping[str, Any]) -> set[bytes]:
    return {bytes.fromhex(share["subject"]) for share in record["shares"]} | pseudonyms_in(row.entry.asked.answer)


def _answered(row: Row, record: Mapping[str, Any], decision: Mapping[str, Any]) -> Figures:
    """Return what a decision says of itself in clear; the challenger's half is empty yet."""
    return {
        **dict.fromkeys(SCHEMA),
        "score_id": decision["score_id"],
        "record": row.sequence,
        "scored_at": datetime.fromisoformat(record["recorded_at"]),
        "subject": decision["subject"],
        "observation_date": date.fromisoformat(decision["observation_date"]),
        "policy": record["policy"]["digest"],
        "champion": record["model"]["version"],
        **{f"champion_{name}": decision[name] for name in FIGURES if name != "place"},
    }


def _become(pairs: list[Figures], outcome: Outcome) -> None:
    for pair in pairs:
        pair["outcome"] = outcome.value


def _put(one: _Asked, assessment: Assessment, cases: range) -> None:
    """Put the figures of some cases of an assessment, which are a request's loans in order, into its pairs."""
    columns: dict[str, Sequence[Any]] = {
        "log_odds": assessment.attribution.log_odds.tolist(),
        "calibrated_log_odds": assessment.calibrated_log_odds.tolist(),
        "default_probability": assessment.probability.tolist(),
        "points": assessment.points.tolist(),
        "band": assessment.bands,
    }
    for case, place in zip(cases, one.places, strict=True):
        one.pairs[place] |= {f"challenger_{name}": column[case] for name, column in columns.items()}
        one.pairs[place]["outcome"] = Outcome.SCORED.value
    if one.is_ranked:
        loans = [row["loan_id"] for row in one.plain["tables"]["loans"]]
        in_order = order(assessment.ledger.priority[cases.start : cases.stop], loans)
        for rank, at in enumerate(in_order.tolist(), start=1):
            one.pairs[one.places[at]]["challenger_place"] = rank


def _assessed_ready(asked: Sequence[_Asked]) -> Assessment:
    loaded = asked[0].loaded
    return ready.assessed([ready.read_plain(one.plain, loaded, NO_LIMITS) for one in asked], loaded)


def _meaning(feature: Feature) -> tuple[object, ...]:
    """Return what has to be the same for a feature to be the same one."""
    return feature.definition, feature.unit, feature.months, feature.capped_at, feature.levels, feature.reads


def _grouped(asked: Iterable[_Asked], key: Callable[[_Asked], object]) -> Iterator[list[_Asked]]:
    """Yield requests that may be computed together, not too many at a time."""
    alike: dict[object, list[_Asked]] = {}
    for one in asked:
        alike.setdefault(key(one), []).append(one)
    for members in alike.values():
        for begin in range(0, len(members), MOST_TOGETHER):
            yield members[begin : begin + MOST_TOGETHER]
