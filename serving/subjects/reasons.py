"""A reason that goes into the log stays there for good, so it names nobody: it could not be erased with the person.

The ids of whom it is about are looked for, in any width and case of their letters, also between Chinese characters. A
name or a telephone number cannot be told from other words: whoever writes a reason is asked to name no person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from features.errors import UsageError

LONGEST_REASON = 200
ASCII_WORD = "[0-9a-z]"
"""What an id's end may not stand next to, where it is such a character itself: B-1 is not meant by B-12."""


class NamesSomebody(UsageError):
    """A reason that has the id of a person in it, or of one of their loans."""


def require_nameless(reason: str, ids: Iterable[str], where: str) -> None:
    """Refuse a reason that could not be erased with the person whom it is about.

    Parameters
    ----------
    ids : of the person and their loans, as the lender has them
    where : the reason came from

    Raises
    ------
    NamesSomebody : one of the ids is in it
    """
    told = _plain(reason)
    if any(re.search(_pattern(_plain(one)), told) for one in ids if one):
        raise NamesSomebody(
            "a reason with the id of the person or of a loan in it, which could not be erased with them",
            where=where,
            expected="one that names nobody",
            do="give the number of the case, for example",
        )


def require_reason(reason: str, ids: Iterable[str]) -> None:
    """Refuse a reason of the command line that the log could not have.

    Raises
    ------
    UsageError : it is not one line, is too long, or names somebody
    """
    if not 0 < len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise UsageError(
            "a reason that cannot be written",
            where="the reason",
            expected=f"one line of at most {LONGEST_REASON} characters",
            do="say it shorter",
        )
    require_nameless(reason, ids, "the reason")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _pattern(plain: str) -> str:
    before = f"(?<!{ASCII_WORD})" if re.match(ASCII_WORD, plain) else ""
    after = f"(?!{ASCII_WORD})" if re.match(ASCII_WORD, plain[-1]) else ""
    return before + re.escape(plain) + after
