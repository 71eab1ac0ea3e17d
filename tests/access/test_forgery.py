"""Whoever has seen valid tokens and every public key cannot make another one, whatever is changed, and is told nothing.

REPAYRANK_FORGERIES sets how many tokens are tried (a release asks for 1,000,000), REPAYRANK_FORGERY_SEED which.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from access_kit import AUDIENCE, CLAIM, Clock, House, Key, bearing, claims, key
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from features.errors import ConfigurationRefused
from serving.access.door import LONGEST_TOKEN, Door
from serving.access.files import LOOK_SECONDS
from serving.access.token_text import Token
from serving.access.tokens import create, revoke
from serving.access.why import Why
from serving.http import Refused

FORGERIES = int(os.environ.get("REPAYRANK_FORGERIES", "100000"))
SEED = int(os.environ.get("REPAYRANK_FORGERY_SEED", "20260630"))
ALGORITHMS = ("EdDSA", "ES256", "RS256", "PS256")
PATHS = (
    "../../../../../../dev/null",
    "/dev/null",
    "/proc/self/environ",
    "file:///dev/null",
    "https://attacker.example/jwks.json",
    "' OR '1'='1",
    "one\x00",
    " one",
    "ONE",
    "",
    "a" * 5_000,
)


def part(plain: Any) -> bytes:
    raw = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def opened(token: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = (base64.urlsafe_b64decode(one + b"==") for one in token.split(b"."))
    return json.loads(header), json.loads(payload)


def resigned(header: dict[str, Any], payload: Any, secret: bytes) -> bytes:
    whole = part(header) + b"." + part(payload)
    name = {"HS384": "sha384", "HS512": "sha512"}.get(str(header.get("alg")), "sha256")
    return whole + b"." + part(hmac.new(secret, whole, name).digest())


@dataclass
class Attacker:
    """Has valid tokens of all kinds, all public keys and key pairs of its own, but no key of the provider."""

    chance: random.Random
    local: list[bytes]
    signed: list[tuple[Key, bytes]]
    own: dict[str, Key]

    def forged(self) -> tuple[str, bytes]:
        """Return the name of an attack and a token that was not given out."""
        ways = (self.flipped, self.cut, self.spliced, self.written_otherwise, self.headed, self.claimed, self.confused)
        way = self.chance.choice(ways)
        return way.__name__, way()

    def any(self) -> bytes:
        return self.chance.choice(self.local) if self.chance.random() < 0.5 else self.chance.choice(self.signed)[1]

    def flipped(self) -> bytes:
        raw = bytearray(self.any())
        for _ in range(self.chance.choice((1, 1, 1, 2, 3, 8))):
            raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        return bytes(raw)

    def cut(self) -> bytes:
        raw, at = self.any(), self.chance.random()
        start, length = int(at * len(raw)), self.chance.randrange(1, 9)
        return self.chance.choice((raw[:start], raw[start + 1 :], raw[:start] + raw[start + length :]))

    def spliced(self) -> bytes:
        first, second = self.any(), self.any()
        if first.startswith(b"rr_") and second.startswith(b"rr_"):
            whole = Token(first[3:29].decode(), second[30:82])
            return whole.text().encode() if self.chance.random() < 0.7 else first[:30] + second[30:]
        if first.startswith(b"rr_") or second.startswith(b"rr_"):
            return first + self.chance.choice((b"", b".", b"_")) + second
        ours, theirs = first.split(b"."), second.split(b".")
        ours[self.chance.randrange(3)] = theirs[self.chance.randrange(3)]
        return b".".join(ours)

    def written_otherwise(self) -> bytes:
        raw = self.any()
        at = self.chance.randrange(len(raw) + 1)
        more = self.chance.choice(
            (b"=", b"==", b" ", b"\n", b"\0", b".", b",", b"\t", b"A", b"%3D", "é".encode(), b"-")
        )
        return self.chance.choice(
            (
                raw + more,
                more + raw,
                raw[:at] + more + raw[at:],
                raw.swapcase(),
                raw.lower(),
                raw + b"." + raw,
                raw + b", Bearer " + raw,
                raw.replace(b".", b"..", 1) if b"." in raw else raw * 2,
                b'"' + raw + b'"',
                # The last letter of base64 carries bits that no byte takes: another letter for the same bytes.
                raw[:-1] + bytes([raw[-1] ^ 1]),
            )
        )

    def headed(self) -> bytes:
        """Another header on the same claims, with the old signature or with one by a key of the attacker's own."""
        owner, raw = self.chance.choice(self.signed)
        # An RSA signature takes a thousand times as long as a look at it: fewer of them.
        own = self.own[self.chance.choices(ALGORITHMS, (10, 10, 1, 1))[0]]
        header, payload = opened(raw)
        change = self.chance.choice(
            (
                {
                    "alg": self.chance.choice(
                        ("none", "None", "NONE", "nOnE", "", None, "HS256", "ES256K", "RS512", [], 1)
                    )
                },
                {"alg": self.chance.choice(ALGORITHMS)},
                {"kid": self.chance.choice((*PATHS, None, 1, [], {}, [owner.kid]))},
                {"kid": self.chance.choice([one.kid for one, _ in self.signed])},
                {"jwk": own.public()},
                {"jku": "https://attacker.example/jwks.json", "kid": own.kid},
                {"x5u": "file:///tmp/x", "x5c": [base64.b64encode(own.pem()).decode()]},
                {"crit": self.chance.choice(([], ["exp"], ["b64"])), "b64": False},
                {"typ": self.chance.choice(("JWE", "dpop+jwt", 1, None, ["JWT"]))},
                {"zip": "DEF"},
                {"cty": "JWT"},
            )
        )
        changed = {**header, **change}
        if self.chance.random() < 0.4:
            _, payload_part, signature = raw.split(b".")
            return b".".join((part(changed), payload_part, self.chance.choice((signature, b"", b"AA"))))
        whole = part({**changed, "alg": own.algorithm}) + b"." + part(payload)
        algorithm = jwt.get_algorithm_by_name(own.algorithm)
        return whole + b"." + part(algorithm.sign(whole, own.private))

    def claimed(self) -> bytes:
        """Better claims under the old signature."""
        _, raw = self.chance.choice(self.signed)
        header, payload, signature = raw.split(b".")
        plain = json.loads(base64.urlsafe_b64decode(payload + b"=="))
        better = self.chance.choice(({CLAIM: "auditor"}, {"exp": 2**33}, {"sub": "somebody"}, {"aud": "another"}))
        return b".".join((header, part({**plain, **better}), signature))

    def confused(self) -> bytes:
        """The public key, in every form that it is written in, taken for a shared secret."""
        owner, raw = self.chance.choice(self.signed)
        header, payload = opened(raw)
        public = owner.public()
        secret = self.chance.choice(
            (
                owner.pem(),
                owner.pem().strip(),
                b"",
                json.dumps(public).encode(),
                str(public.get("n", public.get("x"))).encode(),
                base64.urlsafe_b64decode(str(public.get("n", public.get("x"))) + "=="),
            )
        )
        header["alg"] = self.chance.choice(("HS256", "HS384", "HS512", owner.algorithm))
        return resigned(header, payload, secret)


