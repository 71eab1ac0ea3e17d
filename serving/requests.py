"""What a caller asks: the bytes of a request read strictly into a card, an observation date and a lender's tables.

Every fault is named by table, row and column, all together, and never with the value that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from features.declared import columns_of_kinds
from features.delinquency import Allocation
from features.errors import Fault, TablesRefused
from features.history import History, is_zone
from features.schemas import Table
from features.tables import FACTS, NoFacts, Tables, columns_of, declarations, types_of
from models.fitted_card import FittedCard
from serving import columns
from serving.strict_json import WHERE, read_object

BODY = "request"
"""The name under which faults of the request itself, outside its tables, are reported."""

KEYS = ("card", "observation_date", "time_zone", "tables")
DEFAULT_ZONE = "UTC"
MOST_FAULTS = 1_000
"""Faults that one answer names; a file of the wrong kind has one in every cell."""

MOST_ROWS = 100_000
"""Rows that one table may have: more than real rows fill a request, so that empty ones cannot fill it with work."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
"""What a column may be called; an unknown name of another shape is not repeated, for it may be somebody's data."""


@dataclass(frozen=True)
class Request:
    """A checked request: which card, and what is known of each loan sent, all on one observation date."""

    card: str
    observed_on: date
    zone: str
    history: History


@dataclass
class _Reading:
    """The faults found so far; beyond `MOST_FAULTS` they are only counted."""

    faults: list[Fault] = field(default_factory=list)
    total: int = 0

    def fault(self, table: str, row: int | None, column: str | None, expected: str) -> None:
        self.total += 1
        if self.total <= MOST_FAULTS:
            self.faults.append(Fault(table, row, column, expected))

    def refusal(self) -> TablesRefused:
        in_order = sorted(self.faults, key=lambda fault: (fault.table, fault.row or 0, fault.column or ""))
        return TablesRefused(in_order, where=WHERE, total=self.total)


def read(body: bytes, cards: Mapping[str, FittedCard], *, most_loans: int) -> Request:
    """Return the request in a body.

    Parameters
    ----------
    cards : the cards that are served; the one asked for says which columns of its lender's own it reads
    most_loans : most rows of table `loans`

    Raises
    ------
    UsageError : the body is not JSON, or not JSON of one meaning
    TablesRefused : with every fault by table, row and column
    """
    return request_of(read_object(body), cards, most_loans=most_loans)


def request_of(plain: Mapping[str, Any], cards: Mapping[str, FittedCard], *, most_loans: int) -> Request:
    """Return the request in a JSON object; see `read`."""
    reading = _Reading()
    card = _one_of(reading, plain, "card", tuple(cards))
    fitted = cards.get(card)
    observed_on = _observation_date(reading, plain)
    zone = _zone(reading, plain)
    for key in plain:
        if key not in KEYS:
            reading.fault(BODY, None, _repeatable(key), f"only the keys {', '.join(KEYS)}")
    tables = _tables(reading, plain.get("tables"), most_loans, fitted)
    if reading.faults or tables is None or observed_on is None or fitted is None:
        raise reading.refusal()
    return Request(card, observed_on, zone, _history(observed_on, tables, zone, fitted.allocation))


def _history(observed_on: date, tables: Tables, zone: str, allocation: Allocation) -> History:
    """Return what was known; a loan that was not known yet is a fault, for it cannot be left out of an answer."""
    history = History.as_of(observed_on, tables, zone=zone, allocation=allocation)
    if len(history.cases) < tables.loans.get_column("loan_id").n_unique():
        known, reading = set(history.loan_ids), _Reading()
        for row, loan in enumerate(tables.loans.get_column("loan_id")):
            if loan not in known:
                reading.fault("loans", row, "recorded_at", "an instant before the end of the observation date")
        raise reading.refusal()
    return history


