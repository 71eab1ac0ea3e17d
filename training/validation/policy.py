"""Which figures a card may show and still serve: the validator's thresholds, each with its source, none in code.

A section for each check:

    [calibration.slope]
    warn = { outside = [0.95, 1.05] }
    refuse = { outside = [0.95, 1.05], when = "surely" }
    source = "where the numbers come from"

`above`, `at_least`, `below`, `at_most` and `outside` name the bound; `when` says which part of a figure's interval must
break it: the `estimate` (by default), the whole interval (`surely`), or any of it (`possibly`). Numbers that a check
works with stand in the same section under their own names.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from features.errors import ConfigurationRefused
from features.words import Text
from training.validation.findings import Figure, Finding, Table, Threshold, Verdict, number

NOTHING = Text(en="-", zh="-")
FORMAT = 1
"""The form of a validation policy."""
OWN = ("warn", "refuse", "source", "not_judged")
TOP = ("format", "version")


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a figure must not do."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    outside: tuple[float, float] | None = None
    when: Literal["estimate", "surely", "possibly"] = "estimate"

    @property
    def given(self) -> list[str]:
        """The names of the bounds that are given; there is one."""
        return [
            name for name in ("above", "at_least", "below", "at_most", "outside") if getattr(self, name) is not None
        ]

    def broken(self, figure: Figure) -> bool:
        """Return whether a figure breaks the bound. A value that cannot be computed breaks every one."""
        if figure.value is None or math.isnan(figure.value):
            return True
        low, high = (figure.value if end is None else end for end in (figure.low, figure.high))
        # The end of the interval that a bound from above, and one from below, has to do with.
        upwards, downwards = {
            "estimate": (figure.value, figure.value),
            "surely": (low, high),
            "possibly": (high, low),
        }[self.when]
        if self.outside is not None:
            return downwards < self.outside[0] or upwards > self.outside[1]
        return (
            (self.above is not None and upwards > self.above)
            or (self.at_least is not None and upwards >= self.at_least)
            or (self.below is not None and downwards < self.below)
            or (self.at_most is not None and downwards <= self.at_most)
        )

    def badness(self, figure: Figure) -> float:
        """Return a number that is larger the further out a figure's value lies."""
        if figure.value is None or math.isnan(figure.value):
            return math.inf
        if self.outside is not None:
            return max(self.outside[0] - figure.value, figure.value - self.outside[1])
        return figure.value if self.above is not None or self.at_least is not None else -figure.value

    def __str__(self) -> str:
        (name,) = self.given
        bound = getattr(self, name)
        told = " to ".join(map(number, bound)) if isinstance(bound, tuple) else number(bound)
        return f"{'' if self.when == 'estimate' else self.when + ' '}{name.replace('_', ' ')} {told}"


@dataclass(frozen=True)
class Rule:
    """The section of one check.

    Attributes
    ----------
    not_judged : the verdict where the check cannot be made
    numbers : what the check works with, by name
    """

    check: str
    figure: str
    warn: Bound | None
    refuse: Bound | None
    source: str
    not_judged: Verdict
    numbers: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def count(self, name: str) -> int:
        """Return a number that counts something."""
        return round(self.numbers[name])

    def verdict(self, figure: Figure) -> Verdict:
        """Return what the rule says of one figure."""
        if self.refuse is not None and self.refuse.broken(figure):
            return Verdict.REFUSE
        return Verdict.WARN if self.warn is not None and self.warn.broken(figure) else Verdict.PASS

    def worst(self, figures: Sequence[Figure]) -> tuple[Verdict, Figure]:
        """Return the worst verdict of several figures of the same name, and which figure has it: the furthest out."""
        bound = self.refuse or self.warn
        assert bound is not None, "a rule warns or refuses"
        judged = [(self.verdict(figure), figure) for figure in figures]
        return max(judged, key=lambda one: (one[0].severity, bound.badness(one[1])))

    def finding(
        self,
        figures: Sequence[Figure],
        words: Text,
        *,
        names: Mapping[str, Text] | None = None,
        more: Iterable[Figure] = (),
        tables: Iterable[Table] = (),
    ) -> Finding:
        """Return the finding on figures of one name, by the worst of them.

        Parameters
        ----------
        words : one sentence; `{value}` and `{of}` stand for the worst figure and for what it is of
        names : what figures are of, in words, by their own names for it
        more : figures that explain it and are not judged
        """
        verdict, worst = self.worst(figures)
        others = [figure for figure in figures if figure is not worst]
        of = (names or {}).get(worst.of, Text(en=worst.of, zh=worst.of) if worst.of else NOTHING)
        said = words.filled(value=worst.words, of=of)
        return Finding(self.check, verdict, said, (worst, *others, *more), self.threshold, tuple(tables))

    def unjudged(self, why: Text, *, tables: Iterable[Table] = ()) -> Finding:
        """Return the finding of a check that cannot be made: not judged, or what the policy says of that."""
        return Finding(self.check, self.not_judged, why, tables=tuple(tables))

    @property
    def threshold(self) -> Threshold:
        """Return the rule as a finding tells it."""
        warn, refuse = ("" if bound is None else str(bound) for bound in (self.warn, self.refuse))
        return Threshold(self.figure, warn, refuse, self.source)