@pytest.fixture(scope="module")
def provider() -> tuple[Key, ...]:
    return tuple(key(algorithm, f"{algorithm}-{number}") for algorithm in ALGORITHMS for number in range(2))


@pytest.fixture(scope="module")
def house(provider: tuple[Key, ...], tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("forgery"), provider)


@pytest.fixture(scope="module")
def door(house: House) -> Door:
    # A quarter of the provider's keys is not believed: none of its tokens is let in.
    house.token("admin")
    return house.door()


def let_in(door: Door, token: bytes) -> bool:
    try:
        door.caller(bearing(token))
    except Refused as error:
        assert error.refusal.code == "no_valid_token"
        return False
    return True


def why(door: Door, token: bytes) -> Why:
    before = Counter(door.failures)
    assert not let_in(door, token)
    (word,) = door.failures - before
    return word


def test_no_forgery_is_let_in(house: House, provider: tuple[Key, ...]) -> None:
    chance = random.Random(SEED)
    local = [house.token(role) for role in ("engine", "modeller", "reviewer", "admin")]
    signed = [(one, one.signed(claims(role))) for one in provider for role in ("engine", "reviewer", "admin")]
    given_out = {*local, *(token for _, token in signed)}
    attacker = Attacker(chance, local, signed, {name: key(name, f"{name}-0") for name in ALGORITHMS})
    door, tried, seen = house.door(), Counter[str](), 0
    assert all(let_in(door, token) for token in given_out)
    while seen < FORGERIES:
        attack, token = attacker.forged()
        # A header of the same meaning in other bytes, or a splice of a token with itself, may be the token itself.
        if token.strip(b" ") in given_out:
            continue
        assert not let_in(door, token), f"seed {SEED}, number {seen}: {attack}"
        tried[attack] += 1
        seen += 1
    assert min(tried.values()) > FORGERIES / 20
    assert sum(door.failures.values()) == seen
    # Every way of failing was reached: an attack that always fails at the first look tests little.
    assert {Why.FORM, Why.UNKNOWN, Why.HEADER, Why.KEY, Why.SIGNATURE, Why.CLAIMS} <= set(door.failures)
    assert door.failures[Why.SIGNATURE] > FORGERIES / 10


