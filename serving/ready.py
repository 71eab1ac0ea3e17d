"""Scores of features that the caller has computed itself: the same answers, without the history behind them.

For engines that keep a feature store. The names, and what each feature means, are the card's own: `GET /v1/features`.
What no feature can be is refused; whether a number was computed as the card's features are, only the caller can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from features.catalog import FeatureMatrix
from features.errors import Fault, TablesRefused
from features.schemas import MOST_MONEY, NO_CURRENCY, PRODUCTS
from models.assessment import Assessment, assess_matrix
from models.fitted_card import FittedCard
from serving import columns
from serving.requests import BODY, MOST_FAULTS
from serving.settings import Settings
from serving.state import Loaded
from serving.strict_json import WHERE, read_object

ROWS = "rows"
KEYS = ("card", "observation_date", "rows")
OF_A_ROW = ("loan_id", "product", "currency", "owed_minor", "features")
MOST = 1e300
"""The largest number that a feature may be, either way."""
CURRENCY = re.compile("[A-Z]{3}")


@dataclass(frozen=True)
class Ready:
    """A request that can be answered: rows of features for a card on a day."""

    card: str
    observed_on: date
    rows: list[dict[str, Any]]

    def plain(self) -> dict[str, Any]:
        """Return the request as its JSON was read."""
        return {"card": self.card, "observation_date": self.observed_on.isoformat(), ROWS: self.rows}


def read(body: bytes, loaded: Loaded, settings: Settings) -> Ready:
    """Return the request in a body.

    Raises
    ------
    UsageError : the body is not JSON, or not JSON of one meaning
    TablesRefused : with every fault by row and feature, and no value
    """
    return read_plain(read_object(body), loaded, settings)


def read_plain(plain: Mapping[str, Any], loaded: Loaded, settings: Settings) -> Ready:
    """Return the request in a JSON object; see `read`."""
    card = loaded.cards.get(plain["card"]) if isinstance(plain.get("card"), str) else None
    day = columns.day(plain["observation_date"]) if isinstance(plain.get("observation_date"), str) else None
    rows = plain.get("rows")
    faults = list(_faults_of_request(plain, card, day, rows, loaded, settings))
    if isinstance(rows, list) and card is not None and not faults:
        for place, row in enumerate(rows):
            if len(faults) > MOST_FAULTS:
                break
            faults.extend(_faults_of_row(place, row, card))
    if faults or card is None or day is None:
        raise TablesRefused(faults[:MOST_FAULTS], where=WHERE, total=len(faults))
    return Ready(plain["card"], day, rows)  # type: ignore[arg-type]


def assessed(asked: Sequence[Ready], loaded: Loaded) -> Assessment:
    """Return the assessment of the rows of requests for one card on one day, one request after another."""
    card, day = loaded.cards[asked[0].card], asked[0].observed_on
    rows = [row for one in asked for row in one.rows]
    names = card.catalog.names
    values = np.array([[row["features"][name] for name in names] for row in rows], dtype=np.float64)
    cases = pl.DataFrame(
        [
            pl.Series("case", range(len(rows)), dtype=pl.UInt32),
            pl.Series("loan_id", [row["loan_id"] for row in rows], dtype=pl.String),
            pl.Series("observed_on", [day] * len(rows), dtype=pl.Date),
        ]
    )
    money = pl.DataFrame(
        [
            pl.Series("product", [row["product"] for row in rows], dtype=pl.String),
            pl.Series("currency", [row["currency"] for row in rows], dtype=pl.String),
            pl.Series("owed_minor", [row["owed_minor"] for row in rows], dtype=pl.Int64),
        ]
    )
    return assess_matrix(FeatureMatrix(cases, values, card.catalog.features), money, card, loaded.policy)


def _faults_of_request(
    plain: Mapping[str, Any],
    card: FittedCard | None,
    day: date | None,
    rows: object,
    loaded: Loaded,
    settings: Settings,
) -> Iterator[Fault]:
    if card is None:
        yield Fault(BODY, None, "card", f"one of {', '.join(loaded.names)}")
    if day is None:
        yield Fault(BODY, None, "observation_date", columns.expected(pl.Date()))
    if plain.keys() - set(KEYS):
        yield Fault(BODY, None, None, f"only the keys {', '.join(KEYS)}")
    if not isinstance(rows, list) or not 0 < len(rows) <= settings.most_loans:
        yield Fault(BODY, None, ROWS, f"a list of 1 to {settings.most_loans} rows")


def _faults_of_row(place: int, row: object, card: FittedCard) -> Iterator[Fault]:
    if not isinstance(row, dict) or row.keys() != set(OF_A_ROW):
        yield Fault(ROWS, place, None, f"an object with the keys {', '.join(OF_A_ROW)} and no other")
        return
    owed, currency = row["owed_minor"], row["currency"]
    if not isinstance(row["loan_id"], str) or not row["loan_id"] or columns.printable(row["loan_id"]) is None:
        yield Fault(ROWS, place, "loan_id", f"{columns.expected(pl.String())}, and not empty")
    if row["product"] not in PRODUCTS:
        yield Fault(ROWS, place, "product", f"one of {', '.join(PRODUCTS)}")
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency) or currency == NO_CURRENCY:
        yield Fault(ROWS, place, "currency", "three capital letters, an ISO 4217 code")
    if isinstance(owed, bool) or not isinstance(owed, int) or not 0 <= owed <= MOST_MONEY:
        yield Fault(ROWS, place, "owed_minor", f"a whole number of minor units, 0 to {MOST_MONEY}")
    yield from _faults_of_features(place, row["features"], card)


def _faults_of_features(place: int, given: object, card: FittedCard) -> Iterator[Fault]:
    if not isinstance(given, dict):
        yield Fault(ROWS, place, "features", "an object: a number for each feature of the card, null if not known")
        return
    wanted = card.feature_names
    if given.keys() != wanted:
        for name in sorted(wanted - given.keys()):
            yield Fault(ROWS, place, name, "this feature to be there, null if not known")
        if given.keys() - wanted:
            yield Fault(ROWS, place, "features", "only features that the card reads; see GET /v1/features")
    for name, value in given.items():
        if value is not None and name in wanted and not _is_number(value):
            yield Fault(ROWS, place, name, f"a number, or null if not known; without a point up to {columns.EXACT}")


def _is_number(value: object) -> bool:
    """Return whether a value is a number that a feature can be and that is kept to the last digit."""
    if type(value) is int:
        return abs(value) <= columns.EXACT
    return isinstance(value, float) and abs(value) <= MOST
