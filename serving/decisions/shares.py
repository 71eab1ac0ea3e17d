"""A request cut into what was sent about each subject, and put together again without those who were erased.

A subject is a borrower; where features came ready and no borrower was named, a loan. What is said of one loan depends
on nothing that was sent about other borrowers, so the rest of a request can be computed anew on its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from features.tables import BORROWER, declaration
from serving.ready import ROWS
from serving.subjects.subject import Name

LOAN = "loan_id"
TABLES, LOANS = "tables", "loans"

Share = dict[str, Any]
"""Rows by table, or under `rows` the rows of ready features."""


def names(plain: Mapping[str, Any]) -> dict[str, Name]:
    """Return the subject of each loan of a request that was answered."""
    if TABLES in plain:
        return {row[LOAN]: Name("borrower", row[BORROWER]) for row in plain[TABLES][LOANS]}
    return {row[LOAN]: Name("loan", row[LOAN]) for row in plain[ROWS]}


def asked_in_clear(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request says of no one: card, day, zone and which tables were sent."""
    told = {key: value for key, value in plain.items() if key not in {TABLES, ROWS}}
    return {**told, TABLES: list(plain[TABLES])} if TABLES in plain else told


def shares(plain: Mapping[str, Any]) -> dict[Name, Share]:
    """Return what was sent about each subject, rows in the order sent."""
    owners = names(plain)
    cut: dict[Name, Share] = {owner: {} for owner in owners.values()}
    for table, sent in plain[TABLES].items() if TABLES in plain else [(ROWS, plain[ROWS])]:
        by_borrower = table != ROWS and declaration(table).about == BORROWER
        for row in sent:
            owner = Name("borrower", row[BORROWER]) if by_borrower else owners[row[LOAN]]
            cut.setdefault(owner, {}).setdefault(table, []).append(row)
    return cut


def ids_in(share: Share) -> set[str]:
    """Return the ids of the borrower and of the loans that a share is about."""
    return {str(row[name]) for rows in share.values() for row in rows for name in (LOAN, BORROWER) if name in row}


def put_together(clear: Mapping[str, Any], kept: Iterable[Share], order: Sequence[str]) -> dict[str, Any]:
    """Return a request made of the shares that can still be read.

    Parameters
    ----------
    clear : of `asked_in_clear`
    order : loans in the order in which they were sent, a loan as often as it was; those of other shares are passed over
    """
    places: dict[str, deque[int]] = {}
    for number, loan in enumerate(order):
        places.setdefault(loan, deque()).append(number)
    sent: dict[str, list[dict[str, Any]]] = {}
    for share in kept:
        for table, rows in share.items():
            sent.setdefault(table, []).extend(rows)
    for table in {LOANS, ROWS} & sent.keys():
        # A share has its rows in the order sent: the rows of a loan take its places one after another. A loan that was
        # recorded several times has one place and several rows, which stay together.
        numbered = [(_next(places[row[LOAN]]), row) for row in sent[table]]
        sent[table] = [row for _, row in sorted(numbered, key=itemgetter(0))]
    told = {key: value for key, value in clear.items() if key != TABLES}
    if TABLES in clear:
        return {**told, TABLES: {table: sent.get(table, []) for table in clear[TABLES]}}
    return {**told, ROWS: sent[ROWS]}


def _next(places: deque[int]) -> int:
    return places.popleft() if len(places) > 1 else places[0]
