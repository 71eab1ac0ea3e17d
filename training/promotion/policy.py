"""Who may promote besides who may not, and what a promotion shows: the bank's own file, each rule with its source."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec

from features.errors import ConfigurationRefused

FORMAT = 1


class Principals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the three principals of a version may be one; trainer and promoter never are."""

    validator_may_train: bool
    promoter_may_validate: bool
    source: str


class WorkList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of a day's work list that is worked first."""

    first_share: float
    source: str


class ReasonsShown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many features are printed that moved most."""

    features: int
    source: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    version: str
    principals: Principals
    work_list: WorkList
    reasons: ReasonsShown


@dataclass(frozen=True)
class PromotionRules:
    """A file of rules, checked; `digest` is the SHA-256 of its bytes."""

    version: str
    principals: Principals
    work_list: WorkList
    reasons: ReasonsShown
    digest: str


def read_rules(path: Path | None = None) -> PromotionRules:
    """Return the rules in a file; by default those that ship with the release.

    Raises
    ------
    ConfigurationRefused : it cannot be read, or is none; all faults together
    """
    if path is None:
        return rules_from(files("training.promotion").joinpath("policy.toml").read_bytes(), where="policy.toml")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused([f"a file that cannot be read ({error.strerror})"], str(path)) from error
    return rules_from(raw, where=str(path))


def rules_from(raw: bytes, *, where: str) -> PromotionRules:
    """Return the rules in TOML bytes.

    Raises
    ------
    ConfigurationRefused : they are none; all faults together
    """
    try:
        written = msgspec.convert(tomllib.loads(raw.decode()), _Written)
    except (ValueError, msgspec.ValidationError) as error:
        raise _refused([str(error)], where) from error
    faults = list(_faults(written))
    if faults:
        raise _refused(faults, where)
    digest = hashlib.sha256(raw).hexdigest()
    return PromotionRules(written.version, written.principals, written.work_list, written.reasons, digest)


def _faults(written: _Written) -> Iterator[str]:
    if written.format != FORMAT:
        yield f"section 'format': it is {FORMAT}"
    if not 0 < written.work_list.first_share < 1:
        yield "section 'work_list': first_share must be above 0 and below 1"
    if written.reasons.features < 1:
        yield "section 'reasons': features must be at least 1"
    for section in ("principals", "work_list", "reasons"):
        if not getattr(written, section).source.strip():
            yield f"section '{section}': source must say where the rule comes from"


def _refused(faults: list[str], where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults),
        where=where,
        expected="rules of promotion, such as the policy.toml of training/promotion",
        do="correct the sections named",
    )
