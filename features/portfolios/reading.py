"""A lender's file as it stands: the rows of a CSV or Parquet file, or a plain refusal without a borrower's value."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import polars as pl

from features.errors import DataRefused

PIECE = 1 << 20
PARQUET = ".parquet"
UTF_8 = "utf-8"


def rows_of(
    file: Path, expected: str, *, separator: str = ",", encoding: str = UTF_8, most: int | None = None
) -> pl.DataFrame:
    """Return a file's rows; every value of a CSV file is text. CSV may be compressed (`.csv.gz`).

    Parameters
    ----------
    expected : the columns that should be there, in words
    encoding : how a CSV file writes letters, by the name that Python has for it
    most : rows that are read, from the first; all by default

    Raises
    ------
    DataRefused : it cannot be read. Polars' own messages may hold a value and are not shown
    """
    if not file.exists():
        raise unreadable(file, "no such file", f"a file with {expected}", "correct the name, or add the file")
    if not file.is_file():
        raise unreadable(file, "a folder", f"a file named {file.name}", "rename the folder, or put the file there")
    if not file.stat().st_size:
        raise unreadable(file, "an empty file", expected, "write the table again")
    if file.suffix == PARQUET:
        try:
            return pl.read_parquet(file, n_rows=most, glob=False, hive_partitioning=False)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise _broken_parquet(file) from error
    text = file if is_utf_8(encoding) else _in_utf_8(file, encoding)
    try:
        return pl.read_csv(text, infer_schema=False, glob=False, separator=separator, n_rows=most)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _broken_csv(file, separator, encoding) from error


def is_utf_8(encoding: str) -> bool:
    """Return whether a name of an encoding means UTF-8."""
    return codecs.lookup(encoding).name == UTF_8


def is_encoding(name: str) -> bool:
    """Return whether a name is that of an encoding of text."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def _in_utf_8(file: Path, encoding: str) -> io.BytesIO:
    """Return a file's text in UTF-8."""
    decoder, text = codecs.getincrementaldecoder(encoding)(), io.BytesIO()
    try:
        for piece in _pieces(file):
            text.write(decoder.decode(piece).encode())
        text.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as error:
        raise unreadable(
            file, f"bytes that are no text in {encoding}", f"a text in {encoding}", "name the encoding that it is in"
        ) from error
    except OSError as error:
        raise _damaged(file) from error
    text.seek(0)
    return text


def other_text(file: Path) -> DataRefused | None:
    """Return the refusal of a CSV file in GBK, UTF-16 or another encoding; None when its text is UTF-8."""
    if file.suffix == PARQUET:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in _pieces(file):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return unreadable(
            file,
            "a text in another encoding, such as GBK",
            "UTF-8, with or without a byte order mark",
            "save the file as UTF-8 (in Excel: Save As, CSV UTF-8), or let a portfolio file name its encoding",
        )
    except OSError:
        return _damaged(file)
    return None


def bytes_of(file: Path) -> bytes:
    """Return what a CSV file holds, without its compression."""
    return b"".join(_pieces(file))


def _damaged(file: Path) -> DataRefused:
    return unreadable(file, "a compressed file that is damaged", "a whole file", "compress the table again")


def unreadable(file: Path, found: str, expected: str, do: str) -> DataRefused:
    """Return the refusal of a file."""
    return DataRefused(found, where=str(file), expected=expected, do=do)


def _broken_parquet(file: Path) -> DataRefused:
    return unreadable(
        file,
        "a file that is damaged, or is not Parquet",
        "a whole Parquet file",
        f"write the table again; CSV goes by the name {file.stem}.csv",
    )


def _broken_csv(file: Path, separator: str, encoding: str) -> DataRefused:
    between = {",": "commas", ";": "semicolons", "\t": "tabs"}.get(separator, f"'{separator}'")
    told = other_text(file) if is_utf_8(encoding) else None
    return told or unreadable(
        file,
        "lines that cannot be read as rows",
        f"as many values in each line as there are columns, separated by {between}, with every quotation mark closed",
        "write the table again",
    )


def _pieces(file: Path) -> Iterator[bytes]:
    opened = gzip.open if file.suffix == ".gz" else open
    with cast("IO[bytes]", opened(file, "rb")) as stream:
        while piece := stream.read(PIECE):
            yield piece
