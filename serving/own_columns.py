"""What a lender's own columns mean in a request: their words, units, levels and codes, and an example that can be sent.

All of it is made from the declaration that travels with a card; nobody writes it down a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from features.declared import Declaration, Level, columns_of, unit_of
from features.probes import OBSERVED_ON, probe_tables
from features.tables import FACTS
from features.words import Unit
from models.cards import Population
from models.fitted_card import FittedCard
from serving.asking import rows

PROBE = "P04"
"""The made-up account whose history an example tells: it paid, and then fell behind."""
LOAN = "L-1"
FIGURES = {Unit.SHARE: 0.5, Unit.RATIO: 0.5, Unit.COUNT: 1.0, Unit.MONTHS: 12.0, Unit.DAYS: 12.0, Unit.YES_NO: 1.0}
A_FIGURE = 1000.0
YEARS_BEFORE = timedelta(days=730)


def meaning(card: FittedCard, column: str) -> str:
    """Return in words what a column of the lender's holds, as a request must have it."""
    told = [*_forms(card, column), *_features(card, column), *_made(card, column), *_nothing(card)]
    return "; ".join(dict.fromkeys(told))


def levels(card: FittedCard, column: str) -> list[str]:
    """Return the texts that the card knows in a column of text; another one is answered with a note."""
    found: list[str] = []
    for _, declared in _reading(card, column):
        found += declared.yes or ()
        found += [level.value if isinstance(level, Level) else level for level in declared.levels or ()]
    return list(dict.fromkeys(found))


def example(card: FittedCard) -> dict[str, Any]:
    """Return the body of a request for one made-up loan that the card answers."""
    day = date.fromisoformat(max(card.reference.get("observed_on", [OBSERVED_ON.isoformat()])))
    recorded = datetime.combine(day, time(0), UTC) - timedelta(days=1)
    tables = _tables(card, day, recorded)
    if card.sent:
        cells = {column: _cell(card, column, kind, day) for column, kind in card.sent.items()}
        tables[FACTS] = [{"loan_id": LOAN, "recorded_at": recorded.isoformat(), **cells}]
    return {
        "card": card.card.name,
        "observation_date": day.isoformat(),
        "time_zone": card.raw.zone,
        "tables": tables,
    }


def _tables(card: FittedCard, day: date, recorded: datetime) -> dict[str, Any]:
    currency = card.reference.get("currency", "CNY")
    histories = card.card.population is not Population.APPLICANTS
    if histories and any(not feature.reads for feature in card.catalog):
        return _history(day, currency)
    loan = {
        "loan_id": LOAN,
        "borrower_id": "B-1",
        "product": "instalment",
        "currency": currency,
        "applied_on": day.isoformat(),
        "opened_on": None if card.card.population is Population.APPLICANTS else day.isoformat(),
        "amount": 1_000_000,
        "term_months": 12,
        "recorded_at": recorded.isoformat(),
    }
    return {"loans": [{name: cell for name, cell in loan.items() if cell is not None}]}


def _history(day: date, currency: str) -> dict[str, Any]:
    """Return the probe account's tables, moved in time so that its last statement is of the day."""
    probe = probe_tables().of_loans(pl.Series([PROBE]))
    assert probe.statements is not None, "the probe account has statements"
    last = probe.statements.get_column("statement_on").max()
    assert isinstance(last, date), "and one of them is the last"
    tables = {}
    for name, frame in probe.items():
        if not frame.is_empty():
            moved = frame.with_columns(
                pl.col(pl.Date, pl.Datetime("us", "UTC")) + (day - last),
                *(pl.lit(currency).alias(column) for column in frame.columns if column == "currency"),
            )
            tables[name] = rows(moved)
    return tables


def _cell(card: FittedCard, column: str, kind: str, day: date) -> str | float:
    if kind == "date":
        return (day - YEARS_BEFORE).isoformat()
    if kind == "text":
        return next(iter(levels(card, column)), "12")
    return next((_figure(card, name, declared) for name, declared in _direct(card, column)), A_FIGURE)


def _figure(card: FittedCard, name: str, declared: Declaration) -> float:
    """Return a figure between those that nearly all loans have, in the lender's unit."""
    bounds = card.reference.get("own_ranges", {}).get(name)
    if bounds is None:
        return FIGURES.get(unit_of(declared), A_FIGURE)
    return float(round(sum(bounds) / 2 / declared.per_unit))


def _forms(card: FittedCard, column: str) -> Iterator[str]:
    yield {
        "number": "a number",
        "text": "a text",
        "date": "a day written YYYY-MM-DD, however the lender's files write it",
    }[card.sent[column]]


def _features(card: FittedCard, column: str) -> Iterator[str]:
    for name, declared in _reading(card, column):
        words = declared.label.en or name.replace("_", " ")
        yield f"{words} ({declared.label.zh})" if declared.label.zh else words
        if (declared.column or name) == column:
            yield from _scale(declared)
    known = [
        level if isinstance(level, Level) else Level(level)
        for _, declared in _reading(card, column)
        for level in declared.levels or ()
    ]
    if known:
        yield f"one of {', '.join(f'{level.value} ({level.en})' if level.en else level.value for level in known)}"
    for _, declared in _reading(card, column):
        if declared.yes:
            yield f"yes: {', '.join(declared.yes)}"
        for code, means in declared.codes.items():
            yield f"{code}: {means.en or means.zh or 'a code'}"
        if declared.unknown:
            yield f"not known: {', '.join(f'{number:g}' for number in declared.unknown)}"


def _scale(declared: Declaration) -> Iterator[str]:
    unit = unit_of(declared)
    if declared.per_unit > 1:
        yield "in units of the currency, not minor units"
    elif unit is Unit.MONEY:
        yield "in minor units of the currency"
    elif unit is Unit.SHARE:
        yield "from 0 to 1"
    elif unit not in {Unit.NUMBER, Unit.CATEGORY}:
        yield f"unit: {unit.value}"


def _made(card: FittedCard, column: str) -> Iterator[str]:
    for fact in card.kinds:
        if fact != column and column in card.raw.behind(fact):
            yield f"{fact} is worked out from it"


def _nothing(card: FittedCard) -> Iterator[str]:
    texts = [text for text in card.raw.table.nulls if text]
    if texts:
        yield f"null, or {', '.join(texts)}, where nothing is known"


def _reading(card: FittedCard, column: str) -> list[tuple[str, Declaration]]:
    """Return the features that read a column as it is."""
    return [
        (name, declared)
        for name, declared in card.declared.items()
        if any(card.raw.behind(fact) == (column,) for fact in columns_of(name, declared))
    ]


def _direct(card: FittedCard, column: str) -> list[tuple[str, Declaration]]:
    return [(name, declared) for name, declared in _reading(card, column) if (declared.column or name) == column]
