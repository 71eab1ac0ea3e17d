"""Made-up accounts with every shape of history, on which two releases are compared number by number."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time

import polars as pl

from features.history import History
from features.tables import PRODUCTS, LoanTable, PaymentTable, StatementTable, Tables

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
STATES = {"u": "unused", "f": "paid_in_full", "p": "part_paid"}


def probe_tables() -> Tables:
    """Return the tables of the probe accounts."""
    loans, statements, payments = [], [], []
    for loan, (states, balances, paid) in ACCOUNTS.items():
        days = MONTH_ENDS[len(MONTH_ENDS) - len(states) :]
        recorded = [datetime.combine(day, time(12), UTC) for day in days]
        loans.append(
            (
                loan,
                loan,
                PRODUCTS[0],
                "XXX",
                None if loan == "P12" else LIMIT,
                None,
                datetime.combine(MONTH_ENDS[0], time(0), UTC),
            )
        )
        for state, balance, amount, day, instant in zip(states, balances, paid, days, recorded, strict=True):
            months = int(state) if state.isdigit() else 0
            statements.append(
                (loan, day, balance * LIMIT // 1000, STATES.get(state, "overdue"), months, instant),
            )
            if amount:
                payments.append((f"{loan}-{day}", loan, day, amount * LIMIT // 1000, instant))
    return Tables(
        loans=pl.DataFrame(loans, schema=LoanTable.create_empty().schema, orient="row"),
        statements=pl.DataFrame(statements, schema=StatementTable.create_empty().schema, orient="row"),
        payments=pl.DataFrame(payments, schema=PaymentTable.create_empty().schema, orient="row"),
    )


def probe_history() -> History:
    """Return what is known of the probe accounts on their observation date, a 29 February."""
    return History.as_of(OBSERVED_ON, probe_tables())
