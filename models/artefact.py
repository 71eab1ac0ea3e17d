"""A fitted card as files that can be checked years later: text and JSON, hashed, signed, with known answers inside.

    model.txt       the boosted trees, LightGBM's own text
    card.json       the card's declaration, features in order, groups, directions, calibration, reference, versions,
                    the lender's own features and how the facts they read come out of its rows
    golden.json     fixed feature rows with their exact scores and contributions
    recovery_any.txt, recovery_share.txt, recovery_lost.txt    the trees of the card's recovery model, where it has one
    manifest.json   SHA-256 of each file above
    manifest.sig    Ed25519 signature of manifest.json

There is no pickle. The manifest, not a registry, is the root of trust: nothing is given to LightGBM before the
signature and every hash hold, because a damaged model file can end the process without an exception.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, TypeVar

import lightgbm as lgb
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.catalog import catalog
from features.declared import declared_features, from_plain, plain_of
from features.delinquency import Allocation
from features.errors import ModelRefused
from features.portfolios.raw import raw_from_plain, raw_to_plain
from models.attribution import attribute, distance_from_lightgbm
from models.calibration import Calibration
from models.cards import declaration, from_declaration
from models.champions import sync_folder
from models.fitted_card import FittedCard
from models.recovery import RecoveryModel, UnpaidShare
from models.risk_model import Floats, RiskModel

FORMAT = "repayrank-card/4"
MODEL, CARD, GOLDEN, MANIFEST, SIGNATURE = "model.txt", "card.json", "golden.json", "manifest.json", "manifest.sig"
SIGNED_FILES = (MODEL, CARD, GOLDEN)
RECOVERY_ANY, RECOVERY_SHARE, RECOVERY_LOST = "recovery_any.txt", "recovery_share.txt", "recovery_lost.txt"
RECOVERY_FILES = (RECOVERY_ANY, RECOVERY_SHARE, RECOVERY_LOST)
"""Also hashed and signed, where a card has a recovery model."""
RECORDED_PACKAGES = ("repayrank", "lightgbm", "numpy", "polars", "scikit-learn", "scipy")
MOST_BYTES = 2**28
"""Largest file of a model, bytes: a hundred times what a large card takes."""
M = TypeVar("M", bound=RiskModel)


def canonical(plain: Any) -> bytes:
    """Return JSON bytes that are the same for the same content: sorted keys, UTF-8, shortest floats, no NaN."""
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def save(card: FittedCard, golden: Floats, folder: Path, key: Ed25519PrivateKey) -> Path:
    """Write the artefact into a new folder and return the folder.

    Parameters
    ----------
    golden : a few rows of feature values, of nobody: they are written down as they are
    key : signs the manifest
    """
    folder.mkdir(parents=True, exist_ok=False)
    contents = {
        MODEL: _text(card.model),
        CARD: canonical(_card(card)),
        GOLDEN: canonical(_golden(card, golden)),
    }
    if card.recovery is not None:
        contents |= {
            RECOVERY_ANY: _text(card.recovery.nothing),
            RECOVERY_SHARE: _text(card.recovery.unpaid),
            RECOVERY_LOST: _text(card.recovery.lost),
        }
    manifest = canonical(
        {"format": FORMAT, "sha256": {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}}
    )
    for name, raw in {**contents, MANIFEST: manifest, SIGNATURE: key.sign(manifest)}.items():
        with (folder / name).open("wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())  # what is made champion next must outlast a loss of power as the champion does
    sync_folder(folder)
    return folder


def load(
    folder: Path, trusted: Iterable[Ed25519PublicKey], *, card: str | None = None, version: str | None = None
) -> FittedCard:
    """Return the card in a folder, after its signature, hashes, fingerprint and golden rows have held.

    Parameters
    ----------
    card, version : see `verified`

    Raises
    ------
    ModelRefused : anything is missing, damaged or unsigned, it is not the one that is wanted, or the model gives other
        numbers here than where it was fitted
    """
    contents = verified(folder, trusted, card=card, version=version)
    plain = json.loads(contents[CARD])
    declared = from_plain(plain["declared"])
    features = catalog().and_declared(declared_features(declared).features).chosen(plain["features"])
    _require_same_features(folder, plain, features.fingerprint)
    fitted = FittedCard(
        card=from_declaration(plain["declaration"]),
        version=plain["version"],
        model=_model(folder, RiskModel, contents[MODEL], plain, plain),
        catalog=features,
        fingerprint=plain["fingerprint"],
        reference=plain["reference"],
        provenance={**plain["provenance"], "manifest_sha256": hashlib.sha256(contents[MANIFEST]).hexdigest()},
        declared=declared,
        allocation=Allocation(tuple(plain["allocation"]["order"]), plain["allocation"]["across_instalments"]),
        recovery=_recovery(folder, contents, plain),
        raw=raw_from_plain(plain["raw"]),
    )
    _require_golden(folder, fitted, json.loads(contents[GOLDEN]))
    return fitted


def verified(
    folder: Path, trusted: Iterable[Ed25519PublicKey], *, card: str | None = None, version: str | None = None
) -> dict[str, bytes]:
    """Return the bytes of the artefact's files once the signature and every hash hold.

    Parameters
    ----------
    card, version : what the folder is for; another one, however well signed, has no place in it
    """
    contents = _read(folder, (*SIGNED_FILES, MANIFEST, SIGNATURE))
    if not any(is_signed(key, contents[MANIFEST], contents[SIGNATURE]) for key in trusted):
        raise _refused(folder, "the manifest is not signed by a trusted key")
    manifest = json.loads(contents[MANIFEST])
    if manifest.get("format") != FORMAT:
        raise _refused(folder, "the manifest has another format")
    present = tuple(name for name in RECOVERY_FILES if name in manifest["sha256"])
    contents |= _read(folder, present)
    for name in (*SIGNED_FILES, *present):
        if hashlib.sha256(contents[name]).hexdigest() != manifest["sha256"].get(name):
            raise _refused(folder, f"the content of {name} is not what was signed")
    plain = json.loads(contents[CARD])
    if (plain["card"], plain["version"]) != (card or plain["card"], version or plain["version"]):
        raise ModelRefused(
            f"the {plain['card']} card, version {plain['version']}, in another's place",
            where=str(folder),
            expected=f"the {card} card, version {version}",
            do="remove the folder, and name a version that was trained under its own number",
        )
    return contents


def read_whole(path: Path) -> bytes:
    """Return the bytes of a file, and never wait or fill memory for what is no file of a model.

    Raises
    ------
    OSError : it cannot be read
    ModelRefused : it is a pipe, a device or a folder, or larger than any model
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        told = os.fstat(stream.fileno())
        if not stat.S_ISREG(told.st_mode) or told.st_size > MOST_BYTES:
            raise _refused(path.parent, f"{path.name} is no file of at most {MOST_BYTES >> 20} MiB")
        return stream.read(MOST_BYTES)


