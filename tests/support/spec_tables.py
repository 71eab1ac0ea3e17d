"""Books of a few borrowers as a reviewer would draw them: small tables in plain text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from features.history import History
from features.schemas import PRODUCTS, SCORED
from features.tables import Tables

CENTS = 100
LIMIT = 1_000 * CENTS


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a drawn table; the line of dashes is optional."""
    lines = [line for line in text.strip().splitlines() if set(line.strip()) - set("-+ ")]
    head, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


def on(day: str, *loans: str) -> pl.DataFrame:
    """Return the cases of some loans, all observed on one day."""
    return pl.DataFrame({"loan_id": list(loans), "observed_on": [date.fromisoformat(day)] * len(loans)})


def noon(day: str) -> datetime:
    """Return noon of a day, UTC; an instant is returned as it is written."""
    return (
        datetime.fromisoformat(day).replace(tzinfo=UTC)
        if "T" in day
        else datetime.fromisoformat(f"{day}T12:00:00+00:00")
    )


def book(statements: str = "", payments: str = "", *, limit: int | None = LIMIT, loans: tuple[str, ...] = ()) -> Tables:
    """Return tables drawn by hand.

    Statements: `loan | on | balance | state [| recorded]`, where state is u, f, p or a number of months overdue.
    Payments: `loan | on | amount [| recorded]`. Amounts are whole currency units. Loans are those named.
    """
    drawn, paid = table(statements) if statements else [], table(payments) if payments else []
    names = sorted({row["loan"] for row in (*drawn, *paid)} | set(loans))
    return Tables.checked(
        {
            "loans": _frame("loans", [_loan(name, limit) for name in names]),
            **({"statements": _frame("statements", [_statement(row) for row in drawn])} if statements else {}),
            **(
                {"payments": _frame("payments", [_payment(row, number) for number, row in enumerate(paid)])}
                if payments
                else {}
            ),
        },
        where="drawn tables",
    )


def values(history: History, formula: Callable[..., Any], *months: int) -> dict[str, float | None]:
    """Return one feature's value by loan; None for missing."""
    from features.catalog import catalog

    name = formula.__name__ + (f"_{months[0]}m" if months else "")
    matrix = catalog().chosen([name]).values(history)
    return dict(zip(history.loan_ids, matrix.frame().get_column(name).to_list(), strict=True))


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCORED[name].create_empty().schema)


def _loan(name: str, limit: int | None) -> dict[str, Any]:
    return {
        "loan_id": name,
        "borrower_id": name,
        "product": PRODUCTS[0],
        "currency": "CNY",
        "credit_limit": limit,
        "recorded_at": noon("2000-01-01"),
    }


def _statement(row: dict[str, str]) -> dict[str, Any]:
    state = row["state"]
    words = {"u": "unused", "f": "paid_in_full", "p": "part_paid"}
    return {
        "loan_id": row["loan"],
        "statement_on": date.fromisoformat(row["on"]),
        "balance": int(row["balance"]) * CENTS,
        "state": words.get(state, "overdue"),
        "months_overdue": 0 if state in words else int(state),
        "recorded_at": noon(row.get("recorded", row["on"])),
    }


def _payment(row: dict[str, str], number: int) -> dict[str, Any]:
    return {
        "payment_id": f"pay-{number}",
        "loan_id": row["loan"],
        "paid_on": date.fromisoformat(row["on"]),
        "amount": int(row["amount"]) * CENTS,
        "recorded_at": noon(row.get("recorded", row["on"])),
    }
