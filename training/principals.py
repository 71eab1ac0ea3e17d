"""Who trains, validates or promotes: by name or role, and whether two names are one principal."""

from __future__ import annotations

import os
import pwd
import unicodedata

from features.errors import UsageError
from models.champions import FOUND

TRAINED_BY = "trained_by"
"""Under which name a version's provenance, and a tag of its run, keep who trained it."""
LONGEST_NAME = 120


def account() -> str:
    """Return the operating system's name of whoever runs this process."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name  # not what the environment says: anybody can say that
    except KeyError:  # a user without a name, as in a container
        return f"user {os.getuid()}"


def named(by: str, deed: str) -> str:
    """Return a name as it is recorded.

    Parameters
    ----------
    deed : what the principal does, such as "trains"

    Raises
    ------
    UsageError : it is none
    """
    who = by.strip()
    if not who or who == FOUND or len(who) > LONGEST_NAME or not who.isprintable():
        raise UsageError(
            f"nobody who {deed}",
            where="--by",
            expected=f"the name or role of who {deed}, up to {LONGEST_NAME} printable characters, and not '{FOUND}'",
            do="name who answers for it",
        )
    return who


def alike(one: str, other: str) -> bool:
    """Return whether two names are of one principal: neither case, spaces nor full-width letters make another.

    >>> alike("Model Team", "model  team"), alike("ＭＯＤＥＬ team", "modelteam"), alike("model team", "risk team")
    (True, True, False)
    """
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())
