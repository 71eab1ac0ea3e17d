"""A validation as it is kept: what was validated, by which policy and by whom, with every finding; signed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.artefact import canonical
from models.champions import sync_folder
from training.validation.findings import Finding, Verdict

FORMAT = "repayrank-validation/1"
RESULT, SIGNATURE, POLICY = "result.json", "result.sig", "policy.toml"
EVIDENCE, PROTECTED, REPORT = "evidence.parquet", "protected.parquet", "report.html"
READABLE, OWNER_ONLY = 0o644, 0o600


@dataclass(frozen=True)
class Result:
    """A validation.

    Attributes
    ----------
    manifest : SHA-256 of the manifest of the version that was validated, which names all of its files
    mode : whether it was judged on its own cases or on later ones; `first_on`, `last_on` their observation dates
    cases, bad : how many judged it
    values : SHA-256 of names, values and outcomes of those cases
    policy, policy_version : SHA-256 of the validation policy, and what it calls itself
    by, at : who validated, and when: an instant in UTC
    evidence : SHA-256 of the file that holds what the figures are computed from
    packages : versions of what computed them
    """

    card: str
    version: str
    manifest: str
    fingerprint: str
    mode: str
    portfolio: str
    first_on: str
    last_on: str
    cases: int
    bad: int
    values: str
    policy: str
    policy_version: str
    verdict: Verdict
    by: str
    at: str
    run: str
    evidence: str
    packages: Mapping[str, str]
    seconds: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The names of the checks that refuse."""
        return tuple(finding.check for finding in self.findings if finding.verdict is Verdict.REFUSE)

    def finding(self, check: str) -> Finding | None:
        """Return what a check found."""
        return next((finding for finding in self.findings if finding.check == check), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the validation as plain data."""
        told = {**asdict(self), "verdict": self.verdict.value, "packages": dict(self.packages)}
        return {**told, "findings": [finding.as_dict() for finding in self.findings], "format": FORMAT}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Result:
        """Return the validation written by `as_dict`."""
        told = {name: value for name, value in plain.items() if name != "format"}
        return cls(
            **{
                **told,
                "verdict": Verdict(told["verdict"]),
                "findings": tuple(map(Finding.from_dict, told["findings"])),
            }
        )

    def to_bytes(self) -> bytes:
        """Return what is written and signed: the same for the same validation."""
        return canonical(self.as_dict())


def written(path: Path, content: bytes, mode: int = READABLE) -> str:
    """Write a file whole or not at all, durably, and return the SHA-256 of its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    following = path.with_name(f".{path.name}.next")
    descriptor = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    following.replace(path)
    sync_folder(path.parent)
    return hashlib.sha256(content).hexdigest()


def parsed(raw: bytes) -> Result | None:
    """Return the validation in bytes that were written by `to_bytes`; None where they are none."""
    try:
        plain = json.loads(raw)
        return Result.from_dict(plain) if plain["format"] == FORMAT else None
    except (ValueError, TypeError, KeyError):
        return None