def wrong_claims() -> Iterator[tuple[str, dict[str, Any], Why]]:
    now = int(time.time())
    yield from ((f"no {name}", {name: None}, Why.CLAIMS) for name in ("iss", "aud", "exp", "nbf", "sub"))
    yield "no role", {CLAIM: None}, Why.ROLE
    yield from (
        (f"role {role!r}", {CLAIM: role}, Why.ROLE)
        for role in ("nobody", "Admin", "root", "", ["admin"], {"admin": True}, 1, True, "admin engine")
    )
    yield from (
        (f"audience {audience!r}", {"aud": audience}, Why.CLAIMS)
        for audience in ("another", "", AUDIENCE + "/", AUDIENCE.upper(), [AUDIENCE], [AUDIENCE, "x"], {AUDIENCE: 1}, 1)
    )
    yield from ((f"issuer {one!r}", {"iss": one}, Why.CLAIMS) for one in ("https://identity.example", "", 1, ["x"]))
    yield "expired", {"exp": now - 31}, Why.EXPIRED
    yield from ((f"end {at!r}", {"exp": at}, Why.CLAIMS) for at in (str(now + 60), [], {}, "soon", 1e308, 10**400))
    # For PyJWT true is the number 1, in 1970.
    yield "an end that is true", {"exp": True}, Why.EXPIRED
    yield "an end too far ahead", {"exp": now + 86_400 + 60}, Why.CLAIMS
    yield from (
        (f"not before {at!r}", {"nbf": at}, Why.CLAIMS) for at in (now + 60, str(now), True, [], {}, "now", now + 1e9)
    )
    yield from ((f"issued at {at!r}", {"iat": at}, Why.CLAIMS) for at in (now + 60, 10**12, str(now), True, [], "x"))
    yield from (
        (f"subject {one!r}", {"sub": one}, Why.CLAIMS)
        for one in ("", "x" * 201, 1, ["x"], "line\nbreak", "nul\0", "\u202e")
    )
    yield "a token id that is none", {"jti": 1}, Why.CLAIMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_that_the_provider_signed_is_refused_unless_every_claim_is_right(
    door: Door, provider: tuple[Key, ...], algorithm: str
) -> None:
    signer = next(one for one in provider if one.algorithm == algorithm)
    now = time.time()
    assert let_in(door, signer.signed(claims("admin")))
    assert let_in(door, signer.signed(claims("admin", nbf=now, iat=None, exp=int(now) + 86_000, other=[1, {}])))
    assert let_in(door, signer.signed(claims("admin", exp=int(now) - 20))), "within the leeway"
    for name, changed, expected in wrong_claims():
        plain = {**claims("admin"), **changed}
        # PyJWT signs no issuer that is not text: the bytes are made here.
        head = part({"alg": algorithm, "kid": signer.kid, "typ": "JWT"})
        whole = head + b"." + part({name: value for name, value in plain.items() if value is not None})
        token = whole + b"." + part(jwt.get_algorithm_by_name(algorithm).sign(whole, signer.private))
        assert why(door, token) is expected, name


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": {"kty": "OKP"}},
        {"jku": "https://identity.example/jwks.json"},
        {"x5u": "https://identity.example/x"},
        {"x5c": ["x"]},
        {"x5t": "x"},
        {"crit": ["b64"], "b64": True},
        {"crit": ["exp"]},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"typ": "dpop+jwt"},
        {"typ": "logout+jwt"},
    ],
)
def test_a_header_that_says_more_than_it_may_is_refused_even_under_a_good_signature(
    door: Door, provider: tuple[Key, ...], header: dict[str, Any]
) -> None:
    signer = provider[0]
    whole = part({"alg": signer.algorithm, "kid": signer.kid, **header}) + b"." + part(claims("admin"))
    token = whole + b"." + part(signer.private.sign(whole))
    assert why(door, token) is Why.HEADER


