"""How a decision of record is refused: erased, dropped at the end of its term, or never there."""

from __future__ import annotations

from features.errors import DataRefused


class Erased(DataRefused):
    """What is asked for was erased together with the borrower whom it was about."""


class Expired(Erased):
    """What is asked for is of a time whose records were dropped at the end of their terms."""


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


def expired() -> Expired:
    """Return the error for a decision that is not kept any more."""
    return Expired(
        "an id of a time from which records were dropped at the end of their terms",
        where="the decision log",
        expected="a decision that is still kept",
        do="nothing can bring it back; if there was such a decision, it has been kept for as long as it had to be",
    )


def no_such_decision() -> NoSuchDecision:
    """Return the error for an id that leads to no decision."""
    return NoSuchDecision(
        "an id of no decision",
        where="the decision log",
        expected="the score_id of an answer of this log",
        do="check the id, and which service gave the answer",
    )
