"""Whether what is printed on a terminal stands there in English and in Chinese."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from rich.table import Table

from features.words import Text

ENGLISH, CHINESE = re.compile(r"[a-z]{2,}"), re.compile("[\u4e00-\u9fff]")
IN_ENGLISH = "英文说明"
COLUMNS = re.compile(r"\S {2,}\S")


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
    """Return the lines that stand in one language alone.

    A line is in both where it has both itself, or where the one right under it is the same in Chinese: with the same
    figures. It may have fewer where it points to what an error says in English, and in a table, whose name of a row is
    continued under the row.
    """
    alone, above = [], ""
    for line in [*printed.splitlines(), ""]:
        if above and not _says_the_same(above, line):
            alone.append(above)
        if CHINESE.search(line) and not ENGLISH.search(line) and not above:
            alone.append(line)
        above = line if ENGLISH.search(line) and not CHINESE.search(line) else ""
    return alone


def _says_the_same(english: str, chinese: str) -> bool:
    if not CHINESE.search(chinese):
        return False
    ours, theirs = _figures(english), _figures(chinese)
    may_have_fewer = IN_ENGLISH in chinese or COLUMNS.search(english)
    return not theirs - ours if may_have_fewer else theirs == ours


def _figures(told: str) -> Counter[str]:
    return Counter(figure.rstrip(".,") for figure in re.findall(r"[+-]?\d[\d,.]*", told))


def figures(text: Text) -> tuple[list[str], list[str]]:
    """Return the figures of each sentence, to see that both tell the same; signs belong to them."""
    english, chinese = (re.findall(r"[+-]?\d[\d,.]*%?", told) for told in (text.en, text.zh))
    return sorted(english), sorted(chinese)


def differing(module: object) -> list[str]:
    """Return the names of a module's sentences whose two languages are not two, or ask for other figures."""
    texts = {name: one for name, one in vars(module).items() if isinstance(one, Text)}
    return [name for name, one in texts.items() if not _is_in_both(one)]


def _is_in_both(text: Text) -> bool:
    english, chinese = (Counter(re.findall(r"\{(\w*)\}", told)) for told in (text.en, text.zh))
    words = re.sub(r"\{\w*\}", "", text.en)
    alike = not chinese - english if IN_ENGLISH in text.zh else chinese == english
    if not alike or CHINESE.search(text.en):
        return False
    return bool(CHINESE.search(text.zh)) or text.en == text.zh or not ENGLISH.search(words)
