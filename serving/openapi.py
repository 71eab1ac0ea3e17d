"""The exact form of every request and answer, as an OpenAPI 3.1 document made from the declarations themselves."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import polars as pl

from features.declaration import Group
from features.declared import columns_of_kinds
from features.schemas import MOST_MONEY, NO_CURRENCY, PRODUCTS, Table
from features.tables import FACTS, NoFacts, declarations
from features.words import Unit
from models.fitted_card import FittedCard
from models.policy import QUADRANTS
from models.risk_model import GROUP_ORDER
from serving import columns, own_columns, requests
from serving.openapi_forms import (
    INTEGER,
    NUMBER,
    OF_A_TOKEN,
    STRING,
    Schema,
    json_answer,
    list_of,
    object_of,
    read,
    ref,
    refusals,
    text,
    without_token,
)
from serving.openapi_records import ID, decision, explained_answer, of_the_log, receipt_headers
from serving.ready import MOST
from serving.records.entry import KEY
from serving.settings import Settings
from serving.state import Loaded

DAY: Schema = {"type": "string", "format": "date", "pattern": f"^{columns.DAY.pattern}$"}


def document(loaded: Loaded, settings: Settings) -> Schema:
    """Return the document of a service with these cards and limits."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "repayrank",
            "version": release(),
            "summary": "Who will repay, who first, and why.",
            "description": (
                "Tables of one or many borrowers in; calibrated probability, points, separable parts, quadrant, "
                "reasons in English and Chinese, and an order of work out. Money is a whole number of minor units. "
                "Positive log-odds mean more risk; more points mean less."
            ),
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": {
            "/v1/score": {"post": _scored(loaded, "score", "Score loans, in the order sent", "ScoreAnswer")},
            "/v1/score/features": {
                "post": _scored(
                    loaded, "scoreFeatures", "Score loans whose features are ready", "ScoreAnswer", "ReadyRequest"
                )
            },
            "/v1/rank": {"post": _scored(loaded, "rank", "Put loans in order of work, each with why", "RankAnswer")},
            "/v1/features": {"get": read("features", "The feature dictionary", "FeaturesAnswer")},
            "/v1/openapi.json": {"get": read("openapi", "This document", "AnyObject")},
            "/readyz": {
                "get": without_token(
                    read("readyz", "Whether scores can be asked for", "ReadyAnswer"), HTTPStatus.SERVICE_UNAVAILABLE
                )
            },
            "/livez": {"get": without_token(read("livez", "Whether the process is alive", "AliveAnswer"))},
            "/metrics": {"get": text("metrics", "Counters in Prometheus' text form", "text/plain")},
            "/": {"get": without_token(text("page", "A page for people", "text/html"), HTTPStatus.SERVICE_UNAVAILABLE)},
            "/v1/models": {"get": read("models", "The cards that are answered", "ModelsAnswer")},
            "/v1/audit/checkpoint": {"get": of_the_log(text("checkpoint", "The newest checkpoint", "text/plain"))},
            "/v1/decisions/{score_id}": {"get": decision()},
        },
        "components": {
            "schemas": _schemas(loaded, settings),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "which token may use which path: docs/access.md",
                }
            },
        },
        "security": [{"token": []}],
    }


def release() -> str:
    """Return the version of this software."""
    try:
        return version("repayrank")
    except PackageNotFoundError:  # run from a folder, as a bento is
        return "0"


