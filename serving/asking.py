"""A request as a risk engine writes it: some loans' rows of every table, as JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from features.tables import Tables


def request_of(tables: Tables, loan_ids: list[str], *, card: str, day: date, zone: str) -> dict[str, Any]:
    """Return the body of `POST /v1/score` for some loans of a lender's tables; dates and instants as ISO 8601 text."""
    chosen = tables.of_loans(pl.Series(loan_ids, dtype=pl.String))
    return {
        "card": card,
        "observation_date": day.isoformat(),
        "time_zone": zone,
        "tables": {name: rows(frame) for name, frame in chosen.items()},
    }


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as JSON writes them: days and instants as ISO 8601 text, without what is empty."""
    # Where a column is null the key is left out: the service takes both, and the request is shorter to read.
    return [
        {name: cell.isoformat() if isinstance(cell, date) else cell for name, cell in row.items() if cell is not None}
        for row in frame.iter_rows(named=True)
    ]
