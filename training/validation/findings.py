"""What a check of a card found: its verdict, the figures behind it, the threshold that judged them, and why.

A finding is data: a page, a model card or a promotion reads it and computes nothing anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from features.words import Text

Cell = str | int | float | bool | None


class Verdict(StrEnum):
    """What a check says; a check that could not be made says nothing for or against the card."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    REFUSE = "refuse"
    NOT_JUDGED = "not_judged"

    @property
    def severity(self) -> int:
        """Return 0 for what does not count, and more the worse it is."""
        return (Verdict.NOT_JUDGED, Verdict.PASS, Verdict.WARN, Verdict.REFUSE).index(self)

    @property
    def text(self) -> Text:
        """Return the verdict in both languages."""
        return {
            Verdict.PASS: Text(en="pass", zh="通过"),
            Verdict.WARN: Text(en="warn", zh="警示"),
            Verdict.REFUSE: Text(en="refuse", zh="不通过"),
            Verdict.NOT_JUDGED: Text(en="not judged", zh="未评定"),
        }[self]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of several verdicts; `not_judged` only when nothing was judged."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.NOT_JUDGED)


@dataclass(frozen=True)
class Figure:
    """One number, with its 95 % interval where there is one.

    Attributes
    ----------
    name : what it is, a stable identifier such as `auc`
    of : which segment, group, month or feature it is of; "" for all cases
    value : None where it cannot be computed
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    of: str = ""

    def as_dict(self) -> dict[str, Cell]:
        """Return the figure as plain data."""
        return {
            "name": self.name,
            "of": self.of,
            "value": _plain(self.value),
            "low": _plain(self.low),
            "high": _plain(self.high),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Figure:
        """Return the figure written by `as_dict`."""
        return cls(plain["name"], plain["value"], plain["low"], plain["high"], plain["of"])

    @property
    def words(self) -> Text:
        """Return the number, and its interval, as a reader sees it."""
        told = number(self.value)
        if self.low is None or self.high is None:
            return Text(en=told, zh=told)
        low, high = number(self.low), number(self.high)
        return Text(en=f"{told} ({low} to {high})", zh=f"{told}（{low}至{high}）")


@dataclass(frozen=True)
class Threshold:
    """What judged a figure, as the policy says it: `warn` and `refuse` in words, and where the numbers come from."""

    figure: str
    warn: str
    refuse: str
    source: str

    def as_dict(self) -> dict[str, str]:
        """Return the threshold as plain data."""
        return {"figure": self.figure, "warn": self.warn, "refuse": self.refuse, "source": self.source}


@dataclass(frozen=True)
class Table:
    """Rows behind a finding, for a report: columns by stable names, and a title in both languages."""

    name: str
    title: Text
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, name: str, title: Text, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
        """Return a table with its numbers as plain ones."""
        return cls(name, title, tuple(columns), tuple(tuple(_plain(cell) for cell in row) for row in rows))

    def as_dict(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return {
            "name": self.name,
            "title": self.title.as_dict(),
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Table:
        """Return the table written by `as_dict`."""
        return cls(plain["name"], Text(**plain["title"]), tuple(plain["columns"]), tuple(map(tuple, plain["rows"])))


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    check : a stable identifier such as `calibration.in_the_large`
    figures : the judged figure first, where there are several the worst of them; then those that explain it
    threshold : None where nothing was judged
    words : one short sentence
    tables : rows behind the figures
    """

    check: str
    verdict: Verdict
    words: Text
    figures: tuple[Figure, ...] = ()
    threshold: Threshold | None = None
    tables: tuple[Table, ...] = ()

    def figure(self, name: str) -> Figure | None:
        """Return the first figure of a name."""
        return next((figure for figure in self.figures if figure.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "words": self.words.as_dict(),
            "figures": [figure.as_dict() for figure in self.figures],
            "threshold": None if self.threshold is None else self.threshold.as_dict(),
            "tables": [table.as_dict() for table in self.tables],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Finding:
        """Return the finding written by `as_dict`."""
        return cls(
            check=plain["check"],
            verdict=Verdict(plain["verdict"]),
            words=Text(**plain["words"]),
            figures=tuple(map(Figure.from_dict, plain["figures"])),
            threshold=None if plain["threshold"] is None else Threshold(**plain["threshold"]),
            tables=tuple(map(Table.from_dict, plain["tables"])),
        )


def number(value: float | None) -> str:
    """Return a number with as many digits as a reader needs.

    >>> number(0.78664), number(3.0), number(2.2e-16), number(None)
    ('0.7866', '3', '2.2e-16', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    if value == round(value) and abs(value) < SHOWN_WHOLE:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) >= SHOWN_SMALL else f"{value:.2g}"


SHOWN_WHOLE, SHOWN_SMALL = 1e12, 1e-3


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: no NumPy number, and null for what is not finite."""
    if value is None or isinstance(value, str | bool):
        return value
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
