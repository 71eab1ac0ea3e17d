"""A book too large to be read at once, kept in buckets: each holds all rows of some borrowers and is a book in itself.

    my_lender/portfolio.toml            what the files mean, where they are not tables as they stand
    my_lender/bucket=00000/loans.parquet, payments.parquet, ...
    my_lender/bucket=00001/loans.parquet, payments.parquet, ...

A file is in every bucket or in none: one without rows says that there were none, one that is not there that nobody
knows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.errors import ConfigurationRefused, DataRefused, UsageError
from features.portfolios import described
from features.portfolios.portfolio import Portfolio, open_portfolio
from features.portfolios.portfolio_file import PortfolioFile, read_file
from features.portfolios.reading import PARQUET
from features.schemas import BESIDE, SCORED, Table
from features.tables import BORROWER, NoFacts

BUCKET = "bucket"
NAMED = f"{BUCKET}=*"
DIGITS = 5
LOAN = "loan_id"
UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Bucket:
    """One bucket: its folder, and what opens it."""

    folder: Path
    portfolio: str
    described: bool

    @property
    def name(self) -> str:
        """The folder's name, such as `bucket=00007`."""
        return self.folder.name

    @property
    def files(self) -> list[Path]:
        """The bucket's files, by name."""
        return sorted(file for file in self.folder.iterdir() if file.is_file() and not file.name.startswith("."))

    def open(self, zone: str | None = None) -> Portfolio:
        """Return the bucket as a book, without what became of its loans; raises what `open_portfolio` raises."""
        if self.described:
            return open_portfolio(self.portfolio, zone, data=self.folder, outcomes=False)
        return open_portfolio(str(self.folder), zone)


def buckets(portfolio: str, data: Path | None = None) -> list[Bucket]:
    """Return the buckets of a book, in order; none when it is not kept so.

    Parameters
    ----------
    portfolio : the folder that holds them, or a portfolio file
    data : the folder that holds them, when the portfolio file lies elsewhere

    Raises
    ------
    DataRefused : buckets do not hold the same files
    """
    path = Path(portfolio)
    file = path if path.suffix == ".toml" else path / described.FILE
    within = data or (path.parent if path.suffix == ".toml" else path)
    folders = sorted(folder for folder in within.glob(NAMED) if folder.is_dir()) if within.is_dir() else []
    found = [Bucket(folder, str(file), file.is_file()) for folder in folders]
    if found:
        _require_alike(found)
    return found


def _require_alike(found: list[Bucket]) -> None:
    first, *others = found
    names = {file.name for file in first.files}
    for bucket in others:
        strange = names ^ {file.name for file in bucket.files}
        if strange:
            raise DataRefused(
                f"files that one bucket has and another has not: {', '.join(sorted(strange))}",
                where=f"{first.folder} and {bucket.folder}",
                expected="the same files in every bucket: one that is not there says that nobody knows",
                do="write a file without rows where a bucket has none",
            )


def split(portfolio: Path, out: Path, *, count: int) -> int:
    """Write a book into so many buckets of borrowers, table by table; return how many there are.

    The files are read as streams, so memory does not grow with the book; columns and types stay as they are. Borrowers
    are taken in the order of their ids, so the same book gives the same buckets.

    Parameters
    ----------
    portfolio : a folder of Parquet tables, with or without a portfolio file
    out : the folder to make
    count : most buckets; there are no more than borrowers

    Raises
    ------
    UsageError : the folder is there already
    ConfigurationRefused : a file that is not Parquet, or whose rows have no id of their loan or borrower
    DataRefused : rows of a loan or borrower that the loans' table does not have
    """
    if out.exists():
        raise UsageError(
            "a folder that is there", where=str(out), expected="a folder to be made", do="name another, or remove it"
        )
    described_by = read_file(portfolio / described.FILE) if (portfolio / described.FILE).is_file() else None
    files = list(_files(portfolio, described_by))
    loans = next(file for file in files if file.table == "loans")
    owners = loans.rows().select(pl.col(loans.loan).alias(LOAN), pl.col(loans.borrower).alias(BORROWER)).collect()
    numbers = _numbers(owners.get_column(BORROWER), count)
    with _finished(out) as unfinished:
        for file in files:
            _write(file, owners, numbers, unfinished)
        if described_by is not None:
            shutil.copyfile(portfolio / described.FILE, unfinished / described.FILE)
    return int(numbers.get_column(BUCKET).n_unique())