def test_keys_said_twice_and_numbers_that_are_none_are_refused_even_under_a_good_signature(
    door: Door, provider: tuple[Key, ...]
) -> None:
    signer, good = provider[0], json.dumps(claims("admin"))
    head = {"alg": signer.algorithm, "kid": signer.kid}

    def signed(header: bytes, payload: bytes) -> bytes:
        whole = part(header) + b"." + part(payload)
        return whole + b"." + part(signer.private.sign(whole))

    plain = json.dumps(head).encode()
    assert let_in(door, signed(plain, good.encode()))
    twice = good[:-1] + f', "{CLAIM}": "engine"}}'
    for payload in (twice, good[:-1] + ', "x": NaN}', good[:-1] + ', "exp": Infinity}', "[]", '"x"', "{", "[" * 900):
        assert why(door, signed(plain, payload.encode())) is Why.CLAIMS
    assert why(door, signed(plain, b"")) is Why.FORM
    assert why(door, signed(plain, good.encode().replace(b"admin", b"\xff"))) is Why.CLAIMS
    for header in (plain[:-1] + b', "kid": "x"}', b"[]", b"{", b"", b"\xff", b"[" * 2_000):
        assert why(door, signed(header, good.encode())) in {Why.HEADER, Why.FORM}
    assert why(door, signed(json.dumps({"alg": signer.algorithm}).encode(), good.encode())) is Why.KEY


def test_a_key_signs_with_its_own_algorithm_and_for_its_own_name_alone(door: Door, provider: tuple[Key, ...]) -> None:
    for signer in provider:
        for named in provider:
            token = signer.signed(claims("admin"), kid=named.kid)
            assert let_in(door, token) == (signer is named)
    rsa, pss = (next(one for one in provider if one.algorithm == name) for name in ("RS256", "PS256"))
    assert why(door, Key(rsa.kid, "PS256", rsa.private).signed(claims())) is Why.SIGNATURE
    assert why(door, Key(pss.kid, "RS256", pss.private).signed(claims())) is Why.SIGNATURE
    assert why(door, Key(rsa.kid, "RS512", rsa.private).signed(claims())) is Why.SIGNATURE


def test_what_is_too_large_or_no_bearer_token_is_refused_before_it_is_read(
    house: House, provider: tuple[Key, ...]
) -> None:
    good, door = house.token("admin"), house.door()
    large = provider[0].signed(claims("admin", more="x" * LONGEST_TOKEN))
    assert why(door, large) is Why.FORM
    for value in (
        b"",
        b"Bearer",
        b"Bearer ",
        good,
        b"Basic " + good,
        b"Bearer" + good,
        b"Bearer\t" + good,
        b"Token " + good,
    ):
        with pytest.raises(Refused):
            door.caller([(b"authorization", value)])
    for fields in ([(b"authorization", b"Bearer " + good)] * 2, [(b"x-authorization", b"Bearer " + good)]):
        with pytest.raises(Refused):
            door.caller(fields)
    assert door.caller([(b"authorization", b"bEaReR  " + good + b" ")]).role == "admin"


