"""The pieces that an OpenAPI document is made of: objects, lists, references and operations in one form."""

from __future__ import annotations

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


def read(name: str, summary: str, answer: str) -> Schema:
    """Return an operation that reads JSON."""
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "the answer", **json_answer(answer)}},
    }


def text(name: str, summary: str, kind: str) -> Schema:
    """Return an operation that reads text."""
    content = {kind: {"schema": STRING}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "the answer", "content": content}},
    }


def without_token(told: Schema) -> Schema:
    """Return an operation that asks for no token."""
    return {**told, "security": []}
