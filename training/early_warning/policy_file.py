"""How a policy of early warning is read from TOML: every fault at once, and no number without its source."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from features.errors import ConfigurationRefused

FORMAT = 1
"""The form of these files."""
HEAD = ("format", "version")


@dataclass(frozen=True)
class Written:
    """The sections of a policy file, each of its kind; `digest` is the SHA-256 of the file's bytes."""

    version: str
    sections: Mapping[str, Any]
    digest: str


def shipped(name: str) -> bytes:
    """Return a policy file that ships with the release."""
    return files("training.early_warning").joinpath(name).read_bytes()


def read(path: Path | None, name: str) -> tuple[bytes, str]:
    """Return the bytes of a policy file and where they come from: the file that is named, or the shipped one.

    Raises
    ------
    ConfigurationRefused : the file cannot be read
    """
    if path is None:
        return shipped(name), f"training/early_warning/{name}"
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise ConfigurationRefused(
            f"the policy file cannot be read ({error.strerror})",
            where=str(path),
            expected=f"a TOML file like the {name} that --show-policy prints",
            do="correct the path",
        ) from error


def sections_of(raw: bytes, kinds: Mapping[str, Any], *, where: str) -> Written:
    """Return a policy's sections; ConfigurationRefused with all faults together."""
    try:
        written = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused([str(error)], where) from error
    faults, sections = list(_head_faults(written)), {}
    faults += [f"unknown section '{name}'" for name in written if name not in (*HEAD, *kinds)]
    for name, kind in kinds.items():
        if name not in written:
            faults.append(f"section '{name}' is missing")
            continue
        try:
            sections[name] = msgspec.convert(written[name], kind)
        except msgspec.ValidationError as error:
            faults.append(f"section '{name}': {error}")
            continue
        faults += [f"section '{name}': {fault}" for fault in _silent(sections[name])]
    if faults:
        raise refused(faults, where)
    return Written(written["version"], sections, hashlib.sha256(raw).hexdigest())


def refused(faults: list[str], where: str) -> ConfigurationRefused:
    """Return the refusal of a policy with its faults."""
    return ConfigurationRefused(
        "; ".join(faults), where=where, expected="a valid policy", do="correct the sections named"
    )


def _head_faults(written: Mapping[str, Any]) -> Iterator[str]:
    if written.get("format") != FORMAT:
        yield f"'format': the form of the file is {FORMAT}"
    if not isinstance(written.get("version"), str) or not written["version"].strip():
        yield "'version': a text that is not empty"


def _silent(section: Any) -> Iterator[str]:
    """Yield the entries whose texts say nothing, the source above all."""
    for entry in section if isinstance(section, tuple) else (section,):
        if isinstance(entry, msgspec.Struct):
            for name in entry.__struct_fields__:
                value = getattr(entry, name)
                if isinstance(value, str) and not value.strip():
                    yield f"{name} must not be empty"
