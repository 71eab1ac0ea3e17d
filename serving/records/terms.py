"""How long each kind of record is kept: the lender's terms, each with its source, read from a TOML file.

    format = 1

    [[terms]]
    kinds = ["score:loan:created", "read:decision:*"]
    months = 25
    source = "Regulation B, 12 CFR 1002.12(b)"

No term is built in, and none is law here: what must be kept, and for how long, is the lender's to state. A star stands
for any one word. Where several terms speak of a kind the longest holds, because each of them is a duty of its own.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from features.errors import ConfigurationRefused

FORMAT = 1
MONTHS_A_YEAR = 12
MOST_MONTHS = 100 * MONTHS_A_YEAR
LONGEST_SOURCE = 500
MOST_BYTES = 65_536
"""Of a policy file; it is written into the log with every order that follows it."""

KIND = re.compile(r"(?:\*|[a-z_]{1,40})(?::(?:\*|[a-z_]{1,40})){2}")
DAY_BEGINS_FIRST, DAY_ENDS_LAST = timedelta(hours=14), timedelta(hours=-12)
"""How far the clocks of the earliest and of the latest zone on Earth are from UTC."""


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many months some kinds of record are kept, and what asks for it."""

    kinds: tuple[str, ...]
    months: int
    source: str


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    terms: tuple[Term, ...]


class _When(msgspec.Struct):
    recorded_at: str = ""


_WHEN = msgspec.json.Decoder(_When)


@dataclass(frozen=True)
class Terms:
    """A policy on how long records are kept.

    Attributes
    ----------
    text : of the file, to the letter
    """

    terms: tuple[Term, ...]
    text: str = field(repr=False)
    _known: dict[str, int | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def months(self, kind: str) -> int | None:
        """Return for how many months a kind of record is kept, or None where no term speaks of it."""
        if kind not in self._known:
            spoken = [term.months for term in self.terms if any(_fits(one, kind) for one in term.kinds)]
            self._known[kind] = max(spoken, default=None)
        return self._known[kind]

    def last_day(self, kind: str, day: date) -> date:
        """Return the last day on which a record must be kept.

        Raises
        ------
        ConfigurationRefused : no term speaks of its kind
        """
        months = self.months(kind)
        if months is None:
            raise ConfigurationRefused(
                f"no term for records of the kind '{kind}'",
                where="the policy on how long records are kept",
                expected="a term for every kind of record that the log has",
                do="state the term; nothing was dropped",
            )
        return last_day(day, months)


def last_day(day: date, months: int) -> date:
    """Return the last day of a term of so many months.

    It is the day with the same number in the last month, or the first of the month after where that month is too short.
    """
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    if year > date.max.year:
        return date.max
    try:
        return date(year, month + 1, day.day)
    except ValueError:  # a day that the month does not have; December has all of them
        return date(year, month + 2, 1)


def day_of(record: bytes) -> date | None:
    """Return the day on which a record was made, by the clock that is furthest ahead; None where it does not say when.

    A term that runs from this day is over nowhere before its end, so that no zone need be named.
    """
    try:
        made = datetime.fromisoformat(_WHEN.decode(record).recorded_at)
        return (made.astimezone(UTC) + DAY_BEGINS_FIRST).date() if made.tzinfo else None
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return None


def day_everywhere(now: datetime) -> date:
    """Return the newest day that has begun all over the Earth."""
    return (now.astimezone(UTC) + DAY_ENDS_LAST).date()


def read_terms(path: Path) -> Terms:
    """Return the policy in a file.

    Raises
    ------
    ConfigurationRefused : it cannot be read, or is none; all faults together
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _refused([f"a file that cannot be read ({error.strerror})"], str(path)) from None
    return terms_from(raw, where=str(path))


def terms_from(raw: bytes, *, where: str) -> Terms:
    """Return the policy in TOML bytes.

    Raises
    ------
    ConfigurationRefused : they are none; all faults together
    """
    if len(raw) > MOST_BYTES:
        raise _refused([f"more than {MOST_BYTES} bytes"], where)
    try:
        text = raw.decode()
        written = msgspec.convert(tomllib.loads(text), _Written)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise _refused([str(error)], where) from None
    faults = list(_faults(written))
    if faults:
        raise _refused(faults, where)
    return Terms(written.terms, text)


def _fits(pattern: str, kind: str) -> bool:
    words = zip(pattern.split(":"), kind.split(":"), strict=True)
    return all(asked in {"*", word} for asked, word in words)


def _faults(written: _Written) -> Iterator[str]:
    if written.format != FORMAT:
        yield f"format: it is {FORMAT}"
    if not written.terms:
        yield "terms: there is none"
    for number, term in enumerate(written.terms, start=1):
        if not term.kinds or not all(KIND.fullmatch(kind) for kind in term.kinds):
            yield f"term {number}: kinds must be three words each, such as score:loan:created, or * for any word"
        if not 1 <= term.months <= MOST_MONTHS:
            yield f"term {number}: months must be 1 to {MOST_MONTHS}"
        if not term.source.strip() or len(term.source) > LONGEST_SOURCE or not term.source.isprintable():
            yield f"term {number}: source must say what asks for it, in one line of at most {LONGEST_SOURCE} characters"


def _refused(faults: list[str], where: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        "; ".join(faults),
        where=where,
        expected="a policy on how long each kind of record is kept, such as in docs/retention.md",
        do="correct it; nothing was dropped",
    )
