"""What the OpenAPI document says of decisions of record: how one is read, and what leads from an answer to it."""

from __future__ import annotations

from http import HTTPStatus

from features.declaration import Group
from features.words import Unit
from serving.access.door import LEAST_REASON, LONGEST_REASON
from serving.ids import CROCKFORD, LENGTH
from serving.openapi_forms import INTEGER, NUMBER, STRING, Schema, list_of, object_of, read, ref, refusals

SHA256 = "^[0-9a-f]{64}$"
ID: Schema = {**STRING, "pattern": f"^[{CROCKFORD}]{{{LENGTH}}}$"}


def explained_answer() -> Schema:
    """Return the schema of a decision as its reviewer reads it."""
    line = object_of(
        {
            "feature": STRING,
            "group": {"enum": list(Group)},
            "unit": {"enum": list(Unit)},
            "label": ref("Text"),
            "value": {"type": ["number", "null"], "description": "null: not known"},
            "contribution": {**NUMBER, "description": "log-odds; all of them and the base add up to the score"},
        }
    )
    figures = dict.fromkeys(("recorded_at", "route", "caller", "role", "release"), STRING)
    return object_of(
        {
            "decision": {"type": "object", "description": "the entry as it was answered, whatever release answered it"},
            "record": {**INTEGER, "description": "its number in the log"},
            "leaf": {**STRING, "description": "the hash of its entry, as a leaf of the log's tree"},
            "entry": {**STRING, "description": "what the leaf is made of: the digests of the record and its answer"},
            "proof": {
                "type": ["array", "null"],
                "items": {**STRING, "pattern": SHA256},
                "description": "hashes from the leaf to the root of the checkpoint (RFC 9162); null: no checkpoint yet",
            },
            "checkpoint": {
                "type": ["string", "null"],
                "description": "signed over the record; null: there is one within a second",
            },
            "figures": object_of(figures),
            "explanation": list_of(line),
        }
    )


def decision() -> Schema:
    """Return the operation that reads one decision."""
    told = of_the_log(read("decision", "One decision, explained feature by feature", "DecisionAnswer"))
    told["parameters"] = [
        {"name": "score_id", "in": "path", "required": True, "schema": ID},
        {
            "name": "X-Repayrank-Reason",
            "in": "header",
            "required": True,
            "schema": {**STRING, "minLength": LEAST_REASON, "maxLength": LONGEST_REASON},
            "description": (
                "why it is read, in printable UTF-8, not counting spaces before and behind; kept with the record of "
                "the reading"
            ),
        },
    ]
    told["responses"] |= refusals(HTTPStatus.BAD_REQUEST, HTTPStatus.GONE)
    return told


def of_the_log(told: Schema) -> Schema:
    """Return an operation with what it answers where there is no log, or nothing of that name in it."""
    told["responses"] |= refusals(HTTPStatus.NOT_FOUND)
    return told


def receipt_headers() -> Schema:
    """Return the headers that lead from an answer to its record."""
    return {
        "Repayrank-Record": {"schema": INTEGER, "description": "the number of its record"},
        "Repayrank-Checkpoint": {
            "schema": {"type": "string", "contentEncoding": "base64"},
            "description": "the newest signed checkpoint, for `repayrank audit verify --remembered`",
        },
    }
