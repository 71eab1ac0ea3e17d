"""Why somebody was not let in: a word for the operator's counters, which the caller is never told."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """The few words there are, so that counting them takes a fixed amount of memory."""

    FORM = "form"
    UNKNOWN = "unknown"
    """No such id, or another secret: which of the two is nobody's business."""
    EXPIRED = "expired"
    REVOKED = "revoked"
    HEADER = "header"
    KEY = "key"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    ROLE = "role"
    NO_ISSUER = "no_issuer"


class NotLetIn(Exception):
    """A token that is not valid here; its text is one word and holds nothing of the token."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why
