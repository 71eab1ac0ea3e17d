"""A book that a portfolio file describes: the lender's own files and columns, read as the file says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path

import msgspec
import polars as pl

from features.declared import Kind, declared_facts, kinds_of
from features.errors import ConfigurationRefused, DataRefused, Fault, TablesRefused, UsageError
from features.history import is_zone
from features.portfolios import mapping
from features.portfolios.own_facts import beside_the_loans, facts_file, of_each_loan
from features.portfolios.portfolio import SHIPPED, Portfolio
from features.portfolios.portfolio_file import (
    ColumnSource,
    Outcome,
    PortfolioFile,
    TableSource,
    read_file,
    refused,
    without_outcomes,
)
from features.portfolios.raw import raw_of
from features.portfolios.reading import rows_of
from features.portfolios.reversals import left_out_reversals, settled
from features.schemas import BESIDE, SCORED
from features.tables import FACTS, Tables, faults_of

FILE = "portfolio.toml"
TRUTH = "truth.parquet"
BOOKS = "books"
ONE_ROW = "one row only"
REVERSED = frozenset({"payment_id", "loan_id", "recorded_at"})
OUTCOME_DAYS = 30
"""Days to the end of the performance window where neither the outcome nor the card says."""


def shipped_file(name: str) -> Path:
    """Return the portfolio file of a book that ships without its data.

    Raises
    ------
    UsageError : there is none of that name
    """
    if name not in SHIPPED:
        raise UsageError(
            f"no portfolio file named '{name}'",
            where="portfolio files of the release",
            expected=f"one of {', '.join(SHIPPED)}",
            do="correct the name",
        )
    return Path(str(files("features.portfolios").joinpath(BOOKS, f"{name}.toml")))


def shipped(name: str, data: Path | None, *, outcomes: bool = True) -> Portfolio:
    """Return a book whose portfolio file ships with the release.

    Parameters
    ----------
    outcomes : read what became of the loans

    Raises
    ------
    ConfigurationRefused : the folder of its data is not named; they do not ship
    """
    path = shipped_file(name)
    if data is None:
        raise ConfigurationRefused(
            "a book whose data do not ship with the release",
            where=f"portfolio '{name}'",
            expected="the folder of its files",
            do="fetch the data set as docs/books.md says, and name its folder with --data",
        )
    return book(path, data, outcomes=outcomes)


def book(path: Path, data: Path | None = None, *, outcomes: bool = True) -> Portfolio:
    """Return the book that a portfolio file describes.

    Parameters
    ----------
    data : the folder of the files it names; by default the one it lies in
    outcomes : read what became of the loans; without, their columns need not be there

    Raises
    ------
    ConfigurationRefused : faults of the file itself
    DataRefused : a file it names cannot be read
    TablesRefused : values that cannot be read as declared, or tables that break their declaration
    """
    file = read_file(path)
    if not is_zone(file.zone):
        raise refused([f"'zone': no zone named '{file.zone}'; expected an IANA name such as Asia/Shanghai"], path)
    folder = path.parent if data is None else data
    return _Reading(file if outcomes else without_outcomes(file), folder, str(path), lenient=not outcomes).portfolio()


def loans_file(path: Path, data: Path | None = None) -> pl.DataFrame:
    """Return the rows of the loans' file that count, every value as text, null where there is none, numbers as 1234.5.

    The columns are the file's own and those computed, behind `loan_id__`, the loan that each row became. For looking at
    columns that are no features yet: what is in them, and what knows the outcome.
    """
    file = read_file(path)
    reading = _Reading(file, path.parent if data is None else data, str(path))
    source = reading.opened("loans")
    loans = mapping.table_from(source, file.tables["loans"], SCORED["loans"], "loans")
    reading.note(source, "loans")
    reading.refuse()
    texts = source.rows.drop(mapping.ROW).with_columns(pl.all().cast(pl.String, strict=False))
    known = [mapping.in_plain_numbers(source, source.known(column)) for column in texts.get_columns()]
    return pl.DataFrame([loans.get_column("loan_id").alias("loan_id__"), *known])


class _Reading:
    """One portfolio file being read with the files it names."""

    def __init__(self, file: PortfolioFile, folder: Path, where: str, *, lenient: bool = False) -> None:
        self.file, self.folder, self.where, self.lenient = file, folder, where, lenient
        self.rows: dict[str, pl.Series] = {}
        self.yours = _yours(file)
        self.faults: list[Fault] = []
        self.heights: dict[str, int] = {}
        self.repeating: dict[str, int] = {}
        self.not_counted: list[str] = []
        self.doubts: list[str] = []
        self.loans_source: mapping.Source | None = None
        self.own_facts: frozenset[str] = frozenset()

    def portfolio(self) -> Portfolio:
        """Return the book."""
        file = self.file
        frames = self._tables()
        facts = declared_facts(kinds_of(file.features)) if file.features else None
        try:
            checked = Tables.checked(
                {name: frame for name, frame in frames.items() if name not in BESIDE}, where=self.where, facts=facts
            )
        except TablesRefused as error:
            raise self._refused(error.faults) from error
        days = file.observe.on
        return Portfolio(
            name=file.name,
            tables=checked,
            observed_on=days if isinstance(days, date) else None,
            zone=file.zone,
            outcomes=self._beside(frames, "outcomes"),
            protected=self._beside(frames, "protected"),
            source=file.source or str(self.folder),
            observe_each=file.observe.each is not None,
            observed_dates=days if isinstance(days, tuple) else (),
            declared=file.declared,
            cards={name: _plain(changes) for name, changes in file.cards.items()},
            card=file.card,
            split=None if file.split is None else (file.split.by, file.split.test_from),
            allocation=file.allocation,
            raw=raw_of(file, self.own_facts),
            truth=self._truth(),
            not_counted=tuple(dict.fromkeys(self.not_counted)),  # a file may be read as several tables
            doubts=tuple(self.doubts),
        )

    def _truth(self) -> pl.DataFrame | None:
        """Return what a simulated lender wrote of its borrowers' true traits; a real one has no such file."""
        path = self.folder / TRUTH
        return rows_of(path, "a simulated lender's truth") if path.is_file() else None

    def _beside(self, frames: Mapping[str, pl.DataFrame], name: str) -> pl.DataFrame | None:
        if name not in frames:
            return None
        found = faults_of(frames[name], BESIDE[name], name)
        if found:
            raise self._refused(found)
        return frames[name].select(BESIDE[name].column_names())

    def _refused(self, faults: Iterable[Fault]) -> TablesRefused:
        """Return the refusal of tables that break their declaration, by the rows and columns of the lender's files."""
        told = [*self.faults, *map(self._told, faults)]
        heights = {**self.heights, **{name: len(numbers) for name, numbers in self.rows.items()}}
        tables = {fault.table for fault in told}
        where = self.file_of(tables.pop()) if len(tables) == 1 and self.faults else self.where
        return TablesRefused(told, where=where, heights=heights)

    def _told(self, fault: Fault) -> Fault:
        """Return a fault by the rows and columns of the lender's file, with what to do where that can be said."""
        told = mapping.in_the_file(fault, self.rows[fault.table], self.yours)
        spec = self.file.tables.get(fault.table)
        if spec is None:
            return told
        if fault.expected.startswith(ONE_ROW) and (repeating := self._repeating(fault.table)):
            return replace(told, expected=f"{told.expected}; {_rows(repeating)} written twice would count once if "
                           "the table said distinct = true")  # fmt: skip
        if (fault.table, fault.column) == ("payments", "amount") and spec.reversals is None:
            return replace(told, expected=f"{told.expected}; rows that take a payment back are told by "
                           "[tables.payments.reversals]")  # fmt: skip
        return told

    def _repeating(self, name: str) -> int:
        """Return how many rows of a table's file repeat another in every column and are counted all the same."""
        if name not in self.repeating:
            rows = self.opened(name).rows
            nested = any(kind.is_nested() for kind in rows.dtypes)
            self.repeating[name] = 0 if nested else rows.height - mapping.distinct(rows).height
        return self.repeating[name]

    def refuse(self) -> None:
        """Raise the faults found while tables were read."""
        if self.faults:
            raise self._refused(())

    def _tables(self) -> dict[str, pl.DataFrame]:
        file = self.file
        self._require_files()
        source = self.loans_source = self.opened("loans")
        loans = mapping.table_from(source, file.tables["loans"], SCORED["loans"], "loans")
        frames = {"loans": loans}
        # The faults of every column are told at once: a column of the loans that cannot be read hides no other.
        placed = {"loan_id", "recorded_at"} <= set(loans.columns)
        if file.outcome is not None and placed:
            window = self._window(file.outcome)
            frames["outcomes"] = mapping.outcomes_from(source, file.outcome, loans, self._observed(loans), window)
        kinds = kinds_of(file.features)
        if kinds and FACTS not in file.tables and placed:
            frames[FACTS] = mapping.facts_from(
                source, kinds, loans.get_column("loan_id"), loans.get_column("recorded_at")
            )
        self.note(source, "loans")
        self.rows |= dict.fromkeys(frames, source.rows.get_column(mapping.ROW))
        for name, spec in file.tables.items():
            if name == FACTS:
                frames[name] = self._facts(spec, kinds, loans if placed else None)
            elif name != "loans":
                frames[name] = self._table(name, spec)
        if self.faults:
            self._refuse_all(frames)
        return dict(self._of_these_loans(frames))

    def _require_files(self) -> None:
        """Refuse a book of which several files are not there, with all of them; one alone is told when it is opened."""
        named = dict.fromkeys(spec.file for spec in self.file.tables.values())
        absent = [name for name in named if not (self.folder / name).exists()]
        if len(absent) > 1:
            raise DataRefused(
                f"no such files: {', '.join(absent)}",
                where=str(self.folder),
                expected="every file that the portfolio file names",
                do="correct the names, add the files, or name their folder with --data",
            )

    def _refuse_all(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """Raise the faults of every file together: those of reading, and those of tables that could be read."""
        unread = {fault.table for fault in self.faults}
        faults = [
            fault
            for name, frame in frames.items()
            if name not in unread and name in self.file.tables and name != FACTS
            for fault in faults_of(frame, {**SCORED, **BESIDE}[name], name)
        ]
        raise self._refused(faults)

    def _facts(self, spec: TableSource, kinds: Mapping[str, Kind], loans: pl.DataFrame | None) -> pl.DataFrame:
        """Return the facts of the file named for them, and beside them those that only the loans' file has."""
        source, of_loans = self.opened(FACTS), self.loans_source
        told = facts_file(source, spec, kinds, of_loans)
        self.own_facts = frozenset(told.kinds)
        frame = told.read()
        before = len(self.faults)
        self.note(source, FACTS)
        self.rows[FACTS] = source.rows.get_column(mapping.ROW)
        if loans is None or len(self.faults) > before:
            return frame
        if told.of_borrowers:
            self.faults += map(self._told, faults_of(frame, told.schema, FACTS))
            frame = of_each_loan(frame, self.rows[FACTS], loans)
            self.rows[FACTS] = frame.get_column(mapping.ROW)
            frame = frame.drop(mapping.ROW)
        others = {column: kind for column, kind in kinds.items() if column not in told.kinds}
        if others and of_loans is not None:
            ids, recorded_at = loans.get_column("loan_id"), loans.get_column("recorded_at")
            read = mapping.facts_from(of_loans, others, ids, recorded_at)
            self.note(of_loans, "loans")
            if not len(self.faults) > before:
                self.faults += map(self._told, faults_of(frame, declared_facts(told.kinds), FACTS))
                frame = beside_the_loans(frame, read)
                self.rows[FACTS] = pl.repeat(0, frame.height, dtype=pl.UInt32, eager=True)
        return frame

    def _table(self, name: str, spec: TableSource) -> pl.DataFrame:
        source = self.opened(name)
        frame = mapping.table_from(source, spec, {**SCORED, **BESIDE}[name], name)
        rows = source.rows.get_column(mapping.ROW)
        if name == "payments" and {"amount", "paid_on", *REVERSED} <= set(frame.columns):
            frame, rows = self._payments(source, frame)
        self.note(source, name)
        self.rows[name] = rows
        return frame

    def _payments(self, source: mapping.Source, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """Return the payments without those that take others back, and the number of each row in the file."""
        yours = {column: self.yours.get(("payments", column), column) for column in ("amount", "loan_id")}
        self.doubts += left_out_reversals(source, frame, yours["amount"], yours["loan_id"])
        if source.spec.reversals is None:
            return frame, source.rows.get_column(mapping.ROW)
        told = settled(source, frame)
        self.not_counted.append(f"table 'payments': {_rows(told.reversed)} taken off the payments that they take back")
        if told.unmatched:
            self.doubts.append(
                f"table 'payments': {_rows(told.unmatched)} should take a payment back that was not found, and do not "
                "count. Do: send the payments they mean, or say under `of` which column names these"
            )
        return told.frame, told.rows

    def opened(self, name: str) -> mapping.Source:
        """Return a table's file as text.

        Columns are worked out where features read them: in the loans' file, or in that of facts where it has both of
        those they are worked out from.
        """
        file, spec = self.file, self.file.tables[name]
        read_by_features = {file.tables[table].file for table in ("loans", FACTS) if table in file.tables}
        read = spec.file in read_by_features
        return mapping.opened(
            spec,
            self.folder,
            file.zone,
            name,
            computed=file.computed if read else {},
            codes=file.codes_by_column if read or name == "borrowers" else {},
            lenient=self.lenient or len(read_by_features) > 1,
        )

    def note(self, source: mapping.Source, name: str) -> None:
        """Note the faults found while a table was read, and how many of its file's rows do not count."""
        self.faults += mapping.faults_in_the_file(source, self.yours)
        self.heights |= dict.fromkeys({fault.table for fault in source.faults} | {name}, source.rows.height)
        if source.repeated:
            self.not_counted.append(f"{source.spec.file}: {_rows(source.repeated)} written twice, each counted once")
        if source.left_out is not None:
            self.not_counted.append(f"table '{name}': {_rows(source.left_out.height)} left out by `where`")

    def file_of(self, name: str) -> str:
        """Return where a table's rows come from, as an error says it."""
        told = name if name in self.file.tables else "loans"  # a table that is read with the loans
        return f"{self.where}, [tables.{told}] file '{self.file.tables[told].file}'"

    def _observed(self, loans: pl.DataFrame) -> pl.Series:
        """Return the observation date of each loan, for outcomes that stand in the loans' file."""
        if self.file.observe.each is not None:
            return loans.get_column("applied_on")
        day = self.file.observe.on
        if not isinstance(day, date):
            raise refused(["[outcome] in the loans' file goes with one observation date: [observe] on or each"],
                          Path(self.where))  # fmt: skip
        return pl.repeat(day, loans.height, dtype=pl.Date, eager=True)

    def _window(self, outcome: Outcome) -> int:
        changes = self.file.cards.get(self.file.card)
        return outcome.after_days or (changes and changes.window_days) or OUTCOME_DAYS

    def _of_these_loans(self, frames: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the tables without rows about loans or borrowers that are not in the book: files are often whole."""
        for name, frame in frames.items():
            if name == "loans":  # one without an id is a fault, and is not left out
                yield name, frame
                continue
            about = "loan_id" if name == FACTS else {**SCORED, **BESIDE}[name].about
            here = frame.get_column(about).is_in(frames["loans"].get_column(about).implode()).fill_null(value=False)
            self.rows[name] = self.rows[name].filter(here)
            yield name, frame.filter(here)


def _yours(file: PortfolioFile) -> dict[tuple[str, str], str]:
    """Return the lender's own column that each column of a table is read from, where the file names one."""
    sources = {
        (name, target): source for name, table in file.tables.items() for target, source in table.columns.items()
    }
    if file.outcome is not None and file.outcome.recovered is not None:
        sources["outcomes", "recovered"] = file.outcome.recovered
    read = {place: source.column if isinstance(source, ColumnSource) else source for place, source in sources.items()}
    return {place: column for place, column in read.items() if column is not None}


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _plain(changes: msgspec.Struct) -> dict[str, object]:
    return {name: value for name, value in msgspec.to_builtins(changes).items() if value is not None}
