"""The simulated lender's book on disk: one Parquet file per table, written chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyarrow import parquet

from features.portfolios.simulated.chunks import chunk_count, chunk_tables
from features.portfolios.simulated.world import WORLD, World

COMPRESSION = "zstd"
UNFINISHED = ".unfinished"


def write(
    loans: int, seed: int, folder: Path, say: Callable[[str], None] | None = None, *, world: World = WORLD
) -> Path:
    """Write a simulated book into a folder and return it; the same seed gives the same bytes.

    Memory does not grow with the book: a chunk of loans is drawn, written as one row group of each file, and let go.
    `truth.parquet` lies beside the tables. Files carry their names only when all are whole.

    Parameters
    ----------
    loans : how many loans, from 1
    seed : 0 or above
    say : told after each chunk how far it is
    world : the numbers to simulate by
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, parquet.ParquetWriter] = {}
    try:
        for number in range(chunk_count(loans, world)):
            for name, frame in chunk_tables(loans, seed, number, world).items():
                rows = frame.to_arrow()
                if name not in writers:
                    file = folder / f"{name}.parquet{UNFINISHED}"
                    writers[name] = parquet.ParquetWriter(file, rows.schema, compression=COMPRESSION)
                if frame.height:
                    writers[name].write_table(rows, row_group_size=frame.height)
            if say is not None:
                say(f"{min((number + 1) * world.loans_per_chunk, loans):,} of {loans:,} loans")
    finally:
        for writer in writers.values():
            writer.close()
    for name in writers:
        (folder / f"{name}.parquet{UNFINISHED}").replace(folder / f"{name}.parquet")
    return folder
