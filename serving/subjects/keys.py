"""The operator's secrets in a folder of their own: whoever has them can read the decisions, and sign in the log's name.

    subjects.key   32 random bytes; with them and the vault, and with both only, the log's personal content can be read
    log.pem        signs the log's checkpoints (Ed25519, PKCS8)
    log.pub.pem    its public half, for everybody who checks the log

They are made once, all or none, and never written over: a second key for the vault would make every decision before it
unreadable. A copy of them belongs in a safe place, away from copies of the vault and of the log.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from features.errors import ConfigurationRefused
from serving.records.anchors import sync_folder
from serving.subjects.subject import KEY_BYTES

SUBJECTS, LOG, LOG_PUBLIC = "subjects.key", "log.pem", "log.pub.pem"
FILES = (SUBJECTS, LOG, LOG_PUBLIC)
FOLDER_MODE, SECRET_MODE, PUBLIC_MODE = 0o700, 0o600, 0o644
OTHERS_ANY = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
ROOT = 0
MOST_BYTES = 4_096
FEWEST_VALUES = 8
"""Different bytes in a random key: fewer are a sample key, for a random one has them with a chance below 2^-100."""


@dataclass(frozen=True)
class Keys:
    """The secrets, which are not shown when this is printed.

    Attributes
    ----------
    subjects : the master key of the vault
    log : signs the checkpoints
    log_public : its public half
    """

    subjects: bytes = field(repr=False)
    log: Ed25519PrivateKey = field(repr=False)
    log_public: Ed25519PublicKey = field(repr=False)


def read_keys(folder: Path) -> Keys:
    """Return the keys in a folder.

    Raises
    ------
    ConfigurationRefused : one is missing or is no key, or others than its owner can read it or put another in its place
    """
    _require_own(folder)
    subjects, log, public = (_content(folder / name) for name in FILES)
    if len(subjects) != KEY_BYTES or len(set(subjects)) < FEWEST_VALUES:
        raise _refused(f"no key of {KEY_BYTES} random bytes", folder / SUBJECTS)
    private = _private(log, folder / LOG)
    try:
        stated = load_pem_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("no public key", folder / LOG_PUBLIC) from None
    if not isinstance(stated, Ed25519PublicKey) or stated != private.public_key():
        raise _refused(f"a public key that does not belong to {LOG}", folder / LOG_PUBLIC)
    return Keys(subjects, private, stated)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Return the key that a log is checked with; it may be another user's, as an auditor's copy of ours is.

    Raises
    ------
    ConfigurationRefused : there is none, or others than its owner can put another in its place
    """
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            key = load_pem_public_key(stream.read(MOST_BYTES))
    except OSError as error:
        raise _no_public_key(f"a key that cannot be read ({error.strerror})", path) from error
    except (ValueError, UnsupportedAlgorithm):
        raise _no_public_key("no public key", path) from None
    if mode & OTHERS_WRITE:
        raise _no_public_key(f"the mode {mode:04o}, by which others could put another key in its place", path)
    if not isinstance(key, Ed25519PublicKey):
        raise _no_public_key("a public key of another kind", path)
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return by what people compare a public key with the one that was published: SHA-256 over its DER form."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def created_keys(folder: Path) -> Keys:
    """Return the keys in a folder, made now where there is no such folder or an empty one.

    Raises
    ------
    ConfigurationRefused : as `read_keys`, or the folder cannot be made
    """
    try:
        if not folder.exists() or not any(folder.iterdir()):
            _create(folder)
    except OSError as error:
        raise _refused(f"a folder that cannot be made ({error.strerror})", folder) from error
    return read_keys(folder)


def _create(folder: Path) -> None:
    log = Ed25519PrivateKey.generate()
    content = {
        SUBJECTS: (secrets.token_bytes(KEY_BYTES), SECRET_MODE),
        LOG: (log.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), SECRET_MODE),
        LOG_PUBLIC: (
            log.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            PUBLIC_MODE,
        ),
    }
    folder.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    begun = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    begun.mkdir(mode=FOLDER_MODE)
    try:
        for name, (key, mode) in content.items():
            _write(begun / name, key, mode)
        sync_folder(begun)
        # Takes the place of nothing or of an empty folder, and of no other: of two processes one is first.
        begun.rename(folder)
        sync_folder(folder.parent)
    except OSError:
        shutil.rmtree(begun, ignore_errors=True)
        if not folder.is_dir() or not any(folder.iterdir()):
            raise


def _write(path: Path, content: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(file)


def _content(path: Path) -> bytes:
    """Return what is in a file that only its owner can read, or, where it is public, that only its owner can change."""
    forbidden = OTHERS_WRITE if path.name == LOG_PUBLIC else OTHERS_ANY
    try:
        with path.open("rb") as stream:
            _require(os.fstat(stream.fileno()), path, forbidden)
            return stream.read(MOST_BYTES)
    except OSError as error:
        raise _refused(f"a key that cannot be read ({error.strerror})", path) from error


def _require_own(folder: Path) -> None:
    try:
        found = folder.stat()
    except OSError as error:
        raise _refused(f"a folder of keys that cannot be read ({error.strerror})", folder) from error
    _require(found, folder, OTHERS_WRITE)


def _require(found: os.stat_result, path: Path, forbidden: int) -> None:
    if found.st_mode & forbidden:
        raise ConfigurationRefused(
            f"the mode {stat.S_IMODE(found.st_mode):04o}, which lets others than the owner at a key",
            where=str(path),
            expected=f"{SECRET_MODE:04o} of a key and {FOLDER_MODE:04o} of its folder",
            do="take the rights away from others; if they may have read the key, make new ones for a new log",
        )
    if found.st_uid not in {os.geteuid(), ROOT}:
        raise ConfigurationRefused(
            "another user's key",
            where=str(path),
            expected="an owner who is the user of this process, or root",
            do="give the file to the user that runs the service",
        )


def _private(pem: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _refused("no private key", path) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _refused("a private key of another kind", path)
    return key


def _no_public_key(found: str, path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        found,
        where=str(path),
        expected=f"the log's public key in PEM ({LOG_PUBLIC} among the secrets), which its owner alone can change",
        do="name a copy of it with --key",
    )


def _refused(found: str, path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        found,
        where=str(path),
        expected=f"a folder with {', '.join(FILES)}, as they were made together",
        do="name that folder, or bring the keys back from their copy; new ones do not open what the old ones closed",
    )
