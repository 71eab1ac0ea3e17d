"""How a decision of record is refused: erased, or never there."""

from __future__ import annotations

from features.errors import DataRefused


class Erased(DataRefused):
    """What is asked for was erased together with the borrower whom it was about."""


class NoSuchDecision(DataRefused):
    """No decision of the log has this id."""


def erased() -> Erased:
    """Return the error for an answer that cannot be given again."""
    return Erased(
        "a borrower who was erased",
        where="the decision log",
        expected="a decision about borrowers of whom no one was erased since",
        do="nothing can bring it back; send a request under a new key if there is still a reason to",
    )


def no_such_decision() -> NoSuchDecision:
    """Return the error for an id that leads to no decision."""
    return NoSuchDecision(
        "an id of no decision",
        where="the decision log",
        expected="the score_id of an answer of this log",
        do="check the id, and which service gave the answer",
    )
