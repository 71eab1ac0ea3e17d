"""Can they pay: features of what borrowers can bear, one module for each kind of evidence."""

from __future__ import annotations

from types import ModuleType


def modules() -> tuple[ModuleType, ...]:
    """Return the group's modules in the order of their features' columns."""
    from features.ability import borrowing, debits, flows, hardship, instalments, means, statements

    return (statements, instalments, means, flows, debits, borrowing, hardship)
