"""What may happen to the files of a stored model on their way, by accident or on purpose."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.artefact import CARD, MANIFEST, MOST_BYTES, SIGNATURE, SIGNED_FILES, canonical
from models.store import ModelStore

FILES = (*SIGNED_FILES, MANIFEST, SIGNATURE)
Contents = dict[str, bytes]
"""File names and what the files hold."""


def contents_of(folder: Path) -> Contents:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Damages:
    """Draws changes to a version's files; `others` are valid versions of the same card, `stranger` a key of nobody."""

    def __init__(self, seed: int, whole: Contents, others: list[Contents]) -> None:
        self.chosen = random.Random(seed)
        self.whole, self.others = whole, others
        self.stranger = Ed25519PrivateKey.generate()
        self.kinds: list[Callable[[Contents], None]] = [
            *[self.bits] * 6,
            *[self.cut] * 3,
            *[self.grown] * 2,
            *[self.zeros] * 2,
            self.swapped,
            self.of_another_version,
            *[self.hashed_anew] * 2,
            *[self.signed_by_a_stranger] * 2,
            self.signature_of_another_version,
            self.missing,
            self.replayed,
        ]

    def draw(self) -> tuple[str, Contents]:
        """Return a kind of damage and what the files hold after it; a file that is left out is missing."""
        kind = self.chosen.choice(self.kinds)
        damaged = dict(self.whole)
        kind(damaged)
        return kind.__name__, damaged

    def _file(self) -> str:
        return self.chosen.choice(FILES)

    def bits(self, files: Contents) -> None:
        name = self._file()
        raw = bytearray(files[name])
        for _ in range(self.chosen.choice((1, 1, 1, 2, 8))):
            raw[self.chosen.randrange(len(raw))] ^= 1 << self.chosen.randrange(8)
        files[name] = bytes(raw)

    def cut(self, files: Contents) -> None:
        name = self._file()
        files[name] = files[name][: self.chosen.randrange(len(files[name]))]

    def grown(self, files: Contents) -> None:
        name = self._file()
        place = self.chosen.choice((0, len(files[name]), self.chosen.randrange(len(files[name]))))
        files[name] = files[name][:place] + self.chosen.randbytes(self.chosen.randint(1, 64)) + files[name][place:]

    def zeros(self, files: Contents) -> None:
        name = self._file()
        begin = self.chosen.randrange(len(files[name]))
        part = files[name][begin : begin + 512]
        files[name] = files[name][:begin] + bytes(len(part)) + files[name][begin + len(part) :]

    def swapped(self, files: Contents) -> None:
        one, other = self.chosen.sample(FILES, 2)
        files[one], files[other] = files[other], files[one]

    def of_another_version(self, files: Contents) -> None:
        other = self.chosen.choice(self.others)
        for name in self.chosen.sample(FILES, self.chosen.randint(1, len(FILES) - 1)):
            files[name] = other[name]

    def hashed_anew(self, files: Contents) -> None:
        while all(files[name] == self.whole[name] for name in SIGNED_FILES):
            files.update(self.whole)
            self.chosen.choice((self.bits, self.cut, self.zeros, self.of_another_version))(files)
        manifest = json.loads(self.whole[MANIFEST])
        manifest["sha256"] = {name: hashlib.sha256(files[name]).hexdigest() for name in SIGNED_FILES}
        files[MANIFEST], files[SIGNATURE] = canonical(manifest), self.whole[SIGNATURE]

    def signed_by_a_stranger(self, files: Contents) -> None:
        self.hashed_anew(files)
        files[SIGNATURE] = self.stranger.sign(files[MANIFEST])

    def signature_of_another_version(self, files: Contents) -> None:
        files[SIGNATURE] = self.chosen.choice((b"", bytes(64), *(other[SIGNATURE] for other in self.others)))

    def missing(self, files: Contents) -> None:
        for name in self.chosen.sample(FILES, self.chosen.randint(1, len(FILES))):
            del files[name]

    def replayed(self, files: Contents) -> None:
        files.update(self.chosen.choice(self.others))


@contextmanager
def holding(folder: Path, files: Contents, whole: Contents) -> Iterator[None]:
    """Let a folder hold other files, and put back what it held."""
    changed = [name for name in whole if files.get(name) != whole[name]]
    for name in changed:
        if name in files:
            _write(folder / name, files[name])
        else:
            (folder / name).unlink()
    try:
        yield
    finally:
        for name in changed:
            _write(folder / name, whole[name])


def _write(path: Path, raw: bytes) -> None:
    """Write over what is there: to empty a file first takes ten times as long as all else."""
    with path.open("r+b" if path.exists() else "wb") as stream:
        stream.write(raw)
        stream.truncate()


def no_file(path: Path, kind: str) -> None:
    """Put in a file's place what would make a reader wait for ever or fill memory."""
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "itself":
        path.symlink_to(path)
    else:
        with path.open("wb") as stream:
            stream.truncate(MOST_BYTES + 1)


NO_FILES = ("pipe", "folder", "endless", "itself", "huge")


def signed_anew(store: ModelStore, card: str, version: str, of: str, name: str, raw: bytes) -> Path:
    """Write a version like another one, under its own number, with one file changed before it was signed."""
    folder = store.folder(card, version)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(store.folder(card, of), folder)
    said = json.loads((folder / CARD).read_bytes())
    (folder / CARD).write_bytes(canonical({**said, "version": version}))
    (folder / name).write_bytes(raw)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    for changed in (CARD, name):
        manifest["sha256"][changed] = hashlib.sha256((folder / changed).read_bytes()).hexdigest()
    (folder / MANIFEST).write_bytes(canonical(manifest))
    key = serialization.load_pem_private_key((store.root / "keys" / "signing.pem").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    (folder / SIGNATURE).write_bytes(key.sign((folder / MANIFEST).read_bytes()))
    return folder
