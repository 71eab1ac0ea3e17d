"""Logs whose records are of many days, terms for them, and a second, slow way to say what is due."""

from __future__ import annotations

import base64
import calendar
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from decision_logs import KEY, ORIGIN, body, opened
from subject_vaults import MASTER, names

from serving.decisions.archive import Archive
from serving.records import export as exporting
from serving.records.anchors import read_anchors
from serving.records.canonical import canonical_record
from serving.records.dropping import held_alone
from serving.records.expiry import ORDERED, Span, order_record
from serving.records.opening import Place, database_of
from serving.records.tables import Gone, Row, reading
from serving.records.terms import Terms, terms_from
from serving.subjects.vault import open_vault

SCORE, READ, HELD, ERASED = (
    "score:loan:created",
    "read:decision:explained",
    "hold:subject:released",
    "erase:subject:done",
)
MONTHS = {SCORE: 60, READ: 25, HELD: 84, ERASED: 84}
"""What `TERMS` come to: of two terms that speak of a kind the longer holds."""

POLICY = """
format = 1

[[terms]]
kinds = ["score:loan:created", "read:*:*"]
months = 25
source = "an example"

[[terms]]
kinds = ["score:*:created"]
months = 60
source = "an example, that is longer"

[[terms]]
kinds = ["hold:subject:*", "erase:subject:*"]
months = 84
source = "an example"
"""
ZONES = [timezone(timedelta(hours=hours)) for hours in range(-12, 15)]


def terms_of(months: Mapping[str, int]) -> Terms:
    """Return terms of one kind each."""
    told = [f'[[terms]]\nkinds = ["{kind}"]\nmonths = {term}\nsource = "a test"\n' for kind, term in months.items()]
    return terms_from(("format = 1\n" + "\n".join(told)).encode(), where="a test")


TERMS = terms_from(POLICY.encode(), where="a test")


NOW, TODAY = datetime(2026, 8, 3, 9, tzinfo=UTC), date(2026, 8, 1)


class Told(NamedTuple):
    """A record to be written: when, what, and about which numbers."""

    at: datetime
    kind: str = SCORE
    about: tuple[int, ...] = ()


OLD, NEW = datetime(2020, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 1, 9, tzinfo=UTC)
ROWS = [
    *(Told(OLD, SCORE, (0,)), Told(OLD, READ, (0,)), Told(OLD, HELD, (0,)), Told(OLD, SCORE, (1, 2))),
    *(Told(NEW, SCORE, (2,)), Told(NEW, READ, (3,)), Told(NEW, ERASED)),
]
DUE = {0, 1, 3}
DAY = date(2020, 3, 1)
RIGHT = [Span(SCORE, 0, 0, DAY), Span(READ, 1, 1, DAY), Span(SCORE, 3, 3, DAY)]
"""What is to be ordered of these rows."""


def archive_in(folder: Path, place: Place) -> Archive:
    open_vault(folder / "subjects", MASTER).close()
    return Archive(place, open_vault(folder / "subjects", MASTER), folder, folder)


def noon(year: int, month: int, day: int) -> datetime:
    """Return a moment that is on the same day all over the Earth but for the zones furthest ahead."""
    return datetime(year, month, day, 9, tzinfo=UTC)


def fill(archive: Archive, told: Iterable[Told]) -> dict[str, list[bytes]]:
    """Write records, and return what must be gone of each once it is dropped, by its key."""
    canaries: dict[str, list[bytes]] = {}
    with opened(archive.place) as store:
        futures = []
        for at, kind, about in told:
            key = f"key-{secrets.token_hex(8)}"
            made = [secrets.token_bytes(8) for _ in range(2)]
            subjects = [one.pseudonym.hex() for one in archive.vault.subjects(names(*about))]
            record = {
                "recorded_at": at.isoformat(),
                "shares": [{"subject": one, "sealed": secrets.token_hex(200)} for one in subjects],
                "figures": made[0].hex(),
            }
            answer = made[1].hex().encode() + secrets.token_bytes(secrets.randbelow(3_000))
            futures.append(store.submit(key, body(len(canaries)), kind, record, answer))
            canaries[key] = [*made, bytes.fromhex(key.removeprefix("key-"))]
        for future in futures:
            future.result()
    return canaries


def left(folder: Path, canaries: Iterable[list[bytes]]) -> list[str]:
    """Return what is left in any file of a folder, as it was written."""
    values = [value.hex() for made in canaries for value in made]
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        found += [f"{value} in {path}" for value in values if value.encode() in content]
    return found


def order(
    place: Place,
    spans: Sequence[Span],
    *,
    terms: Terms = TERMS,
    today: date = TODAY,
    now: datetime = NOW,
    changed: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> int:
    """Write an order as somebody would who has the log's key, and return its place; nothing is dropped."""
    with held_alone(place, KEY) as log:
        return log.write(ORDERED, [changed(order_record(ORIGIN, terms, today, spans, now, KEY))])[0]


def signed_again(plain: Mapping[str, Any], key: Ed25519PrivateKey = KEY) -> dict[str, Any]:
    """Return an order with a signature over what it says now."""
    rest = {name: value for name, value in plain.items() if name != "signature"}
    return {**rest, "signature": base64.b64encode(key.sign(canonical_record(rest))).decode()}


def dropped(*sequences: int) -> list[str]:
    """Return what somebody would do who can reach the database, to drop records."""
    return [
        statement.format(sequence)
        for sequence in sequences
        for statement in (
            "INSERT INTO expired_records SELECT sequence, leaf FROM records WHERE sequence = {}",
            "DELETE FROM records WHERE sequence = {}",
        )
    ]


def gone(place: Place) -> set[int]:
    """Return the places of what was dropped."""
    with reading(database_of(place)) as tables:
        return {row.sequence for row in tables.rows() if isinstance(row, Gone)}


def there(place: Place) -> dict[int, Row]:
    """Return what was not."""
    with reading(database_of(place)) as tables:
        return {row.sequence: row for row in tables.kept(0)}


@cache
def slow_last_day(day: date, months: int) -> date:
    """Return the last day of a term, by going through the calendar a day at a time."""
    on, seen = day, 0
    while True:
        on += timedelta(1)
        seen += on.day == 1
        longest = calendar.monthrange(on.year, on.month)[1]
        if seen == months and (on.day == day.day or day.day > longest):
            # Where the month is too short, its last day has come without that number: the first of the next.
            return on if on.day == day.day else date(on.year + on.month // 12, on.month % 12 + 1, 1)


def over_everywhere(at: datetime, months: int, now: datetime) -> bool:
    """Return whether a term is over wherever on Earth one is."""
    return all(
        now.astimezone(zone).date() > slow_last_day(at.astimezone(zone).date(), months)
        for zone in (ZONES[0], ZONES[12], ZONES[-1])
    )


def exported_unchecked(place: Place, folder: Path) -> Path:
    """Write an export as somebody would who does not look at what is in it."""
    folder.mkdir()
    kept = read_anchors(place.anchors, place.origin, place.trusted)
    (folder / exporting.CHECKPOINTS).write_bytes(b"".join(note + b"\n" for _, note in kept))
    (folder / exporting.PUBLIC).write_bytes(exporting.public_pem(place))
    with reading(database_of(place)) as tables:
        (folder / exporting.RECORDS).write_bytes(b"".join(map(exporting._line, tables.rows())))
    return folder
