"""The folder in which a lender keeps its fitted cards, the keys that vouch for them and which one serves."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import ConfigurationRefused, ModelRefused
from models import artefact
from models.champions import Champions, Promotion, Standing, is_number, sync_folder
from models.fitted_card import FittedCard
from models.risk_model import Floats

SECRET_MODE, PUBLIC_MODE = 0o600, 0o644
PEM = serialization.Encoding.PEM
UNREADABLE = (OSError, ValueError, TypeError, UnsupportedAlgorithm)


@dataclass(frozen=True)
class ModelStore:
    """Fitted cards under `root/models/CARD/VERSION`, keys under `root/keys`; `models.champions` says which serves."""

    root: Path

    def save(self, card: FittedCard, golden: Floats) -> Path:
        """Write a card, signed with the store's own key, and return its folder."""
        return artefact.save(card, golden, self.folder(card.card.name, card.version), self._signing_key())

    def load(self, card: str, version: str | None = None) -> FittedCard:
        """Return a version of a card, or its champion.

        Raises
        ------
        ModelRefused : there is none, it does not verify, or it is another card or version than its folder says
        """
        chosen = version or self.champion(card)
        return artefact.load(self.folder(card, chosen), self.trusted_keys(), card=card, version=chosen)

    def verify(self, card: str, version: str) -> None:
        """Check that a version's files are as they were signed and its own; its trees are not read.

        Raises
        ------
        ModelRefused : they are not
        """
        artefact.verified(self.folder(card, version), self.trusted_keys(), card=card, version=version)

    def provenance(self, card: str, version: str) -> dict[str, Any]:
        """Return what a version's signed files tell of its making, without its trees being read.

        Raises
        ------
        ModelRefused : see `verify`
        """
        contents = artefact.verified(self.folder(card, version), self.trusted_keys(), card=card, version=version)
        told: dict[str, Any] = json.loads(contents[artefact.CARD])["provenance"]
        return told

    def digest(self, card: str, version: str) -> str | None:
        """Return the SHA-256 of a version's manifest, which names all its files; None where it cannot be read."""
        try:
            return hashlib.sha256(artefact.read_whole(self.folder(card, version) / artefact.MANIFEST)).hexdigest()
        except (OSError, ModelRefused):
            return None

    def champion(self, card: str, *, book: str = "taiwan") -> str:
        """Return the version that serves.

        Parameters
        ----------
        book : the portfolio that the reader is told to train on where there is none

        Raises
        ------
        ModelRefused : none ever served, or the file that names it is damaged or cannot be read
        UnpromotedChampion : the file names a version that nobody promoted
        """
        champions = self._champions(card)
        try:
            version = champions.promoted()
        except OSError as error:
            raise ModelRefused(
                f"a champion that cannot be read ({error.strerror})",
                where=str(error.filename or champions.pointer),
                expected="a file that this user may read",
                do="give the right to read it, or restore it from a copy",
            ) from error
        if version is None:
            raise ModelRefused(
                f"no {card} card has been trained here",
                where=str(self.root),
                expected="a model store with a champion",
                do=f"run `repayrank train --portfolio {book} --card {card}` first, or name the store with --home",
            )
        if not is_number(version):
            raise ModelRefused(
                "a champion that is not a version number",
                where=str(champions.pointer),
                expected="the number of a version that is there",
                do=f"go back with `repayrank promote --rollback --card {card} --version N`, or train the card again",
            )
        return version

    def has_champion(self, card: str) -> bool:
        """Return whether a version of a card serves or ever served here, also where it cannot be told which."""
        try:
            return self._champions(card).has_any()
        except (ModelRefused, OSError):
            return True  # there is something, and it is damaged

    def named_at(self, card: str) -> int | None:
        """Return when the file that names the champion was written, in nanoseconds; None where it cannot be told."""
        try:
            return self._champions(card).pointer.stat().st_mtime_ns
        except OSError:
            return None

    def standing(self, card: str) -> Standing:
        """Return which version serves, if any, and which change made it so: what a promotion may expect."""
        return self._champions(card).standing()

    def promote(
        self,
        card: str,
        version: str,
        *,
        expected: Standing | None = None,
        by: str = "",
        at: datetime | None = None,
        reason: str = "",
        record: str = "",
    ) -> Promotion:
        """Make a version the one that serves; readers see the old one or the new one, never neither.

        Parameters
        ----------
        expected : what `standing` said when the version was found to be better; of several callers who expect the same
            one wins. Without it the version takes the place of whatever serves
        by, at : who makes it the champion, and when; kept in the history
        reason, record : why, and the SHA-256 of what is kept about it elsewhere; kept in the history too

        Raises
        ------
        ConflictingChampion : another change came first
        ModelRefused : `version` is no number, or the history is damaged
        """
        self.folder(card, version)
        return self._champions(card).promote(
            version, self.digest(card, version), expected=expected, by=by, at=at, reason=reason, record=record
        )

    def history(self, card: str) -> list[Promotion]:
        """Return every change of a card's champion, oldest first; the last one's `before` is what to go back to."""
        return self._champions(card).history()

    def next_version(self, card: str) -> str:
        """Return the number after the highest version that is there."""
        folder = self.root / "models" / card
        numbers = [int(path.name) for path in folder.glob("*") if path.is_dir() and is_number(path.name)]
        return str(max(numbers, default=0) + 1)

    def folder(self, card: str, version: str) -> Path:
        """Return where a version is kept."""
        if not is_number(version):
            raise ModelRefused(
                "a version that is not a number",
                where=f"card '{card}'",
                expected="a pinned version such as 3",
                do="name the version, or leave it out for the champion",
            )
        return self.root / "models" / card / version

    def trusted_keys(self) -> list[Ed25519PublicKey]:
        """Return the keys that vouch for a card here: every file of `keys/trusted`.

        Raises
        ------
        ConfigurationRefused : one of them is not an Ed25519 public key, or everybody could put one there
        """
        folder = self.root / "keys" / "trusted"
        found = sorted(folder.glob("*.pem"))
        for path in (folder.parent, folder, *found):
            _require_own(path)
        return [_public_key(path) for path in found]

    def sign(self, content: bytes) -> bytes:
        """Return the store's own signature of what says itself what it is."""
        return self._signing_key().sign(content)

    def vouched(self, content: bytes, signature: bytes) -> bool:
        """Return whether a key that is trusted here has signed the content."""
        return any(artefact.is_signed(key, content, signature) for key in self.trusted_keys())

    def _champions(self, card: str) -> Champions:
        return Champions(self.root / "models" / card)

    def _signing_key(self) -> Ed25519PrivateKey:
        path = self.root / "keys" / "signing.pem"
        key = _private_key(path) if path.exists() else _new_private_key(path)
        trusted = self.root / "keys" / "trusted" / "own.pem"
        if not trusted.exists():
            # Also after a crash between the two files: what this store signs, it must be able to load.
            public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            _put(trusted, public, PUBLIC_MODE)
        return key


