"""What the door says before a request is looked at: not here, not this way, not now."""

from __future__ import annotations

from http import HTTPStatus

from serving.refusals import AGAIN, Refusal

NOT_FOUND = Refusal(
    HTTPStatus.NOT_FOUND,
    "not_found",
    "a path that is not served",
    "the path",
    "a path of GET /v1/openapi.json",
    "see GET /v1/openapi.json",
)
NO_LOG = Refusal(
    HTTPStatus.NOT_FOUND,
    "no_log",
    "a service that records no decisions",
    "this process",
    "a service with a decision log",
    "start the service with a decision log",
)
STOPPED = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "log_stopped",
    "a decision log that has stopped",
    "this process",
    "a log that writes",
    "look at the disk of the log, then start the service again",
    headers=AGAIN,
)
NOT_READY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "not_ready",
    "no model is loaded",
    "this process",
    "a process that has started and is not stopping",
    "wait until GET /readyz answers 200",
    headers=AGAIN,
)
RUNNING = Refusal(
    HTTPStatus.CONFLICT,
    "running",
    "a request with this key that is still being answered",
    "the header Idempotency-Key",
    "a key of its own for each request",
    "send the request again after a second to get the answer of the first",
    headers=AGAIN,
)
BUSY = Refusal(
    HTTPStatus.TOO_MANY_REQUESTS,
    "busy",
    "as many requests as can be taken at a time",
    "this process",
    "fewer requests at a time",
    "send the request again after a second, or several loans in one request",
    headers=AGAIN,
)


def wrong_method(allowed: tuple[str, ...]) -> Refusal:
    """Return the refusal of a method that a path does not have."""
    return Refusal(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "another method",
        "the request line",
        " or ".join(allowed),
        "see GET /v1/openapi.json",
        headers=((b"allow", ", ".join(allowed).encode()),),
    )