def _schemas(loaded: Loaded, settings: Settings) -> Schema:
    return {
        "Request": _request(loaded, settings),
        "ReadyRequest": _ready_request(loaded, settings),
        **{
            _row_name(name): _facts(loaded) if name == FACTS else _row(schema)
            for name, schema in _declared(loaded).items()
        },
        "ScoreAnswer": object_of({"scores": list_of(ref("Score"), minItems=1)}),
        "RankAnswer": object_of({"ranking": list_of(ref("Ranked"), minItems=1)}),
        "Score": object_of(_entry(loaded)),
        "Ranked": object_of(
            {
                **_entry(loaded),
                "priority": {**INTEGER, "minimum": 1, "description": "1 is worked first"},
                "above_next": {"oneOf": [ref("Above"), {"type": "null"}], "description": "null on the last"},
            }
        ),
        "Above": _above(),
        "Reason": _reason(),
        "Text": object_of({"en": STRING, "zh": STRING}),
        "Model": object_of({"name": {"enum": list(loaded.names)}, "version": STRING, "fingerprint": STRING}),
        "FeaturesAnswer": object_of({"features": list_of(ref("Feature"))}),
        "Feature": object_of(
            {
                "name": STRING,
                "group": {"enum": list(Group)},
                "family": STRING,
                "unit": {"enum": list(Unit)},
                "direction": {"enum": ["falls", "free", "rises"]},
                "label": ref("Text"),
                "en": STRING,
                "zh": STRING,
                "missing": ref("Text"),
                "definition": STRING,
            }
        ),
        "ReadyAnswer": object_of(
            {"ready": {"const": True}, "cards": {"type": "object", "additionalProperties": ref("Model")}}
        ),
        "AliveAnswer": object_of({"alive": {"const": True}}),
        "AnyObject": {"type": "object"},
        "ModelsAnswer": object_of({"models": list_of(_summary(loaded))}),
        "DecisionAnswer": explained_answer(),
        "Refusal": _refusal(),
    }


def _request(loaded: Loaded, settings: Settings) -> Schema:
    tables: Schema = {name: list_of(ref(_row_name(name)), maxItems=requests.MOST_ROWS) for name in _declared(loaded)}
    tables["loans"] |= {"minItems": 1, "maxItems": settings.most_loans}
    return object_of(
        {
            "card": {"enum": list(loaded.names)},
            "observation_date": {**DAY, "description": "what was recorded after this day does not exist"},
            "time_zone": {
                "type": ["string", "null"],
                "description": f"IANA zone in which the lender's days end; {requests.DEFAULT_ZONE} when left out",
            },
            "tables": object_of(tables, optional=tuple(name for name in tables if name != "loans")),
        },
        optional=("time_zone",),
        description=f"At most {settings.most_bytes} bytes; no key twice. Every loan must be known on the date.",
    )


def _ready_request(loaded: Loaded, settings: Settings) -> Schema:
    row = object_of(
        {
            "loan_id": {**STRING, "minLength": 1, "maxLength": columns.LONGEST_TEXT},
            "product": {"enum": list(PRODUCTS)},
            "currency": {**STRING, "pattern": f"^(?!{NO_CURRENCY}$)[A-Z]{{3}}$"},
            "owed_minor": {**INTEGER, "minimum": 0, "maximum": MOST_MONEY, "description": "at risk, in minor units"},
            "features": _features(loaded),
        }
    )
    return object_of(
        {
            "card": {"enum": list(loaded.names)},
            "observation_date": DAY,
            "rows": list_of(row, minItems=1, maxItems=settings.most_loans),
        }
    )


def _features(loaded: Loaded) -> Schema:
    """Return the features that a card reads; of several cards each reads its own."""
    value = {"type": ["number", "null"], "maximum": MOST, "minimum": -MOST}
    told = [
        {"title": f"card {name}", **object_of(dict.fromkeys(card.catalog.names, value))}
        for name, card in loaded.cards.items()
    ]
    description = (
        "each feature that the card reads and no other, see /v1/features; null: not known; a number beyond "
        f"{columns.EXACT} is written with a point or an exponent"
    )
    return {**(told[0] if len(told) == 1 else {"anyOf": told}), "description": description}


def _declared(loaded: Loaded) -> dict[str, type[Table]]:
    """Return every table that some card reads; the columns of `facts` are told by `_facts`."""
    return declarations(NoFacts if any(card.sent for card in loaded.cards.values()) else None)


