"""What the operator decides about access: whose signed tokens count, and how often each role may ask.

The file is HOME/access/access.toml; without it there are local tokens alone, and the limits of the release.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from features.errors import ConfigurationRefused
from serving.access.files import PUBLIC, read_guarded
from serving.access.limits import Limits, Rate
from serving.access.tokens import FOLDER, tokens_file

FILE = "access.toml"
ALGORITHMS = ("EdDSA", "ES256", "RS256", "PS256")
"""Signatures with a private key that only the issuer has; a shared secret would let the service sign as well."""

MOST_LEEWAY_SECONDS = 300
"""More would not be a clock that is off but a longer life of every token."""


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose signed tokens count.

    Attributes
    ----------
    issuer, audience : what claims `iss` and `aud` have to be, to the letter
    jwks : the file of public keys (RFC 7517), from the folder of this file on
    role_claim : the claim that names the role, one of ours
    algorithms : the signatures that are believed
    leeway_seconds : by how much clocks may differ
    longest_seconds : how far ahead a token may end: what is stolen unnoticed has to end soon
    """

    issuer: str
    audience: str
    jwks: str
    role_claim: str = "repayrank_role"
    algorithms: tuple[str, ...] = ALGORITHMS
    leeway_seconds: float = 30.0
    longest_seconds: float = 86_400.0


@dataclass(frozen=True)
class Rules:
    """What is decided: the file of local tokens, the issuer of signed ones or None, and the limits."""

    tokens: Path
    issuer: Issuer | None = None
    limits: Limits = field(default_factory=Limits)


def rules_of(home: Path) -> Rules:
    """Return the rules of a store.

    Raises
    ------
    ConfigurationRefused : the file is not right, or others could change it
    """
    path = home / FOLDER / FILE
    try:
        raw = read_guarded(path, PUBLIC)
    except FileNotFoundError:
        return Rules(tokens_file(home))
    try:
        written: dict[str, Any] = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refused([str(error)], path) from error
    faults = [f"unknown section '{name}'" for name in written if name not in {"jwt", "limits"}]
    limits = _limits(written.get("limits", {}), faults)
    issuer = _issuer(written["jwt"], path.parent, faults) if "jwt" in written else None
    if faults:
        raise _refused(faults, path)
    return Rules(tokens_file(home), issuer, limits)


def _limits(written: Any, faults: list[str]) -> Limits:
    limits = Limits()
    try:
        rates = msgspec.convert(written, dict[str, Rate])
        return replace(limits, **rates)
    except msgspec.ValidationError as error:
        faults.append(f"section 'limits': {error}")
    except TypeError:
        known = ", ".join((*limits.by_role(), "failed"))
        faults.append(f"section 'limits': a name that is none of {known}")
    except ConfigurationRefused as error:
        faults.append(f"section 'limits': {error.found}")
    return limits


def _issuer(written: Mapping[str, Any], folder: Path, faults: list[str]) -> Issuer | None:
    try:
        found = msgspec.convert(written, Issuer)
    except msgspec.ValidationError as error:
        faults.append(f"section 'jwt': {error}")
        return None
    before = len(faults)
    if not (found.issuer and found.audience and found.jwks and found.role_claim):
        faults.append("section 'jwt': issuer, audience, jwks and role_claim are not empty")
    if not found.algorithms or not set(found.algorithms) <= set(ALGORITHMS):
        faults.append(f"section 'jwt': algorithms are some of {', '.join(ALGORITHMS)}")
    if not 0 <= found.leeway_seconds <= MOST_LEEWAY_SECONDS:
        faults.append(f"section 'jwt': leeway_seconds is 0 to {MOST_LEEWAY_SECONDS}")
    if not 0 < found.longest_seconds < float("inf"):
        faults.append("section 'jwt': longest_seconds is above 0")
    return None if len(faults) > before else msgspec.structs.replace(found, jwks=str(folder / found.jwks))


def _refused(faults: list[str], path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults),
        where=str(path),
        expected="sections [jwt] and [limits] as docs/access.md describes them",
        do="correct what is named",
    )
