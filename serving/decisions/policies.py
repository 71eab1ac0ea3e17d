"""Every policy under which a decision was taken, kept as it was: a replay reads the one that the record names."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from features.errors import ConfigurationRefused
from models.champions import sync_folder
from models.policy import Policy, default_policy_bytes, policy_from


def keep_policy(folder: Path, policy: Policy, chosen: Path | None) -> None:
    """Keep the file of a policy under its digest.

    Parameters
    ----------
    folder : of `policies_in`
    chosen : the file that the policy was read from; None for the one of the release

    Raises
    ------
    ConfigurationRefused : the file was changed since it was read
    """
    raw = default_policy_bytes() if chosen is None else chosen.read_bytes()
    if hashlib.sha256(raw).hexdigest() != policy.digest:
        raise ConfigurationRefused(
            "a policy file that changed while it was read",
            where=str(chosen),
            expected="one that rests",
            do="start the service again",
        )
    kept = _path(folder, policy.digest)
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        Path(stream.name).replace(kept)
        sync_folder(folder)


def kept_policy(folder: Path, digest: str) -> Policy:
    """Return the policy with a digest.

    Raises
    ------
    ConfigurationRefused : it is not kept here, or is not what it was
    """
    kept = _path(folder, digest)
    try:
        raw = kept.read_bytes()
    except OSError:
        raise _refused("no policy with this digest", kept) from None
    if hashlib.sha256(raw).hexdigest() != digest:
        raise _refused("a policy that was changed since", kept)
    return policy_from(raw, where=str(kept))


def policies_in(state: Path) -> Path:
    """Return where policies are kept."""
    return state / "policies"


def _path(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.toml"


def _refused(found: str, path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        found, where=str(path), expected="the policy file of the decision", do="put the file back from a copy"
    )
