"""From the bytes of a request to the bytes of its answer; the front, BentoML and the tests all call this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.assessment import Assessment, assess
from serving import answers, ready, requests
from serving.found import RANKING, SCORES, Found
from serving.settings import Settings
from serving.state import Loaded
from serving.strict_json import read_object


def score(body: bytes, loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/score`: the loans in the order sent."""
    return scored(read_object(body), loaded, settings).answer()


def score_ready(body: bytes, loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/score/features`: the rows in the order sent."""
    return scored_ready(read_object(body), loaded, settings).answer()


def rank(body: bytes, loaded: Loaded, settings: Settings) -> bytes:
    """Return the answer of `/v1/rank`: the loans in order of work."""
    return ranked(read_object(body), loaded, settings).answer()


def scored(plain: Mapping[str, Any], loaded: Loaded, settings: Settings) -> Found:
    """Return what is found for a request of `/v1/score`."""
    return in_order_sent(plain, _assessed(plain, loaded, settings))


def scored_ready(plain: Mapping[str, Any], loaded: Loaded, settings: Settings) -> Found:
    """Return what is found for a request of `/v1/score/features`."""
    asked = ready.read_plain(plain, loaded, settings)
    return in_order_sent(plain, ready.assessed([asked], loaded))


def ranked(plain: Mapping[str, Any], loaded: Loaded, settings: Settings) -> Found:
    """Return what is found for a request of `/v1/rank`."""
    assessment = _assessed(plain, loaded, settings)
    return Found(plain, assessment, assessment.order.tolist(), answers.ranking(assessment), RANKING)


def in_order_sent(plain: Mapping[str, Any], assessment: Assessment) -> Found:
    """Return the finding about all cases of an assessment."""
    return Found(plain, assessment, list(range(len(assessment))), answers.scores(assessment), SCORES)


def _assessed(plain: Mapping[str, Any], loaded: Loaded, settings: Settings) -> Assessment:
    request = requests.request_of(plain, loaded.cards, most_loans=settings.most_loans)
    return assess(request.history, loaded.cards[request.card], loaded.policy)
