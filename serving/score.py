"""From the bytes of a request to the bytes of its answer; the front, BentoML and the tests all call this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from models.assessment import Assessment, assess
from serving import answers, ready, requests
from serving.settings import Settings
from serving.state import Loaded


def score(body: bytes, loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/score`: the loans in the order sent."""
    return _scored(requests.read(body, loaded.cards, most_loans=settings.most_loans), loaded)


def score_of(plain: Mapping[str, Any], loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/score` to a body that has been read as JSON."""
    return _scored(requests.request_of(plain, loaded.cards, most_loans=settings.most_loans), loaded)


def score_ready(body: bytes, loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/score/features`: the rows in the order sent."""
    return written(answers.score_answer(ready.assessed([ready.read(body, loaded, settings)], loaded)))


def rank(body: bytes, loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/rank`: the loans in order of work."""
    request = requests.read(body, loaded.cards, most_loans=settings.most_loans)
    return written(answers.rank_answer(_assessed(request, loaded)))


def written(plain: Any) -> bytes:
    """Return JSON whose floats read back to the same bits."""
    return orjson.dumps(plain)


def _scored(request: requests.Request, loaded: Loaded) -> bytes:
    return written(answers.score_answer(_assessed(request, loaded)))


def _assessed(request: requests.Request, loaded: Loaded) -> Assessment:
    return assess(request.history, loaded.cards[request.card], loaded.policy)
