"""What is written of one request: figures in clear under pseudonyms, everything that tells of a person sealed for it.

    record    who asked, when, which model and policy; of each loan its score, parts, band and the names of its
              reasons; sealed for each subject: all rows that were sent about it, values and contributions
    answer    the pieces of the answer, each sealed for those whom it is about

The figures stay when a subject's key is destroyed: statistics of decisions stay whole, and lead to nobody.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from features.declaration import Group
from models.risk_model import Floats
from serving.decisions.pieces import BEFORE_ABOVE, pieces
from serving.decisions.shares import Share, asked_in_clear, names
from serving.found import Found, written
from serving.records.canonical import read_record
from serving.records.errors import broken
from serving.subjects import sealing
from serving.subjects.subject import Name, Subject

FORMAT = "repayrank-decision/1"
EVENT = "score:loan:created"
FLOAT64 = np.dtype("<f8")
SHARE, PIECE = "share", "piece"
FIGURES = (
    "score_id",
    "observation_date",
    "default_probability",
    "points",
    "band",
    "base",
    "log_odds",
    "calibrated_log_odds",
    "quadrant",
)


@dataclass(frozen=True)
class Context:
    """What a record says beside what was found.

    Attributes
    ----------
    log : the log's name; ciphertext of one log opens in no other
    key : under which the request is written, by which ciphertext of one record opens in no other
    recorded_at : when, with its zone
    route, caller, role : what was asked for, and by whom
    full : whether the answer tells the contribution of each reason
    release : version of this software
    """

    log: str
    key: str
    recorded_at: datetime
    route: str
    caller: str
    role: str
    full: bool
    release: str


class Detail(NamedTuple):
    """All features of one loan, in the order of the card's catalog: float64 values and contributions in log-odds."""

    values: Floats
    contributions: Floats


class Sealed(NamedTuple):
    """A record and the answer's pieces, both as the log takes them."""

    record: dict[str, Any]
    answer: bytes


class Part(NamedTuple):
    """What one subject's share says: the rows that were sent, and the details of its decisions by their place."""

    share: Share
    details: dict[int, Detail]


def sealed_record(
    found: Found, cut: Mapping[Name, Share], context: Context, subjects: Mapping[Name, Subject]
) -> Sealed:
    """Return what is written of a request.

    Parameters
    ----------
    cut : the request's `shares`
    subjects : all whom it tells of, with their keys
    """
    owners = names(found.plain)
    whose = [subjects[owners[entry["loan_id"]]] for entry in found.entries]
    places: dict[bytes, list[int]] = {}
    for place, subject in enumerate(whose):
        places.setdefault(subject.pseudonym, []).append(place)
    first = found.entries[0]
    record = {
        "format": FORMAT,
        "recorded_at": context.recorded_at.isoformat(),
        "route": context.route,
        "caller": context.caller,
        "role": context.role,
        "full": context.full,
        "release": context.release,
        "answer": found.name,
        "asked": asked_in_clear(found.plain),
        "model": {**first["model"], "manifest_sha256": found.assessment.model.manifest},
        "policy": first["policy"],
        "decisions": [_figures(entry, subject) for entry, subject in zip(found.entries, whose, strict=True)],
        "shares": [
            {
                "subject": subjects[name].pseudonym.hex(),
                "sealed": _text(
                    sealing.sealed(
                        subjects[name].key,
                        _share(found, share, places.get(subjects[name].pseudonym, [])),
                        sealing.place(context.log, subjects[name].pseudonym, context.key, SHARE),
                    )
                ),
            }
            for name, share in cut.items()
        ],
    }
    return Sealed(record, _sealed_answer(found, context, whose))