def _read(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    try:
        return {name: read_whole(folder / name) for name in names}
    except OSError as error:
        raise _refused(folder, f"a file of the model cannot be read ({error.strerror})") from error


def is_signed(key: Ed25519PublicKey, content: bytes, signature: bytes) -> bool:
    """Return whether a signature is that of the content by a key."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _text(model: RiskModel) -> bytes:
    return bytes(model.booster_.model_to_string().encode())


def _model(folder: Path, kind: type[M], text: bytes, part: Mapping[str, Any], plain: Mapping[str, Any]) -> M:
    """Return a model from its trees, its own part of the card's description and the columns in the whole of it."""
    model = kind.fitted(
        lgb.Booster(model_str=text.decode()),
        Calibration.from_dict(part["calibration"]),
        groups=plain["groups"],
        directions=plain["directions"],
    )
    model.trees_ = model.booster_.num_trees()
    if model.base_ != part["base"]:
        raise _refused(folder, "the model's mean score is another here than where it was fitted")
    return model


def _recovery(folder: Path, contents: Mapping[str, bytes], plain: Mapping[str, Any]) -> RecoveryModel | None:
    described = plain.get("recovery")
    if (described is not None) != all(name in contents for name in RECOVERY_FILES):
        raise _refused(folder, "the recovery model is not whole")
    if described is None:
        return None
    return RecoveryModel(
        _model(folder, RiskModel, contents[RECOVERY_ANY], described["any"], plain),
        _model(folder, UnpaidShare, contents[RECOVERY_SHARE], described["share"], plain),
        _model(folder, UnpaidShare, contents[RECOVERY_LOST], described["lost"], plain),
    )


def _part(model: RiskModel) -> dict[str, Any]:
    return {"base": model.base_, "calibration": model.calibration_.as_dict()}


def _card(card: FittedCard) -> dict[str, Any]:
    described = {
        "card": card.card.name,
        "declaration": declaration(card.card),
        "version": card.version,
        "features": list(card.catalog.names),
        "groups": [feature.group.value for feature in card.catalog],
        "directions": [int(feature.risk) for feature in card.catalog],
        **_part(card.model),
        "fingerprint": card.fingerprint,
        "texts_version": card.catalog.texts_version,
        "declared": plain_of(card.declared),
        "raw": raw_to_plain(card.raw),
        "allocation": asdict(card.allocation),
        "reference": dict(card.reference),
        "provenance": {
            **card.provenance,
            "python": platform.python_version(),
            "packages": {name: installed(name) for name in RECORDED_PACKAGES},
        },
    }
    if card.recovery is not None:
        described["recovery"] = {
            "any": _part(card.recovery.nothing),
            "share": _part(card.recovery.unpaid),
            "lost": _part(card.recovery.lost),
        }
    return described


def _golden(card: FittedCard, golden: Floats) -> dict[str, Any]:
    told = attribute(card.model, card.catalog, golden)
    distance_from_lightgbm(card.model, told, golden)
    known = {
        "values": [[None if np.isnan(value) else value for value in row] for row in golden.tolist()],
        "contributions": told.contributions.tolist(),
        "log_odds": told.log_odds.tolist(),
        "probability": card.model.calibration_.probability(told.log_odds).tolist(),
    }
    if card.recovery is not None:
        known["expected_share"] = card.recovery.expected_share(golden).tolist()
        known["lost_share"] = card.recovery.lost_share(golden).tolist()
    return known


def _require_same_features(folder: Path, plain: Mapping[str, Any], fingerprint: str) -> None:
    if fingerprint != plain["fingerprint"]:
        raise ModelRefused(
            f"features here compute other values (fingerprint {fingerprint}) than where the model was fitted "
            f"({plain['fingerprint']})",
            where=str(folder),
            expected="the same features",
            do="deploy the release that fitted the model, or fit it again with this one",
        )


def _require_golden(folder: Path, card: FittedCard, golden: Mapping[str, Any]) -> None:
    values = np.array([[np.nan if value is None else value for value in row] for row in golden["values"]])
    told = attribute(card.model, card.catalog, values)
    distance_from_lightgbm(card.model, told, values)
    same = (
        told.contributions.tolist() == golden["contributions"]
        and told.log_odds.tolist() == golden["log_odds"]
        and card.model.calibration_.probability(told.log_odds).tolist() == golden["probability"]
        and _shares(card, values) == (golden.get("expected_share"), golden.get("lost_share"))
    )
    if not same:
        raise _refused(folder, "the model scores its golden rows differently here than where it was fitted")


def _shares(card: FittedCard, values: Floats) -> tuple[list[float] | None, list[float] | None]:
    if card.recovery is None:
        return None, None
    return card.recovery.expected_share(values).tolist(), card.recovery.lost_share(values).tolist()


def _refused(folder: Path, found: str) -> ModelRefused:
    return ModelRefused(
        found,
        where=str(folder),
        expected="the files as they were signed",
        do="fetch the model again from where it was made, or train it again",
    )
