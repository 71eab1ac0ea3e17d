"""Tokens that the lender's own identity provider signs (JWT, RFC 7519), checked against public keys in a file on disk.

Nothing is fetched. The key is chosen by its id among those of the file, and brings its own algorithm: what a token says
of its algorithm can only agree. What says where to find a key, or carries one, is refused before anything is verified
(RFC 8725). Keys change with an overlap: the file holds the old and the new one until the last old token has ended.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from features.errors import ConfigurationRefused, UsageError
from serving.access.files import PUBLIC, Watched
from serving.access.roles import HOLDERS, Caller, Role
from serving.access.rules import Issuer
from serving.access.why import NotLetIn, Why
from serving.access.withdrawn import LONGEST, Withdrawals
from serving.strict_json import read_object

HEADER = frozenset({"alg", "kid", "typ"})
"""All that a header may hold. Of the rest some names keys (jwk, jku, x5u), some changes what is signed (b64, crit)."""
TYPES = frozenset({"jwt", "at+jwt"})
REQUIRED = ("iss", "aud", "exp", "nbf", "sub")
TIMES = ("exp", "nbf", "iat")
LEAST_RSA_BITS = 2048
"""NIST SP 800-131A, which disallows shorter ones for signatures."""
PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Keys = Mapping[str, jwt.PyJWK]


class Signed:
    """Reads signed tokens of one issuer.

    Parameters
    ----------
    issuer : whose, for whom, with which keys
    clock : monotonic seconds

    Raises
    ------
    ConfigurationRefused : there is no usable file of keys
    """

    def __init__(self, issuer: Issuer, clock: Callable[[], float]) -> None:
        path = Path(issuer.jwks)
        self._issuer = issuer
        self._keys: Watched[Keys] = Watched(
            path, lambda raw: read_keys(raw, path, issuer.algorithms), missing=None, forbidden=PUBLIC, clock=clock
        )
        self._keys.now()

    def holder(self, raw: bytes, now: float, withdrawn: Withdrawals) -> Caller:
        """Return whom a token names.

        Parameters
        ----------
        raw : three parts in unpadded base64url with points between them, and nothing else
        now : seconds since 1970
        withdrawn : what is refused before its end

        Raises
        ------
        NotLetIn : it is not valid, here or now
        ConfigurationRefused : the file of keys cannot be used at present
        """
        header, payload, _ = raw.split(b".")
        key = self._key(_object(header, Why.HEADER))
        try:
            claims = jwt.decode(
                raw.decode(),
                key,
                algorithms=[key.algorithm_name],
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                leeway=self._issuer.leeway_seconds,
                options={"require": list(REQUIRED), "strict_aud": True, "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            raise NotLetIn(Why.EXPIRED) from None
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
            raise NotLetIn(Why.SIGNATURE) from None
        except (jwt.PyJWTError, ValueError, TypeError):
            # What the library says may quote the token.
            raise NotLetIn(Why.CLAIMS) from None
        if _object(payload, Why.CLAIMS) != claims:
            raise NotLetIn(Why.CLAIMS)
        caller = self._caller(claims, now)
        if withdrawn.hold(claims, self._issuer.leeway_seconds):
            raise NotLetIn(Why.REVOKED)
        return caller

    def _key(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        if not header.keys() <= HEADER or str(header.get("typ", "JWT")).lower() not in TYPES:
            raise NotLetIn(Why.HEADER)
        name = header.get("kid")
        # Only ever looked up among the ids of the file: whatever it says, it is no path.
        key = self._keys.now().get(name) if isinstance(name, str) else None
        if key is None:
            raise NotLetIn(Why.KEY)
        return key

    def _caller(self, claims: Mapping[str, Any], now: float) -> Caller:
        times = [claims[name] for name in TIMES if name in claims]
        # The library takes "123" and 1.5e9 alike, and true for 1.
        if any(isinstance(time, bool) or not isinstance(time, int | float) for time in times):
            raise NotLetIn(Why.CLAIMS)
        if claims["exp"] > now + self._issuer.longest_seconds + self._issuer.leeway_seconds:
            raise NotLetIn(Why.CLAIMS)
        subject, role = claims["sub"], claims.get(self._issuer.role_claim)
        if not 0 < len(subject) <= LONGEST or not subject.isprintable():
            raise NotLetIn(Why.CLAIMS)
        if not isinstance(role, str) or role not in HOLDERS:
            raise NotLetIn(Why.ROLE)
        return Caller(subject, Role(role), f"jwt/{subject}")


def read_keys(raw: bytes, path: Path, algorithms: tuple[str, ...]) -> Keys:
    """Return the keys of a JWK set by their ids, without those for other uses and other algorithms.

    Raises
    ------
    ConfigurationRefused : a private or shared key, one without an id or twice the same, a weak one, or none of use
    """
    try:
        written = json.loads(raw.decode())["keys"]
        if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
            raise TypeError
    except (ValueError, TypeError, LookupError, RecursionError):
        raise _refused("a file that is no JWK set", path) from None
    keys: dict[str, jwt.PyJWK] = {}
    for one in written:
        if PRIVATE_PARTS & one.keys() or one.get("kty") == "oct":
            raise _refused("a private or shared key: whoever reads it can sign", path)
        key = _usable(one, algorithms)
        if key is None:
            continue
        name = one.get("kid")
        if not isinstance(name, str) or not name or name in keys:
            raise _refused("a key without an id, or two with the same", path)
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < LEAST_RSA_BITS:
            raise _refused(f"an RSA key of fewer than {LEAST_RSA_BITS} bits", path)
        keys[name] = key
    if not keys:
        raise _refused("no key that can be used", path)
    return keys


def _usable(written: dict[str, Any], algorithms: tuple[str, ...]) -> jwt.PyJWK | None:
    """Return a key with the one algorithm that it is for; None where it is for something else."""
    try:
        if written.get("use", "sig") != "sig" or "verify" not in written.get("key_ops", ["verify"]):
            return None
        key = jwt.PyJWK(written)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    return key if key.algorithm_name in algorithms else None


def _object(part: bytes, why: Why) -> dict[str, Any]:
    """Return the JSON object in a part of a token, which two readers cannot read in two ways."""
    try:
        return read_object(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (UsageError, ValueError):
        raise NotLetIn(why) from None


def _refused(found: str, path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        found,
        where=str(path),
        expected="a JWK set of public keys, each with an id (`kid`) of its own",
        do="write the issuer's current keys into a new file and move it into place",
    )
