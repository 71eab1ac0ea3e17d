"""Every route, method and role against a table that was written down apart from the matrix; what is new is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from access_kit import House, bearing, claims, key

from features.errors import ConfigurationRefused
from serving.access.door import REASON, Door
from serving.access.roles import Role, default_matrix, matrix_from
from serving.access.tokens import create, revoke
from serving.front import OTHER, ROUTES
from serving.http import Refused

ROOT = Path(__file__).parents[2]
READ, ALL = ("GET", "HEAD"), {"nobody", "engine", "modeller", "reviewer", "admin"}
TOKENS = ALL - {"nobody"}
EXPECTED: dict[tuple[str, str], set[str]] = {
    **{(route, method): ALL for route in ("/", "/livez", "/readyz") for method in READ},
    **{(route, method): TOKENS for route in ("/v1/features", "/v1/openapi.json") for method in READ},
    **{(route, "POST"): {"engine"} for route in ("/v1/score", "/v1/score/features", "/v1/rank")},
    **{("/metrics", method): {"modeller", "admin"} for method in READ},
    **{("/v1/models", method): {"modeller", "reviewer", "admin"} for method in READ},
    **{("/v1/audit/checkpoint", method): TOKENS for method in READ},
    ("/v1/decisions/{score_id}", "GET"): {"reviewer"},
}
WAYS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "")
PLACES = (*ROUTES, OTHER, "/v1/decisions/1", "/v1/score/", "//v1/score", "/V1/SCORE", "/healthz", "*")
NOT_VALID = ("expired", "revoked", "other audience")
WHY = (REASON, "审查投诉 12 of the week".encode())

Shown = Callable[[str], list[tuple[bytes, bytes]]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("matrix"), (key("EdDSA", "one"),))


@pytest.fixture(scope="module", params=["local", "signed"])
def shown(request: pytest.FixtureRequest, house: House) -> Shown:
    """Return the headers with which somebody comes, with local or with signed tokens."""
    long_ago = datetime.now(UTC) - timedelta(days=100)
    gone = create(house.file, name="gone", role="admin")
    revoke(house.file, gone.entry.id)
    provider = house.provider[0]
    local = {
        **{role: house.token(role) for role in TOKENS},
        "expired": create(house.file, name="late", role="admin", days=90, now=long_ago).text.encode(),
        "revoked": gone.text.encode(),
        "other audience": House(house.home / "other").token("admin"),
    }
    signed = {
        **{role: provider.signed(claims(role)) for role in TOKENS},
        "expired": provider.signed(claims("admin", exp=1_700_000_000)),
        "revoked": key("EdDSA", "taken away").signed(claims("admin")),
        "other audience": provider.signed(claims("admin", aud="another")),
    }
    tokens = local if request.param == "local" else signed

    def headers(who: str) -> list[tuple[bytes, bytes]]:
        return [] if who == "nobody" else bearing(tokens[who], WHY)

    return headers


@pytest.fixture(scope="module")
def door(house: House, shown: Shown) -> Door:
    return house.door()


def answered(door: Door, route: str, method: str, headers: list[tuple[bytes, bytes]]) -> int:
    try:
        door.admitted(route, method, headers)
    except Refused as error:
        return int(error.refusal.status)
    return HTTPStatus.OK


def test_the_table_holds_for_every_route_method_and_role(door: Door, shown: Shown) -> None:
    seen = set()
    for who in (*sorted(ALL), *NOT_VALID):
        for route in PLACES:
            for method in WAYS:
                allowed = EXPECTED.get((route, method), set())
                if "nobody" in allowed or who in allowed:
                    expected = HTTPStatus.OK
                else:
                    expected = HTTPStatus.FORBIDDEN if who in TOKENS else HTTPStatus.UNAUTHORIZED
                assert answered(door, route, method, shown(who)) == expected, (who, method, route)
                seen.add((who, route, method, expected))
    assert len(seen) == 8 * len(PLACES) * len(WAYS)
    assert sum(status == HTTPStatus.OK for *_, status in seen) == 8 * 6 + 4 * (4 + 2) + 3 + 2 * 2 + 3 * 2 + 1


def test_the_caller_is_who_the_token_names(door: Door, shown: Shown) -> None:
    for role in sorted(TOKENS):
        caller = door.caller(shown(role))
        assert caller.role == role
        assert caller.name in {f"a {role}", f"{role}-of-the-provider"}
        assert caller.actor == f"{role}/{caller.name}"
        assert caller.holder


def test_the_same_refusal_is_given_for_what_is_there_and_what_is_not(door: Door, shown: Shown) -> None:
    def refusals(who: str) -> Iterator[object]:
        for route in ("/v1/decisions/{score_id}", "/metrics", OTHER, "/v1/nothing"):
            with pytest.raises(Refused) as refused:
                door.admitted(route, "DELETE", shown(who))
            yield refused.value.refusal

    for who in ("nobody", "engine", "admin", *NOT_VALID):
        told = list(refusals(who))
        assert all(one == told[0] for one in told), who
    assert {tuple(refusals(who)) == tuple(refusals("nobody")) for who in NOT_VALID} == {True}


def test_everything_that_is_served_has_a_row_and_every_row_is_served() -> None:
    found = default_matrix().unlisted(ROUTES)
    assert not found.lacking, "decide who may, and add rows to serving/access/matrix.toml"
    assert not found.unused


@pytest.mark.parametrize("new", [{"/v1/new": ("GET",)}, {"/v1/score": ("POST", "PUT")}])
def test_a_route_or_method_without_a_row_keeps_the_service_from_starting(
    tmp_path: Path, new: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(ConfigurationRefused, match=r"routes without a row: (GET /v1/new|PUT /v1/score)"):
        Door.of(tmp_path, {**ROUTES, **new})


def test_who_may_see_borrowers_is_engine_and_reviewer_alone() -> None:
    personal = {row.path for row in default_matrix().rows if row.personal}
    assert personal == {"/v1/score", "/v1/score/features", "/v1/rank", "/v1/decisions/{score_id}"}
    for route in personal:
        roles = set().union(*(may for (path, _), may in EXPECTED.items() if path == route))
        assert roles <= {"engine", "reviewer"}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('path = "/a"\nwhat = ""\npersonal = true\nallow.GET = ["admin"]', "facts about borrowers"),
        ('path = "/a"\nwhat = ""\npersonal = true\nallow.GET = ["engine", "modeller"]', "facts about borrowers"),
        ('path = "/a"\nwhat = ""\nreason = true\nallow.GET = ["engine"]', "with a reason"),
        ('path = "/a"\nwhat = ""\nallow.GET = ["nobody"]', "closed to some"),
        ('path = "/a"\nwhat = ""\nallow.get = ["engine"]', "no method get"),
        ('path = "a"\nwhat = ""\nallow.GET = ["engine"]', "slash"),
        ('path = "/a"\nwhat = ""\nallow.GET = ["root"]', "Invalid enum value"),
        ('path = "/a"\nwhat = ""\nallowed.GET = ["engine"]', "unknown field"),
        ('path = "/"\nwhat = ""\nallow.GET = ["engine"]', "stands twice"),
    ],
)
def test_a_matrix_that_gives_too_much_or_is_miswritten_is_refused(row: str, fault: str) -> None:
    raw = f'format = 1\n[[route]]\npath = "/"\nwhat = ""\nallow.GET = []\n[[route]]\n{row}\n'.encode()
    with pytest.raises(ConfigurationRefused, match=fault):
        matrix_from(raw, where="a test")


@pytest.mark.parametrize(
    "reason", [b"", b"short", b"x" * 301, b"nine\ttabs or so", b"with \x00 in it", b"\xff\xfe is no text", None]
)
def test_what_is_read_with_a_reason_is_not_read_without_a_proper_one(house: House, reason: bytes | None) -> None:
    headers = bearing(house.token("reviewer"), *([] if reason is None else [(REASON, reason)]))
    assert answered(house.door(), "/v1/decisions/{score_id}", "GET", headers) == HTTPStatus.BAD_REQUEST


def test_a_reason_is_handed_on_in_whatever_script_and_two_are_none(house: House) -> None:
    headers = bearing(house.token("reviewer"), WHY)
    door = house.door()
    assert door.admitted("/v1/decisions/{score_id}", "GET", headers).reason == WHY[1].decode()
    assert door.admitted("/v1/models", "GET", headers).reason is None
    assert answered(door, "/v1/decisions/{score_id}", "GET", [*headers, WHY]) == HTTPStatus.BAD_REQUEST


def test_a_token_that_is_not_valid_does_not_close_what_is_open_to_all(house: House) -> None:
    caller = house.door().admitted("/livez", "GET", bearing(b"rr_nonsense"))
    assert caller.role is Role.NOBODY


def test_pyjwt_is_not_loaded_where_no_signed_tokens_are_believed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from serving.access.door import Door; "
        "door = Door.of(Path(sys.argv[1]), {}); assert 'jwt' not in sys.modules; print(door.told())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert told.stdout == "{'tokens': 0, 'signed_tokens': False}\n"


def test_without_any_token_nobody_is_let_in(tmp_path: Path) -> None:
    door = Door.of(tmp_path, ROUTES)
    other = House(tmp_path / "other")
    for token in (other.token("admin"), key("EdDSA", "x").signed(claims()), b"admin", b"x"):
        assert answered(door, "/v1/features", "GET", bearing(token)) == HTTPStatus.UNAUTHORIZED
    assert answered(door, "/v1/features", "GET", []) == HTTPStatus.UNAUTHORIZED
