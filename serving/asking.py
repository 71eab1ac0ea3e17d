"""A request as a risk engine writes it: some loans' rows of every table, as JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from features.tables import FACTS, Tables


def request_of(tables: Tables, loan_ids: list[str], *, card: str, day: date, zone: str) -> dict[str, Any]:
    """Return the body of `POST /v1/score` for some loans of a lender's tables; dates and instants as ISO 8601 text."""
    chosen = tables.of_loans(pl.Series(loan_ids, dtype=pl.String))
    return {
        "card": card,
        "observation_date": day.isoformat(),
        "time_zone": zone,
        "tables": {name: rows(frame, whole=name == FACTS) for name, frame in chosen.items()},
    }


def rows(frame: pl.DataFrame, *, whole: bool = False) -> list[dict[str, Any]]:
    """Return a table's rows as JSON writes them: days and instants as ISO 8601 text.

    Parameters
    ----------
    whole : keep what is empty, as table `facts` asks; elsewhere the request is shorter to read without
    """
    return [
        {
            name: cell.isoformat() if isinstance(cell, date) else cell
            for name, cell in row.items()
            if whole or cell is not None
        }
        for row in frame.iter_rows(named=True)
    ]
