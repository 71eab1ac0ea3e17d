"""A book kept as files: one Parquet or CSV file for each table, named after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import dataframely as dy
import polars as pl

from features.errors import ConfigurationRefused, DataRefused, Fault, TablesRefused
from features.portfolios.portfolio import Portfolio
from features.portfolios.reading import other_text, rows_of, unreadable
from features.schemas import BESIDE, SCORED, Table, type_words
from features.tables import Tables, faults_of, with_empty_columns

REQUIRED = "loans"

GIVEN = {"en": "the bad outcome that the book records, within 31 days", "zh": "31天内出现账本所记录的不良结果"}
GIVEN_OUTCOMES = {name: {"window_days": 31, "outcome": GIVEN} for name in ("behaviour", "collection", "all")}
"""The cards of a plain folder that sends outcomes: a portfolio file says more."""

WHOLE_NUMBER = r"^(-?[0-9]+)$"
DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})$"
INSTANT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])$"
)
"""RFC 3339; the colon of the offset may be left out, as Polars does when it writes CSV."""
TRUTH = {"true": True, "false": False}


def book(path: str, *, zone: str = "UTC", built_in: tuple[str, ...] = ()) -> Portfolio:
    """Return the book in a folder with `loans.parquet` or `loans.csv`, and the other tables likewise.

    Parameters
    ----------
    zone : IANA name of the zone in which the lender's days end; the files do not say

    Raises
    ------
    ConfigurationRefused : there is no such folder
    DataRefused : `loans` is not there, or a file cannot be read
    TablesRefused : tables break their declaration; with the faults of all tables
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ConfigurationRefused(
            "no such portfolio",
            where=f"portfolio '{path}'",
            expected=f"a built-in name ({', '.join(built_in)}) or a folder of table files",
            do="correct the name or the path",
        )
    read = {name: _read(file, name, schema) for name, schema, file in _files(folder)}
    faults = [fault for table in read.values() for fault in table.faults]
    scored = {name: read[name].frame for name in SCORED if name in read}
    beside = {name: read[name].frame for name in BESIDE if name in read}
    for name, frame in beside.items():
        faults += read[name].untold(faults_of(frame, BESIDE[name], name))
    try:
        tables = Tables.checked(scored, where=str(folder))
    except TablesRefused as error:
        for name in scored:
            faults += read[name].untold(fault for fault in error.faults if fault.table == name)
    if faults:
        raise TablesRefused(_in_order(faults), where=str(folder))
    return Portfolio(
        name=folder.resolve().name,
        tables=tables,
        observed_on=None,
        zone=zone,
        outcomes=beside.get("outcomes"),
        protected=beside.get("protected"),
        source=str(folder),
        cards=GIVEN_OUTCOMES if "outcomes" in beside else {},
    )


def _files(folder: Path) -> list[tuple[str, type[Table], Path]]:
    found = []
    for name, schema in {**SCORED, **BESIDE}.items():
        there = [file for file in (folder / f"{name}.parquet", folder / f"{name}.csv") if file.exists()]
        if there:
            found.append((name, schema, there[0]))
        elif name == REQUIRED:
            raise DataRefused(
                f"no file of table '{name}'",
                where=str(folder),
                expected=f"{name}.parquet or {name}.csv; the other tables may be left out",
                do="add the file, or name the folder that holds it",
            )
    return found


@dataclass(frozen=True)
class _ReadTable:
    """One table as read: its frame in the declared types, null where nothing could be read, and what could not be."""

    frame: pl.DataFrame
    faults: list[Fault]

    def untold(self, faults: Iterable[Fault]) -> list[Fault]:
        """Return those of the table's other faults that do not merely follow from what could not be read.

        A rule over several columns (`column` is None) says nothing of a row in which one of them could not be read.
        """
        cells = {(fault.row, fault.column) for fault in self.faults}
        rows = {fault.row for fault in self.faults}
        return [
            fault
            for fault in faults
            if fault.row is None
            or not (
                {(fault.row, fault.column), (None, fault.column)} & cells
                or (fault.column is None and {fault.row, None} & rows)
            )
        ]


def _in_order(faults: Iterable[Fault]) -> list[Fault]:
    tables = [*SCORED, *BESIDE]
    return sorted(faults, key=lambda fault: (tables.index(fault.table), -1 if fault.row is None else fault.row))


def _read(file: Path, name: str, schema: type[Table]) -> _ReadTable:
    frame = with_empty_columns(_frame(file, list(schema.columns())), schema)
    declared = schema.columns()
    faults: list[Fault] = []
    columns: list[pl.Series] = []
    for column in frame.get_columns():
        kind = declared.get(column.name)
        if kind is None:  # a strange column is a fault of the declaration, told with the others
            columns.append(column)
            continue
        read = _as_declared(column, kind.dtype)
        if read is None:
            faults.append(Fault(name, None, column.name, f"values of type {type_words(kind.dtype)}"))
            read = pl.repeat(None, frame.height, dtype=kind.dtype, eager=True).alias(column.name)
        else:
            lost = (read.is_null() & column.is_not_null()).arg_true().to_list()
            faults += [Fault(name, row, column.name, _cell_words(kind)) for row in lost]
        columns.append(read)
    return _ReadTable(pl.DataFrame(columns), faults)


def _as_declared(column: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """Return the column in its declared type, null where a value has none; None when it is a column of another type.

    Only what changes no value: text that is written as the type is, whole numbers that fit, instants to UTC.
    """
    found = column.dtype
    if found in (dtype, pl.Null):
        return column.cast(dtype)
    if isinstance(found, (pl.Categorical, pl.Enum)):
        column, found = column.cast(pl.String), pl.String()
    if found == pl.String:
        return _parsed(column, dtype)
    if found.is_integer() and dtype.is_integer():
        return column.cast(dtype, strict=False)
    if isinstance(found, pl.Datetime) and found.time_zone is not None and isinstance(dtype, pl.Datetime):
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return None


def _parsed(text: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    if isinstance(dtype, pl.Datetime):
        plain = text.str.replace(INSTANT, "${1}T${2}${3}").str.extract(r"^([0-9-]{10}T.*)$", 1)
        return plain.str.replace("[Zz]$", "+00:00").str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False
        )
    if isinstance(dtype, pl.Date):
        return text.str.extract(DAY, 1).str.to_date("%Y-%m-%d", strict=False)
    if isinstance(dtype, pl.Boolean):
        return text.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    if dtype.is_integer():
        return text.str.extract(WHOLE_NUMBER, 1).cast(dtype, strict=False)
    return text.cast(dtype, strict=False) if isinstance(dtype, (pl.Enum, pl.String)) else None


def _cell_words(kind: dy.Column) -> str:
    words = type_words(kind.dtype)
    if isinstance(kind, (dy.Int16, dy.Int64)):
        return f"{words} from {kind.min} to {kind.max}, without a point"
    if isinstance(kind, dy.Datetime):
        return f"{words}, written like 2026-06-30T18:05:00+08:00 or with Z for UTC"
    return f"{words}, written like 2026-06-30" if isinstance(kind, dy.Date) else words


def _frame(file: Path, declared: list[str]) -> pl.DataFrame:
    """Return a file's rows, the text of a CSV file as text."""
    columns = f"the columns {', '.join(declared)}"
    frame = rows_of(file, columns)
    if not set(frame.columns) & set(declared):  # the first line may be a borrower's: its texts are not shown
        raise other_text(file) or unreadable(
            file,
            "a table without any of its columns",
            columns + (", in a first line, separated by commas" if file.suffix == ".csv" else ""),
            "name the columns so",
        )
    return frame