def _facts(loaded: Loaded) -> Schema:
    """Return a row of the lender's own facts, with the columns of all cards, of which a card reads its own."""
    cards = {name: card for name, card in loaded.cards.items() if card.sent}
    row = _row(NoFacts)
    for column in dict.fromkeys(column for card in cards.values() for column in card.sent):
        told = {name: _own(card, column) for name, card in cards.items() if column in card.sent}
        alone = len({str(one) for one in told.values()}) == 1
        row["properties"][column] = (
            next(iter(told.values()))
            if alone
            else {"anyOf": [{**one, "title": f"card {name}"} for name, one in told.items()]}
        )
    row["required"] += [column for column in row["properties"] if all(column in card.needed for card in cards.values())]
    row["description"] += f" Required of {', '.join(cards)}: what the card reads is there, null where it is not known."
    return row


def _own(card: FittedCard, column: str) -> Schema:
    kind = columns_of_kinds({column: card.sent[column]})[column]
    known = own_columns.levels(card, column)
    return {
        **_cell(kind),
        "description": own_columns.meaning(card, column),
        **({"examples": known} if known else {}),
    }


def _row_name(table: str) -> str:
    return f"{table.removesuffix('s').title()}Row"


def _row(schema: type[Table]) -> Schema:
    declared = schema.columns()
    return object_of(
        {name: _cell(kind) for name, kind in declared.items()},
        optional=tuple(name for name, kind in declared.items() if kind.nullable),
        description=f"{(schema.__doc__ or '').strip()} One row only for each {' and '.join(schema.primary_key())}.",
    )


def _cell(kind: Any) -> Schema:
    told = _of_type(kind)
    if kind.nullable:
        told = {**told, "type": [told["type"], "null"]}
        if "enum" in told:
            told["enum"] = [*told["enum"], None]
    return {**told, "description": kind.description}


def _of_type(kind: Any) -> Schema:
    dtype = kind.dtype
    if isinstance(dtype, pl.Enum):
        return {"type": "string", "enum": dtype.categories.to_list()}
    if type(dtype) in columns.BITS:
        bound = 2 ** (columns.BITS[type(dtype)] - 1)
        least, most = (getattr(kind, name, None) for name in ("min", "max"))
        return {
            "type": "integer",
            "minimum": -bound if least is None else least,
            "maximum": bound - 1 if most is None else most,
        }
    if isinstance(dtype, pl.Date):
        return dict(DAY)
    if isinstance(dtype, pl.Datetime):
        return {"type": "string", "format": "date-time", "pattern": f"^{columns.INSTANT.pattern}$"}
    if isinstance(dtype, pl.Float64):
        return {"type": "number"}
    shape = {"pattern": kind.regex} if getattr(kind, "regex", None) else {}
    return {"type": "string", "minLength": kind.min_length or 0, "maxLength": columns.LONGEST_TEXT, **shape}


def _entry(loaded: Loaded) -> Schema:
    part = object_of({"contribution": {**NUMBER, "description": "log-odds; positive raises risk"}})
    policy = loaded.policy
    return {
        "score_id": {**ID, "description": "quote it; sorts by time"},
        "loan_id": STRING,
        "observation_date": DAY,
        "default_probability": {**NUMBER, "minimum": 0, "maximum": 1, "description": "calibrated"},
        "points": {**INTEGER, "description": "higher is safer"},
        "band": {"enum": [band.name for band in policy.bands]},
        "base": NUMBER,
        **{group.value: part for group in GROUP_ORDER},
        "log_odds": {**NUMBER, "description": "base + ability + willingness + circumstances, added in that order"},
        "calibrated_log_odds": NUMBER,
        "quadrant": {"enum": list(QUADRANTS), "description": "a code for machines; people are shown its name"},
        "quadrant_name": {"$ref": "#/components/schemas/Text", "description": "as the policy calls it for the card"},
        "treatment": object_of(
            {"rung": {"enum": list(dict.fromkeys(entry.rung for entry in policy.treatments))}, "text": ref("Text")}
        ),
        "exposure": object_of({"amount_minor": INTEGER, "owed_minor": INTEGER, "currency": STRING}),
        "ledger": object_of(
            {
                "chance": {**NUMBER, "description": "log of the default probability"},
                "exposure": {**NUMBER, "description": "log of the amount at risk in minor units"},
                "loss_share": {**NUMBER, "description": "log of the share that is lost"},
                "priority": {**NUMBER, "description": "chance + exposure + loss_share, added in that order"},
                "expected_loss_minor": NUMBER,
                "loss_share_status": {
                    **STRING,
                    "description": "model: the card's recovery model; else the policy's word for its own loss share",
                },
                "expected_recovery_minor": {
                    "type": ["number", "null"],
                    "minimum": 0,
                    "description": "exposure x expected recovered share; null without a recovery model",
                },
            }
        ),
        "reasons": list_of(ref("Reason"), maxItems=policy.reasons.raising + policy.reasons.lowering),
        "model": ref("Model"),
        "policy": object_of({"version": STRING, "digest": STRING}),
        "notes": list_of(ref("Text")),
    }