def opened_part(raw: str, key: bytes, pseudonym: bytes, log: str, log_key: str) -> Part:
    """Return a subject's share of a record.

    Parameters
    ----------
    raw : as `sealed_record` wrote it
    key : the subject's data key

    Raises
    ------
    SealBroken : it is not what was sealed
    """
    plain = json.loads(sealing.opened(key, base64.b64decode(raw), sealing.place(log, pseudonym, log_key, SHARE)))
    details = {
        int(place): Detail(_floats(values), _floats(contributions))
        for place, values, contributions in plain["decisions"]
    }
    return Part(plain["share"], details)


class OpenedPiece(NamedTuple):
    """A piece of an answer; `content` is None where it was erased."""

    places: tuple[int, ...]
    content: bytes | None


def opened_answer(raw: bytes, keys: Mapping[bytes, bytes | None], log: str, log_key: str) -> list[OpenedPiece]:
    """Return the pieces of an answer.

    Parameters
    ----------
    keys : the data key of each pseudonym, None where it was destroyed

    Raises
    ------
    SealBroken : one is not what was sealed
    """
    told = []
    for number, piece in enumerate(json.loads(raw)["pieces"]):
        content: bytes | None = base64.b64decode(piece["bytes"])
        for pseudonym in map(bytes.fromhex, reversed(piece["subjects"])):
            key = keys[pseudonym]
            about = sealing.place(log, pseudonym, log_key, f"{PIECE} {number}")
            content = None if key is None or content is None else sealing.opened(key, content, about)
        told.append(OpenedPiece(tuple(piece["places"]), content))
    return told


def entries(answer: list[OpenedPiece]) -> dict[int, dict[str, Any]]:
    """Return the entries of an answer that can still be read, by place; without their comparison to the next loan."""
    told: dict[int, dict[str, Any]] = {}
    for piece in answer:
        if len(piece.places) == 1 and piece.content is not None:
            ends_open = piece.content.endswith(BEFORE_ABOVE)
            told[piece.places[0]] = json.loads(piece.content + b"null}" if ends_open else piece.content)
    return told


def pseudonyms_in(answer: bytes) -> set[bytes]:
    """Return whose keys open an answer."""
    return {bytes.fromhex(subject) for piece in json.loads(answer)["pieces"] for subject in piece["subjects"]}


def decision_record(raw: bytes) -> dict[str, Any]:
    """Return the content of a decision's record.

    Raises
    ------
    AuditBroken : it is none
    """
    plain = read_record(raw)
    if plain.get("format") != FORMAT:
        raise broken(f"a record of another form than {FORMAT}", "the decision log")
    return plain


def _sealed_answer(found: Found, context: Context, whose: list[Subject]) -> bytes:
    cut = []
    for number, piece in enumerate(pieces(found)):
        content = piece.content
        # A borrower with two loans is not sealed for twice.
        owners = {whose[place].pseudonym: whose[place].key for place in piece.places}
        for pseudonym, key in owners.items():
            about = sealing.place(context.log, pseudonym, context.key, f"{PIECE} {number}")
            content = sealing.sealed(key, content, about)
        cut.append(
            {"places": piece.places, "subjects": [pseudonym.hex() for pseudonym in owners], "bytes": _text(content)}
        )
    return written({"pieces": cut})


def _figures(entry: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    told = {name: entry[name] for name in FIGURES}
    told |= {group.value: entry[group.value]["contribution"] for group in Group}
    told |= {"priority": entry["priority"]} if "priority" in entry else {}
    return {
        **told,
        "subject": subject.pseudonym.hex(),
        "treatment": entry["treatment"]["rung"],
        "reasons": [[reason["feature"], reason["effect"]] for reason in entry["reasons"]],
    }


def _share(found: Found, share: Share, places: list[int]) -> bytes:
    assessment = found.assessment
    details = [
        [place, _bits(assessment.values[case]), _bits(assessment.attribution.contributions[case])]
        for place, case in ((place, found.cases[place]) for place in places)
    ]
    return written({"share": share, "decisions": details})


def _bits(row: Floats) -> str:
    return _text(np.asarray(row, dtype=FLOAT64).tobytes())


def _floats(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), dtype=FLOAT64).astype(np.float64)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
