"""Signed tokens that are refused before they end: one by its own id, or all that a subject was given until then.

The identity provider ends what it gave out at its own pace; what was stolen has to be refused here, and now. A subject
is let in again with a token that was given out afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec

from features.errors import UsageError

LONGEST = 200
"""Characters of an id or a subject."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]


class By(StrEnum):
    """The claim that says which tokens are meant."""

    ID = "jti"
    SUBJECT = "sub"


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is refused: one token, or all that a subject was given until `at`.

    Attributes
    ----------
    value : of the claim, to the letter; no secret, but it may be a person's name
    """

    by: By
    value: Text
    at: Instant


def withdrawal(by: By, value: str, at: datetime) -> Withdrawal:
    """Return what is refused from now on.

    Raises
    ------
    UsageError : a text that no such claim can be
    """
    if not (0 < len(value) <= LONGEST and value.isprintable()):
        # Not quoted: whoever takes the whole token for its id would read it in a terminal's history.
        raise UsageError(
            "a text that no token's id and no subject can be",
            where=f"claim {by}",
            expected=f"1 to {LONGEST} characters, as the token's payload has them",
            do="correct it",
        )
    return Withdrawal(by, value, at)


@dataclass(frozen=True)
class Withdrawals:
    """All that are refused: ids, and for each subject the second until which."""

    ids: frozenset[str]
    subjects: Mapping[str, float]

    @classmethod
    def of(cls, entries: Iterable[Withdrawal]) -> Self:
        """Return them in the form that is looked at for each request; of one subject the latest counts."""
        subjects: dict[str, float] = {}
        ids = set()
        for one in entries:
            if one.by is By.ID:
                ids.add(one.value)
            else:
                subjects[one.value] = max(one.at.timestamp(), subjects.get(one.value, float("-inf")))
        return cls(frozenset(ids), subjects)

    def hold(self, claims: Mapping[str, Any], leeway: float) -> bool:
        """Return whether a token is refused.

        Parameters
        ----------
        claims : of a token whose signature holds
        leeway : seconds by which the provider's clock may be ahead
        """
        if claims.get("jti") in self.ids:
            return True
        until = self.subjects.get(claims["sub"])
        # One that does not say when it was given out may be any of those.
        return until is not None and claims.get("iat", float("-inf")) <= until + leeway