@dataclass(frozen=True)
class _File:
    """A table's file, and the columns that say whose its rows are; empty where it has no such column."""

    path: Path
    table: str
    loan: str
    borrower: str

    def rows(self) -> pl.LazyFrame:
        return pl.scan_parquet(self.path, glob=False, hive_partitioning=False)


def _files(portfolio: Path, described_by: PortfolioFile | None) -> Iterator[_File]:
    """Yield each file once, the first table that is read from it speaking for it."""
    declared: dict[str, type[Table]] = {**SCORED, **BESIDE, "facts": NoFacts}
    seen: set[Path] = set()
    for name, schema in declared.items():
        if described_by is None:
            path, loan, borrower = portfolio / f"{name}{PARQUET}", LOAN, BORROWER
            if not path.is_file():
                if (portfolio / f"{name}.csv").is_file():
                    raise _not_parquet(portfolio / f"{name}.csv")
                continue
        elif name in described_by.tables:
            source = described_by.tables[name]
            path = portfolio / source.file
            loan, borrower = (_column(source.columns.get(column, column)) for column in (LOAN, BORROWER))
        else:
            continue
        if path.suffix != PARQUET:
            raise _not_parquet(path)
        if path in seen:
            continue
        seen.add(path)
        columns = pl.read_parquet_schema(path)
        by_borrower = schema.about == BORROWER
        if not (borrower if by_borrower else loan) or (borrower if by_borrower else loan) not in columns:
            raise _whose(path, name)
        if name == "loans" and borrower not in columns:
            raise _whose(path, name)
        yield _File(path, name, "" if by_borrower else loan, borrower if by_borrower or name == "loans" else "")


def _column(source: object) -> str:
    """Return the file's own column that a column is read from as it stands, or nothing."""
    if isinstance(source, str):
        return source
    column = getattr(source, "column", None)
    return column if isinstance(column, str) else ""


def _numbers(borrowers: pl.Series, count: int) -> pl.DataFrame:
    """Return each borrower's bucket."""
    known = borrowers.drop_nulls().unique().sort()
    place = pl.int_range(known.len(), eager=True) * min(count, max(known.len(), 1)) // max(known.len(), 1)
    return pl.DataFrame({BORROWER: known, BUCKET: place})


def _write(file: _File, owners: pl.DataFrame, numbers: pl.DataFrame, out: Path) -> None:
    if file.borrower:
        key, of = file.borrower, numbers
    else:
        key = file.loan
        of = owners.unique(LOAN, keep="first", maintain_order=True).join(numbers, on=BORROWER, how="inner")
    whose = of.select(pl.col(BORROWER if file.borrower else LOAN).alias(key), BUCKET)
    rows = file.rows().join(whose.lazy(), on=key, how="left", maintain_order="left")
    strays = rows.select(pl.col(BUCKET).is_null().sum()).collect(engine="streaming").item()
    if strays:
        raise DataRefused(
            f"{strays:,} rows of loans or borrowers that the loans' table does not have",
            where=f"{file.path}, column '{key}'",
            expected="a row of table 'loans' for each",
            do="add the loans, or leave these rows out",
        )
    folders = [out / f"{BUCKET}={number:0{DIGITS}}" for number in numbers.get_column(BUCKET).unique().sort()]
    for folder in folders:
        folder.mkdir(exist_ok=True)

    def place(told: object) -> str:
        number = told.partition_keys.get_column(BUCKET).item()  # type: ignore[attr-defined]
        return f"{BUCKET}={number:0{DIGITS}}/{file.path.name}"

    rows.sink_parquet(
        pl.PartitionBy(out, key=BUCKET, include_key=False, file_path_provider=place, approximate_bytes_per_file=None),
        engine="streaming",
    )
    for folder in folders:
        if not (folder / file.path.name).exists():
            pl.read_parquet(file.path, n_rows=0).write_parquet(folder / file.path.name)


@contextmanager
def _finished(out: Path) -> Iterator[Path]:
    """Give a folder to write into, which gets its name when all is written and is removed when not."""
    unfinished = out.with_name(out.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        unfinished.rename(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _not_parquet(path: Path) -> ConfigurationRefused:
    return ConfigurationRefused(
        "a file that is not Parquet",
        where=str(path),
        expected="Parquet, which can be read in parts",
        do="write the table as Parquet first",
    )


def _whose(path: Path, table: str) -> ConfigurationRefused:
    return ConfigurationRefused(
        f"rows of table '{table}' without an id of their own column",
        where=str(path),
        expected="a column that names the loan, or the borrower where the table is about borrowers; in loans both",
        do="add the column, or write the buckets from your warehouse as docs/portfolio.md shows",
    )
