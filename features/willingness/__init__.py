"""Do they choose to pay: features of how borrowers keep to what was agreed, one module for each kind of evidence."""

from __future__ import annotations

from types import ModuleType


def modules() -> tuple[ModuleType, ...]:
    """Return the group's modules in the order of their features' columns."""
    from features.willingness import contacts, debits, flows, instalments, promises, spells, statements

    return (statements, instalments, promises, spells, contacts, debits, flows)
