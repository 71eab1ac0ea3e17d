"""The operator's keys are made once, all or none, never written over, and refused where others can read them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from features.errors import ConfigurationRefused
from serving.subjects.keys import FILES, LOG, LOG_PUBLIC, SUBJECTS, created_keys, read_keys

PROCESSES = 6
NOBODY = 65_534


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "keys"


def content(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def raw(keys) -> tuple[bytes, bytes, bytes]:
    return keys.subjects, keys.log.private_bytes_raw(), keys.log_public.public_bytes_raw()


def test_keys_are_made_once_and_read_again(folder):
    made = created_keys(folder)
    before = content(folder)
    assert set(before) == set(FILES)
    assert raw(created_keys(folder)) == raw(read_keys(folder)) == raw(made)
    assert content(folder) == before
    made.log_public.verify(made.log.sign(b"text"), b"text")
    assert len(made.subjects) == 32
    assert sorted(path.name for path in folder.parent.iterdir()) == ["keys"]


def test_two_folders_have_different_keys(folder, tmp_path):
    assert not set(raw(created_keys(folder))) & set(raw(created_keys(tmp_path / "other")))


def test_keys_are_made_in_an_empty_folder_and_in_no_other(folder):
    folder.mkdir(parents=True, mode=0o700)
    created_keys(folder)
    for path in folder.iterdir():
        path.unlink()
    (folder / "notes").write_text("mine")
    with pytest.raises(ConfigurationRefused):
        created_keys(folder)
    assert content(folder) == {"notes": b"mine"}


def test_only_their_owner_can_read_them_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        created_keys(folder)
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [folder, *folder.iterdir()]}
    assert modes == {"keys": "0o700", SUBJECTS: "0o600", LOG: "0o600", LOG_PUBLIC: "0o644"}


@pytest.mark.parametrize("name", [SUBJECTS, LOG])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777])
def test_a_key_that_others_can_read_or_change_is_refused(folder, name, mode):
    created_keys(folder)
    (folder / name).chmod(mode)
    for read in (read_keys, created_keys):
        with pytest.raises(ConfigurationRefused, match=f"{mode:04o}"):
            read(folder)


@pytest.mark.parametrize(("name", "mode"), [(".", 0o770), (".", 0o702), (LOG_PUBLIC, 0o664)])
def test_a_folder_or_public_key_that_others_can_change_is_refused(folder, name, mode):
    created_keys(folder)
    (folder / name).chmod(mode)
    with pytest.raises(ConfigurationRefused):
        read_keys(folder)


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_key_that_its_owner_alone_can_read_is_taken(folder, mode):
    made = created_keys(folder)
    (folder / SUBJECTS).chmod(mode)
    assert raw(read_keys(folder)) == raw(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_key_is_refused(folder):
    created_keys(folder)
    os.chown(folder / SUBJECTS, NOBODY, NOBODY)
    with pytest.raises(ConfigurationRefused, match="another user"):
        read_keys(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_key_is_refused_and_never_replaced(folder, name):
    created_keys(folder)
    (folder / name).unlink()
    before = content(folder)
    for read in (read_keys, created_keys):
        with pytest.raises(ConfigurationRefused, match=name):
            read(folder)
    assert content(folder) == before


def other_kind() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        (SUBJECTS, b""),
        (SUBJECTS, bytes(31)),
        (SUBJECTS, bytes(32)),
        (SUBJECTS, b"changeme" * 4),
        (SUBJECTS, bytes(range(33))),
        (LOG, b""),
        (LOG, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        pytest.param(LOG, other_kind(), id="another kind"),
        (LOG_PUBLIC, b""),
        (LOG_PUBLIC, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ],
    ids=str,
)
def test_what_is_no_key_is_refused_without_being_told(folder, name, changed):
    created_keys(folder)
    (folder / name).write_bytes(changed)
    with pytest.raises(ConfigurationRefused, match=name) as refusal:
        read_keys(folder)
    assert not changed or changed.decode(errors="ignore").strip() not in str(refusal.value)


def test_a_public_key_of_another_set_is_refused(folder, tmp_path):
    created_keys(folder)
    created_keys(tmp_path / "other")
    (tmp_path / "other" / LOG_PUBLIC).replace(folder / LOG_PUBLIC)
    with pytest.raises(ConfigurationRefused, match="does not belong"):
        read_keys(folder)


def test_several_processes_at_once_end_with_one_set_that_all_of_them_have(folder):
    code = (
        "import sys, hashlib\n"
        "from pathlib import Path\n"
        "from serving.subjects.keys import created_keys\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read(1)\n"
        "keys = created_keys(Path(sys.argv[1]))\n"
        "print(hashlib.sha256(keys.subjects + keys.log.private_bytes_raw()).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", code, str(folder)]
    working = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        for _ in range(PROCESSES)
    ]
    for one in working:
        assert one.stdout.readline() == b"ready\n"
    for one in working:
        one.stdin.write(b"!")
        one.stdin.flush()
    told = {one.communicate(timeout=60)[0] for one in working}
    assert [one.returncode for one in working] == [0] * PROCESSES
    assert len(told) == 1
    assert set(content(folder)) == set(FILES)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["keys"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "keys"):
        with pytest.raises(ConfigurationRefused):
            created_keys(folder)
    with pytest.raises(ConfigurationRefused):
        read_keys(tmp_path / "nothing")


def test_no_secret_is_shown(folder):
    keys = created_keys(folder)
    shown = f"{keys} {keys!r} {vars(keys)['log']!r}"
    private = keys.log.private_bytes_raw()
    assert isinstance(keys.log, Ed25519PrivateKey)
    assert not [one for secret in (keys.subjects, private) for one in (secret.hex(), repr(secret)) if one in shown]
