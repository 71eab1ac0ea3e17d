"""A book kept as files: one Parquet or CSV file for each table, named after it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features.errors import ConfigurationRefused, Fault, TablesRefused
from features.portfolios.portfolio import Portfolio
from features.tables import SCORED, OutcomeTable, ProtectedTable, Table, Tables, faults_of

BESIDE: dict[str, type[Table]] = {"outcomes": OutcomeTable, "protected": ProtectedTable}


def book(path: str, *, built_in: tuple[str, ...] = ()) -> Portfolio:
    """Return the book in a folder with `loans.parquet` or `loans.csv`, and the other tables likewise.

    Days end at midnight UTC, and the observation date is the caller's to name.

    Raises
    ------
    ConfigurationRefused : there is no such folder, or no table in it
    TablesRefused : a table breaks its declaration
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ConfigurationRefused(
            "no such portfolio",
            where=f"portfolio '{path}'",
            expected=f"a built-in name ({', '.join(built_in)}) or a folder of table files",
            do="correct the name or the path",
        )
    frames = {name: frame for name, schema in SCORED.items() if (frame := _read(folder, name, schema)) is not None}
    beside = {name: frame for name, schema in BESIDE.items() if (frame := _read(folder, name, schema)) is not None}
    for name, frame in beside.items():
        faults = faults_of(frame, BESIDE[name], name)
        if faults:
            raise TablesRefused(faults, where=str(folder))
    return Portfolio(
        name=folder.resolve().name,
        tables=Tables.checked(frames, where=str(folder)),
        observed_on=None,
        zone="UTC",
        outcomes=beside.get("outcomes"),
        protected=beside.get("protected"),
        source=str(folder),
    )


def _read(folder: Path, name: str, schema: type[Table]) -> pl.DataFrame | None:
    declared = schema.create_empty().schema
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    if parquet.exists():
        return _typed(pl.read_parquet(parquet), declared, name, folder)
    if csv.exists():
        return _typed(pl.read_csv(csv, infer_schema=False), declared, name, folder)
    return None


def _typed(frame: pl.DataFrame, declared: pl.Schema, name: str, folder: Path) -> pl.DataFrame:
    """Read text as the declared types; what cannot be read is a fault by row, not a silent null."""
    faults: list[Fault] = []
    columns: list[pl.Series] = []
    for column in frame.get_columns():
        dtype = declared.get(column.name)
        if dtype is None or column.dtype == dtype:
            columns.append(column)
            continue
        read = _as(column, dtype)
        lost = (read.is_null() & column.is_not_null()).arg_true()
        faults.extend(Fault(name, row, column.name, f"a value that can be read as {dtype}") for row in lost.to_list())
        columns.append(read)
    if faults:
        raise TablesRefused(faults, where=str(folder))
    return pl.DataFrame(columns)


def _as(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    if column.dtype == pl.String and isinstance(dtype, pl.Datetime):
        return column.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if column.dtype == pl.String and isinstance(dtype, pl.Date):
        return column.str.to_date("%Y-%m-%d", strict=False)
    if column.dtype == pl.String and isinstance(dtype, pl.Boolean):
        return column.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return column.cast(dtype, strict=False)
