"""A book too large to be read at once, scored bucket by bucket: a run that is stopped goes on where it was.

Each bucket's scores are a part beside the file asked for. A part is named after all that its numbers come from: the
model, the policy, the release, the day and the very bytes of the bucket; a part that is there is not made again, and
one that anything has changed for is. When all are there they become the one file, with the same bytes however often
the run was stopped. Memory is bounded by the buckets that are worked on at a time.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from features import table_files
from features.errors import DataRefused
from features.portfolios.bucketed import NAMED, Bucket
from models.assessment import assess
from models.fitted_card import FittedCard
from models.policy import Policy
from models.priority import order
from serving import batch

PARTS = ".parts"
"""What the folder of parts is called behind the name of the file."""
NAME_LENGTH = 16
ROWS_AT_A_TIME = 50_000
"""Rows of a ranked file that are gathered at a time from all parts."""
SECONDS_BETWEEN_WORDS = 2.0
LONG = 100
"""Seconds from which a time to wait is said in minutes."""


@dataclass(frozen=True)
class Run:
    """What is asked: the card and policy, the day, and how the rows are to look."""

    card: FittedCard
    policy: Policy
    as_of: date | None = None
    zone: str | None = None
    ranked: bool = False
    contributions: bool = False


@dataclass(frozen=True)
class Part:
    """The scores of one bucket, or the place where they will be."""

    bucket: Bucket
    path: Path
    bytes: int

    @property
    def is_there(self) -> bool:
        """Whether it is made already."""
        return self.path.exists()


def run(
    buckets: Sequence[Bucket], asked: Run, out: Path, *, workers: int, say: Callable[[str], None] = lambda _: None
) -> int:
    """Write the scores of all buckets into one file, in the buckets' order or in order of work; return how many loans.

    Parameters
    ----------
    workers : buckets that are worked on at a time
    say : told now and then how far the run is

    Raises
    ------
    DataRefused : a bucket's data break their contract, no loan belongs to the card, or amounts of several currencies
        are to be ranked; parts that are made stay
    """
    folder = out.with_name(out.name + PARTS)
    folder.mkdir(exist_ok=True)
    parts = [_part(bucket, asked, folder) for bucket in buckets]
    _let_go(set(_ours(folder)) - {part.path for part in parts})
    _make(parts, asked, workers, say)
    rows = sum(int(pl.scan_parquet(part.path).select(pl.len()).collect().item()) for part in parts)
    if not rows:
        raise DataRefused(
            "no loan in any bucket belongs to the card",
            where=f"card '{asked.card.card.name}'",
            expected=f"loans of its population ({asked.card.card.title.en})",
            do="check the observation date, or use the card that these loans belong to",
        )
    say(f"all {len(parts):,} buckets are scored; writing {out.name}")
    table_files.write_pieces(_in_order_of_work(parts) if asked.ranked else _as_they_are(parts), out)
    _let_go(list(_ours(folder)))
    with suppress(OSError):  # somebody keeps something of his own there
        folder.rmdir()
    return rows


def _ours(folder: Path) -> Iterator[Path]:
    """Yield what runs have left in a folder: parts, and parts that were being written when a run was killed."""
    yield from folder.glob(NAMED)
    yield from folder.glob(f".{NAMED}")


def _let_go(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink()


def _part(bucket: Bucket, asked: Run, folder: Path) -> Part:
    """Return where a bucket's scores go: under a name that holds all that they come from."""
    told = hashlib.sha256(json.dumps(_identity(asked), sort_keys=True).encode())
    size = 0
    declared = [Path(bucket.portfolio)] if bucket.described else []
    for file in [*declared, *bucket.files]:
        with file.open("rb") as stream:
            told.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
        size += file.stat().st_size
    return Part(bucket, folder / f"{bucket.name}-{told.hexdigest()[:NAME_LENGTH]}.parquet", size)


def _identity(asked: Run) -> dict[str, object]:
    return {
        "model": asked.card.provenance["manifest_sha256"],
        "policy": asked.policy.digest,
        "release": version("repayrank"),
        "polars": version("polars"),
        "as_of": None if asked.as_of is None else asked.as_of.isoformat(),
        "zone": asked.zone,
        "contributions": asked.contributions,
    }


