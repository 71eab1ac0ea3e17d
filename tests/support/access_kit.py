"""What tests of access share: an identity provider of their own, its keys on disk, and doors on a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from serving.access.door import Door
from serving.access.roles import default_matrix
from serving.access.rules import rules_of
from serving.access.tokens import create, tokens_file

ISSUER, AUDIENCE, CLAIM = "https://identity.example/", "repayrank-test", "repayrank_role"
SETTINGS = f"""
[jwt]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = "jwks.json"
"""
AMPLE = "\n".join(
    f"[limits.{name}]\nper_second = 1e9\nburst = 1_000_000_000"
    for name in ("engine", "modeller", "reviewer", "admin", "failed")
)
"""Limits that a test does not reach."""


@dataclass(frozen=True)
class Key:
    """A key pair of the provider, with the algorithm that it is for."""

    kid: str
    algorithm: str
    private: Any

    def public(self) -> dict[str, Any]:
        """Return the public key as it stands in a JWK set."""
        plain: dict[str, Any] = json.loads(
            jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key())  # type: ignore[attr-defined]
        )
        return {**plain, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def pem(self) -> bytes:
        """Return the public key as PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        raw: bytes = self.private.public_key().public_bytes(serialization.Encoding.PEM, form)
        return raw

    def signed(self, claims: Mapping[str, Any], **headers: Any) -> bytes:
        """Return a token with these claims; a header that is None is left out."""
        wanted = {name: value for name, value in {"kid": self.kid, **headers}.items() if value is not None}
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm, headers=wanted).encode()


def key(algorithm: str, kid: str) -> Key:
    """Return a new key pair."""
    if algorithm == "EdDSA":
        return Key(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
    if algorithm == "ES256":
        return Key(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
    return Key(kid, algorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048))


def claims(role: str = "engine", **changed: Any) -> dict[str, Any]:
    """Return claims that are valid now; one that is None is left out."""
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"{role}-of-the-provider",
        "iat": now,
        "nbf": now,
        "exp": now + 3_600,
        CLAIM: role,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


@dataclass
class House:
    """A store's folder with tokens in it and, where asked, a provider that is believed."""

    home: Path
    provider: tuple[Key, ...] = ()
    limits: str = AMPLE
    tokens: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.home / "access").mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.provider:
            self.publish(*self.provider)
        written = self.home / "access" / "access.toml"
        written.write_text((SETTINGS if self.provider else "") + self.limits)
        written.chmod(0o644)

    @property
    def file(self) -> Path:
        """The file of local tokens."""
        return tokens_file(self.home)

    @property
    def jwks(self) -> Path:
        """The file of the provider's public keys."""
        return self.home / "access" / "jwks.json"

    def publish(self, *keys: Key) -> None:
        """Put the provider's public keys into place, as an operator does."""
        new = self.jwks.with_suffix(".new")
        new.write_text(json.dumps({"keys": [one.public() for one in keys]}))
        new.chmod(0o644)
        new.replace(self.jwks)

    def token(self, role: str, name: str = "") -> bytes:
        """Return a new local token."""
        return create(self.file, name=name or f"a {role}", role=role).text.encode()

    def door(self, **given: Any) -> Door:
        """Return a door on this folder."""
        return Door(rules_of(self.home), default_matrix(), **given)


def bearing(token: bytes, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request with a token."""
    return [(b"host", b"localhost"), (b"authorization", b"Bearer " + token), *more]


class Clock:
    """A monotonic clock that goes as a test tells it to."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def eventually(holds: Callable[[], bool], seconds: float) -> float:
    """Return after how many seconds something came to hold; fails when it does not in time."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.005)
    return time.monotonic() - began
