"""What a model card is made of, before it is Markdown or a page: sections of sentences, facts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from features.words import Text

NOT_RECORDED = Text(en="not recorded", zh="未记录")
NOT_STATED = Text(en="not stated", zh="未注明")


@dataclass(frozen=True)
class Sentence:
    """One sentence; `quoted` where it is the lender's or a feature's own, and not the card's."""

    text: Text
    quoted: bool = False

    @property
    def texts(self) -> Iterator[tuple[Text, bool]]:
        """Every text of it, and whether it is quoted."""
        yield self.text, self.quoted


@dataclass(frozen=True)
class Fact:
    """A name and what is so of it."""

    name: Text
    told: Text
    quoted: bool = False


@dataclass(frozen=True)
class Facts:
    """A list of facts."""

    rows: tuple[Fact, ...]

    @property
    def texts(self) -> Iterator[tuple[Text, bool]]:
        """Every text of it, and whether it is quoted."""
        for row in self.rows:
            yield row.name, False
            yield row.told, row.quoted


@dataclass(frozen=True)
class Grid:
    """A table; `quoted` names the columns, by place, whose words are not the card's own."""

    title: Text
    heads: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]
    quoted: frozenset[int] = frozenset()

    @property
    def texts(self) -> Iterator[tuple[Text, bool]]:
        """Every text of it, and whether it is quoted."""
        yield self.title, False
        for head in self.heads:
            yield head, False
        for row in self.rows:
            for place, cell in enumerate(row):
                yield cell, place in self.quoted


@dataclass(frozen=True)
class Drawing:
    """A picture as SVG, and what it shows; Markdown, which holds no picture, leaves it out."""

    name: str
    svg: str
    text: Text

    @property
    def texts(self) -> Iterator[tuple[Text, bool]]:
        """Every text of it, and whether it is quoted."""
        yield self.text, False


Block = Sentence | Facts | Grid | Drawing


@dataclass(frozen=True)
class Section:
    """A section of the card; `key` is its name in a refusal."""

    key: str
    title: Text
    blocks: Sequence[Block] = field(default_factory=tuple)

    @property
    def empty(self) -> bool:
        """Whether nothing is told in it: a table without rows tells nothing."""
        return not any(self._tells(block) for block in self.blocks)

    @staticmethod
    def _tells(block: Block) -> bool:
        return bool(block.rows) if isinstance(block, Facts | Grid) else True


def plain(told: object) -> Text:
    """Return what reads the same in both languages: a number, a date, a hash, a name."""
    words = str(told)
    return Text(en=words, zh=words) if words.strip() else NOT_STATED


def grid(title: Text, heads: Sequence[Text], rows: Sequence[Sequence[Text]], *, quoted: Sequence[int] = ()) -> Grid:
    """Return a table."""
    return Grid(title, tuple(heads), tuple(tuple(row) for row in rows), frozenset(quoted))
