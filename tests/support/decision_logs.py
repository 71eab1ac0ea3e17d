"""Decision logs for tests: a key of nobody, a place in a temporary folder, and records of made-up decisions."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from serving.records.limits import Limits
from serving.records.opening import Place
from serving.records.store import Recorded, Store, open_store

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "test.example/decisions"
EVENT = "score:loan:created"
NEVER = Limits(seconds_unsigned=1e9, records_unsigned=10**9)
"""Signs only when asked, and at the start and the end."""


def place_in(folder: Path) -> Place:
    return Place(folder / "log", folder / "anchors" / "checkpoints.txt", ORIGIN, (KEY.public_key(),))


def opened(place: Place, limits: Limits = NEVER, **more) -> Store:
    return open_store(place, KEY, time.monotonic, limits, **more)


def body(number: int) -> bytes:
    return hashlib.sha256(f"body {number}".encode()).digest()


def record(number: int) -> dict[str, object]:
    return {"subject": f"hmac:{number:04x}", "log_odds": number / 7, "reasons": ["broken_promise_share_6m"]}


def answer(number: int) -> bytes:
    return f'{{"score_id":"S{number}"}}'.encode()


def write(store: Store, number: int) -> Recorded:
    return store.write(f"key-{number}", body(number), EVENT, record(number), answer(number))


def filled(place: Place, count: int, begin: int = 0) -> None:
    with opened(place) as store:
        told = [
            store.submit(f"key-{number}", body(number), EVENT, record(number), answer(number))
            for number in range(begin, begin + count)
        ]
        for future in told:
            future.result()


def copied(place: Place, folder: Path) -> Place:
    other = place_in(folder)
    shutil.copytree(place.folder, other.folder)
    other.anchors.parent.mkdir(parents=True)
    shutil.copyfile(place.anchors, other.anchors)
    return other
