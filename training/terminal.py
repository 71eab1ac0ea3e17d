"""How sentences and tables in both languages stand on a terminal: English, and Chinese under it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from features.words import Text
from models.verb_options import TABLE_WIDTH, say, tell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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
    _let_everything_through()
    tell(under(text))


def table(title: Text, caption: Text | None = None) -> Table:
    """Return a table without columns, with lines between its head, its sections and its end alone."""
    from rich.box import HORIZONTALS
    from rich.table import Table

    return Table(
        title=under(title),
        caption=None if caption is None else under(caption),
        title_justify="left",
        caption_justify="left",
        box=HORIZONTALS,
        highlight=False,
    )


def console() -> Console:
    """Return where tables are printed: as wide as the terminal or, in a file or a pipe, as wide as all of them are."""
    from rich.console import Console

    _let_everything_through()
    # Reasons, names and labels are the lender's: what stands in brackets or between colons is no markup.
    return Console(width=None if sys.stdout.isatty() else TABLE_WIDTH, markup=False, emoji=False)


def _let_everything_through() -> None:
    """Let a terminal that has no Chinese show question marks: a change that was made is told to its end."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
