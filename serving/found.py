"""What was found for one request, before it is written down: the answer's entries and the assessment behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from models.assessment import Assessment

SCORES, RANKING = "scores", "ranking"
"""The key under which an answer holds its entries: in the order sent, or in order of work."""


@dataclass(frozen=True)
class Found:
    """The outcome of a request that was computed.

    Attributes
    ----------
    plain : the request, as its JSON was read
    assessment : of the request's loans, and of other requests' that were computed with it
    cases : the assessment's case of each entry
    entries : one for each loan, in the order of the answer
    name : SCORES or RANKING
    """

    plain: Mapping[str, Any]
    assessment: Assessment
    cases: list[int]
    entries: list[dict[str, Any]]
    name: str

    def without_contributions(self) -> Found:
        """Return what an engine is answered: every part of each score, and reasons without their contributions."""
        return replace(self, entries=[_for_engines(entry) for entry in self.entries])

    def answer(self) -> bytes:
        """Return the bytes of the answer."""
        return written({self.name: self.entries})


def _for_engines(entry: dict[str, Any]) -> dict[str, Any]:
    told = {**entry, "reasons": [_without(reason, "contribution") for reason in entry["reasons"]]}
    if entry.get("above_next"):
        lines = [_without(line, "difference") for line in entry["above_next"]["lines"]]
        told["above_next"] = {**_without(entry["above_next"], "rest"), "lines": lines}
    return told


def _without(plain: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key != name}


def written(plain: Any) -> bytes:
    """Return JSON whose floats read back to the same bits."""
    return orjson.dumps(plain)
