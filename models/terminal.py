"""How a sentence in both languages stands on a terminal: English, and Chinese under it."""

from __future__ import annotations

import io
import sys

from features.words import Text
from models.verb_options import say, tell


def under(text: Text) -> str:
    r"""Return the Chinese line under the English one; what is the same in both stands there once.

    >>> under(Text(en="month", zh="月份")), under(Text(en="AUC", zh="AUC"))
    ('month\n月份', 'AUC')
    """
    return text.en if text.en == text.zh else f"{text.en}\n{text.zh}"


def beside(text: Text) -> str:
    """Return both in one line, for the name of a row; what is the same in both stands there once.

    >>> beside(Text(en="all", zh="合计"))
    'all / 合计'
    """
    return text.en if text.en == text.zh else f"{text.en} / {text.zh}"


def say_both(text: Text) -> None:
    """Tell how the work goes, in both languages."""
    say(under(text))


def tell_both(text: Text) -> None:
    """Print a result in both languages."""
    let_everything_through()
    tell(under(text))


def let_everything_through() -> None:
    """Let a terminal that has no Chinese show question marks: a change that was made is told to its end."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
