"""The roles, and for every route and method which of them may ask: what does not stand in the matrix is refused.

The matrix is a file (matrix.toml) that a reviewer can read and a test compares with the routes that are served.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from features.errors import ConfigurationRefused

FORMAT = 1
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
BEGINS, ENDS = "<!-- matrix: generated -->", "<!-- matrix: end -->"


class Role(StrEnum):
    """What a caller is to the service.

    engine scores and ranks, modeller reads measures and models, reviewer reads explanations with a reason, admin runs
    the service and sees no borrower. nobody is whoever shows no token.
    """

    NOBODY = "nobody"
    ENGINE = "engine"
    MODELLER = "modeller"
    REVIEWER = "reviewer"
    ADMIN = "admin"


HOLDERS: tuple[str, ...] = tuple(role.value for role in Role if role is not Role.NOBODY)
"""The roles that a token can carry."""
SEES_BORROWERS = frozenset({Role.ENGINE, Role.REVIEWER})
GIVES_REASONS = frozenset({Role.REVIEWER})


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    name : of the holder, as the token's file or the signed token says; a person's name may be in it: not for the log
    holder : what limits count by: a local token's id, which is public, or a signed token's subject, which is not
    reason : why this is read, where the route asks for it: for the audit record, not for the log
    """

    name: str
    role: Role
    holder: str
    reason: str | None = None

    @property
    def actor(self) -> str:
        """Return role and name, as an audit record says who did something."""
        return f"{self.role}/{self.name}"


NOBODY = Caller("", Role.NOBODY, "")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route of the matrix."""

    path: str
    what: str
    allow: dict[str, frozenset[Role]]
    personal: bool = False
    reason: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    route: tuple[Row, ...]


@dataclass(frozen=True)
class Unlisted:
    """Where matrix and routes differ, as route and method.

    Attributes
    ----------
    lacking : served, and not in the matrix: refused to everybody
    unused : in the matrix, and not served
    """

    lacking: tuple[tuple[str, str], ...]
    unused: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Matrix:
    """Which roles may use which method of which route."""

    rows: tuple[Row, ...]
    cells: Mapping[tuple[str, str], frozenset[Role]]
    reasoned: frozenset[str]
    """Routes that ask why."""

    def allows(self, role: Role, route: str, method: str) -> bool:
        """Return whether a role may; a route is named as the matrix does, not as it was sent."""
        return role in self.cells.get((route, method), ())

    def unlisted(self, routes: Mapping[str, Iterable[str]]) -> Unlisted:
        """Return where the matrix and the routes that are served differ."""
        served = {(route, method) for route, methods in routes.items() for method in methods}
        return Unlisted(tuple(sorted(served - self.cells.keys())), tuple(sorted(self.cells.keys() - served)))

    def require(self, routes: Mapping[str, Iterable[str]]) -> None:
        """Refuse to start with a route that nobody has decided about.

        Raises
        ------
        ConfigurationRefused : a route or method that is served is not in the matrix
        """
        lacking = self.unlisted(routes).lacking
        if lacking:
            raise ConfigurationRefused(
                "routes without a row: " + ", ".join(f"{method} {route}" for route, method in lacking),
                where="serving/access/matrix.toml",
                expected="a row for each route and method that is served",
                do="decide who may use them, and add the rows",
            )

    def reference(self) -> str:
        """Return the matrix as a table in Markdown."""
        lines = [
            f"| route | method | {' | '.join(Role)} | what it answers |",
            f"| --- | --- | {' | '.join('---' for _ in Role)} | --- |",
        ]
        for row in self.rows:
            alike: dict[frozenset[Role], list[str]] = {}
            for method, roles in row.allow.items():
                alike.setdefault(roles, []).append(method)
            for roles, methods in alike.items():
                cells = " | ".join("yes" if role in roles else "" for role in Role)
                asked = "; with a reason" if row.reason else ""
                lines.append(f"| `{row.path}` | {', '.join(methods)} | {cells} | {row.what}{asked} |")
        return "\n".join(lines)

    def rewrite(self, page: Path) -> None:
        """Write the table between the two marks of a page; what stands around them is kept."""
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGINS)
        _, _, after = rest.partition(ENDS)
        page.write_text(f"{before}{BEGINS}\n{self.reference()}\n{ENDS}{after}", encoding="utf-8")


@lru_cache(maxsize=1)
def default_matrix() -> Matrix:
    """Return the matrix that ships with the release."""
    return matrix_from(files("serving.access").joinpath("matrix.toml").read_bytes(), where="matrix.toml")


def matrix_from(raw: bytes, *, where: str) -> Matrix:
    """Return the matrix written in TOML bytes.

    Raises
    ------
    ConfigurationRefused : with all faults together
    """
    try:
        plain: dict[str, Any] = tomllib.loads(raw.decode())
        file = msgspec.convert(plain, _File)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise _refused([str(error)], where) from error
    faults = list(_faults(file))
    if faults:
        raise _refused(faults, where)
    return Matrix(
        rows=file.route,
        cells={(row.path, method): roles for row in file.route for method, roles in row.allow.items()},
        reasoned=frozenset(row.path for row in file.route if row.reason),
    )


def _faults(file: _File) -> Iterator[str]:
    if file.format != FORMAT:
        yield f"the form of the file is {FORMAT}"
    yield from (f"{path} stands twice" for path, count in Counter(row.path for row in file.route).items() if count > 1)
    for row in file.route:
        if not row.path.startswith("/"):
            yield f"{row.path}: a route begins with a slash"
        yield from (f"{row.path}: no method {method}" for method in row.allow if method not in METHODS)
        for method, roles in row.allow.items():
            if Role.NOBODY in roles and roles != frozenset(Role):
                yield f"{method} {row.path}: open to nobody in particular, and yet closed to some who have a token"
            if row.personal and not roles <= SEES_BORROWERS:
                yield f"{method} {row.path}: facts about borrowers are for {' and '.join(sorted(SEES_BORROWERS))} alone"
            if row.reason and not roles <= GIVES_REASONS:
                yield f"{method} {row.path}: what is read with a reason is for {' and '.join(GIVES_REASONS)} alone"


def _refused(faults: list[str], where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults),
        where=where,
        expected="a row for each route, with the roles that may use each method",
        do="correct the rows named",
    )
