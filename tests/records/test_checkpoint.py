"""A checkpoint is believed when a trusted key of this log signed exactly these bytes, and in no other case."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationRefused
from serving.records.anchors import read_anchors, read_last
from serving.records.checkpoint import Checkpoint, key_id, opened, require_origin, signed
from serving.records.errors import AuditBroken

ORIGIN = "collections.example/decisions"
KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (1, 2))
TRUSTED = [KEY.public_key()]
STATED = Checkpoint(ORIGIN, 20_852_163, hashlib.sha256(b"root").digest())
NOTE = signed(STATED, KEY)


def note_of(text: str, key: Ed25519PrivateKey = KEY, name: str = ORIGIN) -> bytes:
    """Return any text, signed well: what is refused is then refused for what it says."""
    made = base64.b64encode(key_id(name, key.public_key()) + key.sign(text.encode())).decode()
    return f"{text}\n— {name} {made}\n".encode()


def test_what_was_signed_is_read_back():
    assert opened(NOTE, ORIGIN, TRUSTED) == STATED
    assert note_of(STATED.text()) == NOTE


def test_the_key_id_is_the_one_of_the_known_note_of_go():
    # golang.org/x/mod/sumdb/note: the verifier key PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW
    raw = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    key = Ed25519PublicKey.from_public_bytes(raw)
    assert key_id("PeterNeumann", key).hex() == "c74f20a3"
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    made = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert made[:4].hex() == "c74f20a3"
    key.verify(made[4:], text.encode())


def test_every_changed_bit_of_a_note_is_refused():
    for place in range(len(NOTE)):
        for bit in range(8):
            changed = bytearray(NOTE)
            changed[place] ^= 1 << bit
            with pytest.raises(AuditBroken):
                opened(bytes(changed), ORIGIN, TRUSTED)


@given(st.integers(0, len(NOTE)), st.integers(0, len(NOTE)), st.binary(max_size=8))
@settings(max_examples=300)
def test_a_note_with_bytes_cut_out_or_put_in_is_refused(begin, end, between):
    touched = NOTE[:begin] + between + NOTE[end:]
    if touched == NOTE:
        return
    with pytest.raises(AuditBroken):
        opened(touched, ORIGIN, TRUSTED)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n012\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n+1\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n١\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n9223372036854775808\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode()[:-2]}B=\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode().rstrip('=')}\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode()}\nan extension\n",
        f"{ORIGIN}\n1\n",
        f"other.example/log\n1\n{base64.b64encode(bytes(32)).decode()}\n",
        f"\n1\n{base64.b64encode(bytes(32)).decode()}\n",
    ],
)
def test_a_text_that_is_signed_but_is_no_checkpoint_of_this_log_is_refused(text):
    with pytest.raises(AuditBroken):
        opened(note_of(text), ORIGIN, TRUSTED)


def test_signatures_of_unknown_keys_do_not_count_and_do_not_disturb():
    witnessed = NOTE + note_of(STATED.text(), OTHER, "witness.example/w").split(b"\n\n")[1]
    assert opened(witnessed, ORIGIN, TRUSTED) == STATED
    for trusted in ([], [OTHER.public_key()]):
        with pytest.raises(AuditBroken):
            opened(NOTE, ORIGIN, trusted)
    with pytest.raises(AuditBroken):
        opened(note_of(STATED.text(), KEY, "witness.example/w"), ORIGIN, TRUSTED)


def test_one_false_signature_of_a_trusted_key_refuses_a_note_that_another_trusted_key_signed():
    false = signed(Checkpoint(ORIGIN, 1, bytes(32)), OTHER).split(b"\n\n")[1]
    with pytest.raises(AuditBroken):
        opened(NOTE + false, ORIGIN, [*TRUSTED, OTHER.public_key()])


def test_both_keys_are_believed_while_one_replaces_the_other():
    rotated = [OTHER.public_key(), *TRUSTED]
    assert opened(NOTE, ORIGIN, rotated) == opened(signed(STATED, OTHER), ORIGIN, rotated)


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nbreak", "—", "x" * 256])
def test_a_name_that_cannot_stand_in_a_checkpoint_is_refused(origin):
    with pytest.raises(ConfigurationRefused):
        require_origin(origin)


@given(
    st.text("ab./", min_size=1, max_size=80),
    st.lists(st.integers(0, 10**3) | st.integers(0, 2**60), min_size=1, max_size=12),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([0, 1, 60]),
)
@settings(max_examples=200, deadline=None)
def test_the_newest_checkpoint_is_found_without_the_others_whatever_a_crash_left_behind_it(
    tmp_path_factory, origin, sizes, begun, zeros
):
    notes = [signed(Checkpoint(origin, size, hashlib.sha256(b"%d" % size).digest()), KEY) for size in sorted(sizes)]
    path = tmp_path_factory.mktemp("anchors") / "checkpoints.txt"
    unfinished = notes[-1][: int(begun * len(notes[-1]))]
    path.write_bytes(
        b"".join(note + b"\n" for note in notes) + unfinished + bytes(zeros if len(unfinished) < 100 else 0)
    )
    assert read_last(path, origin, TRUSTED) == read_anchors(path, origin, TRUSTED)[-1]
