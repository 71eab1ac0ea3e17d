"""The outcome of tuning as a file that can be read, kept beside the code and given to `repayrank train`.

It holds the size of the trees and where it comes from: which data, how many trials, what was made large, and whether
loans that the tuning never saw were ordered any better for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from features.errors import ConfigurationRefused, UsageError
from models.leaf_groups import MOST_NODES
from models.risk_model import Size
from training.statistics.paired import Difference

FILE = "parameters.toml"
FORMAT = 1
DEFAULT_SIZES = "the default sizes"

BOUNDS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (1e-4, 1.0),
    "max_depth": (1, MOST_NODES),
    "num_leaves": (2, 1 << MOST_NODES),
    "min_data_in_leaf": (1, 10_000_000),
    "lambda_l2": (0.0, 1e9),
    "feature_fraction": (1e-3, 1.0),
    "bagging_fraction": (1e-3, 1.0),
    "max_bin": (2, 65_535),
    "most_trees": (1, 100_000),
}
"""What a size may say, above what a hand may have slipped to; deeper trees than the tables take are not for serving."""


@dataclass(frozen=True)
class Verdict:
    """The tuned size against the default ones, on loans that the tuning never saw.

    `steady` and `default_steady` are the objective of both on the loans' own periods; None of one observation date.
    """

    cases: int
    auc: float
    default_auc: float
    difference: Difference
    steady: float | None
    default_steady: float | None

    @property
    def gained(self) -> bool:
        """Whether the gain is more than chance."""
        return self.difference.low > 0

    @property
    def words(self) -> str:
        """The verdict in a sentence."""
        begin = "tuning gained" if self.gained else "tuning gained nothing beyond chance"
        steady = (
            "" if self.steady is None or self.default_steady is None
            else f"; the objective there is {self.steady:.4f} against {self.default_steady:.4f}"
        )  # fmt: skip
        return f"{begin}: on {self.cases:,} cases set apart, {self.difference.words(DEFAULT_SIZES)}{steady}"


@dataclass(frozen=True)
class Tuned:
    """The outcome of tuning a card.

    `provenance` says in plain data how it was found, `verdict` whether it was worth it.
    """

    card: str
    size: Size
    provenance: Mapping[str, Any]
    verdict: Verdict
    versions: Mapping[str, str]

    @property
    def toml(self) -> str:
        """The file's text."""
        verdict = {name: value for name, value in asdict(self.verdict).items() if value is not None}
        difference = verdict.pop("difference")
        judged = {
            "words": self.verdict.words,
            "gained": self.verdict.gained,
            **verdict,
            **{f"difference_{name}": value for name, value in difference.items()},
        }
        lines = [
            "# Written by `repayrank tune`; `repayrank train --tuned` takes the latest such file, --parameters any.",
            f"format = {FORMAT}",
            f"card = {_value(self.card)}",
            *_table("size", asdict(self.size)),
            *_table("tuned", self.provenance),
            *_table("judged", judged),
            *_table("versions", self.versions),
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Chosen:
    """A size that a file chooses for a card, with what a fitted card has to tell of it.

    `tuned_on` is the SHA-256 of the whole cohort it was tuned and judged on, "" where the file does not say.
    """

    size: Size
    sha256: str
    tuned_on: str
    words: str


def write(tuned: Tuned, path: Path) -> None:
    """Write the file whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as stream:
        stream.write(tuned.toml)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


def path_of(home: Path, card: str) -> Path:
    """Return where the latest outcome of tuning a card is kept."""
    return home / "tuning" / card / FILE


def size_asked_for(home: Path, card: str, *, tuned: bool, parameters: Path | None) -> Chosen | None:
    """Return the size that `--tuned` or `--parameters` asks for; None where neither does.

    Raises
    ------
    UsageError : both do, or the card has not been tuned
    """
    if parameters is None and not tuned:
        return None
    if parameters is not None and tuned:
        raise UsageError(
            "both --tuned and --parameters", where="the command line", expected="one of them", do="leave one out"
        )
    path = parameters or path_of(home, card)
    if parameters is None and not path.is_file():
        raise UsageError(
            f"the {card} card has not been tuned here",
            where=str(path),
            expected="what `repayrank tune` found",
            do=f"run `repayrank tune --card {card}` first, or name a file with --parameters",
        )
    return chosen(path, card)


def chosen(path: Path, card: str) -> Chosen:
    """Return the size that a file chooses for a card.

    Raises
    ------
    ConfigurationRefused : the file cannot be read, is for another card, or its size is none
    """
    raw = path.read_bytes()
    try:
        told = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(
            "it is no TOML", path, "a file as `repayrank tune` writes it", "tune again, or mend it"
        ) from error
    faults = list(_faults(told, card))
    if faults:
        raise _refused(
            "; ".join(faults),
            path,
            "[size] with every part of a size, for this card",
            "tune this card, or correct the file",
        )
    tuned, judged = (told[name] if isinstance(told.get(name), dict) else {} for name in ("tuned", "judged"))
    kinds: dict[str, Any] = {part.name: float if part.type == "float" else int for part in fields(Size)}
    size = Size(**{name: kind(told["size"][name]) for name, kind in kinds.items()})
    return Chosen(
        size, hashlib.sha256(raw).hexdigest(), str(tuned.get("book_sha256", "")), str(judged.get("words", "not judged"))
    )


def _faults(told: Mapping[str, Any], card: str) -> Iterator[str]:
    if told.get("format") != FORMAT:
        yield f"format {told.get('format')!r} instead of {FORMAT}"
    if told.get("card") != card:
        yield f"parameters of the card {told.get('card')!r}, not of '{card}'"
    size = told.get("size")
    if not isinstance(size, dict):
        yield "no table [size]"
        return
    known = {part.name: part.type for part in fields(Size)}
    yield from (f"'{name}' is no part of a size" for name in size if name not in known)
    for name, kind in known.items():
        value, (low, high) = size.get(name), BOUNDS[name]
        right = type(value) is int or (kind == "float" and type(value) is float)
        if value is None or not right or not low <= value <= high:
            yield f"'{name}' is not a {'number' if kind == 'float' else 'whole number'} from {low:g} to {high:g}"


def _refused(found: str, path: Path, expected: str, do: str) -> ConfigurationRefused:
    return ConfigurationRefused(found, where=str(path), expected=expected, do=do)


def _table(name: str, values: Mapping[str, Any]) -> list[str]:
    return ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())]


def _value(value: Any) -> str:
    """Return a value as TOML writes it: as JSON does, but for the one sign that TOML alone wants escaped."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")