def _make(parts: Sequence[Part], asked: Run, workers: int, say: Callable[[str], None]) -> None:
    missing = [part for part in parts if not part.is_there]
    if len(missing) < len(parts):
        say(f"{len(parts) - len(missing):,} of {len(parts):,} buckets were scored before the run was stopped")
    progress = _Progress(len(parts), sum(part.bytes for part in missing), len(parts) - len(missing), say)
    with ThreadPoolExecutor(workers, thread_name_prefix="bucket") as pool:
        waiting = iter(missing)
        working: dict[Future[int], Part] = {}
        try:
            while True:
                for part in waiting:
                    working[pool.submit(_score, part, asked)] = part
                    if len(working) == workers:
                        break
                if not working:
                    return
                done, _ = wait(working, return_when=FIRST_COMPLETED)
                for future in done:
                    progress.saw(working.pop(future), future.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _score(part: Part, asked: Run) -> int:
    """Make one part; return how many loans the bucket holds."""
    book = part.bucket.open(asked.zone)
    history = replace(book, allocation=asked.card.allocation).to_score(asked.as_of)
    members = pl.Series(asked.card.card.members(history))
    chosen = history if members.all() else history.of(members)
    rows = pl.DataFrame()
    if len(chosen.cases):
        assessment = assess(chosen, asked.card, asked.policy)
        rows = batch.frame(assessment, ranked=False, contributions=asked.contributions, history=chosen)
    table_files.write(rows, part.path)
    return len(history.cases)


def _as_they_are(parts: Sequence[Part]) -> Iterator[pl.DataFrame]:
    for part in parts:
        rows = pl.read_parquet(part.path)
        if rows.height:
            yield rows


def _in_order_of_work(parts: Sequence[Part]) -> Iterator[pl.DataFrame]:
    """Yield the rows of all parts in order of work, some at a time; only what orders them is held for all."""
    used = [part.path for part in parts if pl.read_parquet_schema(part.path)]
    keys = [pl.read_parquet(path, columns=["priority", "loan_id", "currency"]) for path in used]
    batch.require_one_currency(currency for key in keys for currency in key.get_column("currency").unique())
    together = pl.concat(keys)
    places = order(together.get_column("priority").to_numpy(), together.get_column("loan_id").to_list())
    rank = np.empty(len(places), dtype=np.int64)
    rank[places] = np.arange(1, len(places) + 1)
    ranks = np.split(rank, np.cumsum([key.height for key in keys])[:-1])
    for begin in range(1, len(places) + 1, ROWS_AT_A_TIME):
        pieces = []
        for path, of_part in zip(used, ranks, strict=True):
            here = (of_part >= begin) & (of_part < begin + ROWS_AT_A_TIME)
            if here.any():
                rows = pl.read_parquet(path).filter(pl.Series(here))
                pieces.append(rows.insert_column(0, pl.Series("rank", of_part[here], dtype=pl.UInt32)))
        yield pl.concat(pieces).sort("rank")


class _Progress:
    """Says how many loans a second are scored and how long the rest will take, by the bytes still to be read."""

    def __init__(self, buckets: int, size: int, done: int, say: Callable[[str], None]) -> None:
        self._buckets, self._left, self._done, self._say = buckets, size, done, say
        self._began = self._said = time.monotonic()
        self._loans = self._read = 0

    def saw(self, part: Part, loans: int) -> None:
        """Count a bucket that is done."""
        self._done += 1
        self._loans += loans
        self._read += part.bytes
        self._left -= part.bytes
        now = time.monotonic()
        if now - self._said < SECONDS_BETWEEN_WORDS and self._done < self._buckets:
            return
        self._said, took = now, max(now - self._began, 1e-3)
        left = f", {_duration(self._left * took / self._read)} left" if self._left and self._read else ""
        self._say(
            f"{self._done:,} of {self._buckets:,} buckets: {self._loans:,} loans read, "
            f"{self._loans / took:,.0f} a second{left}"
        )


def _duration(seconds: float) -> str:
    """Return a time to wait in words.

    >>> _duration(7.2), _duration(200)
    ('8 s', '4 min')
    """
    if seconds < LONG:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min"


def workers_by_default() -> int:
    """Return how many buckets to work on at a time: as many as there are cores."""
    return os.cpu_count() or 1
