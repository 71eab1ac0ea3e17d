"""A legal hold: whose records must be kept whatever a policy or the person asks, why, and since what day."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from features.errors import UsageError
from serving.subjects.subject import Name

LONGEST_REASON = 200


class Hold(NamedTuple):
    """What must be kept, why, and since what day."""

    pseudonym: bytes
    reason: str
    day: date


def require_reason(reason: str, name: Name) -> None:
    """Refuse a reason that could not be erased with the person whom it is about.

    Raises
    ------
    UsageError : it is not one line, is too long, or has the person's id in it
    """
    names_them = re.search(rf"(?<!\w){re.escape(name.id)}(?!\w)", reason)
    if not 0 < len(reason) <= LONGEST_REASON or not reason.isprintable() or names_them:
        raise UsageError(
            "a reason that cannot be written",
            where="the reason",
            expected=f"one line of at most {LONGEST_REASON} characters, without the id of the person",
            do="give the number of the case, for example",
        )
