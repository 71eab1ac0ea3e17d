"""Tables as files that spreadsheets and programs can read: whole or not at all, and never taken for formulas."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from features.errors import UsageError

FORMULA_STARTS = r"^[=+\-@\t\r]"
"""First characters that make a spreadsheet take a text for a formula."""


def require_writable(path: Path) -> None:
    """Refuse a path that `write` would refuse, before the work is done.

    Raises
    ------
    UsageError : another suffix than .parquet or .csv, or a folder that is not there or not writable
    """
    if path.suffix.lower() not in WRITERS:
        raise UsageError(
            f"a file of kind '{path.suffix}'", where=str(path), expected=" or ".join(WRITERS), do="name such a file"
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(
            "a folder that cannot be written to",
            where=str(path.parent),
            expected="a folder that is there",
            do="make the folder, or name another",
        )


def write(rows: pl.DataFrame, path: Path) -> None:
    """Write a table as Parquet or CSV; a reader sees the whole file or the one before, never a part.

    CSV opens with a byte order mark, without which a Chinese Excel takes UTF-8 for GBK, and its texts cannot be taken
    for formulas: one that begins like a formula gets an apostrophe in front. Parquet keeps every text as it is.

    Raises
    ------
    UsageError : see `require_writable`
    """
    write_pieces([rows], path)


def write_pieces(pieces: Iterable[pl.DataFrame], path: Path) -> None:
    """Write tables of the same columns one after another into one file, as `write` does one; each is let go again.

    Raises
    ------
    UsageError : see `require_writable`
    """
    require_writable(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            WRITERS[path.suffix.lower()](pieces, stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def without_formulas(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the table with an apostrophe before each text that a spreadsheet would compute."""
    texts = (pl.col(name) for name, dtype in rows.schema.items() if dtype == pl.String)
    return rows.with_columns(
        pl.when(text.str.contains(FORMULA_STARTS)).then(pl.concat_str(pl.lit("'"), text)).otherwise(text).name.keep()
        for text in texts
    )


def _umask() -> int:
    # Python can read the mask only by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_csv(pieces: Iterable[pl.DataFrame], stream: Any) -> None:
    for place, rows in enumerate(pieces):
        without_formulas(rows).write_csv(stream, include_bom=place == 0, include_header=place == 0)


def _write_parquet(pieces: Iterable[pl.DataFrame], stream: Any) -> None:
    from pyarrow import parquet

    writer = None
    for rows in pieces:
        table = rows.to_arrow()
        if writer is None:
            writer = parquet.ParquetWriter(stream, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


WRITERS: Mapping[str, Callable[[Iterable[pl.DataFrame], Any], None]] = {".parquet": _write_parquet, ".csv": _write_csv}