def test_keys_rotate_with_an_overlap_and_no_token_is_turned_away_meanwhile(tmp_path: Path) -> None:
    old, new, clock = key("ES256", "2026-01"), key("EdDSA", "2026-07"), Clock()
    house = House(tmp_path, (old,))
    door = house.door(clock=clock)
    first, second = old.signed(claims()), new.signed(claims())
    assert [let_in(door, first), let_in(door, second)] == [True, False]
    house.publish(old, new)
    clock.at += LOOK_SECONDS
    assert [let_in(door, first), let_in(door, second)] == [True, True]
    house.publish(new)
    clock.at += LOOK_SECONDS
    assert [let_in(door, first), let_in(door, second)] == [False, True]


def test_while_the_file_of_keys_is_damaged_local_tokens_go_on_and_signed_ones_are_put_off(tmp_path: Path) -> None:
    signer, clock, said = key("EdDSA", "one"), Clock(), []
    house = House(tmp_path, (signer,))
    local, signed, door = house.token("engine"), signer.signed(claims()), house.door(clock=clock, log=said.append)
    house.jwks.write_text('{"keys": [')
    clock.at += LOOK_SECONDS
    for _ in range(3):
        assert let_in(door, local)
        with pytest.raises(Refused) as refused:
            door.caller(bearing(signed))
        assert refused.value.refusal.code == "closed"
    assert [line["access"] for line in said] == ["closed"]
    house.publish(signer)
    clock.at += LOOK_SECONDS
    assert let_in(door, signed)


def changed(one: Key, **change: Any) -> dict[str, Any]:
    return {name: value for name, value in {**one.public(), **change}.items() if value is not None}


BAD_SETS: tuple[tuple[str, Callable[[Key], Any]], ...] = (
    ("no JWK set", lambda one: []),
    ("no JWK set", lambda one: {"keys": {}}),
    ("no JWK set", lambda one: {"keys": [1]}),
    ("no JWK set", lambda one: {"key": []}),
    ("no key that can be used", lambda one: {"keys": []}),
    ("no key that can be used", lambda one: {"keys": [changed(one, use="enc")]}),
    ("no key that can be used", lambda one: {"keys": [changed(one, key_ops=["sign"])]}),
    ("no key that can be used", lambda one: {"keys": [changed(one, key_ops=1)]}),
    ("no key that can be used", lambda one: {"keys": [changed(one, alg="HS256")]}),
    ("no key that can be used", lambda one: {"keys": [changed(one, kty="XYZ")]}),
    ("without an id", lambda one: {"keys": [changed(one, kid=None)]}),
    ("without an id", lambda one: {"keys": [changed(one, kid=1)]}),
    ("without an id", lambda one: {"keys": [one.public(), one.public()]}),
    ("private or shared", lambda one: {"keys": [one.public(), {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}]}),
    ("private or shared", lambda one: {"keys": [changed(one, d="c2VjcmV0")]}),
)


@pytest.mark.parametrize(("fault", "written"), BAD_SETS)
def test_a_set_of_keys_that_cannot_be_believed_keeps_the_service_from_starting(
    tmp_path: Path, fault: str, written: Callable[[Key], Any]
) -> None:
    one = key("EdDSA", "one")
    house = House(tmp_path, (one,))
    house.jwks.write_text(json.dumps(written(one)))
    with pytest.raises(ConfigurationRefused, match=fault) as refused:
        house.door()
    assert "c2VjcmV0" not in str(refused.value)


def test_a_short_rsa_key_and_a_file_that_others_can_change_are_refused(tmp_path: Path) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - which is to be refused
    house = House(tmp_path, (Key("short", "RS256", short),))
    with pytest.raises(ConfigurationRefused, match="2048 bits"):
        house.door()
    house.publish(key("EdDSA", "one"))
    house.jwks.chmod(0o666)
    with pytest.raises(ConfigurationRefused, match="which others can change"):
        house.door()


def test_a_key_for_another_use_beside_ours_does_no_harm(tmp_path: Path) -> None:
    one, other = key("EdDSA", "one"), key("RS256", "for encryption")
    house = House(tmp_path, (one,))
    house.jwks.write_text(json.dumps({"keys": [changed(other, use="enc", alg="RSA-OAEP"), changed(one, alg=None)]}))
    door = house.door()
    assert let_in(door, one.signed(claims()))
    assert why(door, other.signed(claims())) is Why.KEY


