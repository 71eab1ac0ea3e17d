"""What a lender says of a card in its own words: purpose, limits of use, owner; read from a file, never made up."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from features.errors import ConfigurationRefused
from features.words import Text

FORMAT = 1
NEEDED, SEVERAL, ONE = ("purpose", "out_of_scope"), ("out_of_scope", "approved_uses"), ("purpose", "owner", "contact")
LANGUAGES = {"en", "zh"}
LONGEST = 2_000
"""Characters of one sentence."""


@dataclass(frozen=True)
class About:
    """The lender's sentences; `owner` and `contact` are None, and `approved_uses` empty, where nobody has said them."""

    purpose: Text
    out_of_scope: tuple[Text, ...]
    approved_uses: tuple[Text, ...] = ()
    owner: Text | None = None
    contact: Text | None = None


def default_bytes() -> bytes:
    """Return the neutral file that ships with the release."""
    return files("training.model_card").joinpath("about.toml").read_bytes()


def read_about(path: Path | None) -> About:
    """Return what a file says, or the neutral words that ship with the release.

    Raises
    ------
    ConfigurationRefused : it cannot be read, says nothing of purpose or limits, or lacks a language; all at once
    """
    if path is None:
        return about_from(default_bytes(), where="training/model_card/about.toml")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused([f"it cannot be read ({error.strerror})"], str(path)) from error
    return about_from(raw, where=str(path))


def about_from(raw: bytes, *, where: str) -> About:
    """Return what TOML bytes say; see `read_about`."""
    try:
        written = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refused([str(error)], where) from error
    faults = list(_faults(written))
    if faults:
        raise _refused(faults, where)
    one = {name: _text(written[name]) for name in ONE if name in written}
    return About(**one, **{name: tuple(map(_text, written.get(name, ()))) for name in SEVERAL})  # type: ignore[arg-type]


def _faults(written: Mapping[str, Any]) -> Iterator[str]:
    if written.get("format") != FORMAT:
        yield f"'format': the form of the file is {FORMAT}"
    known = {"format", *ONE, *SEVERAL}
    yield from (f"unknown '{name}'" for name in written if name not in known)
    yield from (f"'{name}' is missing" for name in NEEDED if not written.get(name))
    for name in ONE:
        if name in written:
            yield from (f"'{name}' {fault}" for fault in _text_faults(written[name]))
    for name in SEVERAL:
        told = written.get(name, [])
        if not isinstance(told, list):
            yield f"'{name}' is a list: [[{name}]]"
            continue
        for place, one in enumerate(told, start=1):
            yield from (f"'{name}' {place} {fault}" for fault in _text_faults(one))


def _text_faults(told: Any) -> Iterator[str]:
    if not isinstance(told, dict) or set(told) != LANGUAGES:
        yield "says it in en and in zh"
        return
    for language, words in told.items():
        if not isinstance(words, str) or not words.strip() or len(words) > LONGEST or "\n" in words.strip():
            yield f"is a sentence of up to {LONGEST:,} characters on one line in {language}"


def _text(told: Mapping[str, str]) -> Text:
    return Text(en=told["en"].strip(), zh=told["zh"].strip())


def _refused(faults: list[str], where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults),
        where=where,
        expected="a TOML file of the lender's own sentences in English and Chinese",
        do="correct what is named; begin from the file that `repayrank card --show-about` prints",
    )
