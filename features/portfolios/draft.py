"""A first portfolio file, guessed from a lender's own files: it can be read at once, and says where to decide."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import UsageError
from features.portfolios.draft_columns import ENDINGS, Column, LenderFile, looked_at
from features.portfolios.draft_features import Drafted, Listed, Outcome, Parted, outcome_of, parted
from features.portfolios.draft_keys import Mapped
from features.portfolios.draft_tables import Placed, Placing, loans_file, own_table, placed
from features.portfolios.draft_words import PROTECTED_COLUMNS
from features.portfolios.portfolio_file import NULLS
from features.portfolios.reading import UTF_8
from features.tables import FACTS

LEDGERS = ("instalments", "statements", "payments")
"""Tables that a card of loans in the book needs; without them the card is for applicants."""
APPLICATION_DAYS = 365
NO_DAY = date(2000, 1, 1)
"""Where the files hold no day at all, any will do."""
OLDEST = 130
BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
WIDTH = 110
CONTROL = re.compile("[\x00-\x1f\x7f]")
"""Signs that a comment must not hold; a name of a column may."""


def draft(files: Sequence[Path], folder: Path | None = None) -> str:
    """Return a first portfolio file for a lender's files, as text.

    Files with our tables' names or columns are taken as they are; in others the loans' file, the columns, the formats
    and the outcome are guessed, and a comment `# check: ...` stands where a person must decide. No value of a borrower
    is written but the texts of columns that have few. The same files give the same text.

    Parameters
    ----------
    files : CSV files with any separator and ending, compressed or not, or Parquet; a folder stands for those in it
    folder : where the portfolio file is to lie, from which it names the files; by default the one that holds them all

    Raises
    ------
    UsageError : no file is named
    DataRefused : one cannot be read
    """
    book = [looked_at(path) for path in _files(files)]
    if not book:
        raise UsageError(
            "no file", where="the files given", expected="the loans' file, and others about them", do="name them"
        )
    loans = loans_file(book)
    sent = any(own_table(file) == "outcomes" for file in book)
    outcome = None if sent else outcome_of([column for column in loans.columns if not _is_own(column, loans)])
    placing = placed(book, [outcome.column.name] if outcome is not None else [])
    if folder is None:
        folder = Path(os.path.commonpath([file.path.parent.absolute() for file in book]))
    return "\n".join(_Draft(placing, outcome, folder).lines()) + "\n"


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(ENDINGS))
        else:
            yield path


def _is_own(column: Column, file: LenderFile) -> bool:
    from features.schemas import LoanTable

    return own_table(file) == "loans" and column.name in LoanTable.columns()


class _Draft:
    """One portfolio file being written."""

    def __init__(self, placing: Placing, outcome: Outcome | None, folder: Path) -> None:
        self.placing, self.outcome, self.loans, self.folder = placing, outcome, placing.loans, folder
        facts = next((other for other in placing.others if other.table == FACTS), None)
        self.facts = facts.file if facts is not None else None
        day = self.loans.column("applied_on")
        self.applied = None if day is None else day.days
        source = self.loans.file if self.facts is None else self.facts
        used = self.loans.used if self.facts is None else {"loan_id", "recorded_at"}
        free = [column for column in source.columns if column.name not in used]
        self.parted: Parted = parted(free, self.applied if self.facts is None else None, outcome)
        self.application = not placing.has(*LEDGERS)
        self.each = self.applied is not None and self.application and not placing.has("outcomes")
        self.where = list(self._where())

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file."""
        yield from self._head()
        yield from self._lists()
        yield from self._observe()
        for placed_file in self.placing.tables:
            yield from self._table(placed_file)
        yield from self._protected_table()
        yield from self._outcome()
        yield from self._features()
        yield from self._left()

    def _head(self) -> Iterator[str]:
        file = self.loans.file
        folder = file.path.absolute().parent.name
        yield '# A first portfolio file, guessed from the files\' columns. Decide where it says "check", then run'
        yield "# `repayrank portfolio check` on it. The names of files count from the folder that this one lies in."
        yield f"name = {_toml(folder if file.stem.lower() == 'loans' and folder else file.stem)}"
        yield 'source = ""  # check: where the data come from'
        yield 'zone = "UTC"  # check: the zone in which your days end, such as Asia/Shanghai'
        card = "application" if self.application else "collection"
        yield f'card = "{card}"  # check: application, behaviour, collection or all'

    def _lists(self) -> Iterator[str]:
        yield from _list("protected", self.parted.protected, "attributes that no feature reads")
        yield from _list("forbidden", self.parted.forbidden, "what is known only after the decision")
        yield from _list("unused", self.parted.unused, "columns that are left out")

    def _observe(self) -> Iterator[str]:
        if self.each:
            yield from ("", "[observe]", 'each = "applied_on"')
        elif self.outcome is not None and self.outcome.bad:
            last = _last_day(self._days())
            check = "the day the book stands on" if last is not None else "the files hold no day; any will do"
            yield from ("", "[observe]", f"on = {(last or NO_DAY).isoformat()}  # check: {check}")
        else:
            yield from ("", "# check: the day the book stands on; until it is written here, say it with --as-of")
            yield from ("# [observe]", "# on = 2026-06-30")

    def _days(self) -> Iterator[pl.Series]:
        """Yield the days of what happened, as far as the files tell."""
        for other in self.placing.others:
            column = other.column(str(_happened(other)))
            if column is not None and column.days is not None:
                yield column.days
        for feature in self.parted.features:
            if feature.column.days is not None:
                yield feature.column.days
        if self.applied is not None:
            yield self.applied

    def _where(self) -> Iterator[dict[str, Any]]:
        """Yield which rows of the loans' file count: those that are observed, and whose outcome is known."""
        day = self.loans.column("applied_on")
        if self.each and day is not None and not day.complete:
            yield {"column": day.name, "at_least": "0"}
        told = self.outcome
        if told is not None and told.bad and not told.column.complete:
            yield {"column": told.column.name, "one_of": list(told.column.levels)}

    def _table(self, placed_file: Placed) -> Iterator[str]:
        file = placed_file.file
        yield from ("", f"[tables.{placed_file.table}]")
        for check in placed_file.checks:
            yield _comment(f"check: {check}")
        yield from self._file(file)
        extra = [column.name for column in file.columns if column.name not in placed_file.used]
        if placed_file is not self.loans and file is not self.facts and extra:
            yield _comment(f"not read: {', '.join(map(_toml, extra))}")
        written = {name: _as_written(mapped, file) for name, mapped in placed_file.columns.items()}
        told = {name: mapped for name, mapped in written.items() if mapped.source != {"column": name}}
        if told:
            yield from ("", f"[tables.{placed_file.table}.columns]")
            if any("per_unit" in mapped.source for mapped in told.values()):
                yield "# check: per_unit = 100 stands for yuan or dollars; leave it out where amounts are in cents"
            for name, mapped in told.items():
                yield from _mapping(name, mapped)

    def _file(self, file: LenderFile) -> Iterator[str]:
        name = os.path.relpath(file.path, self.folder)  # a link stays the file that was named
        yield f"file = {_toml(Path(name).as_posix())}"
        if file.repeated:
            rows = f"{file.repeated:,} of {file.rows + file.repeated:,} rows"
            yield f"distinct = true  # check: {rows} repeat another in every column, and count once"
        if file.encoding != UTF_8:
            yield f"encoding = {_toml(file.encoding)}  # check: guessed; are letters beyond a to z read rightly?"
        if file.separator != ",":
            yield f"separator = {_toml(file.separator)}"
        if file.notation.decimal != ".":
            yield f"decimal = {_toml(file.notation.decimal)}"
        if file.notation.thousands:
            yield f"thousands = {_toml(file.notation.thousands)}"
        if file.nulls != NULLS:
            yield f"nulls = {_toml(list(file.nulls))}"
        if file.day_format is not None:
            yield f"format = {_toml(file.day_format)}  # how days are written"
        elif (formats := self._formats_of_features(file)) != {}:
            yield f"formats = {_toml(formats)}  # how the days that features read are written"
        if file is self.loans.file and self.where:
            yield f"where = {_toml(self.where)}  # rows that hold no day or no outcome are left out"

    def _formats_of_features(self, file: LenderFile) -> dict[str, str]:
        """Return how days are written that features read, where they are not written as 2026-06-30."""
        if file is not (self.loans.file if self.facts is None else self.facts):
            return {}
        dated = [feature.column for feature in self.parted.features if "months_since" in feature.written]
        return {column.name: column.format for column in dated if column.format is not None}

    def _protected_table(self) -> Iterator[str]:
        """Yield the table of protected attributes, which the fairness report alone reads."""
        borrower = self.loans.columns["borrower_id"]
        owner = self.loans.column("borrower_id")
        if self.facts is not None or self.placing.has("protected") or (owner is not None and not owner.unique):
            return
        told: dict[str, str] = {}
        for name, words in PROTECTED_COLUMNS.items():
            for listed in self.parted.protected:
                column = listed.column
                fits = column.whole and column.least >= 0 and column.most <= OLDEST
                if name not in told and column.speaks(words) and (fits if name == "age_years" else column.levels):
                    told[name] = column.name
        if told:
            yield from ("", "# For the report on fairness alone", "[tables.protected]")
            yield from self._file(self.loans.file)
            yield from ("", "[tables.protected.columns]")
            yield from _mapping("borrower_id", Mapped(borrower.source))
            for name, column_name in told.items():
                yield from _mapping(name, Mapped({"column": column_name}))

    def _outcome(self) -> Iterator[str]:
        told = self.outcome
        if told is None:
            if not self.placing.has("outcomes", "instalments"):
                yield from ("", "# check: what became of the loans, in a column of the loans' file; a card needs it")
                yield from ("# [outcome]", '# column = "..."', '# bad = ["..."]', '# good = ["..."]')
            return
        mark = "" if told.bad else "# "
        sorted_out = [("bad", told.bad), ("good", told.good), ("indeterminate", told.indeterminate)]
        yield ""
        if not told.bad:
            yield "# check: is this the outcome, and what does each text mean?"
            sorted_out = [("bad", ()), ("good", told.column.levels)]
        yield f"{mark}[outcome]"
        yield f"{mark}column = {_toml(told.column.name)}" + (f"  # check: {told.check}" if told.bad else "")
        for name, texts in sorted_out:
            if texts or name != "indeterminate":
                yield f"{mark}{name} = {_toml(list(texts))}"
        if self.application:
            yield f"{mark}after_days = {APPLICATION_DAYS}  # check: days from the application to when this was known"
        if told.bad and self.application:
            column, bad = told.column.name, " / ".join(told.bad)
            words = {"en": f"{column}: {bad}", "zh": f"{column}：{bad}"}
            yield from ("", "[cards.application]", f"window_days = {APPLICATION_DAYS}")
            yield f"outcome = {_toml(words)}  # check: what bad means, in words"

    def _features(self) -> Iterator[str]:
        if not self.parted.features:
            return
        yield ""
        yield "# check: each feature's group (ability, willingness or circumstances), its unit, and its words in both"
        yield '# languages. Say which way risk goes with risk = "rises" or "falls", where law and policy know it; put'
        yield "# the levels of a category in order first, from the least to the most. For money, per_unit = 100 stands"
        yield "# for yuan or dollars."
        for feature in self.parted.features:
            yield from _feature(feature)

    def _left(self) -> Iterator[str]:
        extra = _extra_of_loans(self.loans) if self.facts is not None else []
        if self.placing.left or extra:
            yield ""
        if extra:
            yield _comment(f"not read, features come from table facts: {', '.join(map(_toml, extra))}")
        for file, reason in self.placing.left:
            yield _comment(f"not used: {_toml(file.path.name)}: {reason}")


