"""Made-up borrowers with every shape of history, on which two releases are compared number by number."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import cache

import polars as pl

from features.declaration import Feature
from features.history import History
from features.probe_loans import probe_rows
from features.schemas import NO_CURRENCY, PRODUCTS, SCORED
from features.tables import Tables

OBSERVED_ON = date(2024, 2, 29)
MONTH_ENDS = (
    *(date(2023, month, monthrange(2023, month)[1]) for month in range(3, 13)),
    date(2024, 1, 31),
    OBSERVED_ON,
)
LIMIT = 5_000_000
FULL = (55, 60, 40, 70, 20, 90, 30, 55, 80, 45, 65, 50)

# Account -> months overdue (or a letter: u unused, f paid in full, p part paid), balance and payment in per mille of
# the limit, oldest first. Fixed for ever: a change here changes every fingerprint.
ACCOUNTS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "P01": ("pppppppppppp", (100,) * 12, (10,) * 12),
    "P02": ("ffffffffffff", FULL, FULL),
    "P03": ("uuuuuuuuuuuu", (0,) * 12, (0,) * 12),
    "P04": (
        "pppp1p2p1234",
        (300, 350, 400, 450, 500, 560, 610, 680, 760, 830, 900, 990),
        (20, 20, 15, 10, 0, 90, 0, 30, 0, 0, 0, 0),
    ),
    "P05": ("p12345678888", (900, 920, 940, 960, 980, 1000, 1020, 1040, 1060, 1080, 1100, 1120), (0,) * 12),
    "P06": ("2p2p2p2p2p2p", (500, 480) * 6, (0, 40) * 6),
    "P07": (
        "ppuuffpp22p1",
        (10, 5, 0, 0, 15, 25, 200, 190, 180, 170, 160, -30),
        (5, 5, 5, 0, 0, 15, 25, 10, 0, 0, 20, 250),
    ),
    "P08": ("pp1", (700, 650, 600), (70, 60, 0)),
    "P09": ("f", (40,), (40,)),
    "P10": ("1111", (0, -5, 0, -2), (0, 0, 0, 0)),
    "P11": (
        "pfpfpfpfpfpf",
        (333, 1, 667, 2, 999, 3, 1, 0, 7, 11, 13, 17),
        (1, 333, 1, 666, 3, 999, 3, 1, 0, 7, 11, 13),
    ),
    "P12": ("", (), ()),
}
CURRENCY = NO_CURRENCY
"""ISO 4217 for no currency: every card scores it, so that the probes can be tried on each."""
Row = tuple[str, str, int, str]

STATES = {"u": "unused", "f": "paid_in_full", "p": "part_paid"}


# Account -> limit, statements (day, state, balance) and payments (day, amount), in whole units, each with the day on
# which it was recorded: what regular month ends do not show.
IRREGULAR: dict[str, tuple[int, tuple[Row, ...], tuple[Row, ...]]] = {
    # Paid in the middle of each cycle, and once before the first statement's.
    "P13": (
        2_000_000,
        (("2023-12-28", "p", 400_000, "2023-12-28"), ("2024-01-28", "1", 500_000, "2024-01-28")),
        (
            ("2023-11-20", "", 7_000, "2023-11-20"),
            ("2023-12-10", "", 30_000, "2023-12-10"),
            ("2024-01-09", "", 20_000, "2024-01-09"),
            ("2024-02-14", "", 60_000, "2024-02-14"),
        ),
    ),
    # The latest statement and payment were recorded too late to be known.
    "P14": (
        900_000,
        (("2024-01-31", "p", 300_000, "2024-01-31"), ("2024-02-29", "2", 350_000, "2024-03-01")),
        (("2024-01-15", "", 9_000, "2024-01-15"), ("2024-02-20", "", 50_000, "2024-03-04")),
    ),
    # Two statements in a month, then a gap, then billing day 30.
    "P15": (
        70_000,
        (
            ("2023-09-10", "p", 20_000, "2023-09-10"),
            ("2023-09-25", "f", 30_000, "2023-09-25"),
            ("2023-12-30", "1", 45_000, "2023-12-30"),
            ("2024-01-30", "u", 60_000, "2024-01-30"),
        ),
        (("2023-09-25", "", 20_000, "2023-09-25"), ("2023-12-30", "", 3_000, "2023-12-30")),
    ),
}


@cache
def probe_tables() -> Tables:
    """Return the tables of the probe accounts and loans; made once, for a card that is loaded asks for them twice."""
    loans, statements, payments = [], [], []
    opened = _noon(MONTH_ENDS[0])
    for loan, (states, balances, paid) in ACCOUNTS.items():
        days = MONTH_ENDS[len(MONTH_ENDS) - len(states) :]
        loans.append(_account(loan, LIMIT if states else None, opened))
        for state, balance, amount, day in zip(states, balances, paid, days, strict=True):
            statements.append(_statement(loan, day, state, balance * LIMIT // 1000, day))
            if amount:
                payments.append((f"{loan}-{day}", loan, day, amount * LIMIT // 1000, None, _noon(day)))
    for loan, (limit, drawn, received) in IRREGULAR.items():
        loans.append(_account(loan, limit, opened))
        for on, state, balance, recorded in drawn:
            statements.append(
                _statement(loan, date.fromisoformat(on), state, balance, date.fromisoformat(recorded)),
            )
        for on, _, amount, recorded in received:
            day = date.fromisoformat(on)
            payments.append((f"{loan}-{on}", loan, day, amount, None, _noon(date.fromisoformat(recorded))))
    rows = probe_rows()
    rows["loans"] = loans + rows["loans"]
    rows["statements"] = statements
    rows["payments"] = payments + rows["payments"]
    return Tables(
        **{
            name: pl.DataFrame(rows[name], schema=schema.create_empty().schema, orient="row")
            for name, schema in SCORED.items()
        }
    )


def _account(loan: str, limit: int | None, opened: datetime) -> tuple[object, ...]:
    return (loan, loan, PRODUCTS[0], CURRENCY, limit, None, None, None, None, opened)


def probe_history(features: Iterable[Feature] = ()) -> History:
    """Return what is known of the probe borrowers on their observation date, a 29 February.

    Parameters
    ----------
    features : those that a lender declared itself are given made-up facts to read
    """
    tables = probe_tables()
    facts = _facts(tables.loans, tuple(feature for feature in features if feature.reads))
    return History.as_of(OBSERVED_ON, tables if facts is None else replace(tables, facts=facts))


NUMBERS = ("0", "1", "2.5", "-3", "48", "1000", "250000")
TEXTS = ("", "36 months", "7", "another word")
DAYS = ("2024-02-29", "2023-08-31", "2019-01-01", "1987-06-15")
EMPTY_EVERY = 6


def _facts(loans: pl.DataFrame, features: tuple[Feature, ...]) -> pl.DataFrame | None:
    if not features:
        return None
    columns: dict[str, list[str | None]] = {}
    kinds = {column: kind for feature in features for column, kind in feature.reads}
    for place, (column, kind) in enumerate(kinds.items()):
        known = [text for feature in features if (column, kind) in feature.reads for text in feature.samples]
        pool = [*dict.fromkeys([*known, *{"number": NUMBERS, "text": TEXTS, "date": DAYS}[kind]])]
        columns[column] = [
            None if (row + place) % EMPTY_EVERY == 0 else pool[(row * (place + 1) + row // len(pool)) % len(pool)]
            for row in range(loans.height)
        ]
    types = {"number": pl.Float64, "text": pl.String, "date": pl.Date}
    texts = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    read = texts.select(
        pl.col(column).str.to_date() if kind == "date" else pl.col(column).cast(types[kind])
        for column, kind in kinds.items()
    )
    return loans.select("loan_id", "recorded_at").hstack(read)


def _statement(loan: str, day: date, state: str, balance: int, recorded: date) -> tuple[object, ...]:
    months = int(state) if state.isdigit() else 0
    return (loan, day, balance, STATES.get(state, "overdue"), months, _noon(recorded))


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
