"""The folder in which a lender keeps its fitted cards, the keys that vouch for them and which one serves."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.errors import ConfigurationRefused, ModelRefused
from models import artefact
from models.fitted_card import FittedCard
from models.risk_model import Floats

CHAMPION = "champion"
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class ModelStore:
    """Fitted cards under `root/models/CARD/VERSION`, keys under `root/keys`; the champion is named in a small file."""

    root: Path

    def save(self, card: FittedCard, golden: Floats) -> Path:
        """Write a card, signed with the store's own key, and return its folder."""
        return artefact.save(card, golden, self.folder(card.card.name, card.version), self._signing_key())

    def load(self, card: str, version: str | None = None) -> FittedCard:
        """Return a version of a card, or its champion.

        Raises
        ------
        ModelRefused : there is none, or it does not verify
        """
        chosen = version or self.champion(card)
        return artefact.load(self.folder(card, chosen), self._trusted_keys())

    def champion(self, card: str) -> str:
        """Return the version that serves."""
        pointer = self.root / "models" / card / CHAMPION
        if not pointer.is_file():
            raise ModelRefused(
                f"no {card} card has been trained here",
                where=str(self.root),
                expected="a model store with a champion",
                do=f"run `repayrank train --portfolio taiwan --card {card}` first, or name the store with --home",
            )
        return pointer.read_text().strip()

    def promote(self, card: str, version: str) -> None:
        """Make a version the one that serves; readers see the old one or the new one, never neither."""
        _replace(self.root / "models" / card / CHAMPION, f"{version}\n".encode())

    def next_version(self, card: str) -> str:
        """Return the number after the highest version that is there."""
        folder = self.root / "models" / card
        numbers = [int(path.name) for path in folder.glob("*") if path.is_dir() and path.name.isdigit()]
        return str(max(numbers, default=0) + 1)

    def folder(self, card: str, version: str) -> Path:
        """Return where a version is kept."""
        if not version.isdigit():
            raise ModelRefused(
                "a version that is not a number",
                where=f"card '{card}'",
                expected="a pinned version such as 3",
                do="name the version, or leave it out for the champion",
            )
        return self.root / "models" / card / version

    def _trusted_keys(self) -> list[Ed25519PublicKey]:
        folder = self.root / "keys" / "trusted"
        keys = [serialization.load_pem_public_key(path.read_bytes()) for path in sorted(folder.glob("*.pem"))]
        return [key for key in keys if isinstance(key, Ed25519PublicKey)]

    def _signing_key(self) -> Ed25519PrivateKey:
        path = self.root / "keys" / "signing.pem"
        if path.exists():
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ConfigurationRefused(
                    "a signing key of another kind", where=str(path), expected="an Ed25519 key", do="replace the file"
                )
            return key
        key = Ed25519PrivateKey.generate()
        path.parent.mkdir(parents=True, exist_ok=True)
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(private)
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        trusted = self.root / "keys" / "trusted" / "own.pem"
        trusted.parent.mkdir(parents=True, exist_ok=True)
        trusted.write_bytes(public)
        return key


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    Path(temporary).replace(path)
