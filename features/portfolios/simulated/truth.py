"""What no lender knows of its borrowers, and a simulated one does."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.portfolios.simulated.book import Book
from features.portfolios.simulated.columns import ids

TRUTH = "truth"
POLICY, HOLD_OUT = "policy", "hold_out"
ARMS = pl.Enum([POLICY, HOLD_OUT])


def truth_of(book: Book) -> pl.DataFrame:
    """Return one row per loan, in order.

    `loan_id`, `borrower_id`

    ability, willingness : standard normal; higher pays better
    arm : worked by the policy, or never contacted: drawn at random for each borrower
    contact_effect : log-odds of paying arrears that one talk adds for the rest of the month
    months_in_hardship : months ill or out of work while a loan of the borrower ran, told to the lender or not
    """
    people, owner = book.borrowers, book.loans.borrower
    return pl.DataFrame(
        {
            "loan_id": ids("L", book.loans.number),
            "borrower_id": ids("B", people.number[owner]),
            "ability": people.ability[owner],
            "willingness": people.willingness[owner],
            "arm": pl.Series(people.hold_out[owner].astype(np.uint8)).cat.to(ARMS),
            "contact_effect": (book.world.contact.effect_reached * people.effect_share)[owner],
            "months_in_hardship": pl.Series(book.months_in_hardship[owner]).cast(pl.Int16),
        }
    )
