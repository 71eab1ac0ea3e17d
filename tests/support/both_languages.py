"""Whether what is printed on a terminal stands there in English and in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from rich.table import Table

from features.words import Text

ENGLISH, CHINESE = re.compile(r"[a-z]{2,}"), re.compile("[\u4e00-\u9fff]")


def in_both(told: str) -> bool:
    """Return whether a heading is English over Chinese, English / Chinese, or no words at all."""
    if not ENGLISH.search(told):
        return True
    english, _, chinese = told.partition("\n") if "\n" in told else told.partition(" / ")
    return not CHINESE.search(english) and bool(CHINESE.search(chinese))


def headings(table: Table) -> Iterator[str]:
    """Yield the title, the caption, the heads of the columns and the names of the rows of a table."""
    for told in (table.title, table.caption):
        if told is not None:
            yield str(told)
    yield from (str(column.header) for column in table.columns)
    yield from map(str, table.columns[0].cells)


def without_chinese(printed: str) -> list[str]:
    """Return the lines of English that have Chinese neither in themselves nor in the line under them."""
    lines = [*printed.splitlines(), ""]
    return [
        line
        for line, under in pairwise(lines)
        if ENGLISH.search(line) and not CHINESE.search(line) and not CHINESE.search(under)
    ]


def figures(text: Text) -> tuple[list[str], list[str]]:
    """Return the figures of each sentence, to see that both tell the same; signs belong to them."""
    english, chinese = (re.findall(r"[+-]?\d[\d,.]*%?", told) for told in (text.en, text.zh))
    return sorted(english), sorted(chinese)
