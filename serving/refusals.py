"""What a caller is told when there is no answer: what was found, where, what was expected and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from features.errors import ConfigurationRefused, DataRefused, ModelRefused, RepayrankError, TablesRefused, UsageError
from serving.decisions.errors import Erased, NoSuchDecision
from serving.records.errors import AuditBroken, KeyReused, LogBusy, LogStopped, LogUnreachable
from serving.subjects.errors import SealBroken, VaultBroken, VaultBusy, VaultStopped
from serving.subjects.reasons import NamesSomebody

STATUSES: dict[type[RepayrankError], tuple[HTTPStatus, str]] = {
    UsageError: (HTTPStatus.BAD_REQUEST, "not_understood"),
    NamesSomebody: (HTTPStatus.BAD_REQUEST, "reason_names_somebody"),
    DataRefused: (HTTPStatus.UNPROCESSABLE_ENTITY, "data_refused"),
    # What comes up only with a request is the request's own: a zone that is none, a day before the policy begins.
    ConfigurationRefused: (HTTPStatus.UNPROCESSABLE_ENTITY, "configuration_refused"),
    ModelRefused: (HTTPStatus.SERVICE_UNAVAILABLE, "model_refused"),
    KeyReused: (HTTPStatus.UNPROCESSABLE_ENTITY, "key_reused"),
    Erased: (HTTPStatus.GONE, "erased"),
    NoSuchDecision: (HTTPStatus.NOT_FOUND, "no_such_decision"),
    # Nothing is answered that is not on record: each of these means that the same request may come again.
    LogUnreachable: (HTTPStatus.SERVICE_UNAVAILABLE, "log_away"),
    LogBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "log_busy"),
    LogStopped: (HTTPStatus.SERVICE_UNAVAILABLE, "log_stopped"),
    AuditBroken: (HTTPStatus.SERVICE_UNAVAILABLE, "log_broken"),
    VaultBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "log_busy"),
    VaultStopped: (HTTPStatus.SERVICE_UNAVAILABLE, "log_stopped"),
    VaultBroken: (HTTPStatus.SERVICE_UNAVAILABLE, "log_broken"),
    SealBroken: (HTTPStatus.SERVICE_UNAVAILABLE, "log_broken"),
}


AGAIN = ((b"retry-after", b"1"),)
"""Sent with every refusal that says nothing of the request itself: the same one may be taken a second later."""


@dataclass(frozen=True)
class Refusal:
    """An error answer."""

    status: HTTPStatus
    code: str
    found: str
    where: str
    expected: str
    do: str
    faults: list[dict[str, Any]] = field(default_factory=list)
    fault_count: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the body of the answer."""
        names = ("code", "found", "where", "expected", "do", "fault_count", "faults")
        return {"error": {name: getattr(self, name) for name in names}}


def refusal_of(error: RepayrankError) -> Refusal:
    """Return the answer for an error with a known cause."""
    status, code = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    if isinstance(error, TablesRefused):
        # The faults have their own list; the sentence need not repeat them.
        return Refusal(
            status,
            code,
            f"{error.total} fault{'s' if error.total != 1 else ''}",
            error.where,
            error.expected,
            error.do,
            faults=[
                {"table": fault.table, "row": fault.row, "column": fault.column, "expected": fault.expected}
                for fault in error.faults
            ],
            fault_count=error.total,
        )
    # Where the log's database stands is told to who runs the service, not to who asks it.
    where = "the decision log" if isinstance(error, LogUnreachable | AuditBroken) else error.where
    headers = AGAIN if status is HTTPStatus.SERVICE_UNAVAILABLE else ()
    return Refusal(status, code, error.found, where, error.expected, error.do, headers=headers)


def unforeseen(incident: str) -> Refusal:
    """Return the answer for a bug: an id to quote, and nothing of the error, whose text may hold a value."""
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        "an error of ours",
        f"incident {incident}",
        "an answer",
        "quote the incident to whoever runs the service",
    )
