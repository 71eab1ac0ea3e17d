"""The pieces that an OpenAPI document is made of: objects, lists, references and operations in one form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
STRING: Schema = {"type": "string"}


def json_answer(name: str) -> Schema:
    """Return the content of an answer in JSON."""
    return {"content": {"application/json": {"schema": ref(name)}}}


def ref(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Schema, **bounds: int) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **bounds}


def object_of(properties: Schema, *, optional: tuple[str, ...] = (), description: str | None = None) -> Schema:
    """Return the schema of an object with these properties and no other."""
    told: Schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
    return told if description is None else {**told, "description": description}


OF_A_TOKEN = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What whoever needs a token may be told instead of an answer."""

RETRY_AFTER: Schema = {"Retry-After": {"schema": {**INTEGER, "minimum": 1}, "description": "seconds"}}
HEADERS: dict[HTTPStatus, Schema] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": {"schema": {"const": "Bearer"}, "required": True}},
    HTTPStatus.CONFLICT: RETRY_AFTER,
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": {**RETRY_AFTER["Retry-After"], "required": True}},
    HTTPStatus.SERVICE_UNAVAILABLE: RETRY_AFTER,
}


def refusals(*statuses: HTTPStatus) -> Schema:
    """Return the answers that are refusals, by status."""
    return {
        str(int(status)): {
            "description": status.phrase,
            **json_answer("Refusal"),
            **({"headers": HEADERS[status]} if status in HEADERS else {}),
        }
        for status in sorted(statuses)
    }


def read(name: str, summary: str, answer: str) -> Schema:
    """Return an operation that reads JSON with a token."""
    return _operation(name, summary, json_answer(answer))


def text(name: str, summary: str, kind: str) -> Schema:
    """Return an operation that reads text with a token."""
    return _operation(name, summary, {"content": {kind: {"schema": STRING}}})


def without_token(told: Schema, *statuses: HTTPStatus) -> Schema:
    """Return an operation that asks for no token, and is refused with these statuses alone."""
    return {**told, "security": [], "responses": {"200": told["responses"]["200"], **refusals(*statuses)}}


def _operation(name: str, summary: str, content: Schema) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "the answer", **content}, **refusals(*OF_A_TOKEN)},
    }
