"""What Schemathesis is told of the service: which role's token a path takes, and that a key is for one request."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import schemathesis

ROLES = {"/v1/models": "admin", "/metrics": "admin", "/v1/decisions/{score_id}": "reviewer"}
"""Every other path is an engine's or everybody's."""

_used: set[str] = set()


@schemathesis.auth(refresh_interval=None)
class Token:
    """The token of the role that a path is for."""

    def get(self, _: Any, context: Any) -> str:
        """Return the token."""
        tokens: dict[str, str] = json.loads(os.environ["REPAYRANK_TEST_TOKENS"])
        return tokens[ROLES.get(context.operation.path, "engine")]

    def set(self, case: Any, token: str, _: Any) -> None:
        """Put it into a request."""
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """Send a key once: used for another body it would be refused for that alone."""
    key = (case.headers or {}).get("Idempotency-Key")
    if key in _used:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    elif key is not None:
        _used.add(key)


@schemathesis.hook
def map_body(_: Any, body: Any) -> Any:
    """Put the card's own currency in the place of any other, which no schema says; else no row would be scored."""
    rows = body.get("rows") if isinstance(body, dict) else None
    for row in rows if isinstance(rows, list) else ():
        currency = row.get("currency") if isinstance(row, dict) else None
        if isinstance(currency, str) and len(currency) == len("TWD") and currency.isascii() and currency.isupper():
            row["currency"] = "TWD"
    return body
