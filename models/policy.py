"""What the lender decides rather than the data: points, bands, cut-offs, assumed losses and suggested treatments."""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from features.errors import ConfigurationRefused
from features.schemas import PRODUCTS
from features.words import Text
from models.cards import CARDS

T = TypeVar("T", bound=Hashable)

CHANGED = (
    "each of [[treatments]] now names its `cards`, and its quadrant in words, as `name_en` and `name_zh`; begin from "
    "the policy.toml of the release"
)
MOST_REASONS = 10
"""Most reasons of one kind that an answer may show: more would be a list of features."""

LARGEST = 1_000_000_000
"""Largest size of a number in a policy: beyond it points are no longer whole numbers."""

FORMAT = 2
"""The form of a policy file: 2 names the cards that each treatment is for, and the quadrants in words."""

QUADRANTS = ("able_willing", "able_unwilling", "unable_willing", "unable_unwilling")


class Points(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lender's scale: higher points are safer."""

    reference_points: float
    reference_odds: float
    points_to_double_odds: float


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named range of points, from `from_points` up to the next better band."""

    name: str
    from_points: int


class ReasonRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many reasons an answer shows, and how small one may be."""

    raising: int
    lowering: int
    least_share: float


class CutOffs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The group contributions, in log-odds, up to which a borrower counts as able and as willing."""

    ability_cut_off: float
    willingness_cut_off: float


class ExposureRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The exposure, in minor units, of a loan on which nothing is owed."""

    least_minor: int


class LossShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"valid_from": "from"}):
    """The share of the exposure that is lost when a loan goes bad, from a date on."""

    product: str
    valid_from: date
    share: float
    status: str
    source: str


class Treatment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The step that a quadrant suggests for the loans of some cards, and what the quadrant is called among them.

    An applicant is no debtor: the same quadrant has other words, and leads to another step, at an application than in
    collection.
    """

    cards: tuple[str, ...]
    quadrant: str
    name_en: str
    name_zh: str
    rung: str
    en: str
    zh: str

    @property
    def name(self) -> Text:
        """Return the quadrant's name in words."""
        return Text(en=self.name_en, zh=self.name_zh)

    @property
    def text(self) -> Text:
        """Return the step in words."""
        return Text(en=self.en, zh=self.zh)


@dataclass(frozen=True)
class Policy:
    """A lender's policy file, checked; `digest` is the SHA-256 of its bytes."""

    format: int
    version: str
    points: Points
    bands: tuple[Band, ...]
    reasons: ReasonRules
    quadrants: CutOffs
    exposure: ExposureRules
    loss_shares: tuple[LossShare, ...]
    treatments: tuple[Treatment, ...]
    digest: str

    def loss_share(self, product: str, day: date) -> LossShare:
        """Return the entry in force for a product on a day.

        Raises
        ------
        ConfigurationRefused : no entry covers that product and day
        """
        in_force = [entry for entry in self.loss_shares if entry.product == product and entry.valid_from <= day]
        if not in_force:
            raise ConfigurationRefused(
                f"no loss share for product '{product}' on {day}",
                where="policy file, [[loss_share]]",
                expected="an entry for the product that is in force on the day",
                do="add the entry with its date and source",
            )
        return max(in_force, key=lambda entry: entry.valid_from)

    def treatment(self, card: str, quadrant: str) -> Treatment:
        """Return what the policy suggests for a quadrant of a card's loans."""
        return next(entry for entry in self.treatments if entry.quadrant == quadrant and card in entry.cards)


SECTIONS: dict[str, Any] = {
    "format": int,
    "version": str,
    "points": Points,
    "bands": tuple[Band, ...],
    "reasons": ReasonRules,
    "quadrants": CutOffs,
    "exposure": ExposureRules,
    "loss_share": tuple[LossShare, ...],
    "treatments": tuple[Treatment, ...],
}


@lru_cache(maxsize=1)
def default_policy() -> Policy:
    """Return the policy that ships with the release."""
    return policy_from(default_policy_bytes(), where="policy.toml")


def default_policy_bytes() -> bytes:
    """Return the file of the policy that ships with the release."""
    return files("models").joinpath("policy.toml").read_bytes()


def read_policy(path: Path) -> Policy:
    """Return the policy in a file; ConfigurationRefused when it cannot be read or is not valid."""
    try:
        return policy_from(path.read_bytes(), where=str(path))
    except OSError as error:
        raise ConfigurationRefused(
            f"the policy file cannot be read ({error.strerror})",
            where=str(path),
            expected="a TOML file like the policy.toml of the release",
            do="correct the path",
        ) from error