def _one_of(reading: _Reading, plain: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    given = plain.get(key)
    if not isinstance(given, str) or given not in choices:
        reading.fault(BODY, None, key, f"one of {', '.join(choices)}")
        return ""
    return given


def _observation_date(reading: _Reading, plain: Mapping[str, Any]) -> date | None:
    given = plain.get("observation_date")
    day = columns.day(given) if isinstance(given, str) else None
    if day is None:
        reading.fault(BODY, None, "observation_date", columns.expected(pl.Date()))
    return day


def _zone(reading: _Reading, plain: Mapping[str, Any]) -> str:
    given = plain.get("time_zone")
    if given is None:
        return DEFAULT_ZONE
    if not isinstance(given, str) or not is_zone(given):
        reading.fault(BODY, None, "time_zone", "an IANA name such as Asia/Taipei")
        return DEFAULT_ZONE
    return given


def _tables(reading: _Reading, given: object, most_loans: int, card: FittedCard | None) -> Tables | None:
    facts = None if card is None else card.facts
    declared = declarations(facts)
    if not isinstance(given, dict):
        reading.fault(BODY, None, "tables", f"an object of the tables {', '.join(declared)}")
        return None
    frames: dict[str, pl.DataFrame] = {}
    for name in given:
        if name not in declared:
            reading.fault(_repeatable(name) or BODY, None, None, f"one of the tables {', '.join(declared)}")
    for name, schema in declared.items():
        if name in given:
            if card is not None and name == FACTS:
                frame = _facts(reading, card, given[name])
            else:
                frame = _table(reading, name, columns_of(schema), types_of(schema), given[name])
            if frame is not None:
                frames[name] = frame
    if card is not None and card.needed and FACTS not in given:
        reading.fault(FACTS, None, None, f"this table to be there, for the card reads {', '.join(card.needed)}")
    loans = given.get("loans")
    if isinstance(loans, list) and not 0 < len(loans) <= most_loans:
        reading.fault("loans", None, None, f"from 1 to {most_loans} rows in one request")
    return _checked(reading, frames, facts)


def _checked(reading: _Reading, frames: dict[str, pl.DataFrame], facts: type[Table] | None) -> Tables | None:
    """Return the tables, or None after adding what their own rules find, so that all faults go out at once."""
    if reading.total > MOST_FAULTS:
        return None
    if "loans" in frames and frames["loans"].is_empty():
        del frames["loans"]  # already a fault; else every other row would be one too, for belonging to no loan
    rows = {(fault.table, fault.row) for fault in reading.faults}
    cells = {(fault.table, fault.row, fault.column) for fault in reading.faults}
    try:
        tables = Tables.checked(frames, where=WHERE, facts=facts)
    except TablesRefused as error:
        for fault in error.faults:
            # A cell that could not be read stands empty: what follows from that is not a fault of its own.
            place = (fault.table, fault.row, fault.column)
            column = (fault.table, None, fault.column)
            whole_row = {(fault.table, fault.row), (fault.table, None)}
            follows = whole_row & rows if fault.column is None else {place, column} & cells
            if not follows:
                reading.fault(fault.table, fault.row, fault.column, fault.expected)
        return None
    return None if rows else tables


def _facts(reading: _Reading, card: FittedCard, given: object) -> pl.DataFrame | None:
    """Return table `facts` as the lender's own rows give it, by the rules and the code with which its files are read.

    What is worked out from other columns is not sent. A column that a feature reads may be empty and not absent: left
    out by mistake it would move the score, and nobody would see it.
    """
    before = reading.total
    rows = [_taken(reading, card, *row) for row in enumerate(given)] if isinstance(given, list) else given
    declared = {**columns_of(NoFacts), **columns_of_kinds(card.sent)}
    sent = _table(reading, FACTS, declared, {name: column.dtype for name, column in declared.items()}, rows)
    if sent is None or reading.total > before:
        return None
    facts, faults = card.raw.facts(sent, card.kinds)
    for fault in faults:
        reading.fault(FACTS, fault.row, fault.column, fault.expected)
    return facts if not faults else None


def _taken(reading: _Reading, card: FittedCard, place: int, row: object) -> object:
    """Return a row without what is worked out from it, and without texts for no value where no text should be."""
    if not isinstance(row, dict):
        return row
    for column in card.needed.keys() - row.keys():
        made = [fact for fact in card.needed[column] if fact != column]
        more = f"; {', '.join(made)} is worked out from it" if made else ""
        reading.fault(FACTS, place, column, f"this column to be there, null where it is not known{more}")
    taken: dict[str, Any] = {}
    for column, cell in row.items():
        kind, parts = card.sent.get(column), card.raw.worked_out(column)
        if kind is None and parts is not None and column in card.kinds:
            reading.fault(FACTS, place, column, f"nothing: it is worked out from {' and '.join(parts)}")
        elif isinstance(cell, str) and kind in {"number", "date"} and card.raw.says_nothing(cell):
            taken[column] = None
        else:
            taken[column] = cell
    return taken


def _table(
    reading: _Reading, name: str, declared: Mapping[str, dy.Column], types: Mapping[str, pl.DataType], given: object
) -> pl.DataFrame | None:
    if not isinstance(given, list):
        reading.fault(name, None, None, "a list of rows")
        return None
    if len(given) > MOST_ROWS:
        reading.fault(name, None, None, f"at most {MOST_ROWS} rows in one request")
        return None
    if set(map(type, given)) - {dict}:
        for row, cells in enumerate(given):
            if not isinstance(cells, dict):
                reading.fault(name, row, None, "an object, one value for each column")
        return None
    # A row of declared columns only passes with one comparison of sets.
    names = declared.keys()
    for row, cells in enumerate(given):
        if not cells.keys() <= names:
            for stranger in cells.keys() - names:
                reading.fault(name, row, _repeatable(stranger), f"only the columns {', '.join(declared)}")
    if not given:
        return pl.DataFrame(schema=types)
    return pl.DataFrame(
        {
            column: _column(reading, (name, column), types[column], given, nullable=kind.nullable)
            for column, kind in declared.items()
        }
    )


def _column(
    reading: _Reading, place: tuple[str, str], dtype: pl.DataType, rows: list[dict[str, Any]], *, nullable: bool
) -> pl.Series:
    table, column = place
    cells = [row.get(column) for row in rows]
    series, bad = columns.read(cells, dtype)
    for row in bad:
        reading.fault(table, row, column, columns.expected(dtype))
    if not nullable and None in cells:
        if rows and not any(column in row for row in rows):
            reading.fault(table, None, column, "this column to be there")
        else:
            for row, cell in enumerate(cells):
                if cell is None:
                    reading.fault(table, row, column, "a value, not null")
    return series


def _repeatable(name: str) -> str | None:
    return name if NAME.fullmatch(name) else None