@dataclass(frozen=True)
class Asked:
    """What a check asks of a policy: the name of the figure it judges, and the numbers it works with."""

    check: str
    figure: str
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ValidationPolicy:
    """A validation policy, checked; `digest` is the SHA-256 of its bytes, `raw`."""

    version: str
    rules: Mapping[str, Rule]
    digest: str
    raw: bytes


def default_bytes() -> bytes:
    """Return the policy that ships with the release."""
    return files("training.validation").joinpath("policy.toml").read_bytes()


def read_policy(path: Path | None, asked: Sequence[Asked]) -> ValidationPolicy:
    """Return the policy in a file, or the one that ships with the release.

    Parameters
    ----------
    asked : what each check asks for

    Raises
    ------
    ConfigurationRefused : it cannot be read, a check has no section or lacks a number, or a section is unknown
    """
    if path is None:
        return policy_from(default_bytes(), asked, where="training/validation/policy.toml")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationRefused(
            f"the validation policy cannot be read ({error.strerror})",
            where=str(path),
            expected="a TOML file like the one that `repayrank validate --show-policy` prints",
            do="correct the path",
        ) from error
    return policy_from(raw, asked, where=str(path))


def policy_from(raw: bytes, asked: Sequence[Asked], *, where: str) -> ValidationPolicy:
    """Return the policy written in TOML bytes; ConfigurationRefused with all faults together."""
    try:
        written = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refused([str(error)], where) from error
    faults = list(_head_faults(written))
    sections = dict(_sections(written))
    known = {one.check: one for one in asked}
    faults += [f"section '{name}': no check has this name" for name in sections if name not in known]
    rules: dict[str, Rule] = {}
    for name, one in known.items():
        if name not in sections:
            faults.append(f"section '{name}' is missing: the check has no threshold")
            continue
        told = sections[name]
        found = list(_faults(told, one))
        if found:
            faults += [f"section '{name}': {fault}" for fault in found]
        else:
            rules[name] = _rule(told, one)
    if faults:
        raise _refused(faults, where)
    return ValidationPolicy(written["version"], rules, hashlib.sha256(raw).hexdigest(), raw)


def _head_faults(written: Mapping[str, Any]) -> Iterator[str]:
    if written.get("format") != FORMAT:
        yield f"'format': the form of the file is {FORMAT}"
    if not isinstance(written.get("version"), str) or not written["version"].strip():
        yield "'version': a text that is not empty"


def _sections(written: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for idea, checks in written.items():
        if idea in TOP:
            continue
        if not isinstance(checks, dict):
            yield idea, checks
            continue
        for check, told in checks.items():
            yield f"{idea}.{check}", told


def _faults(told: Any, asked: Asked) -> Iterator[str]:
    if not isinstance(told, dict):
        yield "is no section"
        return
    yield from (f"unknown '{name}'" for name in told if name not in (*OWN, *asked.numbers))
    for name in asked.numbers:
        if (
            isinstance(told.get(name), bool)
            or not isinstance(told.get(name), int | float)
            or not abs(told[name]) < LARGEST
        ):
            yield f"'{name}' is a number"
    if not isinstance(told.get("source"), str) or not told["source"].strip():
        yield "'source' says where the numbers come from"
    if told.get("not_judged", "not_judged") not in ("not_judged", "warn", "refuse"):
        yield "'not_judged' is one of not_judged, warn, refuse"
    if not {"warn", "refuse"} & set(told):
        yield "it neither warns nor refuses"
    for name in ("warn", "refuse"):
        if name in told:
            yield from (f"'{name}': {fault}" for fault in _bound_faults(told[name]))


def _bound_faults(told: Any) -> Iterator[str]:
    try:
        bound = msgspec.convert(told, Bound)
    except msgspec.ValidationError as error:
        yield str(error)
        return
    if len(bound.given) != 1:
        yield "one of above, at_least, below, at_most, outside"
        return
    value = getattr(bound, bound.given[0])
    ends: Iterable[float] = value if isinstance(value, tuple) else (value,)
    if not all(abs(end) < LARGEST for end in ends):
        yield "a finite bound"
    elif isinstance(value, tuple) and not value[0] < value[1]:
        yield "'outside' names the lower end first"


LARGEST = 1e15


def _rule(told: Mapping[str, Any], asked: Asked) -> Rule:
    warn, refuse = (msgspec.convert(told[name], Bound) if name in told else None for name in ("warn", "refuse"))
    return Rule(
        check=asked.check,
        figure=asked.figure,
        warn=warn,
        refuse=refuse,
        source=cast("str", told["source"]),
        not_judged=Verdict(told.get("not_judged", "not_judged")),
        numbers={name: float(told[name]) for name in asked.numbers},
    )


def _refused(faults: list[str], where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults),
        where=where,
        expected="a validation policy with one section for each check",
        do="correct the sections named; begin from the policy that `repayrank validate --show-policy` prints",
    )