def test_no_part_of_a_token_stands_in_an_error_a_log_line_or_a_traceback(
    house: House, provider: tuple[Key, ...]
) -> None:
    door, said = house.door(log=lambda line: said.append(json.dumps(line))), []
    late = create(house.file, name="late", role="admin")
    revoke(house.file, late.entry.id)
    mark = "can" + "ary"  # apart, so that a traceback's own lines of code do not hold it
    tokens = [
        late.text.encode(),
        Token.new().text().encode(),
        house.token("admin")[:-1] + b"!",
        provider[0].signed(claims(f"{mark}subject", exp=1)),
        provider[0].signed(claims("admin", aud=f"{mark}audience")),
        provider[0].signed(claims("admin"), kid=f"{mark}key"),
        key("EdDSA", provider[0].kid).signed(claims(f"{mark}role")),
        mark.encode(),
    ]
    for token in tokens:
        try:
            door.admitted("/metrics", "GET", bearing(token, (b"x-repayrank-reason", mark.encode() * 2)))
        except Refused as error:
            said.append("".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))
            said.append(json.dumps(error.refusal.plain()) + repr(error) + repr(error.refusal) + repr(error.__context__))
        else:
            pytest.fail("let in")
    whole = " ".join(said)
    assert mark not in whole
    for token in tokens:
        pieces = {token, *token.split(b"."), *token.split(b"_"), hashlib.sha256(token).hexdigest().encode()}
        for piece in pieces:
            assert len(piece) < 8 or piece.decode() not in whole


def test_the_library_itself_takes_what_is_refused_here_before_it_is_asked(provider: tuple[Key, ...]) -> None:
    """Why a token's form is looked at first: padding after the signature is another spelling of the same token."""
    signer = provider[0]
    token = signer.signed(claims())
    padded = token + b"=" * (-len(token.split(b".")[2]) % 4)
    assert padded != token
    read = jwt.decode(padded.decode(), signer.private.public_key(), algorithms=["EdDSA"], audience=AUDIENCE)
    assert read[CLAIM] == "engine"


def test_a_token_that_is_let_in_is_read_in_microseconds(house: House, provider: tuple[Key, ...]) -> None:
    """Far above what is measured, so that it fails when a file is read, or a slow hash computed, for each request."""
    tokens = (house.token("engine"), *(one.signed(claims()) for one in provider))
    door = house.door()
    for token in tokens:
        best = min(_seconds(door, token) for _ in range(30))
        assert best < 0.003, f"{1e6 * best:.0f} microseconds"


def _seconds(door: Door, token: bytes) -> float:
    headers = bearing(token)
    began = time.perf_counter()
    door.caller(headers)
    return time.perf_counter() - began


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(fields=st.lists(st.tuples(st.sampled_from([b"authorization", b"x"]), st.binary(max_size=200)), max_size=3))
def test_whatever_bytes_are_sent_the_answer_is_a_refusal(door: Door, fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refused):
        door.caller(fields)
    with pytest.raises(Refused):
        door.caller([(name, b"Bearer rr_" + value) for name, value in fields])


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "x"]), plain_json, max_size=2),
    changed=st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "jti", CLAIM]), plain_json, min_size=1
    ),
)
def test_whatever_the_provider_signs_the_answer_is_a_caller_as_claimed_or_a_refusal(
    door: Door, provider: tuple[Key, ...], header: dict[str, Any], changed: dict[str, Any]
) -> None:
    signer, good = provider[0], claims("admin")
    whole = part({"alg": signer.algorithm, "kid": signer.kid, **header}) + b"." + part({**good, **changed})
    token = whole + b"." + part(signer.private.sign(whole))
    if let_in(door, token):
        # What may be otherwise and is still right: times, a token's id and another subject.
        assert not changed.keys() & {"iss", "aud", CLAIM} or {**good, **changed} == good
        assert door.caller(bearing(token)).name == {**good, **changed}["sub"]