def policy_from(raw: bytes, *, where: str) -> Policy:
    """Return the policy written in TOML bytes.

    Raises
    ------
    ConfigurationRefused : with all faults together
    """
    try:
        written = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refused([str(error)], where) from error
    if written.get("format", 1) != FORMAT:
        raise _refused([f"section 'format': the form of the file is {FORMAT}; {CHANGED}"], where)
    sections: dict[str, Any] = {}
    faults = [f"unknown section '{name}'" for name in written if name not in SECTIONS]
    for name, kind in SECTIONS.items():
        if name not in written:
            faults.append(f"section '{name}' is missing")
            continue
        try:
            sections[name] = msgspec.convert(written[name], kind)
        except msgspec.ValidationError as error:
            faults.append(f"section '{name}': {error}")
    if not faults:
        sections["loss_shares"] = sections.pop("loss_share")
        policy = Policy(**sections, digest=hashlib.sha256(raw).hexdigest())
        faults.extend(_faults(policy))
    if faults:
        raise _refused(faults, where)
    return policy


def _faults(policy: Policy) -> Iterator[str]:
    yield from _number_faults(policy)
    yield from _name_faults(policy)
    if policy.points.points_to_double_odds <= 0 or policy.points.reference_odds <= 0:
        yield "section 'points': points_to_double_odds and reference_odds must be above 0"
    starts = [band.from_points for band in policy.bands]
    if not starts or starts != sorted(set(starts), reverse=True):
        yield "section 'bands': bands must run from the best down, each with its own from_points"
    rules = policy.reasons
    if not (1 <= rules.raising <= MOST_REASONS and 0 <= rules.lowering <= MOST_REASONS):
        yield f"section 'reasons': raising from 1 to {MOST_REASONS}, lowering from 0 to {MOST_REASONS}"
    if rules.least_share < 0 or rules.least_share >= 1:
        yield "section 'reasons': least_share must be at least 0 and below 1"
    if policy.exposure.least_minor < 1:
        yield "section 'exposure': least_minor must be at least 1"
    for entry in policy.loss_shares:
        if not 0 < entry.share <= 1:
            yield f"section 'loss_share': the share of product '{entry.product}' must be above 0 and at most 1"
        if entry.product not in PRODUCTS:
            yield f"section 'loss_share': product '{entry.product}' is none of {', '.join(PRODUCTS)}"
    for product, day in _repeated((entry.product, entry.valid_from) for entry in policy.loss_shares):
        yield f"section 'loss_share': product '{product}' has two entries from {day}"
    yield from _treatment_faults(policy)


def _treatment_faults(policy: Policy) -> Iterator[str]:
    """Yield what is wrong with the treatments: each card has one for each quadrant."""
    for entry in policy.treatments:
        for card in entry.cards:
            if card not in CARDS:
                yield f"section 'treatments': card '{card}' is none of {', '.join(CARDS)}"
    for card in CARDS:
        quadrants = sorted(entry.quadrant for entry in policy.treatments if card in entry.cards)
        if quadrants != sorted(QUADRANTS):
            yield f"section 'treatments': card '{card}' has one entry for each of {', '.join(QUADRANTS)}"


def _number_faults(policy: Policy) -> Iterator[str]:
    numbers = [
        *_fields("points", policy.points),
        *_fields("reasons", policy.reasons),
        *_fields("quadrants", policy.quadrants),
        *_fields("exposure", policy.exposure),
        *(field for band in policy.bands for field in _fields("bands", band)),
    ]
    for section, name, number in numbers:
        if isinstance(number, int | float) and not abs(number) <= LARGEST:
            yield f"section '{section}': {name} must be a finite number of at most {LARGEST:,} in size"


def _name_faults(policy: Policy) -> Iterator[str]:
    if not policy.version.strip():
        yield "section 'version': the version must not be empty"
    entries = [
        *(("bands", band) for band in policy.bands),
        *(("loss_share", entry) for entry in policy.loss_shares),
        *(("treatments", entry) for entry in policy.treatments),
    ]
    empty = {
        (section, name)
        for section, entry in entries
        for _, name, value in _fields(section, entry)
        if isinstance(value, str) and not value.strip()
    }
    for section, name in sorted(empty):
        yield f"section '{section}': {name} must not be empty"
    for name in _repeated(band.name for band in policy.bands):
        yield f"section 'bands': two bands are named '{name}'"


def _fields(section: str, entry: msgspec.Struct) -> Iterator[tuple[str, str, object]]:
    return ((section, name, getattr(entry, name)) for name in entry.__struct_fields__)


def _repeated(names: Iterable[T]) -> list[T]:
    return [name for name, times in Counter(names).items() if times > 1]


def _refused(faults: list[str], where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults), where=where, expected="a valid policy", do="correct the sections named"
    )
