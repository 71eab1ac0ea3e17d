"""A book that a portfolio file describes: the lender's own files and columns, read as the file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path

import msgspec
import polars as pl

from features.declared import declared_facts, kinds_of
from features.errors import ConfigurationRefused, TablesRefused, UsageError
from features.history import is_zone
from features.portfolios import mapping
from features.portfolios.portfolio import SHIPPED, Portfolio
from features.portfolios.portfolio_file import Outcome, PortfolioFile, TableSource, read_file, refused
from features.portfolios.reading import rows_of
from features.schemas import BESIDE, SCORED
from features.tables import FACTS, Tables, faults_of

FILE = "portfolio.toml"
TRUTH = "truth.parquet"
BOOKS = "books"
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


def shipped(name: str, data: Path | None) -> Portfolio:
    """Return a book whose portfolio file ships with the release.

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
    return book(path, data)


def book(path: Path, data: Path | None = None) -> Portfolio:
    """Return the book that a portfolio file describes.

    Parameters
    ----------
    data : the folder of the files it names; by default the one it lies in

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
    return _Reading(file, folder, str(path)).portfolio()


def loans_file(path: Path, data: Path | None = None) -> pl.DataFrame:
    """Return the rows of the loans' file that count, every value as text, null where there is none.

    The columns are the file's own and those computed, behind `loan_id__`, the loan that each row became. For looking at
    columns that are no features yet: what is in them, and what knows the outcome.
    """
    file = read_file(path)
    reading = _Reading(file, path.parent if data is None else data, str(path))
    source, rows = reading.opened("loans")
    loans = mapping.table_from(source, file.tables["loans"], SCORED["loans"], "loans")
    mapping.refuse(source, rows, reading.file_of("loans"))
    texts = (
        source.rows.drop("row__")
        .with_columns(pl.all().cast(pl.String, strict=False))
        .with_columns(pl.when(pl.all().str.strip_chars().is_in(list(source.nulls)).not_()).then(pl.all()))
    )
    return texts.insert_column(0, loans.get_column("loan_id").alias("loan_id__"))


class _Reading:
    """One portfolio file being read with the files it names."""

    def __init__(self, file: PortfolioFile, folder: Path, where: str) -> None:
        self.file, self.folder, self.where = file, folder, where

    def portfolio(self) -> Portfolio:
        """Return the book."""
        file = self.file
        frames = self._tables()
        facts = declared_facts(kinds_of(file.features)) if file.features else None
        checked = Tables.checked(
            {name: frame for name, frame in frames.items() if name not in BESIDE}, where=self.where, facts=facts
        )
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
            declared=file.features,
            cards={name: _plain(changes) for name, changes in file.cards.items()},
            card=file.card,
            split=None if file.split is None else (file.split.by, file.split.test_from),
            allocation=file.allocation,
            truth=self._truth(),
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
            raise TablesRefused(found, where=self.where)
        return frames[name].select(BESIDE[name].column_names())

    def _tables(self) -> dict[str, pl.DataFrame]:
        file = self.file
        source, rows = self.opened("loans")
        loans = mapping.table_from(source, file.tables["loans"], SCORED["loans"], "loans")
        frames = {"loans": loans}
        if file.outcome is not None and not source.faults:
            window = self._window(file.outcome)
            frames["outcomes"] = mapping.outcomes_from(source, file.outcome, loans, self._observed(loans), window)
        kinds = kinds_of(file.features)
        if kinds and FACTS not in file.tables and not source.faults:
            frames[FACTS] = mapping.facts_from(
                source, kinds, loans.get_column("loan_id"), loans.get_column("recorded_at")
            )
        mapping.refuse(source, rows, self.file_of("loans"))
        for name, spec in file.tables.items():
            if name != "loans":
                frames[name] = self._table(name, spec, kinds)
        return dict(self._of_these_loans(frames))

    def _table(self, name: str, spec: TableSource, kinds: Mapping[str, str]) -> pl.DataFrame:
        source, rows = self.opened(name)
        schema = declared_facts(kinds) if name == FACTS else {**SCORED, **BESIDE}[name]  # type: ignore[arg-type]
        frame = mapping.table_from(source, spec, schema, name)
        mapping.refuse(source, rows, self.file_of(name))
        return frame

    def opened(self, name: str) -> tuple[mapping.Source, pl.Series]:
        """Return a table's file as text, and each row's number in it."""
        spec = self.file.tables[name]
        computed = self.file.computed if name == "loans" else {}
        return mapping.opened(spec, self.folder, self.file.zone, computed, name)

    def file_of(self, name: str) -> str:
        """Return where a table's rows come from, as an error says it."""
        return f"{self.where}, [tables.{name}] file '{self.file.tables[name].file}'"

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
            about = "loan_id" if name == FACTS else {**SCORED, **BESIDE}[name].about
            yield name, frame.filter(pl.col(about).is_in(frames["loans"].get_column(about).implode()))


def _plain(changes: msgspec.Struct) -> dict[str, object]:
    return {name: value for name, value in msgspec.to_builtins(changes).items() if value is not None}
