"""Neither ability nor willingness: features of the loan, its stage and what others did, one module for each kind."""

from __future__ import annotations

from types import ModuleType


def modules() -> tuple[ModuleType, ...]:
    """Return the group's modules in the order of their features' columns."""
    from features.circumstances import delinquency, flows, loan, process, statements

    return (statements, delinquency, loan, process, flows)
