"""Every feature of one loan on a day, worked out a second time, in exact fractions, from the docstrings alone."""

from __future__ import annotations

import slow_features
from slow_features import Value
from slow_history import Told
from slow_records_ability import ability
from slow_records_circumstances import circumstances
from slow_records_willingness import willingness


def records(told: Told) -> dict[str, Value]:
    """Return every feature that does not come from statements."""
    return {**ability(told), **willingness(told), **circumstances(told)}


def features(told: Told) -> dict[str, Value]:
    """Return every feature of the catalog."""
    payments = told.of("payments")
    statements = slow_features.features(
        told.loan["credit_limit"],
        told.observed_on,
        [
            (row["statement_on"], row["balance"], row["state"], row["months_overdue"])
            for row in told.of("statements") or []
        ],
        None if payments is None else [(row["paid_on"], row["amount"], row["payer"]) for row in payments],
    )
    return {**statements, **records(told)}