def _new_private_key(path: Path) -> Ed25519PrivateKey:
    private = Ed25519PrivateKey.generate().private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _put(path, private, SECRET_MODE)
    return _private_key(path)


def _put(path: Path, content: bytes, mode: int) -> None:
    """Put a file there, whole and for good; one that another process has put there first stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".begun-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        # Not a renaming, which would take the place of another's key.
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    sync_folder(path.parent)


def _require_own(path: Path) -> None:
    """Refuse what any user of the machine could change: a key put there would vouch for models."""
    if path.exists() and path.stat().st_mode & stat.S_IWOTH:
        raise ConfigurationRefused(
            f"a mode of {stat.S_IMODE(path.stat().st_mode):04o}, by which everybody can put another key there",
            where=str(path),
            expected="keys that their owner alone changes",
            do=f"chmod o-w {path.name}, and look whether each key in it is yours",
        )


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except UNREADABLE as error:
        raise _key_refused(path, "private") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _key_refused(path, "private")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except UNREADABLE as error:
        raise _key_refused(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _key_refused(path, "public")
    return key


def _key_refused(path: Path, kind: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        f"a file that cannot be read as an Ed25519 {kind} key",
        where=str(path),
        expected=f"an Ed25519 {kind} key in PEM, without a password",
        do="restore the file from a copy, or take it out of the folder",
    )
