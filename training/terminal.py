"""How a table in both languages stands on a terminal: each heading in English, and in Chinese under it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from features.words import Text
from models.terminal import let_everything_through, under
from models.verb_options import TABLE_WIDTH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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

    let_everything_through()
    # Reasons, names and labels are the lender's: what stands in brackets or between colons is no markup.
    return Console(width=None if sys.stdout.isatty() else TABLE_WIDTH, markup=False, emoji=False)
