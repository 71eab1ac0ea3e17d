"""The simulated lender's book on disk: one Parquet file per table, written chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
from pyarrow import parquet

from features.portfolios.simulated.chunks import chunk_numbers, chunk_tables
from features.portfolios.simulated.world import WORLD, World

COMPRESSION = "zstd"
UNFINISHED = ".unfinished"
TRUTH = "truth"


def write(
    loans: int, seed: int, folder: Path, say: Callable[[str], None] | None = None, *, world: World = WORLD
) -> Path:
    """Write a simulated book into a folder and return it; the same seed gives the same bytes.

    Memory does not grow with the book: a chunk of loans is drawn, written as one row group of each file, and let go.
    `truth.parquet` and the portfolio file lie beside the tables. Files get their names only when all are whole.

    Parameters
    ----------
    loans : how many loans, from 1
    seed : 0 or above
    say : told after each chunk how far it is
    world : the numbers to simulate by

    Raises
    ------
    UsageError : there is no loan, or the seed is below 0
    """
    chunks = chunk_numbers(loans, seed, world)
    folder.mkdir(parents=True, exist_ok=True)
    files = _Files(folder)
    try:
        for number in chunks:
            for name, frame in chunk_tables(loans, seed, number, world).items():
                files.append(name, frame)
            if say is not None:
                say(f"{min((number + 1) * world.loans_per_chunk, loans):,} of {loans:,} loans")
    except BaseException:
        files.discard()
        raise
    files.keep()
    tables = "".join(f'[tables.{name}]\nfile = "{name}.parquet"\n' for name in files.names if name != TRUTH)
    head = (
        f"# A simulated lender: {loans} loans, seed {seed}. Nothing here is about a person.\n"
        f'name = "simulated"\nsource = "simulated: {loans} loans, seed {seed}"\n'
        f'zone = "{world.calendar.zone}"\ncard = "collection"\nobserve.on = {world.calendar.observed_on}\n\n'
    )
    (folder / "portfolio.toml").write_text(head + tables, encoding="utf-8")
    return folder


class _Files:
    """The files of a book while they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, parquet.ParquetWriter] = {}

    @property
    def names(self) -> list[str]:
        """The tables that have been written to."""
        return list(self._writers)

    def append(self, name: str, frame: pl.DataFrame) -> None:
        """Add a table's next rows as one row group."""
        rows = frame.to_arrow()
        if name not in self._writers:
            self._writers[name] = parquet.ParquetWriter(self._unfinished(name), rows.schema, compression=COMPRESSION)
        if frame.height:
            self._writers[name].write_table(rows, row_group_size=frame.height)

    def keep(self) -> None:
        """Close the files and give them their names."""
        for writer in self._writers.values():
            writer.close()
        for name in self._writers:
            self._unfinished(name).replace(self._folder / f"{name}.parquet")

    def discard(self) -> None:
        """Close the files and remove them."""
        for name, writer in self._writers.items():
            writer.close()
            self._unfinished(name).unlink()

    def _unfinished(self, name: str) -> Path:
        return self._folder / f"{name}.parquet{UNFINISHED}"
