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
from features.portfolios.draft_guess import own_table
from features.portfolios.draft_keys import Mapped
from features.portfolios.draft_tables import Placed, Placing, loans_file, placed
from features.portfolios.draft_words import PROTECTED_COLUMNS
from features.portfolios.portfolio_file import NULLS, Format
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
        self.facts = next((other for other in placing.others if other.table == FACTS), None)
        day = self.loans.column("applied_on")
        self.applied = None if day is None else day.days
        own = [] if self.facts is None else self._free_of_facts(self.facts)
        elsewhere = {column.name for column in own}
        used = self.loans.used | elsewhere  # of a column that both files have, the file of facts has the first say
        free = [column for column in self.loans.file.columns if column.name not in used]
        self.parted: Parted = parted(free, self.applied, outcome)
        self.of_facts: Parted = parted(own, None, None, self.parted)
        if not self.of_facts.features and _own_table_of(self.facts) is None:
            self.facts = None  # nothing of it is a feature
        self.every = self.parted.and_those_of(self.of_facts)
        self.application = not placing.has(*LEDGERS)
        self.each = self.applied is not None and self.application and not placing.has("outcomes")
        self.where = list(self._where())

    def _free_of_facts(self, facts: Placed) -> list[Column]:
        """Return the columns of a file of facts that no table reads."""
        beside = [other for other in self.placing.others if other.file is facts.file and other is not facts]
        used = {"loan_id", "recorded_at"}.union(*(other.used for other in (facts, *beside)))
        return [column for column in facts.file.columns if column.name not in used]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file."""
        yield from self._head()
        yield from self._lists()
        yield from self._observe()
        for placed_file in self.placing.tables:
            if placed_file.table != FACTS or placed_file is self.facts:
                yield from self._table(placed_file)
        yield from self._protected_table()
        yield from self._codes()
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
        yield from _list("protected", self.every.protected, "attributes that no feature reads")
        yield from _list("forbidden", self.every.forbidden, "what is known only after the decision")
        yield from _list("unused", self.every.unused, "columns that are left out")

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
        for_features = placed_file is self.loans or placed_file is self.facts
        yield from self._file(file, placed_file.where, for_features=for_features)
        if placed_file.reversals is not None:
            yield f"reversals = {_toml(placed_file.reversals)}  # check: rows that take an earlier payment back"
        extra = [column.name for column in file.columns if column.name not in placed_file.used]
        of_facts = self.facts is not None and file is self.facts.file
        if placed_file is not self.loans and not of_facts and extra:
            yield _comment(f"not read: {', '.join(map(_toml, extra))}")
        written = {name: _as_written(mapped, file) for name, mapped in placed_file.columns.items()}
        told = {name: mapped for name, mapped in written.items() if mapped.source != {"column": name}}
        if told:
            yield from ("", f"[tables.{placed_file.table}.columns]")
            if any("per_unit" in mapped.source for mapped in told.values()):
                yield "# check: per_unit = 100 stands for yuan or dollars; leave it out where amounts are in cents"
            for name, mapped in told.items():
                yield from _mapping(name, mapped)

    def _file(
        self, file: LenderFile, where: Sequence[Mapping[str, Any]] = (), *, for_features: bool = False
    ) -> Iterator[str]:
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
        elif for_features and (formats := self._formats_of_features(file)) != {}:
            yield f"formats = {_toml(formats)}  # how the days that features read are written"
        if file is self.loans.file and self.where:
            yield f"where = {_toml(self.where)}  # rows that hold no day or no outcome are left out"
        elif where:
            yield f"where = {_toml(list(where))}"

    def _formats_of_features(self, file: LenderFile) -> dict[str, Format]:
        """Return how days are written that features read, where they are not written as 2026-06-30."""
        dated = [feature.column for feature in self.every.features if "months_since" in feature.written]
        here = [column for column in dated if file.named(column.name) is column]
        return {column.name: column.format for column in here if column.format is not None}

    def _codes(self) -> Iterator[str]:
        """Yield the numbers that stand for none in columns that only the tables read."""
        for placed_file in self.placing.others:
            for mapped in placed_file.columns.values():
                if mapped.codes:
                    yield from ("", f"[codes.{_key(str(mapped.reads))}]")
                    yield f"unknown = {_toml(list(mapped.codes))}  # check: do they say why there is no number?"

    def _protected_table(self) -> Iterator[str]:
        """Yield the table of protected attributes, which the fairness report alone reads."""
        owner, source = self.loans.column("borrower_id"), self.loans
        if self.placing.has("protected"):
            return
        customers = next((other for other in self.placing.others if "borrower_id" in other.columns), None)
        if customers is not None and self.of_facts.protected:
            source, listed_here = customers, self.of_facts.protected
        elif owner is None or owner.unique:
            listed_here = self.parted.protected
        else:
            return
        told: dict[str, str] = {}
        for name, words in PROTECTED_COLUMNS.items():
            for listed in listed_here:
                column = listed.column
                fits = column.whole and column.least >= 0 and column.most <= OLDEST
                if name not in told and column.speaks(words) and (fits if name == "age_years" else column.levels):
                    told[name] = column.name
        if told:
            yield from ("", "# For the report on fairness alone", "[tables.protected]")
            yield from self._file(source.file)
            yield from ("", "[tables.protected.columns]")
            yield from _mapping("borrower_id", Mapped(source.columns["borrower_id"].source))
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
        if not self.every.features:
            return
        yield ""
        yield "# check: each feature's group (ability, willingness or circumstances), its unit, and its words in both"
        yield '# languages. Say which way risk goes with risk = "rises" or "falls", where law and policy know it; put'
        yield "# the levels of a category in order first, from the least to the most. For money, per_unit = 100 stands"
        yield "# for yuan or dollars."
        for feature in self.every.features:
            yield from _feature(feature)

    def _left(self) -> Iterator[str]:
        if self.placing.left:
            yield ""
        for file, reason in self.placing.left:
            yield _comment(f"not used: {_toml(file.path.name)}: {reason}")


def _own_table_of(placed_file: Placed | None) -> str | None:
    """Return the table whose columns a placed file has by their own names; None where there is none."""
    return None if placed_file is None else own_table(placed_file.file)


def _happened(placed_file: Placed) -> str | None:
    from features.tables import declaration

    return None if placed_file.table in {"outcomes", "protected", FACTS} else declaration(placed_file.table).happened


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
