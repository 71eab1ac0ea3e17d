"""Which subjects' records have been kept for as long as the lender's policy says, and by no hold for longer.

A subject's key opens all of its records, so a subject is due once the last of its records is. Nothing is due early: a
term ends with the day that has the same number in its last month, or with the first of the month after where that month
is too short, and the day after it is the first on which the records may go. Terms are in months, because laws are
(Regulation B, 12 CFR 1002.12(b), says 25 months). The terms are the lender's to state; none is built in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import NamedTuple

from features.errors import ConfigurationRefused

MONTHS_A_YEAR = 12


class Kept(NamedTuple):
    """What the log has of a subject: one record.

    Attributes
    ----------
    pseudonym : whom it is about
    kind : what kind of record it is, in the policy's words
    day : from which its term runs
    """

    pseudonym: bytes
    kind: str
    day: date


def last_day(day: date, months: int) -> date:
    """Return the last day on which a record must be kept."""
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    try:
        return date(year, month + 1, day.day)
    except ValueError:  # a day that the month does not have; December has all of them
        return date(year, month + 2, 1)


def due(records: Iterable[Kept], today: date, months: Mapping[str, int], held: Collection[bytes]) -> list[bytes]:
    """Return the pseudonyms of the subjects that may be erased, in the order in which they first appear.

    Parameters
    ----------
    records : all that the log has; a subject of which some are left out may come out too early
    months : the term of each kind of record
    held : pseudonyms under a legal hold, which are never due

    Raises
    ------
    ConfigurationRefused : a kind of record has no term, or one of less than a month
    """
    last: dict[bytes, date] = {}
    for record in records:
        if months.get(record.kind, 0) < 1:
            raise ConfigurationRefused(
                f"no term for records of the kind '{record.kind}'",
                where="the policy on how long records are kept",
                expected="a term of at least a month for every kind of record",
                do="state the term; nothing was erased",
            )
        ends = last_day(record.day, months[record.kind])
        last[record.pseudonym] = max(ends, last.get(record.pseudonym, ends))
    kept = set(held)
    return [pseudonym for pseudonym, ends in last.items() if ends < today and pseudonym not in kept]