def _extra_of_loans(loans: Placed) -> list[str]:
    return [column.name for column in loans.file.columns if column.name not in loans.used]


def _happened(placed_file: Placed) -> str | None:
    from features.tables import declaration

    return None if placed_file.table in {"outcomes", "protected"} else declaration(placed_file.table).happened


def _last_day(days: Iterable[pl.Series]) -> date | None:
    """Return the end of the month of the latest day: no borrower's own."""
    latest = [last for series in days if isinstance(last := series.max(), date)]
    if not latest:
        return None
    end = pl.Series([max(latest)]).dt.month_end().item()
    assert isinstance(end, date)
    return end


def _as_written(mapped: Mapped, file: LenderFile) -> Mapped:
    """Return where a column comes from, without a format that the whole table has."""
    if file.day_format is None or mapped.source.get("format") != file.day_format:
        return mapped
    return replace(mapped, source={key: value for key, value in mapped.source.items() if key != "format"})


def _list(name: str, listed: Sequence[Listed], what: str) -> Iterator[str]:
    if not listed:
        return
    yield from ("", f"{name} = [  # check: {what}")
    for entry in listed:
        yield _comment(entry.check, before=f"    {_toml(entry.column.name)},  ")
    yield "]"


def _mapping(name: str, mapped: Mapped) -> Iterator[str]:
    source = mapped.source
    written = _toml(source["column"]) if set(source) == {"column"} else _toml(source)
    line = f"{_key(name)} = {written}"
    if mapped.check and len(line) + len(mapped.check) > WIDTH:
        yield _comment(f"check: {mapped.check}")
        yield line
    else:
        yield _comment(f"check: {mapped.check}", before=f"{line}  ") if mapped.check else line


def _feature(feature: Drafted) -> Iterator[str]:
    yield from ("", f"[features.{feature.name}]")
    for check in feature.checks:
        yield _comment(f"check: {check}")
    for key, value in feature.written.items():
        line = f"{key} = {_toml(value)}"
        if isinstance(value, list) and len(line) > WIDTH:
            yield f"{key} = ["
            yield from (f"    {_toml(entry)}," for entry in value)
            yield "]"
        else:
            yield line


def _comment(text: str, before: str = "") -> str:
    return f"{before}# {CONTROL.sub(' ', text)}"


def _key(name: str) -> str:
    return name if name[:1].isalpha() and set(name) <= BARE else _toml(name)


def _toml(value: Any) -> str:
    """Return a value as TOML writes it, on one line.

    >>> _toml({"a b": ["x", 1, True]})
    '{ "a b" = ["x", 1, true] }'
    """
    if isinstance(value, Mapping):
        entries = ", ".join(f"{_key(str(name))} = {_toml(entry)}" for name, entry in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    # JSON writes these as TOML does, but for the one sign that TOML wants escaped and JSON does not.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
