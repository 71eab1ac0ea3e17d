"""When a month raises an alarm: thresholds and declared regime breaks, each with its reason, none in code."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

import msgspec

from features.errors import ConfigurationRefused

FORMAT = 1
SHIPPED = "training/monitoring/policy.toml"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Numbers, and where they come from."""

    source: str


class Alarms(Section, frozen=True):
    """How often a quiet month may raise any alarm at all."""

    false_alarm: float


class PopulationRule(Section, frozen=True):
    """By what PSI beyond chance a feature or the scores have moved, and of how many cases it is judged."""

    moved_by: float
    least_cases: int


class MissingRule(Section, frozen=True):
    """By how much the share without a value has moved."""

    moved_by: float


class UnseenRule(Section, frozen=True):
    """The share of cases in states that the reference does not have."""

    share: float


class UnitRule(Section, frozen=True):
    """By what factor all sizes have moved, and how alike the factors of the quartiles are."""

    factor: float
    alike: float


class CalibrationRule(Section, frozen=True):
    """By how much log-odds are off in the large, and the slope of the calibration from the reference's."""

    in_the_large: float
    slope: float
    least_of_each: int


class PerformanceRule(Section, frozen=True):
    """By how much the AUC has fallen."""

    auc_fell_by: float


class VintagesRule(Section, frozen=True):
    """Of what share of a vintage outcomes must be known."""

    known_share: float


class RollsRule(Section, frozen=True):
    """The stages of delinquency by their last days, and how many months the forecast is made from."""

    last_days: tuple[int, ...]
    months_before: int
    moved_by: float
    least_cases: int


class WorkListRule(Section, frozen=True):
    """What is worked first, and over how many lists churn is shown."""

    first_share: float
    most_days: int


class TablesRule(Section, frozen=True):
    """In what share of requests a table is absent that was always sent before."""

    absent_share: float


class Break(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day from which on the book is another one, and why."""

    on: date
    why: str


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file."""

    format: int
    version: str
    alarms: Alarms
    population: PopulationRule
    missing: MissingRule
    unseen: UnseenRule
    unit: UnitRule
    calibration: CalibrationRule
    performance: PerformanceRule
    vintages: VintagesRule
    rolls: RollsRule
    work_list: WorkListRule
    tables: TablesRule
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True)
class MonitoringPolicy:
    """A monitoring policy, checked; `digest` is the SHA-256 of its bytes."""

    rules: Written
    digest: str

    @property
    def breaks(self) -> tuple[Break, ...]:
        """The declared regime breaks, earliest first."""
        return tuple(sorted(self.rules.breaks, key=lambda one: one.on))

    def era(self, day: date) -> int:
        """Return how many breaks lie behind a day: days of one era may be held against each other."""
        return sum(one.on <= day for one in self.rules.breaks)


def default_bytes() -> bytes:
    """Return the policy that ships with the release."""
    return files("training.monitoring").joinpath("policy.toml").read_bytes()


def read_policy(path: Path | None = None) -> MonitoringPolicy:
    """Return the policy in a file, or the one that ships with the release.

    Raises
    ------
    ConfigurationRefused : it cannot be read, or breaks its form
    """
    if path is None:
        return policy_from(default_bytes(), where=SHIPPED)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused(f"a file that cannot be read ({error.strerror})", str(path)) from error
    return policy_from(raw, where=str(path))


def policy_from(raw: bytes, *, where: str) -> MonitoringPolicy:
    """Return the policy written in TOML bytes."""
    try:
        rules = msgspec.convert(tomllib.loads(raw.decode()), Written)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise _refused(str(error), where) from error
    faults = list(_faults(rules))
    if faults:
        raise _refused("; ".join(faults), where)
    return MonitoringPolicy(rules, hashlib.sha256(raw).hexdigest())


def _faults(rules: Written) -> Iterator[str]:
    if rules.format != FORMAT:
        yield f"'format': the form of the file is {FORMAT}"
    if not rules.version.strip():
        yield "'version': a text that is not empty"
    for name in rules.__struct_fields__:
        section = getattr(rules, name)
        if isinstance(section, Section):
            yield from (f"[{name}] {fault}" for fault in _section_faults(section))
    for one in rules.breaks:
        if not one.why.strip():
            yield f"a break on {one.on} without a reason"
    if len({one.on for one in rules.breaks}) < len(rules.breaks):
        yield "two breaks on one day"
    if not rules.alarms.false_alarm < 1:
        yield "[alarms] 'false_alarm' is below 1"
    if not rules.work_list.first_share <= 1 or not rules.vintages.known_share <= 1:
        yield "a share is at most 1"
    days = rules.rolls.last_days
    if days[:1] != (0,) or list(days) != sorted(set(days)):
        yield "[rolls] 'last_days' begin with 0 and rise"


def _section_faults(section: Section) -> Iterator[str]:
    if not section.source.strip():
        yield "'source' says where the numbers come from"
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, int | float) and not 0 < value < float("inf"):
            yield f"'{name}' is more than 0"


def _refused(found: str, where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        found,
        where=where,
        expected="a monitoring policy like the one that `repayrank monitor --show-policy` prints",
        do="correct the file and run again",
    )