def _above() -> Schema:
    line = object_of({"name": STRING, "difference": NUMBER, "text": ref("Text")}, optional=("difference",))
    return object_of(
        {
            "loan_id": STRING,
            "gap": {**NUMBER, "description": "difference of the two priorities: the sum of lines and rest"},
            "lines": list_of(line),
            "rest": NUMBER,
            "groups": object_of({group.value: NUMBER for group in Group}),
            "swap_exposure_minor": {
                "type": ["integer", "null"],
                "description": "amount at risk at which both would stand level; null when below the policy's least",
            },
            "text": ref("Text"),
        },
        optional=("rest",),
    )


def _reason() -> Schema:
    return object_of(
        {
            "feature": STRING,
            "group": {"enum": list(Group)},
            "effect": {"enum": ["raises", "lowers"]},
            "contribution": {**NUMBER, "description": "log-odds; an engine is not answered it"},
            "value": {"type": ["number", "null"], "description": "money in minor units, as value_in says"},
            "value_in": {**STRING, "description": "what the value counts: 'minor units of CNY', 'months', ..."},
            "unit": {"enum": list(Unit)},
            "missing": {"type": "boolean"},
            "text": ref("Text"),
        },
        optional=("contribution",),
    )


def _refusal() -> Schema:
    fault = object_of(
        {
            "table": STRING,
            "row": {"type": ["integer", "null"], "minimum": 0, "description": "counts from 0"},
            "column": {"type": ["string", "null"]},
            "expected": STRING,
        }
    )
    told = dict.fromkeys(("code", "found", "where", "expected", "do"), STRING)
    return object_of(
        {"error": object_of({**told, "fault_count": INTEGER, "faults": list_of(fault, maxItems=requests.MOST_FAULTS)})}
    )


def _summary(loaded: Loaded) -> Schema:
    told: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    return object_of(
        {
            "name": {"enum": list(loaded.names)},
            "version": STRING,
            "fingerprint": STRING,
            "title": ref("Text"),
            "features": INTEGER,
            "fitted_on": told,
            "made": told,
        }
    )


def _scored(loaded: Loaded, name: str, summary: str, answer: str, request: str = "Request") -> Schema:
    statuses = (
        *OF_A_TOKEN,
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.GONE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "schema": {**STRING, "pattern": f"^{KEY.pattern}$"},
                "description": (
                    "new for each request; the same again when no answer arrived: the answer is then that of the first"
                ),
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": ref(request), **(_examples(loaded) if request == "Request" else {})}
            },
        },
        "responses": {
            "200": {"description": "the answer; it is on record", **json_answer(answer), "headers": receipt_headers()},
            **refusals(*statuses),
        },
    }


def _examples(loaded: Loaded) -> Schema:
    return {
        "examples": {
            name: {"summary": card.card.title.en, "value": own_columns.example(card)}
            for name, card in loaded.cards.items()
        }
    }
